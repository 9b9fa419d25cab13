from pathlib import Path

import pytest
from project_copy import project_copy

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="module")
def house(root, tmp_path_factory):
    """A copy of the project's conf and templates, with nothing run in it yet."""
    yield from project_copy(root, tmp_path_factory)
