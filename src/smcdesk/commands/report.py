"""`smcdesk report run NAME` and `smcdesk report list`: run a template, and show the templates and what was run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from smcdesk.commands.console import console, run_report, say_where
from smcdesk.commands.groups import ReportCommands

if TYPE_CHECKING:
    from rich.text import Text

    from smcdesk.reports.index import ReportRun

app = typer.Typer(cls=ReportCommands, no_args_is_help=True, help="Reports: run one, or list them and their runs.")
_COLOURS = {"ok": "green", "failed": "red", "broken": "yellow", "unfinished": "yellow"}


@app.command("run")
def report_run(
    name: Annotated[str, typer.Argument(help="A template in nbs/reports; see `smcdesk report list`.")],
    params: Annotated[
        list[str] | None, typer.Option("--param", "-p", help="A parameter as key=value; -p key value works too.")
    ] = None,
):
    "Run a report template into notebooks_out; the same parameters on the same day replace their files."
    from smclab.candles import BadConfig

    values = {}
    for pair in params or ():
        key, sign, value = pair.partition("=")
        if not sign:
            raise BadConfig(f"-p {pair} has no value: write -p {pair} VALUE or -p {pair}=VALUE")
        values[key] = value
    with console().status(f"report {name}"):
        done = run_report(name, values)
    say_where(done)


@app.command("list")
def report_list(
    runs: Annotated[bool, typer.Option("--runs", "-r", help="What was run, newest first.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many runs.")] = 20,
):
    "The report templates, their parameters and their latest run; with --runs, what was run."
    _show_runs(limit) if runs else _show_templates()


def _show_templates() -> None:
    "Every template with its purpose, its parameters and its latest run."
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from smcdesk.project import paths
    from smcdesk.reports import index, runner

    table = Table("report", "purpose", "parameters", "latest run (UTC)", "status", box=None)
    for name, path in runner.reports(paths.root()).items():
        defaults = ", ".join(f"{k}={v!r}" for k, v in runner.defaults(path).items())
        latest = next(iter(index.runs(paths.root(), report=name, limit=1)), None)
        when = [f"{latest.started:%Y-%m-%d %H:%M}", _status(latest)] if latest else ["never", ""]
        table.add_row(Text(name), Text(runner.purpose(path)), Text(defaults), *when)
    Console().print(table)


def _show_runs(limit: int) -> None:
    "The newest runs, what came of them, and the page that shows them all."
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from smcdesk.project import paths
    from smcdesk.reports import index

    top, newest = paths.root() / "notebooks_out", index.runs(paths.root(), limit=limit)
    table = Table("started (UTC)", "report", "slot", "status", "result", "page", box=None)
    for run in newest:
        page = run.files().get("html")
        result = run.error or str(run.result.get("sentence") or "")
        where = page.relative_to(top).as_posix() if page else ""
        words = [Text(word) for word in (f"{run.started:%Y-%m-%d %H:%M}", run.report, run.slot)]
        table.add_row(*words, _status(run), Text(result), Text(where))
    out = Console()
    out.print(table if newest else "nothing was run yet")
    if newest:
        out.print(f"all of them: {(top / 'index.html').as_uri()}", soft_wrap=True)


def _status(run: ReportRun) -> Text:
    "A run's status, in its colour where there are any."
    from rich.text import Text

    return Text(run.status, style=_COLOURS[run.status])
