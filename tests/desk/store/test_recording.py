"""What is written twice is written once; other content is an error, and later facts are added once."""

from __future__ import annotations

import dataclasses
import datetime

import numpy as np
import pandas as pd
import pytest
from store_rows import BAR, POLICY, T0, counts, label, outcome, signal

from smcdesk.store import Contradiction, decision_id
from smclab import instruments
from smclab.candles import BadConfig


def test_decisions_come_back_whole_and_twice_is_once(store, decided):
    assert store.record_decisions(iter(decided)) == len(decided)
    assert store.record_decisions(decided) == 0
    assert store.record_decisions([decided[0], decided[0]]) == 0
    assert store.decisions() == decided
    assert [d.hash() for d in store.decisions()] == [d.hash() for d in decided]
    assert counts(store)["verdicts"] == sum(len(d.verdicts) for d in decided)


def test_decision_with_other_content_is_an_error_that_names_both(store, decided):
    d = next(d for d in decided if d.outcome == "live")
    other = dataclasses.replace(d, why="a better story")
    gate = dataclasses.replace(d, verdicts=(dataclasses.replace(d.verdicts[0], reason="hm"), *d.verdicts[1:]))
    store.record_decisions([d])
    for offered, where in ((other, "why"), (gate, r"verdicts\[0\].reason")):
        with pytest.raises(
            Contradiction, match=f"stored {d.hash()}, offered {offered.hash()}.*{where}: stored .*, offered"
        ):
            store.record_decisions([*decided, offered] if offered is other else [offered])
    assert store.decisions() == (d,)  # the good ones beside it were not written either
    with pytest.raises(Contradiction, match=decision_id(decided[1])):
        store.record_decisions([decided[1], dataclasses.replace(decided[1], next="never")])
    assert store.record_decisions([dataclasses.replace(other, policy_hash="f" * 16)]) == 1  # another policy may differ


def test_decision_keeps_its_grade_beside_its_verdicts(store, decided):
    store.record_decisions([dataclasses.replace(decided[0], grade="A+", score=91.0), decided[1]])
    assert store.verdicts(grade="A+")["decision_id"].unique().tolist() == [decision_id(decided[0])]


def test_verdicts_say_what_every_gate_answered(store, decided):
    store.record_decisions(decided)
    found = store.verdicts(passed=False, gate="stop_cap")
    wanted = [
        (d.setup_id, v.reason, v.evidence) for d in decided for v in d.verdicts if v.gate == "stop_cap" and not v.passed
    ]
    assert list(zip(found["setup_id"], found["reason"], found["evidence"], strict=True)) == wanted != []


def test_labels_twice_are_once_and_other_content_is_an_error(store):
    rows = [label(n) for n in range(1200)]  # more than a statement's worth
    assert store.record_labels(rows) == 1200
    assert store.record_labels(pd.DataFrame(rows[::-1])) == 0
    with pytest.raises(Contradiction, match=r"setup_id '0000000000000003'.*grade: stored 'A', offered 'B'"):
        store.record_labels([label(5000), label(3, grade="B")])
    with pytest.raises(Contradiction, match="twice in one batch"):
        store.record_labels([label(5000), label(5000, score=1.0)])
    assert counts(store)["setup_labels"] == 1200


def test_signals_have_versions_and_expire(store):
    assert store.record_signals([signal(1), signal(2), signal(3, status="cancelled")]) == 3
    assert store.record_signals([signal(2)]) == 0
    with pytest.raises(Contradiction, match=r"version 2.*entry_price: stored 2000.0, offered 2001.0.*next version"):
        store.record_signals([signal(2, entry_price=2001)])
    assert store.signals()["version"].tolist() == [1, 2, 3]

    def held(at):
        return store.signals(at=at)["version"].tolist()

    assert held(T0 + BAR) == held(T0 + 2 * BAR - 1) == []  # its bar has not closed yet
    assert held(T0 + 2 * BAR) == [1] and held(T0 + 3 * BAR) == [2]
    assert held(T0 + 4 * BAR) == []  # cancelled
    store.record_signals([signal(1, setup_id="bb")])
    end = T0 + 5 * BAR
    assert held(end - 1) == [1] and held(end) == []  # expired


def test_instruments_keep_their_former_selves(store):
    gold = instruments.instrument("XAUUSD")
    assert store.record_instruments([gold, gold, instruments.instrument("EURUSD")]) == 2
    assert store.record_instruments([gold, dataclasses.replace(gold, typical_spread=0.3)]) == 1
    profiles = store.instruments(symbol="XAUUSD")
    assert sorted(p["typical_spread"] for p in profiles["profile"]) == [0.25, 0.3]
    assert instruments.Instrument.from_dict(store.instruments(symbol="EURUSD")["profile"][0]).symbol == "EURUSD"


