"""Nothing calls out unasked: every connection of a command is recorded, and only this machine is allowed."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
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
open(os.environ["CONNECTIONS"], "a").close()
"""
OWN = re.compile(r"127\.\d+\.\d+\.\d+|localhost|::1|0\.0\.0\.0|'/|b'/|b'\\x00|None|''")
BIN = Path(sys.executable).parent


@pytest.fixture
def start(tmp_path, house):
    """Start a command line; returns the process, and how to get the places it connected to outside this machine."""
    (tmp_path / "sitecustomize.py").write_text(RECORDER)
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).resolve().parents[2] / "src")])
    env = {k: v for k, v in os.environ.items() if k not in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")}
    env |= {"PYTHONPATH": path, "SMCLAB_ROOT": str(house)}
    started = []

    def run(*words):
        log, own = tmp_path / f"log{len(started)}", {"CONNECTIONS": str(tmp_path / f"log{len(started)}")}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        started.append(process := subprocess.Popen(words, cwd=house, env=env | own, **quiet))
        return process, lambda: [line for line in log.read_text().splitlines() if not OWN.search(line)]

    yield run
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers too
        process.wait()


def test_recorder_catches_a_call_to_another_machine(start):
    code = (
        "import socket\ns = socket.socket()\ns.settimeout(0.1)\ntry: s.connect(('192.0.2.1', 9))\nexcept OSError: pass"
    )
    process, places = start(sys.executable, "-c", code)
    process.wait(60)
    assert places() == ["socket.connect ('192.0.2.1', 9)"]


def test_demo_its_tracking_and_its_report_stay_on_this_machine(start):
    process, places = start(BIN / "smcdesk", "demo", "--env", "test")
    assert process.wait(600) == 0 and places() == []


def test_lab_and_mlflow_pages_stay_on_this_machine(start, root, tmp_path):
    quiet = (root / "Makefile").read_text().split("QUIET_LAB := ")[1].split("\n\n")[0].replace("\\\n", " ").split()[:3]
    lab_port, ui_port = _free_port(), _free_port()
    lab = (
        BIN / "jupyter",
        "lab",
        *quiet,
        "--no-browser",
        "--allow-root",
        f"--port={lab_port}",
        "--IdentityProvider.token=",
    )
    _, of_lab = start(*lab, f"--notebook-dir={tmp_path}")
    _, of_ui = start(BIN / "smcdesk", "ui", "--port", str(ui_port))
    # what JupyterLab asks when it opens: whether there is a newer one, what is new, which extensions there are
    for page in ("lab", "lab/api/update", "lab/api/news", "lab/api/extensions"):
        assert _status(f"http://127.0.0.1:{lab_port}/{page}") < 500, page
    assert _status(f"http://127.0.0.1:{ui_port}/") == 200
    assert _status(f"http://127.0.0.1:{ui_port}/ajax-api/2.0/mlflow/experiments/search?max_results=1") == 200
    assert (of_lab(), of_ui()) == ([], [])


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _status(url: str, wait_s: float = 120) -> int:
    "The answer's status of a page, as soon as its server listens."
    until = time.monotonic() + wait_s
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            return opener.open(url, timeout=30).status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
