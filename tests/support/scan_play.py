"""Scans of a synthetic market, close by close."""

from __future__ import annotations

import pandas as pd
from virtual import SYMBOL

from smcdesk.decisions.config import (
    load_decision_configs,
)
from smcdesk.scanning import scanner
from smclab.reader import Reader
from smclab.setups import evaluations_at

FOREVER = (0, 2**62)
START = 2440  # the bar at whose close the first scan is made


def scan_close(market, workspace, k: int, tfs=("15m",), after_s: float = 10.0, slot: str = ""):
    "The scan at the close of the k-th candle after the start."
    index = market.provider._tapes[SYMBOL].index
    market.clock.true = (index[START + k] + pd.Timedelta(minutes=15, seconds=after_s)).to_pydatetime()
    return scanner.scan(workspace, [SYMBOL], tfs, slot or f"slot{k}")


def first_with_decisions(bars) -> int:
    "The first candle after the start that has candidates."
    config = load_decision_configs("test")["MADEUP"]
    reader = Reader(config.reader, instrument=config.instrument, timeframes=config.timeframes, timeframe="15m")
    reader.extend(bars.iloc[START - 1499 : START + 1])
    for k in range(1, 90):
        reader.extend(bars.iloc[[START + k]])
        if len(evaluations_at(reader.now(), config.instrument, config.setups)["time"]) > 1:
            return k
    raise AssertionError("this tape has no candidates after its start")
