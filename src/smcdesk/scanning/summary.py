"""One slot's scan as the store has it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from smcdesk.scanning.workspace import Workspace
from smcdesk.store.journal import ScanEntry, series
from smclab.decision import Decision


@dataclass(frozen=True)
class ScanResult:
    "One slot's scan, read from journal and store: the same whenever it is read."

    slot: str
    now: pd.Timestamp  # UTC: of the scan that looked first
    series: pd.DataFrame  # symbol, timeframe, last_bar, bars_n, candidates_n, problem
    decisions: tuple[Decision, ...]  # of the bars this slot looked at, those with a candidate
    new: pd.DataFrame  # signals of these bars
    signals: pd.DataFrame  # every signal that holds now


def summarize(workspace: Workspace, symbols: Iterable[str], timeframes: Iterable[str], slot: str) -> ScanResult:
    "What a slot's scan found."
    journal = workspace.journal
    entries, problems = journal.entries(slot=slot), journal.problems(slot)
    last_bars = journal.last_bars(workspace.policy_hash)
    now = pd.Timestamp(entries[0].decided_at if entries else moment_ns(workspace.clock()), tz="UTC")
    by_series: dict[str, list[ScanEntry]] = {}
    for entry in entries:
        by_series.setdefault(entry.series, []).append(entry)
    rows, decisions = [], []
    for symbol in symbols:
        for tf in timeframes:
            name = series(workspace.provider_name, symbol, tf)
            own, last = by_series.get(name, []), last_bars.get(name)
            n = sum(e.decisions_n or 0 for e in own)
            rows.append({
                "symbol": symbol, "timeframe": tf, "last_bar": last and pd.Timestamp(last, tz="UTC"),
                "bars_n": len(own), "candidates_n": n, "problem": problems.get(name, ""),
            })  # fmt: skip
            if n:
                span = {"since": own[0].time, "until": own[-1].time + 1, "policy_hash": own[0].policy_hash}
                stored = workspace.store.decisions(**span, instrument=symbol, timeframe=tf)
                decisions += [d for d in stored if d.setup_id]
    new = _new_signals(workspace, entries)
    return ScanResult(slot, now, pd.DataFrame(rows), tuple(decisions), new, workspace.store.signals(at=now))


def _new_signals(workspace: Workspace, entries: list[ScanEntry]) -> pd.DataFrame:
    "The signals of some bars."
    bars = {(e.series, e.time) for e in entries}
    since = min((time for _, time in bars), default=None)
    found = workspace.store.signals(since=since, policy_hash=workspace.policy_hash)
    names = [series(workspace.provider_name, r.instrument, r.timeframe) for r in found.itertuples()]
    own = [(name, time.value) in bars for name, time in zip(names, found["time"], strict=True)]
    return found[pd.Series(own, found.index, dtype=bool)]


def moment_ns(t: datetime) -> int:
    "A moment as ns since 1970 UTC."
    return pd.Timestamp(t).as_unit("ns").value
