"""When a market trades: the open times its candles should have.

Currencies and metals trade from Sunday 17:00 to Friday 17:00 New York, metals with an hour's break each day; exchanges
by their own calendar (exchange_calendars); crypto always. What brokers do around holidays is their own: nothing is
called missing around Christmas and New Year, and of metals on New York's holidays and after noon on its half days.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pandas as pd

from smclab.candles import BadConfig, timeframe_ns
from smclab.instruments import Instrument

ExpectedTimes = Callable[[pd.Timestamp, pd.Timestamp, str], pd.DatetimeIndex]

EXCHANGE = "XNYS"  # whose holidays metals keep
NEW_YORK = "America/New_York"
HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS


@lru_cache(maxsize=8)
def _exchange(code: str, first_year: int):
    "An exchange's calendar, from a year on."
    import exchange_calendars

    try:
        return exchange_calendars.get_calendar(code, start=f"{first_year}-01-01")
    except exchange_calendars.errors.InvalidCalendarName as error:
        raise BadConfig(f"unknown exchange calendar {code!r}: expected a code such as XNYS or XLON") from error


def _grid(start: pd.Timestamp, end: pd.Timestamp, step: int) -> pd.DatetimeIndex:
    "Every step from start (a bar's open time) to end, both included."
    return pd.DatetimeIndex(np.arange(start.value, end.value + 1, step), tz="UTC").as_unit("ns")


def expected_open_times(instrument: Instrument) -> ExpectedTimes:
    "For a market, the function that gives the open times from one bar's to another's, both included."

    def times(start: pd.Timestamp, end: pd.Timestamp, timeframe: str) -> pd.DatetimeIndex:
        step = timeframe_ns(timeframe)
        if instrument.week == "24/7":
            return _grid(start, end, step)
        if instrument.week == "sessions":
            return _sessions(start, end, step, instrument.exchange)
        return _fx(start, end, step, breaks=instrument.asset_class == "metal")

    return times


def _fx(start: pd.Timestamp, end: pd.Timestamp, step: int, breaks: bool) -> pd.DatetimeIndex:
    "The open times of currencies, or of metals with their daily break."
    if step > HOUR_NS:
        return _fx_long(start, end, step)
    grid = _grid(start, end, step)
    local = grid.tz_convert(NEW_YORK)
    hour = np.asarray(local.day_of_week * 24 + local.hour)
    keep = (hour < 4 * 24 + 17) | (hour >= 6 * 24 + 17 + breaks)
    if breaks:
        keep &= np.asarray(local.hour) != 17
    return grid[keep & ~_holiday(local, breaks)]


def _holiday(local: pd.DatetimeIndex, metals: bool) -> np.ndarray:
    "Hours in which brokers close as they please: holidays."
    day = local.normalize().tz_localize(None)
    trading = (local + pd.Timedelta(hours=7)).normalize().tz_localize(None)  # the day an evening belongs to
    days = day.union(trading).unique()
    eves = (days.month == 12) & ((days.day >= 24) & (days.day <= 26) | (days.day == 31))
    eves |= (days.month == 1) & (days.day <= 2)
    off, half = set(days[eves]), []
    if metals and len(days):
        exchange = _exchange(EXCHANGE, days[0].year - 1)
        off |= set(days[days.day_of_week < 5].difference(exchange.sessions.tz_localize(None)))
        half = list(exchange.early_closes.tz_localize(None))
    afternoon = day.isin(half) & (np.asarray(local.hour) >= 13)
    return np.asarray(day.isin(list(off)) | trading.isin(list(off)) | afternoon)


def _fx_long(start: pd.Timestamp, end: pd.Timestamp, step: int) -> pd.DatetimeIndex:
    "Longer candles: from the first one's place on New York's clock, which the change of clocks does not move."
    first, last = (t.tz_convert(NEW_YORK).tz_localize(None) for t in (start, end))
    wall = pd.date_range(first, last, freq=pd.Timedelta(step, "ns"))
    utc = wall.tz_localize(NEW_YORK, ambiguous=np.ones(len(wall), bool), nonexistent="shift_forward")
    hour = np.asarray(utc.day_of_week * 24 + utc.hour)
    reach = step // HOUR_NS  # a candle that reaches into the open week is there
    keep = (hour < 4 * 24 + 17) | (hour + reach > 6 * 24 + 17)
    return utc[keep & ~_holiday(utc, metals=True)].tz_convert("UTC").as_unit("ns")


def _sessions(start: pd.Timestamp, end: pd.Timestamp, step: int, code: str) -> pd.DatetimeIndex:
    "The open times of an exchange's regular hours, on the grid the first candle stands on."
    exchange = _exchange(code, min(start.year, end.year) - 1)
    schedule = exchange.schedule.loc[start.tz_localize(None).normalize() : end.tz_localize(None).normalize()]
    if step >= DAY_NS:
        offset = start - start.normalize()
        stamps = schedule.index.tz_localize("UTC") + offset
        if step > DAY_NS:
            raise BadConfig("holes are not looked for in candles longer than a day of a market with sessions")
        return stamps[(stamps >= start) & (stamps <= end)].as_unit("ns")
    opens, closes = (pd.DatetimeIndex(schedule[side]).as_unit("ns").asi8 for side in ("open", "close"))
    phase = start.value % step
    first = (opens - phase) // step * step + phase
    runs = [np.arange(a, c, step) for a, c in zip(first, closes, strict=True)]
    grid = pd.DatetimeIndex(np.concatenate(runs) if runs else np.zeros(0, np.int64), tz="UTC").as_unit("ns")
    return grid[(grid >= start) & (grid <= end)]


def session_offsets(
    times: pd.DatetimeIndex,  # open times of bars
    step: int,  # their length, ns
    exchange: str,  # its calendar's code
) -> tuple[int, int]:  # ns, to the nearest half hour: first bar after the open, end of the last after the close
    "How far the days of a tape stand from an exchange's own, in the median."
    days = pd.Series(times.asi8, index=times.normalize()).groupby(level=0).agg(["min", "max"])
    schedule = _exchange(exchange, times[0].year - 1).schedule
    schedule = schedule.set_axis(schedule.index.tz_localize("UTC")).reindex(days.index).dropna(subset=["open"])
    days = days.loc[schedule.index]
    if not len(days):
        return 0, 0
    opens, closes = (pd.DatetimeIndex(schedule[side]).as_unit("ns").asi8 for side in ("open", "close"))
    half = HOUR_NS // 2
    early, late = np.median(days["min"] - opens), np.median(days["max"] + step - closes)
    return tuple(round(x / half) * half for x in (early, late))
