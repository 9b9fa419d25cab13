"""MLflow at the Desk: where runs are kept, and how to find one again."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from smcdesk.project import paths
from smcdesk.project.paths import mlflow_uri
from smclab.candles import BadConfig, nearest

WAIT_S = 60.0
PROCESS = "process"  # tag of a run: host/pid/start of the process that writes it
CONF = "conf.json"  # every parameter of a run, as an artifact of it


class TrackingDown(ConnectionError):
    "MLflow's store cannot be used now: wait, or look at the file."


def create_database() -> None:
    "Create the store's tables once, behind a lock, before anything may use it in parallel."
    from filelock import FileLock

    folder = paths.root() / "mlruns"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / ".mlflow.lock"):
        client().search_experiments(max_results=1)


def client():
    "A client of the store."
    from mlflow.tracking import MlflowClient

    check_database(uri := mlflow_uri())
    return MlflowClient(tracking_uri=uri)


def exists() -> bool:
    "Whether there is a store to look into: MLflow makes one of every address it is given."
    from sqlalchemy import make_url

    uri = mlflow_uri()
    return not uri.startswith("sqlite") or Path(make_url(uri).database or "").exists()


def check_database(
    uri: str,  # of the store; only SQLite files are looked at
    wait_s: float = WAIT_S,  # how long another process may hold it
) -> None:
    "Refuse a store that is locked, damaged or cannot be written, which MLflow itself would try again for minutes."
    if not uri.startswith("sqlite"):
        return
    from sqlalchemy import make_url

    file = Path(make_url(uri).database or "")
    file.parent.mkdir(parents=True, exist_ok=True)  # MLflow makes the folder as the address spells it
    if not file.exists():
        return
    try:
        with closing(sqlite3.connect(file, timeout=wait_s, isolation_level=None)) as c:
            c.execute("BEGIN IMMEDIATE")
            c.execute("SELECT count(*) FROM sqlite_master").fetchone()
            c.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise TrackingDown(f"the tracking store {file} cannot be used: {_cure(str(error), wait_s)}") from error


def _cure(reason: str, wait_s: float) -> str:
    "What SQLite said, and what to do about it."
    if "locked" in reason or "busy" in reason:
        return f"another process has held the database for {wait_s:g} s; end it, or wait and try again"
    if "readonly" in reason or "unable to open" in reason:
        return f"{reason}; give this user the right to write the file and its folder"
    return f"the database is damaged ({reason}); restore it from a backup, or move it away and begin anew"


def own_process() -> str:
    "This process, by host, number and start: the tag by which a later one sees that it is gone."
    return f"{platform.node()}/{os.getpid()}/{_started(os.getpid())}"


def _started(pid: int) -> str:
    "When a process began, in the system's ticks; empty where it is gone or the system does not tell."
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _is_gone(owner: str) -> bool:
    "Whether a run's process is one of this host and has ended."
    host, _, rest = owner.partition("/")
    pid, _, started = rest.partition("/")
    if host != platform.node() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:  # it lives, and is somebody else's
        return False
    return bool(started) and _started(int(pid)) != started


def end_killed_runs() -> list[str]:  # their ids
    "Mark runs as KILLED that are still RUNNING, and whose process on this host has ended; with them the runs inside."
    c = client()
    experiments = [e.experiment_id for e in c.search_experiments()]
    running = c.search_runs(experiments, "attributes.status = 'RUNNING'", max_results=1000)
    gone = {r.info.run_id for r in running if (owner := r.data.tags.get(PROCESS)) and _is_gone(owner)}
    gone |= {r.info.run_id for r in running if r.data.tags.get("mlflow.parentRunId") in gone}
    for run_id in sorted(gone):
        c.set_terminated(run_id, "KILLED")
    return sorted(gone)


def commit(folder: Path) -> tuple[str, bool]:  # (full hash or "none", whether files differ from it)
    "The git commit a run is made from, and whether the working tree differs from it."

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    head = git("rev-parse", "HEAD")
    return (head or "none", bool(git("status", "--porcelain")))


def diff_hash(folder: Path) -> str:  # 16 hex digits; "" when nothing differs
    "A fingerprint of how the working tree differs from its commit, new files included."
    words = (["diff", "HEAD", "--binary"], ["ls-files", "--others", "--exclude-standard", "-z"])
    try:
        done = [subprocess.run(["git", "-C", str(folder), *w], capture_output=True, timeout=20) for w in words]
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if any(d.returncode for d in done) or not any(d.stdout for d in done):
        return ""
    digest = hashlib.sha256(done[0].stdout)
    for name in sorted(n for n in done[1].stdout.split(b"\0") if n):
        file = folder / os.fsdecode(name)
        digest.update(name + (file.read_bytes() if file.is_file() else b""))
    return digest.hexdigest()[:16]


def versions() -> str:
    "What the figures were worked out with, as JSON."
    kinds = ("numpy", "pandas", "numba", "scikit-learn", "smclab")
    found = {"python": platform.python_version()} | {k: importlib.metadata.version(k) for k in kinds}
    return json.dumps(found, sort_keys=True)


def find_run(
    tag: str,  # a tag's name
    value: str,  # its value
) -> str | None:  # id of the newest run that carries it, None when there is none
    "The newest run with a tag, over all experiments."
    c = client()
    experiments = [e.experiment_id for e in c.search_experiments()]
    rows = c.search_runs(experiments, f"tags.`{tag}` = '{value}'", max_results=1, order_by=["start_time DESC"])
    return rows[0].info.run_id if rows else None


def write(run_id: str, files: Mapping[str, Any], folder: str) -> None:
    "Frames, figures, texts and ledgers as artifacts of a run, each by its name."
    with tempfile.TemporaryDirectory() as local:
        for name, what in files.items():
            path = Path(local) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(what, str):
                path.write_text(what, encoding="utf-8")
            elif hasattr(what, "savefig"):
                what.savefig(path, dpi=120, bbox_inches="tight")
            else:
                what.to_parquet(path, compression="zstd")
        client().log_artifacts(run_id, local, folder)


@contextmanager
def artifact(run_id: str, name: str) -> Iterator[Path | None]:  # None where the run has no such artifact
    "A run's artifact as a file, for as long as the block lasts."
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as folder:
        try:
            path = Path(client().download_artifacts(run_id, name, folder))
        except (MlflowException, OSError):
            path = None
        yield path


def attach(run_id: str, files: Iterable[Path], folder: str) -> None:
    "Store files as artifacts of a finished or running run."
    c = client()
    for file in files:
        c.log_artifact(run_id, str(file), folder)


RETURNS = ("daily_returns.parquet", "walkforward/daily_returns.parquet")  # where a run keeps its days


def finished_runs() -> pd.DataFrame:
    "All finished runs of the store, newest first, as `mlflow.search_runs` has them."
    import mlflow

    mlflow.set_tracking_uri(mlflow_uri())
    return mlflow.search_runs(
        search_all_experiments=True, filter_string="attributes.status = 'FINISHED'", order_by=["start_time DESC"]
    )


def column(runs: pd.DataFrame, name: str) -> pd.Series:
    "A column of a table of runs; empty values where the store has no such column."
    return runs[name] if name in runs else pd.Series(np.nan, index=runs.index, dtype=object)


def run_by_id(runs: pd.DataFrame, run_id: str) -> pd.Series:
    "A run's row, or `BadConfig` with the nearest id."
    found = runs[runs["run_id"] == run_id]
    if found.empty:
        raise BadConfig(f"there is no finished run {run_id!r}{nearest(run_id, list(runs['run_id']))}")
    return found.iloc[0]


def daily_returns_of(run_id: str, symbol: str) -> pd.Series | None:
    "A run's daily returns; None where it stored none."
    for name in RETURNS:
        with artifact(run_id, f"{symbol}/{name}") as path:
            if path is not None:
                return pd.read_parquet(path)["daily_return"]
    return None


def frame(run_id: str, symbol: str, name: str) -> pd.DataFrame | None:
    "A run's table; None where it stored none."
    with artifact(run_id, f"{symbol}/{name}") as path:
        return None if path is None else pd.read_parquet(path)
