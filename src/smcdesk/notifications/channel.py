"""The channel protocol, the message, and the three errors a channel may raise."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol


class ChannelDown(ConnectionError):
    "The channel cannot be reached now: every message on it waits."

    def __init__(self, reason: str, wait_s: float | None = None):
        super().__init__(reason)
        self.wait_s = wait_s  # the wait the server requested; None: none


class Retry(ConnectionError):
    "The server could not accept this message now: it waits, others may pass."


class Rejected(ValueError):
    "The server will never accept this message."


@dataclass(frozen=True)
class Message:
    "A message as the outbox hands it to a channel."

    key: str
    kind: str
    time: int  # of the event it reports, ns since 1970 UTC
    subject: str
    text: str

    @property
    def body(self) -> str:
        "The text and the key, by which a reader recognises a duplicate."
        return f"{self.text}\n\nref {self.key}"


class Channel(Protocol):
    "A way to reach people. `send` returns when the server has accepted the part, else raises one of the errors above."

    def parts(self, message: Message) -> list[str]: ...  # the texts to send one by one, in order

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
