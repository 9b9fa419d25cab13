"""How long reading a market takes, alone and beside `smartmoneyconcepts` 0.0.27: `python benchmarks/bench_reader.py`.

One run, one table. Ratios are what may be quoted; nanoseconds belong to the machine they were measured on. The package
is the extra `bench`: `pip install -c requirements.lock -e '.[bench]'`. `--quick` leaves it and the largest tape out.
"""

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import pandas as pd

from smclab import tapes
from smclab.dealing_range import RangeConfig
from smclab.instruments import instrument
from smclab.liquidity import LiquidityConfig, liquidity_advance, liquidity_state
from smclab.reader import Reader
from smclab.sessions import SessionConfig, sessions_advance, sessions_state
from smclab.structure import StructureConfig, structure_advance, structure_state
from smclab.timeframes import Config, TimeframeState
from smclab.zones import GapConfig, OrderBlockConfig, gaps_advance, zones_advance, zones_state

EURUSD = instrument("EURUSD")
FIRST_CALL = """
import time
start = time.perf_counter()
import pandas as pd
from smclab import read, tapes
bars = tapes.market(2_000, seed=1)
read(bars, instrument="EURUSD")
print(time.perf_counter() - start)
"""
MEMORY = """
from smclab import tapes
from smclab.reader import Reader
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
bars = tapes.market({n}, seed=1)
reader = Reader(instrument="EURUSD").extend(bars.iloc[:5_000])
before = resident()
reader.extend(bars.iloc[5_000:])
print(resident() - before)
before, reading = resident(), reader.reading
print(resident() - before)
"""


def random_walk(n: int) -> pd.DataFrame:
    """A plain random walk on the EURUSD grid, 24/7, with nothing of a market in it."""
    draw = np.random.default_rng(0)
    close = 110_000 + np.cumsum(draw.integers(-30, 31, n))
    close += max(0, 2_000 - close.min())
    open_ = np.r_[close[0], close[:-1]]
    high, low = np.maximum(open_, close) + draw.integers(0, 16, n), np.minimum(open_, close) - draw.integers(0, 16, n)
    times = pd.DatetimeIndex(np.arange(n) * 900_000_000_000 + 1_600_000_000_000_000_000, tz="UTC", name="time")
    prices = {"open": open_ / 1e5, "high": high / 1e5, "low": low / 1e5, "close": close / 1e5}
    return pd.DataFrame(prices | {"volume": draw.integers(1, 500, n).astype(float)}, index=times)


