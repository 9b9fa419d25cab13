"""Two sources for one market: the second stands in while the first is down, and gives way when it is well again.

One failure of the first is answered by the second at once. After `down_after` in a row the second takes over, and the
first is only tried every `probe_s`; it comes back after `up_after` good answers. Without that distance a source that
answers every other time would change the venue with every bar. A source whose candles are old fails too, where the
second has newer ones. Every change is a line in the journal; the candles of both stand under the name of the
pair, because together they are another series than either alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from pydantic import Field

from smcdesk.marketdata.calendars import ExpectedTimes
from smcdesk.providers.protocol import BadAnswer, Clock, Provider, ProviderDown, ProviderSettings, Quote, moment, now
from smclab.candles import timeframe_ns

Answer = TypeVar("Answer")
FAILURES = (ProviderDown, BadAnswer)


class Hysteresis(ProviderSettings):
    "How slowly a pair changes sides."

    down_after: int = Field(2, ge=1)  # failures of the first in a row
    up_after: int = Field(3, ge=1)  # good answers of the first in a row, while the second stands in
    probe_s: float = Field(300.0, ge=0)  # between two tries of the first, while the second stands in
    late_bars: int = Field(2, ge=1)  # candles that should be there and are not, before an answer is old


class FailoverProvider:
    "Two providers of one market as one: the second answers while the first is down."

    def __init__(
        self,
        first: Provider,
        second: Provider,
        *,
        hysteresis: Hysteresis | None = None,
        journal: Path | None = None,  # a line of JSON per change; None: none
        expected: Callable[[str], ExpectedTimes | None]
        | None = None,  # by symbol, when it trades; None: never called old
        clock: Clock | None = None,  # for the journal
        monotonic: Callable[[], float] = time.monotonic,  # for the waits
    ):
        self.first, self.second, self.name = first, second, f"{first.name}+{second.name}"
        self._rule, self._journal, self._expected = hysteresis or Hysteresis(), journal, expected
        self._clock, self._monotonic = clock or now, monotonic
        self._failed, self._good, self._tried = 0, 0, 0.0
        self.active = first  # whom most calls go to
        self.served_by = ""  # who answered last

    def history(self, symbol: str, timeframe: str, start: Any, end: Any = None) -> pd.DataFrame:
        "Closed bars that open in [start, end), of the source whose turn it is."
        if end is not None:
            return self._ask(lambda p: p.history(symbol, timeframe, start, end), symbol)
        since = moment(start) - pd.Timedelta(timeframe_ns(timeframe), "ns")
        return self._ask(self._current(lambda p: p.history(symbol, timeframe, start), symbol, timeframe, since), symbol)

    def latest(self, symbol: str, timeframe: str, n: int) -> pd.DataFrame:
        "The last n closed bars, of the source whose turn it is."
        return self._ask(self._current(lambda p: p.latest(symbol, timeframe, n), symbol, timeframe), symbol)

    def snapshot(self, symbol: str) -> Quote:
        "Bid and ask now, of the source whose turn it is."
        return self._ask(lambda p: p.snapshot(symbol), symbol)

    def _current(self, ask: Callable, symbol: str, timeframe: str, since: pd.Timestamp | None = None) -> Callable:
        "The request, failing on the first source when its newest candle is late and the second has a newer one."
        times = self._expected(symbol) if self._expected else None

        def current(p: Provider) -> pd.DataFrame:
            bars = ask(p)
            if p is not self.first or times is None:
                return bars
            last = bars.index[-1] if len(bars) else since
            if last is None:
                return bars
            until = moment(self._clock()) - pd.Timedelta(timeframe_ns(timeframe), "ns")
            late = int((times(last, until, timeframe) > last).sum()) if until > last else 0
            if late >= self._rule.late_bars and self._newer(ask, last):
                raise ProviderDown(f"{p.name} is {late} candles of {symbol} behind")
            return bars

        return current

    def _newer(self, ask: Callable, last: pd.Timestamp) -> bool:
        "Whether the second knows candles after `last`."
        try:
            bars = ask(self.second)
        except FAILURES:
            return False
        return len(bars) > 0 and bars.index[-1] > last

    def _ask(self, ask: Callable[[Provider], Answer], symbol: str) -> Answer:
        "The first source's answer where it is in use or due for a try and does not fail, else the second's."
        due = self.active is self.first or self._monotonic() - self._tried >= self._rule.probe_s
        why = None
        if due:
            self._tried = self._monotonic()
            try:
                answer = ask(self.first)
            except FAILURES as error:
                why = error
                self._record_failure(symbol, error)
            else:
                self._record_answer(symbol)
                self.served_by = self.first.name
                return answer
        try:
            answer = ask(self.second)
        except FAILURES as error:
            raise ProviderDown(
                f"neither {self.first.name} ({why or 'left alone'}) nor {self.second.name}: {error}"
            ) from error
        self.served_by = self.second.name
        return answer

    def _record_failure(self, symbol: str, error: Exception) -> None:
        self._failed, self._good = self._failed + 1, 0
        if self.active is self.first and self._failed >= self._rule.down_after:
            self._change(self.second, symbol, f"{self._failed} failures in a row: {error}")

    def _record_answer(self, symbol: str) -> None:
        self._failed, self._good = 0, self._good + 1
        if self.active is self.second and self._good >= self._rule.up_after:
            self._change(self.first, symbol, f"{self._good} good answers in a row")

    def _change(self, to: Provider, symbol: str, reason: str) -> None:
        "Switch to the other source, and append a line to the journal."
        line = {
            "time": moment(self._clock()).isoformat(), "pair": self.name, "from": self.active.name, "to": to.name,
            "symbol": symbol, "reason": reason[:300],
        }  # fmt: skip
        self.active, self._good = to, 0
        if self._journal:
            self._journal.parent.mkdir(parents=True, exist_ok=True)
            with self._journal.open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")


def changes(journal: Path) -> pd.DataFrame:  # time, pair, from, to, symbol, reason
    "The changes of sides in a journal, oldest first."
    names = ["time", "pair", "from", "to", "symbol", "reason"]
    lines = journal.read_text(encoding="utf-8").splitlines() if journal.exists() else []
    table = pd.DataFrame([json.loads(line) for line in lines], columns=names)
    return table.assign(time=pd.to_datetime(table["time"], utc=True).dt.as_unit("ns"))
