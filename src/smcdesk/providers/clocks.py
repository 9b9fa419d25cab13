"""The clocks candle files are on, and how a market's weekly open and close tell them apart."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from smclab.candles import BadConfig, nearest, timeframe_ns

# The clocks candle files are seen in. "America/New_York+7" is many brokers' server clock: midnight at the FX close.
CLOCKS = (
    "UTC", "America/New_York+7", "Europe/Athens", "America/New_York", "Europe/London", "Europe/Berlin",
    "UTC+2", "UTC+3", "UTC-5", "UTC-4", "Asia/Tokyo",
)  # fmt: skip


# The regular hours of exchanges on their own clocks, minutes of the day; and New York's with early and late trading.
SESSIONS = {
    "XNYS": ("America/New_York", 9 * 60 + 30, 16 * 60),
    "XNYS with extended hours": ("America/New_York", 4 * 60, 20 * 60),
    "XTSE": ("America/Toronto", 9 * 60 + 30, 16 * 60), "XLON": ("Europe/London", 8 * 60, 16 * 60 + 30),
    "XETR": ("Europe/Berlin", 9 * 60, 17 * 60 + 30), "XPAR": ("Europe/Paris", 9 * 60, 17 * 60 + 30),
    "XSWX": ("Europe/Zurich", 9 * 60, 17 * 60 + 30), "XBOM": ("Asia/Kolkata", 9 * 60 + 15, 15 * 60 + 30),
    "XHKG": ("Asia/Hong_Kong", 9 * 60 + 30, 16 * 60), "XTKS": ("Asia/Tokyo", 9 * 60, 15 * 60 + 30),
    "XSHG": ("Asia/Shanghai", 9 * 60 + 30, 15 * 60), "XASX": ("Australia/Sydney", 10 * 60, 16 * 60),
}  # fmt: skip
# What letters behind a time or in a column's name mean: every clock it may be.
ABBREVIATIONS = {
    "utc": ("UTC",), "gmt": ("UTC",), "z": ("UTC",), "zulu": ("UTC",),
    "eet": ("Europe/Athens",), "cet": ("Europe/Berlin",), "wet": ("Europe/Lisbon",),
    "eest": ("UTC+3",), "cest": ("UTC+2",), "edt": ("UTC-4",), "cdt": ("UTC-5",), "mdt": ("UTC-6",), "pdt": ("UTC-7",),
    "est": ("UTC-5", "America/New_York"), "cst": ("UTC-6", "America/Chicago", "UTC+8"),
    "mst": ("UTC-7", "America/Denver"), "pst": ("UTC-8", "America/Los_Angeles"),
    "et": ("America/New_York",), "ct": ("America/Chicago",), "eastern": ("America/New_York",),
    "newyork": ("America/New_York",), "ny": ("America/New_York",), "chicago": ("America/Chicago",),
    "bst": ("UTC+1", "Europe/London"), "london": ("Europe/London",), "jst": ("Asia/Tokyo",), "hkt": ("Asia/Hong_Kong",),
    "sgt": ("Asia/Singapore",), "ist": ("Asia/Kolkata", "Asia/Jerusalem", "Europe/Dublin"), "msk": ("Europe/Moscow",),
    "aest": ("UTC+10", "Australia/Sydney"), "aedt": ("UTC+11",),
}  # fmt: skip


def clock_parts(zone: str) -> tuple[str, float]:
    "IANA name and hours added: ('America/New_York', 7) for America/New_York+7, ('UTC', -5) for UTC-5 or -05:00."
    text = str(zone).strip()
    m = re.fullmatch(r"(?!Etc/)(.*?)([+-])(\d{1,2})(?::?(\d\d))?", text)
    if m is None:
        return ("UTC" if text.lower() in ("z", "utc", "gmt") else text), 0
    hours = (int(m[3]) + int(m[4] or 0) / 60) * (-1 if m[2] == "-" else 1)
    name = m[1].strip()
    return ("UTC" if name.lower() in ("", "utc", "gmt") else name), hours


def check_clock(zone: str) -> None:
    "Refuse a name that is no clock, with the nearest."
    name, hours = clock_parts(zone)
    try:
        pd.Timestamp(0, tz=name)
        right = abs(hours) <= 14
    except Exception:  # zoneinfo raises several kinds, by platform
        right = False
    if not right:
        raise BadConfig(
            f"unknown time zone {zone!r}: expected an IANA name such as Europe/Athens, a fixed offset such as UTC-5, "
            f"or a name with hours added such as {CLOCKS[1]}{nearest(str(zone), CLOCKS)}"
        )


def clock_utc(
    wall: pd.DatetimeIndex,  # naive times as a clock shows them
    zone: str,  # IANA name, fixed offset, or a name with hours added
) -> pd.DatetimeIndex:  # UTC; ValueError where the clock never shows such a time
    "The moments at which a clock shows these times."
    name, hours = clock_parts(zone)
    local = wall - pd.Timedelta(minutes=round(hours * 60))
    falling = len(local) > 1 and local[0] > local[-1]  # the repeated hour is told apart in rising order
    times = (local[::-1] if falling else local).tz_localize(name, ambiguous="infer").tz_convert("UTC")
    return times[::-1] if falling else times


def named_clocks(text: str) -> tuple[str, ...]:
    "Every clock that letters such as UTC, EET, UTC+2 or America/New_York may mean; none where they are no clock."
    text = text.strip()
    if found := ABBREVIATIONS.get(re.sub(r"[^a-z]", "", text.lower()) if not re.search(r"\d|/", text) else ""):
        return found
    if re.fullmatch(r"(?:(?:utc|gmt)\s*)?[+-]\d{1,2}(?::?\d\d)?", text.lower()):
        hours = clock_parts(text.replace(" ", ""))[1]
        return (text.replace(" ", ""),) if abs(hours) <= 14 else ()
    if re.fullmatch(r"[A-Za-z]+(?:/[A-Za-z_+\-0-9]+)+", text):
        try:
            check_clock(text)
        except BadConfig:
            return ()
        return (text,)
    return ()


def weekly_clock(
    times: pd.DatetimeIndex,  # (n,) naive bar labels, rising, digits as written in the file
    step_ns: int,  # length of a bar, ns, up to one hour
    *,
    also: tuple[str, ...] = (),  # further clocks to try
) -> pd.DataFrame:  # one row per clock and label: clock, label (open, close), weeks, fits; best first
    """In how many weeks the market opens and closes when FX and metals do, by each clock the labels might be on.

    They open on Sunday at 17:00 (metals at 18:00) and close on Friday at 17:00 New York. Weeks without a weekend of
    about two days, or with a holiday beside it, do not count or do not fit. The weeks between the American and the
    European change of clocks tell New York's clock from Europe's. Labels by close on one clock are labels by open on
    a clock an hour ahead; where both are in the list, the more usual clock stands first.
    """
    labels = pd.DatetimeIndex(times).as_unit("ns")
    hole = np.diff(labels.asi8) / 3.6e12
    ends = np.flatnonzero((hole >= 40) & (hole <= 56)) if step_ns <= timeframe_ns("1h") else np.zeros(0, int)
    friday, sunday = labels[ends] + pd.Timedelta(step_ns), labels[ends + 1]
    rows = []
    step, edges = pd.Timedelta(step_ns), 2 * len(ends)
    walls = friday.append([sunday, friday - step, sunday - step])  # converted once for all
    for clock in dict.fromkeys((*also, *CLOCKS)):
        hours = _new_york_hours(walls, clock)
        for label, own in (("open", hours[:edges]), ("close", hours[edges:])):
            shut, start = own[: len(ends)], own[len(ends) :]
            fits = (shut > 4 * 24 + 16) & (shut <= 4 * 24 + 17) & (start >= 6 * 24 + 17) & (start < 6 * 24 + 18.5)
            rows.append((clock, label, len(ends), int(fits.sum())))
    table = pd.DataFrame(rows, columns=["clock", "label", "weeks", "fits"])
    return table.sort_values("fits", ascending=False, kind="stable").reset_index(drop=True)


def _new_york_hours(wall: pd.DatetimeIndex, clock: str) -> np.ndarray:
    "Hours since Monday, New York time, of wall-clock times of `clock`."
    name, hours = clock_parts(clock)
    wall = wall - pd.Timedelta(minutes=round(hours * 60))
    utc = wall.tz_localize(name, ambiguous=np.ones(len(wall), bool), nonexistent="shift_forward")
    local = utc.tz_convert("America/New_York")
    return np.asarray(local.day_of_week * 24 + local.hour + local.minute / 60)
