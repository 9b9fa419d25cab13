"""The store: rows are written once, later facts are filled in once, and reading never changes anything."""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock
from filelock import Timeout as LockTimeout
from sqlalchemy import Connection, Table, and_, bindparam, delete, false, func, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from smcdesk.store import engine as engines
from smcdesk.store import export, revisions
from smcdesk.store.decisions import ASKED_AGAIN, contradicted, each_once, from_rows, to_rows
from smcdesk.store.models import (
    OUTCOME_COLUMNS,
    BaselineRow,
    DecisionRow,
    InstrumentRow,
    LabelRow,
    MessageRow,
    SignalRow,
    VerdictRow,
)
from smcdesk.store.rows import (
    DAY_NS,
    checked_rows,
    contradiction,
    frame,
    is_missing,
    named,
    nanoseconds,
    value,
    without_repeats,
)
from smclab.candles import BadConfig, nearest, timeframe_ns
from smclab.decision import Decision
from smclab.instruments import Instrument

DECISIONS, VERDICTS, LABELS = DecisionRow.__table__, VerdictRow.__table__, LabelRow.__table__
SIGNALS, INSTRUMENTS, BASELINES = SignalRow.__table__, InstrumentRow.__table__, BaselineRow.__table__
MESSAGES = MessageRow.__table__
_ROWS = 500  # per statement that names them by key


