"""Both databases: every test of the store runs on SQLite, and on a real PostgreSQL server where one is installed."""

from __future__ import annotations

import postgres
import pytest

from smcdesk.store import Store, decision_id
from smclab import account, decision, gates, instruments, reader, tapes
from smclab.policy import Policy


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'deep' / 'store.db'}"
    return postgres.new_schema(request.getfixturevalue("server"))


@pytest.fixture
def store(url):
    with Store(url) as s:
        s.upgrade()
        yield s


@pytest.fixture(scope="session")
def decided():
    "Real decisions, of every outcome."
    bars = tapes.market(3000, seed=1, timeframe="15m", week="fx")
    context = gates.Context(instruments.instrument("EURUSD"), account.Account(equity=10_000.0), 0.00008)
    read = reader.read(bars)
    policy = Policy.from_dict({"preset": "v1", "stop_cap": {"instrument_cap": False}})
    some = decision.decide_all(read, context, policy)
    nothing = decision.decide(read.at(bars.index[100]), context, policy)
    assert {d.outcome for d in some} >= {"live", "shadow"} and nothing[0].setup_id == ""
    return tuple(sorted((*some, *nothing), key=lambda d: (d.time, decision_id(d))))
