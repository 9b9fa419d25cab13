"""Setups and the bars after them in; whether the score beats the base rate, and a challenger for the champion, out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from kedro.pipeline import Pipeline, node

from smcdesk import figures
from smcdesk.decisions.records import with_wait_ends
from smcdesk.modelling import training
from smcdesk.modelling.registry import Champion, ModelCandidate
from smcdesk.modelling.trading_value import TradingTest
from smcdesk.modelling.training import Training
from smcdesk.pipelines.decide import decision_nodes, review_nodes
from smcdesk.pipelines.namespace import namespaced
from smclab.candles import infer_timeframe, timeframe_ns
from smclab.decision import Decision
from smclab.execution import Costs, Rules
from smclab.features import features
from smclab.gates import Context
from smclab.instruments import Instrument
from smclab.labels import barrier_outcomes
from smclab.policy import Policy
from smclab.reading import Reading
from smclab.score_test import Result, score_vs_base_rate
from smclab.sentiment import Sentiment
from smclab.setups import SetupConfig


def setup_labels(
    bars: pd.DataFrame,
    candidates: pd.DataFrame,
    decision_log: pd.DataFrame,  # the tickets
    instrument: Instrument,
    policy: Policy,
    costs: Costs,
    rules: Rules,
    reviews: tuple[Decision, ...],  # at limits that wait, bar after bar
) -> pd.DataFrame:  # one row per setup that has a ticket, traded or not: score, ticket, outcome
    "The outcome of every ticket, live, shadow or not to be traded at all."
    ticket = ["entry_type", "entry_price", "stop_price", "target_price", "expiry_bars"]
    tickets = decision_log[["setup_id", "outcome", *ticket]].rename(columns={"outcome": "decided"})
    setups = candidates[["setup_id", "side", "known_bar", "known_close", "score"]]
    rows = setups.merge(tickets, on="setup_id", validate="one_to_one")
    rows = rows[rows["stop_price"].notna()].reset_index(drop=True)
    rows = with_wait_ends(rows, bars, reviews, set(rows.loc[rows["decided"] == "live", "setup_id"]))
    how = {"time_limit_bars": policy.time_limit_bars, "tick": instrument.tick, "through_ticks": rules.through_ticks}
    return rows.drop(columns="expiry_bar").join(barrier_outcomes(bars, rows, costs=costs, **how))


def judged(
    labels: pd.DataFrame,
    reading: Reading,
    test_frac: float,
    embargo_bars: int,
    n_boot: int,
    seed: int,
) -> Result:
    "The score against the base rate on the later setups."
    return score_vs_base_rate(
        labels, labels["outcome"], labels["known_close"], labels["end_time"], test_frac=test_frac,
        embargo_ns=embargo_bars * timeframe_ns(reading.timeframe), seed=seed, n_boot=n_boot,
    )  # fmt: skip


def model_metrics(result: Result) -> dict[str, dict[str, float]]:
    "The result's figures as MLflow metrics."
    return {name: {"value": value, "step": 0} for name, value in result.metrics().items()}


def feature_rows(
    reading: Reading, candidates: pd.DataFrame, context: Context, spread_price: pd.Series, headlines: Sentiment | None
) -> pd.DataFrame:
    "Every candidate as numbers known at its close."
    conditions = {"news": context.news, "spread_price": spread_price, "regime": context.regimes, "sentiment": headlines}
    return features(reading, candidates, instrument=context.instrument, **conditions)


def trial(
    reading: Reading,
    bars: pd.DataFrame,
    context: Context,
    policy: Policy,
    setups: SetupConfig,
    spread_price: pd.Series,
    orders: Mapping[str, Any],
    costs: Costs,
    rules: Rules,
    n_boot: int,
    seed: int,
) -> TradingTest:
    "The tape a challenger is traded on."
    return TradingTest(reading, bars, context, policy, setups, spread_price, orders, costs, rules, n_boot, seed)


def challenged(
    rows: pd.DataFrame,
    candidates: pd.DataFrame,
    labels: pd.DataFrame,
    find: Callable[[str], Champion | None],
    trial: TradingTest,
    search: Mapping[str, Any],
    embargo_bars: int,
    n_boot: int,
    seed: int,
) -> tuple[tuple[ModelCandidate, ...], Training]:
    "A challenger, and the figures of its training."
    config = training.model_config(search, embargo_bars, infer_timeframe(trial.bars), n_boot, seed)
    return training.train_challenger(rows, candidates, labels, find, trial, config)


def dictionary(rows: pd.DataFrame) -> str:
    "What every column of the feature rows means, as JSON."
    return training.dictionary(list(rows.columns))


def label_nodes(symbol: str) -> list:
    "The nodes from a reading to the outcome of every ticket, and to the test of the score on them."
    lived = ["entry_bars", "candidates", "decision_log", "instrument", "policy", "costs", "rules", "reviews"]
    tuned = ["params:model.test_frac", "params:model.embargo_bars", "params:scorecard.n_boot", "params:seed"]
    return [
        *decision_nodes(symbol),
        *review_nodes(),
        node(setup_labels, lived, "labels", name="labels"),
        node(judged, ["labels", "reading", *tuned], "model", name="model"),
        node(model_metrics, "model", "model_metrics", name="model_metrics"),
    ]


def create_labels(symbol: str) -> Pipeline:
    "Tickets to outcomes, and the test of the score on them."
    return namespaced(symbol, label_nodes(symbol))


def create_pipeline(symbol: str) -> Pipeline:
    "Features and outcomes to a challenger, judged, registered, promoted or kept."
    tape = [
        "reading",
        "entry_bars",
        "context",
        "policy",
        "setup_config",
        "spread_price",
        "params:orders",
        "costs",
        "rules",
    ]
    drawn = ["params:scorecard.n_boot", "params:seed"]
    seen = ["reading", "candidates", "context", "spread_price", "headlines"]
    learnt = ["feature_rows", "candidates", "labels", "champion", "trial"]
    tuned = ["params:model.search", "params:model.embargo_bars", *drawn]
    nodes = [
        *label_nodes(symbol),
        node(feature_rows, seen, "feature_rows", name="feature_rows"),
        node(dictionary, "feature_rows", "dictionary", name="dictionary"),
        node(trial, [*tape, *drawn], "trial", name="trial"),
        node(challenged, [*learnt, *tuned], ["challenger", "training"], name="challenge"),
        node(training.metrics, "training", "training_metrics", name="training_metrics"),
        node(figures.calibration, "training", "calibration_chart", name="calibration_chart"),
        node(figures.importance, "training", "importance_chart", name="importance_chart"),
    ]
    return namespaced(symbol, nodes)
