"""The pipelines this project has: four, each once per symbol."""

from __future__ import annotations

from collections.abc import Iterable

from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline

from smcdesk import project
from smcdesk.pipelines import data, feature, model, replay

STAGES = {"data": data, "feature": feature, "model": model, "replay": replay}
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
    built = {name: sum((stage.create_pipeline(s) for s in symbols), Pipeline([])) for name, stage in STAGES.items()}
    return {**built, "__default__": sum(built.values(), Pipeline([]))}
