"""What was decided live, decided again from the whole tape: every difference is a defect."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from smcdesk.decisions.config import DecisionBasis, DecisionConfig
from smcdesk.decisions.context import TapeFacts, bar_context, tape_facts, with_live_model_scores
from smcdesk.scanning.scanner import recorded_basis
from smcdesk.scanning.workspace import Workspace
from smcdesk.store.decisions import different
from smcdesk.store.journal import ScanEntry, decisions_hash, series_key
from smclab.decision import Decision, decide
from smclab.reader import read
from smclab.reading import Reading
from smclab.setups import candidates_at

FOUND = ["series", "bar", "what"]


@dataclass(frozen=True)
class ParityReview:
    "The decisions of some bars, live and replayed."

    bars_n: int  # bars that were looked at
    decisions_n: int  # stored decisions of them
    defects: pd.DataFrame  # series, bar, what: where live and replay differ
    late_bars: pd.DataFrame  # series, bar, what: bars nobody could have decided in time

    @property
    def sentence(self) -> str:
        "The review in one line."
        same = "live and replay are equal" if not len(self.defects) else f"{len(self.defects):,} defects"
        late = f"; {len(self.late_bars):,} bars came too late to be decided" if len(self.late_bars) else ""
        return f"{self.bars_n:,} bars, {self.decisions_n:,} decisions: {same}{late}."


def review(
    workspace: Workspace,
    since: int,  # open label of the first bar, ns UTC
    until: int,  # of the first bar no longer wanted, ns UTC
) -> ParityReview:
    "Decide every bar that was looked at once more, from the whole tape read in one go, by the clock of its entry."
    by_series: dict[str, list[ScanEntry]] = defaultdict(list)
    for entry in workspace.journal.entries(since=since, until=until):
        if series_key(entry.series)[0] == workspace.provider_name:
            by_series[entry.series].append(entry)
    defects, late, n = [], [], 0
    for name, entries in by_series.items():
        tape = _RecordedSeries(workspace, name)
        late += tape.late(entries)
        defects += tape.missed(entries)
        stored = _stored_decisions(workspace, name, entries)
        for entry in entries:
            own = stored.get((entry.policy_hash, entry.time), [])
            n += len(own)
            defects += [(name, entry.time, what) for what in _differences(entry, own, tape)]
    tables = [pd.DataFrame(sorted(rows), columns=FOUND) for rows in (defects, late)]
    tables = [t.assign(bar=pd.to_datetime(t["bar"].astype("int64"), utc=True)) for t in tables]
    return ParityReview(sum(map(len, by_series.values())), n, *tables)


def _stored_decisions(
    workspace: Workspace, name: str, entries: list[ScanEntry]
) -> dict[tuple[str, int], list[Decision]]:  # by policy and bar
    "The stored decisions of a series' bars; changed ones too: the review names what differs."
    _, symbol, timeframe = series_key(name)
    span = {"since": entries[0].time, "until": entries[-1].time + 1}
    found: dict[tuple[str, int], list[Decision]] = defaultdict(list)
    for d in workspace.store.decisions(**span, verified=False, instrument=symbol, timeframe=timeframe):
        if d.setup_id:
            found[d.policy_hash, d.time].append(d)
    return found


def _differences(entry: ScanEntry, stored: list[Decision], tape: _RecordedSeries) -> list[str]:
    "Where a bar's decisions differ from those of the whole tape."
    if entry.decisions_n is None:
        return ["looked at, but the scan was interrupted and never run again"]
    again = {d.setup_id: d for d in tape.decide(entry)}
    before = {d.setup_id: d for d in stored}
    found = [f"setup {s}: decided live, not by the replay" for s in before.keys() - again.keys()]
    found += [f"setup {s}: decided by the replay, not live" for s in again.keys() - before.keys()]
    changed = [s for s in sorted(before.keys() & again.keys()) if before[s].hash() != again[s].hash()]
    for s in changed:
        found += [f"setup {s}: {one}" for one in different(before[s], again[s])]
    if not found and not changed and entry.decisions_hash != decisions_hash(again.values()):
        found = ["the journal's fingerprint is of other decisions"]
    return found


class _RecordedSeries:
    "A series' candles, and what can be read from those that had been fetched by an entry."

    def __init__(self, workspace: Workspace, name: str):
        self.name, self.workspace = name, workspace
        self.key = series_key(name)
        self.timeframe = self.key[2]
        self.bars, fetched = workspace.history.bars(*self.key), workspace.history.fetched(*self.key)
        self.times, self.fetched = self.bars.index.as_unit("ns").asi8, fetched.to_numpy()
        self._bases: dict[tuple, DecisionBasis] = {}
        self._readings: dict[tuple, tuple[Reading, TapeFacts]] = {}

    def late(self, entries: list[ScanEntry]) -> list[tuple]:
        "Bars that were fetched when a later one had been decided already."
        what = "fetched after a later bar was decided"
        return [(self.name, int(self.times[i]), what) for i in self._unseen(entries)[0]]

    def missed(self, entries: list[ScanEntry]) -> list[tuple]:
        "Bars that could have been decided in time and were not."
        what = "fetched in time, but never looked at"
        return [(self.name, int(self.times[i]), what) for i in self._unseen(entries)[1]]

    def _unseen(self, entries: list[ScanEntry]) -> tuple[list[int], list[int]]:
        "Bars between the first entry and the last that have none: fetched too late, and in time."
        bars, by = np.array([e.time for e in entries]), np.array([e.fetched_by for e in entries])
        inside = np.flatnonzero((self.times > bars[0]) & (self.times < bars[-1]) & ~np.isin(self.times, bars))
        after = np.searchsorted(bars, self.times[inside], side="right")
        late = self.fetched[inside] > by[after]
        return inside[late].tolist(), inside[~late].tolist()

    def decide(self, entry: ScanEntry) -> tuple[Decision, ...]:
        "The decisions at an entry's bar, from the whole tape."
        key = (entry.config_hash, entry.account_hash, entry.calendar_hash, entry.model_version)
        if key not in self._bases:
            self._bases[key] = recorded_basis(self.workspace.journal, entry)
        basis = self._bases[key]
        config = basis.config
        reading, facts = self._reading(config, entry)
        at = reading.at(pd.Timestamp(entry.time, tz="UTC"))
        ids = set(candidates_at(at, config.instrument, config.setups)["setup_id"])
        if not ids:
            return ()
        own = {name: getattr(facts, name) for name in ("quality", "regimes", "stop_atr")}
        context = bar_context(basis, entry.time, entry.decided_at, entry.spread_price, **own)
        spreads = partial(self.workspace.journal.spreads, self.name, entry.policy_hash)
        context = with_live_model_scores(context, reading, ids, basis, spreads, self.workspace.headlines)
        return decide(at, context, config.policy, setups=config.setups)

    def _reading(self, config: DecisionConfig, entry: ScanEntry) -> tuple[Reading, TapeFacts]:
        "The tape without what came in after the entry: read once for all entries that lack the same bars."
        lacks = np.flatnonzero((self.fetched > entry.fetched_by) & (self.times <= entry.time))
        key = (config.config_hash, *lacks.tolist())
        if key not in self._readings:
            bars = self.bars.drop(self.bars.index[lacks])
            reading = read(
                bars, config.reader, instrument=config.instrument, timeframes=config.timeframes,
                timeframe=self.timeframe,
            )  # fmt: skip
            self._readings[key] = reading, tape_facts(reading.bars, config, self.timeframe)
        return self._readings[key]
