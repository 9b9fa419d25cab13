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

from smcdesk.decisions.config import World
from smcdesk.decisions.context import context_at, with_live_model_scores
from smcdesk.decisions.records import label_rows
from smcdesk.decisions.series import Lane
from smcdesk.scanning.signals import _first_looks, _versions
from smcdesk.scanning.summary import Scan, _moment_ns, scanned
from smcdesk.scanning.workspace import Desk, fetch, spread_of
from smcdesk.store.journal import digest, series
from smclab.candles import BadConfig
from smclab.decision import Decision
from smclab.gates import Context
from smclab.reading import ReadingNow


def _check_owner(desk: Desk, symbol: str, timeframe: str, lasts: Mapping[str, int]) -> None:
    "A market is decided from one source of candles, and by scans alone; anything else would contradict itself later."
    own = series(desk.provider_name, symbol, timeframe)
    if own in lasts:
        return
    others = [name for name in lasts if name.split("/")[1:] == [symbol, timeframe]]
    if others:
        raise BadConfig(
            f"{symbol} {timeframe} is scanned from {others[0].split('/')[0]} in this environment, not from "
            f"{desk.provider_name}: keep to one source, or scan the other in another environment"
        )
    policy = desk.worlds[symbol].policy.hash()
    if desk.store.newest(policy, symbol, timeframe) is not None:
        raise BadConfig(
            f"{desk.store!r} keeps decisions of {symbol} {timeframe} by policy {policy} that no scan made (kedro run "
            f"did): scan in another environment, or drop them with smcdesk store forget {policy} {symbol}"
        )


def _to_decide(desk: Desk, lane: Lane, symbol: str, last: int | None, seen: pd.Timestamp) -> pd.DataFrame:
    "Bring a reader to the candle before those that are to be decided, and tell these."
    bars, n = desk.unread(lane, symbol, seen)
    decided = bars.index[:0] if last is None else bars.index[bars.index <= pd.Timestamp(last, tz="UTC")]
    new = len(bars) - 1 if last is None else len(decided)  # the newest candle is the first that is ever decided
    too_far = new < 0 or (last is not None and (lane.last_ns or 0) > last)
    if lane.n and (too_far or lane.n + len(bars) != n):  # or a hole before what was read has been filled
        lane.restart()
        return _to_decide(desk, lane, symbol, last, seen)
    lane.extend(bars.iloc[: max(new, 0)])
    return bars.iloc[max(new, 0) :]


@dataclass(frozen=True)
class Told:
    "What was decided at one bar."

    look: dict[str, Any]
    decisions: tuple[Decision, ...]
    labels: pd.DataFrame


def scan(
    desk: Desk,
    symbols: Iterable[str],
    timeframes: Iterable[str],
    slot: str,  # names the scan: asked for again, nothing is decided twice
) -> Scan:
    "Fetch, read and decide every series, and keep what was decided."
    now = desk.clock()
    pairs = [(s, tf) for s in symbols for tf in timeframes]
    lasts = desk.journal.lasts(desk.policy_hash)
    for pair in pairs:
        _check_owner(desk, *pair, lasts)
    met = {series(desk.provider_name, s, tf): fetch(desk, s, tf, now) for s, tf in pairs}
    waiting = []
    spreads = {s: spread_of(desk, s) for s in dict.fromkeys(s for s, _ in pairs)}
    for symbol, tf in pairs:
        name, lane = series(desk.provider_name, symbol, tf), desk.lane(symbol, tf)
        seen = met[name][0]
        bars = _to_decide(desk, lane, symbol, lasts.get(name), seen)
        said = {"series": name, "policy": lane.world.policy.hash(), "world": lane.world.name, "slot": slot}
        said |= {"now_ns": _moment_ns(now), "seen_ns": seen.value, "spread_price": spreads[symbol]}
        waiting += [(lane, bars.iloc[[k]], said | {"bar_ns": ns}) for k, ns in enumerate(bars.index.asi8.tolist())]
    used = {lane.world.name: lane.world.to_dict() for lane, *_ in waiting}
    looks = desk.journal.begin([look for *_, look in waiting], used)
    told = [_judged(desk, lane, bar, look) for (lane, bar, _), look in zip(waiting, looks, strict=True)]
    _keep(desk, told)
    desk.journal.say(slot, _moment_ns(now), {name: text for name, (_, text) in met.items() if text})
    for symbol, tf in pairs:
        desk.lane(symbol, tf).save()
    return scanned(desk, symbols, timeframes, slot)


def _judged(desk: Desk, lane: Lane, bar: pd.DataFrame, look: dict[str, Any]) -> Told:
    "Read one more candle and decide at its close, by the clock and the world of its first look."
    lane.extend(bar)
    if look["world"] != lane.world.name:  # looked at before conf changed, and interrupted
        bars, before = lane.reading.bars, World.from_dict(desk.journal.world(look["world"]))
        lane = Lane(before, lane.timeframe)
        lane.extend(bars)
    made, found, around = lane.decide(partial(_around, desk, lane, look))
    labels = pd.DataFrame()
    if made:
        spread = pd.Series(look["spread_price"], index=bar.index)
        labels = label_rows(made, found, around, spread)
    return Told(look | {"decided": len(made), "digest": digest(made)}, made, labels)


def _around(desk: Desk, lane: Lane, look: Mapping[str, Any], at: ReadingNow, setups: set[str]) -> Context:
    "The world around a look."
    found = context_at(at, lane.world, look["now_ns"], look["spread_price"], lane.data_quality())
    if lane.world.use == "none":
        return found
    spreads = partial(desk.journal.spreads, look["series"], look["policy"])
    return with_live_model_scores(found, at.reading, setups, lane.world, spreads, desk.headlines)


def _keep(desk: Desk, told: list[Told]) -> None:
    "Everything that was decided, in one transaction; then the journal says that it is done."
    made = [d for t in told for d in t.decisions]
    if made:
        with desk.store.transaction() as one:
            owners = {d.instrument: desk.worlds[d.instrument].instrument for d in made}
            one.record_instruments(owners.values())
            one.record_decisions(made)
            one.record_labels(_first_looks(one, pd.concat([t.labels for t in told if len(t.labels)])))
            one.record_signals(_versions(one, made))  # after the labels, which know each setup's first moment
    desk.journal.done([t.look for t in told])


# --- what a scan tells ---
