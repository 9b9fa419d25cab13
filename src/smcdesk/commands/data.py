"""`smcdesk fetch`, `quality`, `providers`, `news`: fresh candles and events, and how good they are."""

from __future__ import annotations

from typing import Annotated

import typer

from smcdesk.commands.console import Env, console
from smcdesk.project.config import load_config

app = typer.Typer()
Symbol = Annotated[str, typer.Argument(help="As conf calls it, e.g. BTCUSDT.")]
Timeframe = Annotated[str, typer.Option("--timeframe", "-t", help="1m, 5m, 15m, 1h, 4h, 1D, …")]
ProviderName = Annotated[
    str | None, typer.Option("--provider", help="A source of conf's providers.yml; else who conf asks first.")
]


@app.command()
def fetch(
    symbol: Symbol,
    timeframe: Timeframe = "15m",
    since: Annotated[str, typer.Option(help="How far back: 6mo, 90d, 2w, 1y, 12h, or a date.")] = "6mo",
    provider: ProviderName = None,
    backfill: Annotated[bool, typer.Option("--backfill", help="Ask for the holes inside, too.")] = False,
    env: Env = "base",
):
    "Bring the history of a market up to the last closed candle; what is kept already is not asked for again."
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from smcdesk.marketdata import feeds, sync
    from smcdesk.providers import ProviderDown
    from smcdesk.providers.protocol import moment, now
    from smclab.candles import timeframe_ns

    timeframe_ns(timeframe)
    feed = feeds.conf(env).feeds.get(symbol, feeds.conf(env).default)
    source = feeds.provider_by_name(provider or feed.first, env)
    start = sync.since(since, moment(now()))
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
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
    told = done.manifest
    holes = f"{len(done.gaps)} holes of {int(done.gaps['missing_bars'].sum())} bars" if len(done.gaps) else "no holes"
    typer.echo(
        f"{symbol} {timeframe} from {name}: {done.added_n:,} bars new, {done.revised_n} told otherwise than before, "
        f"{holes}; {told['n']:,} kept from {told['first'][:16]}Z to {told['last'][:16]}Z, {told['fingerprint']}"
    )
    for note in done.notes:
        typer.echo(note)
    typer.echo(f"runs read them where globals.yml says symbols.{symbol}.source: history:{name}/{timeframe}")


@app.command("providers")
def providers_(env: Env = "base"):
    "The sources of candles conf knows, what is kept of each, and when one last stood in for another."
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from smcdesk.marketdata import feeds
    from smcdesk.marketdata.failover import changes

    said, kept = feeds.conf(env), feeds.history(env)
    table = Table("source", "kind", "asked first for", "kept", box=None)
    have = kept.series()
    for name, entry in said.sources.items():
        first = [s for s, feed in said.feeds.items() if feed.first == name] + ["all others"] * (
            said.default.first == name
        )
        bars = [f"{s} {tf} ({kept.manifest(p, s, tf)['n']:,})" for p, s, tf in have if p == name]
        table.add_row(name, str(entry.get("kind", name)), ", ".join(first), ", ".join(bars))
    Console().print(table)
    for row in changes(Path(said.store) / feeds.JOURNAL).tail(5).to_dict("records"):
        typer.echo(f"{row['time']:%Y-%m-%d %H:%M}Z {row['pair']}: from {row['from']} to {row['to']}, {row['reason']}")


@app.command()
def quality(
    symbol: Symbol,
    timeframe: Annotated[
        str | None, typer.Option("--timeframe", "-t", help="Of what was fetched; else conf's.")
    ] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", help="Whose candles in the history; else those conf's runs read.")
    ] = None,
    against: Annotated[str | None, typer.Option(help="A second provider in the history, to compare with.")] = None,
    late: Annotated[bool, typer.Option("--late/--no-late", help="Whether the last candle must be of today.")] = False,
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
    known = instruments.instrument_of(symbol, env) or instrument(symbol)
    told = desk.inspect(bars, known, timeframe=timeframe, now=now() if late else None)
    out = Console(soft_wrap=True, highlight=False)
    out.print(
        f"{symbol} {told.timeframe} {where}: {told.verdict}. {told.bars:,} bars, "
        f"{told.first:%Y-%m-%d %H:%M}Z to {told.last:%Y-%m-%d %H:%M}Z",
        markup=False,
    )
    for row in told.findings.sort_values(
        "level", key=lambda x: -x.map(desk.VERDICTS.index), kind="stable"
    ).itertuples():
        out.print(f"  {row.level:<9} {row.kind:<13} {row.sentence}", markup=False)
    if len(told.gaps):
        table = Table("hole from (UTC)", "to", "bars missing", box=None)
        for row in told.gaps.nlargest(5, "missing_bars").itertuples():
            table.add_row(f"{row.start:%Y-%m-%d %H:%M}", f"{row.end:%Y-%m-%d %H:%M}", f"{row.missing_bars:,}")
        out.print(table)
    good, _ = check(bars, on_bad="quarantine")
    then = desk.verdicts(good, known, told.timeframe)
    shares = ", ".join(f"{word} {100 * (then == word).mean():.3g} %" for word in desk.VERDICTS if (then == word).any())
    out.print(f"as it was known at each bar: {shares}", markup=False)
    verdict = told.verdict
    if against:
        if against == provider:
            raise BadConfig(f"--against {against}: name another provider than the first")
        second, _, other = candles.load_candles(symbol, told.timeframe, against, env)
        both = desk.cross_check(bars, second, known, timeframe=told.timeframe)
        out.print(f"against {other.removeprefix('from ')}: {both.verdict}. {both.sentence}", markup=False)
        verdict = max(verdict, both.verdict, key=desk.VERDICTS.index)
    if verdict == "bad":
        raise typer.Exit(1)


@app.command()
def news(
    fetch: Annotated[bool, typer.Option("--fetch", help="Get this week's calendar where conf says it is.")] = False,
    hours: Annotated[int, typer.Option(help="How far ahead to look.", min=1)] = 72,
    env: Env = "base",
):
    "The next high-impact events, and how fresh the calendar is."
    from rich.console import Console
    from rich.table import Table

    from smcdesk.project import paths
    from smcdesk.providers import economic_calendar as calendars
    from smcdesk.providers.protocol import moment, now

    said = load_config(env).globals["news"]
    if fetch:
        typer.echo(calendars.refresh(said, paths.root()))
    known, present = calendars.calendar(said, paths.root()), moment(now())
    if known is None:
        typer.echo("no calendar: globals.yml names none (news.path), or the file is not there; every decision says so")
        return
    soon = calendars.read_events(paths.root() / said["path"])
    soon = soon[(soon["impact"] == "high") & (soon["ts"] >= present) & (soon["ts"] < present + _hours(hours))]
    table = Table("time (UTC)", "currency", "event", box=None)
    for row in soon.itertuples():
        table.add_row(f"{row.ts:%Y-%m-%d %H:%M}", row.currency, row.event)
    age_h = (present.value - known.fetched_at_ns) / 3.6e12
    typer.echo(f"calendar fetched {age_h:,.1f} h ago; {len(soon)} high-impact events in the next {hours} h")
    Console().print(table)


def _hours(n: int):
    import pandas as pd

    return pd.Timedelta(hours=n)
