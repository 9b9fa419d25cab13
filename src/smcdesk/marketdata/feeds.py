"""Which source gives which market's candles by conf, and where they are stored."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from smcdesk.marketdata.calendars import ExpectedTimes, expected_open_times
from smcdesk.marketdata.failover import FailoverProvider, Hysteresis
from smcdesk.marketdata.history import CandleHistory
from smcdesk.marketdata.instruments import instrument_of
from smcdesk.marketdata.sources import file_budget
from smcdesk.project import paths
from smcdesk.project.config import load_config
from smcdesk.providers import Provider, Quote
from smcdesk.providers.factory import provider
from smcdesk.providers.protocol import Clock, moment
from smclab.candles import BadConfig, fingerprint, nearest

STORED = "history:"  # a symbol's source in conf: history:PROVIDER/TIMEFRAME, or …@MOMENT for what was stored by then
JOURNAL = "failover.jsonl"  # in the store: when one source stood in for another


class Feed(BaseModel):
    "A market's source, and the one that stands in for it."

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: str
    second: str | None = None


class ProvidersConfig(BaseModel):
    "conf's providers.yml."

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: dict[str, dict[str, Any]]
    feeds: dict[str, Feed]
    default: Feed
    failover: Hysteresis
    store: str


def conf(env: str | None = None) -> ProvidersConfig:
    "providers.yml, checked; `BadConfig` names what is wrong and the nearest right word."
    try:
        config = ProvidersConfig(**load_config(env).providers)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise BadConfig(
            f"providers: {key}: {first['msg'].lower()}{nearest(key, list(ProvidersConfig.model_fields))}"
        ) from None
    for symbol, feed in {**config.feeds, "default": config.default}.items():
        for name in filter(None, (feed.first, feed.second)):
            if name not in config.sources:
                raise BadConfig(
                    f"providers: feeds.{symbol} names {name!r}, no source{nearest(name, list(config.sources))}"
                )
    return config


def provider_by_name(
    name: str,  # one of conf's sources
    env: str | None = None,
    *,
    clock: Clock | None = None,
    sleep: Callable[[float], None] | None = None,
    monotonic: Callable[[], float] | None = None,
) -> Provider:
    "A source of conf, by name."
    sources = conf(env).sources
    if name not in sources:
        raise BadConfig(f"no provider {name!r}{nearest(name, list(sources))} Known: {', '.join(sources)}.")
    symbols = load_config(env).parameters["symbols"]
    files = {s: entry for s, entry in symbols.items() if not str(entry.get("source")).startswith(STORED)}
    deps = {"clock": clock, "sleep": sleep, "monotonic": monotonic, "max_gb": file_budget(env).max_gb}
    return provider(name, sources[name], root=paths.root(), files=files, **deps)


class FeedRouter:
    """One provider for every market of conf, which calls each market's own source.

    Markets share their sources, and so the pace of requests. Conf is read once.
    """

    def __init__(self, env: str | None = None, *, name: str = "feeds", **deps: Any):  # clock, sleep, monotonic
        self.name, self._env, self._deps, self._config = name, env, deps, conf(env)
        self._sources: dict[str, Provider] = {}
        self._pairs: dict[tuple[str, str], FailoverProvider] = {}

    def _source(self, name: str) -> Provider:
        if name not in self._sources:
            self._sources[name] = provider_by_name(name, self._env, **self._deps)
        return self._sources[name]

    def of(self, symbol: str) -> Provider:
        "The provider of a market's candles: one source, or two that stand in for each other."
        feed = self._config.feeds.get(symbol, self._config.default)
        if feed.second is None:
            return self._source(feed.first)
        pair = (feed.first, feed.second)
        if pair not in self._pairs:
            times = {key: self._deps[key] for key in ("clock", "monotonic") if self._deps.get(key)}
            self._pairs[pair] = FailoverProvider(
                *map(self._source, pair), hysteresis=self._config.failover, expected=hours(self._env),
                journal=Path(self._config.store) / JOURNAL, **times,
            )  # fmt: skip
        return self._pairs[pair]

    def history(self, symbol: str, timeframe: str, start: Any, end: Any = None) -> pd.DataFrame:
        "Closed bars that open in [start, end), of the market's own source."
        return self.of(symbol).history(symbol, timeframe, start, end)

    def latest(self, symbol: str, timeframe: str, n: int) -> pd.DataFrame:
        "The last n closed bars, of the market's own source."
        return self.of(symbol).latest(symbol, timeframe, n)

    def snapshot(self, symbol: str) -> Quote:
        "Bid and ask now, of the market's own source."
        return self.of(symbol).snapshot(symbol)


def history(env: str | None = None) -> CandleHistory:
    "Where conf keeps what was fetched; its holes are those of each market's own hours."
    return CandleHistory(Path(conf(env).store), expected=hours(env))


def hours(env: str | None = None) -> Callable[[str], ExpectedTimes | None]:
    "When a symbol's market trades, each looked up once; None where no profile is known: always."

    @cache
    def of(symbol: str) -> ExpectedTimes | None:
        market = instrument_of(symbol, env)
        return expected_open_times(market) if market else None

    return of


def stored_candles(
    symbol: str,
    source: str,  # history:PROVIDER, history:PROVIDER/TIMEFRAME or history:PROVIDER/TIMEFRAME@MOMENT
    stored: CandleHistory,
) -> tuple[pd.DataFrame, tuple[str, ...]]:  # bars, and where they are from
    "The candles a symbol's entry in conf names in the history."
    where, _, by = source.removeprefix(STORED).partition("@")
    name, _, timeframe = where.partition("/")
    timeframes = [tf for p, s, tf in stored.series() if (p, s) == (name, symbol)]
    if not timeframes:
        have = [f"{p}/{s}/{tf}" for p, s, tf in stored.series()]
        near = nearest(f"{name}/{symbol}/{timeframe}", have)
        get = f"smcdesk fetch {symbol} --provider {name}"
        raise BadConfig(f"no candles of {symbol} from {name!r} are stored{near or ';'} {get} gets them")
    if not timeframe and len(timeframes) > 1:
        like = f"{STORED}{name}/{timeframes[0]}"
        raise BadConfig(f"{symbol} from {name} is stored in {', '.join(timeframes)}: say which, as in {like}")
    timeframe = timeframe or timeframes[0]
    if timeframe not in timeframes:
        raise BadConfig(f"{symbol} from {name} is not stored in {timeframe}, only in {', '.join(timeframes)}")
    bars = stored.bars(name, symbol, timeframe, as_of=by or None)
    if not len(bars):
        raise BadConfig(f"nothing of {symbol} {timeframe} had been fetched from {name} by {by}")
    manifest = stored.manifest(name, symbol, timeframe)
    until = f"by {moment(by):%Y-%m-%d %H:%M}Z" if by else f"last on {manifest['fetched_at'][:16]}Z"
    note = f"Candles fetched from {name}, {timeframe}, {until}: {fingerprint(bars)}."
    if not manifest["revisions"]:
        return bars, (note,)
    return bars, (note, f"{manifest['revisions']} bars came later with other values: the first ones count.")
