"""Which column of a file holds the times: the one that knows its zone, and what its name says about the clock."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from smcdesk.providers.clocks import named_clocks
from smcdesk.providers.files.columns import SPELLINGS, plain_name
from smcdesk.providers.files.errors import BadFile
from smcdesk.providers.files.times import knows_zone, utc_times

OPEN_TIMES = (
    "timeperiodstart", "periodstart",
    "opentime", "timeopen", "windowstart", "starttime", "timestart", "begintime", "begin", "start", "bartime",
    "barstart", "datetime", "dateandtime", "timestamp", "unixtimestamp", "epoch", "ts", "t", "time", "date", "unix",
    "unixtime",
    "gmttime", "localtime", "opentimestamp",
)  # fmt: skip
CLOSE_TIMES = (
    "closetime", "timeclose", "closetimestamp", "closedate", "endtime", "timeend", "windowend", "barend", "end",
    "timeperiodend", "periodend",
)  # fmt: skip
UNITS = ("s", "ms", "us", "ns", "sec", "seconds", "milliseconds", "microseconds", "nanoseconds", "unix", "epoch")


@dataclass(frozen=True, eq=False)
class ClockColumns:
    "A table with one column (or a pair of date and time) for the times, and what its name says."

    table: pd.DataFrame
    name: str  # as written in the file
    clocks: tuple[str, ...]  # the name may mean; empty where it names none
    closes: bool  # whether the name says that the times are closes
    ignored: dict[str, str]  # other columns of times -> why they are not used
    notes: list[str]


def header_clocks(name) -> tuple[str, tuple[str, ...]]:
    "A column's plain name without its clock, and the clocks that may be meant: Time (EET), time_utc, Gmt time."
    text = str(name).strip().strip("<>")
    if m := re.search(r"[\[(]([^\])]*)[\])]", text):
        clocks = named_clocks(m[1])
        if clocks or plain_name(m[1]) in UNITS:
            return plain_name(text.replace(m[0], " ")), clocks
    for word in re.split(r"[\s_]+", text):
        if len(word) > 1 and (clocks := named_clocks(word)):
            return plain_name(re.sub(rf"(?:^|[\s_]+){re.escape(word)}(?=$|[\s_])", " ", text)), clocks
    plain = plain_name(text)
    for word in ("utc", "gmt"):
        if plain != word and (plain.endswith(word) or plain.startswith(word)):
            return plain.removeprefix(word) if plain.startswith(word) else plain.removesuffix(word), ("UTC",)
    for unit in UNITS:
        if plain.endswith(unit) and plain.removesuffix(unit) in OPEN_TIMES:
            return (plain if plain in OPEN_TIMES else plain.removesuffix(unit)), ()
    return plain, ()


def clock_columns(table: pd.DataFrame, where: str) -> ClockColumns:
    "The one column of times that is used; where several are there, the one that knows its zone."
    found = [(k, *header_clocks(name)) for k, name in enumerate(table.columns)]
    opens = [row for row in found if row[1] in OPEN_TIMES or (not row[1] and row[2])]
    closes = [row for row in found if row[1] in CLOSE_TIMES]
    if not opens and not closes:
        return ClockColumns(table, "", (), False, {}, [])
    if not opens:
        return _renamed(table, closes[0], True, {}, [])
    place = {name: k for k, name in enumerate((*SPELLINGS["time"], *OPEN_TIMES, ""))}
    opens.sort(key=lambda row: place.get(row[1], len(place)))
    informed = [row for row in opens if row[2] or knows_zone(table.iloc[:, row[0]])]
    if not informed or len(opens) == 1 or _pair(opens, informed):
        first = next((row for row in opens if row[2]), opens[0])
        return _renamed(table, first, False, {}, [])
    used = next((row for row in informed if knows_zone(table.iloc[:, row[0]])), informed[0])
    ignored, notes = {}, []
    for row in opens:
        if row[0] != used[0]:
            other, one = str(table.columns[row[0]]), str(table.columns[used[0]])
            apart = _apart(table.iloc[:, used[0]], used[2], table.iloc[:, row[0]], row[2], where)
            informs = row in informed
            ignored[other] = f"{one} is used" + ("" if informs else ", which knows its zone") + apart
            if not informs or apart:
                notes.append(f"The times are those of {one}, not of {other}: {ignored[other]}.")
    keep = np.ones(len(table.columns), bool)
    keep[[row[0] for row in opens if row[0] != used[0]]] = False
    moved = (int(keep[: used[0]].sum()), *used[1:])
    return _renamed(table.loc[:, keep], moved, False, ignored, notes)


def _pair(opens, informed) -> bool:
    "Whether the columns are a date and a time of day, of which one names the clock."
    return {row[1] for row in opens} == {"date", "time"} and len(opens) == 2 and all(row[2] for row in informed)


def _renamed(table, row, closes, ignored, notes) -> ClockColumns:
    "The table with the column under a name that is recognized."
    k, base, clocks = row
    name = table.columns[k]
    if plain_name(name) not in SPELLINGS["time"]:
        names = list(table.columns)
        names[k] = base if base in SPELLINGS["time"] and base not in map(plain_name, table.columns) else "time"
        table = table.set_axis(names, axis=1)
    return ClockColumns(table, str(name), clocks, closes, ignored, notes)


def _apart(used, clocks, other, other_clocks, where) -> str:
    "How far another column of times stands from the one that is used, where the difference is one and the same."
    try:
        one = utc_times(used.reset_index(drop=True), where, None, None, ("", clocks)).utc
        two = utc_times(other.reset_index(drop=True), where, None, None, ("", other_clocks)).utc
    except (BadFile, ValueError, TypeError):
        return ""
    gaps = np.unique((two - one).asi8)
    if len(gaps) != 1 or not gaps[0]:
        return ""
    return f" ({other.name} stands {gaps[0] / 3.6e12:+g} h from it)"
