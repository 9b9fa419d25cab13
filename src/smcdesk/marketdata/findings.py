"""What can be wrong with candles by the market's calendar and clock, fault by fault, each with its level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from smcdesk.marketdata.calendars import EXCHANGE, NEW_YORK, ExpectedTimes, expected_open_times, session_offsets
from smcdesk.marketdata.gaps import holes
from smcdesk.providers.clocks import weekly_clock
from smclab import candles
from smclab.candles import ONE_CASE_PCT, timeframe_ns
from smclab.instruments import Instrument

VERDICTS = ("ok", "degraded", "bad")
# From which share of bars, %, a finding makes the verdict degraded, and bad; the Lab's own limits where it has one.
LIMITS_PCT = candles.LIMITS_PCT | {
    "impossible": (ONE_CASE_PCT, 1), "off grid": (ONE_CASE_PCT, 1), "daily candles": (ONE_CASE_PCT, 1),
    "repeated": (ONE_CASE_PCT, 1), "no volume": (5, 50),
}  # fmt: skip
LATE_BARS = (2, 12)  # candles that should have come by now
STRAY_PCT = 2  # of bars outside an exchange's longest day, before its clock is in doubt
DAY = pd.Timedelta("1D")
FINDINGS = ("kind", "level", "n", "share_pct", "first", "sentence")
WEEK_NS = 7 * DAY.value


def market_findings(
    bars: pd.DataFrame, instrument: Instrument, timeframe: str, gaps: pd.DataFrame
) -> list[dict[str, Any]]:
    "What the Lab cannot judge bar by bar, because it hangs on the market's calendar or on the tape as a whole."
    step, n, missing = timeframe_ns(timeframe), len(bars), int(gaps["missing_bars"].sum())
    at = {
        "off grid": (_off_grid(bars.index, step, instrument.week), f"bars do not open on the {timeframe} grid"),
        "repeated": (_duplicates(bars, step), "bars repeat the hour before"),
        "daily candles": (_daily(bars, step), f"daily candles among those of {timeframe}"),
    }
    if instrument.asset_class in ("crypto", "equity"):
        at["no volume"] = (bars.index[(bars["volume"] == 0).to_numpy()], "bars without volume")
    return [
        finding("missing", gaps["start"], "bars missing", missing, n + missing),
        *(finding(kind, times, words, len(times), n) for kind, (times, words) in at.items()),
        *_clock(bars.index, step, instrument),
    ]


def finding(kind: str, at: Any, words: str, n: int, of: int) -> dict[str, Any]:
    "What is wrong with some bars, its level by their share."
    share_pct = 100 * n / max(of, 1)
    first = pd.DatetimeIndex(at)[0] if len(at) else pd.NaT
    since = f", the first at {first:%Y-%m-%d %H:%M}Z" if n else ""
    level = VERDICTS[sum(share_pct >= bound for bound in LIMITS_PCT[kind])]
    return dict(
        zip(FINDINGS, (kind, level, n, share_pct, first, f"{n:,} {words} ({share_pct:.3g} %){since}"), strict=True)
    )


def jump_finding(found: pd.DataFrame, n: int) -> dict[str, Any]:
    "The prices that cannot be, as the Lab's `jumps` names them, among n bars."
    row = finding("jumps", found.index, "bars at prices that cannot be", int(found["bars"].sum()), n)
    return row | {"sentence": "; ".join([row["sentence"], *candles.jump_sentences(found)])}


def _fact(kind: str, sentence: str, level: int, n: int = 1) -> dict[str, Any]:
    "What is wrong with the tape as a whole."
    return dict(zip(FINDINGS, (kind, VERDICTS[level], n, 100.0, pd.NaT, sentence), strict=True))


def calendar_gaps(bars: pd.DataFrame, instrument: Instrument, timeframe: str) -> pd.DataFrame:
    "The holes, by the market's calendar."
    should = expected_open_times(instrument)
    return holes(bars.index, timeframe, _adapted_calendar(should, bars.index) if instrument.week == "fx" else should)


def _adapted_calendar(should: ExpectedTimes, seen: pd.DatetimeIndex) -> ExpectedTimes:
    "The calendar without the hours of the week at which this tape never has a candle: brokers close as they please."
    minutes = np.unique(_minute_of_week(seen))

    def times(start: pd.Timestamp, end: pd.Timestamp, timeframe: str) -> pd.DatetimeIndex:
        found = should(start, end, timeframe)
        return found[np.isin(_minute_of_week(found), minutes)]

    return times if seen[-1] - seen[0] > 2 * pd.Timedelta(WEEK_NS) else should


def _minute_of_week(times: pd.DatetimeIndex) -> np.ndarray:
    "On New York's clock, by which brokers keep their hours."
    local = times.tz_convert(NEW_YORK)
    return np.asarray((local.day_of_week * 24 + local.hour) * 60 + local.minute)


def _off_grid(times: pd.DatetimeIndex, step: int, week: str) -> pd.DatetimeIndex:
    "Bars that open beside the grid the others stand on; where a market never pauses, the grid begins at midnight."
    if step > timeframe_ns("1h"):
        return times[:0]
    phase = times.asi8 % step
    values, counts = np.unique(phase, return_counts=True)
    usual = values[counts.argmax()] if week == "sessions" else 0
    return times[phase != usual]


def _duplicates(bars: pd.DataFrame, step: int) -> pd.DatetimeIndex:
    "Bars of runs that equal those an hour before: a change of clocks that was written down twice."
    lag = int(timeframe_ns("1h") // step)
    if lag < 2 or len(bars) <= lag:
        return bars.index[:0]
    values = bars[["open", "high", "low", "close"]].to_numpy()
    moved = (values[lag:, 1] != values[lag:, 2]) & (values[lag:] == values[:-lag]).all(axis=1)
    run = np.cumsum(np.r_[True, moved[1:] != moved[:-1]]) - 1
    long = np.bincount(run)[run] >= min(lag, 4)
    return bars.index[lag:][moved & long]


def _daily(bars: pd.DataFrame, step: int) -> pd.DatetimeIndex:
    "Daily candles that stand in a file of shorter ones: beside the day's own, or instead of them."
    if step >= DAY.value // 2:
        return bars.index[:0]
    times = bars.index
    alone = np.diff(times.asi8) >= DAY.value * 0.9
    run = np.cumsum(np.r_[True, alone[1:] != alone[:-1]]) - 1 if len(alone) else np.zeros(0, int)
    instead = times[:-1][alone & (np.bincount(run)[run] >= 5)] if len(alone) else times[:0]
    return instead.union(_whole_days(bars)).sort_values()


def _whole_days(bars: pd.DataFrame) -> pd.DatetimeIndex:
    "Bars that reach as far as all others of the 24 hours after them, to the same close; or before, from the same open."
    high, low, close = (bars[name].to_numpy() for name in ("high", "low", "close"))
    times, open_ = bars.index.asi8, bars["open"].to_numpy()
    usual = pd.Series(high - low).rolling(200, min_periods=20).median().bfill().to_numpy()
    found = []
    for i in np.flatnonzero(high - low > 3 * usual):
        near = usual[i] / 20
        after = np.arange(i + 1, times.searchsorted(times[i] + DAY.value))
        before = np.arange(times.searchsorted(times[i] - DAY.value, side="right"), i)
        for others, end in ((after, close), (before, open_)):
            if len(others) < 4:
                continue
            same = abs(high[others].max() - high[i]) <= near and abs(low[others].min() - low[i]) <= near
            if same and abs(end[others[-1 if end is close else 0]] - end[i]) <= near:
                found.append(i)
                break
    return bars.index[found]


def _clock(times: pd.DatetimeIndex, step: int, instrument: Instrument) -> list[dict[str, Any]]:
    "Whether the market opens and closes when it should, by the clock of the times."
    if step > timeframe_ns("1h"):
        return []
    if instrument.week == "fx":
        table = weekly_clock(times.tz_localize(None), step)
        best, weeks = table.iloc[0], int(table["weeks"].iloc[0])
        own = int(table[(table["clock"] == "UTC") & (table["label"] == "open")]["fits"].iloc[0])
        if weeks < 4 or best["fits"] < 2 * weeks / 3 or best["fits"] - own < 2:
            return []
        label = "" if best["label"] == "open" else ", bars named by their close"
        words = f"the week opens and closes as on {best['clock']}{label} ({best['fits']} of {weeks} weeks, UTC {own})"
        return [_fact("clock", words, 2)]
    if instrument.week == "sessions":
        hour = np.asarray(times.tz_convert(NEW_YORK).hour)
        stray = 100 * np.mean((hour < 4) | (hour >= 20)) if instrument.exchange == EXCHANGE else 0.0
        early, late = session_offsets(times, step, instrument.exchange)
        both = early * late > 0 and min(abs(early), abs(late)) >= step and abs(early - late) <= step
        shift = late if both else 0  # what is early at one end and late at the other is trading before and after hours
        if shift or stray > STRAY_PCT:
            hours = f"the days stand {shift / 3.6e12:+g} h beside {instrument.exchange}'s" if shift else ""
            words = hours or f"{stray:.0f} % of bars are outside 04:00-20:00 New York"
            return [_fact("clock", words, 2)]
    return []


def missing_since(
    last: pd.Timestamp,  # open time of the last candle, UTC
    now: pd.Timestamp,  # UTC
    instrument: Instrument,
    timeframe: str,
) -> int:  # candles
    "How many candles have closed since the last one by the market's hours, and are not there."
    step = pd.Timedelta(timeframe_ns(timeframe), "ns")
    if now - step <= last:
        return 0
    if step > DAY:
        return int((now - step - last) // step)
    should = expected_open_times(instrument)(last, now - step, timeframe)
    return int((should > last).sum())


def late_finding(
    last: pd.Timestamp,  # open time of the last candle, UTC
    now: pd.Timestamp,  # UTC
    instrument: Instrument,
    timeframe: str,
    most: int = 2,  # the worst level, 0..2
) -> list[dict[str, Any]]:  # one row, or none
    "Candles that should be there by now, by the market's hours; weeks and longer by the step alone."
    n = missing_since(last, now, instrument, timeframe)
    if not n:
        return []
    level = min(sum(n >= bound for bound in LATE_BARS), most)
    more = f"{n:,} more should be there by {now:%Y-%m-%d %H:%M}Z"
    words = f"the last candle opened at {last:%Y-%m-%d %H:%M}Z: {more} (ok below {LATE_BARS[0]})"
    return [_fact("late", words, level, n)]
