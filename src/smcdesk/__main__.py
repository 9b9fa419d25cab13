"""The `smcdesk` command: from a candle file to a report, one verb at a time."""

from __future__ import annotations

from typing import Annotated

try:
    import typer
except ModuleNotFoundError:
    raise SystemExit("smcdesk: the Desk is not installed with this library: pip install 'smclab[desk]'") from None

from smcdesk.commands import data, doctor, model, outbox, report, run, scan, schedule, store, studies, symbols
from smcdesk.commands.groups import FriendlyErrors

app = typer.Typer(
    cls=FriendlyErrors, no_args_is_help=True, pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Wrong input ends with one sentence and exit code 2; a failed report or a busy store with 1, "
    "Ctrl-C with 130 and what is kept.",
)  # fmt: skip


def _say_version(wanted: bool) -> None:
    "The program's version and Python's, and nothing else."
    if wanted:
        from platform import python_version

        from smclab import __version__

        typer.echo(f"smcdesk {__version__}, Python {python_version()}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and end.")
    ] = False,
):
    "Smart Money Concepts from a candle file to a replayed, honest report."


for _commands in (run, doctor, data, studies):
    app.add_typer(_commands.app)
app.add_typer(symbols.app, name="symbols", rich_help_panel=data.PANEL)
app.add_typer(report.app, name="report", rich_help_panel="Reports")
app.add_typer(scan.app)
for _group in (schedule, model, store, outbox):
    app.add_typer(_group.app, name=_group.__name__.rpartition(".")[2], rich_help_panel="Trading")


def main():
    "Entry point of the `smcdesk` command."
    from smcdesk.project import logs

    logs.mask_secrets()
    app(prog_name="smcdesk")


if __name__ == "__main__":
    main()
