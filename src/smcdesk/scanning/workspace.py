"""What a scan works with: a source of candles, their history, the store, the journal, and the worlds of conf."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from smcdesk.decisions.config import World, rules, worlds
from smcdesk.decisions.series import Lane, step_of
from smcdesk.marketdata import feeds
from smcdesk.marketdata.history import History
from smcdesk.project import paths
from smcdesk.project.config import load_config
from smcdesk.providers import Provider, ProviderDown
from smcdesk.providers.headlines import sentiment
from smcdesk.store import Store
from smcdesk.store.journal import Journal, journal_of
from smclab.candles import BadBars, BadConfig
from smclab.execution import Rules
from smclab.reading import Reading
from smclab.sentiment import Sentiment

FIRST_BARS = 3000  # candles fetched of a series that is not kept yet: enough for every warm-up


@dataclass
class Desk:
    "What a scan works with; in a process that lives on, its readers stay warm."

    provider: Provider | None  # None: the history alone
    provider_name: str
    history: History
    store: Store
    journal: Journal
    worlds: Mapping[str, World]  # by symbol
    rules: Rules
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    states: Path | None = None  # where readers are put away; None: nowhere
    headlines: Sentiment | None = None  # for models that were trained with them
    first_bars: int = FIRST_BARS
    lanes: dict[tuple[str, str], Lane] = field(default_factory=dict)

    def lane(self, symbol: str, timeframe: str) -> Lane:
        "A series' reader, warm, put away or new."
        world, key = self.worlds[symbol], (symbol, timeframe)
        kept = self.lanes.get(key)
        if kept is None or kept.world.reader_name != world.reader_name:
            file = self.states and self.states / self.provider_name / symbol / timeframe / f"{world.reader_name}.npz"
            self.lanes[key] = kept = Lane(world, timeframe, file)
        kept.world = world
        return kept

    @property
    def policy_hash(self) -> str:
        "Of the policy in force; all symbols share it."
        return next(iter(self.worlds.values())).policy.hash()

    def unread(self, lane: Lane, symbol: str, seen: pd.Timestamp | None = None) -> tuple[pd.DataFrame, int]:
        "The candles a reader has not read of those fetched by a moment, and how many there are with those it has."
        key = (self.provider_name, symbol, lane.timeframe)
        since = pd.Timestamp(lane.last_ns + 1, tz="UTC") if lane.n else None
        return self.history.bars(*key, since, as_of=seen), self.history.manifest(*key)["n"]

    def reading(self, symbol: str, timeframe: str) -> Reading:
        "A series as it was read; read anew where another process had read it."
        lane = self.lane(symbol, timeframe)
        bars, n = self.unread(lane, symbol)
        if lane.n + len(bars) != n:
            lane.restart()
            bars, _ = self.unread(lane, symbol)
        lane.extend(bars)
        return lane.reading

    def close(self) -> None:
        "Let go of the store."
        self.store.close()


def open_desk(
    env: str | None = "paper",
    *,
    provider: str = "files",  # conf's name of a source of candles
    symbols: Iterable[str] = (),  # none: every symbol of conf
    source: Provider | None = None,  # the provider itself, where the caller made it
    offline: bool = False,  # nothing is fetched: what is kept is all there is
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    apart: bool = False,  # a store of its own: for tapes that are played, not lived
) -> Desk:
    "What a scan of an environment works with."
    root, known = paths.root(), worlds(env, symbols)
    if source is None and not offline:
        source = feeds.Router(env, clock=clock) if provider == "feeds" else feeds.named(provider, env, clock=clock)
    name = source.name if source else provider
    kept = root / "data" / "07_model_output" / "played" / name
    store = Store(_sqlite(kept / "store.db")) if apart else Store(env=env)
    if store.revision() is None:
        store.upgrade()
    journal = Journal(kept / "scans.db" if apart else journal_of(env))
    states = root / "data" / "03_primary" / "readers"
    policy = next(iter(known.values())).policy
    heard = None
    if any(w.use != "none" for w in known.values()):
        heard = sentiment(load_config(env).globals["headlines"], root)
    return Desk(
        source, name, feeds.history(env), store, journal, known, rules(env, policy), clock, states, headlines=heard
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


def listed(said: str) -> list[str]:
    "Words of a report's parameter: 'EURUSD, XAUUSD'."
    return [word.strip() for word in said.split(",") if word.strip()]


def fetch(
    desk: Desk,
    symbol: str,
    timeframe: str,
    now: datetime,
) -> tuple[pd.Timestamp, str]:  # by when everything kept had been fetched; what went wrong, or nothing
    "Bring the history of a series up to the last closed candle."
    kept, step = desk.history.manifest(desk.provider_name, symbol, timeframe), step_of(timeframe)
    seen = pd.Timestamp(now).as_unit("ns")
    if kept["n"]:  # a clock that was set back must not make candles unseen again
        seen = max(seen, pd.Timestamp(kept["fetched_at"]))
    if desk.provider is None:
        return seen, ""
    try:
        if not kept["n"]:
            bars = desk.provider.latest(symbol, timeframe, desk.first_bars)
        else:
            following = pd.Timestamp(kept["last"]) + min(step, pd.Timedelta(hours=1))
            if following + step > pd.Timestamp(now):
                return seen, ""
            bars = desk.provider.history(symbol, timeframe, following)
        desk.history.merge(desk.provider_name, symbol, timeframe, bars, seen)
    except ProviderDown as error:
        return seen, f"provider down: {error}"
    except (BadBars, BadConfig) as error:
        return seen, f"provider refused: {error}"
    return seen, ""


def spread_of(desk: Desk, symbol: str) -> float:  # price
    "The spread now where the provider quotes one, else the usual one."
    usual = desk.worlds[symbol].costs.spread_price
    if desk.provider is None:
        return usual
    try:
        quote = desk.provider.snapshot(symbol)
    except (ProviderDown, BadBars, BadConfig):
        return usual
    return quote.ask - quote.bid if quote.ask > quote.bid else usual
