"""The scan journal: which bars scans looked at, when, and by what, written down before anything is decided."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sqlalchemy import Text, and_, bindparam, delete, func, select, tuple_, type_coerce, update

from smcdesk.store.models import (
    RESTORE,
    AccountRow,
    CalendarRow,
    DecisionConfigRow,
    ScanEntryRow,
    ScanProblemRow,
    StoreDamaged,
)
from smcdesk.store.recording import insert_new
from smcdesk.store.store import Store
from smclab.candles import BadConfig
from smclab.decision import Decision

ENTRIES, PROBLEMS = ScanEntryRow.__table__, ScanProblemRow.__table__
CONTENTS = {  # what entries name by a hash: column -> table
    "config_hash": DecisionConfigRow.__table__, "account_hash": AccountRow.__table__,
    "calendar_hash": CalendarRow.__table__,
}  # fmt: skip
KEY = ("series", "policy_hash", "time")


@dataclass(frozen=True)
class ScanEntry:
    "One bar that a scan looked at; `decisions_n` and `decisions_hash` are None until it is decided."

    series: str  # provider/symbol/timeframe
    policy_hash: str
    time: int  # open label of the bar, ns UTC
    config_hash: str
    account_hash: str
    calendar_hash: str | None  # None: there was no calendar
    model_version: str | None  # of the champion; "": there was none; None: conf asks for none
    slot: str
    decided_at: int  # the clock of the decision, ns UTC
    fetched_by: int  # candles fetched later were not read, ns UTC
    spread_price: float
    decisions_n: int | None = None
    decisions_hash: str | None = None

    def closed(self, decisions: tuple[Decision, ...]) -> ScanEntry:
        "The entry with what was decided."
        return replace(self, decisions_n=len(decisions), decisions_hash=decisions_hash(decisions))


COLUMNS = [ENTRIES.c[f.name] for f in fields(ScanEntry)]


def series(provider: str, symbol: str, timeframe: str) -> str:
    "A series' name in the journal. A symbol may hold a slash, as EUR/USD does; the other two may not."
    for what, word in (("source", provider), ("timeframe", timeframe)):
        if not word or "/" in word:
            raise BadConfig(f"a {what}'s name must be without a slash to name a series; found {word!r}")
    return f"{provider}/{symbol}/{timeframe}"


def series_key(name: str) -> tuple[str, str, str]:
    "Provider, symbol and timeframe of a series' name."
    provider, _, rest = name.partition("/")
    symbol, _, timeframe = rest.rpartition("/")
    return provider, symbol, timeframe


def content_hash(values: Mapping[str, Any]) -> str:  # 16 hex digits
    "A fingerprint of plain values, by which the journal finds them again."
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def decisions_hash(decisions: Iterable[Decision]) -> str:  # 16 hex digits
    "A fingerprint of a bar's decisions."
    return hashlib.sha256("".join(d.hash() for d in decisions).encode()).hexdigest()[:16]


class ScanJournal:
    "One row per bar that was looked at, also when nothing happened. Within a store's transaction it is part of it."

    def __init__(self, store: Store):
        self.store = store

    def open_entries(
        self,
        entries: Iterable[ScanEntry],
        contents: Mapping[str, Iterable[Mapping[str, Any]]],  # column of CONTENTS -> what its hashes stand for
    ) -> list[ScanEntry]:
        "Write down that bars are looked at; what was written before stands. The entries as they stand."
        entries, now = list(entries), self.store.now()
        with self.store.connection(write=True) as c:
            for column, table in CONTENTS.items():
                rows = [{column: content_hash(v), "content": dict(v)} for v in contents.get(column, ())]
                insert_new(c, table, rows, now)
            insert_new(c, ENTRIES, [asdict(e) for e in entries], now)
            return self._found(c, [(e.series, e.policy_hash, e.time) for e in entries])

    def close_entries(self, entries: Iterable[ScanEntry]) -> None:
        "Write down how many decisions each bar had, and their fingerprint."
        rows = [
            {f"the_{k}": getattr(e, k) for k in KEY} | {"n": e.decisions_n, "digest": e.decisions_hash} for e in entries
        ]
        if not rows:
            return
        which = and_(*(ENTRIES.c[k] == bindparam(f"the_{k}") for k in KEY))
        change = update(ENTRIES).where(which).values(decisions_n=bindparam("n"), decisions_hash=bindparam("digest"))
        with self.store.connection(write=True) as c:
            c.execute(change, rows)

    def entries(
        self,
        *,
        since: int | None = None,  # by the bar's open label, ns UTC
        until: int | None = None,  # not included
        slot: str | None = None,
    ) -> list[ScanEntry]:  # in order of series and bar
        "The entries of some bars."
        t = ENTRIES.c
        bounds = [t.time >= since if since is not None else None, t.time < until if until is not None else None]
        wanted = [x for x in (*bounds, t.slot == slot if slot is not None else None) if x is not None]
        with self.store.connection() as c:
            rows = c.execute(select(*COLUMNS).where(*wanted).order_by(t.series, t.time)).mappings().all()
        return [ScanEntry(**row) for row in rows]

    def content(self, column: str, name: str) -> dict[str, Any]:
        "The plain values a hash of `CONTENTS` stands for; `StoreDamaged` where they are not those that were written."
        table = CONTENTS[column]
        with self.store.connection() as c:
            query = select(type_coerce(table.c.content, Text)).where(table.c[column] == name)
            text = c.execute(query).scalar_one_or_none()
        try:
            values = json.loads(text)
            same = content_hash(values) == name
        except (ValueError, TypeError):
            same = False
        if not same:
            what = "is gone" if text is None else "is stored with other content than its hash"
            raise StoreDamaged(f"{column.removesuffix('_hash')} {name} of {table.name} {what}: {RESTORE}")
        return values

    def spreads(self, name: str, policy_hash: str, times: list[int]) -> dict[int, float]:  # by bar, price
        "The spread some bars of a series were looked at with."
        t = ENTRIES.c
        own = (t.series == name, t.policy_hash == policy_hash, t.time.in_(times))
        with self.store.connection() as c:
            return dict(c.execute(select(t.time, t.spread_price).where(*own)).all())

    def last_bars(self, policy_hash: str) -> dict[str, int]:  # series -> open label, ns UTC
        "The newest decided bar of every series."
        t = ENTRIES.c
        decided = (t.policy_hash == policy_hash, t.decisions_n.is_not(None))
        newest = select(t.series, func.max(t.time)).where(*decided).group_by(t.series)
        with self.store.connection() as c:
            return dict(c.execute(newest).all())

    def record_problems(self, slot: str, time: int, problems: Mapping[str, str]) -> None:
        "Store the problems of a slot's scan, by series; what was written first stands."
        rows = [{"slot": slot, "series": name, "time": time, "problem": text} for name, text in problems.items()]
        with self.store.connection(write=True) as c:
            insert_new(c, PROBLEMS, rows, self.store.now())

    def problems(self, slot: str) -> dict[str, str]:  # by series
        "What kept a slot's scan from the newest candles."
        found = select(PROBLEMS.c.series, PROBLEMS.c.problem).where(PROBLEMS.c.slot == slot)
        with self.store.connection() as c:
            return dict(c.execute(found).all())

    def forget(self, symbol: str, policy_hash: str) -> int:  # rows gone
        "Drop the entries of a symbol's series, where their decisions are dropped."
        t = ENTRIES.c
        with self.store.connection(write=True) as c:
            names = c.execute(select(t.series).where(t.policy_hash == policy_hash).distinct()).scalars()
            own = [name for name in names if series_key(name)[1] == symbol]
            return c.execute(delete(ENTRIES).where(t.policy_hash == policy_hash, t.series.in_(own))).rowcount

    def _found(self, connection, keys: list[tuple[str, str, int]]) -> list[ScanEntry]:
        "The entries of some keys, in their order."
        found: dict[tuple, ScanEntry] = {}
        for start in range(0, len(keys), 300):
            some = keys[start : start + 300]
            wanted = tuple_(*(ENTRIES.c[k] for k in KEY)).in_(some)
            for row in connection.execute(select(*COLUMNS).where(wanted)).mappings():
                entry = ScanEntry(**row)
                found[entry.series, entry.policy_hash, entry.time] = entry
        return [found[key] for key in keys]
