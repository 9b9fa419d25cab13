"""A run made again from its tags and artifacts alone: the same hashes, or a clear list of what changed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from smcdesk import hooks, tracking
from smcdesk.pipelines import portfolio
from smcdesk.project import logs, paths
from smcdesk.project.config import load_config
from smcdesk.research import sweep
from smcdesk.research import tape as research_tape
from smclab.candles import BadConfig, fingerprint

RESULT_TAGS = {  # dataset -> tag of its hash
    "ledger": "ledger_hash", "sweep": "grid_hash", "walkforward_runs": "folds_hash", "tuned": "tuned_hash",
    "shared": "ledgers_hash",
}  # fmt: skip
REASONS = {
    "git_commit": "commit", "git_diff_hash": "uncommitted changes", "config_hash": "configuration",
    "policy_hash.": "policy", "data_fingerprint.": "candles", "versions": "library versions",
}  # fmt: skip  # tags of inputs -> in a word
RAW = ("candles", "spread")  # datasets that are read, never written
TRIAL_STORAGE = "trial_storage"  # a search is run again from nothing, and stores nothing
RESULTS = ("replay", "sweep", "walkforward", "tune", "portfolio")  # stages that leave a ledger, a grid or a search


@dataclasses.dataclass(frozen=True)
class Reproduction:
    "The hashes of a run's inputs and outputs, the first time and the second."

    run_id: str
    outputs: dict[str, tuple[str, str]]  # tag -> (then, now)
    inputs: dict[str, tuple[str, str]]  # tag -> (then, now), those that differ
    conf: dict[str, tuple[Any, Any]]  # parameter -> (then, in conf today); the run's own was used

    @property
    def same(self) -> bool:
        "Whether everything that came out is identical."
        return bool(self.outputs) and all(then == now for then, now in self.outputs.values())

    def lines(self) -> Iterator[str]:
        "The answer in sentences."
        for tag, (then, now) in self.outputs.items():
            yield f"{tag}: {'identical' if then == now else 'differs'}, {_short(then)}" + (
                "" if then == now else f" then, {_short(now)} now"
            )
        for tag, (then, now) in self.inputs.items():
            yield from _changes(tag, then, now)
        for name, (then, now) in self.conf.items():
            yield f"conf says otherwise today (the run's own was used): {name} {then!r} then, {now!r} now"
        if not self.inputs:
            yield "nothing that went in has changed"
        yield f"run {self.run_id} is {'reproduced' if self.same else 'not reproduced'}"


def _changes(tag: str, then: str, now: str) -> Iterator[str]:
    "One change in a sentence; versions one by one."
    if tag != "versions":
        yield f"changed: {_reason(tag)}, {_short(then)} then, {_short(now)} now"
        return
    before, after = json.loads(then or "{}"), json.loads(now)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield f"changed: {name}, {before.get(name, 'none')} then, {after.get(name, 'none')} now"


def _leaves(conf: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    "Every plain value with its dotted name."
    for key, value in conf.items():
        name = f"{path}.{key}" if path else key
        yield from _leaves(value, name) if isinstance(value, Mapping) else [(name, value)]


def _changed_conf(conf: Mapping[str, Any], env: str) -> dict[str, tuple[Any, Any]]:
    "What conf says differently today; how and when work is done does not count."
    then, now = (
        {k: v for k, v in _leaves(c) if not k.startswith(("work.", *hooks.SHARED_DATASETS)) and k != "now"}
        for c in (conf, load_config(env).parameters)
    )
    return {k: (then.get(k), now.get(k)) for k in sorted(then.keys() | now.keys()) if then.get(k) != now.get(k)}


def _reason(tag: str) -> str:
    "What a tag means, in a word or two."
    return next((word for name, word in REASONS.items() if tag.startswith(name)), tag)


def _short(value: str) -> str:
    "A tag's value, cut where it is only a hash."
    return (value[:16] if len(value) > 16 and value.isalnum() else value) or "none"


def conf_of(run_id: str) -> dict[str, Any]:
    "The configuration stored with a run."
    with tracking.artifact(run_id, tracking.CONF) as path:
        if path is None:
            raise BadConfig(f"run {run_id} keeps no {tracking.CONF}: it was made before runs could be made again")
        return json.loads(path.read_text(encoding="utf-8"))


def _parameter(conf: Mapping[str, Any], name: str) -> Any:
    "A parameter by its name in a pipeline, None where there is none; keys may hold dots themselves."
    if not name:
        return conf
    for key in conf if isinstance(conf, Mapping) else ():
        if name == key or name.startswith(f"{key}."):
            return _parameter(conf[key], name[len(key) + 1 :])
    return None


def _pipeline(stages: Iterable[str], symbols: list[str]):
    "The named stages for these symbols."
    from kedro.pipeline import Pipeline

    from smcdesk import pipeline_registry
    from smcdesk.pipelines import portfolio

    every = {**pipeline_registry.STAGES, **pipeline_registry.STUDIES}
    alone = sum((every[name](s) for name in stages if name in every for s in symbols), Pipeline([]))
    return alone + portfolio.create_pipeline(symbols) if portfolio.NAME in stages else alone


def _catalog(pipelines, env: str, conf: Mapping[str, Any]):
    "Raw data as conf has it, the run's own parameters, and nothing that is ever written."
    from kedro.io import DataCatalog, MemoryDataset

    entries = load_config(env, {k: conf[k] for k in ("symbols", *hooks.SHARED_DATASETS) if conf.get(k)}).catalog
    raw = {k: v for k, v in entries.items() if k in hooks.SHARED_DATASETS or k.rpartition(".")[2] in RAW}
    catalog = DataCatalog.from_config(raw)
    today = load_config(env).parameters
    for name in {n.removeprefix("params:") for p in pipelines for n in p.inputs() if n.startswith("params:")}:
        value = _parameter(conf, name)
        value = _parameter(today, name) if value is None else value  # null, or not yet known to the run
        catalog[f"params:{name}"] = MemoryDataset(value, copy_mode="assign")
    for name in {n for p in pipelines for n in p.inputs() if n.rpartition(".")[2] == TRIAL_STORAGE}:
        catalog[name] = MemoryDataset("")
    return catalog


def _rerun(
    tracked: list[str], stages: list[str], symbols: list[str], env: str, conf: Mapping[str, Any]
) -> dict[str, Any]:
    "Run stages in memory, without tracking: results by dataset, and the hash of the configuration."
    from kedro.runner import SequentialRunner

    from smcdesk.datasets.records import PersistentMemoryDataset

    whole, part = _pipeline(tracked, symbols), _pipeline(stages, symbols)
    catalog = _catalog((whole, part), env, conf)
    results = {
        f"{s}.{name}" for s in (*symbols, portfolio.NAME) for name in ("bars", "policy", "tape", "market", *RESULT_TAGS)
    } & part.datasets()
    for name in results:
        catalog[name] = PersistentMemoryDataset(copy_mode="assign")
    SequentialRunner().run(part, catalog)
    return {"config_hash": hooks.config_hash(whole, catalog)} | {name: catalog.load(name) for name in results}


def _tags(results: Mapping[str, Any], symbols: list[str]) -> dict[str, str]:
    "The tags a run with these results would have today."
    head, dirty = tracking.commit(paths.root())
    changes = tracking.diff_hash(paths.root()) if dirty else ""
    now = {"git_commit": head, "git_diff_hash": changes, "versions": tracking.versions()}
    now["config_hash"] = results["config_hash"]
    for s in (*symbols, portfolio.NAME):
        if (bars := results.get(f"{s}.bars")) is not None:
            now[f"data_fingerprint.{s}"] = fingerprint(bars)
        for name, tag in {"policy": "policy_hash", **RESULT_TAGS}.items():
            if (found := results.get(f"{s}.{name}")) is not None:
                now[f"{tag}.{s}"] = sweep.result_hash(found)
    return now


def _choice(results: Mapping[str, Any], symbol: str, tags: Mapping[str, str]) -> dict[str, str]:
    "The tags of a combination or a fold; a search's choice is read again first."
    combination, bars = json.loads(tags["study.combination"]), json.loads(tags["study.bars"])
    tape = results[f"{symbol}.tape"]
    if f"{symbol}.market" in results:
        tape, combination = results[f"{symbol}.market"].read(combination, bars[1]), {}
    policy, _, _ = research_tape.settings(tape, combination)
    ledger = research_tape.play(tape.between(*bars), combination)
    return {f"ledger_hash.{symbol}": ledger.hash(), f"policy_hash.{symbol}": policy.hash()}


def reproduce(run_id: str) -> Reproduction:
    "The run's ledger, grid or choice made again, in memory."
    from mlflow.exceptions import MlflowException

    from smcdesk import pipeline_registry

    logs.quiet_libraries()
    try:
        tags = tracking.client().get_run(run_id).data.tags if tracking.exists() else None
    except MlflowException:
        tags = None
    if tags is None:
        raise BadConfig(f"there is no run {run_id!r} in {paths.mlflow_uri()}; smcdesk ui shows those there are")
    conf = {**conf_of(tags.get("mlflow.parentRunId", run_id)), "work": {"engine": "serial"}}
    tracked, symbols = json.loads(tags["kedro_stages"]) or list(pipeline_registry.STAGES), tags["symbol"].split(",")
    nested, wanted = "study.combination" in tags, [s for s in tracked if s in RESULTS]
    if not wanted:
        raise BadConfig(
            f"run {run_id} ({', '.join(tracked)}) left no ledger and no grid: there is nothing to make again"
        )
    results = _rerun(tracked, ["data", "feature", *wanted], symbols, tags["env"], conf)
    now = _tags(results, symbols) | (_choice(results, symbols[0], tags) if nested else {})
    outputs = {k: (v, now.get(k, "")) for k, v in tags.items() if k.startswith(tuple(RESULT_TAGS.values()))}
    inputs = {k: (tags.get(k, ""), v) for k, v in now.items() if k.startswith(tuple(REASONS))}
    inputs = {k: pair for k, pair in inputs.items() if pair[0] != pair[1]}
    return Reproduction(run_id, outputs, inputs, _changed_conf(conf, tags["env"]))
