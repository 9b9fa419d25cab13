"""A day of the store as files anyone can open: CSV for people, parquet for programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from smcdesk.project.dates import check_iso
from smcdesk.project.files import atomic_folder
from smcdesk.store.models import canonical
from smcdesk.store.rows import DAY_NS
from smclab.candles import BadConfig, nearest

FORMATS = ("csv", "parquet")


def midnight(
    day: str | pd.Timestamp,  # "2024-03-08"; a timestamp must have its zone and be midnight UTC
) -> int:  # ns since 1970
    "The first moment of a UTC day."
    if isinstance(day, str):
        try:
            check_iso(day)
        except BadConfig as error:
            raise BadConfig(f"day must be a UTC day such as '2024-03-08': {error}") from None
    try:
        stamp = pd.Timestamp(day)
        whole = stamp.tz_localize("UTC") if isinstance(day, str) and stamp.tzinfo is None else stamp
        start = whole.as_unit("ns").value if whole.tzinfo is not None else None
    except (ValueError, TypeError):
        start = None
    if start is None or start % DAY_NS:
        raise BadConfig(f"day must be a UTC day such as '2024-03-08'; found {day!r}")
    return start


def day_name(start: int) -> str:
    "A day's folder."
    return f"{pd.Timestamp(start, tz='UTC'):%Y-%m-%d}"


def write(folder: Path, frames: dict[str, pd.DataFrame], formats: tuple[str, ...]) -> Path:
    "One file per table and format, all of them or none."
    for word in formats:
        if word not in FORMATS:
            raise BadConfig(f"an export has no format {word!r}{nearest(word, FORMATS)} (known: {', '.join(FORMATS)})")
    with atomic_folder(folder) as part:
        for name, table in frames.items():
            flat = table.apply(_flat)
            if "parquet" in formats:
                flat.to_parquet(part / f"{name}.parquet", compression="zstd", index=False)
            if "csv" in formats:
                flat.apply(_spelled).to_csv(part / f"{name}.csv", index=False, lineterminator="\n")
    return folder


def _flat(column: pd.Series) -> pd.Series:
    "JSON as its text."
    if column.dtype != object:
        return column
    return pd.Series([None if v is None else canonical(v) for v in column], index=column.index, dtype="str")


def _spelled(column: pd.Series) -> pd.Series:
    "Times as ISO 8601 with all nine digits."
    if not isinstance(column.dtype, pd.DatetimeTZDtype):
        return column
    words = np.datetime_as_string(column.dt.tz_localize(None).to_numpy("datetime64[ns]"), unit="ns")
    return pd.Series(np.where(column.isna(), "", np.char.add(words, "Z")), index=column.index, dtype="str")
