"""A reading in; decisions, orders, trades, a scorecard and pictures out."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import pandas as pd
from kedro.pipeline import Pipeline, node

from smcdesk import figures
from smcdesk.pipelines.decide import decision_nodes, review_nodes
from smcdesk.pipelines.namespace import namespaced
from smclab.account import Account
from smclab.decision import Decision
from smclab.execution import Costs, Rules, intents
from smclab.instruments import Instrument
from smclab.parity import verify
from smclab.policy import Policy
from smclab.replay import Ledger, replay
from smclab.scorecard import daily_returns, scorecard
from smclab.sweep import ambiguity_bounds


def max_risk(policy: Policy) -> float:  # % of equity
    "The most any trade may risk at the price it is filled."
    return policy.in_force.risk.max_risk_pct


SENT = ("decisions", "reviews", "entry_bars", "policy", "params:orders")  # what orders are made of


def orders(
    decisions: tuple[Decision, ...],
    reviews: tuple[Decision, ...],
    bars: pd.DataFrame,
    policy: Policy,
    how: Mapping[str, Any],
) -> pd.DataFrame:
    "The live decisions as intents, in the modes and with the exits conf asks for."
    return intents(decisions, bars, reviews=reviews, policy=policy, **how)


def entry_mode_comparison(
    decisions: tuple[Decision, ...],
    reviews: tuple[Decision, ...],
    bars: pd.DataFrame,
    policy: Policy,
    how: Mapping[str, Any],  # conf's orders
    instrument: Instrument,
    account: Account,
    costs: Costs,
    rules: Rules,
    max_risk_pct: float,
    n_boot: int,
    seed: int,
) -> pd.DataFrame:  # one row per way to enter: orders, trades, win_rate_pct, expectancy_r with its interval, costs_r
    "The same decisions entered at the candle's close, by a waiting limit, and by both, on the same tape."
    game = {"instrument": instrument, "account": account, "costs": costs, "rules": rules, "max_risk_pct": max_risk_pct}
    rows = {}
    for name, modes in {
        "candle_close": ["candle_close"],
        "limit": ["limit"],
        "both": ["candle_close", "limit"],
    }.items():
        sent = orders(decisions, reviews, bars, policy, {**how, "modes": modes})
        found = card(replay(bars, sent, **game), bars, instrument, n_boot, seed)
        r, value = found.loc["expectancy_r"], found["value"]
        rows[name] = {
            "orders_n": len(sent), "trades_n": int(value["trades_n"]), "win_rate_pct": value["win_rate_pct"],
            "expectancy_r": r["value"], "low": r["low"], "high": r["high"], "costs_r": value["costs_r"],
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")


def backtrader_check(
    ledger: Ledger, bars: pd.DataFrame, intents: pd.DataFrame, instrument: Instrument, costs: Costs
) -> str:
    "Whether backtrader fills the same orders to the same trades, in one line."
    if find_spec("backtrader") is None:
        return "not verified: backtrader is not installed (pip install 'smclab[backtrader]')"
    return str(verify(ledger, bars, intents, instrument=instrument, costs=costs))


def card(ledger: Ledger, bars: pd.DataFrame, instrument: Instrument, n_boot: int, seed: int) -> pd.DataFrame:
    "The ledger's scorecard, by the instrument's own trading day."
    return scorecard(ledger, bars, zone=instrument.zone, roll_hour=instrument.roll_hour, n_boot=n_boot, seed=seed)


def returns(ledger: Ledger, instrument: Instrument) -> pd.DataFrame:
    "The ledger's return on every trading day, by the instrument's own day."
    day = {"zone": instrument.zone, "roll_hour": instrument.roll_hour}
    return daily_returns(ledger.equity, start_equity=ledger.start_equity, **day).to_frame()


def metrics(card: pd.DataFrame) -> dict[str, dict[str, float]]:
    "Every figure of the scorecard that has a value, as MLflow metrics."
    return {name: {"value": float(v), "step": 0} for name, v in card["value"].items() if pd.notna(v)}


def order_nodes(symbol: str) -> list:
    "The nodes from a reading to its orders; the portfolio begins with them."
    return [
        *decision_nodes(symbol),
        *review_nodes(),
        node(orders, [*SENT], "intents", name="intents"),
    ]


def create_pipeline(symbol: str) -> Pipeline:
    "A reading to a ledger, and what it is worth."
    game = {name: name for name in ("intents", "instrument", "account", "costs", "rules", "max_risk_pct")}
    game["bars"] = "entry_bars"
    played = ["instrument", "account", "costs", "rules", "max_risk_pct"]
    tuned = ["params:scorecard.n_boot", "params:seed"]
    counted = ["ledger", "entry_bars", "instrument", "params:scorecard.n_boot", "params:seed"]
    checked = ["ledger", "entry_bars", "intents", "instrument", "costs"]
    seen = ["reading", "ledger", "provenance", "params:charts.n_bars"]
    nodes = [
        *order_nodes(symbol),
        node(max_risk, "policy", "max_risk_pct", name="max_risk"),
        node(replay, game, "ledger", name="replay"),
        node(ambiguity_bounds, game, "honesty", name="honesty"),
        node(entry_mode_comparison, [*SENT, *played, *tuned], "entry_mode_comparison", name="entry_mode_comparison"),
        node(backtrader_check, checked, "backtrader_check", name="backtrader_check"),
        node(card, counted, "scorecard", name="scorecard"),
        node(metrics, "scorecard", "metrics", name="metrics"),
        node(returns, ["ledger", "instrument"], "daily_returns", name="daily_returns"),
        node(figures.structure, seen, "structure_chart", name="structure_chart"),
        node(figures.equity, "ledger", "equity_chart", name="equity_chart"),
    ]
    return namespaced(symbol, nodes)
