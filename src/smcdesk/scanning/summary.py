"""One slot's scan as the store tells it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from smcdesk.scanning.workspace import Workspace
from smcdesk.store.journal import series
from smclab.decision import Decision


def _moment_ns(t: datetime) -> int:
    return pd.Timestamp(t).as_unit("ns").value


@dataclass(frozen=True)
class ScanResult:
    "One slot's scan, as journal and store tell it: the same whenever it is asked."

    slot: str
    now: pd.Timestamp  # UTC: of the scan that looked first
    series: pd.DataFrame  # symbol, timeframe, last bar, bars looked at, candidates, what was met
    decisions: tuple[Decision, ...]  # of the bars this slot looked at, those with a candidate
    new: pd.DataFrame  # signals these bars told
    signals: pd.DataFrame  # every signal that holds now


def summarize(workspace: Workspace, symbols: Iterable[str], timeframes: Iterable[str], slot: str) -> ScanResult:
    "What a slot's scan found."
    looks, met = workspace.journal.looks(slot=slot), workspace.journal.said(slot)
    lasts = workspace.journal.lasts(workspace.policy_hash)
    now = pd.Timestamp(looks[0]["now_ns"] if looks else _moment_ns(workspace.clock()), tz="UTC")
    by_series: dict[str, list[dict]] = {}
    for look in looks:
        by_series.setdefault(look["series"], []).append(look)
    rows, decisions = [], []
    for symbol in symbols:
        for tf in timeframes:
            name = series(workspace.provider_name, symbol, tf)
            own, last = by_series.get(name, []), lasts.get(name)
            rows.append({
                "symbol": symbol, "timeframe": tf, "last_bar": last and pd.Timestamp(last, tz="UTC"),
                "bars_n": len(own), "candidates_n": sum(k["decided"] or 0 for k in own), "met": met.get(name, ""),
            })  # fmt: skip
            if sum(k["decided"] or 0 for k in own):
                span = {"since": own[0]["bar_ns"], "until": own[-1]["bar_ns"] + 1}
                kept = workspace.store.decisions(**span, instrument=symbol, timeframe=tf, policy_hash=own[0]["policy"])
                decisions += [d for d in kept if d.setup_id]
    looked = {(look["series"], look["bar_ns"]) for look in looks}
    told = workspace.store.signals(since=min((n for _, n in looked), default=None), policy_hash=workspace.policy_hash)
    names = [series(workspace.provider_name, r.instrument, r.timeframe) for r in told.itertuples()]
    ours = pd.Series([(n, t.value) in looked for n, t in zip(names, told["time"], strict=True)], told.index, dtype=bool)
    new = told[ours]
    return ScanResult(slot, now, pd.DataFrame(rows), tuple(decisions), new, workspace.store.signals(at=now))
