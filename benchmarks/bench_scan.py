"""How long scans take: a live one from the local store in a warm process, and ten thousand synthetic symbols in batches.

python benchmarks/bench_scan.py live                      50 symbols x 3 timeframes, median and best of 5 slots
python benchmarks/bench_scan.py live --symbols 500 --timeframes 15m     one new candle each
python benchmarks/bench_scan.py many --symbols 10000      the same rows with joblib and on two Dask workers
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import pandas as pd

TAPES = 50  # different ones: further symbols have the same candles again
BATCH = 100  # symbols of one unit of work: what a worker holds at a time


def live(symbols: int, slots: int, candles_n: int, timeframes: tuple[str, ...]) -> None:
    "Scans with warm readers from a local history; what the store and the journal write is part of it."
    from smcdesk.decisions import config
    from smcdesk.marketdata.history import CandleHistory
    from smcdesk.scanning import scanner
    from smcdesk.scanning.workspace import Workspace
    from smcdesk.store import Store
    from smclab.candles import resample
    from smclab.tapes import market

    folder = Path(tempfile.mkdtemp())
    one = config.load_decision_configs("paper", ["EURUSD"])["EURUSD"]
    names = [f"SYM{k:02d}" for k in range(symbols)]
    configs = {
        s: config.DecisionConfig.from_dict(one.to_dict() | {"instrument": one.instrument.to_dict() | {"symbol": s}})
        for s in names
    }
    history, steps = CandleHistory(folder / "raw"), slots + 2
    tapes = {}
    for k, s in enumerate(names):
        if k >= TAPES:
            tapes |= {(s, tf): tapes[names[k % TAPES], tf] for tf in timeframes}
            continue
        bars = market(candles_n * 16 // 4, seed=k)
        for tf in timeframes:
            bars_of = bars if tf == "15m" else resample(bars, tf, zone=one.instrument.zone, roll_hour=17)
            tapes[s, tf] = bars_of.drop(columns="close_time", errors="ignore")
    end = tapes[names[0], timeframes[0]].index[-steps]
    store = Store(f"sqlite:///{folder / 'store.db'}")
    store.upgrade()
    moving = {"now": end}
    workspace = Workspace(
        None, "bench", history, store, configs, config.load_account("paper"), config.load_calendar("paper"),
        config.load_fill_rules("paper", one.policy),
        clock=lambda: moving["now"].to_pydatetime(), states=folder / "readers",
    )  # fmt: skip
    spent = _watch()

    def fill(now: pd.Timestamp) -> None:
        for (s, tf), bars in tapes.items():
            last = history.manifest("bench", s, tf).get("last")
            closed = bars[(bars.index + pd.Timedelta(tf) <= now) & (bars.index > (last or bars.index[0]))]
            if len(closed):
                history.merge("bench", s, tf, closed, now)

    rows = []
    for k in range(slots + 1):
        moving["now"] = end + k * pd.Timedelta(timeframes[0]) + timedelta(seconds=10)
        fill(moving["now"])
        spent.clear()
        wall, cpu = time.perf_counter(), time.process_time()
        found = scanner.scan(workspace, names, timeframes, f"slot{k}")
        spent_s = (time.perf_counter() - wall, time.process_time() - cpu, sum(spent.values()))
        bars_n = int(found.series["bars_n"].sum())
        print(
            f"slot {k}: {spent_s[0]:6.2f} s wall, {spent_s[1]:6.2f} s CPU, read+decide {spent_s[2]:5.2f} s CPU, {bars_n} candles, {len(found.decisions)} candidates, "
            f"memory {_now_mb():.0f} MB, at most {_peak_mb():.0f} MB",
            flush=True,
        )
        rows += [spent_s] if k else []  # the first slot reads every tape from its beginning
    for name, values in zip(("wall", "CPU", "read+decide CPU"), zip(*rows, strict=True), strict=True):
        print(f"{name}: median {statistics.median(values):.2f} s, best {min(values):.2f} s")
    print(
        f"{symbols} symbols x {len(timeframes)} timeframes, {candles_n} candles of 15m each and more; peak memory {_peak_mb():.0f} MB; {_machine()}"
    )


def _watch() -> dict:
    "CPU seconds spent in reading and deciding."
    from smcdesk.decisions.series import SeriesReader

    spent: dict[str, float] = {}

    def timed(name):
        original = getattr(SeriesReader, name)

        def call(*args, **kwargs):
            begin = time.process_time()
            try:
                return original(*args, **kwargs)
            finally:
                spent[name] = spent.get(name, 0.0) + time.process_time() - begin

        setattr(SeriesReader, name, call)

    timed("extend"), timed("decide")
    return spent


def batch(first: int, n: int, bars: int) -> tuple[list[tuple], float]:  # rows; peak memory of this process, MB
    "What the last bar of some synthetic symbols says: read, then decided, one symbol after the other."
    from smclab import Account, Context, Reader, instrument
    from smclab.decision import decide
    from smclab.policy import preset
    from smclab.tapes import market

    owner, policy, rows = instrument("EURUSD"), preset("shadow"), []
    context = Context(owner, Account(equity=10_000.0), owner.typical_spread)
    for seed in range(first, first + n):
        reader = Reader(instrument=owner).extend(market(bars, seed=seed))
        decided = [d for d in decide(reader.now(), context, policy) if d.setup_id]
        rows.append((seed, len(decided), hashlib.sha256("".join(d.hash() for d in decided).encode()).hexdigest()[:8]))
    return rows, _peak_mb()


def many(symbols: int, bars: int, engine: str) -> None:
    "Batches by joblib, by Dask, or both; equal rows are equal scans."
    work, found = [(k, min(BATCH, symbols - k), bars) for k in range(0, symbols, BATCH)], {}
    for name in ("joblib", "dask") if engine == "both" else (engine,):
        wall = time.perf_counter()
        parts = {"joblib": _joblib, "dask": _dask}[name](work)
        rows = sorted(r for part, _ in parts for r in part)
        found[name] = hashlib.sha256(repr(rows).encode()).hexdigest()[:16]
        print(
            f"{name}: {symbols} symbols x {bars} bars in {time.perf_counter() - wall:.1f} s wall, {sum(r[1] for r in rows)} candidates, "
            f"result {found[name]}, peak memory of a worker {max(p for _, p in parts):.0f} MB, of the parent {_peak_mb():.0f} MB; {_machine()}",
            flush=True,
        )
    if len(set(found.values())) > 1:
        sys.exit("joblib and Dask differ")


def _joblib(work):
    from joblib import Parallel, delayed

    return Parallel(n_jobs=2)(delayed(batch)(*w) for w in work)


def _dask(work):
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        return client.gather([client.submit(batch, *w, pure=False) for w in work])


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _now_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def _machine() -> str:
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["live", "many"])
    parser.add_argument("--symbols", type=int, default=None)
    parser.add_argument("--bars", type=int, default=1000)
    parser.add_argument("--slots", type=int, default=5)
    parser.add_argument("--candles", type=int, default=1000, help="candles of 15m of each symbol, divided by 4")
    parser.add_argument("--timeframes", default="15m,1h,4h", help="of live, the shortest first")
    parser.add_argument("--engine", choices=["joblib", "dask", "both"], default="both")
    chosen = parser.parse_args()
    if chosen.what == "live":
        live(chosen.symbols or 50, chosen.slots, chosen.candles, tuple(chosen.timeframes.split(",")))
    else:
        many(chosen.symbols or 10_000, chosen.bars, chosen.engine)
