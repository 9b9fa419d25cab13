import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="module")
def house(root, tmp_path_factory):
    """A copy of the project's conf and templates, with nothing run in it yet."""
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
