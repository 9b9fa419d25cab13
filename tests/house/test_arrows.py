"""Imports lead down: rooms, floors and circles, each offender named by room, rule and line."""

import shutil
import subprocess
import sys

import arrows
import pytest


@pytest.fixture
def sources(root, tmp_path):
    """What the rules look at, away from the working tree."""
    shutil.copy(root / "pyproject.toml", tmp_path)
    shutil.copytree(root / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "nbs").mkdir()
    for notebook in (root / "nbs").glob("*.ipynb"):
        (tmp_path / "nbs" / notebook.name).touch()
    return tmp_path


def plant(path, text: str) -> str:
    """Text at the end of a file; where its last line stands."""
    path.write_text((path.read_text() if path.exists() else "") + text)
    return f"{path.name}:{len(path.read_text().splitlines())}"


def test_no_import_goes_up_and_no_modules_import_each_other_in_a_circle(root):
    assert arrows.problems(root) == []


def test_make_lint_names_room_rule_and_line_of_an_import_that_goes_up(root, sources):
    desk = plant(sources / "src/smcdesk/decisions/x.py", "def late():\n    from smcdesk import reports\n")
    lab = plant(sources / "src/smclab/structure.py", "\nfrom .zones import zones_events\n")
    sideways = plant(sources / "src/smcdesk/scanning/y.py", "import smcdesk.research.sweep\n")
    stray = plant(sources / "src/smcdesk/attic.py", "from smcdesk import project\n")
    lost = plant(sources / "src/smclab/tapes.py", "\nimport smcdesk\n")
    plot = plant(sources / "src/smcdesk/store/z.py", "from matplotlib import pyplot\n")
    done = subprocess.run(
        [sys.executable, str(root / "tests/house/arrows.py")], cwd=sources, capture_output=True, text=True
    )
    floors = "a room imports only from the floors below it"
    assert done.returncode == 1
    assert sorted(done.stderr.splitlines()) == sorted(
        [
            f"smcdesk.decisions may not import smcdesk.reports: {floors} (decisions stands below reports); "
            f"src/smcdesk/decisions/{desk}",
            "smclab.structure may not import smclab.zones: a room imports only from rooms with a smaller number "
            f"(20 structure stands below 26 zones); src/smclab/{lab}",
            f"smcdesk.scanning may not import smcdesk.research: {floors} (scanning stands beside research); "
            f"src/smcdesk/scanning/{sideways}",
            "smcdesk.scanning.y may not import smcdesk.research.sweep: the trading path knows no Kedro, notebook or "
            f"plot; src/smcdesk/scanning/{sideways}",
            "smcdesk.decisions.x may not import smcdesk.reports: the trading path knows no Kedro, notebook or plot; "
            f"src/smcdesk/decisions/{desk}",
            "smcdesk.attic stands on no floor: name it in pyproject.toml, contract 'The Desk: "
            f"{floors}'; src/smcdesk/{stray}",
            f"smclab.tapes may not import smcdesk: the Lab never imports the Desk; src/smclab/{lost}",
            "smcdesk.store.z may not import matplotlib: the trading path knows no Kedro, notebook or plot; "
            f"src/smcdesk/store/{plot}",
        ]
    )
    assert "tests/house/arrows.py" in (root / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]


def test_a_circle_through_an_import_inside_a_function_is_noticed(sources):
    plant(sources / "src/smcdesk/project/files.py", "\ndef late():\n    from smcdesk.project import sqlite\n")
    plant(sources / "src/smcdesk/project/sqlite.py", "\nfrom .files import atomic_file\n")
    assert arrows.circles(sources) == [["smcdesk.project.files", "smcdesk.project.sqlite"]]
