"""Candles from a file: checked bars, and a note for each assumption.

A note is a sentence: which column was dropped, how a date was read, what clock the times were taken to be. A file that
cannot be read without guessing is refused in one sentence (`BadFile`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from smcdesk.providers.clocks import weekly_clock
from smcdesk.providers.files.columns import columns_of
from smcdesk.providers.files.errors import BadFile
from smcdesk.providers.files.symbols import symbol_from
from smcdesk.providers.files.tables import cells
from smcdesk.providers.files.text import existing
from smcdesk.providers.files.times import utc_times
from smclab.candles import BadBars, check, timeframe_ns


def read_file(
    path: str | Path,  # .csv .txt .tsv .json (also .gz), .parquet, .feather, or a .zip of one text
    *,
    symbol: str | None = None,  # for messages, and to choose in a file of many; None: from the file's name
    timeframe: str | None = None,  # checked against the steps; None: not checked
    zone: str | None = None,  # clock of times that name no zone: IANA, or America/New_York+7; None: UTC
    day_first: bool | None = None,  # for 01.02.2017; None: decided by the whole column, else refused
    decimal: str | None = None,  # "." or ",", for 94,000; None: decided by all numbers of the file, else refused
) -> tuple[pd.DataFrame, tuple[str, ...]]:  # checked bars, and a sentence for each assumption
    "The candles of a file, checked, and every assumption made on the way."
    path = Path(path).expanduser()
    if timeframe is not None:
        timeframe_ns(timeframe)
    where = existing(path).name
    table, notes = cells(path, symbol, decimal)
    column, numbers, more = columns_of(table, where, symbol, symbol_from(path))
    notes += more
    if not len(numbers):
        raise BadFile(f"{where} holds no candles")
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise BadFile(f"{where}: row {missing[0]} has no time")
    times, written, more = utc_times(column, where, zone, day_first)
    bars = numbers.set_axis(times, axis=0)
    if len(bars) > 1 and times.is_monotonic_decreasing and times.is_unique:
        bars, written = bars[::-1], written[::-1]
        more.append("Rows stood newest first: turned round.")
    try:
        bars = check(bars, symbol=symbol or symbol_from(path) or "?", timeframe=timeframe)
    except BadBars as error:
        raise BadFile(f"{where}: {error}") from error
    if len(bars) > 1:
        step = int(pd.Series(np.diff(bars.index.asi8)).mode().iloc[0])
        more += _clock_note(written, timeframe_ns(timeframe) if timeframe else step, zone or "UTC")
    return bars, tuple(notes + more)


def _clock_note(written: pd.DatetimeIndex, step_ns: int, zone: str) -> list[str]:
    "A note on whether the weekly open and close fit the clock; none where the market has no such week."
    table = weekly_clock(written, step_ns, also=(zone,))
    best, weeks = table.iloc[0], int(table["weeks"].iloc[0])
    if weeks < 4 or best["fits"] < weeks / 2:
        return []
    own = table[(table["clock"] == zone) & (table["label"] == "open")]["fits"].iloc[0]
    fit = f"weekly open and close fit {zone} in {own} of {weeks} weeks"
    if best["fits"] - own < 2:
        return [f"The clock is borne out: {fit}."]
    label = "" if best["label"] == "open" else " with bars named by their close"
    return [
        f"The clock is in doubt: {fit}, {best['clock']}{label} in {best['fits']}; pass zone= when that is the clock."
    ]
