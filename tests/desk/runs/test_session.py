"""A run's result is a value of its own, and a run leaves nothing behind for the next one."""

import dataclasses
import threading

import mlflow
import pytest
from kedro.framework.session import KedroSession

from smcdesk import hooks, pipeline_registry, settings, tracking
from smcdesk.project import paths
from smcdesk.research import workers
from smcdesk.runs import session
from smclab.candles import BadConfig

SYMBOL = "MADEUP"


class CountingBar:
    """A rich progress bar that only counts."""

    def __init__(self):
        self.steps, self.tasks = 0, {}

    def add_task(self, description, total=None):
        self.tasks[len(self.tasks)] = total
        return len(self.tasks) - 1

    def update(self, task, **_):
        pass

    def advance(self, task):
        self.steps += 1

    def remove_task(self, task):
        pass


def data_run(**kwargs):
    return session.run_pipelines(("data",), symbol=SYMBOL, env="test", **kwargs)


def plugins(manager):
    """The plugins of a session's hook manager that belong to one run."""
    return [p for p in manager.get_plugins() if isinstance(p, hooks.Tracking | hooks.Progress | hooks.CloseDaskPool)]


def test_two_runs_in_one_process_have_two_results_and_bars(house):
    one, two = CountingBar(), CountingBar()
    first = data_run(bar=one)
    before = dataclasses.asdict(first)
    second = data_run(bar=two, runtime_params={"seed": 8})
    assert dataclasses.asdict(first) == before and first.run_id != second.run_id
    assert (first.stages, first.symbols, first.env, first.status) == (("data",), (SYMBOL,), "test", "ok")
    assert one.steps == two.steps == one.tasks[0] == 3
    seeds = [tracking.client().get_run(run.run_id).data.tags["seed"] for run in (first, second)]
    assert seeds == ["7", "8"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.run_id = "x"


def test_kedros_own_hooks_take_no_part_in_a_run_by_call_and_stay_for_the_command(house, monkeypatch):
    managers, replace = [], hooks.use_own_plugins

    def watched(started, *own):
        replace(started, *own)
        managers.append((started._hook_manager, own))

    monkeypatch.setattr(hooks, "use_own_plugins", watched)
    data_run()
    [(manager, own)] = managers
    assert set(map(id, plugins(manager))) == set(map(id, own))
    shared = [p for p in settings.HOOKS if isinstance(p, hooks.Tracking)]
    assert len(shared) == 1 and shared[0].run_id is None
    with KedroSession.create(paths.root(), env="test") as started:
        assert shared[0] in plugins(started._hook_manager)


def broken(*_, **__):
    raise ValueError("broken")


@pytest.mark.parametrize("where", ["smcdesk.pipeline_registry.select_symbols", "smcdesk.hooks.config_hash"])
def test_failing_run_raises_and_leaves_nothing_behind(house, monkeypatch, where):
    with monkeypatch.context() as patch:
        patch.setattr(where, broken)
        with pytest.raises(ValueError, match="broken"):
            data_run()
    assert mlflow.active_run() is None and not pipeline_registry.run_lock.locked()
    assert workers._current.get() is None
    assert data_run().status == "ok"


def test_run_whose_node_fails_is_tracked_as_failed(house):
    with pytest.raises(BadConfig):
        extra = {"symbols": {SYMBOL: {"instrument": "NOSUCH", "bars_side": "bid"}}}
        data_run(runtime_params=extra)
    assert mlflow.active_run() is None
    assert mlflow.search_runs(search_all_experiments=True)["status"].iloc[0] == "FAILED"


def test_runs_of_one_process_wait_for_each_other(house):
    results, errors = [], []

    def run():
        try:
            results.append(data_run())
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    with pipeline_registry.run_lock:
        for thread in threads:
            thread.start()
        threads[0].join(0.2)
        assert all(thread.is_alive() for thread in threads) and not results
    for thread in threads:
        thread.join()
    assert not errors and len({run.run_id for run in results}) == 2
