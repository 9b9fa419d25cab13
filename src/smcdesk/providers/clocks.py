"""The clocks candle files are on, and how a market's weekly open and close tell them apart."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from smclab.candles import timeframe_ns

# The clocks candle files are seen in. "America/New_York+7" is many brokers' server clock: midnight at the FX close.
CLOCKS = (
    "UTC", "America/New_York+7", "Europe/Athens", "America/New_York", "Europe/London", "Europe/Berlin",
    "UTC+2", "UTC+3", "UTC-5", "UTC-4", "Asia/Tokyo",
)  # fmt: skip


def clock_parts(zone: str) -> tuple[str, int]:
    "IANA name and hours added: ('America/New_York', 7) for America/New_York+7."
    m = re.fullmatch(r"(?!Etc/)(.+?)([+-]\d{1,2})", str(zone))
    return (m[1], int(m[2])) if m else (zone, 0)


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
    wall = wall - pd.Timedelta(hours=hours)
    utc = wall.tz_localize(name, ambiguous=np.ones(len(wall), bool), nonexistent="shift_forward")
    local = utc.tz_convert("America/New_York")
    return np.asarray(local.day_of_week * 24 + local.hour + local.minute / 60)
