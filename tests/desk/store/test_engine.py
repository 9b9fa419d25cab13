"""Which database a store is, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from smcdesk.project import paths
from smcdesk.project.config import ProjectConfig
from smcdesk.store import Store, StoreDown, store_url
from smclab.candles import BadConfig


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("data/store.db", "did you mean 'sqlite:///data/store.db'"),
        ("", "must be like sqlite:"),
        ("postgress://h/d", "knows no database 'postgress'; did you mean 'postgresql'"),
        ("mysql://u:secret@h/d", "known: sqlite, postgresql"),
        ("postgresql://u:secret@h:port/d", "malformed"),
        ("postgresql://u:secret@h", "must name the database"),
        ("sqlite://", "a store in memory is gone"),
        ("sqlite:///:memory:", "a store in memory is gone"),
    ],
)
def test_store_url_that_is_wrong_is_refused_without_its_secret(url, why):
    with pytest.raises(BadConfig, match=why) as error:
        Store(url)
    assert "secret" not in str(error.value)


def test_store_that_does_not_answer_says_so_without_its_secret():
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'smclab[postgres]'")
    with Store("postgres://u:secret@127.0.0.1:1/d") as s, pytest.raises(StoreDown, match="wait and try again") as error:
        s.upgrade()
    assert "secret" not in str(error.value) and "secret" not in repr(s)


def test_store_without_psycopg_says_what_to_install(tmp_path):
    (tmp_path / "psycopg.py").write_text("raise ModuleNotFoundError('psycopg')")
    code = "from smcdesk.store import Store; Store('postgresql://u@h/d')"
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert (
        "BadConfig: postgresql+psycopg://u@h/d needs PostgreSQL's driver: pip install 'smclab[postgres]'" in done.stderr
    )


def test_store_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "notes.db").write_text("these are my notes, " * 100)
    with Store(f"sqlite:///{tmp_path}/notes.db") as s, pytest.raises(BadConfig, match="is not an SQLite database"):
        s.upgrade()
    with Store(f"sqlite:///{tmp_path}/notes.db/x.db") as s, pytest.raises(BadConfig, match="cannot be made there"):
        s.upgrade()
    with Store(f"sqlite:///{tmp_path}/none.db") as s, pytest.raises(BadConfig, match="has no tables yet"):
        s.labels()
    assert not (tmp_path / "none.db").exists()


def test_store_is_where_conf_and_the_environment_say(root, monkeypatch, tmp_path):
    monkeypatch.setenv("SMCLAB_ROOT", str(root))
    monkeypatch.delenv("SMCDESK_STORE_URL", raising=False)
    where = {env: Store(env=env).url.database for env in (None, *paths.envs())}
    assert len(set(where.values())) == len(where)  # no two environments share one
    assert all(p.startswith(f"{root.as_posix()}/data/07_model_output/") for p in where.values())
    monkeypatch.setenv("SMCDESK_STORE_URL", "sqlite:///relative.db")
    assert Store().url.database == f"{root.as_posix()}/relative.db"  # from the project, not from where one stands
    monkeypatch.delenv("SMCDESK_STORE_URL")
    monkeypatch.setattr(ProjectConfig, "store", {"url": "postgresql://u:secret@h/d"})
    with pytest.raises(
        BadConfig, match="holds a password: move the whole URL to the variable SMCDESK_STORE_URL"
    ) as error:
        store_url()
    assert "secret" not in str(error.value)
