"""One series as it was read so far, and what is decided at its newest close."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from smcdesk.decisions.config import DecisionConfig
from smcdesk.decisions.mapped_arrays import MappedArrays
from smcdesk.marketdata.quality import verdict, week_of, weekly_verdict
from smcdesk.project.files import atomic_file
from smclab.candles import COLUMNS, timeframe_ns
from smclab.decision import Decision, decide
from smclab.gates import Context
from smclab.reader import Reader, ReadingNow
from smclab.reading import Reading
from smclab.setups import evaluations_at

LABELLED = (  # of a candidate
    "setup_id", "time", "known_close", "version", "score_sweep", "score_zone", "confluence", "session",
)  # fmt: skip
_SETUPS = "setups/"  # before the names of the setup sequence's arrays
LEFT_BYTES = 500_000  # of a reader in a file: when more of it has grown into memory, it is written again
SAVE_BARS = 5000  # a reader is saved after this many bars; fewer are read again sooner than they are loaded


class SeriesReader:
    "One series as it was read so far, from its first candle on."

    def __init__(self, config: DecisionConfig, timeframe: str, file: Path | None = None):
        self.config, self.timeframe, self.file = config, timeframe, file
        self._reader = self._load_reader() or self._new_reader()
        self._saved_n, self._reading, self._mapped = self._reader.n, None, None
        self._at, self._inspected = None, (None, "ok")  # the week, and the verdict of its inspection

    def _new_reader(self) -> Reader:
        c = self.config
        return Reader(c.reader, instrument=c.instrument, timeframes=c.timeframes, timeframe=self.timeframe)

    def _load_reader(self) -> Reader | None:
        "The saved reader, if there is one that can be loaded."
        if self.file is None or not self.file.exists():
            return None
        try:
            return Reader.from_bytes(self.file.read_bytes())
        except Exception:  # a state is a shortcut: whatever is wrong with it, the candles are read again
            return None

    def restart(self) -> None:
        "Begin again before the first candle."
        self._reader, self._saved_n, self._reading, self._mapped = self._new_reader(), 0, None, None
        self._at, self._inspected = None, (None, "ok")

    @property
    def _now(self) -> ReadingNow:
        "The newest candle read; its tables are computed once."
        if self._at is None or self._at.bar != self._reader.n - 1:
            self._at = self._reader.now()
        return self._at

    @property
    def n(self) -> int:
        "Candles read."
        return self._reader.n

    @property
    def last_ns(self) -> int | None:  # open label, ns UTC
        "The newest candle read."
        return int(self._now.times[self.n - 1]) if self.n else None

    def extend(self, bars: pd.DataFrame) -> None:
        "Read checked candles that come after those read."
        if len(bars) == 1:
            self._reader.push(int(bars.index.as_unit("ns").asi8[0]), *bars[list(COLUMNS)].to_numpy()[0].tolist())
        elif len(bars):
            self._reader.extend(bars)
        if len(bars):
            self._reading = None

    @property
    def reading(self) -> Reading:
        "Everything read so far."
        if self._reading is None:
            self._reading = self._reader.reading
        return self._reading

    def decide(
        self,
        context: Callable[[ReadingNow, set[str]], Context],  # called with setup ids where there are setups to judge
    ) -> tuple[tuple[Decision, ...], pd.DataFrame, Context | None]:  # decisions, their candidates, their context
        "The decisions at the close of the newest candle read."
        at, c = self._now, self.config
        found = evaluations_at(at, c.instrument, c.setups)
        if not len(found["time"]):
            return (), pd.DataFrame(), None
        rows = pd.DataFrame({name: found[name] for name in LABELLED})
        rows = rows.assign(**{name: pd.to_datetime(rows[name], utc=True) for name in ("time", "known_close")})
        one = context(at, set(rows["setup_id"]))
        return decide(at, one, c.policy, setups=c.setups), rows, one

    def data_quality(self) -> str:  # ok, degraded or bad
        "How good the candles are, as it is known at the close of the newest one read."
        at, market = self._now, self.config.instrument
        week = week_of(at.known_close.value)
        if self._inspected[0] != week:
            self._inspected = (week, weekly_verdict(at.bars, market, self.timeframe, week))
        return verdict(at.bars, market, self.timeframe, self._inspected[1])

    def release(self) -> None:
        "Let go of what is worked out again from the reader when it is wanted."
        self._at = self._reading = None

    @property
    def in_file(self) -> bool:
        "Whether the reader's arrays lie in a file."
        return self._mapped is not None

    def map(self, folder: Path) -> None:
        """Keep the reader's arrays in a file in this folder: they take memory only while a candle is read and decided.

        The file has no name and is gone when the process is; where the disk is full the reader stays in memory.
        """
        self.release()
        if not self.n or not MappedArrays.possible():
            return
        states, setups = self._reader.state, self._setups_state()
        own = states.to_arrays() | {_SETUPS + name: array for name, array in setups.items()}
        if self._mapped is None or self._mapped.missing_bytes(own) > LEFT_BYTES:
            for state in states.all:  # the next candle's place is in the file too
                state.grow(state.n + 1)
            try:
                self._mapped = MappedArrays(states.to_arrays() | {_SETUPS + k: v for k, v in setups.items()}, folder)
            except OSError:
                self._mapped = None
                return
            arrays = self._mapped.arrays
            states.restore(arrays, {state.timeframe: state.n for state in states.all})
            setups.update({name: arrays[_SETUPS + name] for name in setups})
        self._mapped.rest()

    def _setups_state(self) -> dict[str, np.ndarray]:
        "What the setup sequence remembers, beside the detectors; empty before the first decision."
        *_, progress = self._reader.cache.get("progress", (None,))
        return {} if progress is None else progress.state

    def save(self, every: int = SAVE_BARS) -> None:
        "Save the reader when enough was read since the last time."
        if self.file is not None and self.n - self._saved_n >= every:
            with atomic_file(self.file) as part:
                part.write_bytes(self._reader.to_bytes())
            self._saved_n = self.n


def bar_length(timeframe: str) -> pd.Timedelta:
    "The length of a candle."
    return pd.Timedelta(timeframe_ns(timeframe), "ns")
