"""A grid in; what choosing from it by the past would have earned out, window by window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from kedro.pipeline import Pipeline, node

from smcdesk import figures
from smcdesk.pipelines.namespace import namespaced
from smcdesk.pipelines.sweep import grid_nodes
from smcdesk.research import walkforward
from smcdesk.research.sweep import SelectedRun, Sweep
from smcdesk.research.tape import ResearchTape
from smclab.walkforward import Study, study


def judged(sweep: Sweep, windows: Mapping[str, Any], tried_before: int, n_boot: int, seed: int) -> Study:
    "Walk-forward, cross-validation and selection bias of the grid; combinations that were ruined are left out."
    return study(
        sweep.whole, windows, longest_trade_days=sweep.longest_trade_days, tried_before=tried_before, n_boot=n_boot,
        seed=seed,
    )  # fmt: skip


def folds(
    tape: ResearchTape, sweep: Sweep, study: Study, n_boot: int, seed: int, work: Mapping[str, Any]
) -> tuple[list[SelectedRun], pd.DataFrame]:
    "Every window's choice played again from flat, and their test days in one row."
    how = {k: v for k, v in work.items() if k != "block"}
    done = walkforward.folds(tape, sweep, study, n_boot=n_boot, seed=seed, **how)
    return done, walkforward.concat_folds(done).to_frame()


def metrics(study: Study) -> dict[str, dict[str, float]]:
    "The study's summary as MLflow metrics."
    return {name: {"value": float(v), "step": 0} for name, v in study.summary["value"].items() if pd.notna(v)}


def parts(study: Study) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    "Summary, windows and cross-validation's paths."
    return study.summary.reset_index(), study.windows, study.paths.reset_index()


def create_pipeline(symbol: str) -> Pipeline:
    "A reading to a judged study."
    inputs = ["sweep", "params:walkforward", "params:sweep.tried_before", "params:scorecard.n_boot", "params:seed"]
    played = ["tape", "sweep", "study", "params:scorecard.n_boot", "params:seed", "params:work"]
    nodes = [
        *grid_nodes(symbol),
        node(judged, inputs, "study", name="study"),
        node(parts, "study", ["study_summary", "study_windows", "study_paths"], name="study_tables"),
        node(metrics, "study", "study_metrics", name="study_metrics"),
        node(folds, played, ["walkforward_runs", "walkforward_returns"], name="folds"),
        node(figures.walkforward_equity, ["walkforward_returns", "study_windows"], "walk_chart", name="walk_chart"),
    ]
    return namespaced(symbol, nodes)
