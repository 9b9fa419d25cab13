"""Labels written by hand, for what a rollout counts."""

import pandas as pd

from smcdesk.project.config import load_config
from smcdesk.store.tables import LABELS
from smclab.policy import Policy

T0 = pd.Timestamp("2024-03-04 08:00", tz="UTC")
BAR = pd.Timedelta("15min")
SURE = {"A+": 45.0, "A": 60.0}
GATES = ("pre_filters", "killzone", "rr", "grade")


def label(n, refused=(), grade="A", r=None, **values):
    """A label by hand: which gates refuse it, and what became of it in R."""
    answers = [
        {"gate": g, "passed": g not in refused, "enforced": True, "reason": f"{g} says", "evidence": {}, "next": ""}
        for g in GATES
    ]
    row = {
        "setup_id": f"{n:016x}", "policy_hash": "f" * 16, "version": "2", "instrument": "EURUSD", "timeframe": "15m",
        "mode": "candle_close", "side": 1, "time": T0 + n * BAR, "grade": grade, "score": 72.0, "confidence": 72.0,
        "confidence_kind": "score", "outcome_class": "shadow" if refused else "live", "verdicts": answers,
        "session": "london", "entry_type": "market", "entry_price": 1.1, "stop_price": 1.09, "target_price": 1.13,
    }  # fmt: skip
    if r is not None:
        row |= {"outcome": "target" if r > 0 else "stop", "outcome_known_at": T0 + (n + 5) * BAR, "actual_rr": r}
        row |= {"mae_r": 0.5, "mfe_r": max(r, 0.0), "time_in_trade_bars": 4}
    return row | values


def table(rows):
    """Rows as store.labels gives them."""
    return pd.DataFrame(rows, columns=[c.name for c in LABELS.c]).assign(
        time=lambda t: pd.to_datetime(t["time"], utc=True),
        outcome_known_at=lambda t: pd.to_datetime(t["outcome_known_at"], utc=True),
    )


SOME = [
    label(0, r=2.0),
    label(1, r=-1.0, grade="A+", session=None),
    label(2, ["killzone", "rr"], r=3.0),
    label(3, ["killzone"], instrument="XAUUSD"),
    label(4, ["grade"], grade="A+", r=2.5),
    label(5, ["grade"], grade="NO_TRADE", outcome_class="none", score=40.0),
]


def record_labelled(store, rows, policy_hash):
    """Hand-made labels in the store, with what became of them."""
    rows = [row | {"policy_hash": policy_hash} for row in rows]
    own = (
        "setup_id",
        "policy_hash",
        "outcome",
        "outcome_known_at",
        "actual_rr",
        "mae_r",
        "mfe_r",
        "time_in_trade_bars",
    )
    store.record_labels([{k: v for k, v in row.items() if k not in own[2:]} for row in rows])
    store.fill_outcomes([{k: row[k] for k in own} for row in rows if "outcome" in row])


CONF = Policy.from_dict(load_config("base").parameters["policy"]).hash()
