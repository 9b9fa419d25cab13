"""What a scan works with: a source of candles, their history, the store, the journal, and the worlds of conf."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from smcdesk.decisions.config import DecisionConfig, load_decision_configs, load_fill_rules
from smcdesk.decisions.series import SeriesReader, bar_length
from smcdesk.marketdata import feeds
from smcdesk.marketdata.history import CandleHistory
from smcdesk.project import paths
from smcdesk.project.config import load_config
from smcdesk.providers import Provider, ProviderDown
from smcdesk.providers.headlines import sentiment
from smcdesk.store import Store
from smcdesk.store.journal import ScanJournal, journal_of
from smclab.candles import BadBars, BadConfig
from smclab.execution import Rules
from smclab.reading import Reading
from smclab.sentiment import Sentiment

FIRST_BARS = 3000  # candles fetched of a series that is not kept yet: enough for every warm-up


@dataclass
class Workspace:
    "What a scan works with; in a process that lives on, its readers stay warm."

    provider: Provider | None  # None: the history alone
    provider_name: str
    history: CandleHistory
    store: Store
    journal: ScanJournal
    configs: Mapping[str, DecisionConfig]  # by symbol
    rules: Rules
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    states: Path | None = None  # where readers are put away; None: nowhere
    headlines: Sentiment | None = None  # for models that were trained with them
    first_bars: int = FIRST_BARS
    readers: dict[tuple[str, str], SeriesReader] = field(default_factory=dict)

    def reader(self, symbol: str, timeframe: str) -> SeriesReader:
        "A series' reader, warm, put away or new."
        world, key = self.configs[symbol], (symbol, timeframe)
        kept = self.readers.get(key)
        if kept is None or kept.world.reader_name != world.reader_name:
            file = self.states and self.states / self.provider_name / symbol / timeframe / f"{world.reader_name}.npz"
            self.readers[key] = kept = SeriesReader(world, timeframe, file)
        kept.world = world
        return kept

    @property
    def policy_hash(self) -> str:
        "Of the policy in force; all symbols share it."
        return next(iter(self.configs.values())).policy.hash()

    def unread(self, reader: SeriesReader, symbol: str, seen: pd.Timestamp | None = None) -> tuple[pd.DataFrame, int]:
        "The candles a reader has not read of those fetched by a moment, and how many there are with those it has."
        key = (self.provider_name, symbol, reader.timeframe)
        since = pd.Timestamp(reader.last_ns + 1, tz="UTC") if reader.n else None
        return self.history.bars(*key, since, as_of=seen), self.history.manifest(*key)["n"]

    def reading(self, symbol: str, timeframe: str) -> Reading:
        "A series as it was read; read anew where another process had read it."
        reader = self.reader(symbol, timeframe)
        bars, n = self.unread(reader, symbol)
        if reader.n + len(bars) != n:
            reader.restart()
            bars, _ = self.unread(reader, symbol)
        reader.extend(bars)
        return reader.reading

    def close(self) -> None:
        "Let go of the store."
        self.store.close()


def open_workspace(
    env: str | None = "paper",
    *,
    provider: str = "files",  # conf's name of a source of candles
    symbols: Iterable[str] = (),  # none: every symbol of conf
    source: Provider | None = None,  # the provider itself, where the caller made it
    offline: bool = False,  # nothing is fetched: what is kept is all there is
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    apart: bool = False,  # a store of its own: for tapes that are played, not lived
) -> Workspace:
    "What a scan of an environment works with."
    root, known = paths.root(), load_decision_configs(env, symbols)
    if source is None and not offline:
        source = (
            feeds.FeedRouter(env, clock=clock)
            if provider == "feeds"
            else feeds.provider_by_name(provider, env, clock=clock)
        )
    name = source.name if source else provider
    kept = root / "data" / "07_model_output" / "played" / name
    store = Store(_sqlite(kept / "store.db")) if apart else Store(env=env)
    if store.revision() is None:
        store.upgrade()
    journal = ScanJournal(kept / "scans.db" if apart else journal_of(env))
    states = root / "data" / "03_primary" / "readers"
    policy = next(iter(known.values())).policy
    heard = None
    if any(w.use != "none" for w in known.values()):
        heard = sentiment(load_config(env).globals["headlines"], root)
    return Workspace(
        source,
        name,
        feeds.history(env),
        store,
        journal,
        known,
        load_fill_rules(env, policy),
        clock,
        states,
        headlines=heard,
    )


def _sqlite(file: Path) -> str:
    "The URL of a database file whose folder is there."
    file.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{file.as_posix()}"


def slot_time(slot: str) -> pd.Timestamp | None:  # UTC
    "The moment a slot is named by, where it is."
    try:
        return pd.Timestamp(datetime.strptime(slot.partition("_")[0], "%Y%m%dT%H%M%z"))
    except ValueError:
        return None


def split_words(said: str) -> list[str]:
    "Words of a report's parameter: 'EURUSD, XAUUSD'."
    return [word.strip() for word in said.split(",") if word.strip()]


def update_history(
    workspace: Workspace,
    symbol: str,
    timeframe: str,
    now: datetime,
) -> tuple[pd.Timestamp, str]:  # by when everything kept had been fetched; what went wrong, or nothing
    "Bring the history of a series up to the last closed candle."
    kept, step = workspace.history.manifest(workspace.provider_name, symbol, timeframe), bar_length(timeframe)
    seen = pd.Timestamp(now).as_unit("ns")
    if kept["n"]:  # a clock that was set back must not make candles unseen again
        seen = max(seen, pd.Timestamp(kept["fetched_at"]))
    if workspace.provider is None:
        return seen, ""
    try:
        if not kept["n"]:
            bars = workspace.provider.latest(symbol, timeframe, workspace.first_bars)
        else:
            following = pd.Timestamp(kept["last"]) + min(step, pd.Timedelta(hours=1))
            if following + step > pd.Timestamp(now):
                return seen, ""
            bars = workspace.provider.history(symbol, timeframe, following)
        workspace.history.merge(workspace.provider_name, symbol, timeframe, bars, seen)
    except ProviderDown as error:
        return seen, f"provider down: {error}"
    except (BadBars, BadConfig) as error:
        return seen, f"provider refused: {error}"
    return seen, ""


def spread_of(workspace: Workspace, symbol: str) -> float:  # price
    "The spread now where the provider quotes one, else the usual one."
    usual = workspace.configs[symbol].costs.spread_price
    if workspace.provider is None:
        return usual
    try:
        quote = workspace.provider.snapshot(symbol)
    except (ProviderDown, BadBars, BadConfig):
        return usual
    return quote.ask - quote.bid if quote.ask > quote.bid else usual
