"""Which slots are due, once each, through downtime, clocks that were set, and both ends of summer time."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual import moment

from smcdesk.schedule.timetable import Job, Settled, Slot, due_slots, slots_between, timetable
from smclab import tapes
from smclab.candles import BadConfig, resample

NY = "America/New_York"
CLOSE = Job(report="live_scan", at_close="15m", after_s=10)


def times(job: Job, after, until) -> list[str]:
    "A job's slots as words."
    return [f"{s.time:%d %H:%M}" for s in slots_between("a", job, after, until)]


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
    explained = {*ran, *skipped}
    low = min(begin, now)
    assert {s.time for s in slots_between("a", CLOSE, low, now) if s.time > begin} <= explained


@pytest.mark.parametrize(
    ("values", "message"),
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
def test_timetable_that_is_wrong_names_the_key_and_the_nearest_right_one(values, message):
    with pytest.raises(BadConfig, match=message):
        timetable(values)


def test_slot_in_the_readers_zone_is_the_same_moment():
    slot = Slot(moment(2024, 3, 8, 22, 5), moment(2024, 3, 8, 22, 5), "a")
    assert f"{slot.due.astimezone(ZoneInfo(NY)):%H:%M}" == "17:05"
