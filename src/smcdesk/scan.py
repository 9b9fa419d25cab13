"""Live and paper scans: the candles since the last look are read, decided and kept, with the clock of the decision.

A scan may be asked for again at any time. Which bars were looked at, when, and in which world (policy, configuration,
account, calendar) stands in a journal before anything is decided; the same bar is therefore decided once, and a scan
that was interrupted decides it again by the moment of its first look.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from dataclasses import fields as fields_of
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from smcdesk import feeds, project
from smcdesk.disk import transaction
from smcdesk.evaluated import label_rows, outcome_rows, signal_rows
from smcdesk.history import History
from smcdesk.pipelines.data import traded
from smcdesk.pipelines.decide import (
    higher_timeframes,
    regime_by_close,
    round_trip,
    setup_config,
    stop_noise,
    trading_costs,
    trading_rules,
)
from smcdesk.providers import Provider, ProviderDown
from smcdesk.quality import verdict, week_of, weekly
from smcdesk.store import Store
from smclab.candles import BadBars, BadConfig, timeframe_ns
from smclab.decision import Decision, decide
from smclab.execution import Costs, Rules
from smclab.gates import Context
from smclab.instruments import Instrument
from smclab.news import NewsCalendar
from smclab.reading import Config, Reader, Reading, ReadingNow
from smclab.risk import Account, Policy
from smclab.setups import SetupConfig, evaluations_at

FIRST_BARS = 3000  # candles fetched of a series that is not kept yet: enough for every warm-up
LABELLED = (  # of a candidate
    "setup_id", "time", "known_close", "version", "score_sweep", "score_zone", "confluence", "session",
)  # fmt: skip
SAVE_BARS = 5000  # a reader is put away after this many bars; fewer are read again sooner than they are loaded


# --- what a decision hangs on besides candles and clock ---


@dataclass(frozen=True)
class World:
    "Everything a series' decisions hang on besides its candles and the clock."

    instrument: Instrument
    account: Account
    policy: Policy
    config: Config
    above: tuple[str, ...]  # timeframes read above the series' own
    setups: SetupConfig
    costs: Costs
    news: NewsCalendar | None
    regime: Mapping[str, Any]  # how it is told, as conf says

    def to_dict(self) -> dict[str, Any]:
        "Plain values, from which the world can be made again."
        said = {f.name: getattr(self, f.name) for f in fields_of(self)}
        plain = {k: v.to_dict() if hasattr(v, "to_dict") else v for k, v in said.items()}
        if self.news is not None:
            plain["news"] = {f.name: getattr(self.news, f.name) for f in fields_of(self.news) if f.name != "_found"}
        return json.loads(json.dumps(plain))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> World:
        "The world that was written down."
        kinds = {"instrument": Instrument, "account": Account, "policy": Policy, "config": Config,
                 "setups": SetupConfig, "costs": Costs}  # fmt: skip
        known = {k: kinds[k].from_dict(v) if k in kinds else v for k, v in values.items()}
        news = values["news"] and NewsCalendar(**{k: _tupled(v) for k, v in values["news"].items()})
        return cls(**{**known, "above": tuple(values["above"]), "news": news or None})

    @cached_property
    def name(self) -> str:  # 16 hex digits
        "A fingerprint of every value."
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def reader_name(self) -> str:  # 16 hex digits
        "A fingerprint of what a reader hangs on: its configuration, its timeframes and its instrument."
        text = json.dumps([self.config.hash(), self.above, self.instrument.to_dict()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _tupled(x: Any) -> Any:
    "A list of JSON as the tuple it was."
    return tuple(x) if isinstance(x, list) else x


def worlds(
    env: str | None = None,
    symbols: Iterable[str] = (),  # none: every symbol of conf
) -> dict[str, World]:  # by symbol
    "What conf says about symbols."
    from smcdesk.providers.news import calendar

    said = project.config(env)
    p, catalog = said["parameters"], said["catalog"]
    names = [project.check_symbol(s, p["symbols"]) for s in symbols] or list(p["symbols"])
    news = calendar(catalog["news"]["news"], project.root()) if "news" in catalog else None
    policy, account = Policy.from_dict(p["policy"]), Account.from_dict(p["account"])
    config, htf = Config.from_dict(p["reading"]), p["confluence"]["htf"]
    above, setups = higher_timeframes(p["timeframes"], htf), setup_config(p["setups"], htf)
    made = {}
    for name in names:
        entry = p["symbols"][name]
        own = traded(entry["instrument"], p["profiles"], name)
        costs = trading_costs(own, p["costs"], entry.get("bars_side", "bid"))
        made[name] = World(own, account, policy, config, above, setups, costs, news, p["regime"])
    return made


def rules(env: str | None, policy: Policy) -> Rules:
    "How outcomes are told."
    return trading_rules(project.parameters(env)["rules"], policy)


# --- one series ---


def series(provider: str, symbol: str, timeframe: str) -> str:
    "A series' name in the journal."
    return f"{provider}/{symbol}/{timeframe}"


class Lane:
    "One series as it was read so far, from its first candle on."

    def __init__(self, world: World, timeframe: str, file: Path | None = None):
        self.world, self.timeframe, self.file = world, timeframe, file
        self._reader = self._resumed() or self._fresh()
        self._saved_n, self._reading = self._reader.n, None
        self._inspected = (None, "ok")  # the week, and what its inspection said

    def _fresh(self) -> Reader:
        w = self.world
        return Reader(w.config, instrument=w.instrument, timeframes=w.above, timeframe=self.timeframe)

    def _resumed(self) -> Reader | None:
        "The reader that was put away, if there is one that can be read."
        if self.file is None or not self.file.exists():
            return None
        try:
            return Reader.load(str(self.file))
        except Exception:  # a state is a shortcut: whatever is wrong with it, the candles are read again
            return None

    def restart(self) -> None:
        "Begin again before the first candle."
        self._reader, self._saved_n, self._reading = self._fresh(), 0, None
        self._inspected = (None, "ok")

    @property
    def n(self) -> int:
        "Candles read."
        return self._reader.n

    @property
    def last_ns(self) -> int | None:  # open label, ns UTC
        "The newest candle read."
        return int(self._reader.now().times[self.n - 1]) if self.n else None

    def extend(self, bars: pd.DataFrame) -> None:
        "Read candles that come after those read."
        if len(bars):
            self._reader.extend(bars)
            self._reading = None

    @property
    def reading(self) -> Reading:
        "Everything read so far."
        if self._reading is None:
            self._reading = self._reader.reading
        return self._reading

    def decide(
        self,
        context: Callable[[ReadingNow], Context],  # asked where there is something to judge
    ) -> tuple[tuple[Decision, ...], pd.DataFrame, Context | None]:  # the candidates they are about; the world then
        "What to do at the close of the newest candle read."
        at, w = self._reader.now(), self.world
        found = evaluations_at(at, w.instrument, w.setups)
        if not len(found["time"]):
            return (), pd.DataFrame(), None
        rows = pd.DataFrame({name: found[name] for name in LABELLED})
        rows = rows.assign(**{name: pd.to_datetime(rows[name], utc=True) for name in ("time", "known_close")})
        around = context(at)
        return decide(at, around, w.policy, setups=w.setups), rows, around

    def data_quality(self) -> str:  # ok, degraded or bad
        "How good the candles are, as it is known at the close of the newest one read."
        at, market = self._reader.now(), self.world.instrument
        week = week_of(at.known_close.value)
        if self._inspected[0] != week:
            self._inspected = (week, weekly(at.bars, market, self.timeframe, week))
        return verdict(at.bars, market, self.timeframe, self._inspected[1])

    def save(self, every: int = SAVE_BARS) -> None:
        "Put the reader away when enough was read since the last time."
        if self.file is not None and self.n - self._saved_n >= every:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._reader.save(str(self.file))
            self._saved_n = self.n


def context_at(
    at: ReadingNow,
    world: World,
    now_ns: int,  # the clock of the decision
    spread_price: float,
    data_quality: str,  # ok, degraded or bad
) -> Context:
    "The world around a decision at the close of the last bar read, by the clock of the decision."
    asked, noise = world.policy.in_force.risk.stop_atr_timeframe, None
    if asked not in ("entry", at.timeframe):
        noise = stop_noise(at.bars, at.bars, world.instrument, world.config, asked)
    return Context(
        world.instrument, world.account, spread_price, data_quality=data_quality,
        news=world.news, now_ns=now_ns, last_bar_ns=int(at.times[at.bar]), stop_atr=noise,
        regimes=regime_by_close(at.bars, world.regime), **round_trip(world.costs),
    )  # fmt: skip


def _step(timeframe: str) -> pd.Timedelta:
    return pd.Timedelta(timeframe_ns(timeframe), "ns")


# --- the journal ---


_TABLES = """
CREATE TABLE IF NOT EXISTS worlds (name TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS looks (
    series TEXT NOT NULL, policy TEXT NOT NULL, bar_ns INTEGER NOT NULL, world TEXT NOT NULL REFERENCES worlds,
    slot TEXT NOT NULL, now_ns INTEGER NOT NULL, seen_ns INTEGER NOT NULL, spread_price REAL NOT NULL,
    decided INTEGER, digest TEXT,
    PRIMARY KEY (series, policy, bar_ns)
);
CREATE INDEX IF NOT EXISTS looks_slot ON looks (slot);
CREATE TABLE IF NOT EXISTS scans (
    slot TEXT NOT NULL, series TEXT NOT NULL, now_ns INTEGER NOT NULL, said TEXT NOT NULL, PRIMARY KEY (slot, series)
);
"""
LOOK = ("series", "policy", "bar_ns", "world", "slot", "now_ns", "seen_ns", "spread_price", "decided", "digest")


class Journal:
    "One line per bar that was looked at, also when nothing happened: by which clock, in which world."

    def __init__(self, path: Path):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as c:
            c.executescript(_TABLES)

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self.path)

    def begin(self, looks: list[dict[str, Any]], used: Iterable[World]) -> list[dict[str, Any]]:
        "Write down that bars are looked at; what was written before stands. The lines as they stand."
        with self._open() as c:
            content = [(w.name, json.dumps(w.to_dict(), sort_keys=True)) for w in used]
            c.executemany("INSERT INTO worlds VALUES (?, ?) ON CONFLICT DO NOTHING", content)
            marks = f"({', '.join('?' * len(LOOK))})"
            rows = [tuple(look.get(k) for k in LOOK) for look in looks]
            c.executemany(f"INSERT INTO looks VALUES {marks} ON CONFLICT DO NOTHING", rows)
            query = f"SELECT {', '.join(LOOK)} FROM looks WHERE series = ? AND policy = ? AND bar_ns = ?"
            return [dict(zip(LOOK, c.execute(query, row[:3]).fetchone(), strict=True)) for row in rows]

    def done(self, looks: list[dict[str, Any]]) -> None:
        "Write down how many decisions each bar had, and their fingerprint."
        with self._open() as c:
            change = "UPDATE looks SET decided = ?, digest = ? WHERE series = ? AND policy = ? AND bar_ns = ?"
            c.executemany(change, [tuple(k[n] for n in ("decided", "digest", *LOOK[:3])) for k in looks])

    def say(self, slot: str, now_ns: int, said: Mapping[str, str]) -> None:
        "What a slot's scan met, by series; the first word stays."
        with self._open() as c:
            rows = [(slot, name, now_ns, text) for name, text in said.items()]
            c.executemany("INSERT INTO scans VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)

    def said(self, slot: str) -> dict[str, str]:  # by series
        "What a slot's scan met."
        with self._open() as c:
            return dict(c.execute("SELECT series, said FROM scans WHERE slot = ?", (slot,)))

    def last(self, name: str, policy: str) -> int | None:  # open label, ns UTC
        "The newest bar of a series that was decided."
        asked = "SELECT MAX(bar_ns) FROM looks WHERE series = ? AND policy = ? AND decided IS NOT NULL"
        with self._open() as c:
            return c.execute(asked, (name, policy)).fetchone()[0]

    def lasts(self, policy: str) -> dict[str, int]:  # series -> open label, ns UTC
        "The newest decided bar of every series."
        asked = "SELECT series, MAX(bar_ns) FROM looks WHERE policy = ? AND decided IS NOT NULL GROUP BY series"
        with self._open() as c:
            return dict(c.execute(asked, (policy,)))

    def looks(
        self, *, since: int | None = None, until: int | None = None, slot: str | None = None
    ) -> list[dict[str, Any]]:  # in order of series and bar; since and until by the bar's open label, ns UTC
        "The lines of some bars."
        asked = f"SELECT {', '.join(LOOK)} FROM looks WHERE bar_ns >= ? AND bar_ns < ? AND (? IS NULL OR slot = ?)"
        span = (since if since is not None else -(2**62), until if until is not None else 2**62)
        with self._open() as c:
            rows = c.execute(f"{asked} ORDER BY series, bar_ns", (*span, slot, slot)).fetchall()
        return [dict(zip(LOOK, row, strict=True)) for row in rows]

    def world(self, name: str) -> World:
        "A world that was written down."
        with self._open() as c:
            (text,) = c.execute("SELECT content FROM worlds WHERE name = ?", (name,)).fetchone()
        return World.from_dict(json.loads(text))


def digest(decisions: Iterable[Decision]) -> str:  # 16 hex digits
    "A fingerprint of a bar's decisions."
    return hashlib.sha256("".join(d.hash() for d in decisions).encode()).hexdigest()[:16]


# --- the desk ---


@dataclass
class Desk:
    "What a scan works with; in a process that lives on, its readers stay warm."

    provider: Provider | None  # None: the history alone
    provider_name: str
    history: History
    store: Store
    journal: Journal
    worlds: Mapping[str, World]  # by symbol
    rules: Rules
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    states: Path | None = None  # where readers are put away; None: nowhere
    first_bars: int = FIRST_BARS
    lanes: dict[tuple[str, str], Lane] = field(default_factory=dict)

    def lane(self, symbol: str, timeframe: str) -> Lane:
        "A series' reader, warm, put away or new."
        world, key = self.worlds[symbol], (symbol, timeframe)
        kept = self.lanes.get(key)
        if kept is None or kept.world.reader_name != world.reader_name:
            file = self.states and self.states / self.provider_name / symbol / timeframe / f"{world.reader_name}.npz"
            self.lanes[key] = kept = Lane(world, timeframe, file)
        kept.world = world
        return kept

    @property
    def policy_hash(self) -> str:
        "Of the policy in force; all symbols share it."
        return next(iter(self.worlds.values())).policy.hash()

    def reading(self, symbol: str, timeframe: str) -> Reading:
        "A series as it was read; read anew where another process had read it."
        lane = self.lane(symbol, timeframe)
        bars, n = _unread(self, lane, (self.provider_name, symbol, timeframe), None)
        if lane.n + len(bars) != n:
            lane.restart()
            bars, _ = _unread(self, lane, (self.provider_name, symbol, timeframe), None)
        lane.extend(bars)
        return lane.reading

    def close(self) -> None:
        "Let go of the store."
        self.store.close()


def desk(
    env: str | None = "paper",
    *,
    provider: str = "files",  # conf's name of a source of candles
    symbols: Iterable[str] = (),  # none: every symbol of conf
    source: Provider | None = None,  # the provider itself, where the caller made it
    offline: bool = False,  # nothing is fetched: what is kept is all there is
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Desk:
    "What a scan of an environment works with."
    root, known = project.root(), worlds(env, symbols)
    if source is None and not offline:
        source = feeds.Router(env, clock=clock) if provider == "feeds" else feeds.named(provider, env, clock=clock)
    store, name = Store(env=env), project.check_env(env) or "base"
    if store.revision() is None:
        store.upgrade()
    journal = Journal(root / "data" / "07_model_output" / f"scans_{name}.db")
    states = root / "data" / "03_primary" / "readers"
    policy = next(iter(known.values())).policy
    name = source.name if source else provider
    return Desk(source, name, feeds.history(env), store, journal, known, rules(env, policy), clock, states)


def slot_time(slot: str) -> pd.Timestamp | None:  # UTC
    "The moment a slot is named by, where it is."
    try:
        return pd.Timestamp(datetime.strptime(slot.partition("_")[0], "%Y%m%dT%H%M%z"))
    except ValueError:
        return None


def listed(said: str) -> list[str]:
    "Words of a report's parameter: 'EURUSD, XAUUSD'."
    return [word.strip() for word in said.split(",") if word.strip()]


def _moment_ns(t: datetime) -> int:
    return pd.Timestamp(t).as_unit("ns").value


def fetch(
    desk: Desk,
    symbol: str,
    timeframe: str,
    now: datetime,
) -> tuple[pd.Timestamp, str]:  # by when everything kept had been fetched; what went wrong, or nothing
    "Bring the history of a series up to the last closed candle."
    kept, step = desk.history.manifest(desk.provider_name, symbol, timeframe), _step(timeframe)
    seen = pd.Timestamp(now).as_unit("ns")
    if kept["n"]:  # a clock that was set back must not make candles unseen again
        seen = max(seen, pd.Timestamp(kept["fetched_at"]))
    if desk.provider is None:
        return seen, ""
    try:
        if not kept["n"]:
            bars = desk.provider.latest(symbol, timeframe, desk.first_bars)
        else:
            following = pd.Timestamp(kept["last"]) + min(step, pd.Timedelta(hours=1))
            if following + step > pd.Timestamp(now):
                return seen, ""
            bars = desk.provider.history(symbol, timeframe, following)
        desk.history.merge(desk.provider_name, symbol, timeframe, bars, seen)
    except ProviderDown as error:
        return seen, f"provider down: {error}"
    except (BadBars, BadConfig) as error:
        return seen, f"provider refused: {error}"
    return seen, ""


def spread_of(desk: Desk, symbol: str) -> float:  # price
    "The spread now where the provider quotes one, else the usual one."
    usual = desk.worlds[symbol].costs.spread_price
    if desk.provider is None:
        return usual
    try:
        quote = desk.provider.snapshot(symbol)
    except (ProviderDown, BadBars, BadConfig):
        return usual
    return quote.ask - quote.bid if quote.ask > quote.bid else usual


def _to_decide(desk: Desk, lane: Lane, symbol: str, last: int | None, seen: pd.Timestamp) -> pd.DataFrame:
    "Bring a reader to the candle before those that are to be decided, and tell these."
    key = (desk.provider_name, symbol, lane.timeframe)
    bars, n = _unread(desk, lane, key, seen)
    decided = bars.index[:0] if last is None else bars.index[bars.index <= pd.Timestamp(last, tz="UTC")]
    new = len(bars) - 1 if last is None else len(decided)  # the newest candle is the first that is ever decided
    too_far = new < 0 or (last is not None and (lane.last_ns or 0) > last)
    if lane.n and (too_far or lane.n + len(bars) != n):  # or a hole before what was read has been filled
        lane.restart()
        return _to_decide(desk, lane, symbol, last, seen)
    lane.extend(bars.iloc[: max(new, 0)])
    return bars.iloc[max(new, 0) :]


def _unread(desk: Desk, lane: Lane, key: tuple, seen: pd.Timestamp | None) -> tuple[pd.DataFrame, int]:
    "The candles a reader has not read, and how many there are with those it has."
    since = pd.Timestamp(lane.last_ns + 1, tz="UTC") if lane.n else None
    return desk.history.bars(*key, since, as_of=seen), desk.history.manifest(*key)["n"]


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
    met = {series(desk.provider_name, s, tf): fetch(desk, s, tf, now) for s, tf in pairs}
    waiting = []
    lasts = desk.journal.lasts(desk.policy_hash)
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
    clock = (look["now_ns"], look["spread_price"])
    made, found, around = lane.decide(lambda at: context_at(at, lane.world, *clock, lane.data_quality()))
    labels = pd.DataFrame()
    if made:
        spread = pd.Series(look["spread_price"], index=bar.index)
        labels = label_rows(made, found, around, spread)
    return Told(look | {"decided": len(made), "digest": digest(made)}, made, labels)


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
                before = own["time"].min() - 30 * _step(tf)  # enough to tell the timeframe by
                bars, world = desk.history.bars(desk.provider_name, symbol, tf, before), desk.worlds[symbol]
                new += desk.store.fill_outcomes(outcome_rows(bars, own, world.instrument, world.costs, desk.rules))
    return new
