"""The outbox loses nothing, sends slowly and says what became of every message."""

from __future__ import annotations

import asyncio
import email
import email.policy
import itertools
import logging
import socket
import threading

import postgres
import pytest
import wire
from smclab.ticket import Ticket
from sqlalchemy import select
from typer.testing import CliRunner

from smcdesk.notifications import messages, outbox
from smcdesk.notifications.channel import ChannelDown, Message, Rejected, Retry
from smcdesk.notifications.config import notify_conf
from smcdesk.notifications.email import Email
from smcdesk.notifications.outbox import DeliveryPace, deliver, enabled_channels, enqueue, listing, retry
from smcdesk.notifications.telegram import LIMIT, Telegram, split
from smcdesk.store import Contradiction, Store
from smclab.candles import BadConfig
from smclab.decision import Decision

T0 = 1_700_000_000_000_000_000
S = 1_000_000_000
TOKEN = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11"  # the documentation's own example
numbers = itertools.count()


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


class Way:
    "A channel that keeps what it was given; `faults` are raised first, in order."

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


@pytest.fixture(scope="module")
def server():
    if why := postgres.missing():
        pytest.skip(why)
    with postgres.server() as url:
        yield url


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path, clock):
    url = f"sqlite:///{tmp_path / 'store.db'}"
    if request.param == "postgresql":
        url = postgres.new_schema(request.getfixturevalue("server"))
    with Store(url, clock=clock) as s:
        s.upgrade()
        yield s


@pytest.fixture
def light(tmp_path, clock):
    "A store on SQLite alone, where the database is not what is tested."
    with Store(f"sqlite:///{tmp_path / 'store.db'}", clock=clock) as s:
        s.upgrade()
        yield s


@pytest.fixture
def api():
    with wire.bot_api() as found:
        yield found


def put(store, n: int = 0, **said) -> bool:
    "One message."
    row = {"kind": "signal", "key": f"m{n:03}", "subject": f"EURUSD {n}", "text": f"long {n}", "when_ns": T0 + n}
    return enqueue(store, **row | said)


def go(store, clock, send=True, **ways):
    "Deliver without chance."
    how = {"chance": lambda: 0.0, "routes": ways.pop("routes", None), "pace": ways.pop("pace", None)}
    return deliver(store, ways, clock=clock, sleep=clock.sleep, send=send, **how)


def states(store) -> dict[str, str]:
    return {row.key: row.status for row in listing(store).itertuples()}


# --- into the outbox ---


def test_enqueue_twice_is_one_message_and_other_content_is_a_contradiction(store):
    assert put(store) and not put(store)
    with pytest.raises(Contradiction, match=r"key 'm000'.*stored 'long 0', offered 'short'.*needs another key"):
        put(store, text="short")
    assert len(listing(store)) == 1


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"kind": "signals"}, "did you mean 'signal'"),
        ({"text": " "}, "needs a text"),
        ({"subject": "a\nBcc: x@y.z"}, "subject is one line"),
        ({"when_ns": 1_700_000_000}, "must be a moment after 1973"),
    ],
)
def test_enqueue_of_what_is_no_message_is_refused(light, bad, why):
    with pytest.raises(BadConfig, match=why):
        put(light, **bad)


def test_enqueue_in_a_transaction_that_fails_leaves_no_message(store):
    with pytest.raises(RuntimeError), store.transaction() as inner:
        put(inner)
        raise RuntimeError
    assert listing(store).empty


# --- out of it ---


def test_deliver_without_send_says_what_would_go_and_writes_nothing(store, clock):
    put(store), put(store, 1, channel="pigeon")
    way = Way(clock)
    for _ in range(2):
        done = go(store, clock, send=False, a=way)
        assert done.would == (("m000", "a", "EURUSD 0"),) and done.queued == 2 and not way.got
    assert list(listing(store)["channel"]) == ["pigeon", ""]
    assert deliver(store, {"a": way}).sent == ()  # not sending is the default


def test_deliver_sends_each_once_oldest_first_one_a_second(store, clock):
    for n in (3, 1, 2, 0):
        put(store, n)
    a, b = Way(clock), Way(clock)
    done = go(store, clock, a=a, b=b)
    assert a.keys == b.keys == ["m000", "m001", "m002", "m003"] and len(done.sent) == 8 and done.queued == 0
    times = sorted(at for _, _, at in (*a.got, *b.got))
    assert min(y - x for x, y in itertools.pairwise(times)) >= S
    put(store, 9)
    assert go(store, clock, a=a, b=b).sent == (("m009", "a"), ("m009", "b"))
    assert a.got[-1][2] - times[-1] >= S  # the pace is kept across calls
    assert go(store, clock, a=a, b=b).sent == ()


