"""What a decision costs: bulk gates over a long tape, and one candidate at a time from Python.

    python benchmarks/bench_decide.py [--bars 1000000] [--decide-bars 20000] [--repeat 5]

Medians of the process's own CPU time, warm: one thread, on a machine shared with other work. The bulk figure is amortised over the tape's bars: plans, grades and the account-free gates of
every candidate, after the candidates are there.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import pandas as pd

from smclab.account import Account
from smclab.decision import decide, decide_all
from smclab.gates import Context, gate_table
from smclab.instruments import instrument
from smclab.news import NewsCalendar
from smclab.policy import Policy
from smclab.reader import read
from smclab.setups import candidates
from smclab.tapes import market


def median_s(job: Callable, repeat: int) -> float:
    "Median CPU seconds of a job, after one run that does not count."
    job()
    return statistics.median(timed(job) for _ in range(repeat))


def timed(job: Callable) -> float:
    "CPU seconds of one run."
    start = time.process_time()
    job()
    return time.process_time() - start


def context_of(bars: pd.DataFrame) -> Context:
    "A context with an account and a figure every seven hours."
    times = bars.index.as_unit("ns").asi8
    due = range(int(times[0]), int(times[-1]), 7 * 3_600_000_000_000)
    news = NewsCalendar(tuple(due), ("USD",) * len(due), ("figure",) * len(due), 0, 2**62, 0)
    return Context(instrument("EURUSD"), Account(equity=10_000.0), spread_price=0.00008, news=news)


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--bars", type=int, default=1_000_000)
    ask.add_argument("--decide-bars", type=int, default=20_000)
    ask.add_argument("--repeat", type=int, default=5)
    args, policy = ask.parse_args(), Policy()

    bars = market(args.bars, seed=8)
    context, table = context_of(bars), candidates(read(bars, timeframes=("1h", "4h")), instrument("EURUSD"))
    spent = median_s(lambda: gate_table(table, context, policy), args.repeat)
    print(f"bulk gates: {args.bars:,} bars, {len(table):,} candidates: {spent * 1e9 / args.bars:.1f} ns per bar, "
          f"{spent * 1e6 / max(len(table), 1):.2f} us per candidate (target 1,000 ns per bar)")  # fmt: skip

    reading = read(market(args.decide_bars, seed=8))
    context = context_of(reading.bars)
    decided = decide_all(reading, context, policy)
    spent = median_s(lambda: decide_all(reading, context, policy), args.repeat)
    print(
        f"decide_all, candidates included: {len(decided):,} candidates: {spent * 1e6 / len(decided):.0f} us per candidate (target 200)"
    )
    at = [reading.at(pd.Timestamp(ns, tz="UTC")) for ns in sorted({d.time for d in decided})]
    n = sum(len(decide(a, context, policy)) for a in at)
    spent = median_s(lambda: [decide(a, context, policy) for a in at], args.repeat)
    print(
        f"decide, one bar at a time: {n:,} evaluations on {len(at):,} bars: {spent * 1e6 / n:.0f} us per candidate (target 200)"
    )


if __name__ == "__main__":
    main()
