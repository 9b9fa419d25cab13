"""The timetable: what is due, once each, through downtime, clocks that were set, and both ends of summer time."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
from datetime import timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner
from virtual import moment, slot_log

from smcdesk.__main__ import app
from smcdesk.schedule import runner
from smcdesk.schedule.timetable import Job, Settled, Slot, due_slots, slots_between, timetable
from smcdesk.services import scheduler
from smclab import tapes
from smclab.candles import BadConfig, resample

NY = "America/New_York"
CLOSE = Job(report="live_scan", at_close="15m", after_s=10)


def times(job: Job, after, until) -> list[str]:
    "A job's slots as words."
    return [f"{s.time:%d %H:%M}" for s in slots_between("a", job, after, until)]


# --- when ---


@pytest.mark.parametrize(
    ("cron", "zone", "after", "until", "expected"),
    [
        ("30 2 * * *", NY, (2024, 3, 9, 12), (2024, 3, 11, 12), ["10 07:30", "11 06:30"]),  # 02:30 does not exist
        ("30 1 * * *", NY, (2024, 11, 2, 12), (2024, 11, 4, 12), ["03 05:30", "04 06:30"]),  # 01:30 comes twice
        ("30 * * * *", NY, (2024, 11, 3, 4), (2024, 11, 3, 8), ["03 04:30", "03 05:30", "03 06:30", "03 07:30"]),
        ("30 * * * *", NY, (2024, 3, 10, 5), (2024, 3, 10, 9), ["10 05:30", "10 06:30", "10 07:30", "10 08:30"]),
        ("5 17 * * mon-fri", NY, (2024, 3, 7, 12), (2024, 3, 12), ["07 22:05", "08 22:05", "11 21:05"]),
        ("0 9 1 * *", "Asia/Kolkata", (2024, 1, 15), (2024, 3, 15), ["01 03:30", "01 03:30"]),
        ("0 0 29 2 *", "UTC", (2023, 1, 1), (2024, 12, 1), ["29 00:00"]),
    ],
)
def test_slots_of_cron_are_every_wall_clock_time_once(cron, zone, after, until, expected):
    assert times(Job(report="x", cron=cron, zone=zone), moment(*after), moment(*until)) == expected


@pytest.mark.parametrize(
    ("timeframe", "zone", "roll"), [("15m", "UTC", 0), ("4h", NY, 17), ("1D", NY, 17), ("4h", "UTC", 0)]
)
def test_slots_at_close_are_the_closes_of_the_candles_the_reader_makes(timeframe, zone, roll):
    bars = tapes.market(2000, seed=1, timeframe="15m", start="2024-03-04", week="24/7")
    longer = resample(bars, timeframe, zone=zone, roll_hour=roll)
    closes = list(pd.DatetimeIndex(longer["close_time"]).to_pydatetime())
    job = Job(report="x", at_close=timeframe, after_s=0, zone=zone, roll_hour=roll)
    found = [s.time for s in slots_between("a", job, closes[0] - timedelta(seconds=1), closes[-1])]
    assert found == closes


def test_slot_at_close_is_due_some_seconds_later_and_named_by_the_close():
    assert slots_between("a", CLOSE, moment(2024, 3, 8, 10), moment(2024, 3, 8, 10, 15, 9)) == []
    (slot,) = slots_between("a", CLOSE, moment(2024, 3, 8, 10), moment(2024, 3, 8, 10, 15, 10))
    assert (slot.name, slot.due - slot.time) == ("20240308T1015Z_a", timedelta(seconds=10))


def test_due_slots_after_downtime_are_caught_up_by_one():
    plan = timetable({"jobs": {"a": CLOSE.model_dump(), "b": {"report": "x", "cron": "0 12 * * *"}}})
    last = {"a": Settled(moment(2024, 3, 8, 10)), "b": Settled(moment(2024, 3, 5, 13))}
    due = due_slots(plan, last, moment(2024, 3, 8, 13))
    run = [(s.job, f"{s.time:%d %H:%M}") for s in due if not s.why_not]
    assert run == [("b", "08 12:00"), ("a", "08 12:45")]
    assert [s.why_not for s in due if s.job == "b"] == ["caught up by 2024-03-08 12:00 UTC"] * 2 + [""]
    assert len([s for s in due if s.job == "a"]) == 11
    assert due_slots(plan, {}, moment(2024, 3, 8, 13)) == []  # a job nobody has seen begins with its next slot


STEPS = st.lists(st.tuples(st.integers(1, 7000), st.sampled_from([0] * 12 + [-9000, -1200, 1200, 9000])), max_size=40)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_due_slots_under_any_clock_run_no_slot_twice_and_explain_the_rest(steps):
    plan = timetable({"jobs": {"a": CLOSE.model_dump()}})
    now = begin = moment(2024, 3, 8, 10)
    until, ran, skipped = begin, [], set()
    for seconds, jump in [*steps, (1200, 0)]:
        now += timedelta(seconds=seconds + jump)
        until = min(until, now)
        later = frozenset(t for t in ran if t > until)
        for slot in due_slots(plan, {"a": Settled(until, ran=later)}, now):
            (skipped.add if slot.why_not else ran.append)(slot.time)
            until = max(until, slot.time)
    assert len(ran) == len(set(ran))
    known = {*ran, *skipped}
    low = min(begin, now)
    assert {s.time for s in slots_between("a", CLOSE, low, now) if s.time > begin} <= known


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"jobs": {"a": {"report": "x", "crom": "1"}}}, "schedule.jobs.a.crom.*did you mean 'cron'"),
        ({"job": {}}, "schedule.job: .*did you mean 'jobs'"),
        ({"jobs": {"a": {"report": "x"}}}, "say either cron or at_close"),
        ({"jobs": {"a": {"report": "x", "cron": "0 9 * * sat", "at_close": "1h"}}}, "say either cron or at_close"),
        ({"jobs": {"a": {"report": "x", "cron": "0 9 * * 1"}}}, "weekday must be a name"),
        ({"jobs": {"a": {"report": "x", "cron": "0 9 1 * mon"}}}, "names a day and a weekday"),
        ({"jobs": {"a": {"report": "x", "cron": "0 9 * *"}}}, "five fields"),
        ({"jobs": {"a": {"report": "x", "cron": "61 9 * * *"}}}, "higher than the maximum"),
        ({"jobs": {"a": {"report": "x", "at_close": "16m"}}}, "did you mean '15m'"),
        ({"jobs": {"a": {"report": "x", "at_close": "1h", "zone": "Europe/Londn"}}}, "did you mean 'Europe/London'"),
        ({"jobs": {"a": {"report": "x", "at_close": "1h", "keep_days": 0}}}, "greater than or equal to 1"),
    ],
)
def test_timetable_that_is_wrong_names_the_key_and_the_nearest_right_one(said, message):
    with pytest.raises(BadConfig, match=message):
        timetable(said)


# --- what became of it ---


class Runs:
    "What was run; fails or dies where it is told to."

    def __init__(self):
        self.ran, self.error, self.told = [], None, []

    def __call__(self, name, job, slot):
        if self.error:
            raise self.error
        self.ran.append(slot.time)

    def failed(self, slot, job, why):
        self.told.append((slot.time, why))


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
    assert len(at.runs.told) == 2
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


# --- the desk's own ---


@pytest.fixture
def keep(house, tmp_path_factory, monkeypatch):
    "A scheduler whose clock stands still, with a store of its own."
    monkeypatch.setenv("SMCDESK_STORE_URL", f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.db'}")
    return lambda env="test": scheduler.Scheduler(env, clock=lambda: moment(2024, 3, 8, 10, 0, 30))


@pytest.mark.parametrize("env", ["base", "test", "paper", "live"])
def test_timetable_of_every_environment_can_run(house, keep, env):
    lines = list(keep(env=env).listing())
    assert {name for name, *_ in lines} == {"live_scan", "daily_digest", "weekly_review", "data_quality"}
    assert all(slot is not None and not job.params.get("send") for _, job, slot, _ in lines)


def test_keeper_refuses_a_line_that_cannot_run(house, keep):
    page = house / "conf" / "test" / "schedule.yml"
    for change, message in (
        ({"report": "live_scn"}, "did you mean 'live_scan'"), ({"params": {"symbls": ""}}, "did you mean 'symbols'"),
        ({"env": "papr"}, "did you mean 'paper'"),
    ):  # fmt: skip
        page.write_text(yaml.safe_dump({"jobs": {"live_scan": change}}))
        with pytest.raises(BadConfig, match=message):
            keep()
    page.unlink()


def test_schedule_list_shows_both_zones_and_once_refuses_an_unknown_line(house):
    (house / "conf" / "test" / "schedule.yml").write_text("zone: Asia/Tokyo\n")
    shown = CliRunner().invoke(app, ["schedule", "list", "-e", "test"])
    (house / "conf" / "test" / "schedule.yml").unlink()
    assert shown.exit_code == 0 and "next (Asia/Tokyo)" in shown.output and "1h close + 10 s" in shown.output
    wrong = CliRunner().invoke(app, ["schedule", "once", "live_scn", "-e", "test"])
    assert wrong.exit_code == 2 and "did you mean 'live_scan'" in wrong.output


def test_keeper_once_runs_the_newest_slot_once(keep, monkeypatch):
    ran = []
    monkeypatch.setattr(scheduler.Scheduler, "run", lambda self, name, job, slot: ran.append(slot.name))
    assert keep().run_once("live_scan").status == "ok" and keep().run_once("live_scan").reason == "it ran already"
    assert ran == ["20240308T1000Z_live_scan"]


def test_keeper_prunes_only_its_own_old_results(house, keep):
    folder = house / "notebooks_out" / "live_scan"
    names = {
        "2024/01/01/20240101T1000Z_live_scan.html": False, "2024/01/01/20240101T1000Z_other.html": True,
        "2024/01/01/by-hand.html": True, "2024/03/07/20240307T1000Z_live_scan.json": True,
    }  # fmt: skip
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    keeper = keep()
    keeper.prune("live_scan", keeper.schedule.jobs["live_scan"])
    assert {name: (folder / name).exists() for name in names} == names
    shutil.rmtree(folder)


def test_keeper_stays_until_it_is_told_to_end_and_finishes_what_it_began(house, keep, monkeypatch):
    (house / "conf" / "test" / "schedule.yml").write_text("jobs: {live_scan: {at_close: 1h}}\n")
    keeper, done = keep(), []
    keeper.book.last(keeper.schedule, moment(2024, 3, 8, 9, 30))  # it was there half an hour ago

    def run(name, job, slot):
        os.kill(os.getpid(), signal.SIGTERM)
        keeper._stop.wait(30)
        done.append(slot.name)

    monkeypatch.setattr(keeper, "run", run)
    before, told = signal.getsignal(signal.SIGTERM), []
    keeper.run_forever(told.append)
    (house / "conf" / "test" / "schedule.yml").unlink()
    assert done == ["20240308T1000Z_live_scan"] and [d.status for d in told] == ["ok"]
    assert signal.getsignal(signal.SIGTERM) is before and keeper.book.entries()[-1]["status"] == "ok"


def test_install_writes_files_and_switches_nothing_on(house, keep, tmp_path):
    shown = CliRunner().invoke(app, ["schedule", "install", "--cron", "-e", "test"])
    line = shown.output.strip().splitlines()[-1]
    minutes = {int(m) for m in line.split()[0].split(",")}
    due = {
        s.due
        for n, j in keep().schedule.jobs.items()
        for s in slots_between(n, j, moment(2024, 3, 8), moment(2024, 3, 9))
    }
    local = {(t.astimezone() + timedelta(seconds=59)).minute for t in due}
    assert local <= minutes and f"cd {house} && " in line and line.endswith("schedule.log 2>&1")
    CliRunner().invoke(app, ["schedule", "install", "--systemd", "-e", "test", "-o", str(tmp_path)])
    assert {p.name for p in tmp_path.iterdir()} == {
        "smcdesk-test.service",
        "smcdesk-test-wake.service",
        "smcdesk-test-wake.timer",
    }
    if shutil.which("systemd-analyze"):
        calendars = [
            x.partition("=")[2] for x in (tmp_path / "smcdesk-test-wake.timer").read_text().splitlines() if "OnCal" in x
        ]
        subprocess.run(["systemd-analyze", "calendar", *calendars], check=True, capture_output=True)
    both = CliRunner().invoke(app, ["schedule", "install", "-e", "test"])
    assert both.exit_code == 2 and "--cron or --systemd" in both.output


def test_slot_in_the_readers_zone_is_the_same_moment():
    slot = Slot(moment(2024, 3, 8, 22, 5), moment(2024, 3, 8, 22, 5), "a")
    assert f"{slot.due.astimezone(ZoneInfo(NY)):%H:%M}" == "17:05"
