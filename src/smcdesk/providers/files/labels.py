"""Whether a file names its bars by their open or by their close, and whether the labels stand on their grid.

Bars are named by their open here. Labels that end in :59.999, a column that is called close_time, and the hours of an
exchange (no bar of New York's session opens at 16:00) show that a file names them by their close.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np
import pandas as pd

from smcdesk.providers.clocks import SESSIONS
from smcdesk.providers.files.errors import BadFile
from smclab.candles import BadConfig

LABELS = ("open", "close")
MINUTE_NS, HOUR_NS = 60_000_000_000, 3_600_000_000_000
SHORT_OF_NS = (1, 1_000, 1_000_000, 1_000_000_000)  # how much before the next bar a closing label stands
FEW = 0.02  # share of days or bars that may be otherwise


@dataclass(frozen=True, eq=False)
class Opens:
    "The open times of bars, and why they are those."

    times: pd.DatetimeIndex
    label: str  # what the file's labels are: open, close
    reason: str
    notes: list[str]


def open_times(
    labels: pd.DatetimeIndex,  # (n,) UTC, rising
    step_ns: int,  # length of a bar
    where: str,
    *,
    closes: bool = False,  # whether the column's name says that they are closes
    label: str | None = None,  # open or close, where the user says; None: by the labels themselves
) -> Opens:
    "The open time of every bar, by the evidence in the labels, and a note where they were moved."
    if label is not None and label not in LABELS:
        raise BadConfig(f"unknown label {label!r}: expected open or close")
    short = _short_of(labels.asi8, step_ns)
    if label == "open":
        return Opens(labels, "open", "as given", _off_grid(labels, step_ns))
    if short:
        example = f"{labels[0]:%H:%M:%S.%f}"[:-3]
        times = labels + pd.Timedelta(short - step_ns, "ns")
        reason = f"they end just before the next bar, as {example}"
    elif label == "close" or closes:
        times, reason = _moved(labels, step_ns), "as given" if label else "the column's name says so"
    elif session := _session_by_close(labels, step_ns):
        times, reason = _moved(labels, step_ns), f"{session} has bars that close, and none that opens, at these times"
    else:
        return Opens(labels, "open", "nothing says that they are closes", _off_grid(labels, step_ns))
    if not times.is_unique:
        raise BadFile(f"{where}: the labels are closes ({reason}), but moved to the opens two bars are the same")
    note = (
        f"The file names bars by their close ({reason}): moved to the open, the first from "
        f"{labels[0]:%Y-%m-%d %H:%M:%S} to {times[0]:%H:%M:%S} UTC."
    )
    return Opens(times, "close", reason, [note, *_off_grid(times, step_ns)])


def _short_of(stamps: np.ndarray, step_ns: int) -> int:
    "How much, ns, all labels stand before the end of a bar; 0 where they do not."
    base = min(step_ns, MINUTE_NS)
    for short in SHORT_OF_NS:
        if short < base and not ((stamps + short) % base).any():
            return short
    return 0


def _moved(labels: pd.DatetimeIndex, step_ns: int) -> pd.DatetimeIndex:
    "Opens of bars named by their close; a day's last bar may be shorter than a step."
    stamps = labels.asi8
    opens = stamps - step_ns
    opens[1:] = np.maximum(opens[1:], stamps[:-1])
    return pd.DatetimeIndex(opens, tz="UTC").as_unit("ns")


def _session_by_close(labels: pd.DatetimeIndex, step_ns: int) -> str | None:
    "The exchange whose day the labels are the closes of; none where they may be opens of an exchange."
    if step_ns > HOUR_NS or step_ns % MINUTE_NS or len(labels) < 2:
        return None
    by_close = None
    for name, (first, last) in _days(labels).items():
        zone, opens, closes = SESSIONS[name]
        step = step_ns // MINUTE_NS
        final = opens + (closes - opens - 1) // step * step  # the last bar's open
        if (first == opens).mean() >= 0.5 and ((last >= final) & (last < closes)).mean() >= 0.5:
            return None
        inside = (first < opens + step).mean() <= FEW and (last > closes).mean() <= FEW
        if inside and (first == opens + step).mean() >= 0.6 and (last == closes).mean() >= 0.6:
            by_close = (
                by_close or f"{name} ({zone} {opens // 60:02}:{opens % 60:02}-{closes // 60:02}:{closes % 60:02})"
            )
    return by_close


def _days(labels: pd.DatetimeIndex) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    "The first and last minute of each day's labels, on each exchange's clock."
    found, walls = {}, {}
    for name, (zone, _, _) in SESSIONS.items():
        if zone not in walls:
            local = labels.tz_convert(zone).tz_localize(None)
            minute = pd.Series(local.hour * 60 + local.minute).groupby(local.normalize().asi8)
            walls[zone] = minute.min().to_numpy(), minute.max().to_numpy()
        found[name] = walls[zone]
    return found


def session_clock(
    wall: pd.DatetimeIndex,  # (n,) naive labels
    step_ns: int,
) -> str | None:  # such as America/New_York
    "The clock of the exchange whose regular hours naive labels keep exactly, by open or by close."
    if step_ns > HOUR_NS or step_ns % MINUTE_NS or len(wall) < 2:
        return None
    step = step_ns // MINUTE_NS
    minute = pd.Series(wall.hour * 60 + wall.minute).groupby(wall.normalize().asi8)
    first, last = minute.min().to_numpy(), minute.max().to_numpy()
    for zone, opens, closes in SESSIONS.values():
        for shift in (0, step):
            final = opens + (closes - opens - 1) // step * step + shift if not shift else closes
            if (first == opens + shift).mean() >= 0.8 and (last == final).mean() >= 0.8:
                return zone
    return None


def _off_grid(times: pd.DatetimeIndex, step_ns: int) -> list[str]:
    "A note on bars that open beside the grid: that of the quarter hours, or the one most bars stand on."
    base = gcd(step_ns, 15 * MINUTE_NS)
    off = times.asi8 % base != 0
    if not off.any() and step_ns <= HOUR_NS and len(times) > 2:
        phase = times.asi8 % step_ns
        values, counts = np.unique(phase, return_counts=True)
        off = phase != values[counts.argmax()] if counts.max() >= 0.9 * len(times) else off
    if not off.any():
        return []
    first = f"{times[off][0]:%Y-%m-%d %H:%M:%S.%f}".rstrip("0").rstrip(".")
    minutes = step_ns / MINUTE_NS
    return [
        f"Off the grid: {off.sum():,} of {len(times):,} labels are no open of a bar of {minutes:g} min, the first "
        f"{first} UTC; taken as they stand."
    ]
