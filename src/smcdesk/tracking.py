"""MLflow at the Desk: where runs are kept, and how to find one again."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smcdesk import project

CONF = "conf.json"  # every parameter of a run, as an artifact of it


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
        file = folder / os.fsdecode(name)
        digest.update(name + (file.read_bytes() if file.is_file() else b""))
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


def write(run_id: str, files: Mapping[str, Any], folder: str) -> None:
    "Frames, figures, texts and ledgers as artifacts of a run, each by its name."
    with tempfile.TemporaryDirectory() as made:
        for name, what in files.items():
            path = Path(made) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(what, str):
                path.write_text(what, encoding="utf-8")
            elif hasattr(what, "savefig"):
                what.savefig(path, dpi=120, bbox_inches="tight")
            else:
                what.to_parquet(path, compression="zstd")
        client().log_artifacts(run_id, made, folder)


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


_INHERITED = ("git_", "config_hash", "seed", "data_fingerprint.", "versions", "env", "kedro_stages")


def nest(
    parent: str,  # id of the study's run
    chosen: Any,  # a smcdesk.studies.Chosen
    kind: str,  # "combination" or "fold"
) -> str:  # the new run's id
    "One chosen combination or fold as a finished run under its study."
    from mlflow.entities import Metric, Param, RunTag

    from smcdesk import pictures

    c, symbol = client(), chosen.symbol
    above = c.get_run(parent)
    kept = {k: v for k, v in above.data.tags.items() if k.startswith(_INHERITED)}
    tags = kept | {
        "mlflow.parentRunId": parent, "mlflow.runName": f"{symbol} {chosen.name}", "study.kind": kind,
        "study.fold": str(chosen.fold), "study.bars": json.dumps(chosen.bars), "symbol": symbol,
        "study.combination": json.dumps(chosen.combination), f"policy_hash.{symbol}": chosen.policy_hash,
        f"ledger_hash.{symbol}": chosen.ledger.hash(),
    }  # fmt: skip
    run_id = c.create_run(above.info.experiment_id, tags=tags).info.run_id
    figures = {f"{symbol}.{k}": float(v) for k, v in chosen.scorecard["value"].items()}
    figures |= {f"{symbol}.{k}": float(v) for k, v in chosen.metrics.items()}
    c.log_batch(
        run_id,
        metrics=[Metric(k, v, 0, 0) for k, v in figures.items() if math.isfinite(v)],
        params=[Param(k, str(v)) for k, v in chosen.combination.items()],
        tags=[RunTag("study.words", chosen.name)],
    )
    files = {
        "ledger/trades.parquet": chosen.ledger.trades, "ledger/orders.parquet": chosen.ledger.orders,
        "ledger/equity.parquet": chosen.ledger.equity, "scorecard.csv": chosen.scorecard.to_csv(),
        "daily_returns.parquet": chosen.daily_returns.to_frame(), "equity.png": pictures.equity(chosen.ledger),
    }  # fmt: skip
    write(run_id, files, symbol)
    c.set_terminated(run_id)
    return run_id


def attach(run_id: str, files: Iterable[Path], folder: str) -> None:
    "Store files as artifacts of a finished or running run."
    c = client()
    for file in files:
        c.log_artifact(run_id, str(file), folder)
