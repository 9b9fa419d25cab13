"""The outbox loses nothing, sends slowly and says what became of every message."""

from __future__ import annotations

import itertools
import threading

import pytest
from outbox_fakes import T0, FakeChannel, S, go, put, states
from sqlalchemy import select

from smcdesk.notifications import outbox
from smcdesk.notifications.channel import ChannelDown, Rejected, Retry
from smcdesk.notifications.outbox import DeliveryPace, deliver, listing, retry
from smcdesk.store import Contradiction, Store
from smclab.candles import BadConfig

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
    channel = FakeChannel(clock)
    for _ in range(2):
        done = go(store, clock, send=False, a=channel)
        assert done.would == (("m000", "a", "EURUSD 0"),) and done.queued == 2 and not channel.got
    assert list(listing(store)["channel"]) == ["pigeon", ""]
    assert deliver(store, {"a": channel}).sent == ()  # not sending is the default


def test_deliver_sends_each_once_oldest_first_one_a_second(store, clock):
    for n in (3, 1, 2, 0):
        put(store, n)
    a, b = FakeChannel(clock), FakeChannel(clock)
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
    channel, errors = FakeChannel(clock), []

    def work():
        try:
            with Store(store.url, clock=clock) as own:
                go(own, clock, a=channel)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors and sorted(channel.keys) == sorted(states(store)) and len(channel.keys) == 6
    with store.connection() as connection:  # one thread's waiting moves the clock of all: what was claimed when tells
        times = sorted(connection.scalars(select(outbox.SENDINGS.c.attempted_at)))
    assert min(y - x for x, y in itertools.pairwise(times)) >= S


def test_routes_say_which_channel_takes_what(light, clock):
    put(light), put(light, 1, kind="digest"), put(light, 2, kind="failure"), put(light, 3, channel="b")
    a, b = FakeChannel(clock), FakeChannel(clock)
    go(light, clock, a=a, b=b, routes={"signal": ["a"], "digest": ["b"]})
    assert a.keys == ["m000", "m002"] and b.keys == ["m001", "m002", "m003"]


def test_deliver_without_a_channel_keeps_everything(light, clock):
    put(light)
    done = go(light, clock)
    assert (done.queued, states(light)) == (1, {"m000": "queued"})
    assert go(light, clock, a=FakeChannel(clock)).sent == (("m000", "a"),)


def test_network_down_loses_nothing_and_asks_rarely(store, clock):
    for n in range(20):
        put(store, n)
    tries = 60
    channel = FakeChannel(clock, *[ChannelDown("no route") for _ in range(tries)])
    calls = 0
    while states_left := [s for s in states(store).values() if s != "sent"]:
        go(store, clock, a=channel)
        clock.sleep(300)
        calls += 1
        assert set(states_left) <= {"queued"} and calls < 400
    assert channel.keys == sorted(channel.keys) and len(channel.keys) == 20
    assert clock.now - T0 > 12 * 3600 * S  # sixty tries: the waits grew to their cap


