"""`smcdesk scan`: fetch the newest candles, decide, and show each decision with its reason. It sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from smcdesk.commands.console import Env, console
from smcdesk.commands.output import Json, show_json, show_rows

if TYPE_CHECKING:
    from smcdesk.scanning.summary import ScanResult
    from smcdesk.scanning.workspace import Workspace
    from smclab.decision import Decision

app = typer.Typer()
SIDES = {1: "long", -1: "short"}


@app.command(rich_help_panel="Trading")
def scan(
    symbols: Annotated[list[str] | None, typer.Argument(help="As conf calls them; else every symbol of conf.")] = None,
    timeframes: Annotated[str, typer.Option("--timeframes", "-t", help="With commas between, e.g. 15m,1h.")] = "1h",
    provider: Annotated[
        str, typer.Option(help="A source of conf's providers.yml; feeds: each symbol's own, with its stand-in.")
    ] = "files",
    env: Env = "paper",
    slot: Annotated[str, typer.Option(help="Names the scan: run again, nothing is decided twice; else the time.")] = "",
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing: the stored history is all.")] = False,
    alerts: Annotated[bool, typer.Option("--alerts", help="Put new signals into the outbox.")] = False,
    as_json: Json = False,
):
    "Fetch, read and decide the newest candles of each series, and show every decision with its reason."
    from smcdesk.orders.guard import check_send
    from smcdesk.project.config import check_symbol, load_config
    from smcdesk.scanning import outcomes, scanner
    from smcdesk.scanning.alerts import enqueue_alerts
    from smcdesk.scanning.workspace import open_workspace, split_words

    parameters, tfs = load_config(env).parameters, split_words(timeframes)
    check_send(parameters)
    _check(tfs, provider, env)
    chosen = [check_symbol(s, parameters["symbols"]) for s in symbols or ()]
    workspace = open_workspace(env, provider=provider, symbols=chosen, offline=offline)
    try:
        names, slot = list(workspace.configs), slot or _slot_of_now(workspace, tfs)
        with console().status(f"scan {slot}"):
            found = scanner.scan(workspace, names, tfs, slot)
            known_n = outcomes.fill_outcomes(workspace, names, tfs)
            alerts_n = enqueue_alerts(workspace, found) if alerts else 0
    finally:
        workspace.close()
    _show(found, as_json)
    if known_n:
        typer.echo(f"{known_n:,} outcomes of earlier setups became known", err=as_json)
    if alerts:
        sends = f"smcdesk outbox deliver --env {env} sends them"
        typer.echo(f"{alerts_n:,} new messages in the outbox; {sends}", err=as_json)
    if (found.series["problem"] != "").all():
        typer.echo("smcdesk: no series could be brought up to date", err=True)
        raise typer.Exit(1)


def _check(timeframes: list[str], provider: str, env: str) -> None:
    "Refuse what no scan could use, before anything is opened."
    from smcdesk.marketdata import feeds
    from smclab.candles import BadConfig, nearest, timeframe_ns

    if not timeframes:
        raise BadConfig("--timeframes: expected at least one, such as 15m,1h")
    for tf in timeframes:
        timeframe_ns(tf)
    names = ("feeds", *feeds.conf(env).sources)
    if provider not in names:
        raise BadConfig(f"no provider {provider!r}{nearest(provider, names)} Known: {', '.join(names)}.")


def _slot_of_now(workspace: Workspace, timeframes: list[str]) -> str:
    "The slot of the present candle of the shortest timeframe: the one the live_scan report uses too."
    import pandas as pd

    from smclab.candles import timeframe_ns

    step = pd.Timedelta(min(map(timeframe_ns, timeframes)), "ns")
    return f"{pd.Timestamp(workspace.clock()).floor(step):%Y%m%dT%H%MZ}_{workspace.provider_name}"


def _show(found: ScanResult, as_json: bool) -> None:
    "A row per series, then a line per candidate."
    if as_json:
        series, decisions = found.series.to_dict("records"), [d.to_dict() for d in found.decisions]
        show_json({"slot": found.slot, "now": found.now, "series": series, "decisions": decisions})
        return
    typer.echo(f"slot {found.slot}, {found.now:%Y-%m-%d %H:%M:%S}Z; signals that hold: {len(found.signals):,}")
    rows = [
        {"series": f"{row.symbol} {row.timeframe}", "last bar (UTC)": row.last_bar, "bars": row.bars_n,
         "candidates": row.candidates_n, "problem": row.problem}
        for row in found.series.itertuples()
    ]  # fmt: skip
    show_rows(rows, as_json)
    newest = {d.setup_id: d for d in sorted(found.decisions, key=lambda d: d.time)}
    for d in sorted(newest.values(), key=lambda d: (("live", "shadow", "none").index(d.outcome), -(d.score or 0.0))):
        typer.echo(_line(d))
    if not newest:
        typer.echo("no candidate on these candles")


def _line(d: Decision) -> str:
    "A decision in a line: why it is live or shadow, or the first gate that refused it."
    head = f"{d.instrument} {d.timeframe} {SIDES[d.side]}, {d.mode.replace('_', ' ')}"
    if d.outcome != "none":
        return f"{head}: {d.outcome}. {d.why}"
    first = next((v for v in d.verdicts if v.refuses), None)
    return f"{head}: refused, {first.gate}: {first.reason}" if first else f"{head}: refused. {d.why}"
