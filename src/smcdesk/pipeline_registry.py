"""The pipelines this project has, each once per symbol."""

from __future__ import annotations

from collections.abc import Iterable

from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline

from smcdesk import project
from smcdesk.pipelines import data, decide, feature, model, replay

STAGES = {
    "data": data.create_pipeline, "feature": feature.create_pipeline, "decide": decide.create_pipeline,
    "outcomes": decide.create_outcomes, "model": model.create_pipeline, "replay": replay.create_pipeline,
}  # fmt: skip
_symbols: tuple[str, ...] = ()


def use(symbols: Iterable[str]) -> None:
    "Build for these symbols from now on (the context hook says which)."
    global _symbols
    if tuple(symbols) != _symbols:
        _symbols = tuple(symbols)
        pipelines.configure(__name__)


def register_pipelines() -> dict[str, Pipeline]:
    "Each stage over all symbols, and `__default__`, the whole road."
    symbols = _symbols or tuple(project.parameters()["symbols"])
    built = {name: sum((stage(s) for s in symbols), Pipeline([])) for name, stage in STAGES.items()}
    return {**built, "__default__": sum(built.values(), Pipeline([]))}
