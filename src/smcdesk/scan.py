"""Live and paper scans: the candles since the last look are read, decided and kept, with the clock of the decision.

A scan may be asked for again at any time. Which bars were looked at, when, and in which world (policy, configuration,
account, calendar) stands in a journal before anything is decided; the same bar is therefore decided once, and a scan
that was interrupted decides it again by the moment of its first look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import pandas as pd

from smcdesk.desk import Desk, fetch, spread_of
from smcdesk.evaluated import label_rows, outcome_rows, signal_rows
from smcdesk.journal import digest, series
from smcdesk.lane import Lane, advised, context_at, step_of
from smcdesk.store import Store
from smclab.candles import BadConfig, timeframe_ns
from smclab.decision import Decision
from smclab.gates import Context
from smclab.reader import ReadingNow


def _moment_ns(t: datetime) -> int:
    return pd.Timestamp(t).as_unit("ns").value


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
    used = {lane.world.name: lane.world for lane, *_ in waiting}
    looks = desk.journal.begin([look for *_, look in waiting], used.values())
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
        bars, before = lane.reading.bars, desk.journal.world(look["world"])
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
    return advised(found, at.reading, setups, lane.world, spreads, desk.headlines)


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


def _first_looks(store: Store, labels: pd.DataFrame) -> pd.DataFrame:
    "Labels of setups that have none yet: a limit that waits is evaluated at every bar, and labelled at the first."
    labels = labels.drop_duplicates(["setup_id", "policy_hash"])
    known = store.labels(setup_id=labels["setup_id"].tolist(), policy_hash=labels["policy_hash"].unique().tolist())
    known = known.set_index(["setup_id", "policy_hash"])["time"].to_dict()
    here = [known.get(key) for key in zip(labels["setup_id"], labels["policy_hash"], strict=True)]
    moments = pd.to_datetime(labels["time"].astype("int64"), utc=True)
    return labels[[k is None or k == t for k, t in zip(here, moments, strict=True)]]


_RANK = {"none": 0, "shadow": 1, "live": 2}


def _versions(store: Store, made: list[Decision]) -> pd.DataFrame:
    "What is told anew: a setup's first signal; and its end, when a later look at a waiting limit says less."
    first = {(r["setup_id"], r["policy_hash"], r["time"]): r for r in signal_rows(tuple(made)).to_dict("records")}
    ids, policies = {d.setup_id for d in made}, {d.policy_hash for d in made}
    told: dict[tuple, dict] = {}
    for row in (
        store.signals(setup_id=list(ids), policy_hash=list(policies)).drop(columns="recorded_at").to_dict("records")
    ):
        told[row["setup_id"], row["policy_hash"]] = row | {n: row[n].value for n in ("time", "expires_at")}
    seen, new = _first_seen(store, ids, policies), []
    for d in sorted(made, key=lambda d: d.time):
        key = (d.setup_id, d.policy_hash)
        row, before = first.get((*key, d.time)), told.get(key)
        if before is None and row is not None and seen.get(key, d.time) == d.time:
            told[key] = row | {"version": 1, "status": "new"}
        elif before is None or before["time"] >= d.time or before["status"] == "cancelled":
            continue
        elif _RANK[d.outcome] < _RANK[before["outcome_class"]]:
            ends = {"time": d.time, "expires_at": d.time + timeframe_ns(d.timeframe), "reason": d.why}
            told[key] = before | ends | {"version": before["version"] + 1, "status": "cancelled"}
        if told.get(key) is not before:
            new.append(told[key])
    return pd.DataFrame(new)


def _first_seen(store: Store, ids: set[str], policies: set[str]) -> dict[tuple, int]:  # ns UTC
    "When each setup was evaluated first."
    known = store.labels(setup_id=list(ids), policy_hash=list(policies))
    return {(r.setup_id, r.policy_hash): r.time.value for r in known.itertuples()}


# --- what a scan tells ---


@dataclass(frozen=True)
class Scan:
    "One slot's scan, as journal and store tell it: the same whenever it is asked."

    slot: str
    now: pd.Timestamp  # UTC: of the scan that looked first
    series: pd.DataFrame  # symbol, timeframe, last bar, bars looked at, candidates, what was met
    decisions: tuple[Decision, ...]  # of the bars this slot looked at, those with a candidate
    new: pd.DataFrame  # signals these bars told
    signals: pd.DataFrame  # every signal that holds now


def scanned(desk: Desk, symbols: Iterable[str], timeframes: Iterable[str], slot: str) -> Scan:
    "What a slot's scan found."
    looks, met = desk.journal.looks(slot=slot), desk.journal.said(slot)
    lasts = desk.journal.lasts(desk.policy_hash)
    now = pd.Timestamp(looks[0]["now_ns"] if looks else _moment_ns(desk.clock()), tz="UTC")
    by_series: dict[str, list[dict]] = {}
    for look in looks:
        by_series.setdefault(look["series"], []).append(look)
    rows, decisions = [], []
    for symbol in symbols:
        for tf in timeframes:
            name = series(desk.provider_name, symbol, tf)
            own, last = by_series.get(name, []), lasts.get(name)
            rows.append({
                "symbol": symbol, "timeframe": tf, "last_bar": last and pd.Timestamp(last, tz="UTC"),
                "bars_n": len(own), "candidates_n": sum(k["decided"] or 0 for k in own), "met": met.get(name, ""),
            })  # fmt: skip
            if sum(k["decided"] or 0 for k in own):
                span = {"since": own[0]["bar_ns"], "until": own[-1]["bar_ns"] + 1}
                kept = desk.store.decisions(**span, instrument=symbol, timeframe=tf, policy_hash=own[0]["policy"])
                decisions += [d for d in kept if d.setup_id]
    looked = {(look["series"], look["bar_ns"]) for look in looks}
    told = desk.store.signals(since=min((n for _, n in looked), default=None), policy_hash=desk.policy_hash)
    names = [series(desk.provider_name, r.instrument, r.timeframe) for r in told.itertuples()]
    ours = pd.Series([(n, t.value) in looked for n, t in zip(names, told["time"], strict=True)], told.index, dtype=bool)
    new = told[ours]
    return Scan(slot, now, pd.DataFrame(rows), tuple(decisions), new, desk.store.signals(at=now))


def alert(
    desk: Desk,
    found: Scan,
    least: str = "live",  # live; shadow: what is only watched too
) -> int:  # how many messages were new
    "Put a slot's new signals, and those that ended, into the outbox; a second call puts nothing."
    from smcdesk import wording
    from smcdesk.outbox import enqueue

    by_setup = {d.setup_id: d for d in found.decisions}
    new = 0
    for row in found.new.itertuples():
        if _RANK[row.outcome_class] < _RANK[least]:
            continue
        d = by_setup[row.setup_id]
        if d.ticket is None:  # the end of a signal whose plan is gone: it is told with the plan it had
            before = desk.store.decisions(setup_id=row.setup_id, policy_hash=row.policy_hash)[0]
            d = replace(before, why=d.why, next=d.next, time=d.time, outcome=d.outcome)
        said = wording.signal(d, version=row.version, status=row.status, expires_ns=row.expires_at.value)
        new += enqueue(desk.store, **said)
    return new


def outcomes(desk: Desk, symbols: Iterable[str], timeframes: Iterable[str]) -> int:  # how many became known
    "Fill what became of stored setups from the candles there are by now."
    new = 0
    for symbol in symbols:
        waiting = desk.store.labels(instrument=symbol, outcome=None)
        for tf in timeframes:
            own = waiting[(waiting["timeframe"] == tf) & waiting["entry_price"].notna()]
            if len(own):
                before = own["time"].min() - 30 * step_of(tf)  # enough to tell the timeframe by
                bars, world = desk.history.bars(desk.provider_name, symbol, tf, before), desk.worlds[symbol]
                new += desk.store.fill_outcomes(outcome_rows(bars, own, world.instrument, world.costs, desk.rules))
    return new
