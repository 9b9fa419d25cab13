"""`smcdesk store …`: what was decided and what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from smcdesk.commands.console import Env, short_path
from smcdesk.commands.output import Json, show_rows

app = typer.Typer(no_args_is_help=True, help="What was decided and what became of it: the Desk's database.")
Policy = Annotated[str, typer.Option(help="A policy's hash, or the beginning of one; else conf's own policy.")]


@app.command("upgrade")
def store_upgrade(
    to: Annotated[str, typer.Option(help="A revision; earlier ones lose what later ones added.")] = "head",
    env: Env = "base",
):
    "Make the store's tables, or bring them to this program's shape."
    from smcdesk.store import Store, legacy

    with Store(env=env) as store:
        before = store.revision()
        now = store.upgrade(to)
        typer.echo(f"{store!r}: revision {now}" + (f", was {before or 'empty'}" if before != now else ", as it was"))
        for file, rows in (legacy.import_files(store, env) if to == "head" else {}).items():
            typer.echo(f"{rows:,} rows of {file} taken into the store; the file is kept as {file}{legacy.DONE}")


@app.command("export")
def store_export(
    day: Annotated[str | None, typer.Argument(help="A UTC day such as 2024-03-08; without it, every day.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder; one folder per day is created in it.")
    ] = None,
    formats: Annotated[str, typer.Option("--format", "-f", help="csv, parquet, or both.")] = "csv,parquet",
    env: Env = "base",
):
    "Write a day's decisions, verdicts, labels and signals as files; the day's folder is replaced whole."
    from smcdesk.project import paths
    from smcdesk.store import Store

    folder = out or paths.root() / "data" / "08_reporting" / "store" / env
    kinds = tuple(word.strip() for word in formats.split(",") if word.strip())
    with Store(env=env) as store:
        for one in [day] if day else store.days():
            typer.echo(str(short_path(store.export(folder, one, formats=kinds).resolve())))


@app.command("forget")
def store_forget(
    policy: Annotated[str, typer.Argument(help="A policy's hash, or the beginning of one.")],
    instrument: Annotated[str, typer.Argument(help="The instrument as the store names it.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    env: Env = "base",
):
    "Delete one policy's decisions, labels and signals on one instrument, and that scans looked at it. Baselines stay."
    from smcdesk.research import rollout
    from smcdesk.store import Store
    from smcdesk.store.journal import ScanJournal

    with Store(env=env) as store:
        chosen, decisions, labels = rollout.stored_counts(store, policy, instrument)
        if not yes:
            what = f"{decisions:,} decisions and {labels:,} labels of policy {chosen} on {instrument}"
            typer.confirm(f"Delete {what} from {store!r}?", abort=True)
        with store.transaction() as one:
            rows, entries = one.forget(chosen, instrument), ScanJournal(one).forget(instrument, chosen)
        typer.echo(f"{rows:,} rows of policy {chosen} on {instrument} are gone")
        if entries:
            typer.echo(f"{entries:,} bars of {instrument} that scans looked at are gone from the journal")


@app.command("baseline")
def store_baseline(
    name: Annotated[str | None, typer.Argument(help="What later rollouts will call it; without it, list them.")] = None,
    policy: Policy = "",
    instrument: Annotated[str, typer.Option(help="Else all.")] = "",
    note: Annotated[str, typer.Option(help="Why these figures were frozen.")] = "",
    as_json: Json = False,
    env: Env = "base",
):
    "Freeze the rollout's figures under a name, or list what is frozen."
    from smcdesk.research import rollout
    from smcdesk.store import Store

    with Store(env=env) as store:
        if name is None:
            rows = [
                {"name": row.name, "known by (UTC)": row.time, "policy": row.policy_hash,
                 "setups": row.figures.get("n", 0), "note": row.note}
                for row in store.baselines().itertuples()
            ]  # fmt: skip
            show_rows(rows, as_json, empty="no figures are frozen yet")
            return
        figures = rollout.load(env, policy=policy, instrument=instrument)
        new = rollout.freeze(store, name, figures, note)
        what = "frozen" if new else "was frozen already, with the same figures"
        typer.echo(f"baseline {name}: {len(figures.labels):,} setups of policy {figures.policy_hash}, {what}")
