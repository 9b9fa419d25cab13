"""Which signals are new, and which have ended, among a scan's decisions."""

from __future__ import annotations

import pandas as pd

from smcdesk.decisions.records import signal_rows
from smcdesk.store import Store
from smclab.candles import timeframe_ns
from smclab.decision import Decision

RANK = {"none": 0, "shadow": 1, "live": 2}  # outcomes by how much they ask of a trader


def first_evaluations(store: Store, labels: pd.DataFrame) -> pd.DataFrame:
    "Labels of setups that have none yet: a limit that waits is evaluated at every bar, and labelled at the first."
    labels = labels.drop_duplicates(["setup_id", "policy_hash"])
    stored = _first_seen(store, set(labels["setup_id"]), set(labels["policy_hash"]))
    first = [stored.get(key) for key in zip(labels["setup_id"], labels["policy_hash"], strict=True)]
    return labels[[t is None or t == time for t, time in zip(first, labels["time"].astype("int64"), strict=True)]]


def signal_versions(store: Store, decisions: list[Decision]) -> pd.DataFrame:  # columns of signals
    "A setup's first signal; and its end, when a later evaluation of a waiting limit allows less."
    first = {(r["setup_id"], r["policy_hash"], r["time"]): r for r in signal_rows(tuple(decisions)).to_dict("records")}
    ids, policies = {d.setup_id for d in decisions}, {d.policy_hash for d in decisions}
    newest = _stored_signals(store, ids, policies)
    seen, new = _first_seen(store, ids, policies), []
    for d in sorted(decisions, key=lambda d: d.time):
        key = (d.setup_id, d.policy_hash)
        row, before = first.get((*key, d.time)), newest.get(key)
        if before is None and row is not None and seen.get(key, d.time) == d.time:
            newest[key] = row | {"version": 1, "status": "new"}
        elif before is None or before["time"] >= d.time or before["status"] == "cancelled":
            continue
        elif RANK[d.outcome] < RANK[before["outcome_class"]]:
            ends = {"time": d.time, "expires_at": d.time + timeframe_ns(d.timeframe), "reason": d.why}
            newest[key] = before | ends | {"version": before["version"] + 1, "status": "cancelled"}
        if newest.get(key) is not before:
            new.append(newest[key])
    return pd.DataFrame(new)


def _stored_signals(store: Store, ids: set[str], policies: set[str]) -> dict[tuple[str, str], dict]:
    "The newest stored signal of each setup, as a row to be stored."
    found = store.signals(setup_id=list(ids), policy_hash=list(policies)).drop(columns="recorded_at")
    return {
        (row["setup_id"], row["policy_hash"]): row | {n: row[n].value for n in ("time", "expires_at")}
        for row in found.to_dict("records")
    }


def _first_seen(store: Store, ids: set[str], policies: set[str]) -> dict[tuple[str, str], int]:  # ns UTC
    "When each setup was evaluated first."
    labels = store.labels(setup_id=list(ids), policy_hash=list(policies))
    return {(r.setup_id, r.policy_hash): r.time.value for r in labels.itertuples()}