def test_waits_double_up_to_the_cap_with_jitter_and_what_was_asked():
    pace = DeliveryPace(first_wait_s=5, longest_wait_s=60)
    assert [pace.wait_ns(n, None, lambda: 0.0) // S for n in (1, 2, 3, 5, 900)] == [5, 10, 20, 60, 60]
    assert pace.wait_ns(1, None, lambda: 1.0) == 2.5 * S
    assert pace.wait_ns(1, 300.0, lambda: 1.0) == 300 * S


def test_one_that_cannot_go_now_does_not_hold_the_others(light, clock):
    put(light), put(light, 1)
    channel = FakeChannel(clock, Retry("busy"))
    done = go(light, clock, a=channel)
    assert channel.keys == ["m001", "m000"] and done.delayed == (("m000", "a", "busy"),)
    assert channel.got[1][2] - T0 >= 5 * S


def test_poison_ends_as_failed_with_its_reason_and_goes_again_when_asked(store, clock):
    put(store), put(store, 1)
    channel = FakeChannel(clock, Rejected("chat not found"))
    done = go(store, clock, a=channel)
    assert done.failed == (("m000", "a", "chat not found"),) and channel.keys == ["m001"]
    clock.sleep(10_000)
    assert go(store, clock, a=channel).sent == ()
    assert listing(store, status="failed")["error"].tolist() == ["chat not found"]
    with pytest.raises(BadConfig, match="m001 is sent: only what failed"):
        retry(store, "m001", clock=clock)
    with pytest.raises(BadConfig, match="no message 'm00'; did you mean 'm000'"):
        retry(store, "m00", clock=clock)
    assert retry(store, "m000", clock=clock) == 1 and retry(store, clock=clock) == 0
    assert go(store, clock, a=channel).sent == (("m000", "a"),)


def test_crash_between_send_and_mark_costs_one_duplicate_that_carries_its_key(store, clock):
    put(store), put(store, 1)
    channel = FakeChannel(clock, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        go(store, clock, a=channel)
    go(store, clock, a=channel)
    assert listing(store, status="queued")["error"].tolist() == [outbox.UNSURE]
    assert channel.keys == ["m000", "m001"]  # whether it went is not known: it waits
    clock.sleep(outbox.LEASE_S)
    go(store, clock, a=channel)
    clock.sleep(outbox.LEASE_S)
    go(store, clock, a=channel)
    assert channel.keys == ["m000", "m001", "m000"] and channel.got[0][1] == channel.got[2][1]
    assert channel.got[2][1].endswith("ref m000")


def test_long_text_goes_on_where_it_was_interrupted(store, clock):
    put(store, text="\n".join(f"line {n}" for n in range(9))), put(store, 1)
    channel = FakeChannel(clock, None, ChannelDown("gone"), limit=40)
    go(store, clock, a=channel)
    parts = [part for key, part, _ in channel.got if key == "m000"]
    assert channel.keys == ["m000"] * len(parts) + ["m001"] and len(parts) == len(set(parts)) == 2
    assert "\n".join(parts).split() == f"{' '.join(f'line {n}' for n in range(9))} ref m000".split()


def test_expired_is_never_sent(store, clock):
    put(store, expires_ns=T0 + 30 * S), put(store, 1), put(store, 2, expires_ns=T0 + 30 * S, channel="pigeon")
    channel = FakeChannel(clock, ChannelDown("gone", 40.0))
    done = go(store, clock, a=channel)
    assert channel.keys == ["m001"] and done.expired == 2
    assert states(store) == {"m000": "expired", "m001": "sent", "m002": "expired"}
    assert listing(store, status="expired")["error"].tolist() == ["expired unsent", "expired; gone"]
    put(store, 3)
    clock.sleep(49 * 3600)
    assert go(store, clock, a=channel).expired == 1


def test_clock_that_is_set_back_stops_nothing(light, clock):
    put(light), put(light, 1)
    channel = FakeChannel(clock, Retry("busy"))
    go(light, clock, a=channel, pace=DeliveryPace(patience_s=0))
    clock.now -= 7200 * S
    go(light, clock, a=channel)
    assert sorted(channel.keys) == ["m000", "m001"]


def test_channel_with_wrong_settings_keeps_its_messages_and_the_others_go(light, clock):
    put(light), put(light, 1)
    a, b = FakeChannel(clock, BadConfig("set the token anew")), FakeChannel(clock)
    done = go(light, clock, a=a, b=b)
    assert done.broken == (("m000", "a", "set the token anew"),) and b.keys == ["m000", "m001"]
    assert go(light, clock, a=a, b=b).sent == (("m000", "a"), ("m001", "a"))


def test_faster_than_one_a_second_is_refused(light, clock):
    with pytest.raises(BadConfig, match="at most 1"):
        deliver(light, {}, limit_per_s=30.0)
