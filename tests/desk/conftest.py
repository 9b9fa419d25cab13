"""What tests of several packages stand on: a PostgreSQL server where one is installed, and a store commands find."""

import postgres
import pytest

from smcdesk.store import Store


@pytest.fixture(scope="session")
def server():
    if why := postgres.missing():
        pytest.skip(why)
    with postgres.server() as url:
        yield url


@pytest.fixture
def found_store(tmp_path, monkeypatch):
    "An empty store that the commands find."
    monkeypatch.setenv("SMCDESK_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    with Store() as s:
        s.upgrade()
        yield s
