"""Candles in; checked bars, and what they lack, out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial, update_wrapper
from typing import Any

import pandas as pd
from kedro.pipeline import Pipeline, node

from smcdesk.datasets import Candles
from smcdesk.pipelines import stage
from smclab.candles import Quality, check, quality
from smclab.instruments import Instrument, instrument


def checked(candles: Candles) -> tuple[pd.DataFrame, dict[str, Any]]:  # bars, provenance
    "Bars every room trusts, and where they come from."
    bars = check(candles.bars, symbol=candles.symbol)
    return bars, {"symbol": candles.symbol, "notes": list(candles.notes)}


def inspected(bars: pd.DataFrame, instrument: Instrument, provenance: dict[str, Any]) -> Quality:
    "What the tape lacks, by its market's own week."
    return quality(bars, week=instrument.week, symbol=provenance["symbol"])


def traded(
    profile: str,  # a shipped profile's name
    changes: Mapping[str, Mapping[str, Any]],  # conf's profiles: symbol -> field -> value
    symbol: str,
) -> Instrument:
    "The profile with conf's changes, under the name conf trades it by: two symbols may share one shipped profile."
    return Instrument.from_dict({**instrument(profile).to_dict(), **(changes.get(symbol) or {}), "symbol": symbol})


def profile(symbol: str):
    "The node that looks up a symbol's instrument; every stage that needs it brings it along."
    looked_up = update_wrapper(partial(traded, symbol=symbol), traded)
    return node(looked_up, [f"params:symbols.{symbol}.instrument", "params:profiles"], "instrument", name="profile")


def create_pipeline(symbol: str) -> Pipeline:
    "Raw candles to bars and their quality."
    nodes = [
        profile(symbol),
        node(checked, "candles", ["bars", "provenance"], name="check"),
        node(inspected, ["bars", "instrument", "provenance"], "quality", name="quality"),
    ]
    return stage(symbol, nodes)
