"""How good candles are: what the Lab measures bar by bar, and what only the Desk can know.

The Lab's `quality` sees one tape. The Desk also knows the market's calendar, the present moment, and sometimes a second
source; it finds what is wrong with a file as a whole: another clock than it claims, daily candles among hourly ones,
stamps off the grid, an hour that is repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from smcdesk.marketdata.findings import (
    DAY,
    FINDINGS,
    VERDICTS,
    WEEK_NS,
    calendar_gaps,
    finding,
    jump_finding,
    late_finding,
    market_findings,
)
from smcdesk.marketdata.gaps import NO_HOLES
from smcdesk.providers.protocol import moment
from smclab.candles import COLUMNS, BadBars, BadConfig, check, infer_timeframe, quality, quality_known, timeframe_ns
from smclab.instruments import Instrument


@dataclass(frozen=True, eq=False)
class Inspection:
    "What is wrong with candles, and how much that matters."

    symbol: str
    timeframe: str
    bars: int
    first: pd.Timestamp
    last: pd.Timestamp
    verdict: str  # ok, degraded, bad
    findings: pd.DataFrame  # kind, level (ok, degraded, bad), n, share_pct, first (time or NaT), sentence
    gaps: pd.DataFrame  # start, end, missing_bars: against the market's calendar

    @property
    def reasons(self) -> tuple[str, ...]:
        "Why the verdict is not ok."
        return tuple(self.findings.loc[self.findings["level"] != "ok", "sentence"])


def inspect(
    bars: pd.DataFrame,  # (n, OHLCV) closed bars as they came
    instrument: Instrument,
    *,
    timeframe: str | None = None,  # None: inferred
    now: Any = None,  # a moment: how late the last candle is; None: lateness is not judged
    late_is_bad: bool = True,  # False: late candles are degraded at worst, as with a file of old ones
) -> Inspection:
    "What is wrong with the candles of one source: each finding with its level, and the worst level as the verdict."
    good, impossible = check(bars, symbol=instrument.symbol, on_bad="quarantine")
    timeframe = timeframe or infer_timeframe(good)
    tape = quality(good, timeframe=timeframe if len(good) < 3 else None, week=instrument.week, symbol=instrument.symbol)
    gaps = calendar_gaps(good, instrument, timeframe) if timeframe_ns(timeframe) <= DAY.value else tape.gaps
    wrong = f"rows no candle can be: {', '.join(sorted(set(impossible['rule'])))}"
    n = len(good)
    found = [
        finding("impossible", impossible.index, wrong, len(impossible), len(bars)),
        finding("stale", tape.stale.index, "bars repeat the four prices before them", len(tape.stale), n),
        finding("flat", tape.flat.index, "bars without range", len(tape.flat), n),
        finding("spikes", tape.spikes.index, "lonely wicks", len(tape.spikes) * (len(tape.spikes) > 1), n),
        jump_finding(tape.jumps, n),
        *market_findings(good, instrument, timeframe, gaps),
    ]
    if now is not None:
        found += late_finding(good.index[-1], moment(now), instrument, timeframe, most=2 if late_is_bad else 1)
    table = pd.DataFrame([row for row in found if row["n"]], columns=list(FINDINGS))
    worst = max((VERDICTS.index(level) for level in table["level"]), default=0)
    return Inspection(
        instrument.symbol, timeframe, len(good), good.index[0], good.index[-1], VERDICTS[worst], table, gaps
    )


# --- the verdict for decisions


WEEKS_BACK = 6  # and as many candles as are enough where candles are long
ENOUGH = 700
FEWEST = 100  # candles, before a tape is judged as a whole
SATURDAY_NS = 2 * DAY.value  # the first of the epoch


def verdicts(
    bars: pd.DataFrame,  # (n, OHLCV) checked bars
    instrument: Instrument,
    timeframe: str | None = None,  # None: inferred
) -> pd.Series:  # ok, degraded or bad, by the instant from which it is known: each bar's close
    """The quality of the data as it was known at every close: the worse of two verdicts.

    The Lab's `quality_known` judges the last candles at every bar. Once a week, on Saturday 00:00 UTC, the six weeks
    before are inspected as a file is, by the market's calendar and clock; what is found holds until the next Saturday.
    """
    timeframe = timeframe or infer_timeframe(bars)
    by_bar = quality_known(bars, timeframe=timeframe, week=instrument.week)
    closes = bars.index.as_unit("ns").asi8 + timeframe_ns(timeframe)
    weeks, which = np.unique(week_of(closes), return_inverse=True)
    found = [VERDICTS.index(weekly_verdict(bars, instrument, timeframe, week)) for week in weeks.tolist()]
    worse = np.maximum(by_bar.map(VERDICTS.index).to_numpy(), np.array(found, np.int64)[which])
    closed = pd.DatetimeIndex(closes, tz="UTC")
    return pd.Series(np.array(VERDICTS, dtype=object)[worse], closed, dtype="str")


def week_of(
    close_ns,  # ns UTC, a number or an array
):  # weeks since the epoch's first Saturday, likewise
    "The Saturday whose inspection holds at an instant."
    return (close_ns - SATURDAY_NS) // WEEK_NS


def weekly_verdict(bars: pd.DataFrame, instrument: Instrument, timeframe: str, week: int) -> str:
    """The verdict of one Saturday's inspection of the candles that had closed by then.

    What the Lab judges at every bar is left to it.
    """
    step, moment_ns = timeframe_ns(timeframe), SATURDAY_NS + week * WEEK_NS
    first = moment_ns - WEEKS_BACK * WEEK_NS - ENOUGH * step
    lo, hi = bars.index.as_unit("ns").asi8.searchsorted([first, moment_ns - step + 1])
    if hi - lo < FEWEST:
        return "ok"
    seen = bars.iloc[lo:hi]
    gaps = calendar_gaps(seen, instrument, timeframe) if step <= DAY.value else NO_HOLES
    found = market_findings(seen, instrument, timeframe, gaps)
    return max((row["level"] for row in found), key=VERDICTS.index)


def verdict(
    bars: pd.DataFrame,  # (n, OHLCV) checked bars up to the decision
    instrument: Instrument,
    timeframe: str,
    inspected: str | None = None,  # the last `weekly_verdict`; None: it is worked out
) -> str:  # ok, degraded or bad
    "The last value of `verdicts`, from the candles it depends on alone."
    back = pd.Timedelta(WEEKS_BACK * WEEK_NS + ENOUGH * timeframe_ns(timeframe))
    first = min(bars.index.searchsorted(bars.index[-1] - back), max(len(bars) - ENOUGH, 0))
    recent = bars.iloc[first:]
    by_bar = quality_known(recent, timeframe=timeframe, week=instrument.week).iloc[-1]
    if inspected is None:
        close_ns = bars.index[-1].as_unit("ns").value + timeframe_ns(timeframe)
        inspected = weekly_verdict(bars, instrument, timeframe, week_of(close_ns))
    return max(str(by_bar), inspected, key=VERDICTS.index)


# --- two sources


@dataclass(frozen=True, eq=False)
class CrossCheck:
    "Two sources of one market, bar by bar."

    n: int  # bars both have
    differ_n: int  # of them, those that differ by more than was allowed
    differ_pct: float
    shift: pd.Timedelta  # by which the second is late (its bars stand so much behind the first's)
    correlation: float  # of close-to-close changes at that shift
    unshifted: float  # at none
    only_first_n: int  # bars within the common span that the second lacks
    only_second_n: int
    worst: pd.DataFrame  # the ten that differ most: first's and second's close, atr (multiple)
    verdict: str  # ok, degraded, bad

    @property
    def sentence(self) -> str:
        "The result in one sentence."
        hours = self.shift / pd.Timedelta("1h")
        shift = f"; the second stands {abs(hours):g} h {'behind' if hours > 0 else 'ahead'}" if hours else ""
        differ = f"{self.differ_n:,} of {self.n:,} bars differ ({self.differ_pct:.3g} %)"
        return f"{differ}, changes correlate {self.correlation:.3f}{shift}"


def cross_check(
    first: pd.DataFrame,  # checked bars
    second: pd.DataFrame,  # checked bars of another source
    instrument: Instrument,
    *,
    timeframe: str | None = None,  # None: inferred from the first
    allowed_atr: float = 0.25,  # difference of any price, in ATR14 of the first; two ticks are always allowed
    max_shift_h: float = 24.0,  # how far a shift is looked for
) -> CrossCheck:
    "How far two sources agree on a market, bar by bar, and by how much one stands behind the other."
    step = timeframe_ns(timeframe or infer_timeframe(first))
    both = first.index.intersection(second.index)
    shift, best, none = _shift(first["close"], second["close"], step, max_shift_h)
    if len(both) < 2:
        raise BadBars(f"{instrument.symbol}: the two sources have {len(both)} bars in common, expected two or more")
    a, b = first.loc[both], second.loc[both]
    atr = _atr(first).loc[both].to_numpy()
    apart = np.abs(a[list(COLUMNS[:4])].to_numpy() - b[list(COLUMNS[:4])].to_numpy()).max(axis=1)
    differ = apart > np.maximum(allowed_atr * atr, 2 * instrument.tick)
    pct = 100 * differ.mean()
    level = 2 if shift else int(pct >= 1) + int(pct >= 10)
    worst = pd.DataFrame({"first": a["close"], "second": b["close"], "atr": apart / atr}).nlargest(10, "atr")
    low, high = max(first.index[0], second.index[0]), min(first.index[-1], second.index[-1])
    only = [int(((x >= low) & (x <= high)).sum()) - len(both) for x in (first.index, second.index)]
    return CrossCheck(
        len(both), int(differ.sum()), pct, pd.Timedelta(shift * step, "ns"), best, none, *only, worst, VERDICTS[level]
    )


def _atr(bars: pd.DataFrame) -> pd.Series:
    "The mean true range of 14 bars, price."
    before = bars["close"].shift().fillna(bars["open"])
    true = np.maximum(bars["high"], before) - np.minimum(bars["low"], before)
    return true.rolling(14, min_periods=1).mean().clip(lower=1e-12)


def _shift(first: pd.Series, second: pd.Series, step: int, max_shift_h: float) -> tuple[int, float, float]:
    "The shift in bars at which the changes of two series agree best, their correlation there, and at none."
    low, high = (f(first.index.asi8[i], second.index.asi8[i]) for f, i in ((min, 0), (max, -1)))
    if (high - low) // step > 5_000_000:
        raise BadConfig("the two sources lie too far apart to be compared")
    grid = [np.full(int((high - low) // step) + 1, np.nan) for _ in range(2)]
    for values, series in zip(grid, (first, second), strict=True):
        change = np.r_[np.nan, np.diff(np.log(series.to_numpy()))]
        change[np.r_[True, np.diff(series.index.asi8) != step]] = np.nan  # changes over holes say little
        values[(series.index.asi8 - low) // step] = change
    far = int(max_shift_h * 3.6e12 // step)
    found = {k: _correlation(*_moved(*grid, k)) for k in range(-far, far + 1)}
    best = max(found, key=lambda k: (found[k], -abs(k)))
    clear = found[best] > 0.5 and found[best] > found[0] + 0.2
    return (best if clear else 0), found[best if clear else 0], found[0]


def _moved(a: np.ndarray, b: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    "The parts of a and b that lie over each other when b is brought k places forward."
    return (a[: len(a) - k], b[k:]) if k >= 0 else (a[-k:], b[:k])


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    "Pearson's, over the places both know; 0 where they hardly meet."
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 30 or not (a[both].std() and b[both].std()):
        return 0.0
    return float(np.corrcoef(a[both], b[both])[0, 1])
