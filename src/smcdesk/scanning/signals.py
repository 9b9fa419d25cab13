"""Which signals are new, and which have ended, among a scan's decisions."""

from __future__ import annotations

import pandas as pd

from smcdesk.decisions.records import signal_rows
from smcdesk.store import Store
from smclab.candles import timeframe_ns
from smclab.decision import Decision


def first_evaluations(store: Store, labels: pd.DataFrame) -> pd.DataFrame:
    "Labels of setups that have none yet: a limit that waits is evaluated at every bar, and labelled at the first."
    labels = labels.drop_duplicates(["setup_id", "policy_hash"])
    known = store.labels(setup_id=labels["setup_id"].tolist(), policy_hash=labels["policy_hash"].unique().tolist())
    known = known.set_index(["setup_id", "policy_hash"])["time"].to_dict()
    here = [known.get(key) for key in zip(labels["setup_id"], labels["policy_hash"], strict=True)]
    moments = pd.to_datetime(labels["time"].astype("int64"), utc=True)
    return labels[[k is None or k == t for k, t in zip(here, moments, strict=True)]]


_RANK = {"none": 0, "shadow": 1, "live": 2}


def signal_versions(store: Store, made: list[Decision]) -> pd.DataFrame:
    "What is told anew: a setup's first signal; and its end, when a later look at a waiting limit says less."
    first = {(r["setup_id"], r["policy_hash"], r["time"]): r for r in signal_rows(tuple(made)).to_dict("records")}
    ids, policies = {d.setup_id for d in made}, {d.policy_hash for d in made}
    told: dict[tuple, dict] = {}
    for row in (
        store.signals(setup_id=list(ids), policy_hash=list(policies)).drop(columns="recorded_at").to_dict("records")
    ):
        told[row["setup_id"], row["policy_hash"]] = row | {n: row[n].value for n in ("time", "expires_at")}
    seen, new = _first_seen(store, ids, policies), []
    for d in sorted(made, key=lambda d: d.time):
        key = (d.setup_id, d.policy_hash)
        row, before = first.get((*key, d.time)), told.get(key)
        if before is None and row is not None and seen.get(key, d.time) == d.time:
            told[key] = row | {"version": 1, "status": "new"}
        elif before is None or before["time"] >= d.time or before["status"] == "cancelled":
            continue
        elif _RANK[d.outcome] < _RANK[before["outcome_class"]]:
            ends = {"time": d.time, "expires_at": d.time + timeframe_ns(d.timeframe), "reason": d.why}
            told[key] = before | ends | {"version": before["version"] + 1, "status": "cancelled"}
        if told.get(key) is not before:
            new.append(told[key])
    return pd.DataFrame(new)


def _first_seen(store: Store, ids: set[str], policies: set[str]) -> dict[tuple, int]:  # ns UTC
    "When each setup was evaluated first."
    known = store.labels(setup_id=list(ids), policy_hash=list(policies))
    return {(r.setup_id, r.policy_hash): r.time.value for r in known.itertuples()}
