"""Where runs are kept, and what a run tells of the code it was made from."""

import subprocess

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
