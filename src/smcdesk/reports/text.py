"""Numbers, prices, tables and sentences the way every report prints them.

Templates show tables and sentences by `table` and `paragraph` alone: what came from outside is text in both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import pandas as pd

from smcdesk.project.redaction import masked, plain

NOTHING = pd.DataFrame({"": ["nothing"]})  # shown where a table has no rows
SIDES = {1: "long", -1: "short"}


@dataclass(frozen=True)
class Shown:
    "What a cell of a report displays: a piece of a page, and the same as plain text."

    html: str = field(repr=False)
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def table(
    frame: pd.DataFrame,
    *,
    index: bool = False,  # show the row labels too
) -> Shown:
    "A table for a page. Cells, heads and labels are text, whatever they hold, and are never cut short."
    frame = _plain_frame(frame)
    with pd.option_context("display.max_colwidth", None, "display.max_rows", None, "display.max_columns", None):
        return Shown(plain(frame.to_html(escape=True, index=index, border=0)), plain(frame.to_string(index=index)))


def _plain_frame(frame: pd.DataFrame) -> pd.DataFrame:
    "The table with every text in it, heads and labels included, masked and without control characters."
    shown = frame.copy()
    for k in range(shown.shape[1]):
        column = shown.iloc[:, k]
        if not (pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype)):
            shown.isetitem(k, column.astype(object).map(_plain_cell))
    shown.columns = shown.columns.map(_plain_cell) if len(shown.columns) else shown.columns
    if not (pd.api.types.is_numeric_dtype(shown.index.dtype) or isinstance(shown.index, pd.DatetimeIndex)):
        shown.index = shown.index.map(_plain_cell) if len(shown.index) else shown.index
    return shown


def _plain_cell(value: Any) -> Any:
    "A text without secrets and control characters; a container as such a text, other values as they are."
    if isinstance(value, list | tuple | dict | set | BaseException):
        value = str(value)
    return plain(masked(value)) if isinstance(value, str) else value


def paragraph(
    text: str,  # **bold**, `code`, lines that begin with "- ", an empty line between paragraphs; all else is text
) -> Shown:
    "Sentences for a page. Tags, links and pictures inside them are shown as they are written, never followed."
    text = plain(masked(text))
    return Shown("\n".join(_block(block) for block in re.split(r"\n\s*\n", text.strip("\n"))), text)


def _block(block: str) -> str:
    "One paragraph or list as HTML."
    lines = block.split("\n")
    if all(line.startswith("- ") for line in lines):
        return "<ul>" + "".join(f"<li>{_inline(line[2:])}</li>" for line in lines) + "</ul>"
    return f"<p>{'<br>'.join(_inline(line.rstrip()) for line in lines)}</p>"


def _inline(line: str) -> str:
    "A line as HTML: bold and code, and nothing else."
    line = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(line))
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", line)


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
