"""Whether an instrument profile can be that of a market with such prices: its tick, spread and stops against the bars.

A default profile is made for the usual member of its class: default_crypto's tick of 0.01 and spread of 0.02 are a
fifth of the price of a coin at 0.10, and a run on them would trade nothing and not say why.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd

from smclab.instruments import SYMBOLS, Instrument, instrument

SPREAD_PCT = 0.05  # of the price, from which a spread wider than a usual bar is no market's
STOP_PCT = 0.005  # of the price, below which no stop can be kept
SEEN = 20_000  # last bars


def misfits(
    market: Instrument,
    bars: pd.DataFrame,  # checked bars
) -> list[str]:  # what of the profile cannot be, each with its field first; empty where it fits
    "What of a profile cannot fit the prices."
    price, bar, closes = _usual(bars)
    found = []
    off = np.abs(closes / market.tick - np.rint(closes / market.tick)) > 1e-3
    if off.mean() > 0.1 and market.tick >= bar / 4:
        found.append(f"tick {market.tick:g} is coarser than prices such as {closes[off][0]:.10g}")
    if market.typical_spread >= bar and 100 * market.typical_spread / price >= SPREAD_PCT:
        found.append(
            f"typical_spread {market.typical_spread:g} is {100 * market.typical_spread / price:.3g} % of the price"
        )
    if market.min_stop > 4 * bar and market.min_stop > price / 100:
        found.append(f"min_stop {market.min_stop:g} is {100 * market.min_stop / price:.3g} % of the price")
    largest = market.max_stop_at(price)
    if 100 * largest / price < STOP_PCT:
        found.append(f"max_stop {largest:g} is {100 * largest / price:.1g} % of the price")
        if market.tick < bar / 1000 and market.tick < 10.0 ** -_decimals(closes):
            found.append(f"tick {market.tick:g} is finer than prices such as {closes[-1]:.10g}")
    return found


def misfit_sentence(
    market: Instrument,  # with conf's changes
    profile: str,  # the profile's name
    symbol: str,
    bars: pd.DataFrame,
) -> str:  # empty where the profile fits
    "One sentence: what of a profile cannot fit the prices, and which fields to change where."
    found = misfits(market, bars)
    if not found:
        return ""
    price, bar, closes = _usual(bars)
    fitting = [
        name
        for name in SYMBOLS
        if instrument(name).asset_class == market.asset_class == "fx" and not misfits(instrument(name), bars)
    ]
    tick = f"{Decimal(1).scaleb(-_decimals(closes)):f}"
    fields = [sentence.split()[0] for sentence in found]
    values = dict.fromkeys(("tick", "point", "pip"), tick) if "tick" in fields else {}
    values |= {name: "…" for name in fields if name != "tick"}
    change = ", ".join(f"{name}: {value}" for name, value in values.items())
    other = f", or take --instrument {fitting[0]}, whose fields fit" if fitting else ""
    return (
        f"the profile {profile} cannot be {symbol}'s: prices are near {price:.6g}, a usual bar is {bar:.2g}, but "
        f"{'; '.join(found)}: nothing could be traded. Say in conf/base/parameters.yml under profiles what the market "
        f"has: {symbol}: {{{change}}}{other}"
    )


def tight_stop_sentence(market: Instrument, profile: str, symbol: str, bars: pd.DataFrame) -> str:
    "One sentence where a profile's stops or spread leave few entries, though they can be."
    price, bar, _ = _usual(bars)
    words = []
    if (largest := market.max_stop_at(price)) < bar:
        words.append(f"stops of at most {largest:.3g} (max_stop) are shorter than a usual bar of {bar:.2g}")
    if market.typical_spread > bar / 2:
        words.append(f"typical_spread {market.typical_spread:g} is more than half a usual bar of {bar:.2g}")
    if not words:
        return ""
    return (
        f"The profile {profile} leaves few entries in {symbol}: {' and '.join(words)}; profiles.{symbol} in "
        "conf/base/parameters.yml changes them."
    )


def _usual(bars: pd.DataFrame) -> tuple[float, float, np.ndarray]:
    "The usual price, the usual length of a bar that has one, and the closes."
    seen = bars.iloc[-SEEN:]
    length = (seen["high"] - seen["low"]).to_numpy(float)
    closes = seen["close"].to_numpy(float)
    moving = length[length > 0]
    return float(np.median(closes)), float(np.median(moving)) if len(moving) else 0.0, closes


def _decimals(closes: np.ndarray) -> int:
    "How many decimals the prices are written with."
    some = closes[:: max(1, len(closes) // 500)]
    return max(len(f"{x:.10f}".rstrip("0").partition(".")[2]) for x in some)
