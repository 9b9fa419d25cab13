"""`smcdesk fetch`, `providers`, `quality`, `news`, `read`: candles and events, and how good they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from smcdesk.commands.console import DayFirst, Decimal, Env, Label, Profile, SymbolOfFile, Zone, console
from smcdesk.commands.output import Json, check_output, show_json, show_rows, write_table

app = typer.Typer()
PANEL = "Market data"
Symbol = Annotated[str, typer.Argument(help="As conf calls it, e.g. BTCUSDT.")]
Timeframe = Annotated[str, typer.Option("--timeframe", "-t", help="1m, 5m, 15m, 1h, 4h, 1D, …")]
ProviderName = Annotated[
    str | None, typer.Option("--provider", help="A source of conf's providers.yml; else the first of its feed.")
]


@app.command(rich_help_panel=PANEL)
def fetch(
    symbol: Symbol,
    timeframe: Timeframe = "15m",
    since: Annotated[str, typer.Option(help="How far back: 6mo, 90d, 2w, 1y, 12h, or a date.")] = "6mo",
    provider: ProviderName = None,
    backfill: Annotated[bool, typer.Option("--backfill", help="Ask for the holes inside, too.")] = False,
    env: Env = "base",
):
    "Bring the history of a market up to the last closed candle; what is stored already is not requested again."
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as TimeLeftColumn

    from smcdesk.marketdata import feeds, sync
    from smcdesk.providers import ProviderDown
    from smcdesk.providers.protocol import moment, now
    from smclab.candles import timeframe_ns

    timeframe_ns(timeframe)
    feed = feeds.conf(env).feeds.get(symbol, feeds.conf(env).default)
    source = feeds.provider_by_name(provider or feed.first, env)
    start = sync.since(since, moment(now()))
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    columns += (TimeElapsedColumn(), TextColumn("left"), TimeLeftColumn())
    with Progress(*columns, console=console(), transient=True) as bar:
        task = bar.add_task(f"{symbol} {timeframe} from {source.name}", total=1.0)
        try:
            done = sync.sync_history(
                source, symbol, timeframe, start, history=feeds.history(env), backfill=backfill,
                step_done=lambda share: bar.update(task, completed=share),
            )  # fmt: skip
        except ProviderDown as error:
            if provider or feed.second is None:
                raise
            raise ProviderDown(f"{error}; {feed.second} stands in: add --provider {feed.second}") from error
    _say_fetched(done, symbol, timeframe, source.name)


def _say_fetched(done, symbol: str, timeframe: str, name: str) -> None:
    "What a fetch brought, and how a run reads it."
    manifest = done.manifest
    holes = f"{len(done.gaps)} holes of {int(done.gaps['missing_bars'].sum())} bars" if len(done.gaps) else "no holes"
    typer.echo(
        f"{symbol} {timeframe} from {name}: {done.added_n:,} bars new, {done.revised_n} with other values than before, "
        f"{holes}; {manifest['n']:,} stored from {manifest['first'][:16]}Z to {manifest['last'][:16]}Z, "
        f"{manifest['fingerprint']}"
    )
    for note in done.notes:
        typer.echo(note)
    typer.echo(f"runs read them where globals.yml says symbols.{symbol}.source: history:{name}/{timeframe}")


@app.command("providers", rich_help_panel=PANEL)
def providers_(as_json: Json = False, env: Env = "base"):
    "The sources of candles conf knows, what is stored of each, and when one last stood in for another."
    from smcdesk.marketdata import feeds
    from smcdesk.marketdata.failover import changes

    config, history = feeds.conf(env), feeds.history(env)
    rows, have = [], history.series()
    for name, entry in config.sources.items():
        first = [s for s, feed in config.feeds.items() if feed.first == name]
        if config.default.first == name:
            first.append("all others")
        bars = [f"{s} {tf} ({history.manifest(p, s, tf)['n']:,})" for p, s, tf in have if p == name]
        rows.append({"source": name, "kind": str(entry.get("kind", name)), "first_for": first, "stored": bars})
    last = changes(Path(config.store) / feeds.JOURNAL).tail(5).to_dict("records")
    if as_json:
        show_json({"sources": rows, "changes": last})
        return
    show_rows(rows, as_json)
    for row in last:
        typer.echo(f"{row['time']:%Y-%m-%d %H:%M}Z {row['pair']}: from {row['from']} to {row['to']}, {row['reason']}")


@app.command(rich_help_panel=PANEL)
def quality(
    symbol: Symbol,
    timeframe: Annotated[
        str | None, typer.Option("--timeframe", "-t", help="Of what was fetched; else conf's.")
    ] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", help="Whose candles in the history; else those conf's runs read.")
    ] = None,
    against: Annotated[str | None, typer.Option(help="A second provider in the history, to compare with.")] = None,
    late: Annotated[
        bool, typer.Option("--late/--no-late", help="Late candles are bad (exit code 1), not only degraded.")
    ] = False,
    as_json: Json = False,
    env: Env = "base",
):
    "What is wrong with a market's candles: holes, repeats, spikes, a wrong clock; and against a second source."
    from rich.console import Console
    from rich.table import Table

    from smcdesk.datasets import candles
    from smcdesk.marketdata import instruments
    from smcdesk.marketdata import quality as desk
    from smcdesk.providers.protocol import now
    from smclab.candles import BadConfig, check
    from smclab.instruments import instrument

    bars, timeframe, where = candles.load_candles(symbol, timeframe, provider, env)
    market = instruments.instrument_of(symbol, env) or instrument(symbol)
    found = desk.inspect(bars, market, timeframe=timeframe, now=now(), late_is_bad=late)
    good, _ = check(bars, on_bad="quarantine")
    then = desk.verdicts(good, market, found.timeframe)
    shares = {word: round(100 * float((then == word).mean()), 3) for word in desk.VERDICTS if (then == word).any()}
    both, other, verdict = None, "", found.verdict
    if against:
        if against == provider:
            raise BadConfig(f"--against {against}: name another provider than the first")
        second, _, other = candles.load_candles(symbol, found.timeframe, against, env)
        both = desk.cross_check(bars, second, market, timeframe=found.timeframe)
        verdict = max(verdict, both.verdict, key=desk.VERDICTS.index)
    if as_json:
        show_json({
            "symbol": symbol, "timeframe": found.timeframe, "source": where, "verdict": found.verdict,
            "bars": found.bars, "first": found.first, "last": found.last,
            "findings": found.findings.to_dict("records"), "holes": found.gaps.to_dict("records"),
            "as_known_pct": shares,
            "against": both and {"source": other, "verdict": both.verdict, "why": both.sentence},
        })  # fmt: skip
        raise typer.Exit(verdict == "bad")
    out = Console(soft_wrap=True, highlight=False)
    out.print(
        f"{symbol} {found.timeframe} {where}: {found.verdict}. {found.bars:,} bars, "
        f"{found.first:%Y-%m-%d %H:%M}Z to {found.last:%Y-%m-%d %H:%M}Z",
        markup=False,
    )
    for row in found.findings.sort_values(
        "level", key=lambda x: -x.map(desk.VERDICTS.index), kind="stable"
    ).itertuples():
        out.print(f"  {row.level:<9} {row.kind:<13} {row.sentence}", markup=False)
    if len(found.gaps):
        table = Table("hole from (UTC)", "to", "bars missing", box=None)
        for row in found.gaps.nlargest(5, "missing_bars").itertuples():
            table.add_row(f"{row.start:%Y-%m-%d %H:%M}", f"{row.end:%Y-%m-%d %H:%M}", f"{row.missing_bars:,}")
        out.print(table)
    words = ", ".join(f"{word} {share:.3g} %" for word, share in shares.items())
    out.print(f"as it was known at each bar: {words}", markup=False)
    if both is not None:
        out.print(f"against {other.removeprefix('from ')}: {both.verdict}. {both.sentence}", markup=False)
    if verdict == "bad":
        raise typer.Exit(1)


@app.command(rich_help_panel=PANEL)
def news(
    fetch: Annotated[bool, typer.Option("--fetch", help="Get this week's calendar where conf says it is.")] = False,
    hours: Annotated[int, typer.Option(help="How far ahead to look.", min=1, max=8784)] = 72,
    as_json: Json = False,
    env: Env = "base",
):
    "The next high-impact events, and how fresh the calendar is."
    from smcdesk.project import paths
    from smcdesk.project.config import load_config
    from smcdesk.providers import economic_calendar as calendars
    from smcdesk.providers.protocol import moment, now

    settings = load_config(env).globals["news"]
    if fetch:
        typer.echo(calendars.refresh(settings, paths.root()), err=as_json)
    calendar, present = calendars.calendar(settings, paths.root()), moment(now())
    if calendar is None:
        why = "no calendar: globals.yml names none (news.path), or the file is not there; every decision says so"
        typer.echo(why, err=as_json)
        if as_json:
            show_json({"fetched_at": None, "events": []})
        return
    soon = calendars.read_events(paths.root() / settings["path"])
    soon = soon[(soon["impact"] == "high") & (soon["ts"] >= present) & (soon["ts"] < present + _hours(hours))]
    rows = [{"time": row.ts, "currency": row.currency, "event": row.event} for row in soon.itertuples()]
    if as_json:
        show_json({"fetched_at": moment(calendar.fetched_at_ns), "events": rows})
        return
    age_h = (present.value - calendar.fetched_at_ns) / 3.6e12
    typer.echo(f"calendar fetched {age_h:,.1f} h ago; {len(soon)} high-impact events in the next {hours} h")
    show_rows(rows, as_json)


def _hours(n: int):
    import pandas as pd

    return pd.Timedelta(hours=n)


@app.command(rich_help_panel=PANEL)
def read(
    file: Annotated[
        Path,
        typer.Argument(help="Candles: CSV, text, JSON, parquet, feather or a zip; docs/files.md lists the formats."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the events go, .parquet or .csv.")] = Path(
        "events.parquet"
    ),
    columns: Annotated[
        Path | None, typer.Option("--columns", "-c", help="Where the as-known columns go, .parquet or .csv.")
    ] = None,
    symbol: SymbolOfFile = None,
    instrument: Profile = None,
    timeframe: Annotated[
        str | None, typer.Option("--timeframe", "-t", help="Read a higher timeframe, e.g. 1h.")
    ] = None,
    zone: Zone = None,
    decimal: Decimal = None,
    day_first: DayFirst = None,
    label: Label = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Only show how the file is understood, column by column; nothing is run.")
    ] = False,
):
    "Read one file and store every event, each with the bar that made it knowable, by conf's reading parameters."
    from smcdesk.marketdata import sources
    from smcdesk.project.config import load_config
    from smcdesk.providers.files import Explanation, read_file
    from smclab.candles import BadConfig, resample, timeframe_ns
    from smclab.reader import read as read_market
    from smclab.timeframes import Config

    if timeframe is not None:
        timeframe_ns(timeframe)
    reading = {"symbol": symbol, "zone": zone, "decimal": decimal, "day_first": day_first, "label": label}
    if explain:
        for line in sources.explained(file, profile=instrument, **reading):
            typer.echo(line)
        return
    outputs = {"--out": out} | ({"--columns": columns} if columns is not None else {})
    for option, path in outputs.items():
        check_output(path, option, file)
    if columns is not None and columns.resolve() == out.resolve():
        raise BadConfig(f"--out and --columns are both {out}: name two files")
    steps = Explanation()
    bars, notes = read_file(file, also=instrument, steps=steps, budget=sources.file_budget("base"), **reading)
    name = symbol or sources.own_symbol(file, steps.symbol)
    market = sources.file_instrument(name or instrument, instrument) if name or instrument else None
    if market:
        if sentence := sources.misfit(market, instrument or name, bars):
            raise BadConfig(sentence)
        notes += sources.profile_notes(market, instrument or name, bars)
    if timeframe:
        roll = {"zone": market.zone, "roll_hour": market.roll_hour} if market else {}
        bars = resample(bars, timeframe, **roll).drop(columns="close_time")
    p = load_config("base").parameters
    config, above = Config.from_dict(p["reading"]), tuple(p["timeframes"])
    with console().status(f"reading {len(bars):,} bars"):
        result = read_market(bars, config, instrument=market, timeframes=above)
    for (option, path), table in zip(outputs.items(), (result.events, result.columns), strict=False):
        write_table(table, path, option)
    if len(bars) > 1:
        notes = (*notes, *sources.price_findings(bars, market))
    if not market:
        notes = (*notes, "No instrument: prices are taken as they are, days roll at 00:00 UTC.")
    for note in notes:
        typer.echo(note, err=True)
    typer.echo(f"{len(bars):,} bars, {len(result.events):,} events in {out}")
