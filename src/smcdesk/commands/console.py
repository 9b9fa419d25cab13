"""What all commands share: how they show their progress, run a report, and show where everything is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

Env = Annotated[
    str, typer.Option("--env", "-e", help="Environment in conf: base, test (a made-up market), paper, live.")
]
Zone = Annotated[
    str | None,
    typer.Option(
        help="Clock of the file's times, where the file does not say: Europe/Athens, UTC-5, America/New_York+7."
    ),
]
DayFirst = Annotated[
    bool | None,
    typer.Option("--day-first/--month-first", help="Which stands first in 01.02.2017, where no row decides."),
]
Label = Annotated[str | None, typer.Option(help="What the file's times name: the bars' open or close; else decided.")]
Decimal = Annotated[
    str | None, typer.Option(help="What stands before the file's decimals, . or , where its numbers read both ways.")
]
SymbolOfFile = Annotated[
    str | None, typer.Option("--symbol", "-s", help="Else read from the file's name or symbol column.")
]
Profile = Annotated[str | None, typer.Option(help="A profile for an unknown symbol, e.g. default_crypto.")]
Symbol = Annotated[
    str | None, typer.Option("--symbol", "-s", help="As conf calls it; else the file's, or the first of conf.")
]


def symbol_or_first(name: str | None, env: str) -> str:
    "The symbol as conf spells it; the first of conf where none is named."
    from smcdesk.project.config import check_symbol, load_config

    symbols = load_config(env).parameters["symbols"]
    return check_symbol(name, symbols) if name else next(iter(symbols))


def console():
    "Stderr, where progress is shown."
    from rich.console import Console

    return Console(stderr=True)


def progress_bar():
    "A progress bar of nodes, and of the work inside one: count, time passed, time left."
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as TimeLeftColumn

    columns = (SpinnerColumn(), TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn())
    columns += (TimeElapsedColumn(), TextColumn("left"), TimeLeftColumn())
    return Progress(*columns, console=console(), transient=True)


def run_report(name: str, params: dict, run_id: str | None = None):
    "Run a report now."
    from datetime import UTC, datetime

    from smcdesk.project import logs, paths
    from smcdesk.reports import runner

    logs.quiet_libraries()
    return runner.run_report(name, params, root=paths.root(), now=datetime.now(UTC), run_id=run_id)


def short_path(path: Path) -> Path:
    "The path as one would type it from the current folder."
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def say_where(done):
    "Where a report, its run and its figures are, and the command that opens each."
    from rich.console import Console
    from rich.markup import escape

    from smcdesk.project import paths
    from smcdesk.project.redaction import one_line

    root, out = paths.root(), Console(soft_wrap=True, highlight=False)
    sentence = done.result.get("sentence") or done.error

    def line(what, where, command):
        out.print(f"[bold]{what:<9}[/] {escape(str(where))}\n          [dim]open:[/] {escape(command)}")

    out.print(one_line(f"{done.report} {done.slot}: {done.status}. {sentence}"), markup=False)
    tools = short_path(Path(sys.executable).parent)
    line("report", short_path(done.html), f"{tools}/python -m webbrowser -t {done.html.as_uri()}")
    line("notebook", short_path(done.notebook), f"{tools}/jupyter lab {short_path(done.notebook)}")
    if done.run_id:
        line("MLflow", f"run {done.run_id}", f"{tools}/smcdesk ui")
    figures = root / "data" / "08_reporting" / str(done.params.get("symbol", ""))
    if "study" in done.params:
        figures /= "study"
    for picture in sorted(figures.glob("*.png")) if done.params.get("symbol") else ():
        line("figure", short_path(picture), f"{tools}/python -m webbrowser -t {picture.as_uri()}")
    if done.status != "ok":
        typer.echo(f"smcdesk: report {done.report} failed: {done.error}", err=True)
        raise typer.Exit(1)
