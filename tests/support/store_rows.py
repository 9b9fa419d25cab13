"""Rows for a store, as callers give them."""

from __future__ import annotations

from sqlalchemy import text

from smcdesk.store import Store, engine
from smcdesk.store.models import Base

T0 = 1_700_000_000_123_456_789  # ns: a digit in every place
BAR = 900_000_000_000
POLICY = "0123456789abcdef"


def label(n: int = 0, **values) -> dict:
    "A label's row."
    verdicts = [{"gate": "rr", "passed": True, "enforced": True, "reason": "1 £", "evidence": {"rr": 2.5}, "next": ""}]
    row = {
        "setup_id": f"{n:016x}", "policy_hash": POLICY, "version": "1", "instrument": "XAUUSD", "timeframe": "15m",
        "mode": "candle_close", "side": 1, "time": T0 + n * BAR, "grade": "A", "score": 0.1 + 0.2, "confidence": 71.5,
        "confidence_kind": "score", "outcome_class": "shadow", "verdicts": verdicts, "sweep_quality": 1 / 3,
        "fvg_quality": None, "poi_quality": None, "session": "london", "regime": "trend", "entry_spread_price": 0.25,
        "stop_distance_price": 3.21,
    }  # fmt: skip
    return row | values


def outcome(n: int = 0, **values) -> dict:
    "What became of a label."
    row = {
        "setup_id": f"{n:016x}", "policy_hash": POLICY, "outcome": "target", "outcome_known_at": T0 + (n + 9) * BAR,
        "actual_rr": 2.4, "mae_r": 0.3, "mfe_r": 2.5, "time_in_trade_bars": 8,
    }  # fmt: skip
    return row | values


def signal(version: int = 1, **values) -> dict:
    "A signal's row."
    row = {
        "setup_id": "aa", "policy_hash": POLICY, "version": version, "status": "new" if version == 1 else "amended",
        "outcome_class": "live", "instrument": "XAUUSD", "timeframe": "15m", "mode": "limit", "side": -1,
        "time": T0 + version * BAR, "expires_at": T0 + (version + 4) * BAR, "entry_price": 2000.0,
        "stop_price": 2004.5 - version, "target_price": 1987.4,
    }  # fmt: skip
    return row | values


def counts(store: Store) -> dict[str, int]:
    "Rows per table."
    with engine.reading(store._engine) as c:
        return {t.name: c.execute(text(f"SELECT count(*) FROM {t.name}")).scalar() for t in Base.metadata.sorted_tables}


def str_url(store: Store) -> str:
    return store.url.render_as_string(hide_password=False)
