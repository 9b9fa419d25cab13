"""The runs of a study, and the trials of a search, as datasets."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from smcdesk.project.paths import sqlite_url
from smclab.candles import BadConfig

log = logging.getLogger(__name__)


class NestedRuns(AbstractDataset):
    "Chosen combinations and folds as runs nested in the one that is active; saved whole, read back with MLflow."

    def __init__(self, kind: str, metadata: dict | None = None):
        self._kind, self.metadata = kind, metadata

    def save(self, data: Any) -> None:
        "One nested run each: parameters, metrics, tags, ledger, daily returns, scorecard and picture."
        import mlflow

        from smcdesk.research import runs

        if run := mlflow.active_run():
            for chosen in data:
                runs.log_nested_run(run.info.run_id, chosen, self._kind)
        else:
            log.warning("no MLflow run is active: %s %s are not stored", len(data), self._kind)

    def load(self) -> Any:
        "Never: `mlflow.search_runs` finds them."
        raise BadConfig(f"the nested runs of a study are read with mlflow.search_runs, tag study.kind = {self._kind!r}")

    def _describe(self) -> dict[str, Any]:
        return {"kind": self._kind}


class TrialStorage(AbstractDataset):
    "Where Optuna keeps its trials, so that a search goes on where it stopped; loads to a URL."

    def __init__(self, filepath: str, metadata: dict | None = None):
        self._filepath, self.metadata = Path(filepath), metadata

    def load(self) -> str:
        "The URL of an SQLite file whose folder is there."
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        return sqlite_url(self._filepath)

    def save(self, data: Any) -> None:
        "Never: the search itself writes, trial by trial."
        raise BadConfig(f"{self._filepath} is written by the search, trial by trial")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
