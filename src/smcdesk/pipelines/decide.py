"""A reading in; candidates, decisions, and what the store keeps of them out, with what became of the older ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from kedro.pipeline import Pipeline, node

from smcdesk.evaluated import evaluated, outcome_rows
from smcdesk.pipelines import stage
from smcdesk.pipelines.data import profile
from smcdesk.quality import verdicts
from smcdesk.registry import with_scorer
from smclab.account import Account
from smclab.candles import BadConfig, infer_timeframe, nearest, resample, timeframe_ns
from smclab.decision import Decision, decide_all
from smclab.execution import Costs, Rules
from smclab.gates import Context
from smclab.instruments import Instrument
from smclab.news import NewsCalendar
from smclab.policy import Policy
from smclab.reading import Config, Reading, read
from smclab.regime import HmmConfig, RegimeConfig, hmm_regimes, regimes
from smclab.sentiment import Sentiment
from smclab.setups import SetupConfig, candidates

TICKET = ("side", "entry_type", "entry_price", "stop_price", "target_price", "rr_net", "expiry_bars")


def setup_config(said: Mapping[str, Any], htf: str) -> SetupConfig:
    "Which setups count; the higher timeframe is that of the confluence pair."
    if "htf" in said:
        raise BadConfig("setups.htf: the higher timeframe stands in confluence.htf")
    return SetupConfig.from_dict({**said, "htf": htf})


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


def higher_timeframes(said: list[str], htf: str) -> tuple[str, ...]:
    "The timeframes to read above the candles' own; the confluence pair's is one of them."
    if htf not in said:
        raise BadConfig(
            f"confluence.htf must be one of timeframes ({', '.join(said)}), each with its weight in "
            f"reading.bias.weights; found {htf!r}{nearest(htf, said)}"
        )
    return tuple(said)


COSTS = ("spread_typical_x", "slippage_spread_x", "commission_per_unit", "commission_pct")


def trading_costs(
    instrument: Instrument,
    by_class: Mapping[str, Mapping[str, float]],  # conf's costs: asset class -> figures
    bars_side: str,  # which price the candles show: bid, mid, ask
) -> Costs:
    "What trading this instrument costs."
    said = by_class[instrument.asset_class]
    for name in said:
        if name not in COSTS:
            raise BadConfig(f"costs.{instrument.asset_class} has no setting {name!r}{nearest(name, COSTS)}")
    spread = said["spread_typical_x"] * instrument.typical_spread
    return Costs.from_dict({
        "spread_price": spread, "slippage_price": said["slippage_spread_x"] * spread, "bars_side": bars_side,
        "commission_per_unit": said["commission_per_unit"], "commission_pct": said["commission_pct"],
    })  # fmt: skip


def trading_rules(rules: Mapping[str, Any], policy: Policy) -> Rules:
    "How a replay fills orders; the cooldown is the policy's."
    return Rules.from_dict({**rules, "cooldown_bars": policy.cooldown_bars})


def round_trip(
    costs: Costs,
) -> dict[str, float]:  # cost_price, cost_pct
    "Commission and slippage from entry to exit, the spread apart."
    fixed = 2 * (costs.slippage_price + costs.commission_per_unit)
    return {"cost_price": fixed, "cost_pct": 2 * costs.commission_pct}


def stop_noise(
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


def moment(
    clock: str,  # one of CLOCKS
    now: str | None,  # with its zone; given by who starts the run
) -> int | None:  # ns UTC; None on a tape
    "The moment decisions are made at."
    if clock not in CLOCKS:
        raise BadConfig(f"clock must be one of {', '.join(CLOCKS)}, found {clock!r}{nearest(str(clock), CLOCKS)}")
    if clock == "tape":
        return None
    if now is None:
        raise BadConfig("clock is wall, but nobody said what time it is: run by smcdesk, or give kedro --params now=…")
    try:
        at = pd.Timestamp(now)
    except ValueError:
        at = pd.NaT
    if at is pd.NaT or at.tzinfo is None:
        raise BadConfig(f"now must be a moment with its zone, such as 2024-03-08T10:15:00Z; found {now!r}")
    return at.as_unit("ns").value


REGIME_METHODS = ("rule", "hmm", "none")


def regime_by_close(
    entry_bars: pd.DataFrame,
    said: Mapping[str, Any],  # conf's regime: method, rule, hmm
) -> pd.Series | None:  # None where conf says none
    "The regime by the instant from which it is known."
    if said["method"] not in REGIME_METHODS:
        known = ", ".join(REGIME_METHODS)
        raise BadConfig(
            f"regime.method must be one of {known}; found {said['method']!r}{nearest(said['method'], REGIME_METHODS)}"
        )
    rule, step = RegimeConfig.from_dict(said["rule"]), timeframe_ns(infer_timeframe(entry_bars))
    if said["method"] == "none":
        return None
    hmm = said["method"] == "hmm"
    found = hmm_regimes(entry_bars, rule, HmmConfig.from_dict(said["hmm"])) if hmm else regimes(entry_bars, rule)
    return found["regime"].set_axis(entry_bars.index + pd.Timedelta(step, "ns"))


def conditions(
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
    now_ns = moment(clock, now)
    newest = None if now_ns is None else entry_bars.index[-1].as_unit("ns").value
    return Context(
        instrument, account, costs.spread_price, news=news, now_ns=now_ns, last_bar_ns=newest, **round_trip(costs),
        quality=verdicts(bars, instrument), regimes=regime_by_close(entry_bars, regime),
        stop_atr=stop_noise(bars, entry_bars, instrument, config, policy.in_force.risk.stop_atr_timeframe),
    )  # fmt: skip


def advised(
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


def spread_by_bar(
    bars: pd.DataFrame,
    entry_bars: pd.DataFrame,
    spread: pd.Series | None,  # by bar of `bars`; None: not known
    costs: Costs,
) -> pd.Series:  # ask minus bid by entry bar, price
    "The spread of every bar, the widest of those it is made of; the usual one where none was recorded."
    usual = costs.spread_price
    if spread is None:
        return pd.Series(usual, index=entry_bars.index)
    known = spread.reindex(bars.index).fillna(usual)
    bar = entry_bars.index.searchsorted(bars.index, side="right") - 1
    widest = known.groupby(bar).max().reindex(range(len(entry_bars))).fillna(usual)
    return widest.set_axis(entry_bars.index)


def decision_log(decisions: tuple[Decision, ...]) -> pd.DataFrame:
    "One row per decision: its ticket, and the first refusal with its reason."
    said = ("setup_id", "time", "outcome", "grade", "score", "confidence", "why", "next")
    rows = [
        {name: getattr(d, name) for name in said}
        | {"gate": next((v.gate for v in d.verdicts if v.refuses), "")}
        | {name: getattr(d.ticket, name, np.nan) for name in TICKET}
        for d in decisions
    ]
    table = pd.DataFrame(rows, columns=[*said, "gate", *TICKET])
    times = pd.to_datetime(table["time"].astype("int64"), utc=True).astype("datetime64[ns, UTC]")
    words = dict.fromkeys(("setup_id", "outcome", "grade", "why", "next", "gate", "entry_type"), "str")
    numbers = [name for name in (*TICKET, "score", "confidence") if name != "entry_type"]
    return table.assign(time=times).astype(words | dict.fromkeys(numbers, "float64"))


def on_bars(symbol: str) -> list:
    "The nodes to the bars setups are found on; every stage after `data` begins with them."
    made = ["bars", "instrument", "params:confluence.ltf"]
    return [profile(symbol), node(at_timeframe, made, "entry_bars", name="entry_bars")]


def found(symbol: str) -> list:
    "The nodes from a reading to its candidates."
    asked = ["reading", "instrument", "setup_config"]
    return [
        *on_bars(symbol),
        node(setup_config, ["params:setups", "params:confluence.htf"], "setup_config", name="setup_config"),
        node(candidates, asked, "candidates", name="candidates"),
    ]


def priced(symbol: str) -> list:
    "The nodes to the policy, and to what trading costs."
    side = f"params:symbols.{symbol}.bars_side"
    return [
        node(Policy.from_dict, "params:policy", "policy", name="policy"),
        node(trading_costs, ["instrument", "params:costs", side], "costs", name="costs"),
        node(trading_rules, ["params:rules", "policy"], "rules", name="rules"),
    ]


def surrounded(symbol: str) -> list:
    "The nodes from a reading to its candidates and to the world around their decisions."
    world = ("bars", "entry_bars", "instrument", "account", "costs", "news", "policy")
    around = {name: name for name in world} | {"config": "reading_config", "regime": "params:regime"}
    around |= {"clock": "params:clock", "now": "params:now"}
    advice = ["surroundings", "reading", "candidates", "spread_price", "headlines", "params:model.use"]
    return [
        *found(symbol), *priced(symbol),
        node(Config.from_dict, "params:reading", "reading_config", name="reading_config"),
        node(Account.from_dict, "params:account", "account", name="account"),
        node(conditions, around, "surroundings", name="surroundings"),
        node(spread_by_bar, ["bars", "entry_bars", "spread", "costs"], "spread_price", name="spread_price"),
        node(advised, advice, "context", name="context"),
    ]  # fmt: skip


def decided(symbol: str) -> list:
    "The nodes from a reading to its decisions; `model` and `replay` need them too."
    asked = {"reading": "reading", "context": "context", "policy": "policy", "setups": "setup_config"}
    return [
        *surrounded(symbol),
        node(decide_all, asked | {"spread_price": "spread_price"}, "decisions", name="decide"),
        node(decision_log, "decisions", "decision_log", name="decision_log"),
    ]  # fmt: skip


def followed() -> list:
    "The node from labels without an outcome to what became of them."
    later = ["entry_bars", "evaluated", "instrument", "costs", "rules"]
    return [node(outcome_rows, later, "outcomes", name="outcomes")]


def create_pipeline(symbol: str) -> Pipeline:
    "A reading to decisions and labels in the store, and outcomes of labels whose bars are there by now."
    kept = ["decisions", "candidates", "context", "policy", "spread_price"]
    nodes = [
        *decided(symbol),
        node(evaluated, kept, "evaluated", name="evaluate"),
        *followed(),
    ]
    return stage(symbol, nodes)


def create_outcomes(symbol: str) -> Pipeline:
    "The bars there are by now to the outcomes of labels that wait for them."
    return stage(symbol, [*on_bars(symbol), *priced(symbol), *followed()])
