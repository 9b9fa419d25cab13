"""The files conf's symbols name, as a provider."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from smcdesk.providers.files.budget import DEFAULT, Budget
from smcdesk.providers.files.reader import read_file
from smcdesk.providers.protocol import BaseProvider, Clock, ProviderDeps, ProviderRefused, ProviderSettings
from smclab.candles import infer_timeframe, nearest, resample
from smclab.instruments import instrument


class FilesSettings(ProviderSettings):
    "Conf's `kind: files`: the files conf's symbols name."

    kind: Literal["files"] = "files"

    def make(self, name: str, deps: ProviderDeps) -> Files:
        "The provider of conf's files."
        return Files(deps.files, name=name, root=deps.root, clock=deps.clock, max_gb=deps.max_gb)


class Files(BaseProvider):
    "The candles of files, one per symbol; a higher timeframe than a file's own is resampled from it."

    def __init__(
        self,
        files: Mapping[
            str, Mapping[str, Any]
        ],  # symbol -> source (a file), instrument, zone, decimal, day_first, label
        *,
        name: str = "files",
        root: Path | None = None,  # what a file's relative path starts from
        clock: Clock | None = None,
        max_gb: float | None = None,  # of memory that a file may take; None: as `Budget` has it
    ):
        super().__init__(name, clock=clock, settle_s=0.0)
        self._files, self._root = {s: f for s, f in files.items() if f.get("source")}, root or Path.cwd()
        self._budget = DEFAULT if max_gb is None else Budget(max_gb)
        self.notes: dict[str, tuple[str, ...]] = {}  # the assumptions each file was read with
        self._read: dict[str, pd.DataFrame] = {}

    def _bars(self, symbol: str) -> pd.DataFrame:
        "A symbol's file, read once."
        if symbol not in self._files:
            names, near = ", ".join(self._files), nearest(symbol, tuple(self._files))
            instead = f"expected one of {names}{near}" if names else "conf names no file of candles"
            raise ProviderRefused(f"{self.name} has no candles of {symbol!r}: {instead}")
        if symbol not in self._read:
            entry = self._files[symbol]
            self._read[symbol], self.notes[symbol] = read_file(
                self._root / entry["source"],
                symbol=symbol,
                also=entry.get("instrument"),
                budget=self._budget,
                **{name: entry.get(name) for name in ("zone", "decimal", "day_first", "label")},
            )
        return self._read[symbol]

    def _fetch(self, wire: str, timeframe: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        bars = self._bars(wire)
        if len(bars) > 1 and timeframe != infer_timeframe(bars):
            profile = self._files[wire].get("instrument")
            roll = {"zone": instrument(profile).zone, "roll_hour": instrument(profile).roll_hour} if profile else {}
            bars = resample(bars, timeframe, **roll).drop(columns="close_time")
        return bars[(bars.index >= start) & (bars.index < end)]

    def latest(self, symbol: str, timeframe: str, n: int) -> pd.DataFrame:
        "The last n bars of the file, however old they are."
        return self.history(symbol, timeframe, self._bars(self.wire(symbol)).index[0]).iloc[-n:]


Settings = FilesSettings  # by this name the factory finds a kind's settings
