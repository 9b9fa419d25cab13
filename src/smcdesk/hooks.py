"""Kedro's hooks at the Desk: which symbols, what a run is tagged with, how far it is.

Kedro registers `settings.HOOKS`, one instance each, with every session of the process: those serve `kedro run`. A run
by `runs.session.run_pipelines` gets plugins of its own instead, by `use_own_plugins`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import ExitStack
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook, _flatten_dict
from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH

from smcdesk import pipeline_registry, tracking
from smcdesk.pipelines import portfolio
from smcdesk.project import paths
from smcdesk.project.redaction import masked, masked_values
from smcdesk.research import sweep, workers
from smclab.candles import fingerprint

HASHED = {  # dataset -> tag of its hash
    "policy": "policy_hash", "ledger": "ledger_hash", "sweep": "grid_hash", "walkforward_runs": "folds_hash",
    "tuned": "tuned_hash", "shared": "ledgers_hash",
}  # fmt: skip
SHARED_DATASETS = ("news", "headlines")  # datasets of everyone, whose conf stands under their name


class SelectSymbols:
    "Tells the registry which symbols this run's conf names."

    @hook_impl(tryfirst=True)
    def after_context_created(self, context) -> None:
        "Build the pipelines for the symbols of this environment and these runtime parameters."
        params = context.config_loader["parameters"]
        pipeline_registry.select_symbols(params["symbols"], params["portfolio"]["symbols"])


class MlflowRuns(MlflowHook):
    """kedro-mlflow's hook, which starts and ends a run; it stands in for the plugin's own (see `settings`).

    The plugin writes each parameter of each node in a transaction of its own, which on SQLite is seconds of waiting for
    the disk. Here they are written in one, before the first node.
    """

    def __init__(self):
        super().__init__()
        self._logged: frozenset[str] = frozenset()

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline, catalog) -> None:
        "Start the run and log every parameter that its nodes take."
        self._logged = frozenset()
        super().before_pipeline_run(run_params, pipeline, catalog)
        if not self._is_mlflow_enabled:
            return
        import mlflow

        params = {n.removeprefix("params:"): catalog.load(n) for n in pipeline.inputs() if n.startswith("params:")}
        if self.flatten:
            params = _flatten_dict(d=params, recursive=self.recursive, sep=self.sep)
        short = {self.sanitize_param_name(n): v for n, v in params.items() if len(str(v)) <= MAX_PARAM_VAL_LENGTH}
        mlflow.log_params(short)
        self._logged = frozenset(short)

    def _log_param(self, name: str, value: Any) -> None:
        "The plugin's way with the parameters that are too long for one row."
        if name not in self._logged:
            super()._log_param(name, value)


class Tracking:
    "Tags an MLflow run with its inputs, their hashes, and the hashes of its results."

    def __init__(self):
        self._lock = threading.Lock()
        self._fingerprinted: set[str] = set()
        self._conf: dict[str, Any] = {}
        self.run_id: str | None = None  # of the run that is on, or was the last
        self.symbols: tuple[str, ...] = ()

    @hook_impl(tryfirst=True)
    def after_context_created(self, context) -> None:
        "Create the tracking database before kedro-mlflow looks for its experiment."
        tracking.create_database()
        tracking.end_killed_runs()
        conf = context.config_loader
        shared = {name: conf["catalog"].get(name, {}).get(name) for name in SHARED_DATASETS}
        self._conf = conf["parameters"] | shared

    @hook_impl(trylast=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline, catalog) -> None:
        "Write the tags that are known before the first node, and the whole configuration, for `smcdesk reproduce`."
        import mlflow

        run = mlflow.active_run()
        self.run_id = run.info.run_id if run else None
        self.symbols = tuple(sorted({n.namespace for n in pipeline.nodes if n.namespace} - {portfolio.NAME}))
        self._fingerprinted = set()
        if not self.run_id:
            return
        self._tag(tracking.PROCESS, tracking.own_process())
        head, dirty = tracking.commit(paths.root())
        stages = list(run_params.get("pipeline_names") or [])
        names = "+".join(stages or ["all"])
        self._tag("git_commit", head)
        self._tag("git_dirty", str(dirty).lower())
        self._tag("git_diff_hash", tracking.diff_hash(paths.root()) if dirty else "")
        self._tag("versions", tracking.versions())
        self._tag("env", run_params.get("env") or "base")
        self._tag("kedro_stages", json.dumps(stages))
        tracking.client().log_dict(self.run_id, masked_values(self._conf), tracking.CONF)
        self._tag("config_hash", config_hash(pipeline, catalog))
        self._tag("seed", str(catalog.load("params:seed")))
        self._tag("symbol", ",".join(self.symbols))
        self._tag("mlflow.runName", f"{','.join(self.symbols)} {names}")

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str, data: Any) -> None:
        "Tag the fingerprint of bars read from the catalog."
        self._fingerprint(dataset_name, data)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        "Tag the fingerprint of bars that were checked, and the hash of a ledger, a grid or a policy."
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
            if name != "bars" or symbol in self._fingerprinted:
                return
            self._fingerprinted.add(symbol)
        self._tag(f"data_fingerprint.{symbol}", fingerprint(data))

    def _tag(self, name: str, value: str) -> None:
        "One tag on this run, from any thread."
        if self.run_id:
            tracking.client().set_tag(self.run_id, name, masked(value))


def config_hash(pipeline, catalog) -> str:
    "16 hex digits over every parameter the run's nodes take, by name and value; how and when it is worked is none."
    aside = ("params:work", "params:now")
    names = sorted(n for n in pipeline.inputs() if n.startswith("params:") and n not in aside)
    text = json.dumps({n: catalog.load(n) for n in names}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class CloseDaskPool:
    "For `kedro run`: one pool of workers for all nodes of the run, closed at its end."

    def __init__(self):
        self._pool = ExitStack()

    @hook_impl
    def before_pipeline_run(self) -> None:
        "Open the pool; it connects to nothing before a node asks for workers."
        self._pool.enter_context(workers.pool())

    @hook_impl
    def after_pipeline_run(self) -> None:
        "Close its connections."
        self._pool.close()

    @hook_impl
    def on_pipeline_error(self) -> None:
        "Close its connections."
        self._pool.close()


class Progress:
    "Draws how far a run is: a bar of its nodes, and one of the units of work inside a node."

    def __init__(self, bar=None):  # a rich `Progress` to draw on; None: nothing is drawn
        self._bar = bar
        self._nodes = self._units = None  # ids of the bar's tasks

    def unit_done(self, what: str, done: int, total: int) -> None:
        "Advance the bar of units by one; the listener of the run's workers."
        if self._bar is None:
            return
        if done == 1:
            self._units = self._bar.add_task(what, total=total)
        self._bar.update(self._units, completed=done)
        if done == total:
            self._bar.remove_task(self._units)

    @hook_impl
    def before_pipeline_run(self, pipeline) -> None:
        "Begin a bar with as many steps as nodes."
        if self._bar is not None:
            self._nodes = self._bar.add_task("starting", total=len(pipeline.nodes))

    @hook_impl
    def before_node_run(self, node) -> None:
        "Name the node that runs."
        if self._bar is not None:
            self._bar.update(self._nodes, description=node.short_name)

    @hook_impl
    def after_node_run(self) -> None:
        "Advance the bar of nodes by one."
        if self._bar is not None:
            self._bar.advance(self._nodes)


def use_own_plugins(session, *plugins: Any) -> None:
    """Replace what the process shares by plugins of this run alone: tracking, progress and pool of settings.HOOKS.

    Kedro fills each session's hook manager from the module `settings`, whose instances live as long as the process.
    The manager itself belongs to one session, so that replacing them in it touches no other run. Kedro has no public
    name for the manager: this is the only place that uses it.
    """
    manager = session._hook_manager
    for plugin in list(manager.get_plugins()):
        if isinstance(plugin, Tracking | Progress | CloseDaskPool):
            manager.unregister(plugin)
    for plugin in plugins:
        manager.register(plugin)
