"""What the machine refuses, and wrong words on the command line: one sentence, exit code 1 or 2, nothing written."""

import os
import subprocess
import sys

import pytest
from command import smcdesk

from smcdesk.commands.groups import _fixable


def refusal(*words):
    code, _, err = smcdesk(*words)
    assert code in (1, 2) and "Traceback" not in err, (words, err)
    return code, err


def files(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock"}


BAD_WORDS = [
    ("nonsense",), ("replay", "--env", "nowhere"), ("replay", "--symbol", "NOPE", "--env", "test"),
    ("symbols", "--env", "../x"), ("report", "run", "nothing_report"), ("report", "run", "replay_report", "-p", "a=1"),
    ("report", "run", "../../etc/passwd"), ("schedule", "once", "no-line"), ("schedule", "install"),
    ("schedule", "list", "--env", "<script>"), ("read", "no-such-file.csv"), ("read", "/"),
    ("demo", "--data", "no-such-file.csv"), ("demo", "--symbol", "X"),
]  # fmt: skip


@pytest.mark.parametrize("words", BAD_WORDS, ids=" ".join)
def test_wrong_words_are_one_sentence_and_write_nothing(house, words):
    before = files(house)
    _, err = refusal(*words)
    assert err.startswith("smcdesk: ") and len(err.splitlines()) == 1, err
    assert files(house) == before


def test_damaged_tracking_store_is_one_sentence(house):
    (house / "mlruns").mkdir(exist_ok=True)
    (house / "mlruns/mlflow.db").write_bytes(b"no database " * 500)
    code, err = refusal("replay", "--env", "test")
    (house / "mlruns/mlflow.db").unlink()
    assert code == 1 and len(err.strip().splitlines()) == 1 and "database" in err


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ModuleNotFoundError("No module named 'papermill'", name="papermill"), "papermill is not installed"),
        (PermissionError(13, "Permission denied", "/p/x"), "/p/x cannot be written"),
        (OSError(30, "Read-only file system", "/p/x"), "/p/x cannot be written"),
        (OSError(28, "No space left on device", "/p/x"), "No space left"),
        (NotADirectoryError(20, "Not a directory", "/proc/x"), "/proc/x: Not a directory"),
    ],
)
def test_what_the_machine_refuses_has_a_sentence(error, expected):
    assert expected in str(_fixable(error))
    assert _fixable(ZeroDivisionError("a defect")) is None
    assert _fixable(ModuleNotFoundError("x", name="smcdesk.nowhere")) is None


def test_library_alone_names_the_extra(tmp_path, root):
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError(\"No module named 'typer'\", name='typer')")
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(root / "src")])}
    done = subprocess.run([sys.executable, "-m", "smcdesk"], env=env, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.splitlines() == [
        "smcdesk: the Desk is not installed with this library: pip install 'smclab[desk]'"
    ]
