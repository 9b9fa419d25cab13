"""The timetable at work: its lines run as reports, the slot log in the store, old results pruned."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from smcdesk.orders.guard import check_send
from smcdesk.project import paths
from smcdesk.project.config import load_config
from smcdesk.reports import runner
from smcdesk.schedule import timetable
from smcdesk.schedule.runner import Done, run_due, run_one
from smcdesk.schedule.slot_log import SlotLog
from smcdesk.schedule.timetable import Job, Slot
from smcdesk.store import Store, legacy
from smclab.candles import BadConfig, nearest

_STAMP = re.compile(r"^(\d{8}T\d{4}Z)_(.+)\.(ipynb|html|json)$")


class ReportFailed(RuntimeError):
    "A report ended with an error."


def now() -> datetime:
    "This machine's time, UTC."
    return datetime.now(UTC)


def check_line(name: str, schedule: timetable.Timetable) -> None:
    "Refuse a name that no line of the timetable has, with the nearest."
    if name not in schedule.jobs:
        names = ", ".join(schedule.jobs)
        raise BadConfig(f"the timetable has no line {name!r}{nearest(name, schedule.jobs)} Known: {names}.")


class Scheduler:
    "One environment's timetable."

    def __init__(self, env: str | None = "paper", *, clock: Callable[[], datetime] = now):
        self.env, self.clock = env, clock
        check_send(load_config(env).parameters)
        self.root, self.schedule = paths.root(), timetable.load(env)
        self._reports = runner.reports(self.root)
        for name, job in self.schedule.jobs.items():
            self._check(name, job)
        self.store = Store(env=env)
        if self.store.revision() is None:
            self.store.upgrade()
        legacy.import_files(self.store, env)
        self.slot_log = SlotLog(self.store)
        self._stop = threading.Event()

    def _check(self, name: str, job: Job) -> None:
        "Refuse a line that cannot run before anything else does."
        if job.report not in self._reports:
            raise BadConfig(
                f"schedule.jobs.{name}.report: there is no report {job.report!r}{nearest(job.report, self._reports)}"
            )
        check_send(load_config(job.env or self.env).parameters)
        runner.resolve_parameters(job.report, runner.defaults(self._reports[job.report]), job.params)

    # --- running

    def run(self, name: str, job: Job, slot: Slot) -> dict[str, Any]:  # the report's summary row
        "One slot as a report; raises when it failed."
        check_send(load_config(job.env or self.env).parameters)
        defaults = runner.defaults(self._reports[job.report])
        own = {"env": job.env or paths.check_env(self.env) or "base", "slot": slot.name}
        params = {k: v for k, v in own.items() if k in defaults} | job.params
        done = runner.run_report(job.report, params, root=self.root, now=slot.time, slot=slot.name)
        self.prune(name, job)
        if done.status != "ok":
            raise ReportFailed(done.error)
        return done.result

    def failed(self, slot: Slot, job: Job, error: str) -> None:
        "Put a message about a failed slot into the outbox; it goes when the outbox is delivered."
        from smcdesk.notifications import messages
        from smcdesk.notifications.outbox import enqueue

        when = int(slot.due.timestamp()) * 1_000_000_000
        with Store(env=job.env or self.env) as store:
            if store.revision() is None:
                store.upgrade()
            enqueue(store, **messages.failure_message(job.report, slot.name, error, when, params=job.params))

    def run_due(self) -> list[Done]:
        "Run whatever is due, then deliver the outbox where conf sends messages."
        done = run_due(
            self.schedule, self.slot_log, self.clock, self.run, failed=self.failed, stop=self._stop.is_set
        )  # fmt: skip
        if done:
            self._deliver()
        return done

    def _deliver(self) -> None:
        "Send what the reports left in the outbox, where conf sends anything."
        from smcdesk.notifications.config import notify_conf
        from smcdesk.notifications.outbox import deliver_by_conf

        if notify_conf(self.env).send:
            deliver_by_conf(self.env)

    def run_once(self, name: str) -> Done:
        "Run a line for its newest slot, unless that ran already."
        check_line(name, self.schedule)
        job, moment = self.schedule.jobs[name], self.clock()
        slot = timetable.newest_slot(name, job, moment)
        if slot is None:
            raise BadConfig(f"{name} has had no slot yet: the first comes later")
        with self.slot_log.alone() as mine:
            if not mine:
                raise BadConfig("another process is running the timetable just now: wait for it and try again")
            if not self.slot_log.claim(slot, moment):
                return Done(slot, "ok", "it ran already")
            return run_one(job, slot, self.slot_log, self.clock, self.run, self.failed)

    def run_forever(self, slot_done: Callable[[Done], Any]) -> None:
        "Run what is due at every slot and every `retry_s`, until SIGTERM or Ctrl-C; a report that runs is finished."
        from apscheduler.schedulers.blocking import BlockingScheduler
        from apscheduler.triggers.base import BaseTrigger

        scheduler = self

        class NextSlot(BaseTrigger):
            "The next slot of any line, or a retry in between."

            def get_next_fire_time(self, previous_fire_time, now):
                due = [s.due for *_, s, _ in scheduler.listing(now.astimezone(UTC)) if s is not None]
                return min([now + timedelta(seconds=scheduler.schedule.retry_s), *due])

        resident = BlockingScheduler(timezone=UTC)
        how = {"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
        resident.add_job(
            lambda: [slot_done(done) for done in self.run_due()], NextSlot(), next_run_time=self.clock(), **how
        )

        ending = threading.Thread(target=resident.shutdown)  # waits for the report that runs

        def end(*_):
            if not self._stop.is_set():
                self._stop.set()
                ending.start()

        before = {s: signal.signal(s, end) for s in (signal.SIGTERM, signal.SIGINT)}
        try:
            resident.start()
            ending.join()  # the loop may see the end before the report that runs has come to it
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    # --- the timetable's state

    def listing(self, moment: datetime | None = None) -> Iterator[tuple[str, Job, Slot | None, dict[str, Any] | None]]:
        "Every line with its next slot and what became of its newest one."
        moment = moment or self.clock()
        last = {row["job"]: row for row in self.slot_log.entries() if row["status"] != "skipped"}
        for name, job in self.schedule.jobs.items():
            yield name, job, timetable.next_slot(name, job, moment) if job.enabled else None, last.get(name)

    # --- keeping house

    def prune(self, name: str, job: Job) -> list[Path]:  # what was deleted
        "Delete a line's results that are older than its keep_days."
        oldest, gone = self.clock() - timedelta(days=job.keep_days), []
        for path in sorted((self.root / "notebooks_out" / job.report).glob("*/*/*/*")):
            found = _STAMP.match(path.name)
            if found and found[2] == name and datetime.strptime(found[1], "%Y%m%dT%H%M%z") < oldest:
                path.unlink()
                gone.append(path)
        return gone


def when(job: Job) -> str:
    "A line's time in words."
    if job.at_close:
        cut = "" if job.zone == "UTC" and not job.roll_hour else f", days from {job.roll_hour:02d}:00 {job.zone}"
        return f"{job.at_close} close + {job.after_s} s{cut}"
    return f"{job.cron} {job.zone}"


def status_text(entry: dict[str, Any]) -> str:
    "What became of a slot, in words."
    tries = f" after {entry['tries']} tries" if entry["tries"] > 1 else ""
    return f"{entry['status']}{tries}" + (f": {entry['reason']}" if entry["reason"] else "")
