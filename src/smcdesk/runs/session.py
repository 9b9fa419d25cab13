"""One run of the road inside this process, as the commands want it: quiet, with a bar, and with the run's id."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from smcdesk.orders.guard import check_send
from smcdesk.project import paths
from smcdesk.project.config import load_config
from smcdesk.project.logs import quiet_libraries


def run_pipelines(
    stages: Iterable[str],  # pipeline names
    *,
    symbol: str | Iterable[str] | None,  # the namespace to run, or several; None: every symbol of conf
    env: str | None = None,  # None: base + local
    runtime_params: Mapping[str, Any] | None = None,
    bar=None,  # a rich Progress to draw on
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),  # asked once, where conf decides by the clock
) -> str | None:  # the MLflow run's id
    "Run stages."
    root = paths.root()
    # Kedro looks for its logging file only in the working directory.
    os.environ.setdefault("KEDRO_LOGGING_CONFIG", str(root / "conf" / "logging.yml"))
    with warnings.catch_warnings(record=True):  # mlflow's advice on a class that kedro-mlflow defines
        import kedro_mlflow.framework.hooks  # noqa: F401
    from kedro.framework.session import KedroSession
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(root)
    quiet_libraries()
    from smcdesk.hooks import progress, runs

    spaces = [symbol] if isinstance(symbol, str) else list(symbol or ()) or None
    progress.show(bar)
    try:
        told = dict(runtime_params or {})
        check_send(load_config(env, told).parameters)
        if load_config(env, told).parameters["clock"] == "wall":
            told.setdefault("now", clock().isoformat())
        with KedroSession.create(root, env=paths.check_env(env), runtime_params=told) as session:
            session.run(pipeline_names=list(stages), namespaces=spaces)
    finally:
        progress.show(None)
    return runs.last_run_id