def test_deliver_by_many_at_once_sends_each_once_and_keeps_the_pace(store, clock):
    for n in range(6):
        put(store, n)
    way, errors = Way(clock), []

    def work():
        try:
            with Store(store.url, clock=clock) as own:
                go(own, clock, a=way)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors and sorted(way.keys) == sorted(states(store)) and len(way.keys) == 6
    with store.connection() as connection:  # one thread's waiting moves the clock of all: what was claimed when tells
        times = sorted(connection.scalars(select(outbox.SENDINGS.c.attempted_at)))
    assert min(y - x for x, y in itertools.pairwise(times)) >= S


def test_routes_say_which_channel_takes_what(light, clock):
    put(light), put(light, 1, kind="digest"), put(light, 2, kind="failure"), put(light, 3, channel="b")
    a, b = Way(clock), Way(clock)
    go(light, clock, a=a, b=b, routes={"signal": ["a"], "digest": ["b"]})
    assert a.keys == ["m000", "m002"] and b.keys == ["m001", "m002", "m003"]


def test_deliver_without_a_channel_keeps_everything(light, clock):
    put(light)
    done = go(light, clock)
    assert (done.queued, states(light)) == (1, {"m000": "queued"})
    assert go(light, clock, a=Way(clock)).sent == (("m000", "a"),)


def test_network_down_loses_nothing_and_asks_rarely(store, clock):
    for n in range(20):
        put(store, n)
    tries = 60
    way = Way(clock, *[ChannelDown("no route") for _ in range(tries)])
    calls = 0
    while states_left := [s for s in states(store).values() if s != "sent"]:
        go(store, clock, a=way)
        clock.sleep(60)
        calls += 1
        assert set(states_left) <= {"queued"} and calls < 2000
    assert way.keys == sorted(way.keys) and len(way.keys) == 20
    assert clock.now - T0 > 12 * 3600 * S  # sixty tries: the waits grew to their cap


