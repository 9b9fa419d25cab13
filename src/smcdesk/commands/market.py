"""`smcdesk fetch`, `quality`, `providers`, `news`: fresh candles and events, and how good they are."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer()
Env = Annotated[
    str, typer.Option("--env", "-e", help="Environment in conf: base, test (a made-up market), paper, live.")
]
Symbol = Annotated[str, typer.Argument(help="As conf calls it, e.g. BTCUSDT.")]
Timeframe = Annotated[str, typer.Option("--timeframe", "-t", help="1m, 5m, 15m, 1h, 4h, 1D, …")]
ProviderName = Annotated[
    str | None, typer.Option("--provider", "-p", help="A source of conf's providers.yml; else who conf asks first.")
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
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from smcdesk import feeds, fetching
    from smcdesk.providers import ProviderDown
    from smcdesk.providers.protocol import moment, now
    from smclab.candles import timeframe_ns

    timeframe_ns(timeframe)
    feed = feeds.conf(env).feeds.get(symbol, feeds.conf(env).default)
    source = feeds.named(provider or feed.first, env)
    start = fetching.since(since, moment(now()))
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"{symbol} {timeframe} from {source.name}", total=1.0)
        try:
            done = fetching.fetch(
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
    "The sources of candles conf knows, and what is kept of each."
    from rich.console import Console
    from rich.table import Table

    from smcdesk import feeds

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
