"""The log of revisions: closed candles that a provider sent again with other values, line by line."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from smcdesk.marketdata.months import DamagedFile
from smclab.candles import COLUMNS

REVISION_COLUMNS = ("time", "seen_at", *(f"{name}_{age}" for name in COLUMNS for age in ("old", "new")))
CHECK = "check"  # of a line: the checksum of its values


def no_revisions() -> pd.DataFrame:
    "An empty log, the caller's own."
    return _empty_log().copy()


@cache
def _empty_log() -> pd.DataFrame:
    empty = pd.DataFrame({name: np.zeros(0) for name in REVISION_COLUMNS})
    times = pd.DatetimeIndex([], tz="UTC").as_unit("ns")
    return empty.assign(time=times, seen_at=times)


def read_revisions(
    folder: Path,
    at_least: int = 0,  # lines the manifest counts
) -> pd.DataFrame:
    "The log as a table, or `DamagedFile`; a line cut short by a crash is the last one and does not count."
    path = folder / "revisions.jsonl"
    data = path.read_bytes() if path.exists() else b""
    lines = _whole_lines(data)
    rows = [_checked(line) for line in lines]
    if None in rows:
        raise DamagedFile(f"{path} is damaged: line {rows.index(None) + 1} is not as it was written")
    if len(rows) < at_least:
        raise DamagedFile(f"{path} is damaged: {len(rows)} of {at_least} lines are left")
    if not rows:
        return no_revisions()
    table = pd.DataFrame(rows, columns=list(REVISION_COLUMNS))
    for name in ("time", "seen_at"):
        table[name] = pd.to_datetime(table[name], utc=True).dt.as_unit("ns")
    return table


def intact_lines(path: Path) -> list[bytes]:
    "The lines of a log that are as they were written; none where there is no log."
    data = path.read_bytes() if path.exists() else b""
    return [line + b"\n" for line in _whole_lines(data) if _checked(line) is not None]


def _whole_lines(data: bytes) -> list[bytes]:
    return [line for line in data[: data.rfind(b"\n") + 1].split(b"\n") if line]


def _checked(line: bytes) -> dict | None:
    "A line's values; None where they are not those that were written. Lines of before had no checksum."
    try:
        row = json.loads(line.decode())
        check = row.pop(CHECK, None)
        if set(row) != set(REVISION_COLUMNS) or (check is not None and check != _checksum(row)):
            return None
        pd.Timestamp(row["time"]), pd.Timestamp(row["seen_at"])
    except (ValueError, AttributeError, TypeError):
        return None
    return row


def _checksum(row: dict) -> str:  # 16 hex digits
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:16]


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
    plain = [
        {**row, "time": row["time"].isoformat(), "seen_at": row["seen_at"].isoformat()}
        for row in rows.to_dict("records")
    ]
    lines = [json.dumps({**row, CHECK: _checksum(row)}) for row in plain]
    with path.open("ab+") as log:
        if log.tell():
            log.seek(0)
            whole = log.read().rfind(b"\n") + 1
            log.truncate(whole)
        log.write(("\n".join(lines) + "\n").encode())
        log.flush()
        os.fsync(log.fileno())
