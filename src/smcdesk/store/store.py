"""The store: rows are written once, later facts are filled in once, and reading never changes anything.

`Store` is the whole of it for callers; `recording` and `queries` hold the statements, `locks` who may go first.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Table

from smcdesk.store import engine as engines
from smcdesk.store import export, queries, recording, revisions
from smcdesk.store.decisions import DECIDED_AGAIN, each_once
from smcdesk.store.locks import named_lock, upgrade_lock
from smcdesk.store.models import OUTCOME_COLUMNS
from smcdesk.store.rows import DAY_NS, checked_rows, without_repeats
from smcdesk.store.tables import BASELINES, DECISIONS, INSTRUMENTS, LABELS, MESSAGES, SIGNALS, key_of
from smclab.candles import BadConfig
from smclab.decision import Decision
from smclab.instruments import Instrument

Rows = pd.DataFrame | Iterable[Mapping[str, Any]]


class Store:
    "One database of the Desk. Writing twice is writing once; every write is all or nothing."

    def __init__(
        self,
        url: str | None = None,  # a database URL; None: SMCDESK_STORE_URL, else what conf says
        *,
        env: str | None = None,  # the environment whose conf names the store
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
        "Close every connection; the store can be used again."
        self._engine.dispose()

    # --- shape ---

    def upgrade(self, to: str = "head") -> str | None:  # the revision it is at then
        "Make or move the tables to a revision; a second call does nothing, a concurrent one waits."
        revisions.check_revision(to)  # before a file is made
        with upgrade_lock(self._engine), engines.writing(self._engine) as connection:
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

    def _check_ready(self) -> None:
        "Raise `BadConfig` when the tables are not the ones this program was written for."
        if self._ready:
            return
        stands_at, wanted = self.revision(), revisions.head()
        if stands_at != wanted:
            what = (
                "has no tables yet"
                if stands_at is None
                else f"is at revision {stands_at!r}, this program needs {wanted!r}"
            )
            cure = "run smcdesk store upgrade, or Store.upgrade(), once"
            raise BadConfig(f"the store {engines.shown(self.url)} {what}: {cure}")
        self._ready = True

    def now(self) -> int:  # ns UTC
        "The moment by the store's clock, for recorded_at."
        return self._clock()

    def hold(self, name: str) -> AbstractContextManager[bool]:  # False: another process holds it
        "Hold a lock of the database by its name, without waiting for it."
        return named_lock(self._engine, name)

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
        "Store profiles as they are now; a changed profile is a row beside its former self."
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
        "Store decisions with their verdicts; the same id with other content is a `Contradiction`."
        offered = each_once(decisions)
        with self._write() as connection:
            return recording.record_decisions(connection, offered, self._clock())

    def record_labels(self, rows: Rows) -> int:  # how many were new
        "Store evaluated setups with what was known when they were decided; `fill_outcomes` adds what followed."
        return self._record(LABELS, rows, DECIDED_AGAIN, hidden=("recorded_at", *OUTCOME_COLUMNS))

    def record_signals(self, rows: Rows) -> int:  # how many were new
        "Store signals; a changed signal is a row with the next version."
        return self._record(SIGNALS, rows, "A signal that changed is a new row: give it the next version.")

    def record_messages(self, rows: Rows) -> int:  # how many were new
        "Put messages into the outbox; `smcdesk.notifications.outbox` sends them."
        return self._record(MESSAGES, rows, "Another message needs another key.")

    def fill_outcomes(self, rows: Rows) -> int:  # how many were filled
        "Add to labels what became known later; an outcome once stored is never replaced by another."
        outcomes = recording.checked_outcomes(rows)
        with self._write() as connection:
            return recording.fill_outcomes(connection, outcomes)

    def snapshot(
        self,
        name: str,  # by which later rollouts are compared with it
        figures: Mapping[str, Any],  # plain values, with their sample sizes
        *,
        policy_hash: str,  # of the policy the figures are about
        time: int | pd.Timestamp,  # what was known by then is in the figures
        note: str = "",
    ) -> int:  # 1, or 0 when the same was stored already
        "Freeze figures under a name; the name can never mean other figures."
        row = {"name": name, "policy_hash": policy_hash, "time": time, "figures": figures, "note": note}
        return self._record(BASELINES, [row], "A baseline is frozen: choose another name.")

    def forget(self, policy_hash: str, instrument: str) -> int:  # rows gone, verdicts not counted
        "Delete one policy's decisions, labels and signals on one instrument: for research that is run anew."
        with self._write() as connection:
            return recording.forget(connection, policy_hash, instrument)

    def _record(self, table: Table, rows: Rows, cure: str, hidden: tuple[str, ...] = ("recorded_at",)) -> int:
        "Insert what is new, compare what is not."
        checked = without_repeats(checked_rows(table, rows, hidden=hidden), key_of(table), table.name)
        with self._write() as connection:
            return recording.record_rows(connection, table, checked, cure, self._clock())

    # --- reading ---

    def labels(
        self,
        *,
        since: int | pd.Timestamp | None = None,  # first moment
        until: int | pd.Timestamp | None = None,  # first moment no longer wanted
        known_by: int | pd.Timestamp | None = None,  # rows and outcomes known later are not shown
        **where: Any,  # column = value, or a list of them; None: the column is empty
    ) -> pd.DataFrame:  # every column of setup_labels, in order of time
        "Evaluated setups, with their outcomes where these are known."
        by = None if known_by is None else queries.moment("known_by", known_by)
        found = self._frame(LABELS, since, until, where, [] if by is None else [LABELS.c.time <= by])
        if by is not None:
            later = found["outcome_known_at"] > pd.Timestamp(by, tz="UTC")
            for name in OUTCOME_COLUMNS:
                found[name] = found[name].mask(later)
        return found

    def verdicts(self, *, since=None, until=None, **where: Any) -> pd.DataFrame:  # one row per decision and gate
        "Every gate's answer of the decisions that fit, beside what was decided; `where` as in `labels`."
        with self._read() as connection:
            return queries.verdict_frame(connection, since, until, where)

    def decisions(
        self,
        *,
        since=None,
        until=None,
        verified: bool = True,  # False: also decisions that do not match their hash
        **where: Any,
    ) -> tuple[Decision, ...]:  # in order of time
        "The decisions that fit, whole; `where` as in `labels`. `StoreDamaged` names one that does not match its hash."
        with self._read() as connection:
            fitting = queries.conditions(DECISIONS, since, until, where)
            return queries.whole_decisions(connection, *fitting, verified=verified)

    def signals(
        self,
        *,
        at: int | pd.Timestamp | None = None,  # only what held at this instant; None: every version
        since=None,
        until=None,
        **where: Any,  # as in `labels`
    ) -> pd.DataFrame:  # every column of signals, in order of time
        "Signals of setups; with `at`, each setup's newest version of then, if it still held."
        if at is None:
            return self._frame(SIGNALS, since, until, where)
        moment = queries.moment("at", at)
        with self._read() as connection:
            holds = queries.in_force(connection, moment)
            return queries.table_frame(connection, SIGNALS, since, until, where, holds)

    def instruments(self, **where: Any) -> pd.DataFrame:
        "The stored profiles, oldest first."
        return self._frame(INSTRUMENTS, None, None, where)

    def baselines(self, **where: Any) -> pd.DataFrame:
        "The frozen figures, in order of time."
        return self._frame(BASELINES, None, None, where)

    def baseline(self, name: str) -> dict[str, Any]:  # name, policy_hash, time (ns), figures, note, recorded_at
        "One frozen baseline; an unknown name is refused with the nearest."
        with self._read() as connection:
            return queries.baseline(connection, name)

    def counts(self) -> dict[tuple[str, str], tuple[int, int]]:  # (policy_hash, instrument) -> decisions, labels
        "How much there is of each policy on each instrument."
        with self._read() as connection:
            return queries.counts(connection)

    def newest(self, policy_hash: str, instrument: str, timeframe: str) -> int | None:  # ns UTC; None where none is
        "The bar of the newest decision of a policy on an instrument's timeframe."
        with self._read() as connection:
            return queries.newest(connection, policy_hash, instrument, timeframe)

    def days(self) -> tuple[pd.Timestamp, ...]:  # midnights, UTC
        "The UTC days on which there is anything to export."
        with self._read() as connection:
            return queries.days(connection)

    def export(
        self,
        folder: Path | str,  # one folder per day is created in it
        day: str | pd.Timestamp,  # "2024-03-08", UTC
        *,
        formats: Iterable[str] = export.FORMATS,
    ) -> Path:  # the day's folder
        "Write a day's decisions, verdicts, labels and signals as files, the whole folder or none of it."
        start = export.midnight(day)
        span = {"since": start, "until": start + DAY_NS, "where": {}}
        with self._read() as connection:  # one moment for all four
            queries.whole_decisions(connection, *queries.conditions(DECISIONS, **span))  # refuses damaged ones
            frames = {
                "decisions": queries.table_frame(connection, DECISIONS, **span),
                "verdicts": queries.verdict_frame(connection, **span),
                "setup_labels": queries.table_frame(connection, LABELS, **span),
                "signals": queries.table_frame(connection, SIGNALS, **span),
            }
        return export.write(Path(folder) / export.day_name(start), frames, tuple(formats))

    def _frame(self, table: Table, since, until, where: Mapping[str, Any], extra: Iterable = ()) -> pd.DataFrame:
        "The rows of a table that fit, in order of time and key."
        with self._read() as connection:
            return queries.table_frame(connection, table, since, until, where, extra)
