"""Bring a series of the history up to date: what is missing at its ends, and on request the holes inside."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from smcdesk.marketdata.history import CandleHistory
from smcdesk.marketdata.months import DamagedFile
from smcdesk.providers.protocol import Clock, Provider, ProviderRefused, moment, now
from smclab.candles import BadConfig, timeframe_ns

CHUNK_BARS = 2000  # requested and stored together: what an interruption can cost
AGAIN_BARS = 3  # of the stored end, requested again: a provider may have corrected them
DAMAGES = 1000  # files found damaged in one fetch
UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks", "mo": "months", "y": "years"}


@dataclass(frozen=True, eq=False)
class SyncResult:
    "What a fetch brought."

    added_n: int  # bars
    revised_n: int  # bars with other values than before
    gaps: pd.DataFrame  # the holes that are left: start, end, missing_bars
    manifest: dict[str, Any]
    notes: tuple[str, ...]  # sentences


def since(
    text: str,  # 6mo, 90d, 2w, 1y, 12h, 30min, or a date such as 2024-03-08
    present: pd.Timestamp,
) -> pd.Timestamp:
    "The moment a span began."
    if found := re.fullmatch(r"\s*(\d+)\s*(min|h|d|w|mo|y)\s*", text.lower()):
        try:
            return present - pd.DateOffset(**{UNITS[found[2]]: int(found[1])})
        except (OverflowError, ValueError):
            raise BadConfig(f"--since {text!r}: that is before any market") from None
    if found := re.fullmatch(r"\s*(\d+)\s*m\s*", text.lower()):
        raise BadConfig(f"--since {text!r}: months or minutes? say {found[1]}mo or {found[1]}min")
    try:
        return moment(text)
    except BadConfig as error:
        raise BadConfig(f"--since: expected a span such as 6mo, 90d, 2w, 1y, 12h, or a date; {error}") from None


def sync_history(
    provider: Provider,
    symbol: str,
    timeframe: str,
    start: pd.Timestamp,  # how far back
    *,
    history: CandleHistory,
    backfill: bool = False,  # True: ask for the holes inside too
    clock: Clock | None = None,
    step_done: Callable[[float], None] | None = None,  # called with the share done, 0..1
) -> SyncResult:
    """Request what is not stored yet, in portions that are stored at once.

    Months whose files are damaged are moved away and requested again.
    """
    clock, notes = clock or now, []
    for _ in range(DAMAGES):
        try:
            notes += refetch_damaged(provider, symbol, timeframe, history=history, clock=clock)
            done = _synced(provider, symbol, timeframe, start, history, backfill, clock, step_done)
            return replace(done, notes=(*notes, *done.notes))
        except DamagedFile as error:
            notes.append(f"{error}.")
    raise DamagedFile(f"{history.folder(provider.name, symbol, timeframe)}: its files are damaged as fast as fetched")


def refetch_damaged(
    provider: Provider,
    symbol: str,
    timeframe: str,
    *,
    history: CandleHistory,
    clock: Clock,
) -> list[str]:  # a sentence for each month
    "Request the candles of months whose files were damaged and moved away."
    key, step = (provider.name, symbol, timeframe), pd.Timedelta(timeframe_ns(timeframe), "ns")
    spans, present = history.damaged_spans(*key), moment(clock())
    for start, end in spans.values():
        for a, b in _chunks(start, min(end, present), step):
            history.merge(*key, provider.history(symbol, timeframe, a, b), clock)
    return history.end_damage(*key) if spans else []


def _synced(provider, symbol, timeframe, start, history, backfill, clock, step_done) -> SyncResult:
    "What a fetch brings where no file is damaged."
    key, present = (provider.name, symbol, timeframe), moment(clock())
    before = history.manifest(*key)
    spans = _spans(history, key, start, present, backfill)
    chunks = [chunk for span in spans for chunk in span]
    added = revised = 0
    for n, (a, b) in enumerate(chunks, start=1):
        done = history.merge(*key, provider.history(symbol, timeframe, a, b), clock)
        added, revised = added + done.added_n, revised + len(done.revised)
        if step_done:
            step_done(n / len(chunks))
    manifest = history.manifest(*key)
    if not manifest["n"]:
        raise ProviderRefused(
            f"{provider.name} gave no {timeframe} candles of {symbol!r} since {start:%Y-%m-%d}: it does not know the "
            "symbol, or nothing was traded"
        )
    history.record_request(*key, start)
    notes = []
    first = pd.Timestamp(manifest["first"])
    if first > start + pd.Timedelta(days=4) and start < pd.Timestamp(before.get("asked_from", present)):
        notes.append(f"{provider.name} has nothing before {first:%Y-%m-%d %H:%M}Z.")
    return SyncResult(added, revised, history.gaps(*key, max(start, first)), manifest, tuple(notes))


def _spans(history: CandleHistory, key: tuple[str, str, str], start, present, backfill) -> list[list[tuple]]:
    "What to ask for, in chunks: the end, the beginning, and the holes."
    step = pd.Timedelta(timeframe_ns(key[2]), "ns")
    manifest = history.manifest(*key)
    if not manifest["n"]:
        return [_chunks(start, present, step)]
    first, last = pd.Timestamp(manifest["first"]), pd.Timestamp(manifest["last"])
    spans = [_chunks(max(start, last - (AGAIN_BARS - 1) * step), present, step)]
    if start < first and (backfill or start < pd.Timestamp(manifest.get("asked_from", first))):
        spans.append(_chunks(start, first, step)[::-1])  # backwards: what is stored stays in one piece
    if backfill:
        holes = history.gaps(*key, start)
        near = (holes["start"] - holes["end"].shift()) > CHUNK_BARS * step / 4
        for _, run in holes.groupby(near.cumsum()):
            spans.append(_chunks(run["start"].iloc[0], run["end"].iloc[-1] + step, step))
    return spans


def _chunks(start, end, step) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    "A span in portions."
    size, out = CHUNK_BARS * step, []
    while start < end:
        out.append((start, min(start + size, end)))
        start = start + size
    return out
