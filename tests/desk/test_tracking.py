"""Where runs are kept, and what a run tells of the code it was made from."""

import platform
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from smcdesk import tracking


def test_difference_from_a_commit_is_one_fingerprint(tmp_path):
    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    assert tracking.diff_hash(tmp_path) == ""
    git("init", "-q")
    (tmp_path / "a.txt").write_text("one")
    git("add", "."), git("commit", "-qm", "One")
    assert tracking.diff_hash(tmp_path) == ""
    (tmp_path / "a.txt").write_text("two")
    changed = tracking.diff_hash(tmp_path)
    (tmp_path / "b.txt").write_text("new")
    assert len(changed) == 16 and tracking.diff_hash(tmp_path) not in ("", changed)


def test_runs_of_processes_that_are_gone_are_marked_killed(tmp_path, monkeypatch):
    monkeypatch.setenv("SMCLAB_MLFLOW_URI", f"sqlite:///{tmp_path}/mlflow.db")
    c = tracking.client()
    experiment = c.create_experiment("killed", artifact_location=tmp_path.as_uri())
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host, pid, started = tracking.own_process().split("/")
    owners = {
        "own": f"{host}/{pid}/{started}", "gone": f"{platform.node()}/{ended.pid}/1", "elsewhere": "other/1/1",
        "reused": f"{host}/{pid}/1", "old": None,
    }  # fmt: skip
    ids = {}
    for name, owner in owners.items():
        ids[name] = c.create_run(experiment, tags={tracking.PROCESS: owner} if owner else {}).info.run_id
    ids["inside"] = c.create_run(experiment, tags={"mlflow.parentRunId": ids["gone"]}).info.run_id
    expected = {"gone", "inside"} | ({"reused"} if started else set())
    assert set(tracking.end_killed_runs()) == {ids[name] for name in expected}
    status = {name: c.get_run(run_id).info.status for name, run_id in ids.items()}
    assert status == {name: "KILLED" if name in expected else "RUNNING" for name in ids}
    assert tracking.end_killed_runs() == []


def test_tracking_store_that_is_locked_or_damaged_is_refused_in_a_sentence(tmp_path):
    file = tmp_path / "mlflow.db"
    tracking.check_database(uri := f"sqlite:///{file}", wait_s=0)  # not there yet
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("create table t (a int)")
        tracking.check_database(uri, wait_s=0)
        other.execute("begin exclusive")
        with pytest.raises(tracking.TrackingDown, match="another process has held the database for 0 s"):
            tracking.check_database(uri, wait_s=0)
    file.write_bytes(b"no database " * 500)
    with pytest.raises(tracking.TrackingDown, match="the database is damaged"):
        tracking.check_database(uri, wait_s=0)
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(tracking.TrackingDown, match="unable to open database file; give this user the right"):
        tracking.check_database(f"sqlite:///{tmp_path}/folder.db", wait_s=0)
