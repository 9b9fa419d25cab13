"""What comma and point mean in a file: one is the decimal mark, decided by all cells, never by the first row.

94.038,30 says that the comma is the decimal mark, and then 7.709 in the same file is 7709. A file in which every number
reads both ways (94,000 and 93,863 and nothing else) is refused, and the sentence says how to tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from smcdesk.providers.files.errors import BadFile
from smclab.candles import BadConfig

MARKS = (".", ",")  # what may stand before the decimals
CURRENCY = "$€£¥₿"  # before or behind a price
_GAPS = " \u00a0\u2009\u202f'\u2019_"  # between thousands, beside comma and point
_SIGN, _POWER = r"[+-]?", r"(?:[eE][+-]?\d+)?"


def _decimal_cell(mark: str, other: str) -> str:
    "A number that is one only when `mark` stands before its decimals."
    m, o = re.escape(mark), re.escape(other)
    single = rf"\d{{0,40}}{m}(?:\d{{0,2}}|\d{{4,}})|(?:0\d*|\d{{4,}}){m}\d{{3}}|\d+{m}\d+[eE][+-]?\d+"
    return rf"(?=.*\d){_SIGN}(?:{single}|\d{{1,3}}(?:{o}\d{{3}}){{2,}}|\d{{1,3}}(?:{o}\d{{3}})+{m}\d*){_POWER}"


def _both_ways(mark: str) -> str:
    "A number that reads with `mark` before its decimals and with `mark` between its thousands."
    return rf"{_SIGN}[1-9]\d{{0,2}}{re.escape(mark)}\d{{3}}"


_WHOLE_WORTH = {"K": 1e3, "M": 1e6, "B": 1e9}


def decimal_of(
    cells: Iterable[pd.Series],  # the written numbers, column by column, as text
    where: str,  # the file's name
    decimal: str | None = None,  # "." or "," where the user says; None: decided by the cells
    three_decimals: bool = False,  # whether the symbol is quoted to three decimals, such as USDJPY
) -> str:  # "." or ","
    "The file's decimal mark; cells that contradict each other or leave it open are refused."
    if decimal is not None:
        if decimal not in MARKS:
            raise BadConfig(f"unknown decimal {decimal!r}: expected '.' or ','")
        return decimal
    found: dict[str, str] = {}  # mark -> the cell that says so
    both: dict[str, str] = {}
    for column in cells:
        text = _without_gaps(column.dropna().str.strip())
        text = text[text.str.contains("[.,]", regex=True)]
        for mark, other in ((".", ","), (",", ".")):
            for pattern, into in ((_decimal_cell(mark, other), found), (_both_ways(mark), both)):
                if mark not in into and (hit := text.str.fullmatch(pattern)).any():
                    into[mark] = text[hit].iloc[0]
    if len(found) == 2:
        raise BadFile(
            f"{where}: comma and point have one meaning in a file, but {found['.']!r} has the decimals behind the "
            f"point and {found[',']!r} behind the comma; write the numbers one way"
        )
    if found or not both:
        return next(iter(found), ".")
    if len(both) == 1 and three_decimals:
        return next(iter(both))
    mark, cell = next(iter(both.items()))
    whole, other = cell.replace(mark, ""), MARKS[mark == "."]
    raise BadFile(
        f"{where}: {cell!r} may be {whole} or {cell.replace(mark, '.')}, and no number of the file decides; pass "
        f"--decimal '{other}' (decimal={other!r}) for {whole}, or --decimal '{mark}' for {cell.replace(mark, '.')}"
    )


def _without_gaps(text: pd.Series) -> pd.Series:
    "Numbers without a currency's sign and without gaps between thousands: $94 000, 94'000, 94_000."
    text = text.str.replace(rf"^([+-]?)[{CURRENCY}]\s*(?=[\d.,])", r"\1", regex=True)
    text = text.str.replace(rf"(?<=\d)\s*[{CURRENCY}]$", "", regex=True)
    return text.str.replace(rf"(?<=\d)[{_GAPS}](?=\d{{3}}(?!\d))", "", regex=True)


def numbers(
    column: pd.Series,  # cells as text
    decimal: str,  # "." or ","
) -> pd.Series:  # floats where all cells are numbers; else the cells, those that are none as written
    "The numbers of a column, the other mark and spaces between thousands taken out; 12.3K is 12300."
    other = "," if decimal == "." else "."
    groups = rf"\d{{1,3}}(?:{re.escape(other)}\d{{3}})+"
    text = _without_gaps(column.str.strip())
    good = text.str.fullmatch(
        rf"{_SIGN}(?:{groups}|\d+|(?={re.escape(decimal)}))(?:{re.escape(decimal)}\d*)?{_POWER}[KMB]?"
    )
    good = good.fillna(False).astype(bool)
    plain = text.str.replace(other, "", regex=False)
    worth = plain.str[-1:].map(_WHOLE_WORTH).fillna(1.0)
    plain = plain.str.rstrip("KMB").str.replace(decimal, ".", regex=False)
    values = pd.to_numeric(plain.where(good), errors="coerce") * worth
    blank = text.isna() | text.isin(["", "-", "nan", "NaN", "null", "None", "N/A", "NA"])
    return values if (good | blank).all() else column.where(~good, values.astype(object))
