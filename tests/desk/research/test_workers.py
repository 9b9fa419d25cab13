"""Units of work are counted and go to their run's own workers; an engine that cannot work is named."""

import sys

import pytest

from smcdesk.research import workers
from smclab.candles import BadConfig


def test_dask_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(workers, "WAIT_S", 0.2)
    with pytest.raises(BadConfig, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"):
        workers.run_units("x", pow, [(1, 1)], engine="dask", scheduler="tcp://127.0.0.1:9")
    with pytest.raises(BadConfig, match="say engine dask beside it"):
        workers.run_units("x", pow, [(1, 1)], engine="serial", scheduler="tcp://127.0.0.1:9")
    with pytest.raises(BadConfig, match="did you mean 'dask'"):
        workers.run_units("x", pow, [(1, 1)], engine="dsak")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(BadConfig, match=r"install smclab\[dask\]"):
        workers.run_units("x", pow, [(1, 1)], engine="dask")


def test_work_is_counted_aloud():
    counts = []
    with workers.pool(lambda *count: counts.append(count)):
        assert workers.run_units("squares", pow, [(2, 2), (3, 2)], engine="serial") == [4, 9]
    workers.run_units("cubes", pow, [(2, 3)], engine="serial")  # nobody listens any more
    assert counts == [("squares", 1, 2), ("squares", 2, 2)]


def test_a_run_inside_a_run_has_its_own_workers_and_listener():
    outer, inner = [], []
    with workers.pool(lambda *count: outer.append(count)) as one:
        with workers.pool(lambda *count: inner.append(count)) as two:
            workers.run_units("squares", pow, [(2, 2)], engine="serial")
            with workers.current_pool() as found:
                assert found is two
        with workers.current_pool() as found:
            assert found is one
    with workers.current_pool() as found:
        assert found is not one and found.listener is None
    assert inner == [("squares", 1, 1)] and outer == []


class ClientOfAnotherRelease:
    """A Dask client of workers with other versions."""

    closed = 0

    def __init__(self, *_, **__):
        pass

    def run(self, _):
        return {"tcp://a:1": dict.fromkeys(workers.SAME_VERSIONS, "0.1")}

    def close(self):
        ClientOfAnotherRelease.closed += 1


def test_workers_of_another_release_are_refused_and_let_go(monkeypatch):
    import distributed

    monkeypatch.setattr(distributed, "Client", ClientOfAnotherRelease)
    with workers.pool() as pool:
        with pytest.raises(BadConfig, match=r"worker tcp://a:1 has numpy 0\.1"):
            pool.connect("tcp://a:1", 1)
        assert not pool.connected and ClientOfAnotherRelease.closed == 1
