"""What a decision needs, from conf: setups, timeframes, costs, fill rules, noise, regime, spreads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from smclab.candles import BadConfig, infer_timeframe, nearest, resample, timeframe_ns
from smclab.execution import Costs, Rules
from smclab.instruments import Instrument
from smclab.policy import Policy
from smclab.reader import read
from smclab.regime import HmmConfig, RegimeConfig, hmm_regimes, regimes
from smclab.setups import SetupConfig
from smclab.timeframes import Config


def setup_config(values: Mapping[str, Any], htf: str) -> SetupConfig:
    "Which setups count; the higher timeframe is that of the confluence pair."
    if "htf" in values:
        raise BadConfig("setups.htf: the higher timeframe stands in confluence.htf")
    return SetupConfig.from_dict({**values, "htf": htf})


def at_timeframe(
    bars: pd.DataFrame,
    instrument: Instrument,
    ltf: str | None,  # None: the bars' own
) -> pd.DataFrame:
    "The bars setups are found on, by the instrument's own trading day."
    if ltf is None or ltf == infer_timeframe(bars):
        return bars
    longer = resample(bars, ltf, zone=instrument.zone, roll_hour=instrument.roll_hour)
    return longer.drop(columns="close_time")


def higher_timeframes(timeframes: list[str], htf: str) -> tuple[str, ...]:
    "The timeframes to read above the candles' own; the confluence pair's is one of them."
    if htf not in timeframes:
        raise BadConfig(
            f"confluence.htf must be one of timeframes ({', '.join(timeframes)}), each with its weight in "
            f"reading.bias.weights; found {htf!r}{nearest(htf, timeframes)}"
        )
    return tuple(timeframes)


COSTS = ("spread_typical_x", "slippage_spread_x", "commission_per_unit", "commission_pct")


def trading_costs(
    instrument: Instrument,
    by_class: Mapping[str, Mapping[str, float]],  # conf's costs: asset class -> figures
    bars_side: str,  # which price the candles show: bid, mid, ask
) -> Costs:
    "What trading this instrument costs."
    figures = by_class[instrument.asset_class]
    for name in figures:
        if name not in COSTS:
            raise BadConfig(f"costs.{instrument.asset_class} has no setting {name!r}{nearest(name, COSTS)}")
    spread = figures["spread_typical_x"] * instrument.typical_spread
    return Costs.from_dict({
        "spread_price": spread, "slippage_price": figures["slippage_spread_x"] * spread, "bars_side": bars_side,
        "commission_per_unit": figures["commission_per_unit"], "commission_pct": figures["commission_pct"],
    })  # fmt: skip


def fill_rules(rules: Mapping[str, Any], policy: Policy) -> Rules:
    "How a replay fills orders; the cooldown is the policy's."
    return Rules.from_dict({**rules, "cooldown_bars": policy.cooldown_bars})


def round_trip_cost(
    costs: Costs,
) -> dict[str, float]:  # cost_price, cost_pct
    "Commission and slippage from entry to exit, the spread apart."
    fixed = 2 * (costs.slippage_price + costs.commission_per_unit)
    return {"cost_price": fixed, "cost_pct": 2 * costs.commission_pct}


def stop_atr_series(
    bars: pd.DataFrame,  # the candles as they were checked
    entry_bars: pd.DataFrame,  # those setups are found on
    instrument: Instrument,
    config: Config,
    timeframe: str,  # whose ATR14 the policy measures stops with; entry: the setups' own
) -> pd.Series | None:  # by the moment it was known; None where the setups' own is meant, or the bars are too coarse
    "The ATR14 of the stop's timeframe."
    own = infer_timeframe(bars)
    if timeframe in ("entry", infer_timeframe(entry_bars)) or timeframe_ns(timeframe) % timeframe_ns(own):
        return None
    atr = read(at_timeframe(bars, instrument, timeframe), config, instrument=instrument, timeframes=()).columns["atr14"]
    return atr.set_axis(atr.index + pd.Timedelta(timeframe_ns(timeframe), "ns"))


CLOCKS = ("tape", "wall")


def decision_time_ns(
    clock: str,  # one of CLOCKS
    now: str | None,  # with its zone; given by who starts the run
) -> int | None:  # ns UTC; None on a tape
    "The moment of the decisions."
    if clock not in CLOCKS:
        raise BadConfig(f"clock must be one of {', '.join(CLOCKS)}, found {clock!r}{nearest(str(clock), CLOCKS)}")
    if clock == "tape":
        return None
    if now is None:
        raise BadConfig("clock is wall, but there is no current time: run by smcdesk, or give kedro --params now=…")
    try:
        at = pd.Timestamp(now)
    except ValueError:
        at = pd.NaT
    if at is pd.NaT or at.tzinfo is None:
        raise BadConfig(f"now must be a moment with its zone, such as 2024-03-08T10:15:00Z; found {now!r}")
    return at.as_unit("ns").value


REGIME_METHODS = ("rule", "hmm", "none")


def regime_series(
    entry_bars: pd.DataFrame,
    settings: Mapping[str, Any],  # conf's regime: method, rule, hmm
) -> pd.Series | None:  # None where conf says none
    "The regime by the instant from which it is known."
    method = settings["method"]
    if method not in REGIME_METHODS:
        methods = ", ".join(REGIME_METHODS)
        raise BadConfig(f"regime.method must be one of {methods}; found {method!r}{nearest(method, REGIME_METHODS)}")
    rule, step = RegimeConfig.from_dict(settings["rule"]), timeframe_ns(infer_timeframe(entry_bars))
    if method == "none":
        return None
    hmm = method == "hmm"
    found = hmm_regimes(entry_bars, rule, HmmConfig.from_dict(settings["hmm"])) if hmm else regimes(entry_bars, rule)
    return found["regime"].set_axis(entry_bars.index + pd.Timedelta(step, "ns"))


def spread_by_bar(
    bars: pd.DataFrame,
    entry_bars: pd.DataFrame,
    spread: pd.Series | None,  # by bar of `bars`; None: not known
    costs: Costs,
) -> pd.Series:  # ask minus bid by entry bar, price
    "The spread of every bar, the widest of the candles in it; the usual one where none was recorded."
    usual = costs.spread_price
    if spread is None:
        return pd.Series(usual, index=entry_bars.index)
    recorded = spread.reindex(bars.index).fillna(usual)
    bar = entry_bars.index.searchsorted(bars.index, side="right") - 1
    widest = recorded.groupby(bar).max().reindex(range(len(entry_bars))).fillna(usual)
    return widest.set_axis(entry_bars.index)
