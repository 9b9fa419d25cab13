"""How a file was understood, step by step: what every column was taken for, and why; also of a file that is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from smcdesk.providers.files.columns import plain_name
from smclab.candles import BadBars, infer_timeframe

if TYPE_CHECKING:
    from smcdesk.providers.files.clock_columns import ClockColumns
    from smcdesk.providers.files.labels import Opens
    from smcdesk.providers.files.times import Times

SEPARATORS = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "bar"}


@dataclass(eq=False)
class Explanation:
    "What was found in a file so far; the reader fills it, and stops where the file is refused."

    table: pd.DataFrame | None = None  # the cells under the columns' names as written
    requested: str | None = None
    symbol_column: str | None = None
    symbol: str | None = None  # as the column writes it
    flag: str | None = None  # the column that says which candles have closed
    clock: ClockColumns | None = None
    roles: dict[str, str] = field(default_factory=dict)  # column as written -> what it was taken for
    times: Times | None = None
    label: Opens | None = None
    bars: pd.DataFrame | None = None
    notes: list[str] = field(default_factory=list)
    refused: str = ""  # the sentence of the refusal

    def begin(self, table: pd.DataFrame, symbol: str | None) -> None:
        "The cells were found."
        self.table, self.requested = table, symbol

    def columns(self, table: pd.DataFrame, numbers: pd.DataFrame, times: pd.Series) -> None:
        "The columns were named: each of the numbers is the column that holds the same values."
        for role in numbers.columns:
            wanted = pd.to_numeric(numbers[role], errors="coerce").to_numpy(float)
            same = [name for name in table.columns if _equal(table[name], wanted)]
            nearest = sorted(
                same, key=lambda name: plain_name(name) != role and not plain_name(name).startswith(role[0])
            )
            free = [name for name in nearest if str(name) not in self.roles] or nearest[:0]
            if free and not (role == "volume" and not wanted.any()):
                self.roles[str(free[0])] = role
        for name in table.columns:
            if str(name) == str(times.name) or (times.name == "date and time" and plain_name(name) in ("date", "time")):
                self.roles[str(name)] = "time"

    def end(self, bars: pd.DataFrame, notes: list[str]) -> None:
        "The candles were checked."
        self.bars, self.notes = bars, list(notes)

    def lines(self) -> list[str]:
        "What was understood, a line each: columns, separator, zone, labels, timeframe, first rows in UTC, notes."
        out = []
        if self.table is not None:
            out += ["columns", *(f"  {name}: {what}" for name, what in self._taken())]
            marks = self.table.attrs
            if "separator" in marks:
                out.append(f"separator  {SEPARATORS.get(marks['separator'], repr(marks['separator']))}")
            if "decimal" in marks:
                out.append(f"decimals   {'comma' if marks['decimal'] == ',' else 'point'}")
        if self.times is not None:
            out.append(f"zone       {self.times.zone} ({self.times.reason})")
        if self.label is not None:
            out.append(f"labels     {self.label.label} ({self.label.reason})")
        if self.bars is not None:
            out += self._candles()
        if self.notes:
            out += ["notes", *(f"  {note}" for note in self.notes)]
        if self.refused:
            out += [f"refused    {self.refused}"]
        return out

    def _taken(self):
        "Every column as written, and what it was taken for."
        clock = self.clock
        for name in map(str, self.table.columns):
            if name == self.symbol_column:
                yield name, f"symbol ({self.symbol})"
            elif name == self.flag:
                yield name, "whether the candle has closed"
            elif clock is not None and name in clock.ignored:
                yield name, f"ignored: {clock.ignored[name]}"
            elif clock is not None and name == clock.name:
                yield name, "time, the close" if clock.closes else "time"
            elif name in self.roles:
                yield name, self.roles[name]
            elif not self.roles:
                yield name, "not looked at: the file was refused before"
            else:
                yield name, "ignored: no part of a candle"

    def _candles(self):
        "Timeframe, how many candles, and the first three."
        bars = self.bars
        try:
            timeframe = infer_timeframe(bars) if len(bars) > 1 else "unknown, one candle"
        except BadBars as error:
            timeframe = f"unknown ({error})"
        yield f"timeframe  {timeframe}"
        yield f"candles    {len(bars):,}, {bars.index[0]:%Y-%m-%d %H:%M} to {bars.index[-1]:%Y-%m-%d %H:%M} UTC"
        yield "first rows (open time, UTC)"
        for time, row in bars.head(3).iterrows():
            numbers = ", ".join(f"{name} {row[name]:.10g}" for name in ("open", "high", "low", "close", "volume"))
            yield f"  {time:%Y-%m-%d %H:%M:%S}  {numbers}"


def _equal(column: pd.Series, wanted: np.ndarray) -> bool:
    "Whether a column holds these numbers."
    if len(column) != len(wanted) or pd.api.types.is_datetime64_any_dtype(column):
        return False
    values = pd.to_numeric(column, errors="coerce").to_numpy(float)
    return bool(np.array_equal(values, wanted, equal_nan=True))
