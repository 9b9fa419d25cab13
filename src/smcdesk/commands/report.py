"""`smcdesk reports`: the templates there are, and what was run."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from smcdesk.project import paths
from smcdesk.reports import index, runner

_COLOURS = {"ok": "green", "failed": "red", "broken": "yellow", "unfinished": "yellow"}


def _status(run: index.ReportRun) -> Text:
    "A run's status, in its colour where there are any."
    return Text(run.status, style=_COLOURS[run.status])


def show_templates() -> None:
    "Every template with its purpose, its parameters and its latest run."
    table = Table("report", "purpose", "parameters", "latest run (UTC)", "status", box=None)
    for name, path in runner.reports(paths.root()).items():
        known = ", ".join(f"{k}={v!r}" for k, v in runner.defaults(path).items())
        latest = next(iter(index.runs(paths.root(), report=name, limit=1)), None)
        when = [f"{latest.started:%Y-%m-%d %H:%M}", _status(latest)] if latest else ["never", ""]
        table.add_row(Text(name), Text(runner.purpose(path)), Text(known), *when)
    Console().print(table)


def show_runs(limit: int) -> None:
    "The newest runs, what came of them, and the page that shows them all."
    top, told = paths.root() / "notebooks_out", index.runs(paths.root(), limit=limit)
    table = Table("started (UTC)", "report", "slot", "status", "result", "page", box=None)
    for run in told:
        page = run.files().get("html")
        said = run.error or str(run.result.get("sentence") or "")
        where = page.relative_to(top).as_posix() if page else ""
        words = [Text(word) for word in (f"{run.started:%Y-%m-%d %H:%M}", run.report, run.slot)]
        table.add_row(*words, _status(run), Text(said), Text(where))
    out = Console()
    out.print(table if told else "nothing was run yet")
    if told:
        out.print(f"all of them: {(top / 'index.html').as_uri()}", soft_wrap=True)
