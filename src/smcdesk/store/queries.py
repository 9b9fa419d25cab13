"""What reads rows, inside a transaction: filters by column, tables in order of time, decisions put together again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Connection, Table, Text, and_, false, func, or_, select, tuple_, type_coerce

from smcdesk.store.decisions import from_rows
from smcdesk.store.rows import DAY_NS, frame, is_missing, nanoseconds, value
from smcdesk.store.tables import BASELINES, DECISIONS, LABELS, SIGNALS, VERDICTS, key_of
from smclab.candles import BadConfig, nearest, timeframe_ns
from smclab.decision import Decision


def moment(name: str, x: Any) -> int:  # ns UTC
    "A moment of a filter; `BadConfig` names the filter it cannot be used for."
    found = nanoseconds(x)
    if found is None:
        raise BadConfig(f"{name} must be ns since 1970 UTC or a timestamp with its zone, after 1973; found {x!r}")
    return found


def conditions(
    table: Table,
    since: Any,
    until: Any,
    where: Mapping[str, Any],  # column = value, or a list of them; None: the column is empty
    other: Mapping[str, Any] | None = None,  # columns of joined tables
) -> list[ColumnElement[bool]]:
    "Filters as SQL; an unknown column is refused with the nearest."
    columns = {**(other or {}), **{c.name: c for c in table.c}}
    found = [] if since is None else [table.c.time >= moment("since", since)]
    found += [] if until is None else [table.c.time < moment("until", until)]
    for name, wanted in where.items():
        if name not in columns:
            raise BadConfig(
                f"{table.name} has no column {name!r}{nearest(name, columns)} (known: {', '.join(columns)})"
            )
        column = columns[name]
        several = wanted if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
        values = [value(column, x, f"{table.name}, filter") for x in several if not is_missing(x)]
        empty = [column.is_(None)] if any(map(is_missing, several)) else []
        found.append(or_(column.in_(values), *empty))
    return found


def table_frame(
    connection: Connection,
    table: Table,
    since: Any,
    until: Any,
    where: Mapping[str, Any],
    extra: Iterable[ColumnElement[bool]] = (),
) -> pd.DataFrame:
    "The rows of a table that fit, in order of time and key."
    order = ([table.c.time] if "time" in table.c else [table.c.recorded_at]) + [table.c[k] for k in key_of(table)]
    query = select(*table.c).where(*conditions(table, since, until, where), *extra).order_by(*order)
    return frame(list(table.c), connection.execute(query).all())


def verdict_frame(connection: Connection, since: Any, until: Any, where: Mapping[str, Any]) -> pd.DataFrame:
    "Verdicts beside the headline of their decisions."
    beside = ("decision_id", "setup_id", "instrument", "timeframe", "time", "outcome", "grade", "policy_hash")
    own = [c for c in VERDICTS.c if c.name != "decision_id"]
    columns = [*(DECISIONS.c[c] for c in beside), *own]
    query = select(*columns).join_from(DECISIONS, VERDICTS)
    query = query.where(*conditions(DECISIONS, since, until, where, other={c.name: c for c in own}))
    query = query.order_by(DECISIONS.c.time, DECISIONS.c.decision_id, VERDICTS.c.position)
    return frame(columns, connection.execute(query).all())


def whole_decisions(connection: Connection, *where: ColumnElement[bool], verified: bool = True) -> tuple[Decision, ...]:
    "Decisions put together from their rows, in order of time; `StoreDamaged` where one is not as it was written."
    columns = [_as_text(c, "record") for c in DECISIONS.c if c.name != "recorded_at"]
    heads = select(*columns).where(*where).order_by(DECISIONS.c.time, DECISIONS.c.decision_id)
    heads = connection.execute(heads).mappings().all()
    answers = select(*(_as_text(c, "evidence") for c in VERDICTS.c)).join_from(VERDICTS, DECISIONS)
    verdicts: dict[str, list[dict]] = {row["decision_id"]: [] for row in heads}
    for row in connection.execute(answers.where(*where).order_by(VERDICTS.c.position)).mappings():
        verdicts[row["decision_id"]].append(dict(row))
    return tuple(from_rows(row, verdicts[row["decision_id"]], verified) for row in heads)


def _as_text(column: ColumnElement, name: str) -> ColumnElement:
    "A column; the one of JSON by this name as the text that is stored."
    return type_coerce(column, Text).label(name) if column.name == name else column


def in_force(connection: Connection, at: int) -> list[ColumnElement[bool]]:  # at: ns UTC
    "The condition that a signal is its setup's newest version of a moment, and still holds then."
    key = [SIGNALS.c.setup_id, SIGNALS.c.policy_hash]
    timeframes = connection.scalars(select(SIGNALS.c.timeframe).distinct()).all()
    closed = [and_(SIGNALS.c.timeframe == tf, SIGNALS.c.time <= at - timeframe_ns(tf)) for tf in timeframes]
    newest = select(*key, func.max(SIGNALS.c.version)).where(or_(false(), *closed)).group_by(*key)
    holds = and_(SIGNALS.c.expires_at > at, SIGNALS.c.status != "cancelled")
    return [tuple_(*key, SIGNALS.c.version).in_(newest), holds]


def baseline(connection: Connection, name: str) -> dict[str, Any]:
    "One frozen baseline; an unknown name is refused with the nearest."
    found = connection.execute(select(BASELINES).where(BASELINES.c.name == name)).mappings().one_or_none()
    if found is None:
        names = connection.execute(select(BASELINES.c.name).order_by(BASELINES.c.name)).scalars().all()
        existing = ", ".join(names) or "none yet, freeze one by Store.snapshot"
        raise BadConfig(f"the store has no baseline {name!r}{nearest(name, names)} (known: {existing})")
    return dict(found)


def counts(connection: Connection) -> dict[tuple[str, str], tuple[int, int]]:
    "Decisions and labels by policy and instrument."
    found: dict[tuple[str, str], list[int]] = {}
    for n, table in enumerate((DECISIONS, LABELS)):
        key = (table.c.policy_hash, table.c.instrument)
        for policy, instrument, rows in connection.execute(select(*key, func.count()).group_by(*key)):
            found.setdefault((policy, instrument), [0, 0])[n] = rows
    return {key: (decisions, labels) for key, (decisions, labels) in sorted(found.items())}


def newest(connection: Connection, policy_hash: str, instrument: str, timeframe: str) -> int | None:
    "The bar of the newest decision of a policy on an instrument's timeframe, ns UTC."
    t = DECISIONS.c
    own = (t.policy_hash == policy_hash, t.instrument == instrument, t.timeframe == timeframe)
    return connection.execute(select(func.max(t.time)).where(*own)).scalar_one()


def days(connection: Connection) -> tuple[pd.Timestamp, ...]:
    "The UTC days with decisions, labels or signals, by their midnights."
    tables = (DECISIONS, LABELS, SIGNALS)
    found = {d for t in tables for d in connection.execute(select(t.c.time - t.c.time % DAY_NS).distinct()).scalars()}
    return tuple(pd.Timestamp(d, tz="UTC") for d in sorted(found))
