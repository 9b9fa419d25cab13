"""The weekly review: live decisions against the replay's, what the policy let through and refused, missed runs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pandas as pd

from smcdesk.reports import rollout_report
from smcdesk.reports.period import (
    Period,
    activity,
    activity_figures,
    load_period,
    period_parameters,
    slot_counts,
    slot_problems,
    trade_table,
)
from smcdesk.reports.text import NOTHING
from smcdesk.research import rollout
from smcdesk.scanning.parity_review import ParityReview, review
from smcdesk.schedule import timetable
from smcdesk.schedule.slot_log import SlotLog


@dataclass(frozen=True)
class WeeklyReview:
    "A week, its decisions made again by the replay, and the rollout figures of its setups."

    period: Period
    rollout: rollout.Rollout
    parity: ParityReview
    missed: pd.DataFrame  # line, slot: due, but neither run nor recorded with a reason


def load(
    env: str = "paper",
    *,
    days: int = 7,
    **options: Any,  # of `load_period`
) -> WeeklyReview:
    "The week before a time, reviewed."
    return review_period(load_period(env, days=days, **options))


def review_period(period: Period) -> WeeklyReview:
    "A loaded period, reviewed."
    whole = rollout.load(period.env, policy=period.workspace.policy_hash)
    labels = whole.labels
    labels = labels[(labels["time"] >= period.since) & (labels["time"] < period.until)].reset_index(drop=True)
    parity = review(period.workspace, period.since.value, period.until.value)
    return WeeklyReview(period, dataclasses.replace(whole, labels=labels), parity, missed_slots(period))


def missed_slots(period: Period) -> pd.DataFrame:  # line, slot
    "Slots that were due since a line of the timetable first ran, and of which the slot log has no entry."
    entries = SlotLog(period.workspace.store).entries()
    rows = []
    for name, job in period.lines.jobs.items():
        logged = {e["time"] for e in entries if e["job"] == name}
        if not logged or not job.enabled:
            continue
        first = max(min(logged), period.since.to_pydatetime())
        end = min(period.until, period.now).to_pydatetime()
        due = timetable.slots_between(name, job, first, end)
        rows += [{"line": name, "slot": s.time} for s in due if s.time not in logged]
    return pd.DataFrame(rows, columns=["line", "slot"])


def resolved(report: WeeklyReview) -> pd.DataFrame:
    "What the parameters were resolved to."
    return period_parameters(report.period)


def verdict(report: WeeklyReview) -> str:
    "Whether live and replay are equal, and the week's activity."
    n = len(report.missed)
    missed = f" {n:,} due runs of the timetable are missing without a reason." if n else ""
    return f"{report.parity.sentence} {activity(report.period)}{missed}"


def defects(report: WeeklyReview) -> pd.DataFrame:
    "Bars where live and replay differ."
    found = report.parity.defects
    return found if len(found) else NOTHING


def late(report: WeeklyReview) -> pd.DataFrame:
    "Candles that arrived after a later one had been decided."
    found = report.parity.late_bars
    return found if len(found) else NOTHING


def outcome_counts(report: WeeklyReview) -> pd.DataFrame:
    "Live, shadow and neither: how many setups of the week, and what became of them."
    return rollout_report.shown(rollout.outcome_counts(report.rollout.labels))


def refusals(report: WeeklyReview) -> pd.DataFrame:
    "The first enforced refusal of each setup, by gate, with its newest example."
    return rollout_report.shown(rollout.reasons(report.rollout.labels))


def gates(report: WeeklyReview) -> pd.DataFrame:
    "Every gate's verdicts on the week's setups."
    return rollout_report.shown(rollout.gates(report.rollout.labels))


def trades(report: WeeklyReview) -> pd.DataFrame:
    "Paper trades that ended in the week."
    return trade_table(report.period)


def slots(report: WeeklyReview) -> str:
    "The timetable in one sentence."
    return slot_counts(report.period)


def runs(report: WeeklyReview) -> pd.DataFrame:
    "Runs that failed, were missed or left a remark."
    return slot_problems(report.period)


def summary(report: WeeklyReview) -> dict[str, Any]:
    "The row stored with the report."
    return activity_figures(report.period) | {
        "looks_n": report.parity.bars_n, "decisions_n": report.parity.decisions_n,
        "defects_n": len(report.parity.defects), "late_n": len(report.parity.late_bars),
        "missed_n": len(report.missed), "sentence": verdict(report),
    }  # fmt: skip
