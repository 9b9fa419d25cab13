"""A symbol's candles and spreads, from a file, the stored history or a seed, as datasets that only load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset

from smcdesk.datasets.catalog import load_catalog
from smcdesk.marketdata.feeds import STORED, history, stored_candles
from smcdesk.marketdata.instruments import configured_instrument
from smcdesk.marketdata.sources import RawCandles, SymbolConfig, file_budget, profile_notes, symbol_config
from smcdesk.project import paths
from smcdesk.project.config import check_symbol, load_config
from smclab.candles import BadConfig


def load_candles(
    symbol: str,
    timeframe: str | None,
    name: str | None,  # a provider in the history; None: what conf's runs read
    env: str | None = None,
) -> tuple[pd.DataFrame, str | None, str]:  # bars, timeframe where it is known, and where they are from
    "A market's candles: of a provider in the history, or of the symbol's source in conf."
    if name is not None:
        where = f"{STORED}{name}/{timeframe}" if timeframe else f"{STORED}{name}"
        return stored_candles(symbol, where, history(env))[0], timeframe, f"from {name}"
    symbol = check_symbol(symbol, load_config(env).parameters["symbols"])
    found = load_catalog(env).load(f"{symbol}.candles")
    return found.bars, timeframe, "as runs read it"


class CandleSource(AbstractDataset):
    "A symbol's candle history in a file of the user's; loads to `RawCandles`."

    def __init__(self, symbol: str, sources: Mapping[str, Mapping[str, Any]], metadata: dict | None = None):
        self._symbol, self._sources, self.metadata = symbol, sources, metadata

    def _source(self) -> SymbolConfig:
        name = check_symbol(self._symbol, self._sources)
        found = symbol_config(name, self._sources[name])
        if not found.source:
            raise BadConfig(f"symbols.{name}.source is missing: say which file its candles are in")
        return found

    def load(self) -> RawCandles:
        "The file, by its provider, or what was fetched."
        from smcdesk.marketdata import feeds
        from smcdesk.providers.files import read_file

        found = self._source()
        if found.source.startswith(feeds.STORED):
            return RawCandles(self._symbol, *feeds.stored_candles(self._symbol, found.source, feeds.history()))
        bars, notes = read_file(
            paths.root() / found.source, symbol=self._symbol, also=found.instrument,
            zone=found.zone, decimal=found.decimal, day_first=found.day_first, label=found.label, budget=file_budget(),
        )  # fmt: skip
        market = configured_instrument(found.instrument, load_config().parameters["profiles"], self._symbol)
        more = profile_notes(market, found.instrument, bars)
        return RawCandles(self._symbol, bars, (f"Candles from {Path(found.source).name}.", *notes, *more))

    def save(self, data: Any) -> None:
        "Never: raw data is read only."
        raise BadConfig(f"{self._symbol}.candles is raw data and read only")

    def _describe(self) -> dict[str, Any]:
        return {"symbol": self._symbol, "source": dict(self._sources.get(self._symbol, {})).get("source")}


class SyntheticMarket(AbstractDataset):
    "A fabricated candle history from a recipe and a seed; loads to `RawCandles`."

    def __init__(self, symbol: str, n_bars: int, seed: int, metadata: dict | None = None, **recipe: Any):
        self._symbol, self._n_bars, self._seed, self._recipe, self.metadata = symbol, n_bars, seed, recipe, metadata

    def load(self) -> RawCandles:
        "The same bars every time."
        from smclab.tapes import market

        bars = market(self._n_bars, seed=self._seed, **self._recipe)
        return RawCandles(self._symbol, bars, (f"A made-up market, seed {self._seed}.",))

    def save(self, data: Any) -> None:
        "Never: a synthetic market is computed, not stored."
        raise BadConfig(f"{self._symbol}.candles is a made-up market and read only")

    def _describe(self) -> dict[str, Any]:
        return {"symbol": self._symbol, "n_bars": self._n_bars, "seed": self._seed, **self._recipe}


class SpreadFile(AbstractDataset):
    "The spread by bar that a symbol's entry in conf names; loads to a series by bar, or None where none is named."

    def __init__(self, symbol: str, sources: Mapping[str, Mapping[str, Any]], metadata: dict | None = None):
        self._symbol, self._sources, self.metadata = symbol, sources, metadata

    def load(self) -> pd.Series | None:
        "Ask minus bid, price, by the bar's open."
        from smcdesk.providers.files import read_spread

        found = symbol_config(self._symbol, self._sources[self._symbol])
        return read_spread(paths.root() / found.spread) if found.spread else None

    def save(self, data: Any) -> None:
        "Never: raw data is read only."
        raise BadConfig(f"{self._symbol}.spread is raw data and read only")

    def _describe(self) -> dict[str, Any]:
        return {"symbol": self._symbol, "spread": dict(self._sources.get(self._symbol, {})).get("spread")}
