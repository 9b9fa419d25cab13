"""Messages to people: put into the store first, sent from there, so that no network failure loses one.

A message is claimed in the store before it is sent and marked after: of several processes one sends it. A crash in
between leaves it claimed for `LEASE_S`; then it is sent again, because nobody knows whether it went. So a crash costs
at worst one duplicate, and each message carries its key, by which a reader recognises it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from sqlalchemy import Connection, and_, func, insert, select, update

from smcdesk.notifications.channel import Channel, ChannelDown, Message, Rejected, Retry
from smcdesk.notifications.config import NotifyConfig, notify_conf
from smcdesk.project.redaction import masked, one_line, plain
from smcdesk.store import Store
from smcdesk.store.models import DELIVERIES, DeliveryRow, MessageRow
from smcdesk.store.rows import frame
from smclab.candles import BadConfig, nearest

MESSAGES, SENDINGS = MessageRow.__table__, DeliveryRow.__table__
LEASE_S = 300.0  # longer than any channel's time-out
UNSURE = "it was being sent, whether it went is not known"  # what a crash leaves
_S = 1_000_000_000
_NEVER = 2**63 - 1


def enqueue(
    store: Store,
    *,
    kind: str,  # "signal" | "failure" | "digest" | "quality": conf routes by it
    key: str,  # names the message for ever, e.g. f"signal/{setup_id}/{version}"
    subject: str,  # one line
    text: str,  # plain text
    when_ns: int,  # of the event it reports, ns since 1970 UTC
    channel: str = "",  # the one it must take; "" leaves it to conf
    expires_ns: int | None = None,  # the first moment at which it is not worth sending
) -> bool:  # whether it is new
    "Put a message into the outbox, once per key; the same key with other content is a `Contradiction`."
    for name, value in (("key", key), ("subject", subject), ("text", text)):
        if not str(value).strip():
            raise BadConfig(f"a message needs a {name}; found {value!r} (kind {kind!r}, key {key!r})")
    for name, value, most in (("key", key, 200), ("subject", subject, 300)):
        if len(value.splitlines()) > 1 or len(value) > most:
            raise BadConfig(f"a message's {name} is one line of at most {most} characters; found {value!r}")
    subject, text = plain(masked(subject)), plain(masked(text))
    row = {"key": key, "kind": kind, "time": when_ns, "expires_at": expires_ns, "channel": channel}
    return bool(store.record_messages([{**row, "subject": subject, "text": text}]))


@dataclass(frozen=True)
class DeliveryPace:
    "How fast messages are sent, how long failed ones wait, and when they are given up."

    limit_per_s: float = 1.0
    first_wait_s: float = 5.0
    longest_wait_s: float = 900.0
    patience_s: float = 60.0  # how long one call waits for what is not due yet
    max_age_s: float = 172_800.0

    def wait_ns(self, failures: int, requested_s: float | None, chance: Callable[[], float]) -> int:
        "The wait after so many failures: doubled each time up to the cap, up to half of it off by chance."
        grown = min(self.first_wait_s * 2.0 ** min(failures - 1, 60), self.longest_wait_s)
        return int(max(grown * (1.0 - chance() / 2), requested_s or 0.0) * _S)


@dataclass(frozen=True)
class Delivered:
    "The result of one `deliver`; each entry is (key, channel) and, where there is one, the reason."

    would: tuple[tuple[str, str, str], ...] = ()  # a dry run: what would go now, with its subject
    sent: tuple[tuple[str, str], ...] = ()
    failed: tuple[tuple[str, str, str], ...] = ()
    delayed: tuple[tuple[str, str, str], ...] = ()  # attempts that will be repeated
    expired: int = 0
    queued: int = 0  # left for the next call
    broken: tuple[tuple[str, str, str], ...] = ()  # nothing went because the channel's settings are wrong


def deliver(
    store: Store,
    channels: Mapping[str, Channel],  # by name; see `smcdesk.notifications.outbox.enabled_channels`
    *,
    clock: Callable[[], int] = time.time_ns,
    sleep: Callable[[float], Any] = time.sleep,
    send: bool = False,  # False: nothing is sent and nothing is written
    limit_per_s: float = 1.0,  # over all channels and processes of this store
    pace: DeliveryPace | None = None,  # None: the defaults with limit_per_s
    routes: Mapping[str, Iterable[str]] | None = None,  # kind -> channels; others take all
    chance: Callable[[], float] = random.random,  # jitter, 0 to 1
) -> Delivered:
    "Send what is due, oldest first; what cannot go now stays, what will never go is marked with the reason."
    pace = pace or DeliveryPace(limit_per_s)
    if not 0 < pace.limit_per_s <= 1:
        raise BadConfig(f"limit_per_s must be above 0 and at most 1 (one message a second); found {pace.limit_per_s!r}")
    post = _Delivery(store, dict(channels), pace, {k: tuple(v) for k, v in (routes or {}).items()}, clock)
    if not send:
        return Delivered(would=post.dry_run(), queued=post.waiting())
    until, expired = clock() + int(pace.patience_s * _S), post.expire()
    results: dict[str, list] = {"sent": [], "failed": [], "delayed": [], "broken": [], "begun": []}
    while True:
        claimed, wait_ns = post.claim()
        if claimed is not None:
            status, *why = post.attempt(*claimed, chance)
            results[status].append((claimed[0].key, claimed[1]["channel"], *why))
        elif clock() + wait_ns > until:
            break
        else:
            sleep(wait_ns / _S)
            expired += post.expire()
    done = {name: tuple(results[name]) for name in ("sent", "failed", "delayed", "broken")}
    return Delivered(expired=expired, queued=post.waiting(), **done)


def deliver_by_conf(
    env: str | None = None,
    *,
    send: bool | None = None,  # None: as conf says
    store: Store | None = None,  # None: the environment's own
) -> Delivered:
    "`deliver` with the environment's settings; the timetable calls it after a report."
    conf = notify_conf(env)
    names = ("limit_per_s", "first_wait_s", "longest_wait_s", "patience_s")
    pace = DeliveryPace(**{name: getattr(conf, name) for name in names}, max_age_s=conf.max_age_h * 3600)
    channels = enabled_channels(conf)
    with store or Store(env=env) as own:
        return deliver(own, channels, send=conf.send if send is None else send, pace=pace, routes=conf.routes)


@dataclass
class _Delivery:
    "The outbox's rows, for one call of `deliver`."

    store: Store
    channels: dict[str, Channel]
    pace: DeliveryPace
    routes: dict[str, tuple[str, ...]]
    clock: Callable[[], int]

    def dry_run(self) -> tuple[tuple[str, str, str], ...]:
        "What would be sent now: key, channel and subject."
        with self.store.connection() as connection:
            new = [(m, name) for m in _unrouted(connection) if not self._outdated(m) for name in self._channels_of(m)]
            rows = [(m, m.sending_channel) for m in _queued(connection) if not self._outdated(m)]
        ordered = sorted([*rows, *new], key=lambda pair: (pair[0].time, pair[0].key, pair[1]))
        return tuple((m.key, name, m.subject) for m, name in ordered if name in self.channels)

    def waiting(self) -> int:
        "How many messages are still to be sent, on whichever channels."
        with self.store.connection() as connection:
            return len({m.key for m in (*_unrouted(connection), *_queued(connection))})

    def expire(self) -> int:
        "Mark messages that have expired or are too old to send."
        with self.store.connection(write=True) as connection:
            new = [m for m in _unrouted(connection) if self._outdated(m)]
            old = [m for m in _queued(connection) if self._outdated(m)]
            for m in new:
                connection.execute(insert(SENDINGS).values(self._new_row(m, "", "expired", "expired unsent")))
            for m in old:
                why = f"expired; {m.error}" if m.error else "expired unsent"
                connection.execute(update(SENDINGS).where(_is(m.key, m.sending_channel)).values(
                    status="expired", error=why))  # fmt: skip
        return len(new) + len(old)

    def claim(self) -> tuple[tuple[Message, dict[str, Any]] | None, int]:
        "The next message, claimed for `LEASE_S`; or None, and the ns until there may be one."
        with self.store.connection(write=True) as connection:
            now, gap = self.clock(), int(_S / self.pace.limit_per_s)
            for m in _unrouted(connection):
                for name in self._channels_of(m):
                    connection.execute(insert(SENDINGS).values(self._new_row(m, name, "queued", "")))
            last = connection.scalar(select(func.max(SENDINGS.c.attempted_at)).where(SENDINGS.c.attempted_at <= now))
            if last is not None and now - last < gap:
                return None, last + gap - now
            rows = [m for m in _queued(connection) if m.sending_channel in self.channels]
            due = {(m.key, m.sending_channel): at for m, at in _due(rows, now)}
            ready = [m for m in rows if due[m.key, m.sending_channel] <= now]
            if not ready:
                return None, min(due.values(), default=_NEVER) - now
            m = min(ready, key=lambda m: (-m.parts_sent, m.next_attempt_at, m.time, m.key, m.sending_channel))
            row = {"key": m.key, "channel": m.sending_channel, "attempts": m.attempts + 1, "parts_sent": m.parts_sent}
            row["held"] = sum(
                r.holds_channel and r.sending_channel == m.sending_channel and r.key != m.key for r in rows
            )
            taken = {"attempts": m.attempts + 1, "attempted_at": now, "next_attempt_at": now + int(LEASE_S * _S)}
            which = _is(m.key, m.sending_channel)
            connection.execute(update(SENDINGS).where(which).values(**taken, holds_channel=False, error=UNSURE))
            return (Message(m.key, m.kind, m.time, m.subject, m.text), row), 0

    def attempt(
        self, message: Message, row: Mapping[str, Any], chance: Callable[[], float]
    ) -> tuple[str, ...]:  # sent, begun, failed, delayed or broken, and why
        "Send one part, and record the result."
        channel, now = self.channels[row["channel"]], self.clock
        try:
            parts = channel.parts(message)
            channel.send(message, parts[row["parts_sent"]])
        except (ChannelDown, Retry) as error:
            requested_s, down = getattr(error, "wait_s", None), isinstance(error, ChannelDown)
            wait = self.pace.wait_ns(row["attempts"] - row["parts_sent"] + row["held"] * down, requested_s, chance)
            self.mark(row, next_attempt_at=now() + wait, error=_line(error), holds_channel=down)
            return "delayed", _line(error)
        except Rejected as error:
            self.mark(row, status="failed", error=_line(error))
            return "failed", _line(error)
        except BadConfig as error:
            self.mark(row, next_attempt_at=now(), error=_line(error), attempts=row["attempts"] - 1)
            del self.channels[row["channel"]]  # the others still go
            return "broken", _line(error)
        last = row["parts_sent"] + 1 >= len(parts)
        ended = {"status": "sent", "sent_at": now()} if last else {}
        with self.store.transaction() as one:
            post = replace(self, store=one)
            post.mark(row, parts_sent=row["parts_sent"] + 1, error="", next_attempt_at=now(), **ended)
            post.reopen(row["channel"])
        return ("sent",) if last else ("begun",)

    def mark(self, row: Mapping[str, Any], **values: Any) -> None:
        "Record the result of an attempt."
        with self.store.connection(write=True) as connection:
            connection.execute(update(SENDINGS).where(_is(row["key"], row["channel"])).values(**values))

    def reopen(self, channel: str) -> None:
        "Let a channel's other messages go: it has just accepted one."
        with self.store.connection(write=True) as connection:
            connection.execute(update(SENDINGS).where(SENDINGS.c.channel == channel).values(holds_channel=False))

    def _channels_of(self, message) -> tuple[str, ...]:
        "The channels of a message, of those that are enabled."
        wanted = (message.channel,) if message.channel else self.routes.get(message.kind, tuple(self.channels))
        return tuple(name for name in wanted if name in self.channels)

    def _outdated(self, message) -> bool:
        "Whether it has expired or is too old to send."
        now = self.clock()
        over = message.expires_at is not None and message.expires_at <= now
        return over or message.recorded_at + int(self.pace.max_age_s * _S) <= now

    def _new_row(self, message, channel: str, status: str, error: str) -> dict[str, Any]:
        "The delivery row of a message on a channel, before the first attempt."
        at = {"attempted_at": None, "next_attempt_at": message.recorded_at, "sent_at": None}
        begun = {"attempts": 0, "parts_sent": 0, "holds_channel": False}
        return {"key": message.key, "channel": channel, "status": status, "error": error, **at, **begun}


def _due(rows: list, now: int) -> list[tuple[Any, int]]:
    "When each delivery may be attempted: not before its own time, nor before its channel's."
    new_or_ahead = [m.attempted_at is None or m.attempted_at > now for m in rows]  # ahead: the clock was set back
    times = [(m, now if at_once else m.next_attempt_at) for m, at_once in zip(rows, new_or_ahead, strict=True)]
    held: dict[str, int] = {}
    for m, at in times:
        if m.holds_channel:
            held[m.sending_channel] = max(at, held.get(m.sending_channel, 0))
    return [(m, max(at, held.get(m.sending_channel, 0))) for m, at in times]


def _unrouted(connection: Connection) -> list:
    "Messages without a delivery row yet."
    none = select(SENDINGS.c.key).where(SENDINGS.c.key == MESSAGES.c.key).exists()
    return list(connection.execute(select(MESSAGES).where(~none).order_by(MESSAGES.c.time, MESSAGES.c.key)))


def _queued(connection: Connection) -> list:
    "Deliveries still to be sent, with their messages."
    own = [c for c in SENDINGS.c if c.name not in ("key", "channel")]
    query = select(*MESSAGES.c, SENDINGS.c.channel.label("sending_channel"), *own).join_from(MESSAGES, SENDINGS)
    return list(connection.execute(query.where(SENDINGS.c.status == "queued")))


def _is(key: str, channel: str):
    "One row of `deliveries`."
    return and_(SENDINGS.c.key == key, SENDINGS.c.channel == channel)


def _line(error: BaseException) -> str:
    "An error as one line."
    return one_line(error)[:500]


def listing(
    store: Store,
    *,
    status: str = "",  # queued, sent, failed, expired; "" for all
    kind: str = "",
    limit: int | None = None,  # the newest; None for all
) -> pd.DataFrame:  # newest first: key, kind, time, subject, channel, status, attempts, next_attempt_at, sent_at, error
    "The outbox, one row per message and channel; a message without a channel yet is queued on none."
    for word, choices in ((status, DELIVERIES), (kind, MessageRow.__table__.c.kind.info["choices"])):
        if word and word not in choices:
            raise BadConfig(f"the outbox has no {word!r}{nearest(word, choices)} (known: {', '.join(choices)})")
    mine = [MESSAGES.c[name] for name in ("key", "kind", "time", "expires_at", "subject")]
    its = [SENDINGS.c[name] for name in ("channel", "status", "attempts", "next_attempt_at", "sent_at", "error")]
    query = select(*mine, *its, MESSAGES.c.channel).join_from(MESSAGES, SENDINGS, isouter=True)
    query = query.where(func.coalesce(SENDINGS.c.status, "queued") == status) if status else query
    query = query.where(MESSAGES.c.kind == kind) if kind else query
    query = query.order_by(MESSAGES.c.time.desc(), MESSAGES.c.key, SENDINGS.c.channel).limit(limit)
    with store.connection() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    fresh = ("queued", 0, None, None, "")
    return frame([*mine, *its], [row[:-1] if row[6] is not None else (*row[:5], row[-1], *fresh) for row in rows])


def retry(
    store: Store,
    key: str | None = None,  # None: every message that failed
    *,
    clock: Callable[[], int] = time.time_ns,
) -> int:  # deliveries that are queued again
    "Queue failed deliveries again, from the part that was not sent."
    with store.connection(write=True) as connection:
        chosen = SENDINGS.c.status == "failed"
        if key is not None:
            states = dict(
                connection.execute(select(SENDINGS.c.status, SENDINGS.c.key).where(SENDINGS.c.key == key)).all()
            )
            if not states and not connection.scalar(select(MESSAGES.c.key).where(MESSAGES.c.key == key)):
                keys = connection.scalars(select(MESSAGES.c.key)).all()
                raise BadConfig(f"the outbox has no message {key!r}{nearest(key, keys)}")
            if "failed" not in states:
                raise BadConfig(f"message {key} is {' and '.join(states) or 'queued'}: only what failed is tried again")
            chosen = and_(chosen, SENDINGS.c.key == key)
        again = {"status": "queued", "next_attempt_at": clock(), "attempts": SENDINGS.c.parts_sent}
        return connection.execute(update(SENDINGS).where(chosen).values(**again)).rowcount


def enabled_channels(conf: NotifyConfig) -> dict[str, Channel]:
    "The channels conf enables, ready to send; one that lacks something is a `BadConfig`."
    found: dict[str, Channel] = {}
    if conf.channels.telegram.enabled:
        from smcdesk.notifications.telegram import Telegram

        found["telegram"] = Telegram.from_conf(conf.channels.telegram)
    if conf.channels.email.enabled:
        from smcdesk.notifications.email import Email

        found["email"] = Email.from_conf(conf.channels.email)
    return found
