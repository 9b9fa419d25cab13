"""Delta Exchange India: candles and tickers over REST, no key needed.

https://docs.delta.exchange: times are seconds, both ends of a span count, at most 2,000 candles come in an answer. A
request weighs 3 of 20,000 in five minutes; over the limit the answer is 429 with X-RATE-LIMIT-RESET in milliseconds.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

import pandas as pd

from smcdesk.providers.caller import RetryingCaller, RetrySettings, retry_after_s
from smcdesk.providers.protocol import (
    BadAnswer,
    BaseProvider,
    ProviderDeps,
    ProviderDown,
    ProviderRefused,
    Quote,
    moment,
    no_bars,
    table,
)
from smclab.candles import timeframe_ns

URL = "https://api.india.delta.exchange"
PAGE = 2000  # candles
FIELDS = ("time", "open", "high", "low", "close", "volume")
RESOLUTIONS = {
    "1m": "1m", "3m": "3m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "1h", "2h": "2h", "4h": "4h", "6h": "6h",
    "1D": "1d",
}  # fmt: skip
WAITS = ("unavailable", "too_many_requests", "internal_server_error")  # error codes that mean: later


class DeltaSettings(RetrySettings):
    "Conf's `kind: delta`."

    kind: Literal["delta"] = "delta"
    base_url: str = URL
    per_minute: float | None = 600.0

    def make(self, name: str, deps: ProviderDeps) -> Delta:
        "The Delta provider with these settings."
        return Delta(name, self, deps)


class Delta(BaseProvider):
    "Candles of Delta Exchange India."

    timeframes = RESOLUTIONS

    def __init__(self, name: str, settings: DeltaSettings, deps: ProviderDeps):
        super().__init__(name, symbols=settings.symbols, settle_s=settings.settle_s, clock=deps.clock)
        self._settings, self._ask = settings, RetryingCaller(name, settings, deps)

    @cached_property
    def _client(self):
        import httpx2

        return httpx2.Client(base_url=self._settings.base_url, timeout=self._settings.timeout_s)

    def _get(self, path: str, params: dict[str, Any]) -> Any:
        "The result of one request; what it refuses, by name."
        import httpx2

        try:
            answer = self._client.get(path, params=params)
        except httpx2.TimeoutException as error:
            raise ProviderDown(f"{self.name}: no answer within {self._settings.timeout_s:g} s") from error
        except httpx2.TransportError as error:
            raise ProviderDown(f"{self.name} cannot be reached: {error}") from error
        self._note_server_time(answer.headers)
        if answer.status_code == 429:
            wait_s = retry_after_s(answer.headers.get("X-RATE-LIMIT-RESET"), 1e-3)
            wait_s = retry_after_s(answer.headers.get("Retry-After")) if wait_s is None else wait_s
            raise ProviderDown(f"{self.name}: too many requests (429)", wait_s)
        if answer.status_code >= 500:
            raise ProviderDown(f"{self.name}: answered {answer.status_code}")
        try:
            body = answer.json()
        except ValueError as error:
            raise BadAnswer(f"{self.name}: expected JSON, found {answer.text[:60]!r}") from error
        if not isinstance(body, dict) or "success" not in body:
            raise BadAnswer(f"{self.name}: expected an object with success and result, found {str(body)[:60]!r}")
        if not body["success"]:
            error = body.get("error") or {}
            code = error.get("code", error) if isinstance(error, dict) else error
            down = ProviderDown if code in WAITS else ProviderRefused
            raise down(f"{self.name} refused {params.get('symbol', path)}: {code}")
        return body.get("result")

    def _fetch(self, wire: str, timeframe: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        step_s = timeframe_ns(timeframe) // 10**9
        first, last = int(start.timestamp()) // step_s * step_s, int(end.timestamp())
        pages, at = [no_bars()], first
        while at <= last:
            span = {"start": at, "end": min(at + step_s * (PAGE - 1), last)}
            request = {"symbol": wire, "resolution": self.timeframes[timeframe], **span}
            page = self._ask(lambda request=request: self._page(request))
            pages.append(page)
            newest = int(page.index.max().timestamp()) if len(page) else 0
            # a full page that begins too early has no place for its end: asked for again from there
            cut = len(page) >= PAGE and at <= newest < span["end"] - step_s
            at = (newest if cut else span["end"] // step_s * step_s) + step_s
        return pd.concat(pages)

    def _page(self, request: dict[str, Any]) -> pd.DataFrame:
        where = f"{self.name} {request['symbol']} {request['resolution']}"
        rows = self._get("/v2/history/candles", request)
        if isinstance(rows, list):
            if not all(isinstance(row, dict) and set(FIELDS) <= set(row) for row in rows):
                raise BadAnswer(f"{where}: expected candles with {', '.join(FIELDS)}; found {str(rows[0])[:80]}")
            rows = [[row[field] for field in FIELDS] for row in rows]
        return table(rows, "s", where)

    def snapshot(self, symbol: str) -> Quote:
        "The best bid and ask of the ticker."
        ticker = self._ask(lambda: self._get(f"/v2/tickers/{self.wire(symbol)}", {}))
        try:
            bid, ask = (float(ticker["quotes"][side]) for side in ("best_bid", "best_ask"))
            time = pd.Timestamp(int(ticker["timestamp"]), unit="us", tz="UTC")
        except (KeyError, TypeError, ValueError) as error:
            raise BadAnswer(f"{self.name} {symbol}: a ticker without bid, ask or time") from error
        return Quote(symbol, bid, ask, moment(time), self.name)


Settings = DeltaSettings  # by this name the factory finds a kind's settings
