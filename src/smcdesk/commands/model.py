"""`smcdesk model …`: which model decides, and how it came to."""

from __future__ import annotations

from typing import Annotated

import typer

from smcdesk.commands.console import Env, Symbol, progress_bar, run_report, say_where, symbol_or_first
from smcdesk.commands.options import Changes, FileOptions, with_options
from smcdesk.commands.output import Json, show_rows

app = typer.Typer(no_args_is_help=True, help="Which model decides: train a challenger, list, promote, take back.")


@app.callback()
def _quietly():
    from smcdesk.project import logs

    logs.quiet_libraries()


Name = Annotated[
    str | None,
    typer.Option("--name", "-n", help="A registered model, e.g. smclab-EURUSD-1h; else conf's first symbol."),
]


def _name(name: str | None, env: str) -> str:
    "The registered model meant: the one named, else that of conf's first symbol."
    if name:
        return name
    from smcdesk.modelling import registry

    symbol = symbol_or_first(None, env)
    names = sorted(n for n in set(registry.versions()["name"]) if n.startswith(f"smclab-{symbol}-"))
    if len(names) == 1:
        return names[0]
    from smclab.candles import BadConfig

    choices = f"it has {', '.join(names)}: say which with --name" if names else "smcdesk model train makes one"
    raise BadConfig(f"{symbol} has {len(names)} registered models, one was expected; {choices}")


@app.command("train")
@with_options(of_file=FileOptions, changes=Changes)
def train(
    of_file: FileOptions,
    changes: Changes,
    symbol: Symbol = None,
    env: Env = "base",
    no_report: Annotated[bool, typer.Option("--no-report", help="Leave the report out.")] = False,
):
    "Train a challenger on conf's candles, judge it against the champion, promote it or keep it with the reason."
    from smcdesk.datasets.catalog import load_catalog
    from smcdesk.runs import session

    params, symbol = changes.params(env), of_file.symbol(symbol, env)
    stages = ("data", "feature", "model")
    with progress_bar() as bar:
        run_id = session.run_pipelines(stages, symbol=symbol, env=env, bar=bar, runtime_params=params).run_id
        task = bar.add_task("report", total=None)
        done = None if no_report else run_report("retrain_report", {"symbol": symbol, "env": env}, run_id)
        bar.remove_task(task)
    typer.echo(load_catalog(env).load(f"{symbol}.training").sentence)
    if done:
        say_where(done)


@app.command("list")
def listed(
    name: Annotated[str | None, typer.Option("--name", "-n", help="Only this one.")] = None, as_json: Json = False
):
    "Every version, the newest first: which one decides, and why it does or does not."
    from smcdesk.modelling import registry

    columns = ["name", "version", "alias", "kind", "rows", "reason"]
    rows = registry.versions(name)[columns].to_dict("records")
    show_rows(rows, as_json, empty="no model is registered: smcdesk model train makes one")


@app.command("champion")
def champion(name: Name = None, env: Env = "base"):
    "The version that decides, and what it was judged by."
    from smcdesk.modelling import registry

    rows = registry.versions(_name(name, env))
    stands = rows[rows["alias"] == registry.CHAMPION]
    for row in stands.itertuples():
        how = f"promoted {row.promoted}" + (f", it replaced version {row.replaced}" if row.replaced else "")
        typer.echo(
            f"{row.name} version {row.version} ({row.kind}, {row.rows} rows), {how}\n{row.verdict}\n{row.reason}"
        )
    if stands.empty:
        typer.echo(
            f"{rows['name'].iloc[0] if len(rows) else _name(name, env)} has no champion: decisions go by the score"
        )


@app.command("promote")
def promote(
    version: Annotated[str, typer.Argument(help="The version that shall decide.")],
    name: Name = None,
    env: Env = "base",
):
    "Make a version the champion by hand, whatever its figures."
    from smcdesk.modelling import registry

    name = _name(name, env)
    before = registry.promote(name, version)
    typer.echo(f"{name}: version {version} is the champion" + (f"; version {before} was" if before else ""))


@app.command("rollback")
def rollback(name: Name = None, env: Env = "base"):
    "Put back the champion that stood before the present one."
    from smcdesk.modelling import registry

    name = _name(name, env)
    gone, now = registry.rollback(name)
    stands = f"version {now} is the champion again" if now else "there is no champion: decisions go by the score"
    typer.echo(f"{name}: version {gone} is taken back; {stands}")
