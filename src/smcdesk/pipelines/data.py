"""Candles in; checked bars, and what they lack, out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial, update_wrapper
from typing import Any

import pandas as pd
from kedro.pipeline import Pipeline, node

from smcdesk.marketdata.findings import VERDICTS, market_findings
from smcdesk.marketdata.gaps import NO_HOLES
from smcdesk.marketdata.instruments import configured_instrument
from smcdesk.marketdata.sources import RawCandles
from smcdesk.pipelines.namespace import namespaced
from smclab.candles import Quality, check, infer_timeframe, quality
from smclab.instruments import Instrument


def checked(candles: RawCandles) -> tuple[pd.DataFrame, dict[str, Any]]:  # bars, provenance
    "The checked bars, and where they come from."
    bars = check(candles.bars, symbol=candles.symbol)
    return bars, {"symbol": candles.symbol, "notes": list(candles.notes)}


def inspected(bars: pd.DataFrame, instrument: Instrument, provenance: dict[str, Any]) -> Quality:
    "What the tape lacks, by its market's own week, and what the inspection finds beside: off the grid, a wrong clock."
    tape = quality(bars, week=instrument.week, symbol=provenance["symbol"])
    if len(bars) < 2:
        return tape
    found = [row for row in market_findings(bars, instrument, infer_timeframe(bars), NO_HOLES) if row["level"] != "ok"]
    worst = max((tape.verdict, *(row["level"] for row in found)), key=VERDICTS.index)
    return replace(tape, verdict=worst, reasons=(*tape.reasons, *(row["sentence"] for row in found)))


def profile(symbol: str):
    "The node that looks up a symbol's instrument; every stage that needs it brings it along."
    looked_up = update_wrapper(partial(configured_instrument, symbol=symbol), configured_instrument)
    return node(looked_up, [f"params:symbols.{symbol}.instrument", "params:profiles"], "instrument", name="profile")


def create_pipeline(symbol: str) -> Pipeline:
    "Raw candles to bars and their quality."
    nodes = [
        profile(symbol),
        node(checked, "candles", ["bars", "provenance"], name="check"),
        node(inspected, ["bars", "instrument", "provenance"], "quality", name="quality"),
    ]
    return namespaced(symbol, nodes)
