"""A reading in; candidates, decisions, and their rows for the store out, with the outcomes of older ones."""

from __future__ import annotations

import pandas as pd
from kedro.pipeline import Pipeline, node

from smcdesk.decisions.context import tape_context, with_model_scores
from smcdesk.decisions.inputs import at_timeframe, fill_rules, setup_config, spread_by_bar, trading_costs
from smcdesk.decisions.records import decision_log, evaluate_tape, outcome_rows
from smcdesk.pipelines.data import profile
from smcdesk.pipelines.namespace import namespaced
from smclab.account import Account
from smclab.decision import Decision, decide_all
from smclab.gates import Context
from smclab.policy import Policy
from smclab.reading import Reading
from smclab.setups import SetupConfig, candidates
from smclab.timeframes import Config


def entry_bars_nodes(symbol: str) -> list:
    "The nodes to the bars setups are found on; every stage after `data` begins with them."
    inputs = ["bars", "instrument", "params:confluence.ltf"]
    return [profile(symbol), node(at_timeframe, inputs, "entry_bars", name="entry_bars")]


def candidate_nodes(symbol: str) -> list:
    "The nodes from a reading to its candidates."
    inputs = ["reading", "instrument", "setup_config"]
    return [
        *entry_bars_nodes(symbol),
        node(setup_config, ["params:setups", "params:confluence.htf"], "setup_config", name="setup_config"),
        node(candidates, inputs, "candidates", name="candidates"),
    ]


def cost_nodes(symbol: str) -> list:
    "The nodes to the policy, and to what trading costs."
    side = f"params:symbols.{symbol}.bars_side"
    return [
        node(Policy.from_dict, "params:policy", "policy", name="policy"),
        node(trading_costs, ["instrument", "params:costs", side], "costs", name="costs"),
        node(fill_rules, ["params:rules", "policy"], "rules", name="rules"),
    ]


def context_nodes(symbol: str) -> list:
    "The nodes from a reading to its candidates and to the context of their decisions."
    names = ("bars", "entry_bars", "instrument", "account", "costs", "news", "policy")
    inputs = {name: name for name in names} | {"config": "reading_config", "regime": "params:regime"}
    inputs |= {"clock": "params:clock", "now": "params:now"}
    advice = ["surroundings", "reading", "candidates", "spread_price", "headlines", "params:model.use"]
    return [
        *candidate_nodes(symbol), *cost_nodes(symbol),
        node(Config.from_dict, "params:reading", "reading_config", name="reading_config"),
        node(Account.from_dict, "params:account", "account", name="account"),
        node(tape_context, inputs, "surroundings", name="surroundings"),
        node(spread_by_bar, ["bars", "entry_bars", "spread", "costs"], "spread_price", name="spread_price"),
        node(with_model_scores, advice, "context", name="context"),
    ]  # fmt: skip


def decision_nodes(symbol: str) -> list:
    "The nodes from a reading to its decisions; `model` and `replay` need them too."
    inputs = {"reading": "reading", "context": "context", "policy": "policy", "setups": "setup_config"}
    return [
        *context_nodes(symbol),
        node(decide_all, inputs | {"spread_price": "spread_price"}, "decisions", name="decide"),
        node(decision_log, "decisions", "decision_log", name="decision_log"),
    ]  # fmt: skip


def pending_reviews(
    reading: Reading, context: Context, policy: Policy, setups: SetupConfig, spread_price: pd.Series
) -> tuple[Decision, ...]:
    "The decisions about limits that wait, bar after bar: they say where a wait is over, and where a gate turns."
    return decide_all(reading, context, policy, setups=setups, spread_price=spread_price, pending=True)


def review_nodes() -> list:
    "The node that reviews limits that wait, for orders and for outcomes."
    inputs = ["reading", "context", "policy", "setup_config", "spread_price"]
    return [node(pending_reviews, inputs, "reviews", name="review_limits")]


def outcome_nodes() -> list:
    "The nodes that fill in the outcome of labels that have none."
    later = ["entry_bars", "evaluated", "instrument", "costs", "rules", "reviews"]
    return [*review_nodes(), node(outcome_rows, later, "outcomes", name="outcomes")]


def create_pipeline(symbol: str) -> Pipeline:
    "A reading to decisions and labels in the store, and outcomes of labels whose bars are there by now."
    inputs = ["decisions", "candidates", "context", "policy", "spread_price"]
    nodes = [
        *decision_nodes(symbol),
        node(evaluate_tape, inputs, "evaluated", name="evaluate"),
        *outcome_nodes(),
    ]
    return namespaced(symbol, nodes)


def create_outcomes(symbol: str) -> Pipeline:
    "The bars and the reading there are by now to the outcomes of labels that wait for them."
    return namespaced(symbol, [*context_nodes(symbol), *outcome_nodes()])
