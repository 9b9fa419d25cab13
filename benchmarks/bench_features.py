"""What features cost: a tape of setups at once, one bar's setups from Python, and indicators on windows beside pandas.

    python benchmarks/bench_features.py [--bars 100000] [--repeat 7]

The least CPU time of the process over some repeats, warm, on a machine shared with other work. Reading the tape and finding the setups is not in it.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import talib

from smclab.features import _BARS, FeatureConfig, _of_bars, _window, features
from smclab.instruments import instrument
from smclab.news import NewsCalendar
from smclab.reader import read
from smclab.sentiment import Sentiment
from smclab.setups import candidates, candidates_at
from smclab.tapes import market

EURUSD = instrument("EURUSD")


def least_s(job: Callable, repeat: int) -> float:
    "Least CPU seconds of a job, after one run that does not count."
    job()
    return min(timed(job) for _ in range(repeat))


def timed(job: Callable) -> float:
    "CPU seconds of one run."
    start = time.process_time()
    job()
    return time.process_time() - start


def market_inputs(bars: pd.DataFrame) -> dict:
    "A figure every seven hours, a headline every two, a spread and a regime by bar."
    times = bars.index.as_unit("ns").asi8
    due = np.arange(times[0], times[-1], 7 * 3_600_000_000_000).tolist()
    news = NewsCalendar(tuple(due), ("USD",) * len(due), ("figure",) * len(due), 0, 2**62, 0)
    when = pd.date_range(bars.index[0], bars.index[-1], freq="2h")
    sentiment = Sentiment.from_frame(pd.DataFrame({"published": when, "score": 0.5, "currency": "USD"}))
    regime = pd.Series("trend", index=bars.index + pd.Timedelta("15min"))
    return {"instrument": EURUSD, "news": news, "sentiment": sentiment, "spread_price": 0.00008, "regime": regime}


def plain(bars: pd.DataFrame) -> pd.DataFrame:
    "Ten of the indicators as pandas writes them, over a whole tape."
    high, low, close = bars["high"], bars["low"], bars["close"]
    before, change = close.shift(), close.diff()
    reach = np.maximum(high, before) - np.minimum(low, before)
    atr = reach.ewm(alpha=1 / 14, adjust=False).mean()
    gain, loss = (x.clip(lower=0).ewm(alpha=1 / 14, adjust=False).mean() for x in (change, -change))
    ema = {n: close.ewm(span=n, adjust=False).mean() for n in (12, 20, 26, 50, 200)}
    macd, mean, width = ema[12] - ema[26], close.rolling(20).mean(), close.rolling(20).std(ddof=0)
    out = {f"ema{n}": (close - ema[n]) / atr for n in (20, 50, 200)}
    out |= {"macd": macd / atr, "histogram": (macd - macd.ewm(span=9, adjust=False).mean()) / atr}
    out |= {"rsi": 100 - 100 / (1 + gain / loss), "position": (close - mean) / (2 * width), "width": 4 * width / atr}
    return pd.DataFrame(out | {"atr": 100 * atr / close, "sma": (close - close.rolling(100).mean()) / atr})


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--bars", type=int, default=100_000)
    ask.add_argument("--repeat", type=int, default=7)
    args = ask.parse_args()

    bars = market(args.bars, seed=8)
    reading, inputs = read(bars, instrument=EURUSD), market_inputs(bars)
    for what, pending in (("setups", False), ("evaluations, waiting limits at every bar", True)):
        table = candidates(reading, EURUSD, pending=pending)
        spent = least_s(lambda table=table: features(reading, table, **inputs), args.repeat)
        print(
            f"bulk: {args.bars:,} bars, {len(table):,} {what}: {spent:.3f} s, {spent * 1e6 / len(table):.1f} us per row (target 1 s)"
        )

    table = candidates(reading, EURUSD, pending=True)
    stops = table["time"].drop_duplicates().iloc[-200:]
    rows_at = [(at, candidates_at(at, EURUSD)) for at in map(reading.at, stops)]
    spent = least_s(lambda: [features(at, rows, **inputs) for at, rows in rows_at], args.repeat)
    rows = sum(len(rows) for _, rows in rows_at)
    print(
        f"one bar at a time on that tape: {len(rows_at)} bars, {rows} setups: {spent * 1e3 / len(rows_at):.2f} ms per bar (target 2 ms, with the scorer)"
    )

    every = np.arange(len(bars))
    spent = least_s(lambda: _of_bars(reading, every, FeatureConfig()), args.repeat)
    once = least_s(lambda: _window(talib, reading.bars), args.repeat)
    peer = least_s(lambda: plain(bars), args.repeat)
    print(
        f"{len(_BARS)} indicators at every bar: {spent:.3f} s on windows, {once:.3f} s in one window; ten of them in pandas: {peer:.3f} s"
    )


if __name__ == "__main__":
    main()
