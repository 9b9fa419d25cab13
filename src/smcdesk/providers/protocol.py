"""The protocol of every source of candles, its errors, and the work all of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from smcdesk.project.dates import check_iso
from smclab.candles import COLUMNS, BadBars, BadConfig, check, nearest, timeframe_ns

Clock = Callable[[], datetime]  # the present, with its zone

FAR = pd.Timedelta(days=14)  # before a span: no closed market's last candle any more, but another clock or unit
REACHES = 5  # how many spans `latest` tries, each four times as far back
MANY = 20  # bars from which the usual step of a table gives its timeframe away


class ProviderDown(ConnectionError):
    "The source does not answer, or wants fewer requests: wait and try again."

    def __init__(self, message: str, retry_after_s: float | None = None):
        super().__init__(message)
        self.retry_after_s = retry_after_s  # the wait the source named, or None


class ProviderRefused(BadConfig):
    "The source answers and refuses: an unknown symbol, a missing or bad key. Waiting does not help."


class BadAnswer(BadBars):
    "What the source sent cannot be read as candles."


@dataclass(frozen=True)
class Quote:
    "A market at one moment."

    symbol: str
    bid: float  # price
    ask: float  # price
    time: pd.Timestamp  # UTC, of the quote by the source's clock, where it carries one
    source: str  # a provider's name


@runtime_checkable
class Provider(Protocol):
    "A source of candles. It raises `ProviderDown`, `ProviderRefused` or `BadBars`, and nothing else."

    name: str

    def history(self, symbol: str, timeframe: str, start: Any, end: Any = None) -> pd.DataFrame:
        "Closed bars that open in [start, end); none is an empty table."

    def latest(self, symbol: str, timeframe: str, n: int) -> pd.DataFrame:
        "The last n closed bars, fewer where there are no more."

    def snapshot(self, symbol: str) -> Quote:
        "Bid and ask now."


def now() -> datetime:
    "This machine's time, UTC."
    return datetime.now(UTC)


def moment(
    value: Any,  # a Timestamp, datetime or text with its zone; a date alone is taken as UTC midnight
) -> pd.Timestamp:  # UTC
    "A moment as UTC. Text is ISO 8601: 03/04/2024 is two days, and is refused with both."
    if isinstance(value, str):
        check_iso(value)
    try:
        time = pd.Timestamp(value)
    except (ValueError, TypeError):
        time = pd.NaT
    if time is pd.NaT:
        raise BadConfig(f"expected a moment such as 2024-03-08 or 2024-03-08T13:30:00Z, found {value!r}")
    return (time.tz_localize("UTC") if time.tzinfo is None else time.tz_convert("UTC")).as_unit("ns")


def no_bars() -> pd.DataFrame:
    "A table of no candles."
    return pd.DataFrame(
        {name: np.zeros(0) for name in COLUMNS}, index=pd.DatetimeIndex([], tz="UTC", name="time").as_unit("ns")
    )


def table(
    rows: Any,  # (n, 6): open time as unix number, open, high, low, close, volume; numbers or their texts
    unit: str,  # of the times: s, ms
    where: str,  # for the message
) -> pd.DataFrame:  # (n, OHLCV) by UTC open time, in the order given
    "Rows of an answer as a table; what is no number is refused."
    if not isinstance(rows, list):
        raise BadAnswer(f"{where}: expected a list of candles, found {type(rows).__name__}")
    if not rows:
        return no_bars()
    if not all(isinstance(row, list | tuple) and len(row) >= 6 for row in rows):
        wrong = next(row for row in rows if not (isinstance(row, list | tuple) and len(row) >= 6))
        raise BadAnswer(f"{where}: expected candles of time, open, high, low, close, volume; found {str(wrong)[:80]}")
    try:
        values = np.array([row[:6] for row in rows], dtype=float)
        times = pd.to_datetime(values[:, 0].astype(np.int64), unit=unit, utc=True).as_unit("ns")
    except pd.errors.OutOfBoundsDatetime as error:
        raise BadAnswer(
            f"{where}: a candle's time {rows[0][0]} is no number of {'seconds' if unit == 's' else 'milliseconds'} "
            "since 1970: another unit than the source documents"
        ) from error
    except (ValueError, TypeError, OverflowError) as error:
        raise BadAnswer(f"{where}: a candle holds something that is no number ({error})") from error
    return pd.DataFrame(values[:, 1:], columns=list(COLUMNS), index=pd.DatetimeIndex(times, name="time"))


def check_span(
    bars: pd.DataFrame,  # as they came
    where: str,  # for the message
    start: pd.Timestamp,
    end: pd.Timestamp,  # not included
    present: pd.Timestamp,
) -> None:
    """Refuse an answer whose candles are of another time than the one asked for, such as seconds read as milliseconds.

    The last candle of a closed market before the span, and a venue's newest ones after it, are ordinary answers.
    """
    if not len(bars) or ((bars.index >= start) & (bars.index < end)).any():
        return
    first, last = bars.index.min(), bars.index.max()
    if last < start - FAR or first > present + pd.Timedelta(days=1):
        raise BadAnswer(
            f"{where}: {len(bars)} candles came, none of them between {start:%Y-%m-%d %H:%M}Z and "
            f"{end:%Y-%m-%d %H:%M}Z; they are from {first:%Y-%m-%d %H:%M}Z to {last:%Y-%m-%d %H:%M}Z: their times are "
            "in another unit or clock than the source documents"
        )


def clean_bars(
    bars: pd.DataFrame,  # as they came, in any order, pages overlapping
    *,
    symbol: str,
    timeframe: str,
    start: pd.Timestamp,
    end: pd.Timestamp,  # bars open before it
    closed_by: pd.Timestamp,  # bars that close later are dropped
) -> pd.DataFrame:
    "Checked closed bars in [start, end); the same bar sent twice counts once, two different ones are refused."
    step = pd.Timedelta(timeframe_ns(timeframe), "ns")
    bars = bars[(bars.index >= start) & (bars.index < end) & (bars.index + step <= closed_by)]
    if not len(bars):
        return no_bars()
    bars = bars[~bars.reset_index().duplicated().to_numpy()].sort_index(kind="stable")
    try:
        return check(bars, symbol=symbol, timeframe=timeframe if len(bars) >= MANY else None)
    except BadBars as error:
        raise BadAnswer(str(error)) from error


class ProviderSettings(BaseModel):
    "Settings of one kind of provider, from conf."

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class ProviderDeps:
    "What a provider needs besides its settings: clock and waits, which tests replace, and where files lie."

    root: Path = field(default_factory=Path.cwd)  # what relative paths start from
    clock: Clock | None = None  # None: this machine's
    sleep: Callable[[float], None] | None = None  # seconds; None: really
    monotonic: Callable[[], float] | None = None  # seconds; None: this machine's
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # conf's symbols, for `files`
    max_gb: float | None = None  # of memory that a file may take; None: as `Budget` has it


class BaseProvider(ABC):
    """What the providers share: names, spans, closed bars only.

    A provider gives `name`, `timeframes` and `_fetch(wire, timeframe, start, end)`, which may return more than was
    requested, and the bar that is still open too. The open bar is found by the clock: this machine's, or the server's
    where that one is behind, because a bar that is taken for closed too early would be stored for good.
    """

    timeframes: Mapping[str, Any] = {}  # smclab's names -> the source's own; empty: any

    def __init__(
        self,
        name: str,
        *,
        symbols: Mapping[str, str] | None = None,  # the desk's names -> the source's
        settle_s: float = 2.0,  # after its close, before a bar counts as final
        clock: Clock | None = None,  # None: this machine's
    ):
        self.name, self.settle_s = name, settle_s
        self._symbols, self._clock = dict(symbols or {}), clock or now
        self._server_time: pd.Timestamp | None = None

    def wire(self, symbol: str) -> str:
        "The source's own name of a symbol."
        return self._symbols.get(symbol, symbol)

    def history(self, symbol: str, timeframe: str, start: Any, end: Any = None) -> pd.DataFrame:
        "Closed bars that open in [start, end); without an end, up to the last closed one."
        self.check_timeframe(timeframe)
        present = moment(self._clock())
        start, end = moment(start), present if end is None else min(moment(end), present)
        if start >= end:
            return no_bars()
        self._server_time = None
        got = self._fetch(self.wire(symbol), timeframe, start, end)
        check_span(got, f"{self.name} {symbol} {timeframe}", start, end, present)
        present = min(present, self._server_time or present)
        closed_by = present - pd.Timedelta(seconds=self.settle_s)
        return clean_bars(got, symbol=symbol, timeframe=timeframe, start=start, end=end, closed_by=closed_by)

    def _note_server_time(self, headers: Mapping[str, str] | None) -> None:
        "Note the server's time from an answer's Date header; an answer from a cache carries its Age."
        headers = headers or {}
        try:
            sent, age_s = parsedate_to_datetime(headers.get("Date", "")), float(headers.get("Age", 0))
        except (ValueError, TypeError):
            return
        time = moment(sent) + pd.Timedelta(seconds=age_s + 1)  # the header leaves out the fraction of a second
        self._server_time = time if self._server_time is None else min(time, self._server_time)

    def latest(self, symbol: str, timeframe: str, n: int) -> pd.DataFrame:
        "The last n closed bars, over closed markets too."
        if n < 1:
            raise BadConfig(f"n {n!r}: expected a number of bars >= 1")
        step, present = pd.Timedelta(timeframe_ns(timeframe), "ns"), moment(self._clock())
        span = (n + 1) * step + pd.Timedelta(seconds=self.settle_s)
        start, bars = present - span, self.history(symbol, timeframe, present - span)
        for k in range(REACHES - 1):
            if len(bars) >= n:
                break
            before, start = start, present - (3 * span + pd.Timedelta(days=3)) * 4**k
            older = self.history(symbol, timeframe, start, before)
            if len(bars) and not len(older):
                break  # a market that trades now and did not before: there is no more
            bars = pd.concat([older, bars]) if len(older) else bars
        return bars.iloc[-n:]

    def snapshot(self, symbol: str) -> Quote:
        "Refuse: this source has no quotes."
        raise ProviderRefused(f"{self.name} has candles only: no bid and ask of {symbol}")

    def check_timeframe(self, timeframe: str) -> None:
        "Refuse a timeframe the source does not have."
        timeframe_ns(timeframe)
        if self.timeframes and timeframe not in self.timeframes:
            names = ", ".join(self.timeframes)
            near = nearest(timeframe, tuple(self.timeframes))
            raise ProviderRefused(f"{self.name} has no {timeframe} candles: expected one of {names}{near}")

    @abstractmethod
    def _fetch(self, wire: str, timeframe: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        "The bars of a span as the source gives them."
