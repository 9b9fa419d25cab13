"""Where a symbol's candles come from: conf's entry, or a file the user names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from smcdesk.providers.files import read_file, symbol_from
from smclab.candles import BadConfig, nearest
from smclab.instruments import instrument


@dataclass(frozen=True)
class RawCandles:
    "A candle history as it was found, not yet checked."

    symbol: str
    bars: pd.DataFrame
    notes: tuple[str, ...]  # sentences: where from, how the file was understood


class SymbolConfig(BaseModel):
    "A symbol's entry in conf."

    model_config = ConfigDict(extra="forbid", frozen=True)

    instrument: str  # a profile's name
    source: str | None = None  # a file, from the project's top folder
    zone: str | None = None  # IANA name, where the file does not say
    decimal: Literal[".", ","] | None = None  # what stands before the file's decimals, where its numbers read both ways
    bars_side: Literal["bid", "mid", "ask"] = "bid"  # which price the candles show
    spread: str | None = None  # a parquet or CSV of ts and spread by bar, price; None: conf's costs


def symbol_config(
    symbol: str,  # for the message
    values: Mapping[str, Any],  # conf's entry
) -> SymbolConfig:
    "A symbol's entry, checked; `BadConfig` names the wrong key and the nearest right one."
    try:
        return SymbolConfig(**values)
    except ValidationError as e:
        first = e.errors()[0]
        key = ".".join(map(str, first["loc"]))
        hint = nearest(key, list(SymbolConfig.model_fields)) if first["type"] == "extra_forbidden" else ""
        raise BadConfig(f"symbols.{symbol}.{key}: {first['msg'].lower()}{hint}") from None


def from_file(
    path: Path,  # the user's candle file
    *,
    symbol: str | None = None,  # None: read from the file's name
    profile: str | None = None,  # instrument profile; None: the symbol's own
    zone: str | None = None,  # IANA zone of the file's times, where the file does not say
    decimal: str | None = None,  # "." or ",", where the file's numbers read both ways
    bars_side: str | None = None,  # None: bid for currencies and metals, mid elsewhere
) -> tuple[str, dict[str, Any]]:  # the symbol, and its entry as conf would write it
    "A conf entry for a file that conf does not know."
    read_file(
        path, symbol=symbol, zone=zone, decimal=decimal
    )  # a file that cannot be read is refused before anything starts
    symbol = symbol or symbol_from(path)
    if not symbol:
        raise BadConfig(f"cannot tell the symbol from the file name {path.name!r}: say it with --symbol")
    if not re.fullmatch(r"[A-Za-z0-9_]+", symbol):
        raise BadConfig(f"symbol {symbol!r} must be letters, digits and _ only")
    kind = instrument(profile or symbol).asset_class
    side = bars_side or ("bid" if kind in ("fx", "metal") else "mid")
    entry = {"instrument": profile or symbol, "source": str(path.resolve()), "zone": zone, "bars_side": side}
    if decimal is not None:
        entry["decimal"] = decimal
    return symbol, symbol_config(symbol, entry).model_dump(exclude={"decimal"} if decimal is None else None)
