"""What writes rows, inside a transaction: what is new is inserted, what is stored is compared and never replaced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Table, and_, bindparam, delete, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from smcdesk.store.decisions import contradicted, different, to_rows
from smcdesk.store.models import OUTCOME_COLUMNS
from smcdesk.store.queries import whole_decisions
from smcdesk.store.rows import checked_rows, contradiction, named, without_repeats
from smcdesk.store.tables import DECISIONS, LABELS, SIGNALS, VERDICTS, key_of
from smclab.candles import BadConfig
from smclab.decision import Decision

_ROWS = 500  # per statement that names them by key


def insert_new(
    connection: Connection,
    table: Table,
    rows: list[dict[str, Any]],
    recorded_at: int | None = None,  # ns UTC; None: the table has no such column
) -> list[tuple]:  # the keys of those that were new
    "Insert rows whose key is not there yet."
    if not rows:
        return []
    key = key_of(table)
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
    insert = insert.on_conflict_do_nothing(index_elements=key).returning(*(table.c[k] for k in key))
    if recorded_at is not None:
        rows = [{**row, "recorded_at": recorded_at} for row in rows]
    return [tuple(row) for row in connection.execute(insert, rows)]


def record_rows(
    connection: Connection,
    table: Table,
    rows: list[dict[str, Any]],  # checked, each once
    cure: str,  # what to do about a contradiction
    recorded_at: int,  # ns UTC
) -> int:  # how many were new
    "Insert what is new, compare what is not."
    key, new = key_of(table), 0
    for some in _chunks(rows):
        added = set(insert_new(connection, table, some, recorded_at))
        rest = [row for row in some if tuple(row[k] for k in key) not in added]
        stored = _stored(connection, table, rest, tuple(rest[0])) if rest else {}
        for row in rest:
            existing = stored[tuple(row[k] for k in key)]
            if existing != row:
                raise contradiction(f"{table.name} {named(row, key)}", existing, row, cure)
        new += len(added)
    return new


def record_decisions(
    connection: Connection,
    offered: Mapping[str, Decision],  # by decision_id
    recorded_at: int,  # ns UTC
) -> int:  # how many were new
    "Insert decisions with their verdicts; the same id with other content is a `Contradiction`."
    new = 0
    for some in _chunks(list(offered)):
        hashes = {name: offered[name].hash() for name in some}
        missing = _missing_decisions(connection, offered, hashes)
        rows = [to_rows(name, offered[name], hashes[name]) for name in missing]
        insert_new(connection, DECISIONS, checked_rows(DECISIONS, [head for head, _ in rows]), recorded_at)
        insert_new(connection, VERDICTS, checked_rows(VERDICTS, [answer for _, answers in rows for answer in answers]))
        new += len(missing)
    return new


def _missing_decisions(
    connection: Connection,
    offered: Mapping[str, Decision],
    hashes: Mapping[str, str],
) -> list[str]:  # names, in order
    "Which decisions are not stored yet; `Contradiction` when one is, with other content."
    id_, content = DECISIONS.c.decision_id, DECISIONS.c.content_hash
    stored = dict(connection.execute(select(id_, content).where(id_.in_(list(hashes)))).all())
    for name, content_hash in stored.items():
        if content_hash != hashes[name]:
            (before,) = whole_decisions(connection, id_ == name)
            if different(before, offered[name]):
                raise contradicted(before, offered[name])
    return [name for name in hashes if name not in stored]


def checked_outcomes(rows: pd.DataFrame | Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    "Rows of outcomes, checked, each once."
    own = ("setup_id", "policy_hash", *OUTCOME_COLUMNS)
    given = checked_rows(LABELS, rows, hidden=tuple(c.name for c in LABELS.c if c.name not in own))
    for n, row in enumerate(given):
        needed = ("outcome", "outcome_known_at", *(() if row["outcome"] == "never_filled" else ("actual_rr",)))
        for name in needed:
            if row[name] is None:
                raise BadConfig(f"outcomes, row {n} ({named(row, own[:2])}): {name} is missing")
    return without_repeats(given, own[:2], "outcomes")


def fill_outcomes(
    connection: Connection,
    outcomes: list[dict[str, Any]],  # checked
) -> int:  # how many were filled
    "Add outcomes to labels that have none; one that is stored stays."
    key, filled = ("setup_id", "policy_hash"), 0
    for some in _chunks(outcomes):
        stored = _stored(connection, LABELS, some, (*key, "time", *OUTCOME_COLUMNS))
        new = [row for row in some if _is_new_outcome(row, stored.get((row["setup_id"], row["policy_hash"])))]
        if new:
            which = and_(*(LABELS.c[k] == bindparam(f"the_{k}") for k in key), LABELS.c.outcome.is_(None))
            change = update(LABELS).where(which).values({c: bindparam(f"its_{c}") for c in OUTCOME_COLUMNS})
            connection.execute(
                change, [{(f"the_{k}" if k in key else f"its_{k}"): v for k, v in row.items()} for row in new]
            )
        filled += len(new)
    return filled


def _is_new_outcome(row: Mapping[str, Any], stored: Mapping[str, Any] | None) -> bool:
    "Whether an outcome is to be written; raises when it cannot be one, or another is stored."
    which = named(row, ("setup_id", "policy_hash"))
    if stored is None:
        raise BadConfig(f"there is no label with {which}: record_labels comes first")
    if row["outcome_known_at"] <= stored["time"]:
        raise BadConfig(
            f"the outcome of {which} is known at {row['outcome_known_at']}, not after the label's time "
            f"{stored['time']}: an outcome is a later fact"
        )
    if stored["outcome"] is None:
        return True
    before = {k: stored[k] for k in OUTCOME_COLUMNS}
    offered = {k: row[k] for k in OUTCOME_COLUMNS}
    if before != offered:
        cure = "Find out which is true; a known outcome stays."
        raise contradiction(f"the outcome of {which}", before, offered, cure)
    return False


def forget(
    connection: Connection,
    policy_hash: str,
    instrument: str,
) -> int:  # rows gone, verdicts not counted
    "Delete one policy's decisions, labels and signals on one instrument."
    return sum(
        connection.execute(delete(t).where(t.c.policy_hash == policy_hash, t.c.instrument == instrument)).rowcount
        for t in (DECISIONS, LABELS, SIGNALS)
    )


def _stored(connection: Connection, table: Table, rows: list[dict], columns: tuple[str, ...]) -> dict[tuple, dict]:
    "The stored rows with the keys of `rows`, by key."
    key = key_of(table)
    these = tuple_(*(table.c[k] for k in key)).in_([tuple(row[k] for k in key) for row in rows])
    found = connection.execute(select(*(table.c[c] for c in columns)).where(these)).mappings()
    return {tuple(row[k] for k in key): dict(row) for row in found}


def _chunks(items: list) -> Iterator[list]:
    "Items, a statement's worth at a time."
    return (items[i : i + _ROWS] for i in range(0, len(items), _ROWS))
