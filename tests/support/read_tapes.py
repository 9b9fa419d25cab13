"""Tapes that several tests of the reader share, read once."""

import os
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from smclab.candles import check
from smclab.liquidity import LiquidityConfig
from smclab.reader import read
from smclab.reading import Reading
from smclab.structure import StructureConfig
from smclab.tapes import market
from smclab.timeframes import Config
from smclab.zones import OrderBlockConfig

SHARED = Path(os.environ.get("SMCLAB_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "data"
BUSY = Config(  # small swings, slow reclaims, few order blocks: much happens, also evictions
    structure=StructureConfig(left=2, right=2, major_left=8, major_right=8),
    liquidity=LiquidityConfig(reclaim_bars=3),
    order_block=OrderBlockConfig(cap=12),
)
REAL = {"fx/EURUSD_15m": "EURUSD", "crypto/SOLUSDT_15m": "SOLUSDT"}
NAMES = ("made up", *REAL)


@cache
def tape(name: str) -> Reading:
    "One of `NAMES`: a made-up market, or the newest bars of a shared tape."
    if name == "made up":
        return read(market(2500, seed=7), BUSY, instrument="EURUSD")
    path = SHARED / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"there is no tape at {path}; set SMCLAB_SHARED to the folder that holds them")
    table = pd.read_parquet(path)
    bars = table.set_index(pd.DatetimeIndex(table["ts"], name="time")) if "ts" in table else table
    return read(check(bars.iloc[-4000:][["open", "high", "low", "close", "volume"]]), instrument=REAL[name])
