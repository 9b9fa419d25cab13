"""What moment each row is: unix numbers, written dates in any order, and the zone they are on."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from smcdesk.providers.clocks import CLOCKS, clock_parts
from smcdesk.providers.files.errors import BadFile
from smclab.candles import BadConfig, nearest

_DATE = r"(?P<{0}>\d{{{1}}})[-./ ](?P<{2}>\d{{1,2}})[-./ ](?P<{3}>\d{{{4}}})"
_CLOCK = (
    r"(?:[ T]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>[AaPp][Mm])?)?\s*(?P<offset>Z|(?:UTC|GMT)?\s*[+-]\d{2}:?\d{2}|UTC|GMT)?"
)
_SHAPES = {
    "year first": _DATE.format("year", 4, "month", "day", "1,2") + _CLOCK,
    "year last": _DATE.format("a", "1,2", "b", "year", 4) + _CLOCK,
    "compact": r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"
    r"(?:[ T]?(?P<hour>\d{2}):?(?P<minute>\d{2}):?(?P<second>\d{2})?)?(?P<fraction>)(?P<half>)(?P<offset>)",
}
_EPOCHS = ((1e8, 4.2e9, 1_000_000_000, "seconds"), (1e11, 4.2e12, 1_000_000, "milliseconds"),
           (1e14, 4.2e15, 1_000, "microseconds"), (1e17, 4.2e18, 1, "nanoseconds"))  # fmt: skip


def _epoch(column) -> tuple[pd.DatetimeIndex, str] | None:
    "Naive UTC times of a column of unix numbers, and their unit; None when they are no such numbers."
    number = pd.to_numeric(column, errors="coerce")
    if number.isna().any():
        return None
    number = number.to_numpy()
    scale, units = np.zeros(len(number), np.int64), []
    for least, most, factor, unit in _EPOCHS:  # a file may change its unit midway: Binance did in 2025
        inside = (number >= least) & (number < most)
        scale[inside] = factor
        if inside.any():
            units.append(unit)
    if (scale == 0).any():
        return None
    return pd.DatetimeIndex((number * scale).astype("int64")), " and ".join(units)


def _split(column, where) -> tuple[pd.DataFrame, str]:
    "The parts of each written time, by the one shape that all rows share."
    text = column.astype(str).str.strip()
    for shape, pattern in _SHAPES.items():
        if re.fullmatch(pattern, text.iloc[0]):
            parts = text.str.extract(f"^{pattern}$")
            bad = np.flatnonzero(parts["year"].isna())
            if not len(bad):
                return parts, shape
            row = bad[0]
            raise BadFile(
                f"{where}: {text.iloc[row]!r} (row {row}) is not written like the first time {text.iloc[0]!r}"
            )
    raise BadFile(
        f"{where}: cannot read the time {text.iloc[0]!r}; "
        "expected 2017-01-31 22:00, 31.01.2017 22:00, 20170131 220000 or unix time"
    )


def _assemble(parts, text, where) -> pd.DatetimeIndex:
    "Naive times from year, month, day and clock."
    unit = {name: pd.to_numeric(parts[name]).fillna(0).astype("int64") for name in ("hour", "minute", "second")}
    half = parts["half"].replace("", np.nan).str.lower()
    if half.notna().any():
        unit["hour"] = unit["hour"] % 12 + 12 * (half == "pm")
    date = {name: pd.to_numeric(parts[name]) for name in ("year", "month", "day")}
    date["year"] = date["year"].where(date["year"].between(1700, 2200))  # what nanoseconds can hold, and no more
    times = pd.to_datetime(pd.DataFrame({**date, **unit}), errors="coerce")
    wrong = np.flatnonzero(times.isna() | (unit["hour"] > 23) | (unit["minute"] > 59) | (unit["second"] > 59))
    if len(wrong):
        raise BadFile(f"{where}: {text.iloc[wrong[0]]!r} (row {wrong[0]}) is no date and time of the calendar")
    fraction_ns = pd.to_numeric("0." + parts["fraction"].fillna("").replace("", "0")).mul(1e9).round().astype("int64")
    return pd.DatetimeIndex(times).as_unit("ns") + pd.to_timedelta(fraction_ns.to_numpy(), unit="ns")


def _day_first(parts, text, where, day_first) -> tuple[pd.DatetimeIndex, str]:
    "Times whose year comes last, day and month distinguished by the whole column, never by habit."
    a, b = pd.to_numeric(parts["a"]), pd.to_numeric(parts["b"])
    orders = {True: parts.assign(day=a, month=b), False: parts.assign(day=b, month=a)}
    fits = [order for order in (True, False) if orders[order]["month"].max() <= 12]
    if not fits:
        i, j = int(a.gt(12).idxmax()), int(b.gt(12).idxmax())
        raise BadFile(f"{where}: {text.iloc[i]!r} has the day first and {text.iloc[j]!r} the month; expected one order")
    if day_first is not None and day_first not in fits:
        raise BadFile(f"{where}: day_first={day_first} would make a month above 12; leave it out")
    if day_first is None and len(fits) == 2:
        fits = [order for order in fits if _assemble(orders[order], text, where).is_monotonic_increasing] or fits
    order = day_first if day_first is not None else fits[0]
    if day_first is None and len(fits) == 2:
        raise BadFile(
            f"{where}: {text.iloc[0]!r} may have the day or the month first, and no row decides; "
            "pass day_first=True or day_first=False"
        )
    return _assemble(orders[order], text, where), f"Dates read with the {'day' if order else 'month'} first."


def _offsets(parts, text, where) -> np.ndarray | None:
    "Minutes ahead of UTC as written behind the times; None when nothing is written."
    written = parts["offset"].replace("", np.nan)
    if written.isna().all():
        return None
    if written.isna().any():
        i = int(written.isna().to_numpy().argmax())
        raise BadFile(f"{where}: {text.iloc[i]!r} (row {i}) has no time zone, other rows have one")
    sign = written.str.extract(r"([+-])(\d{2}):?(\d{2})$")
    minutes = pd.to_numeric(sign[1]).fillna(0) * 60 + pd.to_numeric(sign[2]).fillna(0)
    return (minutes * np.where(sign[0] == "-", -1, 1)).to_numpy(np.int64)


def _from_clock(naive: pd.DatetimeIndex, zone: str, where: str) -> pd.DatetimeIndex:
    "UTC times of wall-clock times in `zone`: an IANA name, or one with whole hours added (America/New_York+7)."
    name, hours = clock_parts(zone)
    try:
        pd.Timestamp(0, tz=name)
    except Exception as error:  # zoneinfo raises several kinds, by platform
        near = nearest(zone, CLOCKS)
        raise BadConfig(
            f"unknown time zone {zone!r}: expected an IANA name, hours may be added as in {CLOCKS[1]}{near}"
        ) from error
    wall = naive - pd.Timedelta(hours=hours)
    try:
        return wall.tz_localize(name, ambiguous="infer").tz_convert("UTC")
    except ValueError as error:
        reason = str(error).split(". ")[0].split(", try using")[0]
        raise BadFile(f"{where}: the times cannot be on the clock of {zone}: {reason}") from error


def utc_times(column, where, zone, day_first) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex, list[str]]:
    "UTC times, the digits as written, and how they were read."
    notes: list[str] = []
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        written, offset = pd.DatetimeIndex(column).tz_convert("UTC").tz_localize(None).as_unit("ns"), 0
    elif pd.api.types.is_datetime64_dtype(column):
        written, offset = pd.DatetimeIndex(column).as_unit("ns"), None
    elif (epoch := _epoch(column)) is not None:
        (written, unit), offset = epoch, 0
        notes.append(f"Times are unix {unit}.")
    else:
        text = column.astype(str).str.strip()
        parts, shape = _split(column, where)
        if shape == "year last":
            written, note = _day_first(parts, text, where, day_first)
            notes.append(note)
        else:
            written = _assemble(parts, text, where)
        offset = _offsets(parts, text, where)
        offset = 0 if offset is None and re.search("gmt|utc", str(column.name).lower()) else offset
    if zone is not None:
        if offset is not None and np.any(offset):
            raise BadFile(f"{where}: the times carry their own time zone; leave out zone={zone!r}")
        return _from_clock(written, zone, where), written, notes
    if offset is None:
        notes.append(
            "The times name no zone: taken as UTC; pass zone= when they are a broker's or an exchange's clock."
        )
    ahead = pd.to_timedelta(np.broadcast_to(0 if offset is None else offset, len(written)), unit="m")
    times = (written - ahead).tz_localize("UTC")
    return times, times.tz_localize(None), notes
