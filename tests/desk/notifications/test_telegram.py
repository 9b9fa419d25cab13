"""Telegram gets whole messages in its own pieces; its answers are told apart, and the token is never shown."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest
import wire
from outbox_fakes import MESSAGE, T0, TOKEN, S, go, put, states

from smcdesk.notifications.channel import ChannelDown, Rejected, Retry
from smcdesk.notifications.outbox import DeliveryPace
from smcdesk.notifications.telegram import LIMIT, Telegram, split
from smclab.candles import BadConfig


def bot(api, **settings) -> Telegram:
    return Telegram(**{"chat_id": 42, "token": TOKEN, "url": api.url, "timeout_s": 5.0} | settings)


def test_telegram_gets_plain_text_with_its_key(light, clock, api):
    put(light, text="a < b & c_d *e*")
    assert go(light, clock, telegram=bot(api)).sent == (("m000", "telegram"),)
    ((path, payload),) = api.requests
    assert path == f"/bot{TOKEN}/sendMessage" and payload["chat_id"] == 42 and "parse_mode" not in payload
    assert payload["text"] == "EURUSD 0\n\na < b & c_d *e*\n\nref m000"


def test_telegram_429_is_waited_for_as_long_as_it_says(light, clock, api):
    put(light), put(light, 1)
    api.answers = [wire.refused(429, "Too Many Requests: retry after 35", retry_after=35)]
    go(light, clock, telegram=bot(api), pace=DeliveryPace(patience_s=20))
    assert len(api.requests) == 1 and set(states(light).values()) == {"queued"}
    put(light, 2)
    go(light, clock, telegram=bot(api), pace=DeliveryPace(patience_s=0))  # another process, before the wait is over
    assert len(api.requests) == 1
    go(light, clock, telegram=bot(api))
    assert clock.now - T0 >= 35 * S and set(states(light).values()) == {"sent"} and len(api.requests) == 4


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (wire.refused(400, "Bad Request: chat not found"), Rejected, "chat not found"),
        (wire.refused(403, "Forbidden: bot was blocked by the user"), Rejected, "blocked"),
        (wire.refused(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-100123), Rejected, "-100123"),
        (wire.refused(401, "Unauthorized"), BadConfig, "SMCDESK_TELEGRAM_TOKEN"),
        (wire.refused(404, "Not Found"), BadConfig, "SMCDESK_TELEGRAM_TOKEN"),
        (wire.refused(429, "Too Many Requests: retry after 5", retry_after=5), ChannelDown, "retry after 5"),
        (wire.refused(429, "Too Many Requests", retry_after="soon"), ChannelDown, "Too Many"),
        (wire.refused(500, "Internal Server Error"), Retry, "Internal"),
        ((502, "<html>Bad Gateway</html>"), Retry, "no answer of the Bot API"),
        ((200, "<html>Sign in to the hotel's network</html>"), Retry, "no answer of the Bot API"),
        ((200, "[true]"), Retry, "no answer of the Bot API"),
        ((200, {"ok": "yes"}), Retry, "HTTP 200"),
    ],
)
def test_telegram_answers_are_told_apart(api, answer, kind, text):
    api.answers = [answer]
    with pytest.raises(kind, match=text):
        bot(api).send(MESSAGE, "text")


def test_telegram_that_is_down_or_silent_is_down(api):
    with pytest.raises(ChannelDown, match="cannot be reached"):
        bot(api, url=f"http://127.0.0.1:{wire.free_port()}").send(MESSAGE, "text")
    over = threading.Event()
    api.answers = [lambda: over.wait(20) and (500, "")]
    with pytest.raises(ChannelDown, match="did not answer within"):
        bot(api, timeout_s=0.2).send(MESSAGE, "text")
    over.set()


def test_telegram_sends_from_a_running_event_loop_as_in_a_notebook(api):
    async def cell():
        bot(api).send(MESSAGE, "text")

    asyncio.run(cell())
    assert api.texts == ["text"]


def test_telegram_token_is_never_told(api, caplog):
    caplog.set_level(logging.DEBUG)
    texts = [repr(bot(api))]
    for answer in ((200, wire.sent({"chat_id": 1, "text": ""})), wire.refused(401, "Unauthorized"), (502, "x")):
        api.answers = [answer]
        try:
            bot(api).send(MESSAGE, "text")
        except Exception as error:
            texts.append(f"{error!r} {error.__cause__!r}")
    with pytest.raises(ChannelDown) as down:
        bot(api, url=f"http://127.0.0.1:{wire.free_port()}").send(MESSAGE, "text")
    texts += [str(down.value), caplog.text]
    assert "/bot…/sendMessage" in caplog.text and not [x for x in texts if TOKEN in x or TOKEN[7:] in x]


def test_telegram_long_message_is_numbered_and_each_part_carries_the_key(light, clock, api):
    put(light, text="\n".join(f"{n:04} é 📈 candidate" for n in range(700)))
    go(light, clock, telegram=bot(api))
    assert len(api.texts) == 4
    for n, text in enumerate(api.texts, 1):
        assert text.startswith(f"({n}/4) ") and text.endswith("\n\nref m000")
        assert len(text.encode("utf-16-le")) // 2 <= LIMIT
    assert all(f"{n:04} é 📈 candidate" in "\n".join(api.texts) for n in range(700))


@pytest.mark.parametrize("text", ["a" * 99, "📈" * 50, "one two three " * 9, "\n\n\n", "a\n" * 40, " " * 30 + "x" * 30])
def test_split_keeps_every_word_within_the_limit(text):
    parts = split(text, 10)
    assert all(0 < len(p.encode("utf-16-le")) // 2 <= 10 and p.strip() for p in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
