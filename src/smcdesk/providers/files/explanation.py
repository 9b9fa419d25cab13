"""How a file was understood, step by step: what every column was taken for, and why; also of a file that is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from smcdesk.providers.files.columns import plain_name
from smcdesk.providers.files.errors import BadFile
from smcdesk.providers.files.headers import head_of
from smcdesk.providers.files.text import FEATHER, JSON, PARQUET, ending, read_text
from smclab.candles import BadBars, infer_timeframe

if TYPE_CHECKING:
    from smcdesk.providers.files.clock_columns import ClockColumns
    from smcdesk.providers.files.labels import Opens
    from smcdesk.providers.files.times import Times

SEPARATORS = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "bar"}

ROLES = {"adj_close": "adjusted later: only shows splits"}  # of columns that are no part of a candle
REASONS = {
    ("closetime", "timeclose", "endtime"): "the bars' close; the open is used",
    ("adj",): "adjusted later; the prices as traded are used",
    ("volumema", "sma", "ema", "vwap"): "an average, no price or volume of the bar",
    ("count", "trades", "transactions"): "how many trades, not how much was traded",
    ("quote", "usdt", "turnover", "amount"): "counted in the quote currency",
}


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
    market: str = ""  # the symbol and its profile
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
                self.roles[str(free[0])] = ROLES.get(role, role)
        for part in (str(times.name), *str(times.name).split(" and ")):
            if part in map(str, table.columns):
                self.roles[part] = "time"

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
            if self.bars is None and len(self.table):
                out.append(f"first row  {', '.join(map(str, self.table.iloc[0]))} (as written)")
        if self.market:
            out.append(f"symbol     {self.market}")
        if self.times is not None:
            out.append(f"zone       {self.times.zone} ({self.times.reason})")
        if self.label is not None:
            out.append(f"labels     {self.label.label} ({self.label.reason})")
        if self.bars is not None:
            out += self._candles()
        if self.notes:
            out += ["notes", *(f"  {note}" for note in self.notes)]
        if self.refused:
            out += [f"refused    {self._reached()}: {self.refused}"]
        return out

    def _reached(self) -> str:
        "How far the file was read."
        if self.bars is not None:
            return "the candles were read, no run is made of them"
        if self.times is not None:
            return "the columns and times were read, but no candles made"
        if self.roles:
            return "the columns were named, but no moments made of the times"
        return (
            "the cells were found, but not the columns of candles" if self.table is not None else "no cells were found"
        )

    def _taken(self):
        "Every column as written, and what it was taken for."
        clock, roles = self.clock, self.roles
        dropped = next((note for note in self.notes if note.startswith("Columns not used: ")), "")
        for name in map(str, self.table.columns):
            if name == self.symbol_column:
                yield name, f"symbol ({self.symbol})"
            elif name == self.flag:
                yield name, "whether the candle has closed"
            elif clock is not None and name in clock.ignored:
                yield name, f"ignored: {clock.ignored[name]}"
            elif clock is not None and name == clock.name:
                yield name, "time, the close" if clock.closes else "time"
            elif name in roles:
                yield name, roles[name]
            elif not roles:
                yield name, "not looked at: the file was refused before"
            elif self.bars is not None and name not in dropped[18:].rstrip(".").split(", "):
                yield (
                    name,
                    "part of the volume" if any("sum of" in note and name in note for note in self.notes) else "used",
                )
            else:
                yield name, f"ignored: {_why_ignored(name, roles)}"

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


def first_look(path: Path, symbol: str | None) -> list[str]:
    "What can be told of a text whose cells were refused: its columns' names, its separator and its first lines."
    if ending(path) in (*PARQUET, *FEATHER):
        return []
    out = []
    try:
        text, kind = read_text(path)
        out = ["first lines", *(f"  {line[:100]}" for line in text.split("\n", 3)[:3])]
        if kind not in JSON:
            head = head_of(text, path.name, symbol)
            named = "as written" if head.written else "by their order"
            out += [f"separator  {SEPARATORS.get(head.separator, repr(head.separator))}"]
            out += [f"columns    {', '.join(head.names)} ({named})"]
    except BadFile:
        pass
    return out


def _equal(column: pd.Series, wanted: np.ndarray) -> bool:
    "Whether a column holds these numbers."
    if len(column) != len(wanted) or pd.api.types.is_datetime64_any_dtype(column):
        return False
    values = pd.to_numeric(column, errors="coerce").to_numpy(float)
    return bool(np.array_equal(values, wanted, equal_nan=True))


def _why_ignored(name: str, roles: dict[str, str]) -> str:
    "Why a column is no part of the candles."
    plain = plain_name(name)
    for words, why in REASONS.items():
        if any(word in plain for word in words):
            return why
    if "vol" in plain:
        volume = next((column for column, role in roles.items() if role == "volume"), None)
        return f"not the traded volume{f', which is {volume}' if volume else ''}"
    return "no part of a candle"
