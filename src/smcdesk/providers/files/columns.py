"""Which column of a file is which: times, prices, volume and spread, under smclab's names."""

from __future__ import annotations

import re

import pandas as pd

from smcdesk.providers.files.errors import BadFile
from smclab.candles import nearest

# A spelling is what is left of a column's name without case, brackets, spaces and punctuation; the first found is used.
SPELLINGS = {
    "time": ("opentime", "datetime", "timestamp", "ts", "gmttime", "localtime", "time", "date", "unix", "unixtime"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v", "realvolume"),
    "tick_volume": ("tickvol", "tickvolume"),
    "spread": ("spread",),
    "symbol": ("symbol", "ticker", "pair"),
}


def plain_name(name) -> str:
    "A column's name without case, brackets, spaces and punctuation."
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def columns_of(table: pd.DataFrame, where: str, symbol: str | None) -> tuple[pd.Series, pd.DataFrame, list[str]]:
    "The times as written, the numbers under smclab's names, and what was dropped."
    names: dict[str, list] = {}
    for column in table.columns:
        names.setdefault(plain_name(column), []).append(column)
    found = {word: next((names[s][0] for s in spellings if s in names), None) for word, spellings in SPELLINGS.items()}
    found["volume"] = found["volume"] or next((names[s][0] for s in names if s.startswith("volume")), None)
    found = {word: column for word, column in found.items() if column is not None}
    for word in ("time", "open", "high", "low", "close"):
        if word not in found:
            near = nearest(word, [c for c in table.columns if c not in found.values()])
            raise BadFile(f"{where}: no column for {word!r}; found {', '.join(map(str, table.columns))}{near}")
    notes, used = [], set(found.values())
    if "symbol" in found:
        table = _one_symbol(table, found["symbol"], where, symbol)
    parts = {word: table[found[word]] for word in ("time", "open", "high", "low", "close")}
    if "date" in names and "time" in names and _is_clock(table[names["time"][0]]):
        day, clock = table[names["date"][0]], table[names["time"][0]]
        parts["time"] = (day.astype(str).str.strip() + " " + clock.astype(str).str.strip()).rename("date and time")
        used |= {names["date"][0], names["time"][0]}
    parts["volume"] = _volume(table, found, notes)
    if "spread" in found:
        in_points = "tick_volume" in found
        parts["spread_points" if in_points else "spread"] = pd.to_numeric(table[found["spread"]], errors="coerce")
        if in_points:
            notes.append("The spread counts points (MT5): read as spread_points.")
    if dropped := [str(c) for c in table.columns if c not in used]:
        notes.append(f"Columns not used: {', '.join(dropped)}.")
    times = parts.pop("time").reset_index(drop=True)
    return times, pd.DataFrame(parts).reset_index(drop=True), notes


def _one_symbol(table, column, where, symbol):
    "The rows of one symbol, where a file holds several."
    held = sorted(map(str, table[column].dropna().unique()))
    if len(held) < 2:
        return table
    if symbol not in held:
        few = ", ".join(held[:6]) + (", …" if len(held) > 6 else "")
        ask = nearest(symbol, held) if symbol else "; say which with symbol="
        raise BadFile(f"{where} holds {len(held)} symbols ({few}), {symbol or 'none'} was asked for{ask}")
    return table[table[column].astype(str) == symbol]


def _is_clock(column) -> bool:
    "Whether the cells look like a time of day."
    first = column.iloc[0]
    return isinstance(first, str) and bool(re.fullmatch(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?", first.strip()))


def _volume(table, found, notes):
    "The traded volume, else the tick count, else zero."
    real = table[found["volume"]] if "volume" in found else None
    ticks = table[found["tick_volume"]] if "tick_volume" in found else None
    empty = real is None or real.isna().all() or (ticks is not None and (real == 0).all())
    if not empty:
        return real
    if ticks is not None:
        notes.append("Volume is the count of ticks.")
        return ticks
    notes.append("No volume in the file: set to 0.")
    return pd.Series(0.0, index=table.index)
