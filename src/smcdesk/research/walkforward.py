"""Every window's choice of a walk-forward played again on its test days."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd

from smcdesk.research.sweep import SelectedRun, Sweep, selected_run
from smcdesk.research.tape import ResearchTape
from smcdesk.research.workers import run_units
from smclab.scorecard import trading_days
from smclab.walkforward import Study

_FOLD_METRICS = (
    "train_days_n", "test_days_n", "train_sharpe_annual", "test_sharpe_annual", "train_return_pct_year",
    "test_return_pct_year", "test_place", "neighbours_sharpe_annual",
)  # fmt: skip


def fold_bars(tape: ResearchTape, windows: pd.DataFrame) -> list[tuple[int, int]]:
    "The bars of every window's test days: first, and one after the last."
    days = trading_days(tape.bars.index, **tape.day)
    starts, ends = days.searchsorted(windows["test_from"]), days.searchsorted(windows["test_to"], side="right")
    return [(int(a), int(b)) for a, b in zip(starts, ends, strict=True)]


def folds(
    tape: ResearchTape,
    sweep: Sweep,
    study: Study,
    *,
    n_boot: int,
    seed: int,
    **how: Any,  # as `run_units`: engine, jobs, scheduler
) -> list[SelectedRun]:
    "Every window's choice played again from flat on its test days, with the account's first equity."
    rows = [study.windows["combination_row"].iloc[k] for k in range(len(study.windows))]
    at = sweep.figures.index.get_indexer(sweep.whole.index[rows])
    units = [
        (tape, sweep.combinations[row], fold, bars, n_boot, seed)
        for fold, (row, bars) in enumerate(zip(at, fold_bars(tape, study.windows), strict=True))
    ]
    done = run_units(f"{tape.symbol} folds", selected_run, units, large=(ResearchTape,), **how)
    metrics = study.windows[list(_FOLD_METRICS)].astype(float).to_dict("records")
    return [dataclasses.replace(fold, metrics=row) for fold, row in zip(done, metrics, strict=True)]


def concat_folds(folds: list[SelectedRun]) -> pd.Series:
    "The test days of all folds in one row."
    return pd.concat([fold.daily_returns for fold in folds]).rename("daily_return")
