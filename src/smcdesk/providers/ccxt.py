"""Any exchange of ccxt: public candles and tickers, no key needed.

ccxt leaves three things to its user. Its rate limiter must be on. The last candle is the open one and comes unmarked.
And a body that is no JSON is handed on as text, which its parsers turn into an empty list: a broken answer would look
like a quiet market, so every answer is checked before it counts.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import pandas as pd
from pydantic import Field

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
from smclab.candles import TIMEFRAMES, BadConfig, nearest, timeframe_ns

SPELLED = {"1D": "1d", "1W": "1w"}  # where ccxt writes a timeframe otherwise


class CcxtSettings(RetrySettings):
    "Conf's `kind: ccxt`."

    kind: Literal["ccxt"] = "ccxt"
    exchange: str  # an id of ccxt: kraken, binance, …
    page: int = Field(500, ge=2)  # candles a request; exchanges cap it
    rate_limit_ms: float | None = Field(None, ge=0)  # between requests; None: as ccxt knows the exchange
    base_url: str | None = None  # another host for every endpoint
    options: dict[str, Any] = Field(default_factory=dict)  # ccxt's own, e.g. fetchMarkets: {types: [spot]}

    def make(self, name: str, deps: ProviderDeps) -> Ccxt:
        "The provider of one ccxt exchange with these settings."
        return Ccxt(name, self, deps)


def _moved(urls: Any, host: str) -> Any:
    "The endpoints on another host, with the same paths."
    if isinstance(urls, dict):
        return {key: _moved(url, host) for key, url in urls.items()}
    base = urlsplit(host)
    return urlunsplit((base.scheme, base.netloc, urlsplit(urls).path, "", "")) if isinstance(urls, str) else urls


class Ccxt(BaseProvider):
    "Candles of one exchange, by ccxt."

    def __init__(self, name: str, settings: CcxtSettings, deps: ProviderDeps):
        super().__init__(name, symbols=settings.symbols, settle_s=settings.settle_s, clock=deps.clock)
        self._settings, self._ask = settings, RetryingCaller(name, settings, deps)

    @cached_property
    def _exchange(self):
        try:
            import ccxt
        except ImportError as error:
            raise BadConfig(f"{self.name} needs ccxt: pip install 'smclab[ccxt]'") from error
        s = self._settings
        if s.exchange not in ccxt.exchanges:
            raise BadConfig(f"providers.{self.name}.exchange: no {s.exchange!r}{nearest(s.exchange, ccxt.exchanges)}")
        options = {"enableRateLimit": True, "enableLastJsonResponse": True}
        options |= {"timeout": int(s.timeout_s * 1000), "options": dict(s.options)}
        exchange = getattr(ccxt, s.exchange)(options)
        if s.rate_limit_ms is not None:
            exchange.rateLimit = s.rate_limit_ms
        if s.base_url:
            exchange.urls["api"] = _moved(exchange.urls["api"], s.base_url)
        parse = (
            exchange.parse_ohlcvs
        )  # drops what opens before the span asked for: a wrong clock would look like silence
        exchange.parse_ohlcvs = lambda rows, market=None, timeframe="1m", *_, **__: parse(rows, market, timeframe)
        return exchange

    @cached_property
    def timeframes(self) -> dict[str, str]:
        "What the exchange has, by smclab's names."
        has = self._exchange.timeframes or {}
        return {tf: SPELLED.get(tf, tf) for tf in TIMEFRAMES if SPELLED.get(tf, tf) in has}

    def _once(self, method: str, *args: Any, **params: Any) -> Any:
        "One call of ccxt, its errors as ours."
        exchange = self._exchange
        import ccxt

        try:
            if not exchange.markets:
                exchange.load_markets()
                self._whole()
            answer = getattr(exchange, method)(*args, **params)
            self._whole()
            self._note_server_time(exchange.last_response_headers)
            return answer
        except ccxt.BadSymbol as error:
            near = nearest(args[0], exchange.symbols or ())
            raise ProviderRefused(f"{self.name} has no symbol {args[0]!r}{near}") from error
        except ccxt.BadResponse as error:
            raise BadAnswer(f"{self.name}: {_short(error)}") from error
        except ccxt.OperationFailed as error:  # network, time-out, 429, 5xx
            wait_s = retry_after_s((exchange.last_response_headers or {}).get("Retry-After"))
            limited = isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection)
            what = "too many requests" if limited else "cannot be reached or does not answer"
            raise ProviderDown(f"{self.name}: {what} ({_short(error)})", wait_s if limited else None) from error
        except ccxt.BaseError as error:
            raise ProviderRefused(f"{self.name} refused: {_short(error)}") from error
        except (BadAnswer, ProviderDown, ProviderRefused):
            raise
        except Exception as error:  # ccxt's parsers raise many kinds
            raise BadAnswer(f"{self.name}: an answer that cannot be read ({_short(error)})") from error

    def _whole(self) -> None:
        "Refuse a body that was no JSON, before its emptiness counts for something."
        exchange = self._exchange
        if exchange.last_json_response is None:
            raise BadAnswer(f"{self.name}: expected JSON, found {str(exchange.last_http_response)[:60]!r}")

    def _fetch(self, wire: str, timeframe: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        step_ms = timeframe_ns(timeframe) // 10**6
        at, last, pages = int(start.timestamp() * 1000), int(end.timestamp() * 1000), [no_bars()]
        spelled, whole = self.timeframes[timeframe], False
        while at < last:
            n = self._settings.page if whole else min(self._settings.page, (last - at) // step_ms + 2)
            rows = self._ask(lambda at=at, n=n: self._once("fetch_ohlcv", wire, spelled, at, n))
            page = table(rows, "ms", f"{self.name} {wire} {timeframe}")
            pages.append(page)
            newest = int(page.index.max().timestamp() * 1000) if len(page) else 0
            if newest < at and n <= len(page) and n < self._settings.page:
                whole = True  # full of candles before the first one asked for: the rest follows on a longer page
                continue
            whole = False
            # a page without anything new is a hole in the history, not its end: go on behind it
            at = (newest if newest >= at else at + (n - 1) * step_ms) + step_ms
        return pd.concat(pages)

    def snapshot(self, symbol: str) -> Quote:
        "Bid and ask of the ticker, or the top of the book."
        ticker = self._ask(lambda: self._once("fetch_ticker", self.wire(symbol)))
        if ticker.get("bid") is None or ticker.get("ask") is None:
            raise BadAnswer(f"{self.name} {symbol}: a ticker without bid and ask")
        time = ticker.get("timestamp")
        time = moment(self._clock()) if time is None else pd.Timestamp(time, unit="ms", tz="UTC")
        return Quote(symbol, float(ticker["bid"]), float(ticker["ask"]), moment(time), self.name)


def _short(error: BaseException) -> str:
    "The beginning of an error's text, on one line."
    text = " ".join(str(error).split())
    return f"{type(error).__name__} {text[:120]}".strip()


Settings = CcxtSettings  # by this name the factory finds a kind's settings
