"""Requests to a source on the network: at its pace, with a time-out, tried again after a failure, and stopped for a
while when it is down. Only reads go through here: nothing that changes an account may ever be tried twice."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import tenacity
from pydantic import Field

from smcdesk.providers.protocol import BadAnswer, ProviderDeps, ProviderDown, ProviderSettings

Answer = TypeVar("Answer")

log = logging.getLogger(__name__)


class RetrySettings(ProviderSettings):
    "Settings of every source on the network: its names of symbols, its pace, and when to give up."

    symbols: dict[str, str] = Field(default_factory=dict)  # the desk's names -> the source's: BTCUSDT: BTC/USDT
    settle_s: float = Field(2.0, ge=0)  # after its close, before a bar counts as final
    timeout_s: float = Field(10.0, gt=0)  # of one request
    attempts: int = Field(4, ge=1)
    wait_s: float = Field(0.5, gt=0)  # before the second attempt, then doubled, plus up to as much again by chance
    wait_max_s: float = Field(30.0, gt=0)  # between two attempts; a source that wants more is left alone so long
    per_minute: float | None = Field(None, gt=0)  # requests; None: as the client library has it
    breaker_fails: int = Field(3, ge=1)  # calls in a row that came to nothing, before the source is left alone
    breaker_rest_s: float = Field(60.0, gt=0)  # for so long, doubled each time up to 16 times


class CircuitBreaker:
    """Stops requests to a source after several failures in a row.

    Closed it lets every call through. After `fails` failures it opens: calls are refused at once for `rest_s`, or as
    long as the source wants. Then one call is let through; its success closes the breaker, its failure opens it
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
        "Note that a call succeeded: the breaker closes."
        self._failed, self._opened, self._until = 0, 0, 0.0

    def failed(self, wait_s: float | None = None) -> None:
        "Note that a call failed; the source may have named a wait of its own."
        trial = self.state == "half-open"
        self._failed += 1
        if trial or self._failed >= self._fails or wait_s is not None:
            rest_s = max(self._rest_s * 2 ** min(self._opened, 4), wait_s or 0.0)
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
    "Sends requests to one source, one at a time: at its pace, with attempts, behind its breaker."

    def __init__(self, name: str, settings: RetrySettings, deps: ProviderDeps):
        self.name, self._settings, self._sleep = name, settings, deps.sleep or time.sleep
        monotonic = deps.monotonic or time.monotonic
        self.breaker = CircuitBreaker(settings.breaker_fails, settings.breaker_rest_s, monotonic)
        rate = settings.per_minute
        self._bucket = TokenBucket(rate, monotonic, self._sleep) if rate else None
        self._one = threading.Lock()

    def __call__(self, request: Callable[[], Answer]) -> Answer:
        "The answer, or `ProviderDown` after the last attempt; anything else `request` raises comes through."
        with self._one:
            self.breaker.check(self.name)
            try:
                answer = self._attempts(request)
            except ProviderDown as error:
                wait_s = error.retry_after_s
                self.breaker.failed(wait_s if wait_s is not None and wait_s > self._settings.wait_max_s else None)
                raise
            except Exception:
                self.breaker.worked()  # it answered, though not as hoped
                raise
            self.breaker.worked()
            return answer

    def _attempts(self, request: Callable[[], Answer]) -> Answer:
        "The first answer of as many attempts as the settings allow; the last attempt's error."

        def attempt() -> Answer:
            if self._bucket:
                self._bucket.take()
            return request()

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._worth_another), wait=self._wait_s, sleep=self._sleep,
            stop=tenacity.stop_after_attempt(self._settings.attempts), reraise=True,
            before_sleep=tenacity.before_sleep_log(log, logging.DEBUG),  # a retry is no news for a terminal
        )  # fmt: skip
        return retrying(attempt)

    def _worth_another(self, error: BaseException) -> bool:
        "Whether to try again: a page cut short comes whole the next time, a source may be back after a while."
        if isinstance(error, ProviderDown):
            return error.retry_after_s is None or error.retry_after_s <= self._settings.wait_max_s
        return isinstance(error, BadAnswer)

    def _wait_s(self, state: tenacity.RetryCallState) -> float:
        "Seconds before the next attempt: what the source wants, else doubled each time, plus up to as much by chance."
        wanted_s = getattr(state.outcome.exception(), "retry_after_s", None)
        if wanted_s is not None:
            return wanted_s
        s = self._settings
        return min(s.wait_max_s, s.wait_s * 2 ** (state.attempt_number - 1) + random.uniform(0, s.wait_s))


def retry_after_s(header: str | None, unit_s: float = 1.0) -> float | None:
    "Seconds of a Retry-After header; None where there is none, or a date."
    try:
        return max(0.0, float(header) * unit_s) if header is not None else None
    except ValueError:
        return None
