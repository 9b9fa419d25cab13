"""Candles as they came in: partitioned parquet by provider, symbol and timeframe, first seen and never changed.

A closed bar keeps the values it had when it was first fetched, because a decision may have been taken on them. When
the provider sends other values later, both stand in `revisions.jsonl`, with the moment they were seen; `bars` gives
the first values, or the last with `revised=True`. Each bar carries when it was fetched, so that `as_of` gives the
history as a decision of that moment could have read it, before later holes were filled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from smcdesk.marketdata.calendars import ExpectedTimes
from smcdesk.marketdata.gaps import holes
from smcdesk.marketdata.revisions import append_revisions, last_values_of, no_revisions, read_revisions, revision_rows
from smcdesk.project.files import atomic_file, write_text
from smcdesk.providers.protocol import MANY, ProviderDown, moment, no_bars
from smclab.candles import COLUMNS, BadBars, check, fingerprint, timeframe_ns

FETCHED = "fetched_at"
UNSURE = ".unsure"  # stands beside the months while they may hold more than the manifest
LOCK_WAIT_S = 60


@dataclass(frozen=True, eq=False)
class MergeResult:
    "What a merge changed."

    added_n: int  # bars that were new
    same_n: int  # bars that were known, with these values
    revised: pd.DataFrame  # bars the provider sent with other values than before: time, seen_at, open_old, open_new, …
    find_gaps: Callable[[], pd.DataFrame]

    @cached_property
    def gaps(self) -> pd.DataFrame:  # start, end, missing_bars
        "The holes from the bar before the merged ones to the bar after them."
        return self.find_gaps()


class CandleHistory:
    "The candles under one folder."

    def __init__(
        self,
        root: Path | str,  # data/01_raw
        *,
        expected: Callable[[str], ExpectedTimes | None]
        | None = None,  # by symbol, when its market trades; None: always
    ):
        self.root, self._expected = Path(root), expected

    # --- reading

    def folder(self, provider: str, symbol: str, timeframe: str) -> Path:
        "The folder of a series; a slash or a colon in a name is escaped."
        timeframe_ns(timeframe)
        return self.root / _escaped(provider) / _escaped(symbol) / timeframe

    def series(self) -> list[tuple[str, str, str]]:
        "Provider, symbol and timeframe of every stored series."
        found = sorted(self.root.glob("*/*/*/manifest.json"))
        return [tuple(unquote(part) for part in path.parts[-4:-1]) for path in found]

    def bars(
        self,
        provider: str,
        symbol: str,
        timeframe: str,
        start: Any = None,  # open time of the first bar; None: from the beginning
        end: Any = None,  # bars open before it; None: to the end
        *,
        as_of: Any = None,  # only what had been fetched by then; None: all
        revised: bool = False,  # True: the provider's last word instead of its first
    ) -> pd.DataFrame:  # (n, OHLCV) checked; empty where nothing is stored
        "The stored candles of a series."
        folder = self.folder(provider, symbol, timeframe)
        start, end = (None if t is None else moment(t) for t in (start, end))
        months = [m for m in _months(folder) if _touches(m, start, end)]
        return self._table(folder, months, start, end, as_of, revised)

    def last(
        self,
        provider: str,
        symbol: str,
        timeframe: str,
        n: int,  # bars
        *,
        as_of: Any = None,
        revised: bool = False,
    ) -> pd.DataFrame:
        "The last n bars, reading no more months than they need."
        folder, taken, held = self.folder(provider, symbol, timeframe), [], 0
        for month in reversed(_months(folder)):
            times = pd.read_parquet(folder / f"{month}.parquet", columns=[FETCHED])[FETCHED]
            taken, held = [month, *taken], held + int(_seen(times, as_of).sum())
            if held >= n:
                break
        return self._table(folder, taken, None, None, as_of, revised).iloc[-n:]

    def _table(self, folder, months, start, end, as_of, revised) -> pd.DataFrame:
        "The bars of some months, by the rules of bars()."
        if not months:
            return no_bars()
        bars = pd.concat([_read(folder, month) for month in months])
        keep = _seen(bars[FETCHED], as_of)
        keep &= True if start is None else bars.index >= start
        keep &= True if end is None else bars.index < end
        bars = bars.loc[keep, list(COLUMNS)]
        if revised:
            log = read_revisions(folder)
            log = log[_seen(log["seen_at"], as_of) & log["time"].isin(bars.index)].drop_duplicates("time", keep="last")
            bars.loc[log["time"]] = log[[f"{name}_new" for name in COLUMNS]].to_numpy(float)
        return bars

    def fetched(self, provider: str, symbol: str, timeframe: str) -> pd.Series:  # ns UTC by open time
        "When each stored candle was fetched."
        folder = self.folder(provider, symbol, timeframe)
        return pd.concat([_read(folder, month)[FETCHED] for month in _months(folder)] or [no_bars()["open"]]).astype(
            "int64"
        )

    def manifest(self, provider: str, symbol: str, timeframe: str) -> dict[str, Any]:
        "n, first, last, fingerprint, fetched_at, revisions, and the same by month; n is 0 where nothing is stored."
        folder = self.folder(provider, symbol, timeframe)
        return _manifest(folder) or {"provider": provider, "symbol": symbol, "timeframe": timeframe, "n": 0}

    def revisions(self, provider: str, symbol: str, timeframe: str) -> pd.DataFrame:
        "Closed bars the provider sent again with other values: time, seen_at, open_old, open_new, …; oldest first."
        return read_revisions(self.folder(provider, symbol, timeframe))

    def gaps(
        self,
        provider: str,
        symbol: str,
        timeframe: str,
        start: Any = None,
        end: Any = None,
        *,
        expected: ExpectedTimes | None = None,  # None: the history's own, else every step
    ) -> pd.DataFrame:  # start, end (open times of the first and last missing bar), missing_bars
        "The holes inside the stored span."
        bars = self.bars(provider, symbol, timeframe, start, end)
        return holes(bars.index, timeframe, expected or (self._expected and self._expected(symbol)))

    # --- writing

    def merge(
        self,
        provider: str,
        symbol: str,
        timeframe: str,
        bars: pd.DataFrame,  # closed bars
        fetched_at: Any,  # when they were requested
    ) -> MergeResult:
        "Store what is new, log what has other values; the same bars again change nothing."
        folder, seen = self.folder(provider, symbol, timeframe), moment(fetched_at)
        if not len(bars):
            return MergeResult(0, 0, no_revisions(), lambda: holes(bars.index, timeframe, None))
        bars = check(bars[list(COLUMNS)], symbol=symbol, timeframe=timeframe if len(bars) >= MANY else None)
        late = bars.index[-1] + pd.Timedelta(timeframe_ns(timeframe), "ns")
        if late > seen:
            raise BadBars(f"{symbol} {timeframe}: bar {bars.index[-1]} closes at {late}, after it was fetched ({seen})")
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            named = [month for month, _ in _by_month(bars)]
            named += [m for m in _months(folder) if named[0] < m < named[-1] and m not in named]
            stored = {month: _read(folder, month) for month in sorted(named)}
            added, same, revised = self._write(folder, stored, bars, seen, (provider, symbol, timeframe))
            done = _manifest(folder)
        hours = self._expected and self._expected(symbol)
        return MergeResult(added, same, revised, lambda: holes(_around(done, stored, bars.index), timeframe, hours))

    def record_request(self, provider: str, symbol: str, timeframe: str, start: Any) -> None:
        "Record how far back the provider was asked, so that what it does not have is requested once."
        folder, start = self.folder(provider, symbol, timeframe), moment(start)
        with _locked(folder):
            done = _manifest(folder)
            if done and (("asked_from" not in done) or start < pd.Timestamp(done["asked_from"])):
                _save(folder, {**done, "asked_from": start.isoformat()})

    def _write(self, folder, stored, bars, seen, key) -> tuple[int, int, pd.DataFrame]:
        "Revisions first, then the months, then the manifest: a crash between loses no value and no trace."
        whole = pd.concat(stored.values())
        have = bars.index.isin(whole.index)
        again, new = bars[have], bars[~have].assign(**{FETCHED: seen.value})
        last_values = last_values_of(whole.loc[again.index, list(COLUMNS)], read_revisions(folder))
        differs = (last_values.to_numpy() != again.to_numpy()).any(axis=1)
        revised = revision_rows(last_values[differs], again[differs], seen)
        if len(revised):
            append_revisions(folder / "revisions.jsonl", revised)
        done = _manifest(folder) or _blank(key)
        if len(new):
            (folder / UNSURE).touch()  # a crash from here on is seen by the next reader
        for month, part in _by_month(new):
            full = pd.concat([stored[month], part]).sort_index() if len(stored[month]) else part
            with atomic_file(folder / f"{month}.parquet") as path:
                full.to_parquet(path, compression="zstd")
            done["months"][month] = _entry(full)
        if len(new) or len(revised):
            _save(folder, _summed(done, seen, len(revised)))
            (folder / UNSURE).unlink(missing_ok=True)
        return len(new), int((~differs).sum()), revised


def _around(done: dict[str, Any], stored: dict[str, pd.DataFrame], times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    "The stored open times from the bar before `times` to the bar after them."
    ends = [pd.Timestamp(entry[side]) for entry in done["months"].values() for side in ("first", "last")]
    index = pd.concat([*stored.values(), pd.DataFrame(index=times)]).index.union(pd.DatetimeIndex(ends)).unique()
    return index[max(0, index.searchsorted(times[0]) - 1) : index.searchsorted(times[-1]) + 2]


# --- files


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    "Hold the series' lock: no other process writes it meanwhile."
    try:
        with FileLock(folder / ".lock", timeout=LOCK_WAIT_S):
            yield
    except Timeout as error:
        raise ProviderDown(f"{folder} is being written by another process since {LOCK_WAIT_S} s: try again") from error


def _escaped(name: str) -> str:
    "A name as one folder of it: letters, digits, dot, dash and underscore stay."
    if not name or set(name) <= {"."}:
        raise BadBars(f"{name!r} cannot name a series of candles")
    return quote(name, safe="")


def _months(folder: Path) -> list[str]:
    "The stored months, in order."
    return sorted(path.stem for path in folder.glob("[0-9]*-[0-9]*.parquet"))


def _by_month(bars: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    "The bars of each month, UTC."
    number = np.asarray(bars.index.year * 100 + bars.index.month)
    return [(f"{n // 100:04d}-{n % 100:02d}", part) for n, part in bars.groupby(number)]


def _touches(month: str, start, end) -> bool:
    "Whether a month has moments of [start, end)."
    first = pd.Timestamp(month, tz="UTC")
    return (end is None or first < end) and (start is None or first + pd.DateOffset(months=1) > start)


def _read(folder: Path, month: str) -> pd.DataFrame:
    "A month as stored, fetched_at among its columns; empty where there is none."
    path = folder / f"{month}.parquet"
    if not path.exists():
        return no_bars().assign(**{FETCHED: np.zeros(0, np.int64)})
    try:
        return pd.read_parquet(path)
    except Exception as error:  # pyarrow raises many kinds
        raise BadBars(f"{path} cannot be read ({str(error).splitlines()[0]}): move it away and fetch again") from error


def _seen(fetched, as_of) -> np.ndarray:
    "Which rows had been fetched by then."
    values = fetched.to_numpy() if fetched.dtype == np.int64 else pd.DatetimeIndex(fetched).as_unit("ns").asi8
    return np.ones(len(values), bool) if as_of is None else values <= moment(as_of).value


# --- the manifest


def _blank(key: tuple[str, str, str]) -> dict[str, Any]:
    return {**dict(zip(("provider", "symbol", "timeframe"), key, strict=True)), "n": 0, "revisions": 0, "months": {}}


def _entry(bars: pd.DataFrame) -> dict[str, Any]:
    "A month in the manifest."
    first, last = bars.index[0].isoformat(), bars.index[-1].isoformat()
    return {"n": len(bars), "first": first, "last": last, "fingerprint": fingerprint(bars)}


def _summed(done: dict[str, Any], seen: pd.Timestamp, revised_n: int) -> dict[str, Any]:
    "The manifest with the figures of the whole."
    months = {name: done["months"][name] for name in sorted(done["months"])}
    whole = hashlib.sha256("".join(entry["fingerprint"] for entry in months.values()).encode()).hexdigest()[:16]
    entries = list(months.values())
    return {
        **done, "n": sum(entry["n"] for entry in entries), "first": entries[0]["first"], "last": entries[-1]["last"],
        "fingerprint": whole, "fetched_at": seen.isoformat(), "revisions": done["revisions"] + revised_n,
        "months": months,
    }  # fmt: skip


def _save(folder: Path, done: dict[str, Any]) -> None:
    write_text(folder / "manifest.json", json.dumps(done, indent=1))


def _manifest(folder: Path) -> dict[str, Any] | None:
    "The manifest; where a crash left it behind the months, it is counted again from them."
    path = folder / "manifest.json"
    if not path.exists() and not _months(folder):
        return None
    try:
        done = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        done = None
    if done is not None and not (folder / UNSURE).exists():
        return done
    months = {month: _read(folder, month) for month in _months(folder)}
    key = tuple(unquote(part) for part in folder.parts[-3:])
    done = (done or _blank(key)) | {"months": {m: _entry(bars) for m, bars in months.items()}}
    done["revisions"] = len(read_revisions(folder))
    seen = max((bars[FETCHED].max() for bars in months.values()), default=0)
    return _summed(done, pd.Timestamp(seen, tz="UTC"), 0) if months else done
