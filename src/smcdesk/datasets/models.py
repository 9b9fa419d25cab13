"""A market's registered models as a dataset: saves challengers, loads the way to the champion."""

from __future__ import annotations

from typing import Any

from kedro.io import AbstractDataset

from smcdesk.modelling.registry import ModelCandidate, champion, register
from smclab.candles import BadConfig


class ModelVersions(AbstractDataset):
    "A market's models: saves candidates into the registry, loads the function that finds the champion."

    def __init__(self, symbol: str, metadata: dict | None = None):
        self._symbol, self.metadata = symbol, metadata

    def save(self, data: tuple[ModelCandidate, ...]) -> None:
        "Log and register each candidate, then promote it or keep it as challenger; an empty tuple does nothing."
        import mlflow

        for one in data:
            if (run := mlflow.active_run()) is None:
                raise BadConfig(f"{one.name} can only be registered from an MLflow run: smcdesk model train starts one")
            register(one, run.info.run_id)

    def load(self) -> Any:
        "The function that loads the champion by its name."
        return champion

    def _describe(self) -> dict[str, Any]:
        return {"symbol": self._symbol}
