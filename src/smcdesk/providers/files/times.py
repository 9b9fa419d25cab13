"""What moment each row is: unix numbers, written dates in any order, and the zone they are on."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from smcdesk.providers.clocks import check_clock, clock_parts, clock_utc, named_clocks
from smcdesk.providers.files.errors import BadFile

_OFFSET = (
    r"(?P<offset>Z|(?:UTC|GMT)?\s*[+-]\d{2}:?\d{2}|(?:UTC|GMT)\s*[+-]\d{1,2}|(?:(?<=:\d{2})|(?<=\d{6}))[+-]\d{2}"
    r"|[A-Za-z]+(?:/[A-Za-z_]+)+|(?![AaPp][Mm])[A-Z]{2,5})"
)
_DATE = r"(?P<{0}>\d{{{1}}})[-./ ](?P<{2}>\d{{1,2}})[-./ ](?P<{3}>\d{{{4}}})"
_CLOCK = (
    r"(?:,?[ T]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    rf"\s*(?P<half>[AaPp][Mm])?)?\s*{_OFFSET}?"
)
_SHAPES = {
    "year first": _DATE.format("year", 4, "month", "day", "1,2") + _CLOCK,
    "year last": _DATE.format("a", "1,2", "b", "year", 4) + _CLOCK,
    "compact": r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"
    r"(?:[ T]*-?(?P<hour>\d{2})(?::?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,]?(?P<fraction>\d{3,9}))?)?)?"
    rf"\s*(?P<half>[AaPp][Mm])?\s*{_OFFSET}?)?",
}
_DIGITS = {8: "yyyyMMdd", 10: "yyyyMMddHH", 12: "yyyyMMddHHmm", 14: "yyyyMMddHHmmss", 17: "yyyyMMddHHmmssSSS"}
_EPOCHS = ((1e8, 4.2e9, 1_000_000_000, "seconds"), (1e11, 4.2e12, 1_000_000, "milliseconds"),
           (1e14, 4.2e15, 1_000, "microseconds"), (1e17, 4.2e18, 1, "nanoseconds"))  # fmt: skip
_END_OF_32_BITS = 2_147_483_648  # s: 2038, later than any candle
NO_ZONE = "no zone is named: taken as UTC"
WAY = "say which with --zone (zone= in Python)"


@dataclass(frozen=True, eq=False)
class Times:
    "The moment of each row, and why it is that moment."

    utc: pd.DatetimeIndex
    written: pd.DatetimeIndex  # naive, as the clock shows them
    zone: str  # that clock
    reason: str  # why that clock
    notes: list[str]


def _whole_numbers(column) -> pd.Series:
    "The column as text, whole numbers without their point."
    if pd.api.types.is_float_dtype(column) and (column % 1 == 0).all():
        column = column.astype("int64")
    return column.astype(str).str.strip().str.replace(r"^(\d+)\.0+$", r"\1", regex=True)


def _digits(column) -> tuple[pd.Series, str] | None:
    "The dates that are written as nothing but digits, year first, and how; None where they are no dates."
    text = _whole_numbers(column)
    width = len(text.iloc[0])
    if width not in _DIGITS or not (text.str.fullmatch(r"\d+") & (text.str.len() == width)).all():
        return None
    if width == 10 and not _valid(text) and _valid("20" + text):
        if (text.astype("int64") >= _END_OF_32_BITS).all():
            return "20" + text, "yyMMddHHmm"
        return None
    return (text, _DIGITS[width]) if _valid(text) else None


def _valid(text: pd.Series) -> bool:
    "Whether all digits are a year from 1900 to 2099 and a month, day, hour, minute and second there can be."
    bounds = ((0, 4, 1900, 2099), (4, 6, 1, 12), (6, 8, 1, 31), (8, 10, 0, 23), (10, 12, 0, 59), (12, 14, 0, 59))
    used = [(text.str[a:b], least, most) for a, b, least, most in bounds if a < len(text.iloc[0])]
    return all(pd.to_numeric(part).between(least, most).all() for part, least, most in used)


def _epoch(column) -> tuple[pd.DatetimeIndex, str] | None:
    "Naive UTC times of a column of unix numbers, and their unit; None when they are no such numbers."
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return None
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
    times = pd.DatetimeIndex((number * scale).astype("int64"))
    return times if number.dtype.kind in "iu" else times.round("us"), " and ".join(units)


def knows_zone(column: pd.Series) -> bool:
    "Whether the cells say what zone they are on: unix numbers, or an offset or zone behind each."
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return True
    if pd.api.types.is_datetime64_dtype(column) or not len(column) or column.isna().any():
        return False
    if _digits(column) is None and _epoch(column) is not None:
        return True
    first = str(column.iloc[0]).strip()
    found = next((m for pattern in _SHAPES.values() if (m := re.fullmatch(pattern, first))), None)
    return bool(found and found["offset"])


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
        i, j = int(a.gt(12).to_numpy().argmax()), int(b.gt(12).to_numpy().argmax())
        raise BadFile(f"{where}: {text.iloc[i]!r} has the day first and {text.iloc[j]!r} the month; expected one order")
    if day_first is not None and day_first not in fits:
        flag = "--day-first" if day_first else "--month-first"
        raise BadFile(f"{where}: day_first={day_first} ({flag}) would make a month above 12; leave it out")
    why = ""
    if day_first is None and len(fits) == 2:
        fits, why = _likelier_orders({order: _assemble(orders[order], text, where) for order in fits})
    order = day_first if day_first is not None else fits[0]
    if day_first is None and len(fits) == 2:
        raise BadFile(
            f"{where}: {text.iloc[0]!r} may have the day or the month first, and no row decides; "
            "pass day_first=True or day_first=False (--day-first or --month-first)"
        )
    return _assemble(orders[order], text, where), f"Dates read with the {'day' if order else 'month'} first{why}."


def _likelier_orders(times: dict[bool, pd.DatetimeIndex]) -> tuple[list[bool], str]:
    "The orders of day and month that make the rows rise, and of those the one whose days follow each other."
    rising = [k for k, t in times.items() if t.is_monotonic_increasing or t.is_monotonic_decreasing] or list(times)
    if len(rising) == 1:
        return rising, ", since only so do the rows follow each other in time"
    days = {}
    for order in rising:
        step = np.abs(np.diff(times[order].asi8)) / 8.64e13  # days
        intraday = step[(step > 0) & (step < 1)]
        turns = step[np.diff(times[order].normalize().asi8) != 0]
        if not len(intraday) or not len(turns):
            return rising, ""
        days[order] = float(np.median(turns))
    near = [order for order in rising if days[order] <= 5]
    if len(near) == 1 and days[not near[0]] >= 20:
        return near, f", since the other order would leave {days[not near[0]]:.0f} days between one day and the next"
    return rising, ""


def _behind(parts, text, where) -> tuple[np.ndarray | None, tuple[str, ...]]:
    "What is written behind the times: minutes ahead of UTC by row, or the clocks one name for all rows may mean."
    written = parts["offset"].replace("", np.nan)
    if written.isna().all():
        return None, ()
    if written.isna().any():
        i = int(written.isna().to_numpy().argmax())
        raise BadFile(f"{where}: {text.iloc[i]!r} (row {i}) has no time zone, other rows have one")
    minutes, clocks = {}, {}
    for name in written.unique():
        clocks[name] = named_clocks(name)
        if not clocks[name]:
            i = int(np.flatnonzero(written == name)[0])
            raise BadFile(f"{where}: {text.iloc[i]!r} (row {i}): {name!r} is no time zone that can be told; {WAY}")
        base, hours = clock_parts(clocks[name][0])
        minutes[name] = round(60 * hours) if base == "UTC" else None
    if len(clocks) == 1 and (None in minutes.values() or len(next(iter(clocks.values()))) > 1):
        return None, next(iter(clocks.values()))
    if None in minutes.values():
        few = " and ".join(map(repr, list(minutes)[:2]))
        raise BadFile(f"{where}: the times name several clocks ({few}); expected one")
    return written.map(minutes).to_numpy(np.int64), ()


def _clock_time(naive: pd.DatetimeIndex, zone: str, where: str) -> pd.DatetimeIndex:
    "UTC times of what a clock shows; times it never shows are refused."
    try:
        return clock_utc(naive, zone)
    except ValueError as error:
        reason = str(error).split(". ")[0].split(", try using")[0]
        raise BadFile(f"{where}: the times cannot be on the clock of {zone}: {reason}") from error


def _by_name(naive, clocks, zone, where, source) -> Times:
    "UTC times of a clock that is named; a name of several clocks is taken only where they agree, or `zone` decides."
    found = {}
    for clock in clocks:
        try:
            found[clock] = clock_utc(naive, clock)
        except ValueError:
            continue
    if not found:
        _clock_time(naive, clocks[0], where)
    if zone is not None:
        own = _clock_time(naive, zone, where)
        if not any(own.equals(times) for times in found.values()):
            raise BadFile(
                f"{where}: {source} says {' or '.join(clocks)}, zone={zone!r} (--zone) is another clock; leave it out"
            )
        return Times(own, naive, zone, f"{source}, as given", [])
    first, *others = found.items()
    if any(not first[1].equals(times) for _, times in others):
        raise BadFile(f"{where}: {source} may mean {' or '.join(found)}; {WAY}")
    note = [f"The times are on the clock of {first[0]}: {source} says so."] if first[0] != "UTC" else []
    return Times(first[1], naive, first[0], source, note)


def _parsed(column, where, day_first):
    "Naive times, minutes ahead of UTC or None, clocks that are named, what says so, and notes."
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        utc = pd.DatetimeIndex(column).tz_convert("UTC").tz_localize(None).as_unit("ns")
        return utc, 0, (), f"the column carries its zone, {column.dtype.tz}", []
    if pd.api.types.is_datetime64_dtype(column):
        return pd.DatetimeIndex(column).as_unit("ns"), None, (), "", []
    notes = []
    if (digits := _digits(column)) is not None:
        column, width = digits
        if width != "yyyyMMdd":
            notes.append(f"Times are digits: read as {width}.")
    elif (epoch := _epoch(column)) is not None:
        return epoch[0], 0, (), "unix numbers count from 1970 in UTC", [f"Times are unix {epoch[1]}."]
    text = column.astype(str).str.strip()
    parts, shape = _split(column, where)
    if shape == "year last":
        naive, note = _day_first(parts, text, where, day_first)
        notes.append(note)
    else:
        naive = _assemble(parts, text, where)
    ahead, clocks = _behind(parts, text, where)
    source = f"each time carries its zone, as {text.iloc[0]!r}" if ahead is not None or clocks else ""
    return naive, ahead, clocks, source, notes


def utc_times(
    column: pd.Series,  # the times as written
    where: str,
    zone: str | None,  # clock of times that name none
    day_first: bool | None,
    header: tuple[str, tuple[str, ...]] = ("", ()),  # the column's name, and the clocks it may mean
) -> Times:
    "The moments of the rows. Times that name their zone are never shifted by another; then `zone` is refused."
    if zone is not None:
        check_clock(zone)
    naive, ahead, clocks, source, notes = _parsed(column, where, day_first)
    name, in_header = header
    if ahead is None and not clocks and in_header:
        found = _by_name(naive, in_header, zone, where, f"the header {name!r}")
        return Times(found.utc, found.written, found.zone, found.reason, notes + found.notes)
    if zone is not None and source and (np.any(ahead) or clocks or clock_parts(zone) != ("UTC", 0)):
        raise BadFile(
            f"{where}: the times carry their own time zone ({source}) and are not shifted again; "
            f"leave out zone={zone!r} (--zone)"
        )
    if clocks:
        found = _by_name(naive, clocks, None, where, source)
        return Times(found.utc, found.written, found.zone, found.reason, notes + found.notes)
    if ahead is None and zone is not None:
        return Times(_clock_time(naive, zone, where), naive, zone, "as given", notes)
    if ahead is None:
        notes.append(
            "The times name no zone: taken as UTC; pass zone= (--zone) when they are a broker's or an exchange's clock."
        )
    minutes = pd.to_timedelta(np.broadcast_to(0 if ahead is None else ahead, len(naive)), unit="m")
    written = naive - minutes
    return Times(written.tz_localize("UTC"), written, "UTC", source or NO_ZONE, notes)
