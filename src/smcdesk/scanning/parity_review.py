"""What was decided live, decided again from the whole tape: every difference is a defect."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from smcdesk.decisions.config import DecisionConfig
from smcdesk.decisions.context import with_live_model_scores
from smcdesk.decisions.inputs import regime_series, round_trip_cost, stop_atr_series
from smcdesk.marketdata.quality import verdicts
from smcdesk.scanning.workspace import Workspace
from smcdesk.store.journal import decisions_hash
from smcdesk.store.rows import differences, plain
from smclab.decision import Decision, decide
from smclab.gates import Context
from smclab.reading import Reading, read
from smclab.setups import candidates_at

FOUND = ["series", "bar", "what"]


@dataclass(frozen=True)
class ParityReview:
    "Some bars' decisions, live and again."

    looks_n: int  # bars that were looked at
    decisions_n: int  # decisions kept of them
    defects: pd.DataFrame  # series, bar, what: where live and replay differ
    explained: pd.DataFrame  # series, bar, what: bars nobody could have decided in time

    @property
    def sentence(self) -> str:
        "The review in one line."
        same = "live and replay are equal" if not len(self.defects) else f"{len(self.defects):,} defects"
        late = f"; {len(self.explained):,} bars came too late to be decided" if len(self.explained) else ""
        return f"{self.looks_n:,} bars, {self.decisions_n:,} decisions: {same}{late}."


def review(
    workspace: Workspace,
    since: int,  # open label of the first bar, ns UTC
    until: int,  # of the first bar no longer wanted, ns UTC
) -> ParityReview:
    "Decide every bar that was looked at once more, from the whole tape read in one go, by the clock of its look."
    by_series: dict[str, list[dict]] = defaultdict(list)
    for look in workspace.journal.looks(since=since, until=until):
        if look["series"].split("/")[0] == workspace.provider_name:
            by_series[look["series"]].append(look)
    defects, explained, n = [], [], 0
    for name, looks in by_series.items():
        tape = _RecordedSeries(workspace, name)
        explained += tape.late(looks)
        defects += tape.unseen(looks)
        kept = _kept(workspace, name, looks)
        for look in looks:
            there = kept.get((look["policy"], look["bar_ns"]), [])
            n += len(there)
            defects += [(name, look["bar_ns"], what) for what in _differences(look, there, tape)]
    tables = [pd.DataFrame(sorted(rows), columns=FOUND) for rows in (defects, explained)]
    tables = [t.assign(bar=pd.to_datetime(t["bar"].astype("int64"), utc=True)) for t in tables]
    return ParityReview(sum(map(len, by_series.values())), n, *tables)


def _kept(workspace: Workspace, name: str, looks: list[dict]) -> dict[tuple[str, int], list[Decision]]:
    "What the store keeps of a series, by policy and bar."
    _, symbol, timeframe = name.split("/")
    span = {"since": looks[0]["bar_ns"], "until": looks[-1]["bar_ns"] + 1}
    found: dict[tuple[str, int], list[Decision]] = defaultdict(list)
    for d in workspace.store.decisions(**span, instrument=symbol, timeframe=timeframe):
        if d.setup_id:
            found[d.policy_hash, d.time].append(d)
    return found


def _differences(look: dict[str, Any], kept: list[Decision], tape: _RecordedSeries) -> list[str]:
    "Where a bar's decisions differ from those made of the whole tape."
    if look["decided"] is None:
        return ["looked at, but the scan was interrupted and never asked for again"]
    again = {d.setup_id: d for d in tape.decide(look)}
    before = {d.setup_id: d for d in kept}
    said = [f"setup {s}: decided live, not by the replay" for s in before.keys() - again.keys()]
    said += [f"setup {s}: decided by the replay, not live" for s in again.keys() - before.keys()]
    for s in sorted(before.keys() & again.keys()):
        if before[s].hash() != again[s].hash():
            found = differences(plain(before[s].to_dict()), plain(again[s].to_dict()))
            said += [f"setup {s}: {one}" for one in found]
    if not said and look["digest"] != decisions_hash(again.values()):
        said = ["the journal's fingerprint is of other decisions"]
    return said


class _RecordedSeries:
    "A series' candles, and what can be read from those that had been fetched by a look."

    def __init__(self, workspace: Workspace, name: str):
        self.name, self.workspace = name, workspace
        self.key = tuple(name.split("/"))
        self.timeframe = self.key[2]
        self.bars, fetched = workspace.history.bars(*self.key), workspace.history.fetched(*self.key)
        self.times, self.fetched = self.bars.index.as_unit("ns").asi8, fetched.to_numpy()
        self._worlds: dict[str, DecisionConfig] = {}
        self._read: dict[tuple, tuple[Reading, dict[str, Any]]] = {}

    def late(self, looks: list[dict]) -> list[tuple]:
        "Bars that were fetched when a later one had been decided already."
        return [
            (self.name, int(self.times[i]), "fetched after a later bar was decided") for i in self._missed(looks)[0]
        ]

    def unseen(self, looks: list[dict]) -> list[tuple]:
        "Bars that could have been decided in time and were not."
        return [(self.name, int(self.times[i]), "fetched in time, but never looked at") for i in self._missed(looks)[1]]

    def _missed(self, looks: list[dict]) -> tuple[list[int], list[int]]:
        "Bars between the first look and the last that were not looked at: too late, and in time."
        bars, seen = np.array([k["bar_ns"] for k in looks]), np.array([k["seen_ns"] for k in looks])
        inside = np.flatnonzero((self.times > bars[0]) & (self.times < bars[-1]) & ~np.isin(self.times, bars))
        after = np.searchsorted(bars, self.times[inside], side="right")
        late = self.fetched[inside] > seen[after]
        return inside[late].tolist(), inside[~late].tolist()

    def decide(self, look: dict[str, Any]) -> tuple[Decision, ...]:
        "The decisions at a look's bar, from the whole tape."
        if look["world"] not in self._worlds:
            self._worlds[look["world"]] = DecisionConfig.from_dict(self.workspace.journal.world(look["world"]))
        world = self._worlds[look["world"]]
        reading, known = self._reading(world, look)
        at = reading.at(pd.Timestamp(look["bar_ns"], tz="UTC"))
        ids = set(candidates_at(at, world.instrument, world.setups)["setup_id"])
        if not ids:
            return ()
        context = Context(
            world.instrument, world.account, look["spread_price"], news=world.news, now_ns=look["now_ns"],
            last_bar_ns=look["bar_ns"], **known, **round_trip_cost(world.costs),
        )  # fmt: skip
        spreads = partial(self.workspace.journal.spreads, self.name, look["policy"])
        judged = with_live_model_scores(context, reading, ids, world, spreads, self.workspace.headlines)
        return decide(at, judged, world.policy, setups=world.setups)

    def _reading(self, world: DecisionConfig, look: dict[str, Any]) -> tuple[Reading, dict[str, Any]]:
        "The tape without what came in after the look: read once for all looks that lack the same bars."
        lacks = np.flatnonzero((self.fetched > look["seen_ns"]) & (self.times <= look["bar_ns"]))
        key = (world.name, *lacks.tolist())
        if key not in self._read:
            bars = self.bars.drop(self.bars.index[lacks])
            reading = read(bars, world.config, instrument=world.instrument, timeframes=world.above,
                           timeframe=self.timeframe)  # fmt: skip
            asked = world.policy.in_force.risk.stop_atr_timeframe
            self._read[key] = reading, {
                "quality": verdicts(reading.bars, world.instrument, self.timeframe),
                "regimes": regime_series(bars, world.regime),
                "stop_atr": stop_atr_series(bars, bars, world.instrument, world.config, asked),
            }  # fmt: skip
        return self._read[key]
