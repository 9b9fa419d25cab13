"""`smcdesk demo`, `ui`, `warmup`: the first steps, from a candle file to a page in the browser."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from smcdesk.commands.console import (
    DayFirst,
    Decimal,
    Env,
    Label,
    Profile,
    SymbolOfFile,
    Zone,
    console,
    progress_bar,
    run_report,
    say_where,
    symbol_or_first,
)

app = typer.Typer()
STAGES = ("data", "feature", "labels", "replay")  # of the demo
PANEL = "Start"


@app.command(rich_help_panel=PANEL)
def demo(
    data: Annotated[
        Path | None, typer.Option("--data", "-d", help="Your candles: CSV, text, JSON, parquet, feather or a zip.")
    ] = None,
    symbol: SymbolOfFile = None,
    zone: Zone = None,
    decimal: Decimal = None,
    day_first: DayFirst = None,
    label: Label = None,
    instrument: Profile = None,
    bars_side: Annotated[str | None, typer.Option(help="Which price the candles show: bid, mid or ask.")] = None,
    env: Env = "base",
):
    "The whole road: candles, checks, structure and gaps, setups, decisions, replay, tracking, report."
    from smcdesk.marketdata import sources
    from smcdesk.runs import session

    reading = {"zone": zone, "decimal": decimal, "day_first": day_first, "label": label}
    if data is not None:
        symbol, entry = sources.from_file(
            data, symbol=symbol, profile=instrument, bars_side=bars_side, env=env, **reading
        )
        extra = {"symbols": {symbol: entry}}
    else:
        _only_with_data(**reading, instrument=instrument, bars_side=bars_side)
        symbol, extra = symbol_or_first(symbol, env), {}
    with progress_bar() as bar:
        run_id = session.run_pipelines(STAGES, symbol=symbol, env=env, runtime_params=extra, bar=bar).run_id
        task = bar.add_task("report", total=None)
        done = run_report("replay_report", {"symbol": symbol, "env": env}, run_id)
        bar.remove_task(task)
    say_where(done)


def _only_with_data(**options):
    "Refuse options that only mean something for a file of the user's."
    from smclab.candles import BadConfig

    for name, value in options.items():
        if value is not None:
            raise BadConfig(f"--{name.replace('_', '-')} describes a file: say which with --data")


@app.command(rich_help_panel=PANEL)
def ui(port: Annotated[int, typer.Option(help="Port on this machine.", min=1, max=65535)] = 5000):
    "Open MLflow's pages over the project's runs; Ctrl-C ends them."
    import os

    from smcdesk import tracking
    from smcdesk.project import paths

    tracking.create_database()
    where = ["--backend-store-uri", paths.mlflow_uri(), "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "server", *where])


@app.command(rich_help_panel=PANEL)
def warmup():
    "Compile every kernel once and store it, so that the next process starts fast."
    from time import perf_counter

    from rich.progress import Progress

    started = perf_counter()
    with Progress(console=console(), transient=True) as bar:
        task = bar.add_task("compiling", total=3)
        from smcdesk.decisions.context import tape_context
        from smclab import Account, Reader, decide_all, instrument, intents
        from smclab.execution import Costs
        from smclab.labels import barrier_outcomes
        from smclab.policy import preset
        from smclab.replay import replay
        from smclab.tapes import market
        from smclab.timeframes import Config

        eurusd, bars = instrument("EURUSD"), market(3000, seed=0)
        bar.advance(task)
        reader = Reader(instrument=eurusd).extend(bars.iloc[:-1])
        reader.push(bars.iloc[-1])
        bar.advance(task)
        policy, costs = preset("v1"), Costs(spread_price=eurusd.typical_spread)
        context = tape_context(
            bars, bars, eurusd, Account(equity=10_000.0), costs, None, policy, Config(), {"method": "rule", "rule": {}}
        )
        orders = intents(decide_all(reader.reading, context, policy), bars)
        replay(bars, orders, instrument=eurusd, account=context.account, costs=costs)
        barrier_outcomes(bars, orders.rename(columns={"decision_bar": "known_bar"}))
        bar.advance(task)
    typer.echo(f"kernels ready after {perf_counter() - started:.1f} s; they are cached beside the package")
