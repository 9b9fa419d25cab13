"""The `smcdesk` command: from a candle file to a report, one verb at a time."""

from __future__ import annotations

from typing import Annotated

try:
    import typer
except ModuleNotFoundError:
    raise SystemExit("smcdesk: the Desk is not installed with this library: pip install 'smclab[desk]'") from None

from smcdesk.commands import data, model, outbox, report, run, scan, schedule, store, studies
from smcdesk.commands.groups import FriendlyErrors

app = typer.Typer(
    cls=FriendlyErrors, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Wrong input ends with one sentence and exit code 2; a failed report or a busy store with exit code 1.",
)  # fmt: skip


@app.callback()
def _options(debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False):
    "Smart Money Concepts from a candle file to a replayed, honest report."


for _commands in (run, data, studies):
    app.add_typer(_commands.app)
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
