"""The `smcdesk` command: from a candle file to a report, one verb at a time."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from smcdesk.commands import market, notify, schedule

STAGES = ("data", "feature", "model", "replay")
Env = Annotated[
    str, typer.Option("--env", "-e", help="Environment in conf: base, test (a made-up market), paper, live.")
]
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


class Readable(TyperGroup):
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
    cls=Readable, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich",
    epilog="Wrong input ends with one sentence and exit code 2; a failed report or a busy store with exit code 1.",
)  # fmt: skip


@app.callback()
def _options(debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False):
    "Smart Money Concepts from a candle file to a replayed, honest report."


def _console():
    from rich.console import Console

    return Console(stderr=True)


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
    from smcdesk import project, session, sources

    if data is not None:
        symbol, entry = sources.from_file(data, symbol=symbol, profile=instrument, zone=zone, bars_side=bars_side)
        extra = {"symbols": {symbol: entry}}
    else:
        _only_with_data(zone=zone, instrument=instrument, bars_side=bars_side)
        known, extra = project.parameters(env)["symbols"], {}
        symbol = project.check_symbol(symbol, known) if symbol else next(iter(known))
    with _bar() as bar:
        run_id = session.run(STAGES, symbol=symbol, env=env, runtime_params=extra, bar=bar)
        task = bar.add_task("report", total=None)
        done = _report("replay_report", {"symbol": symbol, "env": env}, run_id)
        bar.remove_task(task)
    _say_where(done)


def _bar():
    "A progress bar of nodes, and of the work inside one."
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    described = TextColumn("{task.description:<22}")
    columns = (SpinnerColumn(), described, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=_console(), transient=True)


def _only_with_data(**options):
    "Refuse options that only mean something for a file of the user's."
    from smclab.candles import BadConfig

    for name, value in options.items():
        if value is not None:
            raise BadConfig(f"--{name.replace('_', '-')} describes a file: say which with --data")


def _report(name: str, params: dict, run_id: str | None = None):
    "Run a report now."
    from datetime import UTC, datetime

    from smcdesk import project, reports, session

    session.quiet()
    return reports.run_report(name, params, root=project.root(), now=datetime.now(UTC), run_id=run_id)


def _here(path: Path) -> Path:
    "The path as one would type it from the current folder."
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _say_where(done):
    "Where a report, its run and its figures are, and the command that opens each."
    from rich.console import Console

    from smcdesk import project

    root, out = project.root(), Console(soft_wrap=True, highlight=False)
    sentence = done.result.get("sentence") or done.error

    def line(what, where, command):
        out.print(f"[bold]{what:<9}[/] {where}\n          [dim]open:[/] {command}")

    out.print(f"{done.report} {done.slot}: {done.status}. {sentence}", markup=False)
    tools = _here(Path(sys.executable).parent)
    line("report", _here(done.html), f"{tools}/python -m webbrowser -t {done.html.as_uri()}")
    line("notebook", _here(done.notebook), f"{tools}/jupyter lab {_here(done.notebook)}")
    if done.run_id:
        line("MLflow", f"run {done.run_id}", f"{tools}/smcdesk ui")
    figures = root / "data" / "08_reporting" / str(done.params.get("symbol", "")) / ("study" * ("study" in done.params))
    for picture in sorted(figures.glob("*.png")) if done.params.get("symbol") else ():
        line("figure", _here(picture), f"{tools}/python -m webbrowser -t {picture.as_uri()}")
    if done.status != "ok":
        typer.echo(f"smcdesk: report {done.report} failed: {done.error}", err=True)
        raise typer.Exit(1)


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
    with _console().status(f"report {name}"):
        done = _report(name, given)
    _say_where(done)


@app.command()
def reports():
    "The report templates, what they are for, and their parameters."
    from rich.console import Console
    from rich.table import Table

    from smcdesk import project
    from smcdesk import reports as shelf

    table = Table("report", "purpose", "parameters", box=None)
    for name, path in shelf.reports(project.root()).items():
        known = ", ".join(f"{k}={v!r}" for k, v in shelf.defaults(path).items())
        table.add_row(name, shelf.purpose(path), known)
    Console().print(table)


@app.command()
def symbols(env: Env = "base"):
    "The symbols conf names, where their candles come from, and the profiles any file can use."
    from rich.console import Console
    from rich.table import Table

    from smcdesk import project
    from smclab.instruments import SYMBOLS

    table = Table("symbol", "profile", "candles", "price shown", box=None)
    for name, entry in project.parameters(env)["symbols"].items():
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
    from smcdesk import project
    from smcdesk.disk import whole_file
    from smcdesk.providers.files import read_file, symbol_from
    from smclab.candles import check, resample, timeframe_ns
    from smclab.instruments import instrument as profile
    from smclab.reading import Config
    from smclab.reading import read as read_market

    if timeframe:
        timeframe_ns(timeframe)
    name = instrument or symbol or symbol_from(file)
    market = profile(name) if name else None
    bars, notes = read_file(file, symbol=symbol, zone=zone)
    bars = check(bars, symbol=symbol or file.stem)
    if timeframe:
        roll = {"zone": market.zone, "roll_hour": market.roll_hour} if market else {}
        bars = resample(bars, timeframe, **roll).drop(columns="close_time")
    p = project.parameters("base")
    config, above = Config.from_dict(p["reading"]), tuple(p["timeframes"])
    with _console().status(f"reading {len(bars):,} bars"):
        reading = read_market(bars, config, instrument=market, timeframes=above)
    for path, table in ((out, reading.events), (columns, reading.columns)):
        if path is not None:
            with whole_file(path) as part:
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
    with Progress(console=_console(), transient=True) as bar:
        task = bar.add_task("compiling", total=3)
        from smclab import Account, Context, Reader, decide_all, instrument, intents
        from smclab.execution import Costs
        from smclab.labels import barrier_outcomes
        from smclab.replay import replay
        from smclab.risk import preset
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
    from smcdesk import project, session
    from smcdesk.store import Store

    known = project.parameters(env)["symbols"]
    chosen = project.check_symbol(symbol, known) if symbol else None
    with Store(env=env) as store:
        before = int(store.labels()["outcome"].notna().sum())
        session.run(("outcomes",), symbol=chosen, env=env)
        labels = store.labels()
    done, planned = labels["outcome"].notna(), labels["entry_price"].notna()
    waiting = int((planned & ~done).sum())
    typer.echo(f"{int(done.sum()) - before:,} outcomes became known; {waiting:,} setups still wait for theirs")


app.add_typer(notify.app, name="outbox")
app.add_typer(schedule.app, name="schedule")
app.add_typer(market.app)

store_app = typer.Typer(no_args_is_help=True, help="What was decided and what became of it: the Desk's database.")
app.add_typer(store_app, name="store")
Policy = Annotated[str, typer.Option(help="A policy's hash, or the beginning of one; else conf's own policy.")]


@store_app.command("upgrade")
def store_upgrade(
    to: Annotated[str, typer.Option(help="A revision; earlier ones lose what later ones added.")] = "head",
    env: Env = "base",
):
    "Make the store's tables, or bring them to this program's shape."
    from smcdesk.store import Store

    with Store(env=env) as store:
        before = store.revision()
        now = store.upgrade(to)
        typer.echo(f"{store!r}: revision {now}" + (f", was {before or 'empty'}" if before != now else ", as it was"))


@store_app.command("export")
def store_export(
    day: Annotated[str | None, typer.Argument(help="A UTC day such as 2024-03-08; without it, every day.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder; one folder per day is made in it.")] = None,
    formats: Annotated[str, typer.Option("--format", "-f", help="csv, parquet, or both.")] = "csv,parquet",
    env: Env = "base",
):
    "Write a day's decisions, verdicts, labels and signals as files; the day's folder is replaced whole."
    from smcdesk import project
    from smcdesk.store import Store

    folder = out or project.root() / "data" / "08_reporting" / "store" / env
    kinds = tuple(word.strip() for word in formats.split(",") if word.strip())
    with Store(env=env) as store:
        for one in [day] if day else store.days():
            typer.echo(str(_here(store.export(folder, one, formats=kinds).resolve())))


@store_app.command("forget")
def store_forget(
    policy: Annotated[str, typer.Argument(help="A policy's hash, or the beginning of one.")],
    instrument: Annotated[str, typer.Argument(help="The instrument as the store names it.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    env: Env = "base",
):
    "Delete one policy's decisions, labels and signals on one instrument. Baselines stay."
    from smcdesk import rollout
    from smcdesk.store import Store

    with Store(env=env) as store:
        chosen, decisions, labels = rollout.kept(store, policy, instrument)
        if not yes:
            what = f"{decisions:,} decisions and {labels:,} labels of policy {chosen} on {instrument}"
            typer.confirm(f"Delete {what} from {store!r}?", abort=True)
        typer.echo(f"{store.forget(chosen, instrument):,} rows of policy {chosen} on {instrument} are gone")


@store_app.command("baseline")
def store_baseline(
    name: Annotated[str | None, typer.Argument(help="What later rollouts will call it; without it, list them.")] = None,
    policy: Policy = "",
    instrument: Annotated[str, typer.Option(help="Else all.")] = "",
    note: Annotated[str, typer.Option(help="Why these figures were frozen.")] = "",
    env: Env = "base",
):
    "Freeze the rollout's figures under a name, or list what is frozen."
    from rich.console import Console
    from rich.table import Table

    from smcdesk import rollout
    from smcdesk.store import Store

    with Store(env=env) as store:
        if name is None:
            table = Table("name", "known by (UTC)", "policy", "setups", "note", box=None)
            for row in store.baselines().itertuples():
                moment = f"{row.time:%Y-%m-%d %H:%M}"
                table.add_row(row.name, moment, row.policy_hash, f"{row.figures.get('n', 0):,}", row.note)
            Console().print(table)
            return
        told = rollout.load(env, policy=policy, instrument=instrument)
        new = rollout.freeze(store, name, told, note)
        what = "frozen" if new else "was frozen already, with the same figures"
        typer.echo(f"baseline {name}: {len(told.labels):,} setups of policy {told.policy_hash}, {what}")


@app.command()
def replay(
    symbol: Annotated[str | None, typer.Option("--symbol", "-s", help="Else the first of conf.")] = None,
    env: Env = "base",
):
    "Candles to a ledger: read, decide, replay, and say what it came to."
    from smcdesk import project, session, story, tracking

    known = project.parameters(env)["symbols"]
    symbol = project.check_symbol(symbol, known) if symbol else next(iter(known))
    with _bar() as bar:
        run_id = session.run(("data", "feature", "replay"), symbol=symbol, env=env, bar=bar)
    typer.echo(story.trades(project.catalog(env).load(f"{symbol}.scorecard")))
    typer.echo(f"ledger {tracking.client().get_run(run_id).data.tags[f'ledger_hash.{symbol}'][:16]}, run {run_id}")


Engine = Annotated[str | None, typer.Option(help="joblib or serial, else as conf says; the results are the same.")]
Jobs = Annotated[int | None, typer.Option("--jobs", "-j", help="Processes of joblib; -1: one per core.")]
Quiet = Annotated[bool, typer.Option("--no-report", help="Leave the report out.")]


def _study(kind: str, template: str, symbol: str | None, env: str, engine: str | None, jobs: int | None, bare: bool):
    "Run a study's pipelines, then its report, and say where everything is."
    from smcdesk import project, session, studies

    known = project.parameters(env)["symbols"]
    symbol = project.check_symbol(symbol, known) if symbol else next(iter(known))
    work = {k: v for k, v in {"engine": engine, "jobs": jobs}.items() if v is not None}
    studies.check_engine(work.get("engine", "joblib"))
    with _bar() as bar:
        told = {"runtime_params": {"work": work}} if work else {}
        run_id = session.run(("data", "feature", kind), symbol=symbol, env=env, bar=bar, **told)
        task = bar.add_task("report", total=None)
        done = None if bare else _report(template, {"study": run_id, "symbol": symbol, "env": env}, run_id)
        bar.remove_task(task)
    if done:
        _say_where(done)
    else:
        typer.echo(
            f"study {run_id}; smcdesk report {template} -p symbol={symbol} -p env={env} -p study={run_id} tells it"
        )


@app.command()
def sweep(
    symbol: Annotated[str | None, typer.Option("--symbol", "-s", help="Else the first of conf.")] = None,
    env: Env = "base",
    engine: Engine = None,
    jobs: Jobs = None,
    no_report: Quiet = False,
):
    "Every combination of conf's sweep on one tape, the best of them kept as runs, and whether they differ."
    _study("sweep", "compare_report", symbol, env, engine, jobs, no_report)


@app.command()
def walkforward(
    symbol: Annotated[str | None, typer.Option("--symbol", "-s", help="Else the first of conf.")] = None,
    env: Env = "base",
    engine: Engine = None,
    jobs: Jobs = None,
    no_report: Quiet = False,
):
    "Choose from conf's sweep on the past, judge on what followed, window by window, each window a run."
    _study("walkforward", "walkforward_report", symbol, env, engine, jobs, no_report)


@app.command()
def reproduce(
    run_id: Annotated[str, typer.Argument(help="An MLflow run's id: a replay, a study, a combination or a fold.")],
):
    "Make a run again from what it tells about itself: the same hashes, or a list of what changed."
    from smcdesk import reproduction

    with _console().status(f"making {run_id} again"):
        told = reproduction.reproduce(run_id)
    for line in told.lines():
        typer.echo(line)
    if not told.same:
        raise typer.Exit(1)


@app.command()
def ui(port: Annotated[int, typer.Option(help="Port on this machine.")] = 5000):
    "Open MLflow's pages over the project's runs; Ctrl-C ends them."
    import os

    from smcdesk import tracking

    tracking.prepare()
    where = ["--backend-store-uri", tracking.uri(), "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
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
