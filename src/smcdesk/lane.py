"""One series as it was read so far, and the world around a decision at its last close."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from smcdesk import registry
from smcdesk.disk import whole_file
from smcdesk.pipelines.decide import (
    regime_by_close,
    round_trip,
    stop_noise,
)
from smcdesk.quality import verdict, week_of, weekly
from smcdesk.world import World
from smclab.candles import timeframe_ns
from smclab.decision import Decision, decide
from smclab.gates import Context
from smclab.reader import Reader, ReadingNow
from smclab.reading import Reading
from smclab.sentiment import Sentiment
from smclab.setups import candidates, evaluations_at

FIRST_BARS = 3000  # candles fetched of a series that is not kept yet: enough for every warm-up
LABELLED = (  # of a candidate
    "setup_id", "time", "known_close", "version", "score_sweep", "score_zone", "confluence", "session",
)  # fmt: skip
SAVE_BARS = 5000  # a reader is put away after this many bars; fewer are read again sooner than they are loaded


class Lane:
    "One series as it was read so far, from its first candle on."

    def __init__(self, world: World, timeframe: str, file: Path | None = None):
        self.world, self.timeframe, self.file = world, timeframe, file
        self._reader = self._resumed() or self._fresh()
        self._saved_n, self._reading = self._reader.n, None
        self._at, self._inspected = None, (None, "ok")  # the week, and what its inspection said

    def _fresh(self) -> Reader:
        w = self.world
        return Reader(w.config, instrument=w.instrument, timeframes=w.above, timeframe=self.timeframe)

    def _resumed(self) -> Reader | None:
        "The reader that was put away, if there is one that can be read."
        if self.file is None or not self.file.exists():
            return None
        try:
            return Reader.from_bytes(self.file.read_bytes())
        except Exception:  # a state is a shortcut: whatever is wrong with it, the candles are read again
            return None

    def restart(self) -> None:
        "Begin again before the first candle."
        self._reader, self._saved_n, self._reading = self._fresh(), 0, None
        self._at, self._inspected = None, (None, "ok")

    @property
    def _now(self) -> ReadingNow:
        "The newest candle read; asked twice, its tables are made once."
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
        "Read candles that come after those read."
        if len(bars):
            self._reader.extend(bars)
            self._reading = None

    @property
    def reading(self) -> Reading:
        "Everything read so far."
        if self._reading is None:
            self._reading = self._reader.reading
        return self._reading

    def decide(
        self,
        context: Callable[[ReadingNow, set[str]], Context],  # asked where there are setups to judge
    ) -> tuple[tuple[Decision, ...], pd.DataFrame, Context | None]:  # the candidates they are about; the world then
        "What to do at the close of the newest candle read."
        at, w = self._now, self.world
        found = evaluations_at(at, w.instrument, w.setups)
        if not len(found["time"]):
            return (), pd.DataFrame(), None
        rows = pd.DataFrame({name: found[name] for name in LABELLED})
        rows = rows.assign(**{name: pd.to_datetime(rows[name], utc=True) for name in ("time", "known_close")})
        around = context(at, set(rows["setup_id"]))
        return decide(at, around, w.policy, setups=w.setups), rows, around

    def data_quality(self) -> str:  # ok, degraded or bad
        "How good the candles are, as it is known at the close of the newest one read."
        at, market = self._now, self.world.instrument
        week = week_of(at.known_close.value)
        if self._inspected[0] != week:
            self._inspected = (week, weekly(at.bars, market, self.timeframe, week))
        return verdict(at.bars, market, self.timeframe, self._inspected[1])

    def save(self, every: int = SAVE_BARS) -> None:
        "Put the reader away when enough was read since the last time."
        if self.file is not None and self.n - self._saved_n >= every:
            with whole_file(self.file) as part:
                part.write_bytes(self._reader.to_bytes())
            self._saved_n = self.n


def context_at(
    at: ReadingNow,
    world: World,
    now_ns: int,  # the clock of the decision
    spread_price: float,
    data_quality: str,  # ok, degraded or bad
) -> Context:
    "The world around a decision at the close of the last bar read, by the clock of the decision."
    asked, noise = world.policy.in_force.risk.stop_atr_timeframe, None
    if asked not in ("entry", at.timeframe):
        noise = stop_noise(at.bars, at.bars, world.instrument, world.config, asked)
    return Context(
        world.instrument, world.account, spread_price, data_quality=data_quality,
        news=world.news, now_ns=now_ns, last_bar_ns=int(at.times[at.bar]), stop_atr=noise,
        regimes=regime_by_close(at.bars, world.regime), **round_trip(world.costs),
    )  # fmt: skip


def advised(
    context: Context,
    reading: Reading,
    setups: set[str],  # their ids
    world: World,
    spreads: Callable[[list[int]], Mapping[int, float]],  # bars -> the spread at those that were looked at
    headlines: Sentiment | None,
) -> Context:
    "The world with the champion's word on setups, each as it was when it was seen first; nothing where none is used."
    if world.use == "none":
        return context
    first = candidates(reading, world.instrument, world.setups)
    first = first[first["setup_id"].isin(setups)]
    known = spreads(pd.DatetimeIndex(first["time"]).as_unit("ns").asi8.tolist())
    paid = pd.Series(world.costs.spread_price, index=pd.DatetimeIndex(first["time"].unique()))
    paid.update(pd.Series(known.values(), pd.DatetimeIndex(list(known), tz="UTC"), dtype="float64"))
    market, version = (world.instrument.symbol, reading.timeframe), world.champions.get(reading.timeframe, "")
    return registry.with_scorer(
        context, reading, first, paid, world.use, *market, sentiment=headlines, version=version
    )  # fmt: skip


def step_of(timeframe: str) -> pd.Timedelta:
    "The length of a candle."
    return pd.Timedelta(timeframe_ns(timeframe), "ns")
