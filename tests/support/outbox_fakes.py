"""A clock, a channel and messages for tests of the outbox and its channels."""

from __future__ import annotations

import threading

from smcdesk.notifications.channel import Message
from smcdesk.notifications.outbox import deliver, enqueue, listing
from smcdesk.notifications.telegram import split

T0 = 1_700_000_000_000_000_000
S = 1_000_000_000
TOKEN = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11"  # the documentation's own example
MESSAGE = Message("k", "signal", T0, "subject", "text")


class Clock:
    "A clock that only moves when somebody sleeps."

    def __init__(self):
        self.now, self.lock = T0, threading.Lock()

    def __call__(self) -> int:
        return self.now

    def sleep(self, s: float) -> None:
        assert s > 0
        with self.lock:
            self.now += int(s * S) + 1


class FakeChannel:
    "A channel that records what it sends; `faults` are raised first, in order."

    def __init__(self, clock, *faults, limit=10**6):
        self.clock, self.faults, self.limit, self.got = clock, list(faults), limit, []

    def parts(self, message):
        return split(message.body, self.limit)

    def send(self, message, part):
        fault = self.faults.pop(0) if self.faults else None
        if fault is None or isinstance(fault, KeyboardInterrupt):
            self.got.append((message.key, part, self.clock()))
        if fault is not None:
            raise fault

    @property
    def keys(self):
        return [key for key, _, _ in self.got]


def put(store, n: int = 0, **fields) -> bool:
    "One message."
    row = {"kind": "signal", "key": f"m{n:03}", "subject": f"EURUSD {n}", "text": f"long {n}", "when_ns": T0 + n}
    return enqueue(store, **row | fields)


def go(store, clock, send=True, **channels):
    "Deliver without chance."
    options = {"chance": lambda: 0.0, "routes": channels.pop("routes", None), "pace": channels.pop("pace", None)}
    return deliver(store, channels, clock=clock, sleep=clock.sleep, send=send, **options)


def states(store) -> dict[str, str]:
    return {row.key: row.status for row in listing(store).itertuples()}
