"""`smcdesk doctor`: what is installed, how fresh and good the candles are, what would fail now, what comes next."""

from __future__ import annotations

from typing import Annotated

import typer

from smcdesk.commands.console import console

app = typer.Typer()


@app.command(rich_help_panel="Start")
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="All of it as JSON.")] = False,
    env: Annotated[str, typer.Option("--env", "-e", help="Whose symbols and timetable: paper, live, base.")] = "paper",
):
    "What is installed, how fresh and good each symbol is, which lines of the timetable would fail now, what is next."
    from smcdesk.commands.output import show_json, show_rows
    from smcdesk.services import doctor

    with console().status("looking"):
        found = doctor.examine(env)
    if as_json:
        show_json(found.to_dict())
    else:
        typer.echo(", ".join(f"{name} {version}" for name, version in found.versions.items()))
        for row in found.extras:
            typer.echo(
                f"  {row['extra']:<11} {'not installed: ' + ', '.join(row['missing']) if row['missing'] else 'ok'}"
            )
        show_rows(found.symbols, False, wide=110)
        show_rows([{**row, "problem": row["problem"] or "would run"} for row in found.lines], False, wide=110)
        for n, step in enumerate(found.steps, start=1):
            typer.echo(f"{n}. {step}")
    raise typer.Exit(0 if found.ok else 1)
