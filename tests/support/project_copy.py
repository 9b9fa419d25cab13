"""A copy of the project to run things in."""

import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from mlflow.tracking import MlflowClient


def tracking_database(tmp_path_factory) -> Path:
    "MLflow's empty database, migrated once for all workers: its migrations take as long as a whole replay."
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    database = shared / "mlflow.db"
    with FileLock(shared / "mlflow.lock"):
        if not database.exists():
            new = shared / "mlflow_new.db"
            MlflowClient(tracking_uri=f"sqlite:///{new}").search_experiments(max_results=1)
            new.rename(database)
    return database


def project_copy(root, tmp_path_factory):
    """The copy, which is the project for as long as the generator is open."""
    folder = tmp_path_factory.mktemp("house")
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(root / name, folder)
    shutil.copytree(root / "conf", folder / "conf")
    shutil.copytree(root / "nbs/reports", folder / "nbs/reports")
    for name in ("src", "mlruns"):
        (folder / name).mkdir()
    shutil.copy(tracking_database(tmp_path_factory), folder / "mlruns")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SMCLAB_ROOT", str(folder))
        for name in ("SMCLAB_MLFLOW_URI", "SMCDESK_STORE_URL"):
            patch.delenv(name, raising=False)
        yield folder
