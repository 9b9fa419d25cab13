"""How long reading a market takes, per bar: `python benchmarks/bench_reader.py`.

Prints one table. Figures are medians of warm runs; the ratios are what may be quoted, the nanoseconds belong to the
machine they were measured on.
"""

import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from smclab import tapes
from smclab.reading import Reader, read
from smclab.structure import StructureConfig, structure_advance, structure_state
from smclab.zones import GapConfig, gap_advance, gap_state

PLAIN_KERNELS = """
import numba, sys
njit = numba.njit
def plain(*args, _nrt=None, forceinline=None, cache=None, **flags):
    return njit(*args, **flags)
numba.njit = plain
sys.path.insert(0, {folder!r})
import bench_reader
print(*bench_reader.kernels(100_000))
"""


def median_s(work, repeat: int = 5) -> float:
    work()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def kernels(n: int) -> tuple[float, float]:
    """Seconds of the structure and of the gap kernel over `n` bars of a made-up market."""
    bars = tapes.market(n, seed=1)
    prices = [bars[c].to_numpy() for c in ("open", "high", "low", "close")]
    read_once = structure_state(n)
    structure_advance(read_once, StructureConfig(), *prices, n)

    def structure():
        structure_advance(structure_state(n), StructureConfig(), *prices, n)

    def gaps():
        gap_advance(gap_state(n), GapConfig(), *prices, read_once, n)

    return median_s(structure), median_s(gaps)


def pushed(n: int) -> float:
    bars = tapes.market(n, seed=1)
    rows = list(zip(bars.index.asi8.tolist(), *(bars[c].tolist() for c in bars.columns), strict=True))

    def work():
        reader = Reader(timeframe="15m")
        for row in rows:
            reader.push(*row)

    return median_s(work, repeat=3)


def main():
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}\n")
    print(f"{'bars':>9}  {'structure ns/bar':>17}  {'gaps ns/bar':>12}  {'read() ns/bar':>14}")
    per_bar = {}
    for n in (10_000, 100_000, 1_000_000):
        bars = tapes.market(n, seed=1)
        structure, gaps = kernels(n)
        whole = median_s(lambda bars=bars: read(bars, timeframe="15m"), repeat=3)
        per_bar[n] = (structure + gaps) / n
        print(f"{n:>9,}  {structure / n * 1e9:>17.1f}  {gaps / n * 1e9:>12.1f}  {whole / n * 1e9:>14.1f}")
    print(f"\nkernels, 1 M against 100 k bars, per bar: {per_bar[1_000_000] / per_bar[100_000]:.2f} x")
    script = PLAIN_KERNELS.format(folder=str(Path(__file__).parent))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    plain = sum(map(float, done.stdout.split())) / 100_000
    print(f"the same kernels as plain @njit, 100 k bars: {plain / per_bar[100_000]:.1f} x as long")
    print(f"one push of a closed bar from Python, events as a table: {pushed(1_000) / 1_000 * 1e6:.0f} us")


if __name__ == "__main__":
    main()
