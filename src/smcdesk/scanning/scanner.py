"""Live and paper scans: the candles since the last look are read, decided and kept, with the clock of the decision.

A scan may be asked for again at any time. Which bars were looked at, when, and in which world (policy, configuration,
account, calendar) stands in a journal before anything is decided; the same bar is therefore decided once, and a scan
that was interrupted decides it again by the moment of its first look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from smcdesk.decisions.config import DecisionConfig
from smcdesk.decisions.context import bar_context, with_live_model_scores
from smcdesk.decisions.records import label_rows
from smcdesk.decisions.series import SeriesReader
from smcdesk.scanning.signals import first_evaluations, signal_versions
from smcdesk.scanning.summary import ScanResult, _moment_ns, summarize
from smcdesk.scanning.workspace import Workspace, spread_of, update_history
from smcdesk.store.journal import decisions_hash, series
from smclab.candles import BadConfig
from smclab.decision import Decision
from smclab.gates import Context
from smclab.reading import ReadingNow


def _check_owner(workspace: Workspace, symbol: str, timeframe: str, lasts: Mapping[str, int]) -> None:
    "A market is decided from one source of candles, and by scans alone; anything else would contradict itself later."
    own = series(workspace.provider_name, symbol, timeframe)
    if own in lasts:
        return
    others = [name for name in lasts if name.split("/")[1:] == [symbol, timeframe]]
    if others:
        raise BadConfig(
            f"{symbol} {timeframe} is scanned from {others[0].split('/')[0]} in this environment, not from "
            f"{workspace.provider_name}: keep to one source, or scan the other in another environment"
        )
    policy = workspace.configs[symbol].policy.hash()
    if workspace.store.newest(policy, symbol, timeframe) is not None:
        raise BadConfig(
            f"{workspace.store!r} keeps decisions of {symbol} {timeframe} by policy {policy} that no scan made (kedro run "
            f"did): scan in another environment, or drop them with smcdesk store forget {policy} {symbol}"
        )


def _bars_to_decide(
    workspace: Workspace, reader: SeriesReader, symbol: str, last: int | None, seen: pd.Timestamp
) -> pd.DataFrame:
    "Bring a reader to the candle before those that are to be decided, and tell these."
    bars, n = workspace.unread(reader, symbol, seen)
    decided = bars.index[:0] if last is None else bars.index[bars.index <= pd.Timestamp(last, tz="UTC")]
    new = len(bars) - 1 if last is None else len(decided)  # the newest candle is the first that is ever decided
    too_far = new < 0 or (last is not None and (reader.last_ns or 0) > last)
    if reader.n and (too_far or reader.n + len(bars) != n):  # or a hole before what was read has been filled
        reader.restart()
        return _bars_to_decide(workspace, reader, symbol, last, seen)
    reader.extend(bars.iloc[: max(new, 0)])
    return bars.iloc[max(new, 0) :]


@dataclass(frozen=True)
class BarDecisions:
    "What was decided at one bar."

    look: dict[str, Any]
    decisions: tuple[Decision, ...]
    labels: pd.DataFrame


def scan(
    workspace: Workspace,
    symbols: Iterable[str],
    timeframes: Iterable[str],
    slot: str,  # names the scan: asked for again, nothing is decided twice
) -> ScanResult:
    "Fetch, read and decide every series, and keep what was decided."
    now = workspace.clock()
    pairs = [(s, tf) for s in symbols for tf in timeframes]
    lasts = workspace.journal.lasts(workspace.policy_hash)
    for pair in pairs:
        _check_owner(workspace, *pair, lasts)
    met = {series(workspace.provider_name, s, tf): update_history(workspace, s, tf, now) for s, tf in pairs}
    waiting = []
    spreads = {s: spread_of(workspace, s) for s in dict.fromkeys(s for s, _ in pairs)}
    for symbol, tf in pairs:
        name, reader = series(workspace.provider_name, symbol, tf), workspace.reader(symbol, tf)
        seen = met[name][0]
        bars = _bars_to_decide(workspace, reader, symbol, lasts.get(name), seen)
        said = {"series": name, "policy": reader.world.policy.hash(), "world": reader.world.name, "slot": slot}
        said |= {"now_ns": _moment_ns(now), "seen_ns": seen.value, "spread_price": spreads[symbol]}
        waiting += [(reader, bars.iloc[[k]], said | {"bar_ns": ns}) for k, ns in enumerate(bars.index.asi8.tolist())]
    used = {reader.world.name: reader.world.to_dict() for reader, *_ in waiting}
    looks = workspace.journal.begin([look for *_, look in waiting], used)
    told = [_decide_bar(workspace, reader, bar, look) for (reader, bar, _), look in zip(waiting, looks, strict=True)]
    _persist(workspace, told)
    workspace.journal.say(slot, _moment_ns(now), {name: text for name, (_, text) in met.items() if text})
    for symbol, tf in pairs:
        workspace.reader(symbol, tf).save()
    return summarize(workspace, symbols, timeframes, slot)


def _decide_bar(workspace: Workspace, reader: SeriesReader, bar: pd.DataFrame, look: dict[str, Any]) -> BarDecisions:
    "Read one more candle and decide at its close, by the clock and the world of its first look."
    reader.extend(bar)
    if look["world"] != reader.world.name:  # looked at before conf changed, and interrupted
        bars, before = reader.reading.bars, DecisionConfig.from_dict(workspace.journal.world(look["world"]))
        reader = SeriesReader(before, reader.timeframe)
        reader.extend(bars)
    made, found, around = reader.decide(partial(_context_for, workspace, reader, look))
    labels = pd.DataFrame()
    if made:
        spread = pd.Series(look["spread_price"], index=bar.index)
        labels = label_rows(made, found, around, spread)
    return BarDecisions(look | {"decided": len(made), "digest": decisions_hash(made)}, made, labels)


def _context_for(
    workspace: Workspace, reader: SeriesReader, look: Mapping[str, Any], at: ReadingNow, setups: set[str]
) -> Context:
    "The world around a look."
    found = bar_context(at, reader.world, look["now_ns"], look["spread_price"], reader.data_quality())
    if reader.world.use == "none":
        return found
    spreads = partial(workspace.journal.spreads, look["series"], look["policy"])
    return with_live_model_scores(found, at.reading, setups, reader.world, spreads, workspace.headlines)


def _persist(workspace: Workspace, told: list[BarDecisions]) -> None:
    "Everything that was decided, in one transaction; then the journal says that it is done."
    made = [d for t in told for d in t.decisions]
    if made:
        with workspace.store.transaction() as one:
            owners = {d.instrument: workspace.configs[d.instrument].instrument for d in made}
            one.record_instruments(owners.values())
            one.record_decisions(made)
            one.record_labels(first_evaluations(one, pd.concat([t.labels for t in told if len(t.labels)])))
            one.record_signals(signal_versions(one, made))  # after the labels, which know each setup's first moment
    workspace.journal.done([t.look for t in told])


# --- what a scan tells ---
