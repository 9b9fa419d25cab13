"""MLflow at the Desk: where runs are kept, and how to find one again."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

from smcdesk import project


def uri() -> str:
    "The tracking store: `SMCLAB_MLFLOW_URI`, else the SQLite file under mlruns, always absolute."
    return os.environ.get("SMCLAB_MLFLOW_URI") or f"sqlite:///{(project.root() / 'mlruns' / 'mlflow.db').as_posix()}"


def artifacts() -> str:
    "Where artifacts of new experiments go, as a URI."
    return (project.root() / "mlruns" / "artifacts").as_uri()


def prepare() -> None:
    "Create the store's tables once, behind a lock, before anything may use it in parallel."
    from filelock import FileLock

    folder = project.root() / "mlruns"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / ".mlflow.lock"):
        client().search_experiments(max_results=1)


def client():
    "A client of the store."
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri())


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


def difference(folder: Path) -> str:  # 16 hex digits; "" when nothing differs
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
        digest.update(name + (folder / os.fsdecode(name)).read_bytes())
    return digest.hexdigest()[:16]


def versions() -> str:
    "What the figures were worked out with, as JSON."
    kinds = ("numpy", "pandas", "numba", "scikit-learn", "smclab")
    known = {"python": platform.python_version()} | {k: importlib.metadata.version(k) for k in kinds}
    return json.dumps(known, sort_keys=True)


def find_run(
    tag: str,  # a tag's name
    value: str,  # its value
) -> str | None:  # id of the newest run that carries it, None when there is none
    "The newest run with a tag, over all experiments."
    c = client()
    experiments = [e.experiment_id for e in c.search_experiments()]
    rows = c.search_runs(experiments, f"tags.`{tag}` = '{value}'", max_results=1, order_by=["start_time DESC"])
    return rows[0].info.run_id if rows else None


def attach(run_id: str, files: Iterable[Path], folder: str) -> None:
    "Store files as artifacts of a finished or running run."
    c = client()
    for file in files:
        c.log_artifact(run_id, str(file), folder)
