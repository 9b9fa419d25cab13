"""The cells of a file under the columns' names: text, JSON, parquet or feather."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path

import pandas as pd

from smcdesk.providers.files.budget import DEFAULT, Budget, check_feather, check_parquet
from smcdesk.providers.files.columns import is_time, plain_name
from smcdesk.providers.files.errors import BadFile
from smcdesk.providers.files.headers import PRICES, Head, head_of
from smcdesk.providers.files.json_tables import json_cells
from smcdesk.providers.files.numbers import CURRENCY, decimal_of, numbers
from smcdesk.providers.files.symbols import symbol_from
from smcdesk.providers.files.text import FEATHER, JSON, PARQUET, ending, read_text
from smclab.candles import BadConfig, nearest
from smclab.instruments import instrument

LOOKED_AT = 1000  # cells of a column of text, to see whether it may hold numbers


def cells(
    path: Path,  # an existing file of a known kind
    symbol: str | None = None,  # to choose among tickers that stand side by side
    decimal: str | None = None,  # "." or "," of a text file; None: decided by all its cells
    budget: Budget = DEFAULT,
) -> tuple[pd.DataFrame, list[str]]:  # the cells, and a sentence for each assumption
    "The cells of a file under the columns' names as written."
    if ending(path) in PARQUET:
        return parquet_cells(path, symbol, budget=budget), []
    if ending(path) in FEATHER:
        return parquet_cells(path, symbol, pd.read_feather, budget), []
    text, kind = read_text(path, budget)
    if kind in JSON:
        return json_cells(text, path.name, decimal), []
    return csv_cells(text, path.name, symbol or symbol_from(path), decimal, ticker=symbol)


def parquet_cells(
    path: Path,
    symbol: str | None = None,
    load=pd.read_parquet,
    budget: Budget = DEFAULT,
) -> pd.DataFrame:
    "The columns of a parquet or feather file, the levels of its index among them."
    kind = "feather" if load is pd.read_feather else "parquet"
    (check_feather if kind == "feather" else check_parquet)(path, budget)
    try:
        table = load(path)
    except Exception as error:  # pyarrow raises many kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadFile(f"{path.name} cannot be read as {kind}: {reason}") from error
    if isinstance(table.columns, pd.MultiIndex):
        table = _one_ticker(table, path.name, symbol)
    if isinstance(table.index, pd.RangeIndex):
        return table
    levels = [table.index.get_level_values(k) for k in range(table.index.nlevels)]
    dated = [isinstance(level, pd.DatetimeIndex) for level in levels]
    names = [
        level.name or ("time" if day or len(levels) == 1 else "symbol" if k == 0 else f"level_{k}")
        for k, (level, day) in enumerate(zip(levels, dated, strict=True))
    ]
    out = table.reset_index(drop=True)
    for name, level in reversed(list(zip(names, levels, strict=True))):
        if name not in out.columns:
            out.insert(0, name, pd.Series(level, index=out.index))
    return out


def _one_ticker(table: pd.DataFrame, where: str, symbol: str | None) -> pd.DataFrame:
    "The columns of one ticker, where the header has two rows."
    levels = [[str(x) for x in table.columns.get_level_values(k)] for k in range(table.columns.nlevels)]
    fields = max(levels, key=lambda row: len({plain_name(x) for x in row} & {*PRICES}))
    tickers = next(row for row in levels if row is not fields)
    every = list(dict.fromkeys(tickers))
    plain = [plain_name(x) for x in every]
    if len(every) > 1 and plain_name(symbol or "") not in plain:
        near = nearest(symbol, every) if symbol else "; say which with symbol="
        raise BadFile(
            f"{where} holds {len(every)} tickers ({', '.join(every[:6])}), {symbol or 'none'} was asked for{near}"
        )
    one = every[plain.index(plain_name(symbol))] if len(every) > 1 else every[0]
    mine = [k for k, ticker in enumerate(tickers) if ticker == one]
    return table.iloc[:, mine].set_axis([fields[k] for k in mine], axis=1)


def csv_cells(
    text: str,  # a header line and candles
    where: str,  # the file's name
    symbol: str | None = None,
    decimal: str | None = None,
    ticker: str | None = None,  # the symbol the user named, to choose among tickers side by side
) -> tuple[pd.DataFrame, list[str]]:
    "The cells of a text, by the separator, header and decimal mark found, and the notes."
    head = head_of(text, where, ticker)
    if not head.body.strip():
        raise BadFile(f"{where} has a header line but no candles")
    notes = list(head.notes)
    times = {name: str for name in head.names if is_time(name)}
    if decimal is None and _points_only(head):
        table, mark = _read(head, where, dtype=times), "."
        for name in [name for name in table.columns if name not in times]:  # 94'000.50, 12.3K
            if pd.api.types.is_numeric_dtype(table[name]) or not table[name].head(LOOKED_AT).map(_has_digit).any():
                continue
            if pd.api.types.is_numeric_dtype(values := numbers(table[name].astype(str), ".")):
                table[name] = values
    else:
        table = _read(head, where, dtype=str)
        written, rest = table, [name for name in table.columns if name not in times]
        three = decimal is None and _three_decimals(symbol, head, where)
        mark = decimal_of((table[name] for name in rest), where, decimal, three)
        table = table.assign(**{name: numbers(table[name], mark) for name in rest})
        if mark == "," or any(written[name].str.contains(r"\d,\d", na=False).any() for name in rest):
            notes.append(f"Numbers have a decimal {'comma' if mark == ',' else 'point, commas part thousands'}.")
    empty = [name for name in table.columns if name.startswith("unnamed") and table[name].isna().all()]
    table = table.drop(columns=empty)
    table.attrs = {"separator": head.separator, "decimal": mark}  # for who explains the file
    if head.ticker and "Ticker" not in table:
        table["Ticker"] = head.ticker
    return table, notes


def _read(head: Head, where: str, **options) -> pd.DataFrame:
    "The table of a text's body."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.BytesIO(head.body.encode()), sep=head.separator, header=None, names=list(head.names),
                skipinitialspace=True, index_col=False, **options,
            )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.ParserWarning, ValueError) as error:
        reason = str(error).strip().splitlines()[-1].removeprefix("Error tokenizing data. C error: ")
        reason = re.sub(r"(?<=in line )\d+", lambda m: str(int(m[0]) + head.above), reason)
        raise BadFile(f"{where} cannot be read as a table separated by {head.separator!r}: {reason}") from error


def _has_digit(cell) -> bool:
    "Whether a cell may be a number that is written for people."
    return isinstance(cell, str) and any(c.isdigit() for c in cell)


def _points_only(head: Head) -> bool:
    "Whether every number of a text surely has a point before its decimals, as in an ordinary CSV."
    s = re.escape(head.separator)
    if head.separator == ",":
        return not re.search(rf'(?m)(?:^|{s})\s*"[-+]?[{CURRENCY}]?\s*\d[\d.]*,[\d.,]*[KMB%]?"', head.body)
    if "," in head.body:
        return False
    cell = r"(?:\d*\.(?:\d{1,2}|\d{4,})|(?:0\d*|\d{4,})\.\d{3})"
    return bool(re.search(rf'{s}\s*"?{cell}"?\s*(?={s}|$)', head.body, re.M)) or not re.search(r"\d\.\d", head.body)


def _three_decimals(symbol: str | None, head: Head, where: str) -> bool:
    "Whether the file is of a kind, or of a symbol, whose prices are written with three decimals."
    if "," not in head.body and (not head.written or any(name.startswith("<") for name in head.names)):
        return True  # HistData, NinjaTrader and MetaTrader write points
    if symbol and symbol.upper().endswith("JPY"):
        return True
    try:
        return bool(symbol) and instrument(symbol).tick == 0.001
    except BadConfig:
        return False
