"""The `smcdesk` command: from a candle file to a report, one verb at a time."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from smcdesk.commands import data, model, outbox, schedule, store, studies
from smcdesk.commands.console import Env, console, progress_bar, run_report, say_where
from smcdesk.project.config import check_symbol, load_config

STAGES = ("data", "feature", "labels", "replay")
Zone = Annotated[
    str | None, typer.Option(help="Time zone of the file's times, where the file does not say (IANA name).")
]


def _fixable(error: BaseException | None):
    "The error the user can fix, if this one is or was caused by one."
    from smclab.candles import BadBars, BadConfig

    known = (BadBars, BadConfig)
    if "smcdesk.store" in sys.modules:
        from smcdesk.store import Contradiction, StoreDown

        known += (Contradiction, StoreDown)
    if "smcdesk.providers" in sys.modules:
        from smcdesk.providers import ProviderDown

        known += (ProviderDown,)
    while error is not None and not isinstance(error, known):
        error = error.__cause__ or error.__context__
    return error


class FriendlyErrors(TyperGroup):
    "Commands whose fixable errors are one sentence on stderr and exit code 2."

    def invoke(self, ctx):
        "Run the command; `--debug` keeps the traceback."
        try:
            return super().invoke(ctx)
        except Exception as error:
            found = None if ctx.params.get("debug") or isinstance(error, typer.Exit) else _fixable(error)
            if found is None:
                raise
            typer.echo(f"smcdesk: {' '.join(str(found).split())}", err=True)
            raise typer.Exit(1 if isinstance(found, ConnectionError) else 2) from None


app = typer.Typer(
    cls=FriendlyErrors, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Wrong input ends with one sentence and exit code 2; a failed report or a busy store with exit code 1.",
)  # fmt: skip


@app.callback()
def _options(debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False):
    "Smart Money Concepts from a candle file to a replayed, honest report."


app.add_typer(data.app)
app.add_typer(studies.app)
app.add_typer(store.app, name="store")
app.add_typer(outbox.app, name="outbox")
app.add_typer(schedule.app, name="schedule")
app.add_typer(model.app, name="model")


@app.command()
def demo(
    data: Annotated[Path | None, typer.Option("--data", "-d", help="Your candles, CSV or parquet.")] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", "-s", help="Else read from the file's name.")] = None,
    zone: Zone = None,
    instrument: Annotated[
        str | None, typer.Option(help="A profile for an unknown symbol, e.g. default_crypto.")
    ] = None,
    bars_side: Annotated[str | None, typer.Option(help="Which price the candles show: bid, mid or ask.")] = None,
    env: Env = "base",
):
    "The whole road: candles, checks, structure and gaps, setups, decisions, replay, tracking, report."
    from smcdesk.marketdata import sources
    from smcdesk.runs import session

    if data is not None:
        symbol, entry = sources.from_file(data, symbol=symbol, profile=instrument, zone=zone, bars_side=bars_side)
        extra = {"symbols": {symbol: entry}}
    else:
        _only_with_data(zone=zone, instrument=instrument, bars_side=bars_side)
        known, extra = load_config(env).parameters["symbols"], {}
        symbol = check_symbol(symbol, known) if symbol else next(iter(known))
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


@app.command(context_settings={"allow_extra_args": False})
def report(
    name: Annotated[str, typer.Argument(help="A template in nbs/reports; see `smcdesk reports`.")],
    params: Annotated[
        list[str] | None, typer.Option("--param", "-p", help="A parameter as key=value; -p key value works too.")
    ] = None,
):
    "Run a report template into notebooks_out; the same parameters on the same day replace their files."
    from smclab.candles import BadConfig

    given = {}
    for pair in params or ():
        key, sign, value = pair.partition("=")
        if not sign:
            raise BadConfig(f"-p {pair} has no value: write -p {pair} VALUE or -p {pair}=VALUE")
        given[key] = value
    with console().status(f"report {name}"):
        done = run_report(name, given)
    say_where(done)


@app.command()
def reports(
    runs: Annotated[bool, typer.Option("--runs", "-r", help="What was run, newest first.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many runs.")] = 20,
):
    "The report templates, their parameters and their latest run; with --runs, what was run."
    from smcdesk.commands import report

    report.show_runs(limit) if runs else report.show_templates()


@app.command()
def symbols(env: Env = "base"):
    "The symbols conf names, where their candles come from, and the profiles any file can use."
    from rich.console import Console
    from rich.table import Table

    from smclab.instruments import SYMBOLS

    table = Table("symbol", "profile", "candles", "price shown", box=None)
    for name, entry in load_config(env).parameters["symbols"].items():
        table.add_row(name, entry["instrument"], str(entry.get("source") or "made up"), entry.get("bars_side", "bid"))
    out = Console()
    out.print(table)
    out.print(
        f"profiles: {', '.join(SYMBOLS)}; for other markets default_fx, default_metal, default_crypto, default_equity"
    )


@app.command()
def read(
    file: Annotated[Path, typer.Argument(help="Candles, CSV or parquet.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the events go, parquet.")] = Path("events.parquet"),
    columns: Annotated[
        Path | None, typer.Option("--columns", "-c", help="Where the as-known columns go, parquet.")
    ] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", "-s", help="Else read from the file's name.")] = None,
    instrument: Annotated[
        str | None, typer.Option(help="A profile for an unknown symbol, e.g. default_crypto.")
    ] = None,
    timeframe: Annotated[
        str | None, typer.Option("--timeframe", "-t", help="Read a higher timeframe, e.g. 1h.")
    ] = None,
    zone: Zone = None,
):
    "Read one file and store every event, each with the bar that made it knowable, by conf's reading parameters."
    from smcdesk.project.files import atomic_file
    from smcdesk.providers.files import read_file, symbol_from
    from smclab.candles import check, resample, timeframe_ns
    from smclab.instruments import instrument as profile
    from smclab.reader import read as read_market
    from smclab.timeframes import Config

    if timeframe:
        timeframe_ns(timeframe)
    name = instrument or symbol or symbol_from(file)
    market = profile(name) if name else None
    bars, notes = read_file(file, symbol=symbol, zone=zone)
    bars = check(bars, symbol=symbol or file.stem)
    if timeframe:
        roll = {"zone": data.zone, "roll_hour": data.roll_hour} if market else {}
        bars = resample(bars, timeframe, **roll).drop(columns="close_time")
    p = load_config("base").parameters
    config, above = Config.from_dict(p["reading"]), tuple(p["timeframes"])
    with console().status(f"reading {len(bars):,} bars"):
        reading = read_market(bars, config, instrument=market, timeframes=above)
    for path, table in ((out, reading.events), (columns, reading.columns)):
        if path is not None:
            with atomic_file(path) as part:
                table.to_parquet(part, compression="zstd")
    for note in (
        *notes,
        *(() if market else ("No instrument: prices are taken as they are, days roll at 00:00 UTC.",)),
    ):
        typer.echo(note, err=True)
    typer.echo(f"{len(bars):,} bars, {len(reading.events):,} events in {out}")


@app.command()
def warmup():
    "Compile every kernel once and keep it, so that the next process starts fast."
    from time import perf_counter

    from rich.progress import Progress

    started = perf_counter()
    with Progress(console=console(), transient=True) as bar:
        task = bar.add_task("compiling", total=3)
        from smclab import Account, Context, Reader, decide_all, instrument, intents
        from smclab.execution import Costs
        from smclab.labels import barrier_outcomes
        from smclab.policy import preset
        from smclab.replay import replay
        from smclab.tapes import market

        eurusd, bars = instrument("EURUSD"), market(3000, seed=0)
        bar.advance(task)
        reader = Reader(instrument=eurusd).extend(bars.iloc[:-1])
        reader.push(bars.iloc[-1])
        bar.advance(task)
        context = Context(eurusd, Account(equity=10_000.0), eurusd.typical_spread)
        orders = intents(decide_all(reader.reading, context, preset("v1")), bars)
        replay(bars, orders, instrument=eurusd, account=context.account, costs=Costs())
        barrier_outcomes(bars, orders.rename(columns={"decision_bar": "known_bar"}))
        bar.advance(task)
    typer.echo(f"kernels ready after {perf_counter() - started:.1f} s; they are cached beside the package")


@app.command()
def outcomes(
    symbol: Annotated[str | None, typer.Option("--symbol", "-s", help="Else every symbol of conf.")] = None,
    env: Env = "base",
):
    "Fill what became of stored setups, from the bars there are by now; a known outcome stays."
    from smcdesk.runs import session
    from smcdesk.store import Store

    known = load_config(env).parameters["symbols"]
    chosen = check_symbol(symbol, known) if symbol else None
    with Store(env=env) as store:
        before = int(store.labels()["outcome"].notna().sum())
        session.run_pipelines(("outcomes",), symbol=chosen, env=env)
        labels = store.labels()
    done, planned = labels["outcome"].notna(), labels["entry_price"].notna()
    waiting = int((planned & ~done).sum())
    typer.echo(f"{int(done.sum()) - before:,} outcomes became known; {waiting:,} setups still wait for theirs")


@app.command()
def ui(port: Annotated[int, typer.Option(help="Port on this machine.")] = 5000):
    "Open MLflow's pages over the project's runs; Ctrl-C ends them."
    import os

    from smcdesk import tracking
    from smcdesk.project import paths

    tracking.create_database()
    where = ["--backend-store-uri", paths.mlflow_uri(), "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "server", *where])


def _pairs(words: list[str]) -> list[str]:
    "`-p key value` as click can read it: `-p key=value`."
    out = []
    rest = iter(words)
    for word in rest:
        out.append(word)
        if word in ("-p", "--param"):
            key = next(rest, None)
            if key is not None and "=" not in key:
                value = next(rest, None)
                key = key if value is None else f"{key}={value}"
            out += [] if key is None else [key]
    return out


def main():
    "Entry point of the `smcdesk` command."
    app(args=_pairs(sys.argv[1:]), prog_name="smcdesk")


if __name__ == "__main__":
    main()
