"""Templates run by the command: their files, their errors, and the rules every template follows."""

import ast
import json
from pathlib import Path

import nbformat
import pytest
from command import smcdesk
from report_template import template

from smcdesk.reports import runner
from smclab.candles import BadConfig


def test_failing_report_keeps_its_notebook_with_the_error_and_running_again_replaces_its_files(house):
    path = house / "nbs/reports/broken_report.ipynb"
    template(path, "divisor = 0", "1 / divisor")
    try:
        code, _, err = smcdesk("report", "run", "broken_report")
        fine, again = (smcdesk("report", "run", "broken_report", "-p", "divisor=2") for _ in range(2))
    finally:
        path.unlink()
    assert code == 1 and "ZeroDivisionError" in err and "Traceback" not in err
    folder = next((house / "notebooks_out/broken_report").glob("*/*/*"))
    record = json.loads((folder / "default.json").read_text())
    assert record["status"] == "failed" and record["error"].startswith("ZeroDivisionError") and record["result"] == {}
    stored = nbformat.read(folder / "default.ipynb", as_version=4)
    assert any(o["output_type"] == "error" for c in stored.cells if c.cell_type == "code" for o in c.outputs)
    assert "ZeroDivisionError" in (folder / "default.html").read_text()
    assert fine[0] == again[0] == 0 and fine[1] == again[1] and not list(folder.glob(".*running*"))
    assert sorted(p.name for p in folder.glob("divisor*")) == [f"divisor-2.{end}" for end in ("html", "ipynb", "json")]


def broken_rules(path: Path) -> list[str]:
    """What a report template does that it must not."""
    nb = nbformat.read(path, as_version=4)
    code = [c for c in nb.cells if c.cell_type == "code"]
    for cell in code:
        cell.source = "\n".join(line for line in cell.source.splitlines() if not line.startswith("%"))
    tagged = [c for c in code if "parameters" in c.metadata.get("tags", [])]
    faults = [] if len(tagged) == 1 else [f"{len(tagged)} cells tagged parameters"]
    for cell in tagged:
        for line in ast.parse(cell.source).body:
            try:
                ast.literal_eval(line.value)
            except (AttributeError, ValueError):
                faults.append(f"not a literal: {ast.unparse(line)}")
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    faults += [type(n).__name__ for c in code for n in ast.walk(ast.parse(c.source)) if isinstance(n, definitions)]
    if "parameters" in {t for c in nb.cells if c.cell_type != "code" for t in c.metadata.get("tags", [])}:
        faults.append("a text cell tagged parameters")
    return faults + [f"stored output: {c.source[:20]}" for c in code if c.outputs or c.execution_count]


def test_report_templates_have_one_parameters_cell_and_define_nothing(root):
    paths = runner.reports(root)
    assert paths
    assert {name: broken_rules(path) for name, path in paths.items()} == {name: [] for name in paths}
    assert all(runner.purpose(path) for path in paths.values())


def test_template_that_breaks_the_rules_is_noticed(tmp_path):
    template(tmp_path / "a.ipynb", "x = 1\ny = x + 1", "def f(): return lambda: 1")
    template(tmp_path / "b.ipynb", "x = 1", tags=())
    assert broken_rules(tmp_path / "a.ipynb") == ["not a literal: y = x + 1", "FunctionDef", "Lambda"]
    assert broken_rules(tmp_path / "b.ipynb") == ["0 cells tagged parameters"]


def test_slot_is_the_symbol_and_what_differs_from_the_defaults():
    defaults = {"symbol": "EURUSD", "env": "base", "n": 1}
    assert runner.slot_name({"symbol": "EURUSD", "env": "base", "n": 1}, defaults) == "EURUSD"
    assert runner.slot_name({"symbol": "XAUUSD", "env": "a/b", "n": 2}, defaults) == "XAUUSD_env-a-b_n-2"
    assert len(runner.slot_name({"symbol": "X" * 200}, {"symbol": ""})) == 80


def test_parameter_under_its_old_name_is_refused_and_the_new_name_is_given():
    with pytest.raises(BadConfig, match="report live_scan: the parameter 'send' is called 'notify' now"):
        runner.resolve_parameters("live_scan", {"notify": False}, {"send": True})
    with pytest.raises(BadConfig, match="no parameter 'send'"):
        runner.resolve_parameters("weekly_review", {"days": 7}, {"send": True})
    assert runner.resolve_parameters("mine", {"send": False}, {"send": "yes"}) == {"send": True}
