"""A decision and its rows: its name, the rows that store it, and the decision they give back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import pandas as pd

from smcdesk.store.rows import Contradiction, contradiction, plain
from smclab.decision import Decision, from_dict

DECIDED_AGAIN = "If it was decided anew on purpose, Store.forget the old rows first, or use another store."
_SAME = ("setup_id", "instrument", "timeframe", "time", "outcome", "why", "next", "policy_hash")
_GRADED = ("grade", "score", "confidence", "confidence_kind")  # None where the decision does not say


def decision_id(
    decision: Decision,
) -> str:  # 16 hex digits
    "The id of a decision: which setup (or bar, where there is none), when, by which policy."
    d = decision
    text = "|".join(map(str, (d.setup_id, d.instrument, d.timeframe, d.time, d.policy_hash)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def each_once(
    decisions: Iterable[Decision],
) -> dict[str, Decision]:  # by decision_id, in its order
    "The decisions of one batch by name; the same name with other content is a `Contradiction`."
    unique: dict[str, Decision] = {}
    for d in decisions:
        first = unique.setdefault(decision_id(d), d)
        if first is not d and first.hash() != d.hash():
            raise contradicted(first, d)
    return dict(sorted(unique.items()))


def to_rows(
    name: str,  # its decision_id
    decision: Decision,
    content_hash: str,  # its hash, which is slow enough to be computed once
) -> tuple[dict[str, Any], list[dict[str, Any]]]:  # its own row, and one per verdict
    "The rows that store a decision."
    record = decision.to_dict()
    verdicts = record.pop("verdicts")
    head = {"decision_id": name, "content_hash": content_hash, "record": record}
    head |= {k: record[k] for k in _SAME} | {k: record.get(k) for k in _GRADED}
    return head, [{"decision_id": name, "position": n, **v} for n, v in enumerate(verdicts, 1)]


def from_rows(
    record: dict[str, Any],
    verdicts: list[dict[str, Any]],  # in order of position
) -> Decision:
    "The decision its rows store."
    answers = [{k: v for k, v in row.items() if k not in ("decision_id", "position")} for row in verdicts]
    return from_dict({**record, "verdicts": answers})


def contradicted(stored: Decision, offered: Decision) -> Contradiction:
    "The error for a decision offered again with other content."
    when = pd.Timestamp(offered.time, tz="UTC").isoformat()
    what = (
        f"decision {decision_id(offered)} (setup {offered.setup_id or 'none'}, {offered.instrument}, {when}; "
        f"stored {stored.hash()}, offered {offered.hash()})"
    )
    return contradiction(what, plain(stored.to_dict()), plain(offered.to_dict()), DECIDED_AGAIN)
