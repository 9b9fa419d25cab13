"""Holes in a series: open times that should be there and are not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from smcdesk.marketdata.calendars import ExpectedTimes
from smclab.candles import timeframe_ns

_NEVER = pd.DatetimeIndex([], tz="UTC").as_unit("ns")
NO_HOLES = pd.DataFrame({"start": _NEVER, "end": _NEVER, "missing_bars": np.zeros(0, np.int64)})


def holes(
    times: pd.DatetimeIndex,  # open times, rising
    timeframe: str,
    expected: ExpectedTimes | None,  # None: every step
) -> pd.DataFrame:  # start, end (open times of the first and last missing bar), missing_bars
    "The open times that should be there between the first and the last, and are not; one row per run of them."
    step = timeframe_ns(timeframe)
    if len(times) < 2:
        missing = times[:0]
    elif expected is not None:
        should = expected(times[0], times[-1], timeframe)
        missing = should[~should.isin(times)]
        run = np.cumsum(np.r_[True, np.diff(should.get_indexer(missing)) > 1][: len(missing)])
    else:
        missing = pd.date_range(times[0], times[-1], freq=pd.Timedelta(step, "ns"), inclusive="left").difference(times)
        run = np.cumsum(np.r_[True, np.diff(missing.as_unit("ns").asi8) > step][: len(missing)])
    if not len(missing):
        return NO_HOLES.copy()
    grouped = pd.Series(missing.as_unit("ns")).groupby(run)
    rows = {"start": grouped.min(), "end": grouped.max(), "missing_bars": grouped.size().astype("int64")}
    return pd.DataFrame(rows).reset_index(drop=True)
