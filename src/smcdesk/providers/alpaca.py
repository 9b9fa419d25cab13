"""Alpaca by alpaca-py: bars and quotes of American stocks, with keys, and of crypto.

The library waits for ever where a server does not answer, and tries again by itself without looking at Retry-After:
both are taken out of its hands. A ticker it does not know gives no bars, like a holiday: only a malformed one is
refused. A symbol with a slash, BTC/USD, is crypto.
"""

from __future__ import annotations

import os
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
    table,
)
from smclab.candles import BadConfig

KEYS = (("APCA_API_KEY_ID", "ALPACA_API_KEY"), ("APCA_API_SECRET_KEY", "ALPACA_SECRET_KEY"))
FIELDS = ("t", "o", "h", "l", "c", "v")
SPANS = {
    "1m": (1, "Min"), "3m": (3, "Min"), "5m": (5, "Min"), "15m": (15, "Min"), "30m": (30, "Min"), "1h": (1, "Hour"),
    "2h": (2, "Hour"), "4h": (4, "Hour"), "6h": (6, "Hour"), "8h": (8, "Hour"), "12h": (12, "Hour"),
    "1D": (1, "Day"),
}  # fmt: skip
NEVER = 0  # an HTTP status no server sends


class AlpacaSettings(RetrySettings):
    "Conf's `kind: alpaca`; the keys stand in the environment, nowhere else."

    kind: Literal["alpaca"] = "alpaca"
    feed: Literal["iex", "sip", "otc"] = "iex"  # of stocks; the others need a subscription
    # Anything but raw rewrites the past when a split or dividend comes: then every bar is a revision.
    adjustment: Literal["raw", "split", "dividend", "all"] = "raw"
    settle_s: float = 5.0
    per_minute: float | None = 180.0  # the free plan allows 200
    base_url: str | None = None  # another host

    def make(self, name: str, deps: ProviderDeps) -> Alpaca:
        "The Alpaca provider with these settings."
        return Alpaca(name, self, deps)


def _keys(name: str) -> tuple[str, str]:
    "Key and secret from the environment."
    found = tuple(next((os.environ[word] for word in words if os.environ.get(word)), None) for words in KEYS)
    if None in found:
        first = KEYS[found.index(None)]
        raise ProviderRefused(f"{name} needs a key: set {first[0]} (or {first[1]}) in the environment")
    return found


