"""The tables are what the models say, at every revision."""

from __future__ import annotations

import multiprocessing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from store_rows import label

from smcdesk.store import Store, engine, revisions
from smcdesk.store.models import Base
from smclab.candles import BadConfig


def test_store_from_nothing_goes_up_and_down_and_up_again(url):
    with Store(url) as s:
        assert s.revision() is None
        assert s.upgrade() == s.upgrade() == s.revision() == revisions.head()
        s.record_labels([label()])
        assert s.downgrade("base") is None and s.revision() is None
        assert set(inspect(s._engine).get_table_names()) <= {"alembic_version"}
        with pytest.raises(BadConfig, match=r"has no tables yet: run smcdesk store upgrade"):
            s.labels()
        s.upgrade("0001")
        s.upgrade()
        assert len(s.labels()) == 0


def test_store_tables_are_what_the_models_say(store):
    with store._engine.connect() as c:
        seen = MigrationContext.configure(c, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(seen, Base.metadata) == []
    inspector = inspect(store._engine)
    for table in Base.metadata.sorted_tables:  # alembic does not compare checks and keys
        assert {c["name"] for c in inspector.get_check_constraints(table.name)} == {
            c.name for c in table.constraints if c.name.startswith("ck_")
        }
        assert inspector.get_pk_constraint(table.name)["constrained_columns"] == [c.name for c in table.primary_key]


def test_store_tables_that_differ_from_the_models_are_noticed(store):
    with engine.writing(store._engine) as c:
        c.execute(text("ALTER TABLE setup_labels ADD COLUMN luck DOUBLE PRECISION"))
        c.execute(text("DROP INDEX ix_setup_labels_session"))
    with store._engine.connect() as c:
        found = compare_metadata(MigrationContext.configure(c), Base.metadata)
    assert {kind for kind, *_ in found} == {"remove_column", "add_index"}


@pytest.mark.parametrize("column", ["instrument", "grade", "session", "regime", "time"])
def test_store_labels_have_the_indexes_of_the_spec(store, column):
    indexes = {i["name"]: i["column_names"] for i in inspect(store._engine).get_indexes("setup_labels")}
    assert indexes[f"ix_setup_labels_{column}"] == [column]


def test_store_of_a_newer_program_is_refused(store):
    with engine.writing(store._engine) as c:
        c.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with Store(store.url) as later:
        with pytest.raises(BadConfig, match=f"is at revision '9999', this program needs '{revisions.head()}'"):
            later.labels()
        with pytest.raises(BadConfig, match="does not know: update the program"):
            later.upgrade()


def test_store_upgraded_by_many_at_once_is_upgraded_once(url):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(_upgrade, [url] * 6) == [revisions.head()] * 6


def _upgrade(url: str) -> str:
    with Store(url) as s:
        return s.upgrade()
