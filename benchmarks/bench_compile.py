"""What a first call waits for: compile time of each family of kernels, and how fast the compiled kernels run.

    python benchmarks/bench_compile.py [--rounds 3] [--families structure zones] [--base OTHER/src]

Each family is compiled in a process of its own into an empty NUMBA_CACHE_DIR; counted is the user time of that process's
CPU from the first call to its end, so a crowded machine disturbs it little. What a family needs of the others is compiled
before and not counted. Then the same calls again, warm, the least of fifteen. `--base` names another source folder: its
processes alternate with ours, and the medians of both are set side by side.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

OWN = Path(__file__).parents[1] / "src"
BARS = 20_000


def user_s(job: Callable) -> float:
    "Seconds of user time of one run, all threads together."
    start = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    job()
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime - start


def cpu_s(job: Callable) -> float:
    "Seconds of CPU of one run; finer than the user time, which comes in ticks."
    start = time.process_time()
    job()
    return time.process_time() - start


def market(bars: int = BARS) -> tuple[pd.DataFrame, list[np.ndarray]]:
    "A made-up market, and its columns as the kernels take them."
    from smclab import tapes

    table = tapes.market(bars, seed=1)
    return table, [np.ascontiguousarray(table[c].to_numpy()) for c in table.columns]


def advanced(bars: pd.DataFrame, prices: list[np.ndarray]) -> dict:
    "A structure reader's state after all bars."
    from smclab.structure import StructureConfig, structure_advance, structure_state

    state = structure_state(len(bars))
    structure_advance(state, StructureConfig(), *prices[:4], len(bars))
    return state


def in_session(bars: pd.DataFrame, prices: list[np.ndarray]) -> dict:
    "A session reader's state after all bars."
    from smclab.sessions import SessionConfig, sessions_advance, sessions_state

    config = SessionConfig()
    state = sessions_state(config, len(bars))
    sessions_advance(state, config, bars.index.asi8, *prices[:4], len(bars), zone="America/New_York", roll_hour=17)
    return state


def structure() -> Callable:
    "Swings and breaks."
    import smclab.structure  # noqa: F401

    tape = market()
    return lambda: advanced(*tape)


def sessions() -> Callable:
    "Sessions and periods."
    import smclab.sessions  # noqa: F401

    tape = market()
    return lambda: in_session(*tape)


def liquidity() -> Callable:
    "Pools, over a structure and sessions that are there."
    from smclab.liquidity import LiquidityConfig, liquidity_advance, liquidity_state

    tape = bars, prices = market()
    swings, rolls = advanced(*tape), in_session(*tape)

    def read():
        state = liquidity_state(len(bars))
        liquidity_advance(state, LiquidityConfig(), *prices[:4], swings, rolls, len(bars))

    return read


def zones() -> Callable:
    "Gaps, order blocks and the dealing range, over a structure that is there; then gaps alone."
    from smclab.zones import GapConfig, OrderBlockConfig, RangeConfig, gaps_advance, zones_advance, zones_state

    tape = bars, prices = market()
    breaks = advanced(*tape)

    def read():
        configs = GapConfig(), OrderBlockConfig(), RangeConfig()
        zones_advance(zones_state(len(bars)), *configs, *prices, breaks, len(bars))
        gaps_advance(zones_state(len(bars)), GapConfig(), *prices[:4], breaks, len(bars))

    return read


def setup_sequence() -> Callable:
    "Setups of a whole reading, then those of a live reader's last bars."
    from smclab import Reader, read

    switches, numbers = ((True, True, False), (True,) * 3, (True,) * 2), (2, 24, 24, 48, 2, 5, 100)
    try:
        from smclab.setup_sequence import SequenceParams, sequence_advance, sequence_state

        params = SequenceParams(*switches, *numbers, 0.2, 1e-5, 1e5)
    except ImportError:  # its name before the house was rebuilt
        from smclab.grammar import Terms
        from smclab.grammar import grammar_advance as sequence_advance
        from smclab.grammar import grammar_state as sequence_state

        params = Terms(*map(np.array, switches), np.array([0.2, 1e-5, 1e5]), numbers)
    bars, _ = market()
    reading, reader = read(bars, instrument="EURUSD"), Reader(instrument="EURUSD", timeframe="15m")
    for ts, bar in zip(bars.index.asi8[:500], bars.to_numpy()[:500], strict=True):
        reader.push(ts, *bar)
    now = reader.now()
    for source in (reading, now):
        source.gaps_above()
        source.rows("pool")

    def advance():
        sequence_advance(sequence_state(), params, reading)
        sequence_advance(sequence_state(), params, now)

    return advance


def matching() -> Callable:
    "A replay, and a sweep of fifty combinations in one thread."
    from smclab import Account, instrument
    from smclab.execution import Costs, intent_table
    from smclab.replay import replay

    try:
        from smclab.sweep import sweep
    except ImportError:  # its place before the house was rebuilt
        from smclab.replay import sweep
    bars, (_, _, _, close, _) = market()
    rows = [
        {"setup_id": str(at), "decision_bar": at, "side": 1 - 2 * (at % 3 == 0), "entry_price": close[at],
         "stop_price": close[at] - (1 - 2 * (at % 3 == 0)) * 0.0015, "entry_type": "limit" if at % 2 else "market",
         "target_price": close[at] + (1 - 2 * (at % 3 == 0)) * 0.003, "expiry_bar": at + 9}
        for at in range(20, len(bars) - 1, 37)
    ]  # fmt: skip
    intents, grid = intent_table(rows), pd.DataFrame({"stop_scale": np.linspace(0.5, 2.0, 50)})
    desk = {"instrument": instrument("EURUSD"), "account": Account(equity=10_000.0), "costs": Costs()}

    def trade():
        replay(bars, intents, **desk)
        sweep(bars, intents, grid, **desk)

    return trade


FAMILIES = {f.__name__: f for f in (structure, sessions, liquidity, zones, setup_sequence, matching)}


def child(family: str, prepare: bool):
    "Print seconds of compiling and milliseconds of a warm run; with `prepare` only compile what the family needs."
    job = FAMILIES[family]()
    if not prepare:
        first = user_s(job)
        print(json.dumps({"compile_s": first, "run_ms": 1e3 * min(cpu_s(job) for _ in range(15))}))


def run(source: Path, family: str, cache: Path, *more: str) -> str:
    "Output of one child process."
    env = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(source), "NUMBA_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--child", family, *more]
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout


def measure(sources: list[Path], family: str, rounds: int, scratch: Path) -> list[dict[str, float]]:
    "Medians of each source folder, whose processes take turns."
    figures = [[] for _ in sources]
    for k, source in enumerate(sources):
        run(source, family, scratch / f"{family}{k}", "--prepare")
    for n in range(rounds):
        for k in range(len(sources)) if n % 2 else reversed(range(len(sources))):
            cache = scratch / "fresh"
            shutil.copytree(scratch / f"{family}{k}", cache)
            figures[k].append(json.loads(run(sources[k], family, cache)))
            shutil.rmtree(cache)
    return [{name: statistics.median(f[name] for f in rows) for name in rows[0]} for rows in figures]


def main():
    "Measure and print one table."
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="processes a family and source folder")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--base", type=Path, help="another source folder to compare with")
    parser.add_argument("--child", choices=FAMILIES, help=argparse.SUPPRESS)
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(args.child, args.prepare)
    sources = [args.base.resolve(), OWN] if args.base else [OWN]
    print(f"{'':16}{'compile, s of user time':>27}{'warm run, ms':>27}")
    titles = ("base", "new", "ratio") if args.base else ("new",)
    print(f"{'':16}" + "".join(f"{t:>9}" for t in titles * 2))
    sums = np.zeros(len(sources))
    with tempfile.TemporaryDirectory() as scratch:
        for family in args.families:
            figures, line = measure(sources, family, args.rounds, Path(scratch)), f"{family:16}"
            sums += [f["compile_s"] for f in figures]
            for name in ("compile_s", "run_ms"):
                values = [f[name] for f in figures]
                line += "".join(f"{v:9.2f}" for v in values) + (f"{values[1] / values[0]:9.2f}" if args.base else "")
            print(line, flush=True)
    print(f"{'together':16}" + "".join(f"{v:9.2f}" for v in sums) + (f"{sums[1] / sums[0]:9.2f}" if args.base else ""))


if __name__ == "__main__":
    main()
