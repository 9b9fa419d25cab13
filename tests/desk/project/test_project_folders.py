"""Project folders of every name, and conf files that are no YAML."""

import shutil
import sqlite3

import pytest
from command import smcdesk

from smcdesk import tracking
from smcdesk.project import paths
from smcdesk.project.config import load_config
from smcdesk.store import Store
from smclab.candles import BadConfig

NAMES = ["desk[1]", "B ü 100% it's", "a?b", "a#b", "*", "a;b&c", "$HOME", "white  space"]


@pytest.fixture
def project(root, tmp_path, monkeypatch):
    def make(name):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(root / "pyproject.toml", folder)
        shutil.copytree(root / "conf", folder / "conf")
        shutil.copytree(root / "nbs/reports", folder / "nbs/reports")
        monkeypatch.setenv("SMCLAB_ROOT", str(folder))
        for variable in ("SMCLAB_MLFLOW_URI", "SMCDESK_STORE_URL"):
            monkeypatch.delenv(variable, raising=False)
        return folder

    return make


@pytest.mark.parametrize("name", NAMES)
def test_project_folder_of_any_name_works(project, name):
    folder = project(name)
    assert load_config("test").parameters["symbols"] and load_config().globals and load_config("paper").schedule
    for words in (("symbols", "--env", "test"), ("schedule", "list", "--env", "paper"), ("store", "upgrade")):
        code, _, err = smcdesk(*words)
        assert code == 0, err
    assert Store().revision() and smcdesk("schedule", "install", "--cron")[0] == 0
    found = sorted(p.relative_to(folder.parent).parts[0] for p in folder.parent.rglob("*.db"))
    assert found and set(found) == {name}  # every file where it belongs


def test_project_folder_with_braces_is_refused_in_a_sentence(project):
    project("{x}")
    code, _, err = smcdesk("symbols")
    assert (code, len(err.splitlines())) == (2, 1) and "a brace in its name" in err


@pytest.mark.parametrize("name", ["B ü 100% it's a?b#c"])
def test_tracking_store_is_in_the_folder_of_the_project_and_nowhere_else(project, name):
    folder = project(name)
    tracking.create_database()
    assert [p.name for p in folder.parent.iterdir()] == [name] and (folder / "mlruns/mlflow.db").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_sqlite_url_opens_the_file_it_names(tmp_path, name):
    from sqlalchemy import create_engine, text

    (tmp_path / name).mkdir()
    path = tmp_path / name / "x.db"
    with create_engine(paths.sqlite_url(path)).begin() as connection:
        connection.execute(text("create table t (a int)"))
    assert sqlite3.connect(path).execute("select count(*) from t").fetchone() == (0,)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"symbols:\n\tEURUSD: 1\n", "globals.yml:2: a tab where YAML wants spaces"),
        (b"a: [1\nb: 2\n", "globals.yml:2"),
        (b"a: 1\nb: \xff\n", "globals.yml:2: it is not UTF-8 text"),
        (b"a: 1\na: 2\n", "globals.yml:2"),
        (b"a: b: c\n", "globals.yml:1"),
        (b"symbols: ${nowhere}\n", "nowhere"),
    ],
)
def test_unreadable_conf_is_one_sentence_with_file_and_line(project, content, expected):
    (project("desk") / "conf/base/globals.yml").write_bytes(content)
    code, out, err = smcdesk("symbols")
    assert code == 2 and out == "" and len(err.splitlines()) == 1 and expected in err and "Traceback" not in err


def test_root_that_is_no_project_is_said(tmp_path, monkeypatch):
    for folder in (tmp_path, tmp_path / "none", tmp_path / "file"):
        (tmp_path / "file").touch()
        monkeypatch.setenv("SMCLAB_ROOT", str(folder))
        with pytest.raises(BadConfig, match="SMCLAB_ROOT"):
            paths.root()
    assert smcdesk("symbols")[0] == 2
