"""The pipelines this project has, each once per symbol."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline

from smcdesk.pipelines import data, decide, feature, model, portfolio, replay, sweep, tune, walkforward
from smcdesk.project.config import check_symbol, load_config

STAGES = {
    "data": data.create_pipeline, "feature": feature.create_pipeline, "decide": decide.create_pipeline,
    "outcomes": decide.create_outcomes, "labels": model.create_labels, "replay": replay.create_pipeline,
}  # fmt: skip
STUDIES = {
    "sweep": sweep.create_pipeline, "walkforward": walkforward.create_pipeline, "tune": tune.create_pipeline,
    "model": model.create_pipeline,
}  # fmt: skip
_symbols: tuple[str, ...] = ()
_together: tuple[str, ...] = ()  # those that share an account

# Kedro calls `register_pipelines` without arguments and keeps what it returns in one object of the process, so that the
# symbols of a run can only stand in this module; kedro-mlflow keeps the id of the active run in the same way. Whoever
# runs pipelines in this process holds this lock from before the symbols are chosen until the last node is done.
run_lock = threading.Lock()


def select_symbols(symbols: Iterable[str], together: Iterable[str] = ()) -> None:
    "Build for these symbols from now on (the context hook calls it); `together`: those in the portfolio, else all."
    global _symbols, _together
    every = tuple(symbols)
    shared = tuple(check_symbol(s, every) for s in together) or every
    if (every, shared) != (_symbols, _together):
        _symbols, _together = every, shared
        pipelines.configure(__name__)


def register_pipelines() -> dict[str, Pipeline]:
    "Each stage and each study over all symbols; `__default__` is the whole road, without studies."
    symbols = _symbols or tuple(load_config().parameters["symbols"])
    every = {**STAGES, **STUDIES}
    built = {name: sum((stage(s) for s in symbols), Pipeline([])) for name, stage in every.items()}
    built["portfolio"] = portfolio.create_pipeline(_together or symbols)
    return {**built, "__default__": sum((built[name] for name in STAGES), Pipeline([]))}
