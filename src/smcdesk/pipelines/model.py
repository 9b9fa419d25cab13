"""Setups and the bars after them in; whether the score beats the base rate out."""

from __future__ import annotations

import pandas as pd
from kedro.pipeline import Pipeline, node

from smcdesk.pipelines import stage
from smcdesk.pipelines.decide import decided
from smclab.candles import timeframe_ns
from smclab.execution import Costs, Rules
from smclab.instruments import Instrument
from smclab.labels import barrier_outcomes
from smclab.model import Result, score_vs_base_rate
from smclab.reading import Reading
from smclab.risk import Policy


def setup_labels(
    bars: pd.DataFrame,
    candidates: pd.DataFrame,
    decision_log: pd.DataFrame,  # the tickets
    instrument: Instrument,
    policy: Policy,
    costs: Costs,
    rules: Rules,
) -> pd.DataFrame:  # one row per setup that has a ticket, traded or not: score, ticket, outcome
    "What became of every ticket, live, shadow or not to be traded at all."
    ticket = ["entry_type", "entry_price", "stop_price", "target_price", "expiry_bars"]
    tickets = decision_log[["setup_id", "outcome", *ticket]].rename(columns={"outcome": "decided"})
    known = candidates[["setup_id", "side", "known_bar", "known_close", "score"]]
    rows = known.merge(tickets, on="setup_id", validate="one_to_one")
    rows = rows[rows["stop_price"].notna()].reset_index(drop=True)
    how = {"time_limit_bars": policy.time_limit_bars, "tick": instrument.tick, "through_ticks": rules.through_ticks}
    return rows.join(barrier_outcomes(bars, rows, costs=costs, **how))


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
    "The result's figures as MLflow counts them."
    return {name: {"value": value, "step": 0} for name, value in result.metrics().items()}


def create_pipeline(symbol: str) -> Pipeline:
    "Tickets to outcomes, and what the score knew of them."
    lived = ["entry_bars", "candidates", "decision_log", "instrument", "policy", "costs", "rules"]
    tuned = ["params:model.test_frac", "params:model.embargo_bars", "params:scorecard.n_boot", "params:seed"]
    nodes = [
        *decided(symbol),
        node(setup_labels, lived, "labels", name="labels"),
        node(judged, ["labels", "reading", *tuned], "model", name="model"),
        node(model_metrics, "model", "model_metrics", name="model_metrics"),
    ]
    return stage(symbol, nodes)
