"""The scan report: candidates, gate verdicts, signals and charts of one scan.

One module for two templates, `live_scan` and `paper_scan`: they differ in the candles they scan and show the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from smcdesk import figures
from smcdesk.datasets.catalog import load_catalog
from smcdesk.decisions.config import load_decision_configs
from smcdesk.orders.guard import check_send
from smcdesk.project.config import load_config
from smcdesk.providers.recorded import RecordedProvider
from smcdesk.reports.text import NOTHING, SIDES, bar_time, parameter_table, price
from smcdesk.scanning import alerts, outcomes, scanner
from smcdesk.scanning.summary import ScanResult
from smcdesk.scanning.workspace import Workspace, open_workspace, split_words
from smclab.candles import BadConfig, fingerprint, timeframe_ns
from smclab.decision import Decision
from smclab.setups import stages_at


@dataclass(frozen=True)
class ScanReport:
    "A scan, and the workspace it ran in."

    workspace: Workspace
    scan: ScanResult
    env: str
    sent: int  # messages put into the outbox
    outcomes_n: int  # outcomes that became known


def run_live_scan(
    env: str = "paper",
    *,
    symbols: str = "",  # separated by commas; "": every symbol of conf
    timeframes: str = "1h",
    provider: str = "files",
    slot: str = "",  # "": the present, floored to the shortest timeframe
    notify: bool = False,  # put alerts into the outbox
    alert: str = "live",  # or shadow
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ScanReport:
    "Fetch the newest candles, decide every bar that closed, store the decisions and queue alerts."
    check_send(load_config(env).parameters)
    workspace = open_workspace(env, provider=provider, symbols=split_words(symbols), clock=clock)
    return _scan_slot(workspace, env, split_words(timeframes), slot, notify, alert)


def run_paper_scan(
    env: str = "test",
    *,
    symbols: str = "",
    timeframes: str = "15m",
    now: str = "",  # of the last scan, with its zone; "": the end of the shortest tape
    scans: int = 24,  # how many closes of the shortest timeframe are scanned, one after the other
    after_s: float = 10.0,  # seconds after each close
    slot: str = "",
) -> ScanReport:
    "The same over recorded tapes, close after close by a clock of their own, in a store apart from the live one."
    names, tfs = split_words(symbols) or list(load_config(env).parameters["symbols"]), split_words(timeframes)
    catalog, step = load_catalog(env), min(timeframe_ns(tf) for tf in tfs)
    tapes = {s: catalog.load(f"{s}.candles").bars for s in names}
    configs = load_decision_configs(env, names)
    end = pd.Timestamp(now) if now else min(t.index[-1] for t in tapes.values()) + pd.Timedelta(step, "ns")
    if end.tzinfo is None:
        raise BadConfig(f"now must carry its zone, such as 2024-02-01T12:00:00Z; found {now!r}")
    clock = {"now": end}
    source = RecordedProvider(
        tapes, name="tape_" + fingerprint(pd.concat(tapes.values()))[:8], clock=lambda: clock["now"].to_pydatetime(),
        rolls={s: (w.instrument.zone, w.instrument.roll_hour) for s, w in configs.items()},
    )  # fmt: skip
    workspace = open_workspace(
        env, source=source, symbols=names, clock=lambda: clock["now"].to_pydatetime(), isolated=True
    )
    last = end.floor(pd.Timedelta(step, "ns"))
    reports = []
    for k in range(max(scans, 1) - 1, -1, -1):
        clock["now"] = last - k * pd.Timedelta(step, "ns") + pd.Timedelta(seconds=after_s)
        reports.append(_scan_slot(workspace, env, tfs, slot if slot and not k else "", notify=False, alert="live"))
    return _merged(reports)


def _merged(reports: list[ScanReport]) -> ScanReport:
    "Consecutive scans as one."
    last, scans = reports[-1], [r.scan for r in reports]
    series = last.scan.series.assign(**{n: sum(s.series[n] for s in scans) for n in ("bars_n", "candidates_n")})
    decisions = tuple(d for s in scans for d in s.decisions)
    new = pd.concat([s.new for s in scans])
    whole = replace(last.scan, series=series, decisions=decisions, new=new)
    sent, outcomes_n = sum(r.sent for r in reports), sum(r.outcomes_n for r in reports)
    return replace(last, scan=whole, sent=sent, outcomes_n=outcomes_n)


def _scan_slot(
    workspace: Workspace, env: str, timeframes: list[str], slot: str, notify: bool, alert: str
) -> ScanReport:
    "Scan one slot, fill outcomes that became known, and queue alerts where `notify` is on."
    names, now = list(workspace.configs), workspace.clock()
    if not timeframes:
        raise BadConfig("timeframes: name at least one, such as 15m,1h")
    step = min(timeframe_ns(tf) for tf in timeframes)
    slot = slot or f"{pd.Timestamp(now).floor(pd.Timedelta(step, 'ns')):%Y%m%dT%H%MZ}_{workspace.provider_name}"
    found = scanner.scan(workspace, names, timeframes, slot)
    outcomes_n = outcomes.fill_outcomes(workspace, names, timeframes)
    sent = alerts.enqueue_alerts(workspace, found, alert) if notify else 0
    return ScanReport(workspace, found, env, sent, outcomes_n)


# Tables and sentences


def resolved(report: ScanReport) -> pd.DataFrame:
    "What the parameters were resolved to."
    s, policy = report.scan, next(iter(report.workspace.configs.values())).policy
    rows = {
        "environment": report.env, "slot": s.slot, "by the clock (UTC)": f"{s.now:%Y-%m-%d %H:%M:%S}",
        "candles from": report.workspace.provider_name, "series": f"{len(s.series):,}",
        "policy": policy.hash() + (", shadow: nothing is traded" if policy.in_force.shadow_mode else ""),
        "messages": f"{report.sent:,} put into the outbox" if report.sent else "none sent",
    }  # fmt: skip
    return parameter_table(rows)


def verdict(report: ScanReport) -> str:
    "How many candles, candidates and signals there are."
    s = report.scan
    n = {word: sum(d.outcome == word for d in s.decisions) for word in ("live", "shadow", "none")}
    bars, down = int(s.series["bars_n"].sum()), int((s.series["problem"] != "").sum())
    head = f"Candles: {bars:,}, of {len(s.series):,} series. Candidates: {len(s.decisions):,}"
    split = f" ({n['live']:,} live, {n['shadow']:,} shadow, {n['none']:,} neither)" if s.decisions else ""
    wrong = f" {down:,} series could not be brought up to date." if down else ""
    return f"{head}{split}. Signals that hold: {len(s.signals):,}.{wrong}"


def series(report: ScanReport) -> pd.DataFrame:
    "Every series: its newest candle, how late it is, what was evaluated, and its problem."
    s = report.scan
    step = [pd.Timedelta(timeframe_ns(tf), "ns") for tf in s.series["timeframe"]]
    late = [_late(s.now, t, k) for t, k in zip(s.series["last_bar"], step, strict=True)]
    last = [f"{t:%Y-%m-%d %H:%M}" if t is not None and t == t else "none" for t in s.series["last_bar"]]
    shown = {
        "symbol": s.series["symbol"], "timeframe": s.series["timeframe"], "last candle (UTC)": last, "bars late": late,
        "evaluated": s.series["bars_n"], "candidates": s.series["candidates_n"], "problem": s.series["problem"],
    }  # fmt: skip
    return pd.DataFrame(shown)


def _late(now: pd.Timestamp, bar: pd.Timestamp | None, step: pd.Timedelta) -> str:
    "How many candles should have closed since the newest one."
    return "none read" if bar is None or bar != bar else f"{max((now - bar) / step - 1, 0):,.1f}"


def newest(report: ScanReport) -> list[tuple[Decision, int]]:  # live first, then the better score
    "Each setup's newest decision, and how many there were: a waiting limit is evaluated again at every close."
    evaluations: dict[str, list[Decision]] = {}
    for d in report.scan.decisions:
        evaluations.setdefault(d.setup_id, []).append(d)
    return sorted(
        ((max(own, key=lambda d: d.time), len(own)) for own in evaluations.values()), key=lambda x: _rank(x[0])
    )


def _rank(d: Decision) -> tuple:
    "Live first, then the better score."
    return ("live", "shadow", "none").index(d.outcome), -(d.score or 0.0), d.time, d.setup_id


def candidates(report: ScanReport) -> pd.DataFrame:
    "The candidates in figures."
    rows = [_row(d, n) for d, n in newest(report)]
    return pd.DataFrame(rows) if rows else NOTHING


def _row(d: Decision, evaluations: int) -> dict[str, Any]:
    "One candidate for a table."
    t, passed = d.ticket, sum(v.passed for v in d.verdicts)
    prices = {k: price(getattr(t, f"{k}_price")) if t else "" for k in ("entry", "stop", "target")}
    return {
        "symbol": f"{d.instrument} {d.timeframe}", "bar (UTC)": f"{pd.Timestamp(d.time, tz='UTC'):%m-%d %H:%M}",
        "side": SIDES[d.side], "mode": d.mode.replace("_", " "), "grade": d.grade or "", "score": f"{d.score:.0f}",
        "outcome": d.outcome, "gates": f"{passed} of {len(d.verdicts)}", **prices,
        "R net": f"{t.rr_net:.2f}" if t else "", "evaluations": evaluations,
    }  # fmt: skip


def reasons(report: ScanReport) -> str:  # Markdown
    "Each candidate in words: why, what next, until when."
    return "\n\n".join(_words(d) for d, _ in newest(report)) or "No candidate on these candles."


def _words(d: Decision) -> str:
    "One candidate in words."
    until = f" Holds until {pd.Timestamp(d.expires_ns, tz='UTC'):%m-%d %H:%M} UTC." if d.ticket else ""
    graded = f", grade {d.grade}" if d.grade else ""
    return (
        f"**{d.instrument} {d.timeframe} {SIDES[d.side]}, {d.mode.replace('_', ' ')}: {d.outcome}{graded}**  \n"
        f"WHY {d.why}  \nNEXT {d.next}.{until}"
    )


def waiting(report: ScanReport) -> pd.DataFrame:
    "Which stage of the setup each series without a candidate has reached, long and short; twelve series at most."
    busy = {(d.instrument, d.timeframe) for d in report.scan.decisions}
    rows = []
    for r in report.scan.series.itertuples():
        if (r.symbol, r.timeframe) in busy or not r.last_bar or len(rows) == 12:
            continue
        config = report.workspace.configs[r.symbol]
        reading = report.workspace.reading(r.symbol, r.timeframe)
        sides = stages_at(reading.at(r.last_bar), config.instrument, config.setups)
        words = {side: stage["text"].removeprefix(f"{side}: ") for side, stage in sides.items()}
        rows.append({"symbol": f"{r.symbol} {r.timeframe}"} | words)
    return pd.DataFrame(rows) if rows else NOTHING


def verdicts(report: ScanReport) -> pd.DataFrame:
    "Every gate's verdict on every candidate."
    rows = {
        f"{d.instrument} {d.timeframe} {SIDES[d.side]} {d.setup_id[:4]}": {
            v.gate: ("yes" if v.passed else "NO") + ("" if v.enforced else ", not enforced") for v in d.verdicts
        }
        for d, _ in newest(report)
    }
    return pd.DataFrame(rows).rename_axis("gate").reset_index() if rows else NOTHING


def signals(report: ScanReport) -> pd.DataFrame:
    "Every signal that holds now."
    s = report.scan.signals
    if not len(s):
        return NOTHING
    shown = {
        "symbol": s["instrument"] + " " + s["timeframe"], "side": s["side"].map(SIDES),
        "class": s["outcome_class"], **{name: s[f"{name}_price"].map(price) for name in ("entry", "stop", "target")},
        "bar (UTC)": bar_time(s["time"]), "until (UTC)": bar_time(s["expires_at"]),
    }  # fmt: skip
    return pd.DataFrame(shown)


def charts(report: ScanReport, n_bars: int = 120, most: int = 6) -> Iterator:  # figures
    "Charts of the best candidates, each with the bars before it."
    drawn = set()
    for d, _ in newest(report):
        place = (d.instrument, d.timeframe, d.time, d.side)
        if place in drawn or len(drawn) == most:  # the same move entered in two ways is one picture
            continue
        drawn.add(place)
        yield figures.candidate(report.workspace.reading(d.instrument, d.timeframe), d, n_bars)


def summary(report: ScanReport) -> dict[str, Any]:
    "The row stored with the report."
    s = report.scan
    n = {f"{word}_n": sum(d.outcome == word for d in s.decisions) for word in ("live", "shadow", "none")}
    return {
        "env": report.env, "slot": s.slot, "policy_hash": report.workspace.policy_hash, "series_n": len(s.series),
        "bars_n": int(s.series["bars_n"].sum()), "candidates_n": len(s.decisions), **n,
        "signals_n": len(s.signals), "down_n": int((s.series["problem"] != "").sum()), "sentence": verdict(report),
    }  # fmt: skip