def test_baseline_is_frozen_under_its_name(store):
    figures = {"A+": {"n": 12, "pass_rate_pct": 41.7}, "none": None}
    for wanted in (1, 0):
        assert store.snapshot("before rollout", figures, policy_hash=POLICY, time=T0) == wanted
    with pytest.raises(Contradiction, match=r"figures.A\+.n: stored 12, offered 13.*frozen: choose another name"):
        store.snapshot(
            "before rollout", {**figures, "A+": {"n": 13, "pass_rate_pct": 41.7}}, policy_hash=POLICY, time=T0
        )
    baseline = store.baseline("before rollout")
    assert (baseline["figures"], baseline["policy_hash"], baseline["time"]) == (figures, POLICY, T0)
    with pytest.raises(BadConfig, match="did you mean 'before rollout'"):
        store.baseline("before rolout")
    with pytest.raises(BadConfig, match="figures must be plain values"):
        store.snapshot("bad", {"rate": float("nan")}, policy_hash=POLICY, time=T0)


def test_outcomes_are_filled_once_and_never_replaced(store):
    store.record_labels([label(n) for n in range(4)])
    never = {"outcome": "never_filled", "actual_rr": None, "mae_r": None, "mfe_r": None, "time_in_trade_bars": None}
    rows = [outcome(0), outcome(1, **never)]
    assert store.fill_outcomes(rows) == 2
    assert store.fill_outcomes(pd.DataFrame([*rows, outcome(2)])) == 1
    assert store.record_labels([label(0)]) == 0  # the label is still the same label
    with pytest.raises(
        Contradiction, match=r"outcome: stored 'target', offered 'stop'; actual_rr: stored 2.4, offered -1.0"
    ):
        store.fill_outcomes([outcome(3), outcome(0, outcome="stop", actual_rr=-1.0)])
    found = store.labels()
    assert found["outcome"].fillna("").tolist() == ["target", "never_filled", "target", ""]
    assert found["time_in_trade_bars"].isna().tolist() == [False, True, False, True]


def test_outcomes_that_cannot_be_are_refused(store):
    store.record_labels([label(0)])
    for changes, why in (
        ({"outcome_known_at": T0}, "not after the label's time"),
        ({"setup_id": "no such"}, "there is no label with setup_id 'no such'"),
        ({"outcome": "stop_gap"}, "did you mean 'stop'"),
        ({"outcome": None}, "outcome is missing"),
        ({"actual_rr": None}, "actual_rr is missing"),
        ({"actual_rr": float("inf")}, "must be a finite number"),
        ({"grade": "A"}, "setup_labels has no column 'grade'"),
    ):
        with pytest.raises(BadConfig, match=why):
            store.fill_outcomes([outcome(**changes)])
    with pytest.raises(BadConfig, match="outcome is a later fact, write it by fill_outcomes"):
        store.record_labels([label(1, outcome="target")])
    assert store.labels()["outcome"].isna().all()


@pytest.mark.parametrize(
    ("name", "bad", "why"),
    [
        ("time", 1_700_000_000, "after 1973: ns since 1970 UTC"),  # seconds
        ("time", pd.Timestamp("2024-01-01"), "timestamp with its zone"),
        ("time", datetime.datetime(2500, 1, 1, tzinfo=datetime.UTC), "time must be"),
        ("time", pd.NaT, "time is missing"),
        ("grade", "A +", r"did you mean 'A\+'"),
        ("score", np.inf, "must be a finite number"),
        ("score", True, "must be a finite number"),
        ("side", 0.5, "must be a whole number"),
        ("side", 2, "the store refuses a row"),
        ("session", "lon\0don", "session must be a text"),
        ("verdicts", [{"evidence": np.nan}], "verdicts must be plain values"),
        ("sesion", "london", "no column 'sesion'; did you mean 'session'"),
    ],
)
def test_label_that_cannot_be_kept_is_refused_by_name(store, name, bad, why):
    with pytest.raises(BadConfig, match=why):
        store.record_labels([label(0), label(1, **{name: bad})])
    assert len(store.labels()) == 0
    with pytest.raises(BadConfig, match="setup_labels, row 0: instrument is missing"):
        store.record_labels([{k: v for k, v in label().items() if k != "instrument"}])


def test_forget_deletes_one_policy_on_one_instrument(store, decided):
    store.record_decisions([*decided, *(dataclasses.replace(d, policy_hash="f" * 16) for d in decided)])
    n = len(decided)
    assert store.forget("f" * 16, "XAUUSD") == 0
    assert store.forget("f" * 16, "EURUSD") == n
    assert store.decisions() == decided and counts(store)["verdicts"] == sum(len(d.verdicts) for d in decided)
