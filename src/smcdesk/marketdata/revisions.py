"""The log of revisions: closed candles that a provider sent again with other values, line by line."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from smclab.candles import COLUMNS

REVISION_COLUMNS = ("time", "seen_at", *(f"{name}_{age}" for name in COLUMNS for age in ("old", "new")))


def no_revisions() -> pd.DataFrame:
    "An empty log, the caller's own."
    return _empty_log().copy()


@cache
def _empty_log() -> pd.DataFrame:
    empty = pd.DataFrame({name: np.zeros(0) for name in REVISION_COLUMNS})
    times = pd.DatetimeIndex([], tz="UTC").as_unit("ns")
    return empty.assign(time=times, seen_at=times)


def read_revisions(folder: Path) -> pd.DataFrame:
    "The log as a table; a line cut short by a crash is the last one and does not count."
    path = folder / "revisions.jsonl"
    if not path.exists():
        return no_revisions()
    text = path.read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines() if line]
    if not rows:
        return no_revisions()
    table = pd.DataFrame(rows, columns=list(REVISION_COLUMNS))
    for name in ("time", "seen_at"):
        table[name] = pd.to_datetime(table[name], utc=True).dt.as_unit("ns")
    return table


def last_values_of(stored: pd.DataFrame, log: pd.DataFrame) -> pd.DataFrame:
    "The stored bars with the values the provider sent last."
    log = log[log["time"].isin(stored.index)].drop_duplicates("time", keep="last")
    last_values = stored.copy()
    last_values.loc[log["time"]] = log[[f"{name}_new" for name in COLUMNS]].to_numpy(float)
    return last_values


def revision_rows(old: pd.DataFrame, new: pd.DataFrame, seen: pd.Timestamp) -> pd.DataFrame:
    "Old and new values side by side."
    if not len(new):
        return no_revisions()
    pairs = {f"{name}_{age}": bars[name].to_numpy() for name in COLUMNS for age, bars in (("old", old), ("new", new))}
    return pd.DataFrame({"time": new.index, "seen_at": seen, **pairs})


def append_revisions(path: Path, rows: pd.DataFrame) -> None:
    "Add lines to the log and see them on the disk; half a line that a crash left behind is ended first."
    lines = [
        json.dumps({**row, "time": row["time"].isoformat(), "seen_at": row["seen_at"].isoformat()})
        for row in rows.to_dict("records")
    ]
    with path.open("ab+") as log:
        if log.tell():
            log.seek(0)
            whole = log.read().rfind(b"\n") + 1
            log.truncate(whole)
        log.write(("\n".join(lines) + "\n").encode())
        log.flush()
        os.fsync(log.fileno())
