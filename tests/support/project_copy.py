"""A copy of the project to run things in."""

import shutil

import pytest


def project_copy(root, tmp_path_factory):
    """The copy, which is the project for as long as the generator is open."""
    folder = tmp_path_factory.mktemp("house")
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(root / name, folder)
    shutil.copytree(root / "conf", folder / "conf")
    shutil.copytree(root / "nbs/reports", folder / "nbs/reports")
    (folder / "src").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SMCLAB_ROOT", str(folder))
        for name in ("SMCLAB_MLFLOW_URI", "SMCDESK_STORE_URL"):
            patch.delenv(name, raising=False)
        yield folder
