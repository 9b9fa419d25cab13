"""The border: rows as callers have them, as the rows a table keeps; and what it means that two of them differ."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import BigInteger, Boolean, Column, Double, Table

from smcdesk.store.models import OUTCOME_COLUMNS, Json, Nanoseconds
from smclab.candles import BadConfig, nearest

DAY_NS = 86_400_000_000_000
_YEAR_1973 = 10**17  # ns; a market's time below it was counted in another unit
_LAST = 2**63 - 1


class Contradiction(ValueError):
    "A stored row was offered again with other content: stop, and find out which one is true."


def checked_rows(
    table: Table,
    rows: pd.DataFrame | Iterable[Mapping[str, Any]],  # one mapping per row, by the table's column names
    *,
    hidden: tuple[str, ...] = ("recorded_at",),  # columns the caller does not give
) -> list[dict[str, Any]]:  # every remaining column of every row, as the database's types take it
    "Rows by the types of their columns; `BadConfig` names the row, the column and the nearest valid choice."
    columns = {c.name: c for c in table.columns if c.name not in hidden}
    if isinstance(rows, pd.DataFrame):
        rows = rows.to_dict("records")
    return [_checked_row(table.name, n, row, columns) for n, row in enumerate(rows)]


def _checked_row(table: str, n: int, row: Mapping[str, Any], columns: Mapping[str, Column]) -> dict[str, Any]:
    "One row, every column present."
    where = f"{table}, row {n}"
    for name in row:
        if name not in columns and name in OUTCOME_COLUMNS and not is_missing(row[name]):
            raise BadConfig(f"{where}: {name} is a later fact, write it by fill_outcomes")
        if name not in columns and name not in (*OUTCOME_COLUMNS, "recorded_at"):
            raise BadConfig(f"{where}: {table} has no column {name!r}{nearest(name, columns)}")
    return {name: value(column, row.get(name), where) for name, column in columns.items()}


def is_missing(x: Any) -> bool:
    "Whether a value says nothing: None, NaN, NaT."
    return x is None or x is pd.NaT or x is pd.NA or (isinstance(x, float | np.floating) and math.isnan(x))


def value(
    column: Column,
    x: Any,
    where: str,  # for the message
) -> Any:  # what the column's type takes; None where the value is missing
    "One value as its column keeps it."
    if is_missing(x):
        if column.nullable:
            return None
        raise BadConfig(f"{where}: {column.name} is missing")
    kind = next(k for k in (Nanoseconds, Json, BigInteger, Double, Boolean, object) if isinstance(column.type, k))
    done = _CONVERT[kind](x)
    if done is None:
        raise BadConfig(f"{where}: {column.name} must be {_EXPECTED[kind]}; found {x!r}")
    words = column.info.get("choices")
    if words and done not in words:
        raise BadConfig(f"{where}: {column.name} must be one of {', '.join(words)}; found {x!r}{nearest(x, words)}")
    return done


def nanoseconds(x: Any) -> int | None:
    "A moment as ns since 1970 UTC; None when it has no zone or cannot be one."
    if isinstance(x, datetime) and x.tzinfo is not None:
        try:
            x = pd.Timestamp(x).as_unit("ns").value
        except pd.errors.OutOfBoundsDatetime:
            return None
    if isinstance(x, bool) or not isinstance(x, int | np.integer):
        return None
    return int(x) if _YEAR_1973 <= x <= _LAST else None


def _whole(x: Any) -> int | None:
    "A whole number; 3.0 is one, as a column with gaps holds it."
    if isinstance(x, bool | np.bool_) or not isinstance(x, int | float | np.integer | np.floating) or x != x // 1:
        return None
    return int(x) if abs(x) <= _LAST else None


def _number(x: Any) -> float | None:
    "A finite number."
    if isinstance(x, bool | np.bool_) or not isinstance(x, int | float | np.integer | np.floating):
        return None
    return float(x) if math.isfinite(x) else None


def _flag(x: Any) -> bool | None:
    "True or false, or None when it is neither."
    return bool(x) if isinstance(x, bool | np.bool_) else None


def _text(x: Any) -> str | None:
    "A text both databases can keep."
    if not isinstance(x, str) or "\0" in x:
        return None
    try:
        x.encode()
    except UnicodeEncodeError:
        return None
    return str(x)


def _plain(x: Any) -> Any:
    "A value JSON does not know, as one it does."
    if dataclasses.is_dataclass(x):
        return dataclasses.asdict(x)
    if hasattr(x, "item"):
        return x.item()
    raise TypeError(f"JSON cannot keep {type(x).__name__}")


def plain(x: Any) -> Any:
    "A value as it will come back from JSON; None when JSON cannot keep it."
    try:
        return json.loads(json.dumps(x, allow_nan=False, default=_plain))
    except (TypeError, ValueError):
        return None


_CONVERT = {
    Nanoseconds: nanoseconds,
    Json: plain,
    BigInteger: _whole,
    Double: _number,
    Boolean: _flag,
    object: _text,
}
_EXPECTED = {
    Nanoseconds: "a moment after 1973: ns since 1970 UTC, or a timestamp with its zone",
    Json: "plain values for JSON, without NaN or inf",
    BigInteger: "a whole number",
    Double: "a finite number",
    Boolean: "true or false",
    object: "a text",
}


def differences(
    stored: Any,
    offered: Any,
    path: str = "",
    rel_tol: float = 0.0,  # numbers nearer than this, as a share, are the same
) -> Iterator[str]:  # "grade: stored 'A', offered 'A+'"
    "Where two plain values differ, each by its path."
    if isinstance(stored, Mapping) and isinstance(offered, Mapping):
        for key in dict.fromkeys((*stored, *offered)):
            place = f"{path}.{key}" if path else str(key)
            yield from differences(stored.get(key), offered.get(key), place, rel_tol)
    elif isinstance(stored, list) and isinstance(offered, list) and len(stored) == len(offered):
        for n, (a, b) in enumerate(zip(stored, offered, strict=True)):
            yield from differences(a, b, f"{path}[{n}]", rel_tol)
    elif stored != offered and not (
        isinstance(stored, float) and isinstance(offered, float) and math.isclose(stored, offered, rel_tol=rel_tol)
    ):
        yield f"{path}: stored {stored!r}, offered {offered!r}"


def contradiction(
    what: str,  # the row, by its key
    stored: Mapping[str, Any],
    offered: Mapping[str, Any],
    cure: str,  # what the reader should do
    limit: int = 4,  # differences to name
) -> Contradiction:
    "The error that names both contents."
    found = list(differences(stored, offered))
    more = f"; and {len(found) - limit} more" if len(found) > limit else ""
    return Contradiction(f"{what} is written with other content: {'; '.join(found[:limit])}{more}. {cure}")


def without_repeats(
    rows: Iterable[dict[str, Any]],
    key: tuple[str, ...],
    table: str,
) -> list[dict[str, Any]]:  # in order of key
    "Rows of one batch, each once; the same key with other content is a contradiction."
    unique: dict[tuple, dict[str, Any]] = {}
    for row in rows:
        name = tuple(row[k] for k in key)
        first = unique.setdefault(name, row)
        if first is not row and first != row:
            raise contradiction(f"{table} {named(row, key)}, twice in one batch,", first, row, "Give it once.")
    return [unique[name] for name in sorted(unique)]


def named(row: Mapping[str, Any], key: tuple[str, ...]) -> str:
    "A row by its key, for messages."
    return ", ".join(f"{k} {row[k]!r}" for k in key)


def frame(
    columns: list[Column],
    rows: list[tuple],
) -> pd.DataFrame:  # times datetime64[ns, UTC], whole numbers int64 or Int64, JSON as plain values
    "Rows of the database as a table, with the same dtypes also when there are none."
    lists = list(zip(*rows, strict=True)) or [()] * len(columns)
    return pd.DataFrame({c.name: _series(c, values) for c, values in zip(columns, lists, strict=True)})


def _series(column: Column, values: tuple) -> pd.Series:
    "One column's values with its dtype."
    kind = column.type
    if isinstance(kind, Nanoseconds):
        whole = np.array([np.iinfo(np.int64).min if v is None else v for v in values], np.int64)
        return pd.Series(pd.DatetimeIndex(whole.view("datetime64[ns]")).tz_localize("UTC"))
    if isinstance(kind, Json):
        return pd.Series(list(values), dtype=object)
    if isinstance(kind, BigInteger):
        return pd.Series(list(values), dtype="Int64" if column.nullable else "int64")
    if isinstance(kind, Double):
        return pd.Series([math.nan if v is None else v for v in values], dtype="float64")
    return pd.Series(list(values), dtype="bool" if isinstance(kind, Boolean) else "str")
