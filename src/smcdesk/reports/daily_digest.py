"""The daily digest: signals, outcomes that became known, paper trades, the data, news ahead, the timetable."""

from __future__ import annotations

from typing import Any

import pandas as pd

from smcdesk.notifications import messages
from smcdesk.notifications.outbox import enqueue
from smcdesk.reports.period import (
    Period,
    activity,
    activity_figures,
    calendar_state,
    load_period,
    period_parameters,
    series_table,
    slot_counts,
    slot_problems,
    trade_table,
)
from smcdesk.reports.text import NOTHING, SIDES, bar_time, price
from smcdesk.store import Contradiction

AHEAD = pd.Timedelta(hours=48)  # how far the digest looks for news


def load(
    env: str = "paper",
    *,
    days: int = 1,
    **options: Any,  # of `load_period`
) -> Period:
    "The day before a time."
    return load_period(env, days=days, **options)


def resolved(report: Period) -> pd.DataFrame:
    "What the parameters were resolved to."
    return period_parameters(report)


def verdict(report: Period) -> str:
    "The day in one sentence: signals, outcomes, paper trades, failed runs."
    return activity(report)


def signals(report: Period) -> pd.DataFrame:
    "The day's signals: entry, stop, target, until when and why."
    s = report.signals
    if not len(s):
        return NOTHING
    shown = {
        **_setup_columns(s, "bar (UTC)"),
        "status": s["status"], **{name: s[f"{name}_price"].map(price) for name in ("entry", "stop", "target")},
        "until (UTC)": bar_time(s["expires_at"]), "WHY": s["reason"],
    }  # fmt: skip
    return pd.DataFrame(shown)


def _setup_columns(s: pd.DataFrame, time_column: str) -> dict[str, pd.Series]:
    "Which setup a row is of: series, bar, side, class and grade."
    return {
        "symbol": s["instrument"] + " " + s["timeframe"], time_column: bar_time(s["time"]),
        "side": s["side"].map(SIDES), "class": s["outcome_class"], "grade": s["grade"].fillna(""),
    }  # fmt: skip


def outcomes(report: Period) -> pd.DataFrame:
    "Setups whose outcome became known, live, shadow or refused, with their result in R."
    s = report.outcomes
    if not len(s):
        return NOTHING
    shown = {
        **_setup_columns(s, "set up (UTC)"),
        "outcome": s["outcome"].str.replace("_", " "),
        "R": s["actual_rr"].map(lambda r: "" if pd.isna(r) else f"{r:+.2f}"),
        "known (UTC)": bar_time(s["outcome_known_at"]),
    }  # fmt: skip
    return pd.DataFrame(shown)


def trades(report: Period) -> pd.DataFrame:
    "Paper trades that ended: what the stored live decisions earned, filled as the replay fills them."
    return trade_table(report)


def data(report: Period) -> pd.DataFrame:
    "Every series: how late, which verdict, what is missing."
    return series_table(report)


def news(report: Period) -> pd.DataFrame:
    "High-impact events ahead, for the currencies of the watch-list."
    calendar = report.workspace.calendar.news
    configs = report.workspace.configs.values()
    wanted = {currency for config in configs for currency in config.instrument.news_currencies} | {"ALL"}
    events = zip(calendar.times, calendar.currencies, calendar.titles, strict=True) if calendar else ()
    rows = [
        {"when (UTC)": f"{pd.Timestamp(t, tz='UTC'):%a %Y-%m-%d %H:%M}", "currency": currency, "event": title}
        for t, currency, title in events
        if report.until.value <= t < (report.until + AHEAD).value and currency in wanted
    ]
    return pd.DataFrame(rows) if rows else NOTHING


def calendar(report: Period) -> str:
    "How old the economic calendar is, and how far ahead it reaches."
    return calendar_state(report)


def slots(report: Period) -> str:
    "The timetable in one sentence."
    return slot_counts(report)


def runs(report: Period) -> pd.DataFrame:
    "Runs that failed, were missed or left a remark."
    return slot_problems(report)


def summary(report: Period) -> dict[str, Any]:
    "The row stored with the report."
    return activity_figures(report) | {"sentence": verdict(report)}


def notify(report: Period, enabled: bool) -> str:  # what was done, in one sentence
    "Put the digest into the outbox, once per period; nothing is written where that is not enabled."
    if not enabled:
        return "Nothing was put into the outbox (`notify` is off)."
    sections = {
        "signals": _lines(signals(report)), "outcomes": _lines(outcomes(report)),
        "paper trades": _lines(trades(report)), "data": _lines(data(report)),
        "news ahead": [*_lines(news(report)), calendar(report)],
        "timetable": [slots(report), *_lines(runs(report))],
    }  # fmt: skip
    message = messages.digest_message(
        f"{report.until:%Y-%m-%d %H:%M} UTC", sections, report.until.value, summary=verdict(report)
    )
    try:
        new = enqueue(report.workspace.store, **message)
    except Contradiction:
        new = False
    return "The digest was put into the outbox." if new else "The digest stands in the outbox already."


def _lines(table: pd.DataFrame) -> list[str]:
    "A table's rows as lines of text."
    return [] if table is NOTHING else ["  ".join(map(str, row)) for row in table.itertuples(index=False)]
