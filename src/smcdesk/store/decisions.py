"""A decision and its rows: its name, the rows that store it, and the decision they give back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from smcdesk.store.models import RESTORE, StoreDamaged
from smcdesk.store.rows import Contradiction, contradiction, differences, plain
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
    head: Mapping[str, Any],  # a row of decisions, its record as stored text
    verdicts: list[dict[str, Any]],  # its rows of verdicts in order of position, their evidence as stored text
    verified: bool = True,  # False: what is stored, where it is a decision at all
) -> Decision:
    "The decision its rows keep, or `StoreDamaged` where they are not the ones that were written."
    try:
        record = json.loads(head["record"])
        answers = [{k: v for k, v in row.items() if k not in ("decision_id", "position")} for row in verdicts]
        values = {**record, "verdicts": [{**row, "evidence": json.loads(row["evidence"])} for row in answers]}
        found, columns = from_dict(values), {k: record[k] for k in _SAME} | {k: record.get(k) for k in _GRADED}
        same = not verified
        if verified and decision_id(found) == head["decision_id"] and all(head[k] == v for k, v in columns.items()):
            same = _hash(values) == head["content_hash"]
    except (ValueError, TypeError, KeyError, AttributeError):
        same = False
    if not same:
        when = pd.Timestamp(head["time"], unit="ns", tz="UTC").isoformat()
        raise StoreDamaged(
            f"decision {head['decision_id']} ({head['instrument']} {head['timeframe']}, {when}) is stored with other "
            f"content than its hash {head['content_hash']}: {RESTORE}"
        )
    return found


def _hash(values: dict[str, Any]) -> str:
    "`Decision.hash` of plain values."
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


SAME_DIGITS = 1e-9  # decided by an earlier version or on another machine, the last bits of a number may differ


def different(stored: Decision, again: Decision) -> list[str]:  # "grade: stored 'A', offered 'A+'"
    "Where a decision that was made again differs from the stored one, by more than the last bits of a number."
    return list(differences(plain(stored.to_dict()), plain(again.to_dict()), rel_tol=SAME_DIGITS))


def contradicted(stored: Decision, offered: Decision) -> Contradiction:
    "The error for a decision offered again with other content."
    when = pd.Timestamp(offered.time, tz="UTC").isoformat()
    what = (
        f"decision {decision_id(offered)} (setup {offered.setup_id or 'none'}, {offered.instrument}, {when}; "
        f"stored {stored.hash()}, offered {offered.hash()})"
    )
    return contradiction(what, plain(stored.to_dict()), plain(offered.to_dict()), DECIDED_AGAIN)
