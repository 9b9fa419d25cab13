"""Messages say what a trader needs, in few words."""

from __future__ import annotations

import pytest
from outbox_fakes import T0, S

from smcdesk.notifications import messages
from smcdesk.notifications.outbox import enqueue
from smclab.candles import BadConfig
from smclab.decision import Decision
from smclab.ticket import Ticket


def decision(**fields) -> Decision:
    plan = {"side": -1, "entry_price": 1.0812, "stop_price": 1.0832, "target_price": 1.0762, "stop_distance": 0.002}
    ticket = Ticket(**plan, rr_net=2.45, risk_pct=0.5, expiry_bars=3, entry_type="limit")
    given = {"setup_id": "ab" * 8, "instrument": "EURUSD", "timeframe": "15m", "time": T0, "outcome": "live"}
    given |= {"ticket": ticket, "verdicts": (), "why": "swept Asia's high", "next": "wait for the retest"}
    return Decision(**given | {"policy_hash": "0" * 16, "first_bar": T0, "side": -1, "grade": "A+"} | fields)


def test_signal_alert_says_what_a_trader_needs(light):
    message = messages.signal_message(decision())
    assert message["subject"] == "EURUSD 15m short @ 1.0812 A+"
    text = message["text"]
    for words in (
        "Entry   1.0812 (limit)", "Stop    1.0832", "Target  1.0762", "RR      2.45", "grade A+",
        "WHY     swept Asia's high", "NEXT    wait for the retest", "Expires 2023-11-14 23:13 UTC",
    ):  # fmt: skip
        assert words in text
    assert message["expires_ns"] == decision().expires_ns and message["when_ns"] == T0 + 900 * S
    assert enqueue(light, **message) and not enqueue(light, **messages.signal_message(decision()))
    assert enqueue(light, **messages.signal_message(decision(), version=2, status="cancelled"))
    with pytest.raises(BadConfig, match="needs a plan"):
        messages.signal_message(decision(ticket=None))


def test_failure_alert_and_digest_say_what_happened(light):
    message = messages.failure_message(
        "live_scan", "EURUSD", "StoreDown:\n busy", T0, params={"env": "live"}, where="a.html"
    )
    assert message["subject"] == "FAILED live_scan EURUSD" and "ERROR   StoreDown: busy" in message["text"]
    assert enqueue(light, **message) and not enqueue(light, **message)
    assert enqueue(light, **messages.failure_message("live_scan", "EURUSD", "another reason", T0))
    message = messages.digest_message("2023-11-14", {"signals": ["EURUSD long"], "news": []}, T0, summary="1 signal")
    assert message["subject"] == "Digest 2023-11-14: 1 signal"
    assert message["text"] == "1 signal\n\nSIGNALS\n- EURUSD long\n\nNEWS\n- nothing"
    assert enqueue(light, **message)
