"""The `Context` of a decision, of a whole tape's or of one bar's: the only module that builds one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from smcdesk.decisions.config import DecisionBasis, DecisionConfig
from smcdesk.decisions.inputs import decision_time_ns, regime_series, round_trip_cost, stop_atr_series
from smcdesk.marketdata.quality import verdicts
from smcdesk.modelling import registry
from smclab.account import Account
from smclab.execution import Costs
from smclab.gates import Context
from smclab.instruments import Instrument
from smclab.news import NewsCalendar
from smclab.policy import Policy
from smclab.reader import ReadingNow
from smclab.reading import Reading
from smclab.sentiment import Sentiment
from smclab.setups import candidates
from smclab.timeframes import Config


@dataclass(frozen=True)
class TapeFacts:
    "What the candles alone say about every decision on them, each value from the moment it is known."

    quality: pd.Series  # ok, degraded or bad
    regimes: pd.Series | None
    stop_atr: pd.Series | None


def tape_facts(bars: pd.DataFrame, config: DecisionConfig, timeframe: str) -> TapeFacts:
    "The facts of a series that is decided on its own candles."
    return TapeFacts(
        verdicts(bars, config.instrument, timeframe),
        regime_series(bars, config.regime),
        stop_atr_series(bars, bars, config.instrument, config.reader, config.policy.in_force.risk.stop_atr_timeframe),
    )


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
    "The context of every decision of a tape."
    now_ns = decision_time_ns(clock, now)
    newest = None if now_ns is None else entry_bars.index[-1].as_unit("ns").value
    stop_atr = stop_atr_series(bars, entry_bars, instrument, config, policy.in_force.risk.stop_atr_timeframe)
    return _context(
        instrument, account, costs, news, costs.spread_price, now_ns, newest,
        quality=verdicts(bars, instrument), regimes=regime_series(entry_bars, regime), stop_atr=stop_atr,
    )  # fmt: skip


def bar_context(
    basis: DecisionBasis,
    time: int,  # open label of the bar, ns UTC
    decided_at: int,  # the clock of the decision, ns UTC
    spread_price: float,
    **facts: Any,  # quality or data_quality, regimes, stop_atr: of `TapeFacts`, or of the bar's own past
) -> Context:
    "The context of the decisions at one bar's close, by the clock of the decision."
    config = basis.config
    return _context(
        config.instrument, basis.account.account, config.costs, basis.calendar.news, spread_price, decided_at, time,
        **facts,
    )  # fmt: skip


def bar_facts(at: ReadingNow, config: DecisionConfig, data_quality: str) -> dict[str, Any]:
    "What the candles up to a bar's close say about a decision there: what `TapeFacts` say at that moment."
    timeframe = config.policy.in_force.risk.stop_atr_timeframe
    atr = None
    if timeframe not in ("entry", at.timeframe):
        atr = stop_atr_series(at.bars, at.bars, config.instrument, config.reader, timeframe)
    return {"data_quality": data_quality, "regimes": regime_series(at.bars, config.regime), "stop_atr": atr}


def _context(
    instrument: Instrument,
    account: Account,
    costs: Costs,
    news: NewsCalendar | None,
    spread_price: float,
    now_ns: int | None,
    last_bar_ns: int | None,
    **facts: Any,
) -> Context:
    "A context of the Lab; what a round trip costs is worked out here alone."
    return Context(
        instrument, account, spread_price, news=news, now_ns=now_ns, last_bar_ns=last_bar_ns,
        **round_trip_cost(costs), **facts,
    )  # fmt: skip


def with_model_scores(
    context: Context,
    reading: Reading,
    candidates: pd.DataFrame,
    spread_price: pd.Series,
    headlines: Sentiment | None,
    use: str,
) -> Context:
    "The context with the champion's score of every candidate, where conf asks for it."
    market = (context.instrument.symbol, reading.timeframe)
    return registry.with_scorer(context, reading, candidates, spread_price, use, *market, sentiment=headlines)


def with_live_model_scores(
    context: Context,
    reading: Reading,
    setups: set[str],  # their ids
    basis: DecisionBasis,
    spreads: Callable[[list[int]], Mapping[int, float]],  # bars -> the spread at those that were looked at
    headlines: Sentiment | None,
) -> Context:
    "The context with the champion's score of setups, each at its first bar; the same object where conf asks for none."
    config = basis.config
    if config.model_use == "none":
        return context
    first = candidates(reading, config.instrument, config.setups)
    first = first[first["setup_id"].isin(setups)]
    recorded = spreads(pd.DatetimeIndex(first["time"]).as_unit("ns").asi8.tolist())
    paid = pd.Series(config.costs.spread_price, index=pd.DatetimeIndex(first["time"].unique()))
    paid.update(pd.Series(recorded.values(), pd.DatetimeIndex(list(recorded), tz="UTC"), dtype="float64"))
    return registry.with_scorer(
        context, reading, first, paid, config.model_use, config.instrument.symbol, reading.timeframe,
        sentiment=headlines, version=basis.model_version or "",
    )  # fmt: skip
