"""The due slots of a timetable, run one after the other, each written down before and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from smcdesk.schedule.slot_log import SlotLog
from smcdesk.schedule.timetable import Job, Slot, Timetable, due_slots


@dataclass(frozen=True)
class Done:
    "What became of one slot."

    slot: Slot
    status: str  # ok, failed, skipped
    reason: str = ""


def run_due(
    schedule: Timetable,
    slot_log: SlotLog,
    clock: Callable[[], datetime],  # UTC
    run: Callable[[str, Job, Slot], Any],  # (name, job, slot); raises when the slot failed
    *,
    failed: Callable[[Slot, Job, str], None] = lambda *_: None,  # called for each failure
    stop: Callable[[], bool] = lambda: False,  # checked before every slot
) -> list[Done]:  # nothing while another process is at work
    "Run what is due, one after the other; every slot once, or with a reason why not."
    done = []
    with slot_log.alone() as mine:
        if not mine:
            return done
        now = clock()
        due = due_slots(schedule, slot_log.last(schedule, now), now)
        slot_log.skip([slot for slot in due if slot.why_not], now)
        for slot in due:
            if stop():
                break
            if slot.why_not:
                done.append(Done(slot, "skipped", slot.why_not))
            elif slot_log.claim(slot, clock()):
                done.append(run_one(schedule.jobs[slot.job], slot, slot_log, clock, run, failed))
    return done


def run_one(job: Job, slot: Slot, slot_log: SlotLog, clock, run, failed) -> Done:
    "Run one slot that was claimed."
    try:
        run(slot.job, job, slot)
    except Exception as error:  # a report may raise anything; the timetable goes on
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        slot_log.close(slot, "failed", reason, clock())
        if job.on_failure == "alert":
            failed(slot, job, reason)
        return Done(slot, "failed", reason)
    slot_log.close(slot, "ok", "", clock())
    return Done(slot, "ok")
