"""Nothing calls out unasked: every connection of a command is recorded, and only this machine is allowed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

RECORDER = """
import os, sys
def _note(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        place = args[0] if event == "socket.getaddrinfo" else args[1]
        with open(os.environ["CONNECTIONS"], "a") as out:
            out.write(f"{event} {place!r}\\n")
sys.addaudithook(_note)
"""
OWN = re.compile(r"127\.\d+\.\d+\.\d+|localhost|::1|0\.0\.0\.0|'/|b'/|b'\\x00|None|''")
BIN = Path(sys.executable).parent


@pytest.fixture
def connections(tmp_path, house, monkeypatch):
    """Run a command line for at most some seconds; the places it connected to outside this machine."""
    (tmp_path / "sitecustomize.py").write_text(RECORDER)
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).resolve().parents[2] / "src")])
    env = {k: v for k, v in os.environ.items() if k not in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")}
    env |= {"PYTHONPATH": path, "CONNECTIONS": str(tmp_path / "log"), "SMCLAB_ROOT": str(house)}

    def run(*words, seconds=180):
        process = subprocess.Popen(words, cwd=house, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait(20)
        log = tmp_path / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line for line in lines if not OWN.search(line)]

    return run


def test_recorder_catches_a_call_to_another_machine(connections):
    code = (
        "import socket\ns = socket.socket()\ns.settimeout(0.1)\ntry: s.connect(('192.0.2.1', 9))\nexcept OSError: pass"
    )
    assert connections(sys.executable, "-c", code) == ["socket.connect ('192.0.2.1', 9)"]


def test_replay_and_its_report_stay_on_this_machine(connections):
    assert connections(str(BIN / "smcdesk"), "replay", "--env", "test") == []
    words = ("report", "run", "replay_report", "-p", "symbol=MADEUP", "-p", "env=test")
    assert connections(str(BIN / "smcdesk"), *words) == []


def test_lab_and_mlflow_pages_stay_on_this_machine(connections, root, tmp_path):
    quiet = (root / "Makefile").read_text().split("QUIET_LAB := ")[1].split("\n\n")[0].replace("\\\n", " ").split()[:3]
    lab = (
        str(BIN / "jupyter"),
        "lab",
        *quiet,
        "--no-browser",
        "--allow-root",
        "--port=0",
        f"--notebook-dir={tmp_path}",
    )
    assert connections(*lab, seconds=15) == []
    code = "import smcdesk, mlflow, time; mlflow.set_tracking_uri('sqlite:///x.db'); mlflow.start_run(); time.sleep(3)"
    assert connections(sys.executable, "-c", code, seconds=60) == []
