"""Telegram: the Bot API's sendMessage, nothing else of it (https://core.telegram.org/bots/api#sendmessage)."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass, field
from typing import Any

import httpx2

from smcdesk.notifications.channel import ChannelDown, Message, Rejected, Retry, run_with_timeout
from smcdesk.notifications.config import TelegramConf
from smclab.candles import BadConfig

TOKEN, CHAT = "SMCDESK_TELEGRAM_TOKEN", "SMCDESK_TELEGRAM_CHAT"
LIMIT = 4096  # characters of one message; counted in UTF-16 units, the stricter reading
_MARK = len("(99/99) ")
_DAY_S = 86_400.0
_LOCAL = re.compile(r"http://(127\.0\.0\.1|localhost)(:\d+)?/?")


class _NoToken(logging.Filter):
    "The HTTP library logs every URL, and Telegram's carry the token."

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = re.sub(r"/bot[^/\s\"]+", "/bot…", record.getMessage()), ()
        return True


logging.getLogger("httpx2").addFilter(_NoToken())


@dataclass(frozen=True)
class Telegram:
    "A bot that writes to one chat."

    chat_id: str | int
    token: str = field(repr=False)
    url: str = "https://api.telegram.org"
    timeout_s: float = 20.0

    @classmethod
    def from_conf(cls, conf: TelegramConf) -> Telegram:
        "The bot of conf, with its token from an environment variable."
        token, chat = os.environ.get(TOKEN, ""), conf.chat_id or os.environ.get(CHAT, "")
        for name, value in ((TOKEN, token), (f"notify.channels.telegram.chat_id or the variable {CHAT}", chat)):
            if not value:
                raise BadConfig(f"Telegram is enabled, but {name} is not set")
        if not re.fullmatch(r"\d+:[\w-]+", token):
            raise BadConfig(f"{TOKEN} is no bot token: expected digits, a colon, and letters, as @BotFather gave it")
        if not (conf.url.startswith("https://") or _LOCAL.fullmatch(conf.url)):
            raise BadConfig(f"notify.channels.telegram.url must be https, the token travels in it; found {conf.url!r}")
        return cls(chat, token, conf.url.rstrip("/"), conf.timeout_s)

    def parts(self, message: Message) -> list[str]:
        "The message in texts within Telegram's limit, cut at line ends where there are any."
        whole = f"{message.subject}\n\n{message.body}"
        if _units(whole) <= LIMIT:
            return [whole]
        cut = split(f"{message.subject}\n\n{message.text}", LIMIT - _MARK - _units(f"\n\nref {message.key}"))
        return [f"({n}/{len(cut)}) {one}\n\nref {message.key}" for n, one in enumerate(cut, 1)]

    def send(self, message: Message, part: str) -> None:
        "Call sendMessage once."
        payload = {"chat_id": self.chat_id, "text": part, "link_preview_options": {"is_disabled": True}}
        try:
            answer = run_with_timeout(self._post(payload), self.timeout_s)
        except TimeoutError:
            raise ChannelDown(f"Telegram did not answer within {self.timeout_s:g} s") from None
        except httpx2.HTTPError as error:
            raise ChannelDown(f"Telegram cannot be reached: {type(error).__name__} {self._hidden(error)}") from None
        _check(answer.status_code, _object(answer))

    async def _post(self, payload: dict[str, Any]) -> httpx2.Response:
        async with httpx2.AsyncClient(timeout=self.timeout_s) as client:
            return await client.post(f"{self.url}/bot{self.token}/sendMessage", json=payload)

    def _hidden(self, error: Exception) -> str:
        return str(error).replace(self.token, "…")


def _object(answer: httpx2.Response) -> dict[str, Any]:
    "The answer's JSON object; empty when it is something else, such as a hotel's sign-in page."
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _check(status: int, reply: dict[str, Any]) -> None:
    "Nothing when the message was accepted, else the error it stands for."
    if reply.get("ok") is True and status == 200:
        return
    code, why = reply.get("error_code", status), str(reply.get("description") or f"HTTP {status}")
    more = reply.get("parameters") or {}
    if code == 429:
        raise ChannelDown(f"Telegram: {why}", _seconds(more.get("retry_after")))
    if reply.get("ok") is not False or not isinstance(code, int) or code >= 500:
        raise Retry(f"Telegram: {why}" + ("" if "ok" in reply else ", and no answer of the Bot API"))
    if code in (401, 404):
        raise BadConfig(f"Telegram does not accept the bot's token ({code} {why}): set {TOKEN} anew")
    new_chat = f": the chat is now {more['migrate_to_chat_id']}, say so in conf" if "migrate_to_chat_id" in more else ""
    raise Rejected(f"Telegram: {code} {why}{new_chat}")


def _seconds(x: Any) -> float | None:
    "The wait Telegram requested, at most a day."
    return min(float(x), _DAY_S) if isinstance(x, int | float) and not isinstance(x, bool) and x > 0 else None


def _units(text: str) -> int:
    "UTF-16 units."
    return len(text.encode("utf-16-le")) // 2


def split(
    text: str,
    limit: int,  # UTF-16 units, >= 2
) -> list[str]:  # no part is longer than limit, none is blank
    "A text in parts, cut at the last line end, else the last blank, else where it must be."
    parts = []
    while _units(text) > limit:
        room = limit
        while _units(text[:room]) > limit:  # characters beyond the first plane count twice
            room -= _units(text[:room]) - limit + 1 >> 1
        at = max(text.rfind("\n", 1, room + 1), 0) or max(text.rfind(" ", 1, room + 1), 0) or room
        parts.append(text[:at].rstrip())
        text = text[at:].lstrip("\n ")
    return [p for p in (*parts, text) if p.strip()]
