"""Synthetic candles that several tests share, and small helpers around them."""

import pandas as pd

from smcdesk.providers import ProviderDown
from smclab.instruments import instrument
from smclab.tapes import market

STEP = pd.Timedelta("15min")
KEY = ("venue", "BTC/USDT", "15m")
EURUSD, BTC, SPY, GOLD = (instrument(name) for name in ("EURUSD", "BTCUSDT", "SPY", "XAUUSD"))


def crypto() -> pd.DataFrame:
    "Two months of 15-minute candles of a market that never pauses."
    return market(6000, seed=5, week="24/7", start="2024-01-20", price=40_000.0, tick=0.1)


def after(bars: pd.DataFrame) -> pd.Timestamp:
    "A moment at which all bars have closed."
    return bars.index[-1] + 2 * STEP


def same(a: pd.DataFrame, b: pd.DataFrame) -> None:
    "Equal bars; the index's frequency and name do not count."
    pd.testing.assert_frame_equal(a, b, check_freq=False, check_names=False)


class Flaky:
    "A source that fails while it is not up."

    def __init__(self, name: str):
        self.name, self.up, self.calls = name, True, 0

    def latest(self, *_):
        self.calls += 1
        if not self.up:
            raise ProviderDown(f"{self.name} is down")
        return self.name
