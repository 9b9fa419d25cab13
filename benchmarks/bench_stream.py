"""What a bar costs live: push alone, push and decide without and with candidates, on a short tape and on a long one.

    python benchmarks/bench_stream.py [--short 10000] [--long 100000] [--bars 2000] [--repeat 3]

CPU time of this thread, a bar at a time, as the median and the mean over the last bars of each tape; of several repeats the
least. A made-up market of 15-minute bars with 1h, 4h and 1D above it, policy v2, no account open; every candidate is judged
by all twelve gates, limits that wait at every bar. With push alone the reader also folds and reads the higher timeframes.
"""

import argparse
import time
from collections.abc import Iterator

import numpy as np

from smclab.account import Account
from smclab.decision import decide
from smclab.gates import Context
from smclab.instruments import instrument
from smclab.policy import Policy
from smclab.reader import Reader
from smclab.stream import Stream
from smclab.tapes import market

CONTEXT, POLICY = Context(instrument("EURUSD"), Account(equity=10_000.0), spread_price=0.00008), Policy()


def spent(bars, first: int) -> Iterator[tuple[int, int, int]]:
    "(ns of push, ns of decide, candidates) of every bar from `first` on."
    reader = Reader(instrument="EURUSD", timeframe="15m").extend(bars.iloc[:first])
    decide(reader.now(), CONTEXT, POLICY)
    for ts, row in zip(bars.index.asi8[first:].tolist(), bars.to_numpy()[first:].tolist(), strict=True):
        a = time.thread_time_ns()
        reader.push(ts, *row)
        b = time.thread_time_ns()
        decided = decide(reader.now(), CONTEXT, POLICY)
        yield b - a, time.thread_time_ns() - b, len(decided) if decided[0].setup_id else 0


def figures(bars, first: int, repeat: int) -> dict[str, tuple[float, float]]:
    "Median and mean us a bar by what it had to do, the least of several repeats."
    runs = []
    for _ in range(repeat):
        push, judged, n = np.array(list(spent(bars, first))).T
        some, both = n > 0, push + judged
        kinds = {
            "push alone": push,
            "push and decide, no candidate": both[~some],
            "push and decide, candidates": both[some],
        }
        runs.append({k: (np.median(v) / 1e3, np.mean(v) / 1e3) for k, v in kinds.items()}
                    | {"push and decide, all bars": (np.median(both) / 1e3, np.mean(both) / 1e3),
                       "candidates a bar that has some": (np.median(n[some]), n[some].mean())})  # fmt: skip
    return {k: tuple(min(run[k][i] for run in runs) for i in (0, 1)) for k in runs[0]}


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--short", type=int, default=10_000)
    ask.add_argument("--long", type=int, default=100_000)
    ask.add_argument("--bars", type=int, default=2000)
    ask.add_argument("--repeat", type=int, default=3)
    args = ask.parse_args()

    bars = market(args.long + args.bars, seed=8)
    found = {n: figures(bars.iloc[: n + args.bars], n, args.repeat) for n in (args.short, args.long)}
    print(f"{'us a bar, median (mean)':<34}" + "".join(f"{f'after {n:,} bars':>22}" for n in found) + f"{'growth':>9}")
    for kind in found[args.short]:
        (a, b), (c, d) = (found[n][kind] for n in (args.short, args.long))
        print(f"{kind:<34}{f'{a:.1f} ({b:.1f})':>22}{f'{c:.1f} ({d:.1f})':>22}{c / a:>8.2f}x")

    stream = Stream(Reader(instrument="EURUSD", timeframe="15m"), CONTEXT, POLICY).extend(bars)
    a = time.process_time()
    stored = stream.to_bytes()
    b = time.process_time()
    Stream.from_bytes(stored, CONTEXT, POLICY).decide()
    print(
        f"after {len(bars):,} bars: to bytes {b - a:.2f} s, {len(stored) / 1e6:.1f} MB; from bytes {time.process_time() - b:.2f} s"
    )


if __name__ == "__main__":
    main()