class Alpaca(BaseProvider):
    "Bars of stocks and crypto from Alpaca."

    timeframes = SPANS

    def __init__(self, name: str, settings: AlpacaSettings, deps: ProviderDeps):
        super().__init__(name, symbols=settings.symbols, settle_s=settings.settle_s, clock=deps.clock)
        self._settings, self._ask = settings, RetryingCaller(name, settings, deps)

    def _client(self, kind: str) -> Any:
        "A client that gives up after a while and leaves trying again to us."
        try:
            from alpaca.data import historical
        except ImportError as error:
            raise BadConfig(f"{self.name} needs alpaca-py: pip install 'smclab[alpaca]'") from error
        key, secret = _keys(self.name) if kind == "Stock" else (None, None)
        cls = getattr(historical, f"{kind}HistoricalDataClient")
        client = cls(key, secret, raw_data=True, url_override=self._settings.base_url)
        client._retry_codes = [NEVER]  # the data clients do not pass retry_exception_codes on
        _give_up(client._session, self._settings.timeout_s)
        client._session.hooks["response"].append(lambda answer, **_: self._note_server_time(answer.headers))
        return client

    @cached_property
    def _stocks(self) -> Any:
        return self._client("Stock")

    @cached_property
    def _crypto(self) -> Any:
        return self._client("Crypto")

    def _once(self, symbol: str, ask) -> Any:
        "One call of alpaca-py, its errors as ours."
        from alpaca.common.exceptions import APIError
        from requests.exceptions import JSONDecodeError, RequestException, Timeout

        try:
            return ask()
        except APIError as error:
            raise self._error_of(symbol, error) from error
        except Timeout as error:
            raise ProviderDown(f"{self.name}: no answer within {self._settings.timeout_s:g} s") from error
        except JSONDecodeError as error:
            raise BadAnswer(f"{self.name}: expected JSON ({error})") from error
        except RequestException as error:
            raise ProviderDown(f"{self.name} cannot be reached: {type(error).__name__}") from error
        except (ValueError, TypeError, AttributeError, KeyError) as error:  # what its models make of a strange body
            raise BadAnswer(f"{self.name} {symbol}: an answer that cannot be read ({error})") from error

    def _error_of(self, symbol: str, error: Any) -> Exception:
        "What an HTTP error means."
        status, text = error.status_code, " ".join(str(error).split())[:120]
        if status == 429:
            return ProviderDown(f"{self.name}: too many requests (429)", _wait_s(error.response.headers, self._clock()))
        if status is None or status >= 500:
            return ProviderDown(f"{self.name}: answered {status}")
        if status in (401, 403):
            return ProviderRefused(f"{self.name} refused the key or the subscription for {symbol}: {text}")
        return ProviderRefused(f"{self.name} refused {symbol}: {text}")

    def _fetch(self, wire: str, timeframe: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        crypto = "/" in wire
        client = self._crypto if crypto else self._stocks
        from alpaca.data import requests
        from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

        amount, unit = self.timeframes[timeframe]
        span = {
            "symbol_or_symbols": wire, "timeframe": TimeFrame(amount, TimeFrameUnit(unit)),
            "start": start.floor("s").to_pydatetime(), "end": end.floor("s").to_pydatetime(),
        }  # fmt: skip
        if crypto:
            request = requests.CryptoBarsRequest(**span)
            got = self._ask(lambda: self._once(wire, lambda: client.get_crypto_bars(request)))
        else:
            more = {"feed": self._settings.feed, "adjustment": self._settings.adjustment}
            request = requests.StockBarsRequest(**span, **more)
            got = self._ask(lambda: self._once(wire, lambda: client.get_stock_bars(request)))
        return self._rows((got or {}).get(wire) or [], f"{self.name} {wire} {timeframe}")

    def _rows(self, rows: list, where: str) -> pd.DataFrame:
        "Alpaca's bars as a table."
        if not all(isinstance(row, dict) and set(FIELDS) <= set(row) for row in rows):
            raise BadAnswer(f"{where}: expected bars with {', '.join(FIELDS)}; found {str(rows[0])[:80]}")
        try:
            times = pd.DatetimeIndex([pd.Timestamp(row["t"]) for row in rows], tz="UTC").as_unit("s").asi8
        except (ValueError, TypeError) as error:
            raise BadAnswer(f"{where}: a bar without a time ({error})") from error
        values = [[int(t), *(row[f] for f in FIELDS[1:])] for t, row in zip(times, rows, strict=True)]
        return table(values, "s", where)

    def snapshot(self, symbol: str) -> Quote:
        "The latest quote."
        wire = self.wire(symbol)
        client = self._crypto if "/" in wire else self._stocks
        from alpaca.data import requests

        if "/" in wire:
            request = requests.CryptoLatestQuoteRequest(symbol_or_symbols=wire)
            got = self._ask(lambda: self._once(wire, lambda: client.get_crypto_latest_quote(request)))
        else:
            request = requests.StockLatestQuoteRequest(symbol_or_symbols=wire, feed=self._settings.feed)
            got = self._ask(lambda: self._once(wire, lambda: client.get_stock_latest_quote(request)))
        if wire not in (got or {}):
            raise ProviderRefused(f"{self.name} has no quote of {symbol!r}")
        try:
            quote = got[wire]
            return Quote(symbol, float(quote["bp"]), float(quote["ap"]), moment(quote["t"]), self.name)
        except (KeyError, TypeError, ValueError) as error:
            raise BadAnswer(f"{self.name} {symbol}: a quote without bid, ask or time") from error


def _give_up(session: Any, timeout_s: float) -> None:
    "A time-out for every request of a session that sets none itself."
    from requests.adapters import HTTPAdapter

    class Timed(HTTPAdapter):
        "An adapter of requests that adds the time-out."

        def send(self, request, **options):
            "Send with a time-out."
            return super().send(request, **{**options, "timeout": options.get("timeout") or timeout_s})

    for scheme in ("https://", "http://"):
        session.mount(scheme, Timed())


def _wait_s(headers: Any, present: Any) -> float | None:
    "How long to wait: Retry-After in seconds, or X-RateLimit-Reset as a unix time."
    wait_s = retry_after_s(headers.get("Retry-After"))
    reset = retry_after_s(headers.get("X-RateLimit-Reset"))
    return wait_s if wait_s is not None or reset is None else max(0.0, reset - present.timestamp())


Settings = AlpacaSettings  # by this name the factory finds a kind's settings
