"""The ways a message can take to people: what a channel is, what can go wrong on it, and which ones conf enables."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smcdesk.store.models import MESSAGE_KINDS
from smclab.candles import BadConfig, nearest


class ChannelDown(ConnectionError):
    "Nothing can go this way now: every message on it waits."

    def __init__(self, said: str, wait_s: float | None = None):
        super().__init__(said)
        self.wait_s = wait_s  # how long the other side asked us to wait


class NotNow(ConnectionError):
    "The other side could not take this message now: it waits, others may pass."


class Refused(ValueError):
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


class Strict(BaseModel):
    "A block of conf: unknown names are refused."

    model_config = ConfigDict(extra="forbid", frozen=True)


class TelegramConf(Strict):
    "A bot and the chat it writes to."

    enabled: bool = False
    chat_id: str | int = ""
    url: str = "https://api.telegram.org"
    timeout_s: float = Field(20.0, gt=0, le=120)


class EmailConf(Strict):
    "A mail server and who gets mail from it."

    enabled: bool = False
    host: str = ""
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str = ""
    to: tuple[str, ...] = ()
    timeout_s: float = Field(30.0, gt=0, le=120)


class Channels(Strict):
    "Every channel there is."

    telegram: TelegramConf = TelegramConf()
    email: EmailConf = EmailConf()


class Notify(Strict):
    "conf's notify file."

    send: bool = False
    limit_per_s: float = Field(1.0, gt=0, le=1)
    first_wait_s: float = Field(5.0, gt=0)
    longest_wait_s: float = Field(900.0, gt=0)
    patience_s: float = Field(60.0, ge=0)
    max_age_h: float = Field(48.0, gt=0)
    channels: Channels = Channels()
    routes: dict[str, tuple[str, ...]] = {}


def notify_conf(env: str | None = None) -> Notify:
    "The checked notify file of an environment."
    from smcdesk import project

    try:
        found = Notify.model_validate(project.config(env)["notify"])
    except ValidationError as error:
        first = error.errors()[0]
        raise BadConfig(
            f"notify.{'.'.join(map(str, first['loc']))}: {first['msg']}; found {first['input']!r}"
        ) from None
    for kind, ways in found.routes.items():
        for word, known in ((kind, MESSAGE_KINDS), *((way, tuple(Channels.model_fields)) for way in ways)):
            if word not in known:
                raise BadConfig(f"notify.routes: unknown {word!r}{nearest(word, known)} (known: {', '.join(known)})")
    return found


def enabled(conf: Notify) -> dict[str, Channel]:
    "The channels conf enables, ready to send; one that lacks something is a `BadConfig`."
    found: dict[str, Channel] = {}
    if conf.channels.telegram.enabled:
        from smcdesk.channels.telegram import Telegram

        found["telegram"] = Telegram.from_conf(conf.channels.telegram)
    if conf.channels.email.enabled:
        from smcdesk.channels.email import Email

        found["email"] = Email.from_conf(conf.channels.email)
    return found


def bounded(
    work: Coroutine[Any, Any, Any],
    timeout_s: float,  # for all of it: time-outs of single reads let a dripping server go on for ever
) -> Any:
    "The result of asynchronous work, also where an event loop is running already, as in a notebook."

    async def limited() -> Any:
        async with asyncio.timeout(timeout_s):
            return await work

    with ThreadPoolExecutor(1) as one:
        return one.submit(asyncio.run, limited()).result()
