"""Who gives which market's candles, as conf says it, and where they are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from smcdesk import project
from smcdesk.history import History
from smcdesk.providers import Provider, Snapshot, provider
from smcdesk.providers.failover import Failover, Hysteresis
from smcdesk.providers.protocol import Clock
from smclab.candles import BadConfig, nearest
from smclab.instruments import SYMBOLS, Instrument

STORED = "history:"  # a symbol's source in conf: history:PROVIDER/TIMEFRAME


class Feed(BaseModel):
    "Who is asked for a market, and who stands in."

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: str
    second: str | None = None


class Providers(BaseModel):
    "conf's providers.yml."

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: dict[str, dict[str, Any]]
    feeds: dict[str, Feed]
    default: Feed
    failover: Hysteresis
    store: str


def conf(env: str | None = None) -> Providers:
    "providers.yml, checked; `BadConfig` names what is wrong and the nearest right word."
    try:
        said = Providers(**project.config(env)["providers"])
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise BadConfig(
            f"providers: {key}: {first['msg'].lower()}{nearest(key, list(Providers.model_fields))}"
        ) from None
    for symbol, feed in {**said.feeds, "default": said.default}.items():
        for name in filter(None, (feed.first, feed.second)):
            if name not in said.sources:
                raise BadConfig(
                    f"providers: feeds.{symbol} names {name!r}, no source{nearest(name, list(said.sources))}"
                )
    return said


def named(
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
    symbols = project.parameters(env)["symbols"]
    files = {s: entry for s, entry in symbols.items() if not str(entry.get("source")).startswith(STORED)}
    told = {"clock": clock, "sleep": sleep, "monotonic": monotonic}
    return provider(name, sources[name], root=project.root(), files=files, **told)


def provider_for(
    symbol: str,  # as conf calls it
    env: str | None = None,
    **told: Any,  # clock, sleep, monotonic
) -> Provider:
    "Who gives a market's candles: one source, or two that stand in for each other."
    said = conf(env)
    feed = said.feeds.get(symbol, said.default)
    first = named(feed.first, env, **told)
    if feed.second is None:
        return first
    more = {"monotonic": told["monotonic"]} if told.get("monotonic") else {}
    journal = Path(said.store) / "failover.jsonl"
    second = named(feed.second, env, **told)
    return Failover(first, second, hysteresis=said.failover, journal=journal, clock=told.get("clock"), **more)


class Router:
    "One provider for every market of conf, each asked where its feed says."

    def __init__(self, env: str | None = None, *, name: str = "feeds", **told: Any):  # clock, sleep, monotonic
        self.name, self._env, self._told = name, env, told
        self._made: dict[str, Provider] = {}

    def _of(self, symbol: str) -> Provider:
        "A market's provider; markets with the same feed share one, and its pace."
        said = conf(self._env)
        feed = said.feeds.get(symbol, said.default)
        key = f"{feed.first}+{feed.second}"
        if key not in self._made:
            self._made[key] = provider_for(symbol, self._env, **self._told)
        return self._made[key]

    def history(self, symbol: str, timeframe: str, start: Any, end: Any = None) -> pd.DataFrame:
        "As the protocol has it."
        return self._of(symbol).history(symbol, timeframe, start, end)

    def latest(self, symbol: str, timeframe: str, n: int) -> pd.DataFrame:
        "As the protocol has it."
        return self._of(symbol).latest(symbol, timeframe, n)

    def snapshot(self, symbol: str) -> Snapshot:
        "As the protocol has it."
        return self._of(symbol).snapshot(symbol)


def history(env: str | None = None) -> History:
    "Where conf keeps what was fetched; its holes are those of each market's own hours."
    return History(Path(conf(env).store), expected=lambda symbol: _hours(symbol, env))


def _hours(symbol: str, env: str | None):
    "When a symbol of conf trades; None where conf does not know it: always."
    from smcdesk.hours import expected

    known = market(symbol, env)
    return expected(known) if known else None


def market(symbol: str, env: str | None = None) -> Instrument | None:
    "What a symbol is: conf's, else the shipped profile of that name; None where neither knows it."
    from smcdesk.pipelines.data import traded

    p = project.parameters(env)
    if symbol in p["symbols"]:
        return traded(p["symbols"][symbol]["instrument"], p["profiles"], symbol)
    return traded(symbol, p["profiles"], symbol) if symbol in SYMBOLS else None


def stored(
    symbol: str,
    source: str,  # history:PROVIDER or history:PROVIDER/TIMEFRAME
    kept: History,
) -> tuple[pd.DataFrame, tuple[str, ...]]:  # bars, and where they are from
    "The candles a symbol's entry in conf names in the history."
    name, _, timeframe = source.removeprefix(STORED).partition("/")
    here = [tf for p, s, tf in kept.series() if (p, s) == (name, symbol)]
    if not here:
        have = [f"{p}/{s}/{tf}" for p, s, tf in kept.series()]
        near = nearest(f"{name}/{symbol}/{timeframe}", have)
        raise BadConfig(
            f"symbols.{symbol}.source: nothing of {name!r} is kept{near} "
            f"First: smcdesk fetch {symbol} --provider {name}"
        )
    if not timeframe and len(here) > 1:
        raise BadConfig(f"symbols.{symbol}.source: {source} is kept in {', '.join(here)}: write {source}/{here[0]}")
    timeframe = timeframe or here[0]
    if timeframe not in here:
        raise BadConfig(f"symbols.{symbol}.source: {name} has no {timeframe}, only {', '.join(here)}")
    told = kept.manifest(name, symbol, timeframe)
    note = f"Candles fetched from {name}, {timeframe}, last on {told['fetched_at'][:16]}Z: {told['fingerprint']}."
    more = (
        (f"{told['revisions']} bars were told otherwise later: the first values count.",) if told["revisions"] else ()
    )
    return kept.bars(name, symbol, timeframe), (note, *more)
