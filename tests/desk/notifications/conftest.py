"""Stores, a clock and a Bot API for tests of the outbox and its channels."""

import postgres
import pytest
import wire
from outbox_fakes import Clock

from smcdesk.store import Store


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path, clock):
    url = f"sqlite:///{tmp_path / 'store.db'}"
    if request.param == "postgresql":
        url = postgres.new_schema(request.getfixturevalue("server"))
    with Store(url, clock=clock) as s:
        s.upgrade()
        yield s


@pytest.fixture
def light(tmp_path, clock):
    "A store on SQLite alone, where the database is not what is tested."
    with Store(f"sqlite:///{tmp_path / 'store.db'}", clock=clock) as s:
        s.upgrade()
        yield s


@pytest.fixture
def api():
    with wire.bot_api() as found:
        yield found
