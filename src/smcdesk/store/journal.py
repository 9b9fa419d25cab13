"""Which bars were looked at, when and in which world: written down before anything is decided."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from smcdesk.project import paths
from smcdesk.project.sqlite import transaction
from smclab.decision import Decision


def series(provider: str, symbol: str, timeframe: str) -> str:
    "A series' name in the journal."
    return f"{provider}/{symbol}/{timeframe}"


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


class ScanJournal:
    "One line per bar that was looked at, also when nothing happened: by which clock, in which world."

    def __init__(self, path: Path):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as c:
            c.executescript(_TABLES)

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self.path)

    def begin(self, looks: list[dict[str, Any]], used: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
        "Write down that bars are looked at; what was written before stands. The lines as they stand."
        with self._open() as c:
            content = [(name, json.dumps(values, sort_keys=True)) for name, values in used.items()]
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

    def spreads(self, name: str, policy: str, bars_ns: list[int]) -> dict[int, float]:  # by bar, price
        "The spread some bars of a series were looked at with."
        marks = ", ".join("?" * len(bars_ns))
        asked = f"SELECT bar_ns, spread_price FROM looks WHERE series = ? AND policy = ? AND bar_ns IN ({marks})"
        with self._open() as c:
            return dict(c.execute(asked, (name, policy, *bars_ns)))

    def forget(self, symbol: str, policy: str) -> int:  # lines gone
        "Drop the lines of a symbol's series, where their decisions are dropped."
        with self._open() as c:
            gone = c.execute("DELETE FROM looks WHERE series LIKE ? AND policy = ?", (f"%/{symbol}/%", policy))
            return gone.rowcount

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

    def world(self, name: str) -> dict[str, Any]:  # what `World.from_dict` takes
        "The values of a world that was written down."
        with self._open() as c:
            (text,) = c.execute("SELECT content FROM worlds WHERE name = ?", (name,)).fetchone()
        return json.loads(text)


def decisions_hash(decisions: Iterable[Decision]) -> str:  # 16 hex digits
    "A fingerprint of a bar's decisions."
    return hashlib.sha256("".join(d.hash() for d in decisions).encode()).hexdigest()[:16]


def journal_of(env: str | None) -> Path:
    "Where the scans of an environment write down what they looked at."
    name = paths.check_env(env) or "base"
    return paths.root() / "data" / "07_model_output" / f"scans_{name}.db"
