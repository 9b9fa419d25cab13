"""The timetable: which report is due, decided by one pure function; cron, systemd or APScheduler only wake it.

JupyterLab's own scheduler can run the same templates (`services.jupyter`), but knows nothing of slots.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from smcdesk.project.config import load_config
from smclab.candles import BadConfig, nearest, timeframe_ns

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
LOOK_BACK = {"at_close": 32 * _DAY, "cron": 400 * _DAY}  # slots missed before that are not listed one by one


class Job(BaseModel):
    "One line of the timetable: a report, when, with what, and what happens to its results."

    model_config = ConfigDict(extra="forbid", frozen=True)

    report: str  # a template in nbs/reports
    params: dict[str, bool | int | float | str] = {}
    cron: str | None = None  # minute hour day month weekday, in `zone`; weekdays by name
    at_close: str | None = None  # or: at the close of every candle of this timeframe
    after_s: int = Field(10, ge=0, le=3600)  # seconds after that close, for the provider to have it
    zone: str = "UTC"  # IANA name: of cron's times, and of the trading day that 4h and longer candles are cut from
    roll_hour: int = Field(0, ge=0, le=23)  # where that trading day begins, o'clock in zone
    env: str | None = None  # the environment it runs in; None: the one the timetable is read for
    keep_days: int = Field(30, ge=1)  # older results of this line are deleted
    on_failure: Literal["alert", "ignore"] = "alert"
    retries: int = Field(1, ge=0, le=10)  # more tries of a failed slot, while it is the newest
    enabled: bool = True

    @field_validator("cron")
    @classmethod
    def _valid_cron(cls, cron: str | None) -> str | None:
        if cron is not None:
            _cron_trigger(cron)
        return cron

    @field_validator("zone")
    @classmethod
    def _valid_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError(f"unknown zone {zone!r}{nearest(zone, sorted(available_timezones()))}")
        return zone

    @field_validator("at_close")
    @classmethod
    def _valid_timeframe(cls, timeframe: str | None) -> str | None:
        if timeframe is not None:
            timeframe_ns(timeframe)
        return timeframe

    @model_validator(mode="after")
    def _one_clock(self) -> Job:
        if (self.cron is None) == (self.at_close is None):
            raise ValueError("say either cron or at_close")
        return self


class Timetable(BaseModel):
    "conf's schedule.yml."

    model_config = ConfigDict(extra="forbid", frozen=True)

    zone: str = "UTC"  # the reader's own, for lists
    retry_s: int = Field(60, ge=1)  # how often the resident looks besides the slots: retries, and clocks that were set
    jobs: dict[str, Job]

    @field_validator("zone")
    @classmethod
    def _valid_zone(cls, zone: str) -> str:
        return Job._valid_zone(zone)


def timetable(
    values: Mapping[str, Any],  # conf's schedule
) -> Timetable:
    "The timetable, checked; `BadConfig` names the wrong key and the nearest right one."
    try:
        return Timetable(**values)
    except ValidationError as error:
        first = min(
            error.errors(), key=lambda e: e["type"] != "extra_forbidden"
        )  # a misspelt key, before what it leaves
        where = [str(x) for x in first["loc"]]
        fields = Job.model_fields if where[0] == "jobs" and len(where) > 2 else Timetable.model_fields
        hint = nearest(where[-1], list(fields)) if first["type"] == "extra_forbidden" else ""
        message = first["msg"].removeprefix("Value error, ")
        raise BadConfig(f"schedule.{'.'.join(where)}: {message[0].lower()}{message[1:]}{hint}") from None


def load(env: str | None = None) -> Timetable:
    "The timetable of an environment."

    return timetable(load_config(env).schedule)


# --- when ---


@dataclass(frozen=True, order=True)
class Slot:
    "One due time of a job."

    due: datetime  # UTC: from when it may run
    time: datetime  # UTC: the candle's close, or cron's moment; names the slot
    job: str
    why_not: str = field(default="", compare=False)  # why it is not run; "": it is to be run

    @property
    def name(self) -> str:
        "The slot's name in files."
        return f"{self.time:%Y%m%dT%H%MZ}_{self.job}"


@dataclass(frozen=True)
class Settled:
    "Until when a job's slots are settled, and which are not."

    until: datetime  # slots up to this moment, this one included, are settled …
    again: frozenset[datetime] = frozenset()  # … but for these: failed or interrupted, to be tried again
    ran: frozenset[datetime] = frozenset()  # later slots that ran already, before the clock was set back


@cache
def _cron_trigger(cron: str):
    "A cron line as APScheduler's trigger over wall-clock times."
    from apscheduler.triggers.cron import CronTrigger

    parts = cron.split()
    if len(parts) != 5:
        raise ValueError(f"cron must have five fields (minute hour day month weekday); found {cron!r}")
    if re.search(r"\d", parts[4]):
        raise ValueError(f"cron's weekday must be a name such as mon-fri, not {parts[4]!r}: 0 means Sunday or Monday")
    if parts[2] != "*" and parts[4] != "*":
        raise ValueError(f"cron {cron!r} names a day and a weekday: say which by one of the two")
    return CronTrigger.from_crontab(cron, timezone=UTC)


@cache
def _every_hour(cron: str) -> bool:
    "Whether a cron line names all 24 hours, however it spells them: *, 0-23, */1."
    hours = next(field for field in _cron_trigger(cron).fields if field.name == "hour")
    return all(hours.get_next_value(datetime(2024, 1, 1, hour, tzinfo=UTC)) == hour for hour in range(24))


def _cron_times(job: Job, after: datetime, until: datetime) -> Iterator[datetime]:
    """Every wall-clock time once: where clocks jump over it, as late after the jump as it lay after its beginning;
    where it comes twice, the first time. A line for every hour runs in both hours of a repeated one."""
    trigger, zone = _cron_trigger(job.cron), ZoneInfo(job.zone)
    hourly = _every_hour(job.cron)
    wall = (after - _DAY).astimezone(zone).replace(tzinfo=UTC)
    last = (until + _DAY).astimezone(zone).replace(tzinfo=UTC)
    while (wall := trigger.get_next_fire_time(None, wall)) is not None and wall <= last:
        first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        yield first
        if hourly and second > first:  # the clock shows this time twice; where it jumps over it, second < first
            yield second
        wall += timedelta(minutes=1)


def _close_times(job: Job, after: datetime, until: datetime) -> Iterator[datetime]:
    "The closes of a timeframe's candles, cut from the trading day as the reader cuts them."
    from smclab.sessions import roll_table

    step, day_ns = timeframe_ns(job.at_close), timeframe_ns("1D")
    period = "week" if step > day_ns else "day"
    starts = roll_table(period, job.zone, job.roll_hour, after.year - 1, until.year + 1)
    first, last = ns_of(after), ns_of(until)
    k = max(int(starts.searchsorted(first, side="right")) - 1, 0)
    for begin, end in zip(starts[k:].tolist(), starts[k + 1 :].tolist(), strict=False):
        if begin > last:
            return
        inside = range(begin + step, end, step) if step < day_ns else ()
        yield from map(moment_of, (*inside, end))


def slots_between(
    name: str,
    job: Job,
    after: datetime,  # UTC; slots after this moment …
    until: datetime,  # UTC; … that are due by this one
) -> list[Slot]:  # in order of time
    "A job's slots, by the calendar alone."
    if until <= after:
        return []
    wait = timedelta(seconds=job.after_s if job.at_close else 0)
    times = (_close_times if job.at_close else _cron_times)(job, after, until)
    return [Slot(t + wait, t, name) for t in sorted({t for t in times if after < t <= until - wait})]


def due_slots(
    schedule: Timetable,
    last: Mapping[str, Settled],  # by job; a job that is not in it begins with the next slot
    now: datetime,  # UTC
) -> list[Slot]:  # in order of due; each job's newest is to be run, the others say why not
    "Which slots are due: this function is the scheduler, whatever wakes it."
    due = []
    for name, job in schedule.jobs.items():
        if name not in last or not job.enabled:
            continue
        settled = last[name]
        since = max(min(settled.until, now), now - LOOK_BACK["cron" if job.cron else "at_close"])
        fresh = [s for s in slots_between(name, job, since, now) if s.time not in settled.ran]
        wait = timedelta(seconds=job.after_s if job.at_close else 0)
        again = [Slot(t + wait, t, name) for t in sorted(settled.again) if t + wait <= now]
        open_ = sorted({*again, *fresh})
        due += [replace(s, why_not=f"caught up by {open_[-1].time:%Y-%m-%d %H:%M} UTC") for s in open_[:-1]]
        due += open_[-1:]
    return sorted(due)


def next_slot(name: str, job: Job, now: datetime) -> Slot | None:  # None: never again
    "A job's first slot that is not due yet."
    for days in (1, 8, 40, 400, 1500):
        found = slots_between(name, job, now - timedelta(seconds=job.after_s), now + days * _DAY)
        if found := [s for s in found if s.due > now]:
            return found[0]
    return None


def newest_slot(name: str, job: Job, now: datetime) -> Slot | None:  # None: not yet
    "A job's last slot that is due by now."
    for days in (1, 8, 40, 400, 1500):
        if found := slots_between(name, job, now - days * _DAY, now):
            return found[-1]
    return None


def ns_of(t: datetime) -> int:
    "A moment as ns since 1970, exactly."
    return ((t - NEVER) // timedelta(microseconds=1)) * 1000


def moment_of(ns: int) -> datetime:
    "The moment of some ns since 1970, whole microseconds."
    return NEVER + timedelta(microseconds=ns // 1000)
