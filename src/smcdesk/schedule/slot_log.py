"""What became of each slot of a timetable."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from smcdesk.project.sqlite import transaction
from smcdesk.schedule.timetable import Settled, Slot, Timetable, _moment, _ns


def book_path(env: str | None = None) -> Path:
    "Where the book of an environment's timetable lies."
    from smcdesk.project import paths

    return paths.root() / "data" / "08_reporting" / f"schedule_{paths.check_env(env) or 'base'}.db"


_TABLES = """
CREATE TABLE IF NOT EXISTS slots (
    job TEXT NOT NULL, time_ns INTEGER NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, tries INTEGER NOT NULL,
    started_ns INTEGER NOT NULL, ended_ns INTEGER, PRIMARY KEY (job, time_ns)
);
CREATE TABLE IF NOT EXISTS jobs (job TEXT PRIMARY KEY, until_ns INTEGER NOT NULL);
"""


STATUSES = ("running", "ok", "failed", "skipped")


class SlotLog:
    "What became of every slot, in one SQLite file; every entry is written whole or not at all."

    def __init__(self, path: Path):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as c:
            c.executescript(_TABLES)

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self.path)

    @contextmanager
    def alone(self) -> Iterator[bool]:  # False: another process is at work
        "Hold the timetable; never wait for it."
        from filelock import FileLock, Timeout

        lock = FileLock(self.path.with_name(f".{self.path.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def last(self, schedule: Timetable, now: datetime) -> dict[str, Settled]:
        "What is settled of every job; one that was never seen is settled up to now, and so is a clock set back."
        with self._open() as c:
            for name in schedule.jobs:
                c.execute("INSERT INTO jobs VALUES (?, ?) ON CONFLICT DO NOTHING", (name, _ns(now)))
            c.execute("UPDATE jobs SET until_ns = ? WHERE until_ns > ?", (_ns(now), _ns(now)))
            until = dict(c.execute("SELECT job, until_ns FROM jobs"))
            found = {}
            for name, job in schedule.jobs.items():
                rows = c.execute("SELECT time_ns, status, tries FROM slots WHERE job = ?", (name,)).fetchall()
                ran = {t for t, status, _ in rows if t > until[name] and status in ("ok", "failed", "running")}
                stuck = {t for t, status, _ in rows if status == "running"}
                failed = {t for t, status, tries in rows if status == "failed" and tries <= job.retries}
                newest = max((t for t, status, _ in rows if status != "skipped"), default=0)
                again = stuck | (failed & {newest})  # whoever asks holds the timetable: what runs was interrupted
                found[name] = Settled(
                    *(_moment(until[name]), *(frozenset(map(_moment, x)) for x in (again, ran - again)))
                )
        return found

    def claim(self, slot: Slot, now: datetime) -> bool:  # False: it ran already
        "Write down that a slot is being run."
        with self._open() as c:
            row = c.execute("SELECT status FROM slots WHERE job = ? AND time_ns = ?", self._key(slot)).fetchone()
            if row and row[0] == "ok":
                return False
            c.execute(
                "INSERT INTO slots VALUES (?, ?, 'running', '', 1, ?, NULL) ON CONFLICT DO UPDATE SET "
                "status = 'running', tries = tries + 1, started_ns = excluded.started_ns, ended_ns = NULL, "
                "reason = CASE status WHEN 'running' THEN 'interrupted, run again' WHEN 'failed' THEN "
                "'failed before: ' || reason ELSE '' END",
                (*self._key(slot), _ns(now)),
            )
        return True

    def close(self, slot: Slot, status: str, reason: str, now: datetime) -> None:
        "Write down what became of a slot, and that it is settled."
        with self._open() as c:
            said = "reason = CASE WHEN ? = '' THEN reason ELSE ? END"
            values = (status, reason, reason, _ns(now), *self._key(slot))
            c.execute(f"UPDATE slots SET status = ?, {said}, ended_ns = ? WHERE job = ? AND time_ns = ?", values)
            self._settle(c, slot)

    def skip(self, slots: list[Slot], now: datetime) -> None:
        "Write down why slots are not run; one that failed keeps its own reason too."
        with self._open() as c:
            for slot in slots:
                c.execute(
                    "INSERT INTO slots VALUES (?, ?, 'skipped', ?, 0, ?, ?) ON CONFLICT DO UPDATE SET "
                    "status = CASE status WHEN 'running' THEN 'failed' ELSE status END, reason = CASE status WHEN "
                    "'running' THEN 'interrupted; ' WHEN 'failed' THEN reason || '; ' ELSE '' END || excluded.reason",
                    (*self._key(slot), slot.why_not, _ns(now), _ns(now)),
                )
                self._settle(c, slot)

    def entries(self, job: str | None = None) -> list[dict[str, Any]]:  # in order of time
        "Every slot that was settled or begun: job, time, status, reason, tries, started, ended."
        with self._open() as c:
            rows = c.execute("SELECT * FROM slots ORDER BY time_ns, job").fetchall()
        names = ("job", "time", "status", "reason", "tries", "started", "ended")
        moments = ("time", "started", "ended")
        return [
            {n: (v if n not in moments or v is None else _moment(v)) for n, v in zip(names, row, strict=True)}
            for row in rows
            if job in (None, row[0])
        ]

    @staticmethod
    def _key(slot: Slot) -> tuple[str, int]:
        return slot.job, _ns(slot.time)

    @staticmethod
    def _settle(c: sqlite3.Connection, slot: Slot) -> None:
        key = SlotLog._key(slot)
        c.execute(
            "INSERT INTO jobs VALUES (?, ?) ON CONFLICT DO UPDATE SET until_ns = MAX(until_ns, ?)", (*key, key[1])
        )
