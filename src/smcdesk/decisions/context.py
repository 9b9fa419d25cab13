"""The `Context` of a decision, of a whole tape's or of one bar's: the only module that builds one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from smcdesk.decisions.config import DecisionConfig
from smcdesk.decisions.inputs import decision_time_ns, regime_series, round_trip_cost, stop_atr_series
from smcdesk.marketdata.quality import verdicts
from smcdesk.modelling import registry
from smcdesk.modelling.registry import with_scorer
from smclab.execution import Costs
from smclab.gates import Context
from smclab.instruments import Instrument
from smclab.news import NewsCalendar
from smclab.reading import Config, Reading, ReadingNow
from smclab.risk import Account, Policy
from smclab.sentiment import Sentiment
from smclab.setups import candidates


def tape_context(
    bars: pd.DataFrame,
    entry_bars: pd.DataFrame,
    instrument: Instrument,
    account: Account,
    costs: Costs,
    news: NewsCalendar | None,
    policy: Policy,
    config: Config,
    regime: Mapping[str, Any],  # conf's
    clock: str = "tape",
    now: str | None = None,
) -> Context:
    "The world around every decision of the tape."
    now_ns = decision_time_ns(clock, now)
    newest = None if now_ns is None else entry_bars.index[-1].as_unit("ns").value
    return Context(
        instrument, account, costs.spread_price, news=news, now_ns=now_ns, last_bar_ns=newest, **round_trip_cost(costs),
        quality=verdicts(bars, instrument), regimes=regime_series(entry_bars, regime),
        stop_atr=stop_atr_series(bars, entry_bars, instrument, config, policy.in_force.risk.stop_atr_timeframe),
    )  # fmt: skip


def with_model_scores(
    context: Context,
    reading: Reading,
    candidates: pd.DataFrame,
    spread_price: pd.Series,
    headlines: Sentiment | None,
    use: str,
) -> Context:
    "The world with the champion's word on every candidate, where conf asks for it."
    market = (context.instrument.symbol, reading.timeframe)
    return with_scorer(context, reading, candidates, spread_price, use, *market, sentiment=headlines)


def bar_context(
    at: ReadingNow,
    world: DecisionConfig,
    now_ns: int,  # the clock of the decision
    spread_price: float,
    data_quality: str,  # ok, degraded or bad
) -> Context:
    "The world around a decision at the close of the last bar read, by the clock of the decision."
    asked, noise = world.policy.in_force.risk.stop_atr_timeframe, None
    if asked not in ("entry", at.timeframe):
        noise = stop_atr_series(at.bars, at.bars, world.instrument, world.config, asked)
    return Context(
        world.instrument, world.account, spread_price, data_quality=data_quality,
        news=world.news, now_ns=now_ns, last_bar_ns=int(at.times[at.bar]), stop_atr=noise,
        regimes=regime_series(at.bars, world.regime), **round_trip_cost(world.costs),
    )  # fmt: skip


def with_live_model_scores(
    context: Context,
    reading: Reading,
    setups: set[str],  # their ids
    world: DecisionConfig,
    spreads: Callable[[list[int]], Mapping[int, float]],  # bars -> the spread at those that were looked at
    headlines: Sentiment | None,
) -> Context:
    "The world with the champion's word on setups, each as it was when it was seen first; nothing where none is used."
    if world.use == "none":
        return context
    first = candidates(reading, world.instrument, world.setups)
    first = first[first["setup_id"].isin(setups)]
    known = spreads(pd.DatetimeIndex(first["time"]).as_unit("ns").asi8.tolist())
    paid = pd.Series(world.costs.spread_price, index=pd.DatetimeIndex(first["time"].unique()))
    paid.update(pd.Series(known.values(), pd.DatetimeIndex(list(known), tz="UTC"), dtype="float64"))
    market, version = (world.instrument.symbol, reading.timeframe), world.champions.get(reading.timeframe, "")
    return registry.with_scorer(
        context, reading, first, paid, world.use, *market, sentiment=headlines, version=version
    )  # fmt: skip