def median_s(prepare, work, repeat: int) -> float:
    """Median seconds of `work(prepare())`, the preparation not counted."""
    times = []
    for _ in range(repeat + 1):
        ready = prepare()
        start = time.perf_counter()
        work(ready)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def touched(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The state with its buffers' memory really there: what the system takes to hand out pages is not the kernel's."""
    for array in state.values():
        array += 0
    return state


def track(bars: pd.DataFrame) -> TimeframeState:
    """A timeframe's bars and ready buffers, as the reader keeps them, with nothing read yet."""
    ready = TimeframeState("15m", Config(), 2 * len(bars), base=True)
    ready.times[: len(bars)], ready.prices[:, : len(bars)] = bars.index.asi8, bars.to_numpy().T
    for state in ready.states.values():
        touched(state)
    return ready


def kernels(bars: pd.DataFrame, repeat: int = 5) -> dict[str, float]:
    """Seconds of each room's kernel into ready buffers, and of all of them, over `bars`."""
    n, times = len(bars), bars.index.asi8
    open_, high, low, close, volume = (np.ascontiguousarray(bars[c].to_numpy()) for c in bars.columns)
    roll = {"zone": EURUSD.zone, "roll_hour": EURUSD.roll_hour}
    settings = GapConfig(), OrderBlockConfig(), RangeConfig()

    def structure(state):
        structure_advance(state, StructureConfig(), open_, high, low, close, n)
        return state

    def sessions(state):
        sessions_advance(state, SessionConfig(), times, open_, high, low, close, n, **roll)
        return state

    swings, rolls = structure(structure_state(n)), sessions(sessions_state(SessionConfig(), n))

    def zones(state):
        zones_advance(state, *settings, open_, high, low, close, volume, swings, n)

    def gaps(state):
        gaps_advance(state, GapConfig(), open_, high, low, close, swings, n)

    def liquidity(state):
        liquidity_advance(state, LiquidityConfig(), open_, high, low, close, swings, rolls, n)

    def swing_pools(state):
        liquidity_advance(state, LiquidityConfig(), open_, high, low, close, swings, None, n)

    works = {
        "structure": (structure_state, structure),
        "sessions": (lambda size: sessions_state(SessionConfig(), size), sessions),
        "zones": (zones_state, zones),
        "gaps": (zones_state, gaps),
        "liquidity": (liquidity_state, liquidity),
        "swing pools": (liquidity_state, swing_pools),
    }
    seconds = {
        name: median_s(lambda make=make: touched(make(2 * n)), work, repeat) for name, (make, work) in works.items()
    }
    seconds["sum"] = sum(seconds[name] for name in ("structure", "sessions", "zones", "liquidity"))
    seconds["whole"] = median_s(lambda: track(bars), lambda t: t.advance(Config(), n, **roll), repeat)
    seconds["gaps, swings"] = seconds["gaps"] + seconds["structure"]  # breaks and displacement are in it: at most this
    seconds["peer set"] = sum(seconds[name] for name in ("structure", "zones", "swing pools"))
    return seconds


def tables(bars: pd.DataFrame) -> tuple[float, float]:
    """Seconds to read with higher timeframes, and then to build `.events` and `.columns`."""
    start = time.perf_counter()
    reader = Reader(instrument=EURUSD).extend(bars)
    middle = time.perf_counter()
    _ = reader.reading
    return middle - start, time.perf_counter() - middle


def pushed(bars: pd.DataFrame, look: bool) -> float:
    """Seconds per pushed bar: whole reader, three higher timeframes; `look`: every event is looked at."""
    rows = list(zip(bars.index.asi8.tolist(), *(bars[c].tolist() for c in bars.columns), strict=True))
    reader = Reader(instrument=EURUSD, timeframe="15m")
    for row in rows[:1000]:
        reader.push(*row)
    start = time.perf_counter()
    for row in rows[1000:]:
        events = reader.push(*row)
        if look:
            list(events)
    return (time.perf_counter() - start) / (len(rows) - 1000)


def peer(bars: pd.DataFrame) -> dict[str, float]:
    """Seconds of the package's own functions, once."""
    os.environ["SMC_CREDIT"] = "0"
    from smartmoneyconcepts import smc

    bars = bars.set_axis(bars.index.tz_localize(None))
    out, swings = {}, None
    for name in ("fvg", "swing_highs_lows", "bos_choch", "ob", "liquidity"):
        start = time.perf_counter()
        if name == "fvg":
            smc.fvg(bars)
        elif name == "swing_highs_lows":
            swings = smc.swing_highs_lows(bars, swing_length=5)
        else:
            getattr(smc, name)(bars, swings)
        out[name] = time.perf_counter() - start
    return out


def process(script: str, **environment: str) -> list[float]:
    """What a new Python process prints."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **environment})
    return [float(word) for word in done.stdout.split()]


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true", help="no peer, no tape of a million bars")
    quick = options.parse_args().quick
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}\n")

    sizes = (10_000, 100_000) if quick else (10_000, 100_000, 1_000_000)
    print(
        "kernels into ready buffers, ns per bar, median of 5 warm runs; sum: the four one after the other; whole: as the"
    )
    print("reader runs them, zones on a second thread beside sessions and liquidity")
    print(f"{'tape':<18}{'bars':>10}  structure  sessions  zones  liquidity  sum  whole  gaps, swings")
    whole, own_set = {}, {}
    for name, make in (("made-up market", lambda n: tapes.market(n, seed=1)), ("random walk", random_walk)):
        for n in sizes:
            took = kernels(make(n))
            whole[name, n], own_set[name, n] = took["whole"] / n, took["peer set"]
            rows = ("structure", "sessions", "zones", "liquidity", "sum", "whole", "gaps, swings")
            cells = "".join(f"{took[k] / n * 1e9:>{len(k) + 2}.0f}" for k in rows)
            print(f"{name:<18}{n:>10,}{cells}")
        if not quick:
            print(
                f"{'':<18}1 M against 100 k bars, whole, per bar: {whole[name, sizes[-1]] / whole[name, 100_000]:.2f} x"
            )

    bars = tapes.market(100_000, seed=1)
    extend, build = tables(bars)
    print(
        f"\nread() of 100 k bars with 1h, 4h and 1D: kernels and their memory {extend * 1e3:.0f} ms, "
        f"then .events and .columns {build:.2f} s"
    )
    few = tapes.market(6_000, seed=1)
    print(
        f"push of one closed bar from Python: {pushed(few, False) * 1e6:.0f} us; "
        f"with every event looked at {pushed(few, True) * 1e6:.0f} us"
    )
    n = 200_000 if quick else 1_000_000
    state, built = (size / n * 1e6 / 2**30 for size in process(MEMORY.format(n=n)))
    print(f"memory per million bars: {state:.2f} GiB of state and log, {built:.2f} GiB more as tables")
    print(f"first read() in a new process, imports included, cached kernels: {process(FIRST_CALL)[0]:.2f} s")
    with tempfile.TemporaryDirectory() as empty:
        print(f"the same with nothing compiled yet: {process(FIRST_CALL, NUMBA_CACHE_DIR=empty)[0]:.1f} s")
    if not quick:
        compare(bars, own_set["made-up market", 100_000])
        compare(random_walk(100_000), own_set["random walk", 100_000])
    print(f"\npeak memory of this run: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


def compare(bars: pd.DataFrame, ours: float):
    """Print our kernels beside the package's functions on the same bars."""
    took = peer(bars)
    total = sum(took.values())
    text = ", ".join(f"{name} {seconds:.2f}" for name, seconds in took.items())
    print(f"\nsmartmoneyconcepts 0.0.27 on the same {len(bars):,} bars, its own set, s: {text}; together {total:.2f}")
    print(f"our structure, zones and swing pools (more than its set): {ours * 1e3:.1f} ms, {total / ours:,.0f} x")


if __name__ == "__main__":
    main()
