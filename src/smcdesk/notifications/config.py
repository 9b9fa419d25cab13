"""The settings of conf's notify file, validated."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smcdesk.project.config import load_config
from smcdesk.store.models import MESSAGE_KINDS
from smclab.candles import BadConfig, nearest


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
    "The channels and their settings."

    telegram: TelegramConf = TelegramConf()
    email: EmailConf = EmailConf()


class NotifyConfig(Strict):
    "conf's notify file."

    send: bool = False
    limit_per_s: float = Field(1.0, gt=0, le=1)
    first_wait_s: float = Field(5.0, gt=0)
    longest_wait_s: float = Field(900.0, gt=0)
    patience_s: float = Field(60.0, ge=0)
    max_age_h: float = Field(48.0, gt=0)
    channels: Channels = Channels()
    routes: dict[str, tuple[str, ...]] = {}


def notify_conf(env: str | None = None) -> NotifyConfig:
    "The validated notify settings of an environment; what is wrong is a `BadConfig` that names the key."
    try:
        found = NotifyConfig.model_validate(load_config(env).notify)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadConfig(
            f"notify.{'.'.join(map(str, first['loc']))}: {first['msg']}; found {first['input']!r}"
        ) from None
    for kind, channels in found.routes.items():
        for name, allowed in ((kind, MESSAGE_KINDS), *((c, tuple(Channels.model_fields)) for c in channels)):
            if name not in allowed:
                raise BadConfig(
                    f"notify.routes: unknown {name!r}{nearest(name, allowed)} (known: {', '.join(allowed)})"
                )
    return found
