"""Which column is the volume: what was traded, in the base of the pair; never an average, a turnover or a count."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

EXACT = ("volume", "vol", "v", "realvolume", "basevolume", "volumebase", "volumefrom", "totalvolume", "tradedvolume",
         "volumetotal", "volumetraded")  # fmt: skip
TICKS = ("tickvol", "tickvolume", "tickqty")
UNITS = ("lots", "contracts", "shares", "units", "base", "total", "traded", "real")
QUOTE = ("quote", "volumeto", "turnover")
_AVERAGE = re.compile(r"(sma|ema|wma|ma|avg|average|mean|osc|oscillator|profile|weighted|delta|ratio|change)\d*")


def unit_of(
    name: str,  # of a column, as written: Volume BTC, Volume (BTC), volume_usdt
) -> str | None:  # the words behind "volume", small; None where the column is named otherwise
    "What a column of volume counts, by its name."
    m = re.match(r"(?i)\s*<?vol(?:ume)?\.?[\s_(\[-]+([A-Za-z0-9 _.-]+?)[)\]>]*\s*$", str(name))
    return re.sub(r"[^a-z0-9]", "", m[1].lower()) if m else None


def volume_of(
    table: pd.DataFrame,  # the file's columns
    plain: dict[str, Sequence],  # plain name -> the columns named so
    symbol: str | None,  # whose base counts
    close,  # the close's column
) -> tuple[pd.Series, list, list[str]]:  # the volume, the columns it took, and how it was found
    "The traded volume, else the count of ticks, else zero, and a note where it is not plainly named."
    ticks = next((plain[name][0] for name in TICKS if name in plain), None)
    real, notes = next((plain[name][0] for name in EXACT if name in plain), None), []
    if real is None:
        real, notes = _by_unit(table, symbol, close)
    if real is not None:
        values = table[real]
        if not (values.isna().all() or (ticks is not None and (pd.to_numeric(values, errors="coerce") == 0).all())):
            return values, [real] + ([ticks] if ticks is not None else []), notes
    if ticks is not None:
        return table[ticks], [ticks] + ([real] if real is not None else []), ["Volume is the count of ticks."]
    for up, down in (("up", "down"), ("upvolume", "downvolume")):
        if up in plain and down in plain:
            both = [plain[up][0], plain[down][0]]
            total = sum(pd.to_numeric(table[name], errors="coerce") for name in both)
            return total, both, [f"Volume is the sum of {both[0]} and {both[1]}."]
    used = [real] if real is not None else []
    return pd.Series(0.0, index=table.index), used, [*notes, "No volume in the file: set to 0."]


def _by_unit(table: pd.DataFrame, symbol: str | None, close) -> tuple[object | None, list[str]]:
    "Of columns such as Volume BTC and Volume USDT the one of the base: by the symbol, else by what they hold."
    units = {name: unit for name in table.columns if (unit := unit_of(name)) and not _is_average(name)}
    pair = re.sub(r"[^a-z0-9]", "", str(symbol or "").lower())
    for name, unit in units.items():
        if unit in UNITS or (pair and pair.startswith(unit) and pair != unit):
            return name, [f"Volume is {name}."]
    if len(units) == 2:
        (a, b), price = units, pd.to_numeric(table[close], errors="coerce")
        one, other = (pd.to_numeric(table[name], errors="coerce") for name in (a, b))
        for base, quote, name in ((one, other, a), (other, one, b)):
            share = (quote / (base * price)).where(base > 0).median()
            if 0.9 < share < 1.1 and abs((quote / base).where(base > 0).median() - 1) > 0.2:
                return name, [f"Volume is {name}, by its ratio to the other column."]
    doubt = [str(name) for name in units]
    return None, [f"{', '.join(doubt)} may be turnover, no base volume: not used."] if doubt else []


def _is_average(name) -> bool:
    "Whether a word behind the first says that a column is made of volume, and is none itself."
    return any(map(_AVERAGE.fullmatch, re.split(r"[\s_()\[\].-]+", str(name).lower())[1:]))
