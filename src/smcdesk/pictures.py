"""The pictures a run and its report share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from smclab import charts
from smclab.reading import Reading
from smclab.replay import Ledger


def window(bars: pd.DataFrame, ledger: Ledger, n_bars: int) -> tuple[int, int]:
    "Positions of `n_bars` bars that end soon after the last closed trade, or with the tape."
    last = int(ledger.closed["exit_bar"].iloc[-1]) if len(ledger.closed) else len(bars) - 1
    stop = min(last + n_bars // 4, len(bars))
    return max(stop - n_bars, 0), stop


def structure(reading: Reading, ledger: Ledger, provenance: Mapping[str, Any], n_bars: int):
    "Candles with swings, breaks, gaps and trades around the last closed trade."
    start, stop = window(reading.bars, ledger, n_bars)
    return charts.plot(reading.bars, reading, ledger, start=start, stop=stop, title=provenance["symbol"])


def equity(ledger: Ledger):
    "Equity and its drawdown."
    return charts.equity(ledger)
