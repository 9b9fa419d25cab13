"""The scan journal and the slot log of before revision 0004, SQLite files of their own, taken into the store once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from smcdesk.project import paths
from smcdesk.store.journal import ScanEntry, ScanJournal, content_hash, series_key
from smcdesk.store.models import JobRow, SlotRow
from smcdesk.store.recording import insert_new
from smcdesk.store.store import Store

DONE = ".imported"  # what is added to the name of a file that was taken in


def import_files(store: Store, env: str | None) -> dict[str, int]:  # file name -> rows that were new
    "Take in an environment's files, where there are any; each is renamed then, and taken in once."
    name = paths.check_env(env) or "base"
    data = paths.root() / "data"
    files = {
        data / "07_model_output" / f"scans_{name}.db": import_scans,
        data / "08_reporting" / f"schedule_{name}.db": import_slots,
    }
    return {file.name: take(store, file) for file, take in files.items() if file.exists()}


def import_scans(store: Store, file: Path) -> int:  # entries that were new
    "Take in a scan journal: its entries, the configurations they name, and what kept scans from newer candles."
    tables = _rows(file, "worlds", "looks", "scans")
    if tables is None:
        return 0
    bases, rows, scans = tables
    records = {r["name"]: split_format_1(json.loads(r["content"])) for r in bases}
    entries = [_entry(row, *records[row["world"]]) for row in rows]
    contents = {
        column: [parts[column] for parts, _ in records.values() if parts[column] is not None]
        for column in ("config_hash", "account_hash", "calendar_hash")
    }
    with store.transaction() as one:
        journal = ScanJournal(one)
        before = len(journal.entries())
        journal.open_entries(entries, contents)
        journal.close_entries(e for e in entries if e.decisions_n is not None)
        for row in scans:
            journal.record_problems(row["slot"], row["now_ns"], {row["series"]: row["said"]})
        new = len(journal.entries()) - before
    _set_aside(file)
    return new


def import_slots(store: Store, file: Path) -> int:  # slots that were new
    "Take in a slot log."
    tables = _rows(file, "slots", "jobs")
    if tables is None:
        return 0
    slots, jobs = tables
    names = [c.name for c in SlotRow.__table__.columns]
    with store.connection(write=True) as c:
        new = insert_new(c, SlotRow.__table__, [dict(zip(names, row, strict=True)) for row in slots])
        insert_new(c, JobRow.__table__, [{"job": job, "settled_until": until} for job, until in jobs])
    _set_aside(file)
    return len(new)


def _rows(file: Path, *tables: str) -> list[list[sqlite3.Row]] | None:  # None: another process took the file in
    "Every row of some tables of an SQLite file; a file that is gone is not created."
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True)) as old:
            old.row_factory = sqlite3.Row
            return [old.execute(f"SELECT * FROM {table}").fetchall() for table in tables]
    except sqlite3.OperationalError:
        if file.exists():
            raise
        return None


def _set_aside(file: Path) -> None:
    "Rename a file that was taken in; another process may have done so already."
    with suppress(FileNotFoundError):
        file.rename(file.with_name(file.name + DONE))


def split_format_1(values: Mapping[str, Any]) -> tuple[dict[str, dict | None], dict[str, str]]:
    "What was one record (format 1) as its parts by the column that names them, and the champions by timeframe."
    config = {
        "format": 2, "instrument": values["instrument"], "policy": values["policy"], "reader": values["config"],
        "timeframes": values["above"], "setups": values["setups"], "costs": values["costs"],
        "regime": values["regime"], "model_use": values.get("use", "none"),
    }  # fmt: skip
    parts = {"config_hash": config, "account_hash": values["account"], "calendar_hash": values["news"]}
    return parts, values.get("champions", {})


def _entry(row: sqlite3.Row, parts: Mapping[str, dict | None], champions: Mapping[str, str]) -> ScanEntry:
    "A line of the old journal as an entry."
    hashes = {column: None if values is None else content_hash(values) for column, values in parts.items()}
    used = parts["config_hash"]["model_use"] != "none"
    version = champions.get(series_key(row["series"])[2], "") if used else None
    return ScanEntry(
        row["series"], row["policy"], row["bar_ns"], **hashes, model_version=version, slot=row["slot"],
        decided_at=row["now_ns"], fetched_by=row["seen_ns"], spread_price=row["spread_price"],
        decisions_n=row["decided"], decisions_hash=row["digest"],
    )  # fmt: skip
