"""A recorded spread by bar, from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from smcdesk.providers.files.errors import BadFile
from smcdesk.providers.files.tables import parquet_cells
from smcdesk.providers.files.text import PARQUET, TEXT, ending, existing
from smclab.candles import nearest


def read_spread(
    path: str | Path,  # parquet or CSV with ts (a bar's open, with its zone) and spread
) -> pd.Series:  # ask minus bid, price, by ts (UTC)
    "A recorded spread by bar; what is missing, negative or without a zone is refused."
    path = existing(Path(path), (*TEXT, *PARQUET))
    table = parquet_cells(path) if ending(path) in PARQUET else pd.read_csv(path)
    for name in ("ts", "spread"):
        if name not in table:
            raise BadFile(f"{path.name}: a spread file needs columns ts and spread{nearest(name, list(table.columns))}")
    try:
        times = pd.DatetimeIndex(pd.to_datetime(table["ts"]))
    except (ValueError, TypeError) as error:
        raise BadFile(f"{path.name}: ts holds something that is no time ({str(error).splitlines()[0]})") from error
    if times.tz is None or times.hasnans:
        raise BadFile(f"{path.name}: ts must be times with their zone, such as 2024-03-08T13:30:00Z")
    values = pd.to_numeric(table["spread"], errors="coerce").to_numpy(float)
    wrong = ~(values >= 0) | ~np.isfinite(values) | times.duplicated()
    if wrong.any():
        n = int(np.argmax(wrong))
        raise BadFile(
            f"{path.name}, row {n}: expected one spread >= 0 per bar, found {table['spread'].iloc[n]} at {times[n]}"
        )
    return pd.Series(values, index=times.tz_convert("UTC").as_unit("ns"), name="spread").sort_index()
