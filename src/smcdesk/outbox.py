"""Messages to people: put into the store first, sent from there, so that no network failure loses one."""

from __future__ import annotations

from smcdesk.store import Store
from smclab.candles import BadConfig


def enqueue(
    store: Store,
    *,
    kind: str,  # "signal" | "failure" | "digest" | "quality": conf routes by it
    key: str,  # names the message for ever, e.g. f"signal/{setup_id}/{version}"
    subject: str,  # one line
    text: str,  # plain text
    when_ns: int,  # when what it tells happened, ns since 1970 UTC
    channel: str = "",  # the one it must take; "" leaves it to conf
    expires_ns: int | None = None,  # the first moment at which it is not worth sending
) -> bool:  # whether it is new
    "Put a message into the outbox, once per key; the same key with other content is a `Contradiction`."
    for name, said in (("key", key), ("subject", subject), ("text", text)):
        if not str(said).strip():
            raise BadConfig(f"a message needs a {name}; found {said!r} (kind {kind!r}, key {key!r})")
    for name, said in (("key", key), ("subject", subject)):
        if len(said.splitlines()) > 1:
            raise BadConfig(f"a message's {name} is one line; found {said!r}")
    row = {"key": key, "kind": kind, "time": when_ns, "expires_at": expires_ns, "channel": channel}
    return bool(store.record_messages([{**row, "subject": subject, "text": text}]))
