"""One Kedro run in this process, as the commands start it: quiet, with a progress bar, its result a value."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from smcdesk.orders.guard import check_send
from smcdesk.project import paths
from smcdesk.project.config import load_config
from smcdesk.project.logs import quiet_libraries


@dataclass(frozen=True)
class RunResult:
    "A run that has ended well; a run that fails raises and has none."

    run_id: str | None  # MLflow's; None where tracking is switched off
    stages: tuple[str, ...]  # names of the pipelines
    symbols: tuple[str, ...]  # that had nodes to run
    env: str
    status: str = "ok"


def run_pipelines(
    stages: Iterable[str],  # pipeline names
    *,
    symbol: str | Iterable[str] | None,  # the namespace to run, or several; None: every symbol of conf
    env: str | None = None,  # None: base + local
    runtime_params: Mapping[str, Any] | None = None,
    bar=None,  # a rich Progress to draw on
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),  # read once, where conf decides by the clock
) -> RunResult:
    "Run stages in this process, one run after the other: a second one waits for the first."
    _prepare_kedro()
    from kedro.framework.session import KedroSession

    from smcdesk import hooks, pipeline_registry
    from smcdesk.research import workers

    stages = tuple(stages)
    spaces = [symbol] if isinstance(symbol, str) else list(symbol or ()) or None
    params = dict(runtime_params or {})
    check_send(load_config(env, params).parameters)
    if load_config(env, params).parameters["clock"] == "wall":
        params.setdefault("now", clock().isoformat())
    tracked, progress = hooks.Tracking(), hooks.Progress(bar)
    with (
        pipeline_registry.run_lock, _no_run_left_active(), workers.pool(progress.unit_done),
        KedroSession.create(paths.root(), env=paths.check_env(env), runtime_params=params) as session,
    ):  # fmt: skip
        hooks.use_own_plugins(session, tracked, progress)
        session.run(pipeline_names=list(stages), namespaces=spaces)
    return RunResult(tracked.run_id, stages, tracked.symbols, env or "base")


def _prepare_kedro() -> None:
    "Point Kedro to the project; doing it twice changes nothing."
    root = paths.root()
    # Kedro looks for its logging file only in the working directory.
    os.environ.setdefault("KEDRO_LOGGING_CONFIG", str(root / "conf" / "logging.yml"))
    with warnings.catch_warnings(record=True):  # mlflow's advice on a class that kedro-mlflow defines
        import kedro_mlflow.framework.hooks  # noqa: F401
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(root)
    quiet_libraries()


@contextmanager
def _no_run_left_active() -> Iterator[None]:
    "End the MLflow run that a failure leaves active: kedro-mlflow ends one only where a node has failed."
    import mlflow

    before = mlflow.active_run()
    try:
        yield
    except BaseException:
        left = mlflow.active_run()
        if left is not None and (before is None or left.info.run_id != before.info.run_id):
            mlflow.end_run("FAILED")
        raise
