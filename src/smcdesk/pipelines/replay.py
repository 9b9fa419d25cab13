"""A reading in; decisions, orders, trades, a scorecard and pictures out."""

from __future__ import annotations

import pandas as pd
from kedro.pipeline import Pipeline, node

from smcdesk import pictures
from smcdesk.pipelines import stage
from smcdesk.pipelines.decide import decided
from smclab.execution import intents
from smclab.instruments import Instrument
from smclab.replay import Ledger, honesty, replay
from smclab.risk import Policy
from smclab.scorecard import daily_returns, scorecard


def max_risk(policy: Policy) -> float:  # % of equity
    "The most any trade may risk at the price it is filled."
    return policy.in_force.risk.max_risk_pct


def card(ledger: Ledger, bars: pd.DataFrame, instrument: Instrument, n_boot: int, seed: int) -> pd.DataFrame:
    "The ledger's scorecard, by the instrument's own trading day."
    return scorecard(ledger, bars, zone=instrument.zone, roll_hour=instrument.roll_hour, n_boot=n_boot, seed=seed)


def returns(ledger: Ledger, instrument: Instrument) -> pd.DataFrame:
    "The ledger's return on every trading day, by the instrument's own day."
    day = {"zone": instrument.zone, "roll_hour": instrument.roll_hour}
    return daily_returns(ledger.equity, start_equity=ledger.start_equity, **day).to_frame()


def metrics(card: pd.DataFrame) -> dict[str, dict[str, float]]:
    "Every figure of the scorecard that has a value, as MLflow counts them."
    return {name: {"value": float(v), "step": 0} for name, v in card["value"].items() if pd.notna(v)}


def create_pipeline(symbol: str) -> Pipeline:
    "A reading to a ledger, and what it is worth."
    game = {name: name for name in ("intents", "instrument", "account", "costs", "rules", "max_risk_pct")}
    game["bars"] = "entry_bars"
    counted = ["ledger", "entry_bars", "instrument", "params:scorecard.n_boot", "params:seed"]
    seen = ["reading", "ledger", "provenance", "params:charts.n_bars"]
    nodes = [
        *decided(symbol),
        node(max_risk, "policy", "max_risk_pct", name="max_risk"),
        node(intents, ["decisions", "entry_bars"], "intents", name="intents"),
        node(replay, game, "ledger", name="replay"),
        node(honesty, game, "honesty", name="honesty"),
        node(card, counted, "scorecard", name="scorecard"),
        node(metrics, "scorecard", "metrics", name="metrics"),
        node(returns, ["ledger", "instrument"], "daily_returns", name="daily_returns"),
        node(pictures.structure, seen, "structure_chart", name="structure_chart"),
        node(pictures.equity, "ledger", "equity_chart", name="equity_chart"),
    ]
    return stage(symbol, nodes)