def test_waits_double_up_to_the_cap_with_jitter_and_what_was_asked():
    pace = DeliveryPace(first_wait_s=5, longest_wait_s=60)
    assert [pace.wait_ns(n, None, lambda: 0.0) // S for n in (1, 2, 3, 5, 900)] == [5, 10, 20, 60, 60]
    assert pace.wait_ns(1, None, lambda: 1.0) == 2.5 * S
    assert pace.wait_ns(1, 300.0, lambda: 1.0) == 300 * S


def test_one_that_cannot_go_now_does_not_hold_the_others(light, clock):
    put(light), put(light, 1)
    way = Way(clock, Retry("busy"))
    done = go(light, clock, a=way)
    assert way.keys == ["m001", "m000"] and done.delayed == (("m000", "a", "busy"),)
    assert way.got[1][2] - T0 >= 5 * S


def test_poison_ends_as_failed_with_its_reason_and_goes_again_when_asked(store, clock):
    put(store), put(store, 1)
    way = Way(clock, Rejected("chat not found"))
    done = go(store, clock, a=way)
    assert done.failed == (("m000", "a", "chat not found"),) and way.keys == ["m001"]
    clock.sleep(10_000)
    assert go(store, clock, a=way).sent == ()
    assert listing(store, status="failed")["error"].tolist() == ["chat not found"]
    with pytest.raises(BadConfig, match="m001 is sent: only what failed"):
        retry(store, "m001", clock=clock)
    with pytest.raises(BadConfig, match="no message 'm00'; did you mean 'm000'"):
        retry(store, "m00", clock=clock)
    assert retry(store, "m000", clock=clock) == 1 and retry(store, clock=clock) == 0
    assert go(store, clock, a=way).sent == (("m000", "a"),)


def test_crash_between_send_and_mark_costs_one_duplicate_that_carries_its_key(store, clock):
    put(store), put(store, 1)
    way = Way(clock, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        go(store, clock, a=way)
    go(store, clock, a=way)
    assert listing(store, status="queued")["error"].tolist() == [outbox.UNSURE]
    assert way.keys == ["m000", "m001"]  # whether it went is not known: it waits
    clock.sleep(outbox.LEASE_S)
    go(store, clock, a=way)
    clock.sleep(outbox.LEASE_S)
    go(store, clock, a=way)
    assert way.keys == ["m000", "m001", "m000"] and way.got[0][1] == way.got[2][1]
    assert way.got[2][1].endswith("ref m000")


def test_long_text_goes_on_where_it_was_interrupted(store, clock):
    put(store, text="\n".join(f"line {n}" for n in range(9))), put(store, 1)
    way = Way(clock, None, ChannelDown("gone"), limit=40)
    go(store, clock, a=way)
    parts = [part for key, part, _ in way.got if key == "m000"]
    assert way.keys == ["m000"] * len(parts) + ["m001"] and len(parts) == len(set(parts)) == 2
    assert "\n".join(parts).split() == f"{' '.join(f'line {n}' for n in range(9))} ref m000".split()


def test_expired_is_never_sent(store, clock):
    put(store, expires_ns=T0 + 30 * S), put(store, 1), put(store, 2, expires_ns=T0 + 30 * S, channel="pigeon")
    way = Way(clock, ChannelDown("gone", 40.0))
    done = go(store, clock, a=way)
    assert way.keys == ["m001"] and done.expired == 2
    assert states(store) == {"m000": "expired", "m001": "sent", "m002": "expired"}
    assert listing(store, status="expired")["error"].tolist() == ["expired unsent", "expired; gone"]
    put(store, 3)
    clock.sleep(49 * 3600)
    assert go(store, clock, a=way).expired == 1


def test_clock_that_is_set_back_stops_nothing(light, clock):
    put(light), put(light, 1)
    way = Way(clock, Retry("busy"))
    go(light, clock, a=way, pace=DeliveryPace(patience_s=0))
    clock.now -= 7200 * S
    go(light, clock, a=way)
    assert sorted(way.keys) == ["m000", "m001"]


def test_channel_with_wrong_settings_keeps_its_messages_and_the_others_go(light, clock):
    put(light), put(light, 1)
    a, b = Way(clock, BadConfig("set the token anew")), Way(clock)
    done = go(light, clock, a=a, b=b)
    assert done.broken == (("m000", "a", "set the token anew"),) and b.keys == ["m000", "m001"]
    assert go(light, clock, a=a, b=b).sent == (("m000", "a"), ("m001", "a"))


def test_faster_than_one_a_second_is_refused(light, clock):
    with pytest.raises(BadConfig, match="at most 1"):
        deliver(light, {}, limit_per_s=30.0)


# --- Telegram ---


def bot(api, **said) -> Telegram:
    return Telegram(**{"chat_id": 42, "token": TOKEN, "url": api.url, "timeout_s": 5.0} | said)


def test_telegram_gets_plain_text_with_its_key(light, clock, api):
    put(light, text="a < b & c_d *e*")
    assert go(light, clock, telegram=bot(api)).sent == (("m000", "telegram"),)
    ((path, asked),) = api.asked
    assert path == f"/bot{TOKEN}/sendMessage" and asked["chat_id"] == 42 and "parse_mode" not in asked
    assert asked["text"] == "EURUSD 0\n\na < b & c_d *e*\n\nref m000"


def test_telegram_429_is_waited_for_as_long_as_it_says(light, clock, api):
    put(light), put(light, 1)
    api.answers = [wire.refused(429, "Too Many Requests: retry after 35", retry_after=35)]
    go(light, clock, telegram=bot(api), pace=DeliveryPace(patience_s=20))
    assert len(api.asked) == 1 and set(states(light).values()) == {"queued"}
    put(light, 2)
    go(light, clock, telegram=bot(api), pace=DeliveryPace(patience_s=0))  # another process, before the wait is over
    assert len(api.asked) == 1
    go(light, clock, telegram=bot(api))
    assert clock.now - T0 >= 35 * S and set(states(light).values()) == {"sent"} and len(api.asked) == 4


MESSAGE = Message("k", "signal", T0, "subject", "text")


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
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
def test_telegram_answers_are_told_apart(api, answer, kind, said):
    api.answers = [answer]
    with pytest.raises(kind, match=said):
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
    said = [repr(bot(api))]
    for answer in ((200, wire.sent({"chat_id": 1, "text": ""})), wire.refused(401, "Unauthorized"), (502, "x")):
        api.answers = [answer]
        try:
            bot(api).send(MESSAGE, "text")
        except Exception as error:
            said.append(f"{error!r} {error.__cause__!r}")
    with pytest.raises(ChannelDown) as down:
        bot(api, url=f"http://127.0.0.1:{wire.free_port()}").send(MESSAGE, "text")
    said += [str(down.value), caplog.text]
    assert "/bot…/sendMessage" in caplog.text and not [x for x in said if TOKEN in x or TOKEN[7:] in x]


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


# --- mail ---


def mailer(port: int, **said) -> Email:
    given = {"host": "127.0.0.1", "port": port, "sender": "desk@example.com", "to": ("ann@example.com",)}
    return Email(**given | {"security": "none", "timeout_s": 5.0} | said)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # it is over TLS, from the first byte
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_encrypted_with_credentials(light, clock, tmp_path, monkeypatch, security):
    tls, trusted = wire.certificate(tmp_path)
    with wire.mail_server(tls=tls, at_once=security == "tls", user="ann") as (man, port):
        put(light, text="Entry 1.0812 · Größe 1 £")
        way = mailer(port, security=security, user="ann", password="ann")
        assert "verif" in go(light, clock, email=way, pace=DeliveryPace(patience_s=0)).delayed[0][2].lower()
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert go(light, clock, email=way).sent == (("m000", "email"),)
        put(light, 1)
        wrong = go(light, clock, email=mailer(port, security=security, user="ann", password="secret"))
        assert "SMCDESK_SMTP_PASSWORD anew" in wrong.broken[0][2] and "secret" not in str(wrong)
    mail = email.message_from_bytes(man.mails[0], policy=email.policy.default)
    assert (mail["Subject"], mail["To"], mail["From"]) == ("EURUSD 0", "ann@example.com", "desk@example.com")
    assert mail.get_content().replace("\r\n", "\n") == "Entry 1.0812 · Größe 1 £\n\nref m000\n"


def test_mail_sent_twice_is_the_same_mail():
    with wire.mail_server() as (man, port):
        for _ in range(2):
            mailer(port).send(MESSAGE, "text")
    assert man.mails[0] == man.mails[1] and b"Message-ID: <" in man.mails[0]


def test_mail_server_answers_are_told_apart():
    with wire.mail_server() as (man, port):
        man.unknown = {"bob@example.com"}
        man.answers = ["451 4.3.0 try later", "554 5.6.0 no", "421 4.3.2 closing"]
        for kind, said in ((Retry, "451"), (Rejected, "554"), (ChannelDown, "421|closing")):
            with pytest.raises(kind, match=said):
                mailer(port).send(MESSAGE, "text")
        with pytest.raises(Rejected, match="550"):
            mailer(port, to=("bob@example.com",)).send(MESSAGE, "text")
        with pytest.raises(Rejected, match=r"taken for the others, but not for bob@example.com 550"):
            mailer(port, to=("ann@example.com", "bob@example.com")).send(MESSAGE, "text")
        with pytest.raises(BadConfig, match="security asks for what this server does not offer"):
            mailer(port, security="starttls").send(MESSAGE, "text")


def test_mail_server_that_is_down_or_silent_is_down():
    with pytest.raises(ChannelDown, match=r"127\.0\.0\.1"):
        mailer(wire.free_port()).send(MESSAGE, "text")
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ChannelDown):
        mailer(silent.getsockname()[1], timeout_s=0.2).send(MESSAGE, "text")


# --- conf and command ---


def test_channels_are_off_and_nothing_is_sent_unless_conf_says_so(house):
    for env in ("base", "test", "paper", "live"):
        conf = notify_conf(env)
        assert not conf.send and not enabled_channels(conf) and conf.limit_per_s <= 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("channels: {telegram: {enable: true}}", "enable.*not permitted"),
        ("limit_per_s: 30", "limit_per_s.*less than or equal to 1"),
        ("routes: {signals: [telegram]}", "did you mean 'signal'"),
        ("routes: {signal: [telegramm]}", "did you mean 'telegram'"),
        ("channels: {telegram: {enabled: true}}", "SMCDESK_TELEGRAM_TOKEN is not set"),
        ("channels: {telegram: {enabled: true, chat_id: 1, url: 'http://x.y'}}", "must be https"),
        ("channels: {email: {enabled: true}}", "email.host is not set"),
        ("channels: {email: {enabled: true, host: x.y, sender: a@b, to: [ann]}}", "'ann' is no address"),
        ("channels: {email: {enabled: true, host: x.y, sender: a@b, to: [a@b], security: none}}", "must be encrypted"),
    ],
)
def test_conf_that_is_wrong_is_refused(house, monkeypatch, text, why):
    monkeypatch.setenv("SMCDESK_TELEGRAM_TOKEN", TOKEN if "http:" in text else "")
    (house / "conf/test/notify.yml").write_text(text)
    try:
        with pytest.raises(BadConfig, match=why):
            enabled_channels(notify_conf("test"))
    finally:
        (house / "conf/test/notify.yml").unlink()


