"""A day of the timetable in which everything goes wrong once: every slot runs once or says why not.

SOAK_DAYS=7 makes it a week. The lines of the timetable call what their notebooks call; papermill runs one of them for
real, and in a longer soak the weekly review too.
"""

from __future__ import annotations

import errno
import json
import os
from collections import Counter
from datetime import timedelta

import pandas as pd
import pytest
from virtual import SYMBOL, Clock, House, moment, slot_log, tape

from smcdesk.project import paths
from smcdesk.reports import daily_digest, data_quality, period
from smcdesk.scanning import outcomes, scanner
from smcdesk.scanning.parity_review import review
from smcdesk.schedule import runner
from smcdesk.schedule.slot_log import SlotLog
from smcdesk.schedule.timetable import Job, slots_between, timetable
from smcdesk.services import scheduler
from smcdesk.store.journal import ScanJournal

DAYS = int(os.environ.get("SOAK_DAYS", "1"))
FIRST = moment(2024, 2, 6)  # a Tuesday
PLAN = {
    "jobs": {
        "live_scan": {"report": "live_scan", "at_close": "15m", "after_s": 10, "retries": 3},
        "data_quality": {
            "report": "data_quality",
            "at_close": "4h",
            "after_s": 60,
            "zone": "America/New_York",
            "roll_hour": 17,
        },
        "daily_digest": {"report": "daily_digest", "cron": "5 17 * * *", "zone": "America/New_York"},
    }
}


class Killed(BaseException):
    "The process is gone."


class SoakedWorkspace:
    "One workspace, its timetable, and the faults of a day."

    def __init__(self, folder):
        self.clock = Clock(FIRST)
        self.house = House(folder, tape(22 * 96 + 96 * DAYS + 20, seed=3, start="2024-01-15", week="24/7"), self.clock)
        self.plan, self.folder = timetable(PLAN), folder
        self.ran, self.kill, self.full, self.inner = Counter(), False, "", []
        self.start()

    def start(self):
        "A new process: nothing is warm."
        self.workspace, self.book = self.house.workspace(), slot_log(self.folder / "slots.db")

    def run(self, name, job, slot):
        "What the line's notebook calls."
        self.inner += runner.run_due(self.plan, self.book, self.clock, self.run)  # somebody else wakes it meanwhile
        if name == "live_scan":
            scanner.scan(self.workspace, [SYMBOL], ["15m"], slot.name)
            outcomes.fill_outcomes(self.workspace, [SYMBOL], ["15m"])
        else:
            since = pd.Timestamp(slot.time) - pd.Timedelta(days=1)
            day = period.period_of(self.workspace, "test", ("15m",), since, pd.Timestamp(slot.time))
            (data_quality.data if name == "data_quality" else lambda t: daily_digest.notify(t, True))(day)
        self.ran[name, slot.time] += 1

    def wake(self):
        "One wake, and what may befall it."
        try:
            runner.run_due(self.plan, self.book, self.clock, self.run)
        except Killed:
            self.start()
        except OSError:
            pass


def faults(soak: SoakedWorkspace, patch: pytest.MonkeyPatch, minute: int) -> None:
    "What is wrong at a minute of the day."
    hour = minute / 60
    soak.house.provider.down = 2 <= hour < 4
    hours = {14: 3, 18: -2 / 3}  # the clock is three hours ahead for a while, and later forty minutes behind
    soak.clock.off = timedelta(hours=hours.get(int(hour), 0) if minute % 60 < 40 else 0)
    patch.undo()
    if minute == 6 * 60 + 1:  # killed with the decisions in the store and the journal not closed
        patch.setattr(ScanJournal, "close_entries", _raise(Killed()))
    full = OSError(errno.ENOSPC, "No space left on device")
    if 720 <= minute < 733:
        patch.setattr("smcdesk.marketdata.months.atomic_file", _raise(full))
    if 750 <= minute < 752:
        patch.setattr(ScanJournal, "open_entries", _raise(full))
    if 765 <= minute < 767:
        patch.setattr(SlotLog, "close", _raise(full))
    if 780 <= minute < 800:
        patch.setattr(SlotLog, "claim", _raise(full))


def _raise(error):
    def fail(*_, **__):
        raise error

    return fail


