"""Independent pieces of work on processes of this machine or on Dask's workers."""

from __future__ import annotations

import importlib.metadata
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from smcdesk.research import workers
from smcdesk.research.tape import ResearchTape
from smclab.candles import BadConfig, nearest

WAIT_S = 10  # for a scheduler's first answer


ALIKE = ("numpy", "pandas", "numba", "smclab")  # versions on which figures hang


_hired: dict[str, tuple] = {}  # address -> its client, and the cluster where it is our own


def _versions() -> dict[str, str]:
    "What figures are worked out with here."
    return {name: importlib.metadata.version(name) for name in ALIKE}


def connect(
    scheduler: str | None,  # an address such as tcp://10.0.0.5:8786; None: processes of this machine
    jobs: int,  # how many processes, where they are this machine's; -1: one per core
):  # a distributed.Client
    "Workers of a cluster, the same ones until they are dismissed."
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise BadConfig("engine dask needs Dask: install smclab[dask]") from None
    where = scheduler or "here"
    if where not in _hired:
        logging.getLogger("distributed").setLevel(logging.ERROR)
        own = None
        if scheduler is None:
            how = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": logging.ERROR}
            own = LocalCluster(n_workers=jobs if jobs > 0 else os.cpu_count(), processes=True, **how)
        try:
            client = Client(own or scheduler, timeout=WAIT_S)
        except (OSError, ValueError):
            raise BadConfig(
                f"no Dask scheduler answers at {scheduler!r}: start one with `dask scheduler`, or leave the address "
                "out for processes of this machine"
            ) from None
        _hired[where] = client, own
        _check_alike(client, where)
    return _hired[where][0]


def _check_alike(client, where: str) -> None:
    "`BadConfig` unless the workers work things out as this process does."
    try:
        told = client.run(_versions)
    except Exception as error:  # whatever a foreign machine lacks
        close_all()
        raise BadConfig(f"the workers at {where} cannot run smclab ({error}): install the same release there") from None
    for worker, found in told.items():
        for name, version in _versions().items():
            if found[name] != version:
                close_all()
                raise BadConfig(f"worker {worker} has {name} {found[name]}, here it is {version}: install the same")
    if not told:
        close_all()
        raise BadConfig(f"the scheduler at {where} has no workers: start some with `dask worker {where}`")


def close_all() -> None:
    "Close every connection, and the clusters that were started here."
    for client, own in _hired.values():
        client.close()
        if own is not None:
            own.close()
    _hired.clear()


def results(
    function: Any,
    units: list[tuple],  # arguments of each call
    large: Iterable[type],  # arguments of these types travel once, however many units share them
    *,
    jobs: int,
    scheduler: str | None,
) -> Iterator[Any]:  # in order of `units`
    "What the workers made of each unit."
    client = connect(scheduler, jobs)
    shared = {id(x): x for unit in units for x in unit if isinstance(x, tuple(large))}
    there = dict(zip(shared, client.scatter(list(shared.values()), broadcast=True), strict=True))
    futures = [client.submit(function, *(there.get(id(x), x) for x in unit), pure=False) for unit in units]
    yield from (future.result() for future in futures)


ENGINES = ("joblib", "serial", "dask")


_listeners: list[Callable[[str, int, int], None]] = []  # (what, done, total)


def listen(to: Callable[[str, int, int], None] | None) -> None:
    "Tell this callable, and nobody else, how far the work is; None: nobody."
    _listeners[:] = [to] if to else []


def with_progress(what: str, results: Iterable, total: int) -> Iterator:
    "The results as they come, counted aloud."
    for done, result in enumerate(results, 1):
        for to in _listeners:
            to(what, done, total)
        yield result


def check_engine(engine: str, scheduler: str | None = None) -> None:
    "`BadConfig` unless the engine is one of `ENGINES`, and Dask where a scheduler is named."
    if engine not in ENGINES:
        raise BadConfig(f"engine must be one of {', '.join(ENGINES)}, found {engine!r}{nearest(str(engine), ENGINES)}")
    if scheduler and engine != "dask":
        raise BadConfig(f"scheduler {scheduler!r} is Dask's: say engine dask beside it, found engine {engine}")


def run_units(
    what: str,  # for the progress bar
    function: Callable,
    units: list[tuple],  # arguments of each call
    *,
    engine: str = "joblib",  # one of ENGINES
    jobs: int = 2,  # processes on this machine; -1: one per core
    scheduler: str | None = None,  # of Dask, such as tcp://10.0.0.5:8786; None: Dask on this machine
) -> list:  # results in order of `units`, the same whatever the engine
    "A function over independent pieces of work."
    check_engine(engine, scheduler)
    if engine == "dask":
        done = workers.results(function, units, (ResearchTape,), jobs=jobs, scheduler=scheduler)
    elif engine == "serial" or len(units) < 2:
        done = (function(*unit) for unit in units)
    else:
        from joblib import Parallel, delayed

        done = Parallel(n_jobs=jobs, return_as="generator")(delayed(function)(*unit) for unit in units)
    return list(with_progress(what, done, len(units)))
