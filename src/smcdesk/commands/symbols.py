"""`smcdesk symbols`, `symbols add FILE`: the markets conf names, and a file as one more of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from smcdesk.commands.console import Env, SymbolOfFile
from smcdesk.commands.options import ReadingOptions, say_remembered, with_options
from smcdesk.commands.output import Json, show_rows

app = typer.Typer(invoke_without_command=True, help="The symbols conf names; `symbols add FILE` adds one.")


@app.callback()
def symbols(ctx: typer.Context, as_json: Json = False, env: Env = "base"):
    "The symbols conf names, where their candles come from, and the profiles any file can use."
    if ctx.invoked_subcommand:
        return
    from smcdesk.project.config import load_config
    from smclab.instruments import SYMBOLS

    rows = [
        {
            "symbol": name, "profile": entry["instrument"], "candles": entry.get("source") or "made up",
            "price_shown": entry.get("bars_side", "bid"), "zone": entry.get("zone"),
        }
        for name, entry in load_config(env).parameters["symbols"].items()
    ]  # fmt: skip
    show_rows(rows, as_json)
    if not as_json:
        typer.echo(
            f"profiles: {', '.join(SYMBOLS)}; for other markets default_fx, default_metal, default_crypto, "
            "default_equity\nsmcdesk symbols add FILE adds one"
        )


@app.command("add")
@with_options(how=ReadingOptions)
def add(
    file: Annotated[Path, typer.Argument(help="Candles: CSV, text, JSON, parquet, feather or a zip.")],
    how: ReadingOptions,
    symbol: SymbolOfFile = None,
    env: Env = "base",
):
    "Remember a file as a symbol, with its zone, price side and profile, in conf/local; nothing there is replaced."
    name, entry = how.entry(file, symbol, env)
    say_remembered(name, entry, env)
    typer.echo(f"smcdesk quality {name} says how good its candles are; smcdesk replay --symbol {name} plays them")