class Store:
    "One database of the Desk. Writing twice is writing once; every write is all or nothing."

    def __init__(
        self,
        url: str | None = None,  # a database URL; None: SMCDESK_STORE_URL, else what conf says
        *,
        env: str | None = None,  # the environment whose conf is asked
        clock: Callable[[], int] = time.time_ns,  # for recorded_at
    ):
        self.url = engines.checked(url if url is not None else engines.store_url(env))
        self._engine, self._clock = engines.engine(self.url), clock
        self._within: Connection | None = None  # the transaction this store belongs to
        self._ready = False

    def __repr__(self) -> str:
        return f"Store({engines.shown(self.url)!r})"

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        "Let go of every connection; the store can be used again."
        self._engine.dispose()

    # --- shape ---

    def upgrade(self, to: str = "head") -> str | None:  # the revision it is at then
        "Make or move the tables to a revision; a second call does nothing, a concurrent one waits."
        with self._alone(), engines.writing(self._engine) as connection:
            revisions.move(connection, to)
            return revisions.current(connection)

    def downgrade(self, to: str) -> str | None:  # the revision it is at then; None for "base"
        "Move the tables back to a revision. What later revisions added is lost; `base` loses everything."
        self._ready = False
        return self.upgrade(to)

    def revision(self) -> str | None:
        "The revision the tables are at; None when there are none."
        if engines.is_sqlite(self.url) and not Path(self.url.database).exists():
            return None
        with engines.reading(self._engine) as connection:
            return revisions.current(connection)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        "SQLite: the file's folder, and its log mode, made by one process at a time."
        if not engines.is_sqlite(self.url):
            yield
            return
        file = Path(self.url.database)
        lock = FileLock(file.with_name(f".{file.name}.lock"), timeout=engines.WAIT_S)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except LockTimeout as error:
            raise engines.StoreDown(
                f"the store {file} is being upgraded by another process: wait and try again"
            ) from error
        except OSError as error:
            raise BadConfig(f"the store {file} cannot be made there: {error}") from error
        try:
            with engines.translate_errors(self.url), closing(self._engine.raw_connection()) as raw:
                raw.execute("PRAGMA journal_mode = WAL")  # readers do not wait for the writer
            yield
        finally:
            lock.release()

    def _check_ready(self) -> None:
        "Raise `BadConfig` when the tables are not the ones this program was written for."
        if self._ready:
            return
        here, wanted = self.revision(), revisions.head()
        if here != wanted:
            what = "has no tables yet" if here is None else f"is at revision {here!r}, this program needs {wanted!r}"
            cure = "run smcdesk store upgrade, or Store.upgrade(), once"
            raise BadConfig(f"the store {engines.shown(self.url)} {what}: {cure}")
        self._ready = True

    def now(self) -> int:  # ns UTC
        "The moment by the store's clock, for recorded_at."
        return self._clock()

    @contextmanager
    def hold(self, name: str) -> Iterator[bool]:  # False: another process holds it
        "Hold a lock of the database by its name, without waiting for it."
        if not engines.is_sqlite(self.url):
            number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
            with engines.translate_errors(self.url), self._engine.connect() as c:
                mine = c.exec_driver_sql(f"SELECT pg_try_advisory_lock({number})").scalar_one()
                c.commit()
                try:
                    yield mine
                finally:
                    if mine:
                        c.exec_driver_sql(f"SELECT pg_advisory_unlock({number})")
                        c.commit()
            return
        file = Path(self.url.database)
        lock = FileLock(file.with_name(f".{file.name}.{name}.lock"))
        try:
            lock.acquire(timeout=0)
        except LockTimeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    # --- transactions ---

    @contextmanager
    def transaction(self) -> Iterator[Store]:  # a store whose every call belongs to one transaction
        "Several writes as one: all of them, or none when an error leaves the block."
        with self._write() as connection:
            inner = copy.copy(self)
            inner._within = connection
            yield inner

    @contextmanager
    def connection(self, *, write: bool = False) -> Iterator[Connection]:
        "The transaction itself, for tables that have verbs of their own: the outbox."
        with self._write() if write else self._read() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        if self._within is not None:
            yield self._within
            return
        self._check_ready()
        with engines.writing(self._engine) as connection:
            yield connection

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        if self._within is not None:
            yield self._within
            return
        self._check_ready()
        with engines.reading(self._engine) as connection:
            yield connection

    # --- writing ---

    def record_instruments(self, instruments: Iterable[Instrument]) -> int:  # how many were new
        "Keep profiles as they are now; a changed profile is kept beside its former self."
        rows = [
            {
                "symbol": i.symbol,
                "profile_hash": i.hash(),
                "asset_class": i.asset_class,
                "quote_currency": i.quote_currency,
                "profile": i.to_dict(),
            }
            for i in instruments
        ]
        return self._record(INSTRUMENTS, rows, "A profile's hash is its content: this is a fault of the program.")

    def record_decisions(self, decisions: Iterable[Decision]) -> int:  # how many were new
        "Keep decisions with their verdicts; the same id with other content is a `Contradiction`."
        asked = each_once(decisions)
        new = 0
        with self._write() as connection:
            for some in _chunks(list(asked)):
                hashes = {name: asked[name].hash() for name in some}
                missing = self._unknown_decisions(connection, asked, hashes)
                rows = [to_rows(name, asked[name], hashes[name]) for name in missing]
                self._insert(connection, DECISIONS, checked_rows(DECISIONS, [head for head, _ in rows]))
                answers = checked_rows(VERDICTS, [answer for _, answers in rows for answer in answers])
                self._insert(connection, VERDICTS, answers, stamped=False)
                new += len(missing)
        return new

    def record_labels(self, rows: pd.DataFrame | Iterable[Mapping[str, Any]]) -> int:  # how many were new
        "Keep evaluated setups as they were known at decision time; outcomes come later, by `fill_outcomes`."
        return self._record(LABELS, rows, ASKED_AGAIN, hidden=("recorded_at", *OUTCOME_COLUMNS))

    def record_signals(self, rows: pd.DataFrame | Iterable[Mapping[str, Any]]) -> int:  # how many were new
        "Keep what was told about setups; a changed signal is a row with the next version."
        return self._record(SIGNALS, rows, "A signal that changed is a new row: give it the next version.")

    def record_messages(self, rows: pd.DataFrame | Iterable[Mapping[str, Any]]) -> int:  # how many were new
        "Put messages into the outbox; `smcdesk.notifications.outbox` sends them."
        return self._record(MESSAGES, rows, "Another message needs another key.")

    def fill_outcomes(self, rows: pd.DataFrame | Iterable[Mapping[str, Any]]) -> int:  # how many were filled
        "Add to labels what became known later; an outcome once known is never replaced by another."
        given = _outcomes(rows)
        key = ("setup_id", "policy_hash")
        filled = 0
        with self._write() as connection:
            for some in _chunks(given):
                stored = self._stored(connection, LABELS, some, (*key, "time", *OUTCOME_COLUMNS))
                new = [row for row in some if _is_new_outcome(row, stored.get((row["setup_id"], row["policy_hash"])))]
                if new:
                    which = and_(*(LABELS.c[k] == bindparam(f"the_{k}") for k in key), LABELS.c.outcome.is_(None))
                    change = update(LABELS).where(which).values({c: bindparam(f"its_{c}") for c in OUTCOME_COLUMNS})
                    connection.execute(
                        change, [{(f"the_{k}" if k in key else f"its_{k}"): v for k, v in row.items()} for row in new]
                    )
                filled += len(new)
        return filled

    def snapshot(
        self,
        name: str,  # what later rollouts will call it
        figures: Mapping[str, Any],  # plain values, with their sample sizes
        *,
        policy_hash: str,  # of the policy the figures were made by
        time: int | pd.Timestamp,  # what was known by then is in the figures
        note: str = "",
    ) -> int:  # 1, or 0 when it was there
        "Freeze figures under a name; the name can never mean other figures."
        row = {"name": name, "policy_hash": policy_hash, "time": time, "figures": figures, "note": note}
        return self._record(BASELINES, [row], "A baseline is frozen: choose another name.")

    def forget(
        self,
        policy_hash: str,
        instrument: str,
    ) -> int:  # how many rows are gone, verdicts not counted
        "Delete one policy's decisions, labels and signals on one instrument: for research that is run anew."
        with self._write() as connection:
            return sum(
                connection.execute(
                    delete(t).where(t.c.policy_hash == policy_hash, t.c.instrument == instrument)
                ).rowcount
                for t in (DECISIONS, LABELS, SIGNALS)
            )

    def _record(self, table: Table, rows, cure: str, hidden: tuple[str, ...] = ("recorded_at",)) -> int:
        "Insert what is new, compare what is not."
        key = _key(table)
        given = without_repeats(checked_rows(table, rows, hidden=hidden), key, table.name)
        new = 0
        with self._write() as connection:
            for some in _chunks(given):
                added = set(self._insert(connection, table, some))
                rest = [row for row in some if tuple(row[k] for k in key) not in added]
                stored = self._stored(connection, table, rest, tuple(rest[0])) if rest else {}
                for row in rest:
                    there = stored[tuple(row[k] for k in key)]
                    if there != row:
                        raise contradiction(f"{table.name} {named(row, key)}", there, row, cure)
                new += len(added)
        return new

    def _insert(self, connection: Connection, table: Table, rows: list[dict], stamped: bool = True) -> list[tuple]:
        "Insert rows whose key is not there yet; the keys of those that were not."
        return insert_new(connection, table, rows, self._clock() if stamped else None)

    def _stored(self, connection: Connection, table: Table, rows: list[dict], columns: tuple[str, ...]) -> dict:
        "The stored rows with the keys of `rows`, by key."
        key = _key(table)
        these = tuple_(*(table.c[k] for k in key)).in_([tuple(row[k] for k in key) for row in rows])
        found = connection.execute(select(*(table.c[c] for c in columns)).where(these)).mappings()
        return {tuple(row[k] for k in key): dict(row) for row in found}

    def _unknown_decisions(
        self,
        connection: Connection,
        asked: Mapping[str, Decision],
        hashes: Mapping[str, str],
    ) -> list[str]:  # names, in order
        "Which decisions are not stored yet; `Contradiction` when one is, with other content."
        id_, content = DECISIONS.c.decision_id, DECISIONS.c.content_hash
        stored = dict(connection.execute(select(id_, content).where(id_.in_(list(hashes)))).all())
        for name, there in stored.items():
            if there != hashes[name]:
                (before,) = self._whole(connection, id_ == name)
                raise contradicted(before, asked[name])
        return [name for name in hashes if name not in stored]

    # --- reading ---

    def labels(
        self,
        *,
        since: int | pd.Timestamp | None = None,  # first moment
        until: int | pd.Timestamp | None = None,  # first moment no longer wanted
        known_by: int | pd.Timestamp | None = None,  # rows and outcomes known later are not shown
        **where: Any,  # column = value, or a list of them; None is "not said"
    ) -> pd.DataFrame:  # every column of setup_labels, in order of time
        "Evaluated setups, with their outcomes where these are known."
        by = None if known_by is None else _moment("known_by", known_by)
        extra = [] if by is None else [LABELS.c.time <= by]
        found = self._frame(LABELS, since, until, where, extra)
        if by is not None:
            later = found["outcome_known_at"] > pd.Timestamp(by, tz="UTC")
            for name in OUTCOME_COLUMNS:
                found[name] = found[name].mask(later)
        return found

    def verdicts(self, *, since=None, until=None, **where: Any) -> pd.DataFrame:  # one row per decision and gate
        "Every gate's answer of the decisions that fit, beside what was decided; `where` as in `labels`."
        beside = ("decision_id", "setup_id", "instrument", "timeframe", "time", "outcome", "grade", "policy_hash")
        own = [c for c in VERDICTS.c if c.name != "decision_id"]
        columns = [*(DECISIONS.c[c] for c in beside), *own]
        query = select(*columns).join_from(DECISIONS, VERDICTS)
        query = query.where(*_conditions(DECISIONS, since, until, where, other={c.name: c for c in own}))
        query = query.order_by(DECISIONS.c.time, DECISIONS.c.decision_id, VERDICTS.c.position)
        with self._read() as connection:
            return frame(columns, connection.execute(query).all())

    def decisions(self, *, since=None, until=None, **where: Any) -> tuple[Decision, ...]:  # in order of time
        "The decisions that fit, whole, as they were made; `where` as in `labels`."
        with self._read() as connection:
            return self._whole(connection, *_conditions(DECISIONS, since, until, where))

    def signals(
        self,
        *,
        at: int | pd.Timestamp | None = None,  # only what held at this instant; None: every version
        since=None,
        until=None,
        **where: Any,  # as in `labels`
    ) -> pd.DataFrame:  # every column of signals, in order of time
        "What was told about setups; with `at`, each setup's newest version of then, if it still held."
        if at is None:
            return self._frame(SIGNALS, since, until, where)
        moment = _moment("at", at)
        key = [SIGNALS.c.setup_id, SIGNALS.c.policy_hash]
        with self._read() as connection:
            kept = connection.scalars(select(SIGNALS.c.timeframe).distinct()).all()
        told = [and_(SIGNALS.c.timeframe == tf, SIGNALS.c.time <= moment - timeframe_ns(tf)) for tf in kept]
        newest = select(*key, func.max(SIGNALS.c.version)).where(or_(false(), *told)).group_by(*key)
        holds = and_(SIGNALS.c.expires_at > moment, SIGNALS.c.status != "cancelled")
        extra = [tuple_(*key, SIGNALS.c.version).in_(newest), holds]
        return self._frame(SIGNALS, since, until, where, extra)

    def instruments(self, **where: Any) -> pd.DataFrame:
        "The profiles that were kept, oldest first."
        return self._frame(INSTRUMENTS, None, None, where)

    def baselines(self, **where: Any) -> pd.DataFrame:
        "The frozen figures, in order of time."
        return self._frame(BASELINES, None, None, where)

    def baseline(self, name: str) -> dict[str, Any]:  # name, policy_hash, time (ns), figures, note, recorded_at
        "One frozen baseline; an unknown name is refused with the nearest."
        with self._read() as connection:
            found = connection.execute(select(BASELINES).where(BASELINES.c.name == name)).mappings().one_or_none()
            names = connection.execute(select(BASELINES.c.name).order_by(BASELINES.c.name)).scalars().all()
        if found is None:
            known = ", ".join(names) or "none yet, freeze one by Store.snapshot"
            raise BadConfig(f"the store has no baseline {name!r}{nearest(name, names)} (known: {known})")
        return dict(found)

    def counts(self) -> dict[tuple[str, str], tuple[int, int]]:  # (policy_hash, instrument) -> decisions, labels
        "How much there is of each policy on each instrument."
        found: dict[tuple[str, str], list[int]] = {}
        with self._read() as connection:
            for n, table in enumerate((DECISIONS, LABELS)):
                key = (table.c.policy_hash, table.c.instrument)
                for policy, instrument, rows in connection.execute(select(*key, func.count()).group_by(*key)):
                    found.setdefault((policy, instrument), [0, 0])[n] = rows
        return {key: (decisions, labels) for key, (decisions, labels) in sorted(found.items())}

    def newest(
        self, policy_hash: str, instrument: str, timeframe: str
    ) -> int | None:  # ns UTC; None where none is kept
        "The bar of the newest decision of a policy on an instrument's timeframe."
        t = DECISIONS.c
        own = (t.policy_hash == policy_hash, t.instrument == instrument, t.timeframe == timeframe)
        with self._read() as connection:
            return connection.execute(select(func.max(t.time)).where(*own)).scalar_one()

    def days(self) -> tuple[pd.Timestamp, ...]:  # midnights, UTC
        "The UTC days on which there is anything to export."
        tables = (DECISIONS, LABELS, SIGNALS)
        with self._read() as connection:
            found = {
                d for t in tables for d in connection.execute(select(t.c.time - t.c.time % DAY_NS).distinct()).scalars()
            }
        return tuple(pd.Timestamp(d, tz="UTC") for d in sorted(found))

    def export(
        self,
        folder: Path | str,  # one folder per day is made in it
        day: str | pd.Timestamp,  # "2024-03-08", UTC
        *,
        formats: Iterable[str] = export.FORMATS,
    ) -> Path:  # the day's folder
        "Write a day's decisions, verdicts, labels and signals as files, the whole folder or none of it."
        start = export.midnight(day)
        span = {"since": start, "until": start + DAY_NS}
        with self._read() as connection:  # one moment for all four
            inner = copy.copy(self)
            inner._within = connection
            frames = {
                "decisions": inner._frame(DECISIONS, **span, where={}),
                "verdicts": inner.verdicts(**span),
                "setup_labels": inner.labels(**span),
                "signals": inner.signals(**span),
            }
        return export.write(Path(folder) / export.day_name(start), frames, tuple(formats))

    def _frame(self, table: Table, since, until, where: Mapping[str, Any], extra: Iterable = ()) -> pd.DataFrame:
        "The rows of a table that fit, in order of time and key."
        order = ([table.c.time] if "time" in table.c else [table.c.recorded_at]) + [table.c[k] for k in _key(table)]
        query = select(*table.c).where(*_conditions(table, since, until, where), *extra).order_by(*order)
        with self._read() as connection:
            return frame(list(table.c), connection.execute(query).all())

    def _whole(self, connection: Connection, *conditions) -> tuple[Decision, ...]:
        "Decisions put together from their rows."
        heads = select(DECISIONS.c.decision_id, DECISIONS.c.record).where(*conditions)
        heads = connection.execute(heads.order_by(DECISIONS.c.time, DECISIONS.c.decision_id)).all()
        answers = select(VERDICTS).join_from(VERDICTS, DECISIONS).where(*conditions).order_by(VERDICTS.c.position)
        told: dict[str, list[dict]] = {name: [] for name, _ in heads}
        for row in connection.execute(answers).mappings():
            told[row["decision_id"]].append(dict(row))
        return tuple(from_rows(record, told[name]) for name, record in heads)


