"""What a scan found, in words, tables and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from smcdesk import figures
from smcdesk.datasets.catalog import load_catalog
from smcdesk.decisions.config import load_decision_configs
from smcdesk.project.config import load_config
from smcdesk.scanning import alerts, outcomes, scanner
from smcdesk.scanning.summary import ScanResult
from smcdesk.scanning.workspace import Workspace, open_workspace, split_words
from smclab.candles import BadConfig, timeframe_ns
from smclab.decision import Decision
from smclab.setups import stages_at

NOTHING = pd.DataFrame({"": ["nothing"]})
_SIDE = {1: "long", -1: "short"}


@dataclass(frozen=True)
class ScanReport:
    "A scan, and the desk it was made at."

    workspace: Workspace
    scan: ScanResult
    env: str
    sent: int  # messages put into the outbox
    known: int  # outcomes that became known


def run_live_scan(
    env: str = "paper",
    *,
    symbols: str = "",  # separated by commas; "": every symbol of conf
    timeframes: str = "1h",
    provider: str = "files",
    slot: str = "",  # "": the present, floored to the shortest timeframe
    send: bool = False,  # put alerts into the outbox
    alert: str = "live",  # or shadow
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ScanReport:
    "Fetch, read, decide and keep; then tell."
    here = open_workspace(env, provider=provider, symbols=split_words(symbols), clock=clock)
    return _told(here, env, split_words(timeframes), slot, send, alert)


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
    "The same over recorded tapes, with a now that moves from close to close; kept apart from what is lived."
    from smcdesk.providers.recorded import RecordedProvider
    from smclab.candles import fingerprint

    names, tfs = split_words(symbols) or list(load_config(env).parameters["symbols"]), split_words(timeframes)
    catalog, step = load_catalog(env), min(timeframe_ns(tf) for tf in tfs)
    tapes = {s: catalog.load(f"{s}.candles").bars for s in names}
    known = load_decision_configs(env, names)
    end = pd.Timestamp(now) if now else min(t.index[-1] for t in tapes.values()) + pd.Timedelta(step, "ns")
    if end.tzinfo is None:
        raise BadConfig(f"now must carry its zone, such as 2024-02-01T12:00:00Z; found {now!r}")
    moving = {"now": end}
    source = RecordedProvider(
        tapes, name="tape_" + fingerprint(pd.concat(tapes.values()))[:8], clock=lambda: moving["now"].to_pydatetime(),
        rolls={s: (w.instrument.zone, w.instrument.roll_hour) for s, w in known.items()},
    )  # fmt: skip
    here = open_workspace(env, source=source, symbols=names, clock=lambda: moving["now"].to_pydatetime(), isolated=True)
    last = end.floor(pd.Timedelta(step, "ns"))
    told = []
    for k in range(max(scans, 1) - 1, -1, -1):
        moving["now"] = last - k * pd.Timedelta(step, "ns") + pd.Timedelta(seconds=after_s)
        told.append(_told(here, env, tfs, slot if slot and not k else "", send=False, alert="live"))
    return _merged(told)


def _merged(told: list[ScanReport]) -> ScanReport:
    "Scans that followed each other as one."
    last, scans = told[-1], [t.scan for t in told]
    series = last.scan.series.assign(**{n: sum(s.series[n] for s in scans) for n in ("bars_n", "candidates_n")})
    decisions = tuple(d for s in scans for d in s.decisions)
    new = pd.concat([s.new for s in scans])
    whole = replace(last.scan, series=series, decisions=decisions, new=new)
    return replace(last, scan=whole, sent=sum(t.sent for t in told), known=sum(t.known for t in told))


def _told(here: Workspace, env: str, timeframes: list[str], slot: str, send: bool, alert: str) -> ScanReport:
    "One slot."
    names, now = list(here.configs), here.clock()
    if not timeframes:
        raise BadConfig("timeframes: say at least one, such as 15m,1h")
    step = min(timeframe_ns(tf) for tf in timeframes)
    slot = slot or f"{pd.Timestamp(now).floor(pd.Timedelta(step, 'ns')):%Y%m%dT%H%MZ}_{here.provider_name}"
    found = scanner.scan(here, names, timeframes, slot)
    known = outcomes.fill_outcomes(here, names, timeframes)
    sent = alerts.enqueue_alerts(here, found, alert) if send else 0
    return ScanReport(here, found, env, sent, known)


# --- in words


def resolved(report: ScanReport) -> pd.DataFrame:
    "What the parameters turned out to mean."
    s, policy = report.scan, next(iter(report.workspace.configs.values())).policy
    rows = {
        "environment": report.env, "slot": s.slot, "by the clock (UTC)": f"{s.now:%Y-%m-%d %H:%M:%S}",
        "candles from": report.workspace.provider_name, "series": f"{len(s.series):,}",
        "policy": policy.hash() + (", shadow: nothing is traded" if policy.in_force.shadow_mode else ""),
        "messages": f"{report.sent:,} put into the outbox" if report.sent else "none sent",
    }  # fmt: skip
    return pd.DataFrame({"": rows})


def verdict(report: ScanReport) -> str:
    "The scan in one line."
    s = report.scan
    n = {word: sum(d.outcome == word for d in s.decisions) for word in ("live", "shadow", "none")}
    bars, down = int(s.series["bars_n"].sum()), int((s.series["problem"] != "").sum())
    head = f"Candles: {bars:,}, of {len(s.series):,} series. Candidates: {len(s.decisions):,}"
    split = f" ({n['live']:,} live, {n['shadow']:,} shadow, {n['none']:,} neither)" if s.decisions else ""
    wrong = f" {down:,} series could not be brought up to date." if down else ""
    return f"{head}{split}. Signals that hold: {len(s.signals):,}.{wrong}"


def series(report: ScanReport) -> pd.DataFrame:
    "Every series: how far it reaches, and what was met."
    s = report.scan
    step = [pd.Timedelta(timeframe_ns(tf), "ns") for tf in s.series["timeframe"]]
    late = [_late(s.now, t, k) for t, k in zip(s.series["last_bar"], step, strict=True)]
    last = [f"{t:%Y-%m-%d %H:%M}" if t is not None and t == t else "none" for t in s.series["last_bar"]]
    shown = {
        "symbol": s.series["symbol"], "timeframe": s.series["timeframe"], "last candle (UTC)": last, "bars late": late,
        "looked at": s.series["bars_n"], "candidates": s.series["candidates_n"], "met": s.series["problem"],
    }  # fmt: skip
    return pd.DataFrame(shown)


def _late(now: pd.Timestamp, bar: pd.Timestamp | None, step: pd.Timedelta) -> str:
    "How many candles should have closed since the newest one."
    return "none read" if bar is None or bar != bar else f"{max((now - bar) / step - 1, 0):,.1f}"


def newest(report: ScanReport) -> list[tuple[Decision, int]]:  # live first, then the better score
    "Each setup's newest look, and how many there were: a limit that waits is looked at again at every close."
    looks: dict[str, list[Decision]] = {}
    for d in report.scan.decisions:
        looks.setdefault(d.setup_id, []).append(d)
    return sorted(((max(own, key=lambda d: d.time), len(own)) for own in looks.values()), key=lambda x: _rank(x[0]))


def _rank(d: Decision) -> tuple:
    "Live first, then the better score."
    return ("live", "shadow", "none").index(d.outcome), -(d.score or 0.0), d.time, d.setup_id


def candidates(report: ScanReport) -> pd.DataFrame:
    "The candidates in figures."
    rows = [_row(d, n) for d, n in newest(report)]
    return pd.DataFrame(rows) if rows else NOTHING


def _row(d: Decision, looks: int) -> dict[str, Any]:
    "One candidate for a table."
    t, passed = d.ticket, sum(v.passed for v in d.verdicts)
    price = {k: f"{getattr(t, f'{k}_price'):.10g}" if t else "" for k in ("entry", "stop", "target")}
    return {
        "symbol": f"{d.instrument} {d.timeframe}", "bar (UTC)": f"{pd.Timestamp(d.time, tz='UTC'):%m-%d %H:%M}",
        "side": _SIDE[d.side], "mode": d.mode.replace("_", " "), "grade": d.grade or "", "score": f"{d.score:.0f}",
        "outcome": d.outcome, "gates": f"{passed} of {len(d.verdicts)}", **price,
        "R net": f"{t.rr_net:.2f}" if t else "", "looks": looks,
    }  # fmt: skip


def reasons(report: ScanReport) -> str:  # Markdown
    "Each candidate in words: why, what next, until when."
    return "\n\n".join(_words(d) for d, _ in newest(report)) or "No candidate on these candles."


def _words(d: Decision) -> str:
    "One candidate in words."
    until = f" Holds until {pd.Timestamp(d.expires_ns, tz='UTC'):%m-%d %H:%M} UTC." if d.ticket else ""
    graded = f", grade {d.grade}" if d.grade else ""
    return (
        f"**{d.instrument} {d.timeframe} {_SIDE[d.side]}, {d.mode.replace('_', ' ')}: {d.outcome}{graded}**  \n"
        f"WHY {d.why}  \nNEXT {d.next}.{until}"
    )


def waiting(report: ScanReport) -> pd.DataFrame:
    "How far each series without a candidate has come on either side, for the first dozen of them."
    busy = {(d.instrument, d.timeframe) for d in report.scan.decisions}
    rows = []
    for r in report.scan.series.itertuples():
        if (r.symbol, r.timeframe) in busy or not r.last_bar or len(rows) == 12:
            continue
        world = report.workspace.configs[r.symbol]
        reading = report.workspace.reading(r.symbol, r.timeframe)
        sides = stages_at(reading.at(r.last_bar), world.instrument, world.setups)
        rows.append(
            {
                "symbol": f"{r.symbol} {r.timeframe}",
                **{way: said["text"].removeprefix(f"{way}: ") for way, said in sides.items()},
            }
        )
    return pd.DataFrame(rows) if rows else NOTHING


def verdicts(report: ScanReport) -> pd.DataFrame:
    "Every gate's answer about every candidate."
    rows = {
        f"{d.instrument} {d.timeframe} {_SIDE[d.side]} {d.setup_id[:4]}": {
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
        "symbol": s["instrument"] + " " + s["timeframe"], "side": s["side"].map(_SIDE),
        "class": s["outcome_class"], "entry": s["entry_price"].map("{:.10g}".format),
        "stop": s["stop_price"].map("{:.10g}".format), "target": s["target_price"].map("{:.10g}".format),
        "told (UTC)": s["time"].dt.strftime("%m-%d %H:%M"), "until (UTC)": s["expires_at"].dt.strftime("%m-%d %H:%M"),
    }  # fmt: skip
    return pd.DataFrame(shown)


def charts(report: ScanReport, n_bars: int = 120, most: int = 6) -> Iterator:  # figures
    "The best candidates, each among the bars before it."
    seen = set()
    for d, _ in newest(report):
        place = (d.instrument, d.timeframe, d.time, d.side)
        if place in seen or len(seen) == most:  # the same move entered in two ways is one picture
            continue
        seen.add(place)
        yield figures.candidate(report.workspace.reading(d.instrument, d.timeframe), d, n_bars)


def summary(report: ScanReport) -> dict[str, Any]:
    "The report in one row."
    s = report.scan
    n = {f"{word}_n": sum(d.outcome == word for d in s.decisions) for word in ("live", "shadow", "none")}
    return {
        "env": report.env, "slot": s.slot, "policy_hash": report.workspace.policy_hash, "series_n": len(s.series),
        "bars_n": int(s.series["bars_n"].sum()), "candidates_n": len(s.decisions), **n,
        "signals_n": len(s.signals), "down_n": int((s.series["problem"] != "").sum()), "sentence": verdict(report),
    }  # fmt: skip
