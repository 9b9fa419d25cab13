"""Candles from a file: checked bars, and a note for each assumption.

A note is a sentence: which column was dropped, how a date was read, what clock the times were taken to be. A file that
cannot be read without guessing is refused in one sentence (`BadFile`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from smcdesk.providers.clocks import weekly_clock
from smcdesk.providers.files.budget import DEFAULT, Budget
from smcdesk.providers.files.clock_columns import clock_columns
from smcdesk.providers.files.closed_rows import closed_rows
from smcdesk.providers.files.columns import columns_of
from smcdesk.providers.files.errors import BadFile
from smcdesk.providers.files.explanation import Explanation
from smcdesk.providers.files.labels import LABELS, open_times, session_clock
from smcdesk.providers.files.symbols import one_symbol, symbol_from
from smcdesk.providers.files.tables import cells
from smcdesk.providers.files.text import existing
from smcdesk.providers.files.times import NO_ZONE, Times, utc_times
from smclab.candles import BadBars, check, timeframe_ns


def read_file(
    path: str | Path,  # .csv .txt .tsv .json (also .gz), .parquet, .feather, or a .zip of one text
    *,
    symbol: str | None = None,  # for messages, and to choose in a file of many; None: from the file's name
    timeframe: str | None = None,  # checked against the steps; None: not checked
    zone: str | None = None,  # clock of times that name no zone: IANA, UTC-5, America/New_York+7; None: UTC
    day_first: bool | None = None,  # for 01.02.2017; None: decided by the whole column, else refused
    decimal: str | None = None,  # "." or ",", for 94,000; None: decided by all numbers of the file, else refused
    label: str | None = None,  # open or close: what the times name; None: by the labels themselves
    also: str | None = None,  # another name a symbol column may give the symbol: its instrument's
    budget: Budget = DEFAULT,  # of memory: a file that needs more is refused before it is decoded
    steps: Explanation | None = None,  # filled on the way, as far as the file is understood
) -> tuple[pd.DataFrame, tuple[str, ...]]:  # checked bars, and a sentence for each assumption
    "The candles of a file, checked, and every assumption made on the way."
    path, steps = Path(path).expanduser(), steps or Explanation()
    if timeframe is not None:
        timeframe_ns(timeframe)
    where = existing(path).name
    table, found = cells(path, symbol, decimal, budget)
    steps.begin(table, symbol)
    table, steps.symbol_column, steps.symbol, more = one_symbol(table, where, symbol, also)
    table, steps.flag, closed = closed_rows(table, where)
    clock = clock_columns(table, where)
    steps.clock = clock
    column, numbers, notes = columns_of(clock.table, where, symbol, steps.symbol or symbol_from(path))
    steps.columns(clock.table, numbers, column)
    notes = [*found, *more, *closed, *clock.notes, *notes]
    if not len(numbers):
        raise BadFile(f"{where} holds no candles")
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise BadFile(f"{where}: row {missing[0]} has no time")
    moments = utc_times(column, where, zone, day_first, (clock.name, clock.clocks))
    steps.times = moments
    times, written = moments.utc, moments.written
    bars = numbers.set_axis(times, axis=0)
    notes += moments.notes
    if len(bars) > 1 and times.is_monotonic_decreasing and times.is_unique:
        bars, written = bars[::-1], written[::-1]
        notes.append("Rows stood newest first: turned round.")
    bars, written, more = _by_open(bars, written, timeframe, where, clock.closes, label, steps)
    try:
        bars = check(bars, symbol=symbol or symbol_from(path) or "?", timeframe=timeframe)
    except BadBars as error:
        raise BadFile(f"{where}: {error}") from error
    notes += more
    if len(bars) > 1:
        step = timeframe_ns(timeframe) if timeframe else _step(bars.index)
        notes += _clock_note(written, step, moments, zone)
    steps.end(bars, notes)
    return bars, tuple(notes)


def _step(times: pd.DatetimeIndex) -> int:
    "The usual step, ns."
    return int(pd.Series(np.diff(times.asi8)).mode().iloc[0])


def _by_open(bars, written, timeframe, where, closes, label, steps):
    "The bars named by their open, their labels likewise, and the notes; bars out of order are left to the checks."
    times = bars.index
    if len(times) < 2 or not times.is_monotonic_increasing or not times.is_unique:
        if label == "close" or closes:
            raise BadFile(f"{where}: the labels are closes, but they are not two or more that rise: no step to go back")
        return bars, written, []
    opens = open_times(times, timeframe_ns(timeframe) if timeframe else _step(times), where, closes=closes, label=label)
    steps.label = opens
    return bars.set_axis(opens.times, axis=0), written + (opens.times - times), opens.notes


def _clock_note(written: pd.DatetimeIndex, step_ns: int, moments: Times, given: str | None) -> list[str]:
    "A note on whether the weekly open and close fit the clock; none where the market has no such week."
    zone, own = moments.zone, given is None and moments.reason != NO_ZONE
    if moments.reason == NO_ZONE and (clock := session_clock(written, step_ns)) not in (None, "UTC"):
        return [
            f"The clock is in doubt: the days keep the exchange's hours on {clock}; pass zone= (--zone) when it is."
        ]
    table = weekly_clock(written, step_ns, also=(zone,))
    best, weeks = table.iloc[0], int(table["weeks"].iloc[0])
    if weeks < 4 or best["fits"] < weeks / 2:
        return []
    fits = {label: table[(table["clock"] == zone) & (table["label"] == label)]["fits"].iloc[0] for label in LABELS}
    fit = f"weekly open and close fit {zone} in {fits['open']} of {weeks} weeks"
    if best["fits"] - fits["open"] < 2:
        return [f"The clock is borne out: {fit}."]
    if own and fits["close"] == best["fits"]:
        return [
            f"The labels are in doubt: {fit}, with bars named by their close in {fits['close']}; pass label='close' "
            "(--label close) when they are closes."
        ]
    label = "" if best["label"] == "open" else " with bars named by their close"
    return [
        f"The clock is in doubt: {fit}, {best['clock']}{label} in {best['fits']}; "
        "pass zone= (--zone) when that is the clock."
    ]
