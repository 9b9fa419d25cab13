"""A recorded tape played as if it were live: what the clock has not reached does not exist yet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field

from smcdesk.providers.protocol import (
    BaseProvider,
    Clock,
    ProviderDeps,
    ProviderRefused,
    ProviderSettings,
    Quote,
    moment,
    no_bars,
)
from smclab.candles import infer_timeframe, nearest, resample, timeframe_ns
from smclab.instruments import instrument


class RecordedProvider(BaseProvider):
    "Tapes by symbol; a higher timeframe than a tape's own is resampled from it, closed bars only."

    def __init__(
        self,
        tapes: Mapping[str, pd.DataFrame | str | Path],  # bars, or a file of them, by symbol
        *,
        name: str = "recorded",
        root: Path | None = None,  # what a file's relative path starts from
        spread: float = 0.0,  # of snapshots, price
        rolls: Mapping[str, tuple[str, int]] | None = None,  # symbol -> zone and hour of its trading day's roll
        clock: Clock | None = None,  # the moving now
        settle_s: float = 0.0,
    ):
        super().__init__(name, clock=clock, settle_s=settle_s)
        self._tapes, self._root, self._spread = dict(tapes), root or Path.cwd(), spread
        self._rolls, self._resampled = dict(rolls or {}), {}

    def _tape(self, symbol: str, timeframe: str | None = None) -> pd.DataFrame:
        "A symbol's whole tape in a timeframe, resampled once."
        if symbol not in self._tapes:
            names = ", ".join(self._tapes) or "none"
            near = nearest(symbol, tuple(self._tapes))
            raise ProviderRefused(f"{self.name} has no tape of {symbol!r}: expected one of {names}{near}")
        if (symbol, timeframe) not in self._resampled:
            bars = self._tapes[symbol]
            if not isinstance(bars, pd.DataFrame):
                from smcdesk.providers.files import read_file

                bars, _ = read_file(self._root / bars, symbol=symbol)
                self._tapes[symbol] = bars
            if timeframe is not None and timeframe != infer_timeframe(bars):
                zone, hour = self._rolls.get(symbol, ("UTC", 0))
                bars = resample(bars, timeframe, zone=zone, roll_hour=hour)
            self._resampled[symbol, timeframe] = bars
        return self._resampled[symbol, timeframe]

    def _fetch(self, wire: str, timeframe: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        bars = self._tape(wire, timeframe)
        first, last = bars.index.searchsorted(start), bars.index.searchsorted(end)
        bars = bars.iloc[first:last]
        if "close_time" in bars:  # days that a change of clocks makes longer
            bars = bars[pd.DatetimeIndex(bars["close_time"]) <= moment(self._clock())].drop(columns="close_time")
        return bars

    def latest(self, symbol: str, timeframe: str, n: int) -> pd.DataFrame:
        "The last n bars that have closed by now."
        step, end = pd.Timedelta(timeframe_ns(timeframe), "ns"), moment(self._clock())
        times = self._tape(self.wire(symbol), timeframe).index
        at = int(times.searchsorted(end - step, side="right"))
        return self.history(symbol, timeframe, times[max(0, at - n - 1)]).iloc[-n:] if at else no_bars()

    def snapshot(self, symbol: str) -> Quote:
        "The last close, with the spread of the settings."
        own = infer_timeframe(self._tape(symbol))
        last = self.latest(symbol, own, 1)
        if not len(last):
            raise ProviderRefused(f"{self.name}: the tape of {symbol} begins after {moment(self._clock())}")
        price, half = float(last["close"].iloc[0]), self._spread / 2
        closed = last.index[0] + pd.Timedelta(timeframe_ns(own), "ns")
        return Quote(symbol, price - half, price + half, closed, self.name)


class RecordedSettings(ProviderSettings):
    "Conf's `kind: recorded`."

    kind: Literal["recorded"] = "recorded"
    tapes: dict[str, str]  # files by symbol, from the project's top folder
    spread: float = Field(0.0, ge=0)  # of snapshots, price

    def make(self, name: str, deps: ProviderDeps) -> RecordedProvider:
        "The provider of recorded tapes with these settings."
        markets = {s: instrument(deps.files[s]["instrument"]) for s in self.tapes if s in deps.files}
        rolls = {s: (market.zone, market.roll_hour) for s, market in markets.items()}
        return RecordedProvider(
            self.tapes, name=name, root=deps.root, spread=self.spread, rolls=rolls, clock=deps.clock
        )


Settings = RecordedSettings  # by this name the factory finds a kind's settings
