"""`smcdesk demo`, `ui`, `warmup`: the first steps, from a candle file to a page in the browser."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from smcdesk.commands.console import Env, SymbolOfFile, console, progress_bar, run_report, say_where
from smcdesk.commands.options import Changes, FileOptions, with_options

app = typer.Typer()
STAGES = ("data", "feature", "labels", "replay")  # of the demo
PANEL = "Start"


@app.command(rich_help_panel=PANEL)
@with_options(of_file=FileOptions, changes=Changes)
def demo(of_file: FileOptions, changes: Changes, symbol: SymbolOfFile = None, env: Env = "base"):
    "The whole road: candles, checks, structure and gaps, setups, decisions, replay, report; a file is not remembered."
    from smcdesk.runs import session

    params = changes.params(env)
    if of_file.data is not None:  # a try: nothing is remembered
        symbol, entry = of_file.entry(of_file.data, symbol, env)
        params = {**params, "symbols": {symbol: entry}}
    else:
        symbol = of_file.symbol(symbol, env)
    with progress_bar() as bar:
        run_id = session.run_pipelines(STAGES, symbol=symbol, env=env, runtime_params=params, bar=bar).run_id
        task = bar.add_task("report", total=None)
        done = run_report("replay_report", {"symbol": symbol, "env": env}, run_id)
        bar.remove_task(task)
    say_where(done)


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
