"""`smcdesk report run NAME` and `smcdesk report list`: run a template, and show the templates and what was run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from smcdesk.commands.console import console, run_report, say_where
from smcdesk.commands.groups import ReportCommands
from smcdesk.commands.output import Json, show_rows

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
    as_json: Json = False,
):
    "The report templates, their parameters and their latest run; with --runs, what was run."
    _show_runs(limit, as_json) if runs else _show_templates(as_json)


def _show_templates(as_json: bool) -> None:
    "Every template with its purpose, its parameters and its latest run."
    from smcdesk.project import paths
    from smcdesk.reports import index, runner

    rows = []
    for name, path in runner.reports(paths.root()).items():
        defaults, latest = runner.defaults(path), next(iter(index.runs(paths.root(), report=name, limit=1)), None)
        rows.append({
            "report": name, "purpose": runner.purpose(path),
            "parameters": defaults if as_json else ", ".join(f"{k}={v!r}" for k, v in defaults.items()),
            "latest run (UTC)": latest and latest.started,
            "status": "never run" if latest is None else latest.status if as_json else _status(latest),
        })  # fmt: skip
    show_rows(rows, as_json)


def _show_runs(limit: int, as_json: bool) -> None:
    "The newest runs, what came of them, and the page that shows them all."
    from smcdesk.project import paths
    from smcdesk.reports import index

    top, newest, rows = paths.root() / "notebooks_out", index.runs(paths.root(), limit=limit), []
    for run in newest:
        page = run.files().get("html")
        rows.append({
            "started (UTC)": run.started, "report": run.report, "slot": run.slot,
            "status": run.status if as_json else _status(run),
            "result": run.error or str(run.result.get("sentence") or ""),
            "page": page.relative_to(top).as_posix() if page else "",
        })  # fmt: skip
    show_rows(rows, as_json, empty="nothing was run yet")
    if newest and not as_json:
        typer.echo(f"all of them: {(top / 'index.html').as_uri()}")


def _status(run: ReportRun) -> Text:
    "A run's status, in its colour where there are any."
    from rich.text import Text

    return Text(run.status, style=_COLOURS[run.status])
