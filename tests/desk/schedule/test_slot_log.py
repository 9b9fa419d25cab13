"""What became of every slot: run once, tried again, given up or caught up."""

from __future__ import annotations

import errno

import pytest
from virtual import moment, slot_log

from smcdesk.schedule import runner
from smcdesk.schedule.timetable import Job, timetable

CLOSE = Job(report="live_scan", at_close="15m", after_s=10)


class Runs:
    "What was run; raises `error` where there is one."

    def __init__(self):
        self.ran, self.error, self.failures = [], None, []

    def __call__(self, name, job, slot):
        if self.error:
            raise self.error
        self.ran.append(slot.time)

    def failed(self, slot, job, why):
        self.failures.append((slot.time, why))


@pytest.fixture
def at(tmp_path):
    "Wake a timetable of 15-minute slots at some minute of a day."
    plan, runs = timetable({"jobs": {"a": CLOSE.model_dump() | {"retries": 1}}}), Runs()

    def wake(hour: int, minute: int = 0, second: int = 30, **how):
        book = slot_log(tmp_path / "book.db")
        now = moment(2024, 3, 8, hour, minute, second)
        return runner.run_due(plan, book, lambda: now, runs, failed=runs.failed, **how)

    wake.runs, wake.book = runs, lambda: {f"{e['time']:%H:%M}": e for e in slot_log(tmp_path / "book.db").entries()}
    wake(9, 50)
    return wake


def test_wake_twice_runs_a_slot_once(at):
    assert [d.status for d in at(10)] == ["ok"] and at(10) == [] and at(10, 0, 40) == []
    assert at.runs.ran == [moment(2024, 3, 8, 10)]


def test_wake_inside_a_wake_does_nothing(at, tmp_path):
    inner = []
    at.runs.error = None
    call = at.runs.__class__.__call__
    at.runs.__class__.__call__ = lambda *a: (inner.append(at(10, 0, 50)), call(*a))[1]
    try:
        at(10)
    finally:
        at.runs.__class__.__call__ = call
    assert inner == [[]] and len(at.runs.ran) == 1


def test_wake_after_a_failure_tries_again_and_then_gives_up_and_tells(at):
    at.runs.error = OSError(errno.ENOSPC, "No space left on device")
    assert [d.status for d in (*at(10), *at(10, 1), *at(10, 2))] == ["failed", "failed"]
    entry = at.book()["10:00"]
    assert (entry["status"], entry["tries"]) == ("failed", 2) and "No space left" in entry["reason"]
    assert len(at.runs.failures) == 2
    at.runs.error = None
    assert at(10, 3) == [] and [d.status for d in at(10, 15)] == ["ok"]


def test_wake_after_a_failure_that_heals_says_what_it_was(at):
    at.runs.error = ValueError("odd")
    at(10)
    at.runs.error = None
    at(10, 1)
    assert at.book()["10:00"]["status"] == "ok" and at.book()["10:00"]["reason"] == "failed before: ValueError: odd"


@pytest.mark.parametrize(
    ("minute", "ran", "reason"), [(1, ["10:00"], "interrupted, run again"), (16, ["10:15"], "interrupted; ")]
)
def test_wake_after_a_kill_runs_the_slot_again_or_says_why_not(at, minute, ran, reason):
    at.runs.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        at(10)
    assert at.book()["10:00"]["status"] == "running"
    at.runs.error = None
    at(10, minute)
    assert [f"{t:%H:%M}" for t in at.runs.ran] == ran and at.book()["10:00"]["reason"].startswith(reason)


def test_wake_with_clocks_that_were_set_runs_nothing_twice(at):
    at(10), at(13), at(10, 5)  # three hours ahead by mistake, and back
    for minute in (15, 30, 45):
        at(10, minute)
    at(12, 45), at(13), at(13, 15)
    assert [f"{t:%H:%M}" for t in at.runs.ran] == ["10:00", "13:00", "10:15", "10:30", "10:45", "12:45", "13:15"]
    assert {e["status"] for e in at.book().values()} == {"ok", "skipped"}
    assert at.book()["11:00"]["reason"].startswith("caught up by")


def test_wake_told_to_stop_leaves_the_rest_for_later(at):
    assert at(10, stop=lambda: True) == [] and [d.status for d in at(10, 1)] == ["ok"]
