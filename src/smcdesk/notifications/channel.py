"""What a channel is, and what can go wrong on it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol


class ChannelDown(ConnectionError):
    "Nothing can go this way now: every message on it waits."

    def __init__(self, said: str, wait_s: float | None = None):
        super().__init__(said)
        self.wait_s = wait_s  # how long the other side asked us to wait


class Retry(ConnectionError):
    "The other side could not take this message now: it waits, others may pass."


class Rejected(ValueError):
    "The other side will never take this message."


@dataclass(frozen=True)
class Message:
    "What is to be told."

    key: str
    kind: str
    time: int  # when what it tells happened, ns since 1970 UTC
    subject: str
    text: str

    @property
    def body(self) -> str:
        "The text, and the key: who gets a message twice sees that it is one."
        return f"{self.text}\n\nref {self.key}"


class Channel(Protocol):
    "One way to people. `send` returns when the other side has taken the part, else raises one of the errors above."

    def parts(self, message: Message) -> list[str]: ...  # what goes at once each, in order

    def send(self, message: Message, part: str) -> None: ...


def run_with_timeout(
    work: Coroutine[Any, Any, Any],
    timeout_s: float,  # for all of it: time-outs of single reads let a dripping server go on for ever
) -> Any:
    "The result of asynchronous work, also where an event loop is running already, as in a notebook."

    async def limited() -> Any:
        async with asyncio.timeout(timeout_s):
            return await work

    with ThreadPoolExecutor(1) as one:
        return one.submit(asyncio.run, limited()).result()
