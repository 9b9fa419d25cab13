"""Rows that changed behind the store: a decision or journal content that does not match its hash is refused."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pytest

from smcdesk.store import Store, StoreDamaged
from smcdesk.store.journal import ScanJournal, content_hash

TEXTS = {
    "decisions": ("record", "content_hash", "decision_id", "why", "next", "instrument", "policy_hash", "setup_id"),
    "verdicts": ("gate", "reason", "evidence", "next", "decision_id"),
    "decision_configs": ("content", "config_hash"),
}
CONTENT = {"policy": "v1", "costs": {"spread_price": 0.00008, "slippage": [1, 2.5]}, "note": "ä"}


@pytest.fixture
def file(tmp_path, decided):
    "A store's file with decisions and a configuration."
    with Store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        store.upgrade()
        store.record_decisions(decided[:20])
        ScanJournal(store).open_entries([], {"config_hash": [CONTENT]})
    return tmp_path / "store.db"


def change(file, table, column, rowid, value):
    "Write one value over another, as text, past every check."
    with closing(sqlite3.connect(file)) as raw, raw:
        raw.execute(f"UPDATE {table} SET {column} = CAST(? AS TEXT) WHERE rowid = ?", (value, rowid))


def test_flipped_bits_of_rows_are_noticed(file, decided):
    rng, whole = random.Random(60), file.read_bytes()
    for n in range(120):
        for side in file.parent.glob("store.db-*"):
            side.unlink()
        file.write_bytes(whole)
        table = rng.choice(list(TEXTS))
        column = rng.choice(TEXTS[table]) if n % 2 else TEXTS[table][0]
        with closing(sqlite3.connect(file)) as raw:
            rows = raw.execute(f"SELECT rowid, CAST({column} AS BLOB) FROM {table} WHERE {column} != ''").fetchall()
        if not rows:
            continue
        rowid, data = rng.choice(rows)
        flipped = bytearray(data)
        bit = rng.randrange(8 * len(data))
        flipped[bit // 8] ^= 1 << bit % 8
        change(file, table, column, rowid, bytes(flipped))
        with Store(f"sqlite:///{file}") as store, pytest.raises(StoreDamaged) as error:
            store.decisions()
            ScanJournal(store).content("config_hash", content_hash(CONTENT))
        assert "\n" not in str(error.value) and "restore the store from a backup" in str(error.value)


def test_a_damaged_decision_is_named(file, decided):
    change(file, "decisions", "why", 1, b"because")
    with Store(f"sqlite:///{file}") as store:
        with pytest.raises(
            StoreDamaged, match=r"decision [0-9a-f]{16} \(EURUSD 15m, 20.*\) is stored with other content"
        ):
            store.decisions()
        with pytest.raises(StoreDamaged):
            store.export(file.parent / "out", f"{min(store.days()):%Y-%m-%d}")


def test_contents_that_are_gone_or_changed_are_named(file):
    name = content_hash(CONTENT)
    with Store(f"sqlite:///{file}") as store:
        assert ScanJournal(store).content("config_hash", name) == CONTENT
        with pytest.raises(StoreDamaged, match="config 0000 of decision_configs is gone: restore"):
            ScanJournal(store).content("config_hash", "0000")
    change(file, "decision_configs", "content", 1, b'{"policy":"v2"}')
    with Store(f"sqlite:///{file}") as store, pytest.raises(StoreDamaged, match=f"config {name} .*other content"):
        ScanJournal(store).content("config_hash", name)
