"""Cron lines on the days on which clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from smcdesk.schedule.timetable import Job, slots_between

NEW_YORK = "America/New_York"


def local_times(cron, day, zone=NEW_YORK):
    "Local times with their offset of all slots of a local day, in order."
    begin = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    end = begin + timedelta(days=1)
    tick = timedelta(microseconds=1)
    found = slots_between("line", Job(report="r", cron=cron, zone=zone), begin.astimezone(UTC) - tick,
                          end.astimezone(UTC) - tick)  # fmt: skip
    return [f"{s.time.astimezone(ZoneInfo(zone)):%H:%M%z}" for s in found]


@pytest.mark.parametrize(
    ("cron", "day", "zone", "expected"),
    [
        ("0 */2 * * *", "2024-03-10", NEW_YORK, ["00:00-0500", "03:00-0400", "04:00-0400", "06:00-0400"]),
        ("30 2 * * *", "2024-03-10", NEW_YORK, ["03:30-0400"]),
        ("30 1 * * *", "2024-11-03", NEW_YORK, ["01:30-0400"]),
        ("0 * * * *", "2024-03-10", NEW_YORK, ["00:00-0500", "01:00-0500", "03:00-0400", "04:00-0400"]),
        ("0 0-2 * * *", "2024-11-03", NEW_YORK, ["00:00-0400", "01:00-0400", "02:00-0500"]),
        ("0 */2 * * *", "2024-10-27", "Europe/Berlin", ["00:00+0200", "02:00+0200", "04:00+0100"]),
        ("0 */2 * * *", "2024-03-31", "Europe/Berlin", ["00:00+0100", "03:00+0200", "04:00+0200"]),
        ("15 */2 * * *", "2024-10-06", "Australia/Lord_Howe", ["00:15+1030", "02:45+1100", "04:15+1100"]),
    ],
)
def test_cron_line_runs_once_for_each_of_its_times(cron, day, zone, expected):
    assert local_times(cron, day, zone)[: len(expected)] == expected


@pytest.mark.parametrize("hours", ["*", "0-23", "*/1", "0-11,12-23"])
def test_every_hour_runs_in_both_hours_of_the_repeated_one_however_it_is_spelt(hours):
    repeated = [t for t in local_times(f"*/15 {hours} * * *", "2024-11-03") if t.startswith("01:")]
    assert len(repeated) == 8 and repeated == sorted(repeated, key=lambda t: (t[-5:] == "-0500", t))
    spring = local_times(f"*/15 {hours} * * *", "2024-03-10")
    assert len(spring) == 23 * 4 and not any(t.startswith("02:") for t in spring)
