"""A combination played on a tape is the replay of the same decisions."""

import dataclasses

import pandas as pd
import pytest

from smcdesk.research import tape as research_tape
from smclab.account import Account
from smclab.decision import decide_all
from smclab.execution import Rules, intents
from smclab.policy import Policy
from smclab.replay import replay

WIDE = {"preset": "v1", "stop_cap": {"instrument_cap": False}}
GATES = ("news_gate", "killzone_gate", "htf_poi_gate", "strict_sweep", "strict_fvg")
OPEN = {name: {"enabled": False} for name in GATES} | {"stop_cap": {"instrument_cap": False}}


@pytest.mark.parametrize("name", ["v1", "strict", "killzone", "small"])
def test_sweep_of_one_is_the_replay_also_where_limits_are_taken_back(watched, reading, name):
    params = {
        "v1": WIDE, "strict": {**OPEN, "killzone_gate": {"enabled": True}, "htf_poi_gate": {"enabled": True}},
        "killzone": {**OPEN, "killzone_gate": {"enabled": True}, "grade_execution": {"a_plus": 60, "a": 50, "b": 40}},
        "small": WIDE,
    }[name]  # fmt: skip
    account = Account(equity=200.0 if name == "small" else 10_000.0)
    tape = dataclasses.replace(watched, policy=params, context=dataclasses.replace(watched.context, account=account))
    policy, how = Policy.from_dict(params), {"spread_price": tape.spread_price}
    decisions = decide_all(reading, tape.context, policy, **how)
    reviews = decide_all(reading, tape.context, policy, pending=True, **how)
    sent = intents(decisions, reading.bars, reviews=reviews, **tape.orders)
    pd.testing.assert_frame_equal(research_tape.orders(tape, policy), sent)
    ledger = replay(
        tape.bars, sent, instrument=tape.context.instrument, account=account, costs=tape.costs,
        rules=Rules(cooldown_bars=policy.cooldown_bars), max_risk_pct=policy.in_force.risk.max_risk_pct,
    )  # fmt: skip
    assert research_tape.play(tape, {}).hash() == ledger.hash()
    blind = dataclasses.replace(tape, reviews=None)
    assert (name == "v1") or (research_tape.orders(blind, policy)["expiry_bar"] > sent["expiry_bar"]).any()


@pytest.mark.parametrize(
    "policy",
    [
        WIDE, {"preset": "v1"}, {"preset": "shadow"}, {"preset": "a_plus_and_a_live"}, OPEN,
        OPEN | {"risk": {"target": "fixed_rr"}, "grade_execution": {"a_plus": 60, "a": 50, "b": 40}},
        WIDE | {"pre_filters": {"max_spread_atr": 0.1}}, OPEN | {"risk": {"sizing": "capital_fraction"}},
    ],
)  # fmt: skip
def test_live_tickets_are_those_decide_all_lets_trade(tape, reading, policy):
    policy = Policy.from_dict(policy)
    decisions = decide_all(reading, tape.context, policy, spread_price=tape.spread_price)
    live = [(d.setup_id, d.time, d.ticket) for d in decisions if d.outcome == "live"]
    assert [(d.setup_id, d.time, d.ticket) for d in research_tape.live_tickets(tape, policy)] == live


def test_live_tickets_ask_the_account_and_the_data(tape, reading):
    for changes in (
        {"account": Account(equity=10_000.0, open_positions=("EURUSD",))}, {"account": Account(equity=1.0)},
        {"account": Account(equity=10_000.0, exits=(("EURUSD", 1, 1),))}, {"data_quality": "degraded"},
        {"now_ns": reading.bars.index[-1].value + 10**13, "last_bar_ns": reading.bars.index[-1].value},
    ):  # fmt: skip
        other = dataclasses.replace(tape, context=dataclasses.replace(tape.context, **changes))
        policy = Policy.from_dict(WIDE)
        decisions = decide_all(reading, other.context, policy, spread_price=tape.spread_price)
        live = [d.setup_id for d in decisions if d.outcome == "live"]
        assert [d.setup_id for d in research_tape.live_tickets(other, policy)] == live
        assert len(live) < len(research_tape.live_tickets(tape, policy))


def test_part_of_a_tape_knows_nothing_before_or_after_it(tape):
    part = tape.between(1000, 3000)
    ledger = research_tape.play(part, {})
    assert len(part.bars) == 2000 and len(ledger.trades)
    assert ledger.trades["entry_time"].min() >= part.bars.index[0]
    assert set(part.candidates["known_bar"]) <= set(range(1000, 3000))
