"""A reading in; decisions, orders, trades, a scorecard and pictures out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from kedro.pipeline import Pipeline, node

from smcdesk import pictures
from smcdesk.pipelines import stage
from smcdesk.pipelines.data import profile
from smclab.candles import Quality
from smclab.decision import Decision, decide_all
from smclab.execution import Costs, Rules, intents
from smclab.gates import Context
from smclab.instruments import Instrument
from smclab.replay import Ledger, honesty, replay
from smclab.risk import Account, Policy
from smclab.scorecard import scorecard
from smclab.setups import SetupConfig

TICKET = ("side", "entry_price", "stop_price", "target_price", "rr_net")


def trading_costs(
    instrument: Instrument,
    by_class: Mapping[str, Mapping[str, float]],  # conf's costs: asset class -> figures
    bars_side: str,  # which price the candles show: bid, mid, ask
) -> Costs:
    "What trading this instrument costs."
    said = by_class[instrument.asset_class]
    spread = said["spread_typical_x"] * instrument.typical_spread
    return Costs.from_dict({
        "spread_price": spread, "slippage_price": said["slippage_spread_x"] * spread, "bars_side": bars_side,
        "commission_per_unit": said["commission_per_unit"], "commission_pct": said["commission_pct"],
    })  # fmt: skip


def trading_rules(rules: Mapping[str, Any], policy: Policy) -> Rules:
    "How a replay fills orders; the cooldown is the policy's."
    return Rules.from_dict({**rules, "cooldown_bars": policy.cooldown_bars})


def conditions(instrument: Instrument, account: Account, costs: Costs, quality: Quality) -> Context:
    "The world around every decision of the tape."
    return Context(instrument, account, costs.spread_price, quality.verdict)


def decision_log(decisions: tuple[Decision, ...]) -> pd.DataFrame:
    "One row per decision: its ticket, and the first refusal with its reason."
    said = ("setup_id", "time", "outcome", "why", "next")
    rows = [
        {name: getattr(d, name) for name in said}
        | {"gate": next((v.gate for v in d.verdicts if v.refuses), "")}
        | {name: getattr(d.ticket, name, np.nan) for name in TICKET}
        for d in decisions
    ]
    table = pd.DataFrame(rows, columns=[*said, "gate", *TICKET])
    times = pd.to_datetime(table["time"].astype("int64"), utc=True).astype("datetime64[ns, UTC]")
    words = dict.fromkeys(("setup_id", "outcome", "why", "next", "gate"), "str")
    return table.assign(time=times).astype(words | dict.fromkeys(TICKET, "float64"))


def card(ledger: Ledger, bars: pd.DataFrame, instrument: Instrument, n_boot: int, seed: int) -> pd.DataFrame:
    "The ledger's scorecard, by the instrument's own trading day."
    return scorecard(ledger, bars, zone=instrument.zone, roll_hour=instrument.roll_hour, n_boot=n_boot, seed=seed)


def metrics(card: pd.DataFrame) -> dict[str, dict[str, float]]:
    "Every figure of the scorecard that has a value, as MLflow counts them."
    return {name: {"value": float(v), "step": 0} for name, v in card["value"].items() if pd.notna(v)}


def decided(symbol: str) -> list:
    "The nodes from a reading to its decisions; `model` needs them too."
    side = f"params:symbols.{symbol}.bars_side"
    asked = {"reading": "reading", "context": "context", "policy": "policy", "setups": "setup_config"}
    return [
        profile(symbol),
        node(Account.from_dict, "params:account", "account", name="account"),
        node(Policy.from_dict, "params:policy", "policy", name="policy"),
        node(SetupConfig.from_dict, "params:setups", "setup_config", name="setup_config"),
        node(trading_costs, ["instrument", "params:costs", side], "costs", name="costs"),
        node(conditions, ["instrument", "account", "costs", "quality"], "context", name="context"),
        node(decide_all, asked, "decisions", name="decide"),
        node(decision_log, "decisions", "decision_log", name="decision_log"),
    ]


def create_pipeline(symbol: str) -> Pipeline:
    "A reading to a ledger, and what it is worth."
    game = {name: name for name in ("bars", "intents", "instrument", "account", "costs", "rules")}
    game["max_risk_pct"] = "params:policy.max_risk_pct"
    counted = ["ledger", "bars", "instrument", "params:scorecard.n_boot", "params:seed"]
    seen = ["reading", "ledger", "provenance", "params:charts.n_bars"]
    nodes = [
        *decided(symbol),
        node(trading_rules, ["params:rules", "policy"], "rules", name="rules"),
        node(intents, ["decisions", "bars"], "intents", name="intents"),
        node(replay, game, "ledger", name="replay"),
        node(honesty, game, "honesty", name="honesty"),
        node(card, counted, "scorecard", name="scorecard"),
        node(metrics, "scorecard", "metrics", name="metrics"),
        node(pictures.structure, seen, "structure_chart", name="structure_chart"),
        node(pictures.equity, "ledger", "equity_chart", name="equity_chart"),
    ]
    return stage(symbol, nodes)
