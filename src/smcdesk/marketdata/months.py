"""A month of candles as a parquet file that proves itself: checksums of its pages, its content and its bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from smcdesk.project.files import atomic_file
from smcdesk.providers.protocol import no_bars
from smclab.candles import COLUMNS, BadBars, fingerprint

FETCHED = "fetched_at"
CONTENT = b"smcdesk.content"  # in the file's own metadata: the fingerprint of times, OHLCV and fetched_at


class DamagedFile(BadBars):
    "A stored file whose content is not what was written: it is moved away, and fetched again."


def month_names(folder: Path) -> list[str]:
    "The stored months, in order."
    return sorted(path.stem for path in folder.glob("[0-9]*-[0-9]*.parquet"))


def by_month(bars: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    "The bars of each month, UTC."
    number = np.asarray(bars.index.year * 100 + bars.index.month)
    return [(f"{n // 100:04d}-{n % 100:02d}", part) for n, part in bars.groupby(number)]


def month_span(month: str) -> tuple[pd.Timestamp, pd.Timestamp]:  # UTC, the end not included
    "A month's first moment, and the next one's."
    first = pd.Timestamp(month, tz="UTC")
    return first, first + pd.DateOffset(months=1)


def touches(month: str, start: pd.Timestamp | None, end: pd.Timestamp | None) -> bool:
    "Whether a month has moments of [start, end)."
    first, following = month_span(month)
    return (end is None or first < end) and (start is None or following > start)


def no_month() -> pd.DataFrame:
    "A month without candles, with the columns of a stored one."
    return no_bars().assign(**{FETCHED: np.zeros(0, np.int64)})


def content_of(bars: pd.DataFrame) -> str:  # 16 hex digits
    "The fingerprint of a month's candles together with when each was fetched."
    moments = np.ascontiguousarray(bars[FETCHED].to_numpy(np.int64), dtype="<i8")
    return hashlib.sha256(fingerprint(bars).encode() + moments.tobytes()).hexdigest()[:16]


def write_month(path: Path, bars: pd.DataFrame) -> dict[str, Any]:  # the month's entry in the manifest
    "Write a month whole, with its checksums."
    table = pa.Table.from_pandas(bars)
    table = table.replace_schema_metadata({**table.schema.metadata, CONTENT: content_of(bars).encode()})
    with atomic_file(path) as part:
        pq.write_table(table, part, compression="zstd", write_page_checksum=True)
        return month_entry(bars, part.read_bytes())


def month_entry(bars: pd.DataFrame, data: bytes) -> dict[str, Any]:
    "A month in the manifest: how many candles from when to when, their fingerprint, and that of the file's bytes."
    first, last = bars.index[0].isoformat(), bars.index[-1].isoformat()
    return {"n": len(bars), "first": first, "last": last, "fingerprint": fingerprint(bars), "file": _digest(data)}


def read_month(
    path: Path,
    entry: dict[str, Any] | None,  # of the manifest; None: the file has to prove itself
) -> pd.DataFrame:  # OHLCV and fetched_at by open time; empty where there is no file
    "A month as it was written, or `DamagedFile`."
    if entry is None and not path.exists():
        return no_month()
    return _decoded(path, _bytes(path), entry)


def recounted(path: Path) -> dict[str, Any]:
    "A stored month's entry, from the file alone, or `DamagedFile`."
    data = _bytes(path)
    return month_entry(_decoded(path, data, None), data)


def last_fetched(path: Path) -> int:  # ns UTC
    "The newest fetched_at of a stored month."
    return int(read_month(path, None)[FETCHED].max())


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DamagedFile(f"{path} cannot be read ({error.strerror})") from error


def _decoded(path: Path, data: bytes, entry: dict[str, Any] | None) -> pd.DataFrame:
    "The candles of a file's bytes, after every check there is."
    proven = bool(entry and "file" in entry)
    if proven and entry["file"] != _digest(data):
        raise DamagedFile(f"{path} is damaged: its bytes are not those that were written")
    try:
        table = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True).read()
        bars, content = table.to_pandas(), (table.schema.metadata or {}).get(CONTENT)
        whole = [*COLUMNS, FETCHED] == list(bars.columns) and len(bars) > 0 and isinstance(bars.index, pd.DatetimeIndex)
        if whole and not proven:
            whole = content is None or content.decode() == content_of(bars)
            whole &= entry is None or entry["fingerprint"] == fingerprint(bars)
    except Exception as error:  # pyarrow raises many kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DamagedFile(f"{path} is damaged: it cannot be decoded ({reason[:120]})") from error
    if not whole:
        raise DamagedFile(f"{path} is damaged: its candles are not those that were written")
    return bars


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
