"""Numbers, prices and tables the way every report prints them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

NOTHING = pd.DataFrame({"": ["nothing"]})  # shown where a table has no rows
SIDES = {1: "long", -1: "short"}


def parameter_table(rows: Mapping[str, Any]) -> pd.DataFrame:  # one column without a name
    "The first table of a report: what its parameters were resolved to."
    return pd.DataFrame({"": rows})


def sentences(*parts: str) -> str:
    "Sentences in one paragraph; empty ones are left out."
    return " ".join(part for part in parts if part)


def counted(n: int, one: str, many: str = "") -> str:
    "A count with its noun: 1 swing, 2 swings."
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def counts_of(statuses: pd.Series) -> str:
    "How often each word occurs, the most frequent first: 20 ok, 2 missed."
    return ", ".join(f"{n:,} {word}" for word, n in statuses.value_counts().items())


def r_multiple(x: float) -> str:
    "A result in R, signed."
    return f"{x:+.2f} R"


def two_digits(x: float) -> str:
    "A figure with two digits; none where it is missing."
    return "none" if pd.isna(x) else f"{x:,.2f}"


def price(x: float) -> str:
    "A price with every digit that was quoted."
    return f"{x:.10g}"


def small_number(x: float) -> str:
    "A cost or a rate without an exponent."
    return f"{x:,.8f}".rstrip("0").rstrip(".")


def bar_time(times: pd.Series) -> pd.Series:
    "UTC times as month, day, hour and minute."
    return times.dt.strftime("%m-%d %H:%M")


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    "The ends of a 95 % interval; empty where there is none."
    return f"{low:,.{digits}f} … {high:,.{digits}f}" if low is not None and math.isfinite(low) else ""


def with_interval(
    value: float | None,
    low: float | None,
    high: float | None,
    digits: int = 2,
) -> str:
    "A figure with its 95 % interval; none where the figure is missing."
    if pd.isna(value):
        return "none"
    ends = interval(low, high, digits)
    return f"{value:,.{digits}f} ({ends})" if ends else f"{value:,.{digits}f}"


def scorecard_table(card: pd.DataFrame) -> pd.DataFrame:  # value, 95 % interval, n, unit, remark
    "A scorecard (value, low, high, n, unit, note) rounded for reading, with sample sizes and remarks."
    values = [f"{v:,.0f}" if k.endswith("_n") and pd.notna(v) else two_digits(v) for k, v in card["value"].items()]
    intervals = [interval(low, high) for low, high in zip(card["low"], card["high"], strict=True)]
    table = {"value": values, "95 % interval": intervals, "n": card["n"], "unit": card["unit"]}
    return pd.DataFrame(table | {"remark": card["note"].fillna("")}, index=card.index)