def test_outbox_command_lists_delivers_and_retries(house, api, monkeypatch):
    from smcdesk.__main__ import app

    def smcdesk(*words):
        done = CliRunner().invoke(app, ["outbox", *words, "--env", "test"])
        return done.exit_code, done.output

    monkeypatch.setenv("SMCDESK_TELEGRAM_TOKEN", TOKEN)
    telegram = f"{{enabled: true, chat_id: 42, url: '{api.url}'}}"
    (house / "conf/test/notify.yml").write_text(f"channels: {{telegram: {telegram}}}\npatience_s: 0\n")
    with Store(env="test") as store:
        store.upgrade()
        put(store)
    assert "would go by telegram: EURUSD 0 (m000)" in smcdesk("deliver")[1] and not api.asked
    api.answers = [wire.refused(400, "Bad Request: chat not found")]
    code, said = smcdesk("deliver", "--send")
    assert code == 1 and "failed by telegram: m000: Telegram: 400 Bad Request: chat not found" in said
    assert "failed" in smcdesk("list", "--status", "failed")[1]
    assert smcdesk("retry", "m000") == (0, "1 queued again; smcdesk outbox deliver sends them\n")
    monkeypatch.setattr("smcdesk.notifications.outbox.time.sleep", lambda s: None)
    monkeypatch.setattr("smcdesk.notifications.outbox.DeliveryPace.limit_per_s", 1.0)
    (house / "conf/test/notify.yml").write_text(f"channels: {{telegram: {telegram}}}\npatience_s: 5\n")
    assert smcdesk("deliver", "--send")[1].startswith("1 sent, 0 failed")
    assert "m000" in smcdesk("list")[1] and smcdesk("list", "--status", "sen")[0] == 2


