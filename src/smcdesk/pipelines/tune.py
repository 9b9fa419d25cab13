"""A tape in; the best structure of a search out, and what it is worth on days nobody chose by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from kedro.pipeline import Pipeline, node

from smcdesk import figures
from smcdesk.decisions.inputs import higher_timeframes
from smcdesk.pipelines.namespace import namespaced
from smcdesk.pipelines.sweep import tape_nodes
from smcdesk.research import tuning
from smcdesk.research.sweep import SelectedRun
from smcdesk.research.tape import ResearchTape
from smcdesk.research.tuning import TunableTape, TuneConfig, Tuned


def market(
    tape: ResearchTape, reading: Mapping[str, Any], setups: Mapping[str, Any], htf: str, timeframes: tuple[str, ...]
) -> TunableTape:
    "The tape with conf's way of reading it, which each trial of the search changes."
    return TunableTape(tape, reading, {**setups, "htf": htf}, timeframes)


def tuned(market: TunableTape, conf: Mapping[str, Any], n_boot: int, seed: int, storage: str) -> Tuned:
    "The search."
    config = TuneConfig.from_dict({k: v for k, v in conf.items() if k not in ("space", "tried_before")})
    how = {"n_boot": n_boot, "seed": seed, "tried_before": conf.get("tried_before", 0), "storage": storage or None}
    return tuning.tune(market, conf["space"], config, **how)


def parts(tuned: Tuned) -> tuple[pd.DataFrame, pd.DataFrame, list[SelectedRun], str]:
    "Trials, figures, the runs on the holdout, and the search in words."
    return tuned.trials.reset_index(), tuned.summary.reset_index(), tuned.runs, tuning.verdict(tuned)


def metrics(tuned: Tuned) -> dict[str, dict[str, float]]:
    "The figures that have a value, as MLflow metrics."
    return {name: {"value": float(v), "step": 0} for name, v in tuned.summary["value"].items() if pd.notna(v)}


def create_pipeline(symbol: str) -> Pipeline:
    "A reading to a search over other readings."
    again = ["tape", "params:reading", "params:setups", "params:confluence.htf", "timeframes"]
    inputs = ["market", "params:tune", "params:scorecard.n_boot", "params:seed", "trial_storage"]
    nodes = [
        *tape_nodes(symbol),
        node(higher_timeframes, ["params:timeframes", "params:confluence.htf"], "timeframes", name="timeframes"),
        node(market, again, "market", name="market"),
        node(tuned, inputs, "tuned", name="tune"),
        node(parts, "tuned", ["trials", "tune_summary", "tune_runs", "tune_words"], name="tune_tables"),
        node(metrics, "tuned", "tune_metrics", name="tune_metrics"),
        node(figures.trials, "trials", "tune_chart", name="tune_chart"),
    ]
    return namespaced(symbol, nodes)
