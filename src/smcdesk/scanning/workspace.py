"""What a scan works with: a source of candles, their history, the store, the journal, and what decisions depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pandas as pd

from smcdesk.decisions.config import (
    AccountSnapshot,
    CalendarSnapshot,
    DecisionBasis,
    DecisionConfig,
    champion_versions,
    load_account,
    load_calendar,
    load_decision_configs,
    load_fill_rules,
)
from smcdesk.decisions.series import SeriesReader, bar_length
from smcdesk.marketdata import feeds
from smcdesk.marketdata.history import CandleHistory
from smcdesk.marketdata.months import DamagedFile
from smcdesk.marketdata.series_folder import escaped
from smcdesk.marketdata.sync import refetch_damaged
from smcdesk.project import paths
from smcdesk.project.config import load_config
from smcdesk.project.paths import sqlite_url
from smcdesk.providers import Provider, ProviderDown
from smcdesk.providers.headlines import sentiment
from smcdesk.store import Store, legacy
from smcdesk.store.journal import ScanJournal
from smclab.candles import BadBars, BadConfig
from smclab.execution import Rules
from smclab.reading import Reading
from smclab.sentiment import Sentiment

IN_MEMORY = 32  # readers; those of further series lie in files while they wait
FIRST_BARS = 3000  # candles fetched of a series that has no history yet: enough for every warm-up


@dataclass
class Workspace:
    "What a scan works with; in a process that lives on, its readers stay warm."

    provider: Provider | None  # None: the history alone
    provider_name: str
    history: CandleHistory
    store: Store
    configs: Mapping[str, DecisionConfig]  # by symbol
    account: AccountSnapshot
    calendar: CalendarSnapshot
    rules: Rules
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    states: Path | None = None  # where readers are saved; None: nowhere
    headlines: Sentiment | None = None  # for models that were trained with them
    champions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # symbol -> timeframe -> version
    first_bars: int = FIRST_BARS
    readers: dict[tuple[str, str], SeriesReader] = field(default_factory=dict)

    @property
    def journal(self) -> ScanJournal:
        "The journal of this workspace's scans, in its store."
        return ScanJournal(self.store)

    def basis(self, symbol: str, timeframe: str) -> DecisionBasis:
        "What a decision of now depends on."
        config = self.configs[symbol]
        version = None
        if config.model_use != "none":
            version = self.champions.get(symbol, {}).get(timeframe, "")
        return DecisionBasis(config, self.account, self.calendar, version)

    def reader(self, symbol: str, timeframe: str) -> SeriesReader:
        "A series' reader: warm, saved or new."
        config, key = self.configs[symbol], (symbol, timeframe)
        reader = self.readers.get(key)
        if reader is None or reader.config.reader_hash != config.reader_hash:
            file = (
                self.states
                and self.states / self.provider_name / escaped(symbol) / timeframe / f"{config.reader_hash}.npz"
            )
            self.readers[key] = reader = SeriesReader(config, timeframe, file)
        reader.config = config
        return reader

    def put_away(self, reader: SeriesReader) -> None:
        "Let a reader go until its next candle; where there are many, further ones lie in files: 500 take gigabytes."
        if self.states is None or reader in islice(self.readers.values(), IN_MEMORY):
            reader.release()
        else:
            reader.map(self.states)

    @property
    def policy_hash(self) -> str:
        "The hash of the policy in force; all symbols share it."
        return next(iter(self.configs.values())).policy.hash()

    def unread_bars(
        self, reader: SeriesReader, symbol: str, fetched_by: pd.Timestamp | None = None
    ) -> tuple[pd.DataFrame, int]:
        "The candles a reader has not read of those fetched by a moment, and how many there are with those it has."
        key = (self.provider_name, symbol, reader.timeframe)
        since = pd.Timestamp(reader.last_ns + 1, tz="UTC") if reader.n else None
        return self.history.bars(*key, since, as_of=fetched_by), self.history.manifest(*key)["n"]

    def reading(self, symbol: str, timeframe: str) -> Reading:
        "A series as it was read; read anew where another process had read it."
        reader = self.reader(symbol, timeframe)
        bars, n = self.unread_bars(reader, symbol)
        if reader.n + len(bars) != n:
            reader.restart()
            bars, _ = self.unread_bars(reader, symbol)
        reader.extend(bars)
        return reader.reading

    def close(self) -> None:
        "Close the store's connections."
        self.store.close()


def open_workspace(
    env: str | None = "paper",
    *,
    provider: str = "files",  # conf's name of a source of candles
    symbols: Iterable[str] = (),  # none: every symbol of conf
    source: Provider | None = None,  # the provider itself, where the caller made it
    offline: bool = False,  # nothing is fetched: the history is all there is
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    isolated: bool = False,  # a store of its own: for recorded tapes
) -> Workspace:
    "The workspace of an environment's scans."
    root, configs = paths.root(), load_decision_configs(env, symbols)
    if source is None and not offline:
        source = _provider(provider, env, clock)
    name = source.name if source else provider
    folder = root / "data" / "07_model_output" / "played" / name
    store = Store(_sqlite(folder / "store.db")) if isolated else Store(env=env)
    if store.revision() is None:
        store.upgrade()
    if isolated and (folder / "scans.db").exists():
        legacy.import_scans(store, folder / "scans.db")
    if not isolated:
        legacy.import_files(store, env)
    headlines = None
    if any(c.model_use != "none" for c in configs.values()):
        headlines = sentiment(load_config(env).globals["headlines"], root)
    rules = load_fill_rules(env, next(iter(configs.values())).policy)
    return Workspace(
        source, name, feeds.history(env), store, configs, load_account(env), load_calendar(env), rules, clock,
        root / "data" / "03_primary" / "readers", headlines, champion_versions(configs),
    )  # fmt: skip


def _provider(name: str, env: str | None, clock: Callable[[], datetime]) -> Provider:
    "A source of conf, or the router over all of them."
    if name == "feeds":
        return feeds.FeedRouter(env, clock=clock)
    return feeds.provider_by_name(name, env, clock=clock)


def _sqlite(file: Path) -> str:
    "The URL of a database file whose folder is there."
    file.parent.mkdir(parents=True, exist_ok=True)
    return sqlite_url(file)


def slot_time(slot: str) -> pd.Timestamp | None:  # UTC
    "The moment a slot is named by; None where its name holds none."
    try:
        return pd.Timestamp(datetime.strptime(slot.partition("_")[0], "%Y%m%dT%H%M%z"))
    except ValueError:
        return None


def split_words(text: str) -> list[str]:
    "Words of a report's parameter: 'EURUSD, XAUUSD'."
    return [word.strip() for word in text.split(",") if word.strip()]


def update_history(
    workspace: Workspace,
    symbol: str,
    timeframe: str,
    now: datetime,
) -> tuple[pd.Timestamp, str]:  # by when everything in the history had been fetched; the problem, or ""
    "Bring the history of a series up to the last closed candle, damaged months too."
    history, provider = workspace.history, workspace.provider
    key, step, clock = (workspace.provider_name, symbol, timeframe), bar_length(timeframe), workspace.clock
    try:
        stored = history.manifest(*key)
        if provider is None:
            return history.present(*key, clock), ""
        if stored.get("damaged"):
            refetch_damaged(provider, symbol, timeframe, history=history, clock=clock)
            stored = history.manifest(*key)
        if not stored["n"]:
            bars = provider.latest(symbol, timeframe, workspace.first_bars)
        else:
            last = pd.Timestamp(stored["last"])
            if last > pd.Timestamp(now) + pd.Timedelta(days=1):
                raise BadBars(f"the newest stored candle opens at {last}, and the clock says {now}: set it right")
            following = last + min(step, pd.Timedelta(hours=1))
            if following + step > pd.Timestamp(now):
                return history.present(*key, clock), ""
            bars = provider.history(symbol, timeframe, following)
        return history.merge(*key, bars, clock).fetched_at, ""
    except ProviderDown as error:
        problem = f"provider down: {error}"
    except DamagedFile as error:
        problem = f"history damaged: {error}"
    except (BadBars, BadConfig) as error:
        problem = f"provider refused: {error}"
    try:
        return history.present(*key, clock), problem
    except (ProviderDown, DamagedFile):
        return pd.Timestamp(now).as_unit("ns"), problem


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
