"""The candles of a JSON text: rows of numbers, rows with names, or columns."""

from __future__ import annotations

import json
import re

import pandas as pd

from smcdesk.providers.clocks import named_clocks
from smcdesk.providers.files.columns import is_time, plain_name
from smcdesk.providers.files.errors import BadFile
from smcdesk.providers.files.headers import PRICES, shape_of
from smcdesk.providers.files.numbers import decimal_of, numbers

SHORT = ("o", "h", "l", "c")


def json_cells(
    text: str,  # ccxt's and freqtrade's rows, an exchange's answer, what pandas writes, or one row a line
    where: str,  # the file's name
    decimal: str | None = None,  # "." or "," of numbers written as text; None: decided by all of them
) -> pd.DataFrame:  # the cells under the names as written, or under those the rows' shape gives away
    "The candles of a JSON text; one without candles, or with two lists of them, is refused."
    try:
        value = json.loads(text)
    except ValueError as error:
        try:
            value = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError:
            raise BadFile(f"{where} cannot be read as JSON: {error}") from error
    found = list(_candles(value))
    if len(found) != 1:
        raise BadFile(
            f"{where}: expected one list of candles such as [[1735689600000, 94000, 94038, 93863, 94025, 443], …], "
            f"found {len(found) or 'none'}"
        )
    table = found[0] if isinstance(found[0], pd.DataFrame) else _from_rows(found[0], where)
    if (zone := _named_zone(value)) and (name := next(filter(is_time, table.columns), None)) is not None:
        table = table.rename(columns={name: f"{name} ({zone})"})  # as a header of a CSV says it
    return _without_text(table, where, decimal)


def _named_zone(value) -> str | None:
    "The one time zone an answer names beside its candles, as Alpha Vantage and Twelve Data do."
    inner = [x for x in value.values() if isinstance(x, dict)] if isinstance(value, dict) else []
    zones = {
        str(x)
        for part in ([value, *inner] if isinstance(value, dict) else [])
        for name, x in part.items()
        if plain_name(_bare(name)) in ("timezone", "exchangetimezone", "tz") and isinstance(x, str)
    }
    return next(iter(zones)) if len(zones) == 1 and named_clocks(next(iter(zones))) else None


def _without_text(table: pd.DataFrame, where: str, decimal: str | None) -> pd.DataFrame:
    "Numbers that are written as text, as exchanges do against rounding, made numbers."
    texts = {
        name: table[name].astype("str")
        for name in table.columns
        if not is_time(name) and table[name].map(lambda x: isinstance(x, str)).any()
    }
    if decimal is None and not any(
        text.str.fullmatch(r"\D*\d[\d.]*,[\d.,]*\D*", na=False).any() for text in texts.values()
    ):
        decimal = "."  # as in JSON's own numbers
    mark = decimal_of(texts.values(), where, decimal)
    converted = {name: numbers(text, mark) for name, text in texts.items()}
    return table.assign(**{name: x for name, x in converted.items() if pd.api.types.is_numeric_dtype(x)})


def _has_prices(names) -> bool:
    "Whether names of columns or of a row's cells are a candle's."
    plain = {plain_name(_bare(name)) for name in names}
    return plain >= {*PRICES} or plain >= {*SHORT}


def _bare(name) -> str:
    "A name without the number Alpha Vantage writes before it: open for 1. open."
    return re.sub(r"^\d+\.\s*", "", str(name))


def _candles(value):
    "Every list of candles in a JSON value, as rows or as a table."
    if isinstance(value, list) and value and isinstance(value[0], list):
        if len(value[0]) >= 5:
            yield value
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        if _has_prices(_flat(value[0])):
            yield value
        elif len(value) == 1:
            yield from _candles(value[0])
    elif isinstance(value, dict):
        parts = list(value.values())
        if _has_prices(value) and all(isinstance(x, list | dict) for x in parts) and len(set(map(len, parts))) == 1:
            yield _from_columns(value)
        elif set(value) >= {"columns", "data"} and isinstance(value["columns"], list) and _has_prices(value["columns"]):
            yield _from_split(value)
        elif parts and all(isinstance(x, dict) for x in parts) and len(parts[0]) > 3 and all(map(_has_prices, parts)):
            yield [{"time": moment, **row} for moment, row in value.items()]
        else:
            for part in parts:
                yield from _candles(part)


def _from_columns(value: dict) -> pd.DataFrame:
    "Candles column by column; the keys of pandas' to_json are the times."
    table = pd.DataFrame({name: list(x.values()) if isinstance(x, dict) else x for name, x in value.items()})
    first = next(iter(value.values()))
    if not any(map(is_time, table.columns)) and isinstance(first, dict):
        table.insert(0, "time", list(first))
    return table


def _from_split(value: dict) -> pd.DataFrame:
    "Candles as columns, index and data."
    table = pd.DataFrame(value["data"], columns=value["columns"])
    if not any(map(is_time, table.columns)) and len(value.get("index", ())) == len(table):
        table.insert(0, "time", value["index"])
    return table


def _from_rows(rows: list, where: str) -> pd.DataFrame:
    "Candles row by row, with names or by their place."
    kinds = [type(row) for row in rows]
    if odd := next((k for k, kind in enumerate(kinds) if kind is not kinds[0]), 0):
        raise BadFile(f"{where}: row {odd} is no candle like the first: {str(rows[odd])[:60]}")
    if kinds[0] is dict:
        return pd.DataFrame([_flat(row) for row in rows])
    widths = [len(row) for row in rows]
    if odd := next((k for k, width in enumerate(widths) if width != widths[0]), 0):
        raise BadFile(f"{where}: row {odd} holds {widths[odd]} values, expected {widths[0]} as in the first")
    names = shape_of([str(cell) for cell in rows[0]])
    if names is None:
        raise BadFile(
            f"{where}: rows of {widths[0]} values in no known order ({str(rows[0])[:60]}); "
            'name them, such as {"time": …, "open": …}'
        )
    return pd.DataFrame(rows, columns=list(names))


def _flat(row: dict) -> dict:
    "A row with the names of its first inner group taken out (OANDA's mid, bid or ask)."
    out = {_bare(name): x for name, x in row.items() if not isinstance(x, dict)}
    inner = [x for x in row.values() if isinstance(x, dict)]
    return {**out, **inner[0]} if inner else out