@pytest.fixture(scope="module")
def soaked(house, tmp_path_factory):
    "The workspace after its days."
    soak = SoakedWorkspace(tmp_path_factory.mktemp("soak"))
    with pytest.MonkeyPatch.context() as patch:
        soak.wake()
        for minute in range(1, DAYS * 1440 + 1):
            if minute % 15 not in (0, 1, 2, 7):  # the resident's looks, thinned out
                continue
            soak.clock.true = FIRST + timedelta(minutes=minute, seconds=20)
            faults(soak, patch, minute % 1440)
            soak.wake()
            if minute % 60 == 1:
                soak.wake()  # triggered twice
    return soak


def test_soak_ends_with_every_slot_run_once_or_explained(soaked):
    entries = {(e["job"], e["time"]): e for e in soaked.book.entries()}
    end = FIRST + timedelta(days=DAYS)
    for name, job in soaked.plan.jobs.items():
        for slot in slots_between(name, job, FIRST, end):
            entry = entries.get((name, slot.time))
            assert entry, f"{name} {slot.time}: nothing is known of it"
            assert entry["status"] == "ok" or entry["reason"], entry
            assert entry["status"] in ("ok", "failed", "skipped"), entry
    assert soaked.inner == []
    again = {key: n for key, n in soaked.ran.items() if n > 1}
    assert all("interrupted" in entries[key]["reason"] for key in again), again
    n = Counter(e["status"] for e in entries.values())
    print(f"\n{DAYS} days: {dict(n)}, {len(again)} run again after an interruption, {sum(soaked.ran.values())} runs")
    assert n["ok"] > 0.85 * len(entries)


def test_soak_met_every_fault(soaked):
    reasons = " | ".join(e["reason"] for e in soaked.book.entries())
    assert "No space left" in reasons and "interrupted" in reasons and "caught up by" in reasons
    problems = [soaked.workspace.journal.problems(f"{FIRST:%Y%m%d}T{h:02d}15Z_live_scan") for h in (1, 2, 3, 4)]
    assert [bool(x) for x in problems] == [False, True, True, False]
    stale = [d for d in soaked.workspace.store.decisions() if d.verdicts[0].evidence["bars_late"] > 3]
    assert all(d.outcome != "live" for d in stale)


def test_soak_reviewed_shows_no_difference_between_live_and_replay(soaked):
    again = review(soaked.workspace, 0, 2**62)
    assert again.bars_n == 96 * DAYS + 1 - _not_yet(soaked) and again.decisions_n > 20 * DAYS
    assert again.defects.empty and again.late_bars.empty, again.defects.to_string()
    labels = soaked.workspace.store.labels()
    assert len(labels) and not labels.duplicated(["setup_id", "policy_hash"]).any()


def _not_yet(soaked) -> int:
    "Candles before the first scan."
    first = soaked.workspace.journal.entries()[0].time
    return int((pd.Timestamp(first, tz="UTC") - pd.Timestamp(FIRST - timedelta(minutes=15))) / pd.Timedelta(minutes=15))


def test_slot_through_papermill_runs_once_and_tells_the_same(house, monkeypatch):
    service = scheduler.Scheduler("test", clock=lambda: moment(2024, 3, 21, 12, 0, 30))
    job = Job(report="paper_scan", at_close="15m", params={"now": "2024-03-21T12:00:00Z", "scans": 3, "charts_n": 1})
    (slot,) = slots_between("demo", job, moment(2024, 3, 21, 11, 50), moment(2024, 3, 21, 12, 0, 30))
    first = service.run("demo", job, slot)
    page = house / "notebooks_out" / "paper_scan" / "2024" / "03" / "21" / "20240321T1200Z_demo.json"
    record, stamp = json.loads(page.read_text()), page.stat().st_mtime_ns
    assert record["status"] == "ok" and record["result"] == first and first["candidates_n"] > 0
    assert service.run("demo", job, slot) == first and page.stat().st_mtime_ns == stamp

    if DAYS == 1:
        return  # a second notebook costs ten seconds
    name = next(p.name for p in (house / "data" / "01_raw").iterdir() if p.name.startswith("tape_"))
    common = {"provider": name, "timeframes": "15m", "until": "2024-03-21T13:00:00Z"}
    review_job = Job(report="weekly_review", cron="0 13 * * *", params=common)
    (turn,) = slots_between("week", review_job, moment(2024, 3, 21, 12), moment(2024, 3, 21, 13))
    result = service.run("week", review_job, turn)
    assert result["defects_n"] == 0 and result["bars_n"] == 3 and "live and replay are equal" in result["sentence"]
    assert paths.root() == house
