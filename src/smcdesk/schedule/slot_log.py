"""What became of each slot of a timetable: a table of the environment's store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, select, update
from sqlalchemy.dialects import postgresql, sqlite

from smcdesk.schedule.timetable import Settled, Slot, Timetable, moment_of, ns_of
from smcdesk.store import Store
from smcdesk.store.models import JobRow, SlotRow
from smcdesk.store.recording import insert_new

SLOTS, JOBS = SlotRow.__table__, JobRow.__table__
NAMES = ("job", "time", "status", "reason", "tries", "started", "ended")


class SlotLog:
    "What became of every slot; every entry is written whole or not at all, and machines that share a store share it."

    def __init__(self, store: Store):
        self.store = store

    @contextmanager
    def alone(self) -> Iterator[bool]:  # False: another process is at work
        "Hold the timetable's lock for the block; False, without waiting, where another process has it."
        with self.store.hold("timetable") as mine:
            yield mine

    def last(self, schedule: Timetable, now: datetime) -> dict[str, Settled]:
        "What is settled of every job; a new job is settled up to now, and so is one whose clock was set back."
        with self.store.connection(write=True) as c:
            insert_new(c, JOBS, [{"job": name, "settled_until": ns_of(now)} for name in schedule.jobs])
            c.execute(update(JOBS).where(JOBS.c.settled_until > ns_of(now)).values(settled_until=ns_of(now)))
            until = dict(c.execute(select(JOBS.c.job, JOBS.c.settled_until)).all())
            found = {}
            for name, job in schedule.jobs.items():
                wanted = select(SLOTS.c.time, SLOTS.c.status, SLOTS.c.tries).where(SLOTS.c.job == name)
                rows = c.execute(wanted).all()
                ran = {t for t, status, _ in rows if t > until[name] and status in ("ok", "failed", "running")}
                stuck = {t for t, status, _ in rows if status == "running"}
                failed = {t for t, status, tries in rows if status == "failed" and tries <= job.retries}
                newest = max((t for t, status, _ in rows if status != "skipped"), default=0)
                again = stuck | (failed & {newest})  # whoever asks holds the timetable: what runs was interrupted
                found[name] = Settled(
                    *(moment_of(until[name]), *(frozenset(map(moment_of, x)) for x in (again, ran - again)))
                )
        return found

    def claim(self, slot: Slot, now: datetime) -> bool:  # False: it ran already
        "Write down that a slot is being run."
        with self.store.connection(write=True) as c:
            found = select(SLOTS.c.status).where(*_is(slot))
            if c.execute(found).scalar_one_or_none() == "ok":
                return False
            begun = {"status": "running", "reason": "", "tries": 1, "started_at": ns_of(now), "ended_at": None}
            again = {
                "status": "running", "tries": SLOTS.c.tries + 1, "started_at": ns_of(now), "ended_at": None,
                "reason": case(
                    (SLOTS.c.status == "running", "interrupted, run again"),
                    (SLOTS.c.status == "failed", "failed before: " + SLOTS.c.reason),
                    else_="",
                ),
            }  # fmt: skip
            _upsert(c, slot, begun, again)
        return True

    def close(self, slot: Slot, status: str, reason: str, now: datetime) -> None:
        "Write down what became of a slot, and that it is settled."
        with self.store.connection(write=True) as c:
            values = {"status": status, "ended_at": ns_of(now)} | ({"reason": reason} if reason else {})
            c.execute(update(SLOTS).where(*_is(slot)).values(values))
            _settle(c, slot)

    def skip(self, slots: list[Slot], now: datetime) -> None:
        "Write down why slots are not run; one that failed keeps its own reason too."
        if not slots:
            return
        with self.store.connection(write=True) as c:
            for slot in slots:
                fresh = {
                    "status": "skipped", "reason": slot.why_not, "tries": 0, "started_at": ns_of(now),
                    "ended_at": ns_of(now),
                }  # fmt: skip
                again = {
                    "status": case((SLOTS.c.status == "running", "failed"), else_=SLOTS.c.status),
                    "reason": case(
                        (SLOTS.c.status == "running", "interrupted; " + slot.why_not),
                        (SLOTS.c.status == "failed", SLOTS.c.reason + "; " + slot.why_not),
                        else_=slot.why_not,
                    ),
                }
                _upsert(c, slot, fresh, again)
                _settle(c, slot)

    def entries(self, job: str | None = None) -> list[dict[str, Any]]:  # in order of time
        "Every slot that was settled or begun: job, time, status, reason, tries, started, ended."
        wanted = select(SLOTS).order_by(SLOTS.c.time, SLOTS.c.job)
        with self.store.connection() as c:
            rows = c.execute(wanted if job is None else wanted.where(SLOTS.c.job == job)).all()
        moments = ("time", "started", "ended")
        return [
            {n: (v if n not in moments or v is None else moment_of(v)) for n, v in zip(NAMES, row, strict=True)}
            for row in rows
        ]


def _is(slot: Slot) -> tuple:
    "The condition that a row is this slot's."
    return SLOTS.c.job == slot.job, SLOTS.c.time == ns_of(slot.time)


def _upsert(c: Connection, slot: Slot, fresh: dict[str, Any], again: dict[str, Any]) -> None:
    "Insert or change a slot's row."
    insert = (sqlite if c.dialect.name == "sqlite" else postgresql).insert(SLOTS)
    row = {"job": slot.job, "time": ns_of(slot.time)} | fresh
    c.execute(insert.values(row).on_conflict_do_update(index_elements=["job", "time"], set_=again))


def _settle(c: Connection, slot: Slot) -> None:
    "Slots up to this one are settled."
    insert = (sqlite if c.dialect.name == "sqlite" else postgresql).insert(JOBS)
    time = ns_of(slot.time)
    later = case((JOBS.c.settled_until > time, JOBS.c.settled_until), else_=time)
    new = insert.values(job=slot.job, settled_until=time)
    c.execute(new.on_conflict_do_update(index_elements=["job"], set_={"settled_until": later}))
