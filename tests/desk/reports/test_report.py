"""Every report module offers its template the same four functions, and every template uses its own module."""

from __future__ import annotations

import importlib
import inspect
import re

import nbformat
import pytest

from smcdesk.reports import runner
from smcdesk.reports.report import ReportModule

LOADERS = {"live_scan": "run_live_scan", "paper_scan": "run_paper_scan"}  # two templates of one module; others: load
MODULES = {"live_scan": "scan_report", "paper_scan": "scan_report"}  # others: of the template's own name


def code_of(template) -> str:
    cells = nbformat.read(template, as_version=4).cells
    return "\n".join(c.source for c in cells if c.cell_type == "code")


def own_module(template: str, code: str) -> str | None:
    "The report module of a template; None: it imports none."
    lists = re.findall(r"from smcdesk\.reports import ([\w, ]+)", code)
    imported = {name.strip() for names in lists for name in names.split(",")}
    own = MODULES.get(template, template)
    assert not imported or own in imported, f"{template} imports {sorted(imported)}, not {own}"
    return own if imported else None


def parameters_of(function) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


def interface_faults(module, loader: str = "load") -> list[str]:
    "Where a module differs from `ReportModule`."
    faults = [] if callable(getattr(module, loader, None)) else [f"no {loader}"]
    for name in ("resolved", "verdict", "summary"):
        function = getattr(module, name, None)
        if not callable(function):
            faults.append(f"no {name}")
        elif [p.name for p in parameters_of(function)] != ["report"]:
            faults.append(f"{name}{inspect.signature(function)}: expected one parameter, report")
        elif (
            inspect.signature(function).return_annotation
            != inspect.signature(getattr(ReportModule, name)).return_annotation
        ):
            faults.append(f"{name} returns {inspect.signature(function).return_annotation}")
    shows = [f for _, f in inspect.getmembers(module, inspect.isfunction) if f.__module__ == module.__name__]
    for function in shows:
        parameters = parameters_of(function)
        if parameters and parameters[0].name == "report" and not inspect.getdoc(function):
            faults.append(f"{function.__name__} has no docstring")
    return faults


def test_every_report_module_has_the_interface(root):
    found = {name: own_module(name, code_of(path)) for name, path in runner.reports(root).items()}
    assert len([module for module in found.values() if module]) >= 10
    for name, module in found.items():
        if module is not None:
            room = importlib.import_module(f"smcdesk.reports.{module}")
            assert interface_faults(room, LOADERS.get(name, "load")) == [], name


def test_every_function_a_template_calls_exists(root):
    for name, path in runner.reports(root).items():
        code = code_of(path)
        if module := own_module(name, code):
            room = importlib.import_module(f"smcdesk.reports.{module}")
            assert not [n for n in re.findall(rf"\b{module}\.(\w+)\(", code) if not hasattr(room, n)], path.stem


def test_module_that_breaks_the_interface_is_noticed():
    class Broken:
        __name__ = "broken"

        @staticmethod
        def resolved(scan): ...

        @staticmethod
        def verdict(report) -> int: ...

    faults = interface_faults(Broken)
    assert "no load" in faults and "no summary" in faults
    assert any("expected one parameter, report" in fault for fault in faults) and "verdict returns int" in faults


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (1234.5, None, None, "1,234.50"),
        (0.25, -0.1, 0.6, "0.25 (-0.10 … 0.60)"),
        (None, None, None, "none"),
        (float("nan"), 0.0, 1.0, "none"),
        (float("inf"), float("nan"), float("nan"), "inf"),
    ],
)
def test_figures_are_written_with_their_interval(value, low, high, text):
    from smcdesk.reports.text import with_interval

    assert with_interval(value, low, high) == text
