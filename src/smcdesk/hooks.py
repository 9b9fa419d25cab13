"""Kedro's hooks at the Desk: which symbols, what a run is tagged with, how far it is."""

from __future__ import annotations

import hashlib
import json
import threading
from typing import Any

from kedro.framework.hooks import hook_impl

from smcdesk import pipeline_registry, tracking
from smcdesk.pipelines import portfolio
from smcdesk.project import paths
from smcdesk.research import sweep, workers
from smclab.candles import fingerprint

HASHED = {  # dataset -> tag of its hash
    "policy": "policy_hash", "ledger": "ledger_hash", "sweep": "grid_hash", "walkforward_runs": "folds_hash",
    "tuned": "tuned_hash", "shared": "ledgers_hash",
}  # fmt: skip
SHARED_DATASETS = ("news", "headlines")  # datasets of everyone, whose conf stands under their name


class SelectSymbols:
    "Tell the registry which symbols this run's conf names."

    @hook_impl(tryfirst=True)
    def after_context_created(self, context) -> None:
        "Build the pipelines for the symbols of this environment and these runtime parameters."
        said = context.config_loader["parameters"]
        pipeline_registry.select_symbols(said["symbols"], said["portfolio"]["symbols"])


class Tracking:
    "Tag each MLflow run with what it was made from."

    def __init__(self):
        self._lock = threading.Lock()
        self._run_id: str | None = None
        self._seen: set[str] = set()
        self.last_run_id: str | None = None
        self._conf: dict[str, Any] = {}

    @hook_impl(tryfirst=True)
    def after_context_created(self, context) -> None:
        "Create the tracking database before kedro-mlflow looks for its experiment."
        tracking.create_database()
        said = context.config_loader
        self._conf = said["parameters"] | {name: said["catalog"].get(name, {}).get(name) for name in SHARED_DATASETS}

    @hook_impl(trylast=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline, catalog) -> None:
        "Tags known before the first node, and the whole configuration, from which the run can be made again."
        import mlflow

        run = mlflow.active_run()
        self._run_id = self.last_run_id = run.info.run_id if run else None
        self._seen = set()
        if not self._run_id:
            return
        head, dirty = tracking.commit(paths.root())
        symbols = sorted({n.namespace for n in pipeline.nodes if n.namespace} - {portfolio.NAME})
        stages = list(run_params.get("pipeline_names") or [])
        names = "+".join(stages or ["all"])
        self._tag("git_commit", head)
        self._tag("git_dirty", str(dirty).lower())
        self._tag("git_diff_hash", tracking.diff_hash(paths.root()) if dirty else "")
        self._tag("versions", tracking.versions())
        self._tag("env", run_params.get("env") or "base")
        self._tag("kedro_stages", json.dumps(stages))
        tracking.client().log_dict(self._run_id, self._conf, tracking.CONF)
        self._tag("config_hash", config_hash(pipeline, catalog))
        self._tag("seed", str(catalog.load("params:seed")))
        self._tag("symbol", ",".join(symbols))
        self._tag("mlflow.runName", f"{','.join(symbols)} {names}")

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str, data: Any) -> None:
        "The fingerprint of bars read from the catalog."
        self._fingerprint(dataset_name, data)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        "The fingerprint of bars just checked; the hash of a ledger, a grid or a policy just made."
        self._fingerprint(dataset_name, data)
        symbol, _, name = dataset_name.partition(".")
        if name in HASHED:
            self._tag(f"{HASHED[name]}.{symbol}", sweep.result_hash(data))
        kind, _, runs = name.partition("_")
        if runs == "runs" or name == "shared":
            self._tag("study", portfolio.NAME if name == "shared" else kind)
        if name == "context" and data.scorer is not None:
            self._tag(f"model_version.{symbol}", data.scorer.version or "none")

    def _fingerprint(self, dataset_name: str, data: Any) -> None:
        "Tag the run with the fingerprint of a symbol's bars, once."
        symbol, _, name = dataset_name.partition(".")
        with self._lock:
            if name != "bars" or symbol in self._seen:
                return
            self._seen.add(symbol)
        self._tag(f"data_fingerprint.{symbol}", fingerprint(data))

    def _tag(self, name: str, value: str) -> None:
        "One tag on this run, from any thread."
        if self._run_id:
            tracking.client().set_tag(self._run_id, name, value)


def config_hash(pipeline, catalog) -> str:
    "16 hex digits over every parameter the run's nodes take, by name and value; how and when it is worked is none."
    aside = ("params:work", "params:now")
    names = sorted(n for n in pipeline.inputs() if n.startswith("params:") and n not in aside)
    text = json.dumps({n: catalog.load(n) for n in names}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class CloseDaskPool:
    "Dask's workers stay for one run."

    @hook_impl
    def after_pipeline_run(self) -> None:
        "Let them go."
        workers.close_all()

    @hook_impl
    def on_pipeline_error(self) -> None:
        "Let them go."
        workers.close_all()


class Progress:
    "A bar that moves with each finished node; shown only when the command asks for it."

    def __init__(self):
        self._bar = self._task = self._inner = None

    def show(self, bar) -> None:
        "Draw on this rich `Progress` from now on; None switches drawing off."
        self._bar, self._task, self._inner = bar, None, None
        workers.listen(self._heard if bar else None)

    def _heard(self, what: str, done: int, total: int) -> None:
        "One unit of work inside a node further."
        if done == 1:
            self._inner = self._bar.add_task(what, total=total)
        self._bar.update(self._inner, completed=done)
        if done == total:
            self._bar.remove_task(self._inner)

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline, catalog) -> None:
        "As many steps as nodes."
        if self._bar:
            self._task = self._bar.add_task("starting", total=len(pipeline.nodes))

    @hook_impl
    def before_node_run(self, node) -> None:
        "Say what is being done."
        if self._bar:
            self._bar.update(self._task, description=node.short_name)

    @hook_impl
    def after_node_run(self, node) -> None:
        "One step further."
        if self._bar:
            self._bar.advance(self._task)


runs = Tracking()
progress = Progress()