def _key(table: Table) -> tuple[str, ...]:
    "The columns that name a row."
    return tuple(c.name for c in table.primary_key.columns)


def _chunks(items: list) -> Iterator[list]:
    "Items, a statement's worth at a time."
    return (items[i : i + _ROWS] for i in range(0, len(items), _ROWS))


def _moment(name: str, x: Any) -> int:
    "A moment of a filter, ns since 1970 UTC."
    found = nanoseconds(x)
    if found is None:
        raise BadConfig(f"{name} must be ns since 1970 UTC or a timestamp with its zone, after 1973; found {x!r}")
    return found


def _conditions(table: Table, since, until, where: Mapping[str, Any], other: Mapping[str, Any] | None = None) -> list:
    "Filters as SQL; an unknown column is refused with the nearest."
    columns = {**(other or {}), **{c.name: c for c in table.c}}
    found = [] if since is None else [table.c.time >= _moment("since", since)]
    found += [] if until is None else [table.c.time < _moment("until", until)]
    for name, wanted in where.items():
        if name not in columns:
            raise BadConfig(
                f"{table.name} has no column {name!r}{nearest(name, columns)} (known: {', '.join(columns)})"
            )
        column = columns[name]
        several = wanted if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
        said = [value(column, x, f"{table.name}, filter") for x in several if not is_missing(x)]
        unsaid = [column.is_(None)] if any(map(is_missing, several)) else []
        found.append(or_(column.in_(said), *unsaid))
    return found


