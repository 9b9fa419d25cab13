"""Candles as they came in: partitioned parquet by provider, symbol and timeframe, first seen and never changed.

A closed bar keeps the values it had when it was first fetched, because a decision may have been taken on them. When
the provider sends other values later, both stand in `revisions.jsonl`, with the moment they were seen; `bars` gives
the first values, or the last with `revised=True`. Each bar carries when it was fetched, so that `as_of` gives the
history as a decision of that moment could have read it, before later holes were filled.

Every read verifies what was written: a damaged file is moved beside itself as `….damaged-<moment>` and said once in one
sentence; candles of a damaged month are refused until they have been fetched again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from smcdesk.marketdata.calendars import ExpectedTimes
from smcdesk.marketdata.gaps import holes
from smcdesk.marketdata.manifests import MANIFEST, blank_manifest, save_manifest, summed
from smcdesk.marketdata.months import FETCHED, by_month, month_names, month_span, touches, write_month
from smcdesk.marketdata.revisions import append_revisions, last_values_of, no_revisions, revision_rows
from smcdesk.marketdata.series_folder import (
    UNSURE,
    escaped,
    key_of,
    locked,
    manifest_of,
    months_of,
    read_log,
    read_verified,
)
from smcdesk.providers.protocol import MANY, moment, no_bars
from smclab.candles import COLUMNS, BadBars, check, timeframe_ns


@dataclass(frozen=True, eq=False)
class MergeResult:
    "What a merge changed."

    added_n: int  # bars that were new
    same_n: int  # bars that were known, with these values
    revised: pd.DataFrame  # bars the provider sent with other values than before: time, seen_at, open_old, open_new, …
    fetched_at: pd.Timestamp  # the moment the new bars carry; whatever is merged later carries a later one
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
        return self.root / escaped(provider) / escaped(symbol) / timeframe

    def series(self) -> list[tuple[str, str, str]]:
        "Provider, symbol and timeframe of every stored series."
        found = sorted({path.parent for path in self.root.glob(f"*/*/*/{MANIFEST}*")})
        return [key_of(path) for path in found]

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
        months = [m for m in months_of(folder) if touches(m, start, end)]
        return self._table(folder, [read_verified(folder, month) for month in months], start, end, as_of, revised)

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
        for month in reversed(months_of(folder)):
            taken = [read_verified(folder, month), *taken]
            held += int(_seen(taken[0][FETCHED], as_of).sum())
            if held >= n:
                break
        return self._table(folder, taken, None, None, as_of, revised).iloc[-n:]

    def _table(self, folder, months, start, end, as_of, revised) -> pd.DataFrame:
        "The bars of some months, by the rules of bars()."
        if not months:
            return no_bars()
        bars = pd.concat(months)
        keep = _seen(bars[FETCHED], as_of)
        keep &= True if start is None else bars.index >= start
        keep &= True if end is None else bars.index < end
        bars = bars.loc[keep, list(COLUMNS)]
        if revised:
            log = read_log(folder)
            log = log[_seen(log["seen_at"], as_of) & log["time"].isin(bars.index)].drop_duplicates("time", keep="last")
            bars.loc[log["time"]] = log[[f"{name}_new" for name in COLUMNS]].to_numpy(float)
        return bars

    def fetched(self, provider: str, symbol: str, timeframe: str) -> pd.Series:  # ns UTC by open time
        "When each stored candle was fetched."
        folder = self.folder(provider, symbol, timeframe)
        return pd.concat(
            [read_verified(folder, month)[FETCHED] for month in months_of(folder)] or [no_bars()["open"]]
        ).astype("int64")

    def manifest(self, provider: str, symbol: str, timeframe: str) -> dict[str, Any]:
        """n, first, last, fingerprint, fetched_at, revisions, and the same by month; n is 0 where nothing is stored.

        `damaged` names the months that were moved away and are to be fetched again.
        """
        folder = self.folder(provider, symbol, timeframe)
        return manifest_of(folder) or {"provider": provider, "symbol": symbol, "timeframe": timeframe, "n": 0}

    def damaged_spans(self, provider: str, symbol: str, timeframe: str) -> dict[str, tuple[pd.Timestamp, pd.Timestamp]]:
        "What to fetch again of every month that was moved away: its first candle, and the end of its last."
        done = manifest_of(self.folder(provider, symbol, timeframe)) or {}
        step = pd.Timedelta(timeframe_ns(timeframe), "ns")
        spans = {}
        for month, entry in done.get("damaged", {}).items():
            first, following = month_span(month)
            last = pd.Timestamp(entry["last"]) + step if "last" in entry else following
            spans[month] = (pd.Timestamp(entry.get("first", first)), last)
        return spans

    def revisions(self, provider: str, symbol: str, timeframe: str) -> pd.DataFrame:
        "Closed bars the provider sent again with other values: time, seen_at, open_old, open_new, …; oldest first."
        return read_log(self.folder(provider, symbol, timeframe))

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
        fetched_at: Any,  # when they were fetched; a clock is read inside the lock
    ) -> MergeResult:
        "Store what is new, log what has other values; the same bars again change nothing."
        key = (provider, symbol, timeframe)
        folder, seen = self.folder(*key), moment(fetched_at() if callable(fetched_at) else fetched_at)
        if not len(bars):
            seen = self.present(*key, fetched_at) if callable(fetched_at) else seen
            return MergeResult(0, 0, no_revisions(), seen, lambda: holes(bars.index, timeframe, None))
        bars = check(bars[list(COLUMNS)], symbol=symbol, timeframe=timeframe if len(bars) >= MANY else None)
        late = bars.index[-1] + pd.Timedelta(timeframe_ns(timeframe), "ns")
        if late > seen:
            raise BadBars(f"{symbol} {timeframe}: bar {bars.index[-1]} closes at {late}, after it was fetched ({seen})")
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            if callable(fetched_at):
                seen = self.present(*key, fetched_at)
            done = manifest_of(folder) or blank_manifest(key)
            named = [month for month, _ in by_month(bars)]
            named += [m for m in month_names(folder) if named[0] < m < named[-1] and m not in named]
            stored = {month: read_verified(folder, month) for month in sorted(named)}
            added, same, revised, done = self._write(folder, stored, bars, seen, done)
        hours = self._expected and self._expected(symbol)
        return MergeResult(
            added, same, revised, seen, lambda: holes(_around(done, stored, bars.index), timeframe, hours)
        )

    def present(self, provider: str, symbol: str, timeframe: str, clock: Callable[[], Any]) -> pd.Timestamp:
        """The present, such that every bar stored by now carries it or an earlier moment.

        The clock is read while no one else writes the series: a bar that another process is about to store carries a
        later moment. A clock that was set back does not go behind the newest bar's.
        """
        folder = self.folder(provider, symbol, timeframe)
        if not folder.exists():
            return moment(clock())
        with locked(folder):
            newest = (manifest_of(folder) or {}).get("fetched_at")
            return moment(clock()) if newest is None else max(moment(clock()), pd.Timestamp(newest))

    def record_request(self, provider: str, symbol: str, timeframe: str, start: Any) -> None:
        "Record how far back the provider was asked, so that what it does not have is requested once."
        folder, start = self.folder(provider, symbol, timeframe), moment(start)
        with locked(folder):
            done = manifest_of(folder)
            if done and (("asked_from" not in done) or start < pd.Timestamp(done["asked_from"])):
                save_manifest(folder, {**done, "asked_from": start.isoformat()})

    def end_damage(self, provider: str, symbol: str, timeframe: str) -> list[str]:  # sentences
        "Damaged months have been requested again: what there is of them now is what is read from here on."
        folder, sentences = self.folder(provider, symbol, timeframe), []
        with locked(folder):
            done = manifest_of(folder)
            for month, lost in ((done or {}).pop("damaged", None) or {}).items():
                entry = done["months"].get(month, {"n": 0, "fingerprint": ""})
                same = entry["fingerprint"] == lost.get("fingerprint")
                what = "the same" if same else f"{lost['n']} before" if "n" in lost else "their number before unknown"
                sentences.append(f"{month} had been damaged and was fetched again: {entry['n']} candles, {what}.")
            if sentences:
                save_manifest(folder, done)
        return sentences

    def _write(self, folder, stored, bars, seen, done) -> tuple[int, int, pd.DataFrame, dict[str, Any]]:
        "Revisions first, then the months, then the manifest: a crash between loses no value and no trace."
        whole = pd.concat(stored.values())
        have = bars.index.isin(whole.index)
        again, new = bars[have], bars[~have].assign(**{FETCHED: seen.value})
        log = read_log(folder)
        last_values = last_values_of(whole.loc[again.index, list(COLUMNS)], log)
        differs = (last_values.to_numpy() != again.to_numpy()).any(axis=1)
        revised = revision_rows(last_values[differs], again[differs], seen)
        if len(new) or len(revised):
            (folder / UNSURE).touch()  # a crash from here on is seen by the next reader
        if len(revised):
            append_revisions(folder / "revisions.jsonl", revised)
        for month, part in by_month(new):
            full = pd.concat([stored[month], part]).sort_index() if len(stored[month]) else part
            done["months"][month] = write_month(folder / f"{month}.parquet", full)
        if len(new) or len(revised):
            done = summed(done, seen, len(log) + len(revised))
            save_manifest(folder, done)
            (folder / UNSURE).unlink(missing_ok=True)
        return len(new), int((~differs).sum()), revised, done


def _around(done: dict[str, Any], stored: dict[str, pd.DataFrame], times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    "The stored open times from the bar before `times` to the bar after them."
    ends = [pd.Timestamp(entry[side]) for entry in done["months"].values() for side in ("first", "last")]
    index = pd.concat([*stored.values(), pd.DataFrame(index=times)]).index.union(pd.DatetimeIndex(ends)).unique()
    return index[max(0, index.searchsorted(times[0]) - 1) : index.searchsorted(times[-1]) + 2]


def _seen(fetched, as_of) -> np.ndarray:
    "Which rows had been fetched by then."
    values = fetched.to_numpy() if fetched.dtype == np.int64 else pd.DatetimeIndex(fetched).as_unit("ns").asi8
    return np.ones(len(values), bool) if as_of is None else values <= moment(as_of).value