# --- what messages say ---


def decision(**said) -> Decision:
    plan = {"side": -1, "entry_price": 1.0812, "stop_price": 1.0832, "target_price": 1.0762, "stop_distance": 0.002}
    ticket = Ticket(**plan, rr_net=2.45, risk_pct=0.5, expiry_bars=3, entry_type="limit")
    given = {"setup_id": "ab" * 8, "instrument": "EURUSD", "timeframe": "15m", "time": T0, "outcome": "live"}
    given |= {"ticket": ticket, "verdicts": (), "why": "swept Asia's high", "next": "wait for the retest"}
    return Decision(**given | {"policy_hash": "0" * 16, "first_bar": T0, "side": -1, "grade": "A+"} | said)


def test_signal_alert_says_what_a_trader_needs(light):
    told = messages.signal_message(decision())
    assert told["subject"] == "EURUSD 15m short @ 1.0812 A+"
    said = told["text"]
    for words in (
        "Entry   1.0812 (limit)", "Stop    1.0832", "Target  1.0762", "RR      2.45", "grade A+",
        "WHY     swept Asia's high", "NEXT    wait for the retest", "Expires 2023-11-14 23:13 UTC",
    ):  # fmt: skip
        assert words in said
    assert told["expires_ns"] == decision().expires_ns and told["when_ns"] == T0 + 900 * S
    assert enqueue(light, **told) and not enqueue(light, **messages.signal_message(decision()))
    assert enqueue(light, **messages.signal_message(decision(), version=2, status="cancelled"))
    with pytest.raises(BadConfig, match="needs a plan"):
        messages.signal_message(decision(ticket=None))


def test_failure_alert_and_digest_say_what_happened(light):
    told = messages.failure_message(
        "live_scan", "EURUSD", "StoreDown:\n busy", T0, params={"env": "live"}, where="a.html"
    )
    assert told["subject"] == "FAILED live_scan EURUSD" and "ERROR   StoreDown: busy" in told["text"]
    assert enqueue(light, **told) and not enqueue(light, **told)
    assert enqueue(light, **messages.failure_message("live_scan", "EURUSD", "another reason", T0))
    told = messages.digest_message("2023-11-14", {"signals": ["EURUSD long"], "news": []}, T0, summary="1 signal")
    assert told["subject"] == "Digest 2023-11-14: 1 signal"
    assert told["text"] == "1 signal\n\nSIGNALS\n- EURUSD long\n\nNEWS\n- nothing"
    assert enqueue(light, **told)
