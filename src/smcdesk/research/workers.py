"""Independent units of work on processes of this machine or on Dask's workers, and the progress they make."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from smclab.candles import BadConfig, nearest

ENGINES = ("joblib", "serial", "dask")
WAIT_S = 10  # for a scheduler's first answer
SAME_VERSIONS = ("numpy", "pandas", "numba", "smclab")  # packages on whose versions figures depend

Listener = Callable[[str, int, int], None]  # (what, units done, units in total)


class WorkerPool:
    "The Dask connections of one run, opened when they are first needed, and who follows its progress."

    def __init__(self, listener: Listener | None = None):
        self.listener = listener
        self._open: dict[str, tuple] = {}  # address -> its client, and the cluster where it is our own

    @property
    def connected(self) -> list[str]:
        "The schedulers with an open connection."
        return list(self._open)

    def connect(
        self,
        scheduler: str | None,  # an address such as tcp://10.0.0.5:8786; None: processes of this machine
        jobs: int,  # how many processes, where they are this machine's; -1: one per core
    ):  # a distributed.Client
        "A client of the workers, the same one until the pool is closed; `BadConfig` where their versions differ."
        try:
            from distributed import Client, LocalCluster
        except ImportError:
            raise BadConfig("engine dask needs Dask: install smclab[dask]") from None
        where = scheduler or "this machine"
        if where not in self._open:
            logging.getLogger("distributed").setLevel(logging.ERROR)
            cluster = None
            if scheduler is None:
                options = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": logging.ERROR}
                cluster = LocalCluster(n_workers=jobs if jobs > 0 else os.cpu_count(), processes=True, **options)
            try:
                client = Client(cluster or scheduler, timeout=WAIT_S)
            except (OSError, ValueError):
                raise BadConfig(
                    f"no Dask scheduler answers at {scheduler!r}: start one with `dask scheduler`, or leave the "
                    "address out for processes of this machine"
                ) from None
            self._open[where] = client, cluster
            try:
                _check_versions(client, where)
            except BadConfig:
                self.close()
                raise
        return self._open[where][0]

    def close(self) -> None:
        "Close every connection, and the clusters that were started for it."
        while self._open:
            _, (client, cluster) = self._open.popitem()
            client.close()
            if cluster is not None:
                cluster.close()

    def progress(self, what: str, results: Iterable, total: int) -> Iterator:
        "The results as they come; after each, the listener gets their count."
        for done, result in enumerate(results, 1):
            if self.listener is not None:
                self.listener(what, done, total)
            yield result


# The pool of the run that is on in this thread. A context variable, so that runs in other threads or tasks have theirs.
_current: ContextVar[WorkerPool | None] = ContextVar("worker_pool", default=None)


@contextmanager
def pool(
    listener: Listener | None = None,  # is called after each unit of work
) -> Iterator[WorkerPool]:
    "A pool for the length of a run: all units of work inside the block share it; it is closed at the end."
    fresh = WorkerPool(listener)
    token = _current.set(fresh)
    try:
        yield fresh
    finally:
        _current.reset(token)
        fresh.close()


@contextmanager
def current_pool() -> Iterator[WorkerPool]:
    "The run's pool; outside a run, and in threads of Kedro's own, a pool for this block alone."
    if (found := _current.get()) is not None:
        yield found
        return
    with pool() as fresh:
        yield fresh


def with_progress(what: str, results: Iterable, total: int) -> Iterator:
    "The results as they come, reported to the run's listener."
    return (_current.get() or WorkerPool()).progress(what, results, total)


def _versions() -> dict[str, str]:
    "The versions of the packages on which figures depend, in the process that calls this."
    return {name: importlib.metadata.version(name) for name in SAME_VERSIONS}


def _check_versions(client, where: str) -> None:
    "`BadConfig` unless there are workers, and each has the versions of this process."
    try:
        found = client.run(_versions)
    except Exception as error:  # whatever a foreign machine lacks
        raise BadConfig(f"the workers at {where} cannot run smclab ({error}): install the same release there") from None
    for worker, versions in found.items():
        for name, version in _versions().items():
            if versions[name] != version:
                raise BadConfig(f"worker {worker} has {name} {versions[name]}, here it is {version}: install the same")
    if not found:
        raise BadConfig(f"the scheduler at {where} has no workers: start some with `dask worker {where}`")


def check_engine(engine: str, scheduler: str | None = None, jobs: int = 1) -> None:
    "`BadConfig` unless the engine is one of `ENGINES`, and Dask where a scheduler is named by its address."
    if engine not in ENGINES:
        raise BadConfig(f"engine must be one of {', '.join(ENGINES)}, found {engine!r}{nearest(str(engine), ENGINES)}")
    if scheduler and engine != "dask":
        raise BadConfig(f"scheduler {scheduler!r} is Dask's: say engine dask beside it, found engine {engine}")
    if scheduler and not re.fullmatch(r"(tcp|tls|ucx|wss?|inproc)://[^\s/]+(/\S*)?", scheduler):
        raise BadConfig(f"scheduler must be an address such as tcp://10.0.0.5:8786, found {scheduler!r}")
    if jobs < 1 and jobs != -1:
        raise BadConfig(f"jobs must be 1 or more, or -1 for one per core; found {jobs}")


def run_units(
    what: str,  # for the progress bar
    function: Callable,
    units: list[tuple],  # arguments of each call
    *,
    engine: str = "joblib",  # one of ENGINES
    jobs: int = 2,  # processes on this machine; -1: one per core
    scheduler: str | None = None,  # of Dask, such as tcp://10.0.0.5:8786; None: Dask on this machine
    large: tuple[type, ...] = (),  # arguments of these types are sent to Dask's workers once, not with each unit
) -> list:  # results in order of `units`, the same whatever the engine
    "A function over independent units of work."
    check_engine(engine, scheduler, jobs)
    with current_pool() as own:
        if engine == "dask":
            results = _on_dask(own.connect(scheduler, jobs), function, units, large)
        elif engine == "serial" or len(units) < 2:
            results = (function(*unit) for unit in units)
        else:
            from joblib import Parallel, delayed

            results = Parallel(n_jobs=jobs, return_as="generator")(delayed(function)(*unit) for unit in units)
        return list(own.progress(what, results, len(units)))


def _on_dask(client, function: Callable, units: list[tuple], large: tuple[type, ...]) -> Iterator[Any]:
    "The workers' result of each unit, in order."
    shared = {id(x): x for unit in units for x in unit if isinstance(x, large)}
    sent = dict(zip(shared, client.scatter(list(shared.values()), broadcast=True), strict=True))
    futures = [client.submit(function, *(sent.get(id(x), x) for x in unit), pure=False) for unit in units]
    yield from (future.result() for future in futures)
