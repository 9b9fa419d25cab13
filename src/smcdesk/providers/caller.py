"""How a source on the network is asked: not too fast, not for ever, again when it stumbles, and not at all for a while
when it is down. Only reads go through here: nothing that changes an account may ever be tried twice."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import stamina
from pydantic import Field

from smcdesk.providers.protocol import BadAnswer, ProviderDeps, ProviderDown, ProviderSettings

Answer = TypeVar("Answer")

logging.getLogger("stamina").addHandler(logging.NullHandler())  # who logs shall see retries; nobody else's terminal


class RetrySettings(ProviderSettings):
    "What the settings of every networked kind have: its names of symbols, and how long it is waited for."

    symbols: dict[str, str] = Field(default_factory=dict)  # the desk's names -> the source's: BTCUSDT: BTC/USDT
    settle_s: float = Field(2.0, ge=0)  # after its close, before a bar counts as final
    timeout_s: float = Field(10.0, gt=0)  # of one request
    attempts: int = Field(4, ge=1)
    wait_s: float = Field(0.5, gt=0)  # before the second attempt, then doubled, plus up to as much again by chance
    wait_max_s: float = Field(30.0, gt=0)  # between two attempts; a source that asks for more is left alone so long
    per_minute: float | None = Field(None, gt=0)  # requests; None: as the client library has it
    breaker_fails: int = Field(3, ge=1)  # calls in a row that came to nothing, before the source is left alone
    breaker_rest_s: float = Field(60.0, gt=0)  # for so long, doubled each time up to 16 times


class CircuitBreaker:
    """Leaves a source alone after it failed several times in a row.

    Closed it lets every call through. After `fails` failures it opens: calls are refused at once for `rest_s`, or as
    long as the source asked for. Then one call is let through; its success closes the breaker, its failure opens it
    for twice as long, sixteen times at most. The clock is a monotonic one: a wall clock that is set back or forward
    would hold the breaker open for hours, or never.
    """

    def __init__(self, fails: int, rest_s: float, monotonic: Callable[[], float] = time.monotonic):
        self._fails, self._rest_s, self._monotonic = fails, rest_s, monotonic
        self._failed, self._opened, self._until = 0, 0, 0.0

    @property
    def state(self) -> str:
        "closed, open or half-open."
        if not self._until:
            return "closed"
        return "open" if self._monotonic() < self._until else "half-open"

    def check(self, name: str) -> None:
        "Refuse a call while the breaker is open."
        if self.state == "open":
            rest_s = self._until - self._monotonic()
            raise ProviderDown(f"{name} failed {self._failed} times in a row: asked again in {rest_s:.0f} s", rest_s)

    def worked(self) -> None:
        "A call came through."
        self._failed, self._opened, self._until = 0, 0, 0.0

    def failed(self, asked_s: float | None = None) -> None:
        "A call came to nothing; the source may have asked to be left alone for `asked_s`."
        trial = self.state == "half-open"
        self._failed += 1
        if trial or self._failed >= self._fails or asked_s is not None:
            rest_s = max(self._rest_s * 2 ** min(self._opened, 4), asked_s or 0.0)
            self._opened += 1
            self._until = self._monotonic() + rest_s


class TokenBucket:
    "At most so many requests a minute, the first ten at once: a bucket of tokens."

    def __init__(
        self,
        per_minute: float,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        burst: float = 10.0,
    ):
        self._per_s, self._burst = per_minute / 60, min(burst, per_minute)
        self._monotonic, self._sleep = monotonic, sleep
        self._tokens, self._at = self._burst, monotonic()

    def take(self) -> None:
        "Wait until a request may go."
        present = self._monotonic()
        self._tokens = min(self._burst, self._tokens + (present - self._at) * self._per_s)
        self._at = present
        if self._tokens < 1:
            wait_s = (1 - self._tokens) / self._per_s
            self._sleep(wait_s)
            self._tokens, self._at = 1.0, present + wait_s
        self._tokens -= 1


class RetryingCaller:
    "Asks one source, one question at a time: pace, breaker, attempts."

    def __init__(self, name: str, patience: RetrySettings, with_: ProviderDeps):
        self.name, self._patience, self._sleep = name, patience, with_.sleep
        monotonic = with_.monotonic or time.monotonic
        self.breaker = CircuitBreaker(patience.breaker_fails, patience.breaker_rest_s, monotonic)
        rate = patience.per_minute
        self._pace = TokenBucket(rate, monotonic, with_.sleep or time.sleep) if rate else None
        self._one = threading.Lock()

    def __call__(self, ask: Callable[[], Answer]) -> Answer:
        "The answer, or `ProviderDown` when all attempts came to nothing; anything else `ask` raises comes through."
        with self._one:
            self.breaker.check(self.name)
            try:
                answer = self._attempts(ask)
            except ProviderDown as error:
                patience = self._patience.wait_max_s
                asked = error.retry_after_s
                self.breaker.failed(asked if asked is not None and asked > patience else None)
                raise
            except Exception:
                self.breaker.worked()  # it answered, though not as hoped
                raise
            self.breaker.worked()
            return answer

    def _attempts(self, ask: Callable[[], Answer]) -> Answer:
        p = self._patience
        again = stamina.retry_context(
            on=self._worth_another, attempts=p.attempts, timeout=None,
            wait_initial=p.wait_s, wait_max=p.wait_max_s, wait_jitter=p.wait_s,
        )  # fmt: skip
        if self._sleep is not None:
            again._t_kw["sleep"] = self._sleep  # stamina has no door for a made-up clock
        for attempt in again:
            with attempt:
                if self._pace:
                    self._pace.take()
                return ask()
        raise AssertionError("stamina ends with an answer or an exception")

    def _worth_another(self, error: Exception) -> bool | float:
        "Whether to ask again, or after how many seconds the source wants to be asked."
        if isinstance(error, BadAnswer):
            return True  # a page cut short on the way comes whole the next time
        if not isinstance(error, ProviderDown):
            return False
        if error.retry_after_s is None:
            return True
        return error.retry_after_s if error.retry_after_s <= self._patience.wait_max_s else False


def retry_after_s(said: str | None, unit_s: float = 1.0) -> float | None:
    "Seconds of a Retry-After header; None where it says none or a date."
    try:
        return max(0.0, float(said) * unit_s) if said is not None else None
    except ValueError:
        return None