def _outcomes(rows: pd.DataFrame | Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    "Rows of outcomes, checked, each once."
    own = ("setup_id", "policy_hash", *OUTCOME_COLUMNS)
    given = checked_rows(LABELS, rows, hidden=tuple(c.name for c in LABELS.c if c.name not in own))
    for n, row in enumerate(given):
        needed = ("outcome", "outcome_known_at", *(() if row["outcome"] == "never_filled" else ("actual_rr",)))
        for name in needed:
            if row[name] is None:
                raise BadConfig(f"outcomes, row {n} ({named(row, own[:2])}): {name} is missing")
    return without_repeats(given, own[:2], "outcomes")


def _is_new_outcome(row: Mapping[str, Any], stored: Mapping[str, Any] | None) -> bool:
    "Whether an outcome is to be written; raises when it cannot be one, or is known to be another."
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
    known = {k: stored[k] for k in OUTCOME_COLUMNS}
    told = {k: row[k] for k in OUTCOME_COLUMNS}
    if known != told:
        raise contradiction(f"the outcome of {which}", known, told, "Find out which is true; a known outcome stays.")
    return False


def insert_new(
    connection: Connection,
    table: Table,
    rows: list[dict[str, Any]],
    recorded_at: int | None = None,  # ns UTC; None: the table has no such column
) -> list[tuple]:  # the keys of those that were new
    "Insert rows whose key is not there yet."
    if not rows:
        return []
    key = _key(table)
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
    insert = insert.on_conflict_do_nothing(index_elements=key).returning(*(table.c[k] for k in key))
    if recorded_at is not None:
        rows = [{**row, "recorded_at": recorded_at} for row in rows]
    return [tuple(row) for row in connection.execute(insert, rows)]
