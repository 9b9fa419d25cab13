"""Copies of the files that commit 9118f9c wrote (tests/fixtures/old), in a project of their own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import create_engine, inspect, select
from virtual import SYMBOL, Clock, House, moment, tape

from smcdesk.scanning.workspace import Workspace
from smcdesk.store import Store, engine
from smcdesk.store.models import Base
from smclab.policy import Policy

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "old"
ENV = "test"
PLACES = {"scans.db": f"data/07_model_output/scans_{ENV}.db", "slots.db": f"data/08_reporting/schedule_{ENV}.db"}
SHOWN_POLICY = {"preset": "v1", "stop_cap": {"instrument_cap": False, "max_stop_atr": 8.0}, "risk": {"min_rr_b": 1.0}}


def expected() -> dict[str, Any]:
    "What that commit read out of the files."
    return json.loads((FOLDER / "expected.json").read_text())


def copy_files(project: Path) -> list[Path]:  # the journal and the slot log
    "The files beside the store, where that commit had them."
    for name, place in PLACES.items():
        (project / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FOLDER / name, project / place)
    return [project / place for place in PLACES.values()]


def copy_store(project: Path, url: str) -> None:
    "The store at revision 0003: the file itself, or on PostgreSQL its rows."
    target = engine.checked(url)
    if engine.is_sqlite(target):
        Path(target.database).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FOLDER / "store.db", target.database)
        return
    with Store(url) as store:
        store.upgrade("0003")
    shutil.copy(FOLDER / "store.db", project / "copied.db")
    source = create_engine(f"sqlite:///{project / 'copied.db'}")
    names = set(inspect(source).get_table_names())
    tables = [t for t in Base.metadata.sorted_tables if t.name in names]
    with source.connect() as read, engine.writing(engine.engine(target)) as write:
        for table in tables:
            if rows := [dict(row) for row in read.execute(select(table)).mappings()]:
                write.execute(table.insert(), rows)
    source.dispose()


def plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    "A table's rows as `expected.json` has them."
    text = table.drop(columns="verdicts", errors="ignore").to_json(
        orient="records", date_format="iso", date_unit="ns", double_precision=15
    )
    return json.loads(text)


def old_week(project: Path, store: Store) -> tuple[House, Workspace]:
    "A workspace of today on the week that commit scanned: its candles again, as they had been fetched."
    bars = tape()
    market = House(project, bars, Clock(moment(2024, 1, 1)), policy=Policy.from_dict(SHOWN_POLICY).to_dict())
    workspace = market.workspace(store)
    entries = workspace.journal.entries()
    first = bars.index.get_loc(pd.Timestamp(entries[0].time, tz="UTC"))
    begin = first - 1499
    for entry in entries:
        end = bars.index.get_loc(pd.Timestamp(entry.time, tz="UTC")) + 1
        fetched = pd.Timestamp(entry.fetched_by, tz="UTC")
        workspace.history.merge("recorded", SYMBOL, "15m", bars.iloc[begin:end], fetched)
        begin = end
    return market, workspace
