"""What a series' folder holds, as manifest.json says it: counted from the months, and not believed when it cannot be.

A manifest carries a checksum of itself, and its figures must agree with each other: one that fails either is damaged.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from smcdesk.marketdata.months import DamagedFile, month_span
from smcdesk.project.files import write_text

MANIFEST = "manifest.json"
CHECKSUM = "checksum"
WORDS = {
    "provider", "symbol", "timeframe", "n", "revisions", "months", "first", "last", "fingerprint", "fetched_at",
    "asked_from", "damaged", CHECKSUM,
}  # fmt: skip


def blank_manifest(key: tuple[str, str, str]) -> dict[str, Any]:
    "The manifest of a series that has no candles."
    return {**dict(zip(("provider", "symbol", "timeframe"), key, strict=True)), "n": 0, "revisions": 0, "months": {}}


def summed(
    done: dict[str, Any],
    fetched_at: pd.Timestamp,  # of the newest candle
    revisions: int,  # lines of their log
) -> dict[str, Any]:
    "The manifest with the figures of the whole."
    months = {name: done["months"][name] for name in sorted(done["months"])}
    entries = list(months.values())
    rest = {k: v for k, v in done.items() if k not in ("first", "last", "fingerprint", "fetched_at")}
    if not entries:
        return {**rest, "n": 0, "revisions": revisions, "months": {}}
    return {
        **rest, "n": sum(entry["n"] for entry in entries), "first": entries[0]["first"], "last": entries[-1]["last"],
        "fingerprint": _of_all(months), "fetched_at": fetched_at.isoformat(), "revisions": revisions, "months": months,
    }  # fmt: skip


def save_manifest(folder: Path, done: dict[str, Any]) -> None:
    "Write a manifest whole, with its checksum."
    plain = {k: v for k, v in done.items() if k != CHECKSUM}
    write_text(folder / MANIFEST, json.dumps({**plain, CHECKSUM: _checksum(plain)}, indent=1))


def load_manifest(
    folder: Path,
    key: tuple[str, str, str],  # whose it must be
) -> dict[str, Any] | None:  # without its checksum; None where there is none
    "A manifest as it was written, or `DamagedFile`."
    path = folder / MANIFEST
    try:
        s = path.stat()
        done = _loaded(path, key, (s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns))
    except FileNotFoundError:
        return None
    return {**done, "months": dict(done["months"])}


@lru_cache(maxsize=4096)
def _loaded(path: Path, key: tuple[str, str, str], _stat: tuple[int, ...]) -> dict[str, Any]:
    "A manifest, read and checked once for each state of its file."
    try:
        done = json.loads(path.read_bytes().decode())
        wrong = _problem(done, key)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        wrong = f"it cannot be read, {type(error).__name__}"
    if wrong:
        raise DamagedFile(f"{path} is damaged ({wrong})")
    return {k: v for k, v in done.items() if k != CHECKSUM}


def _problem(done: dict[str, Any], key: tuple[str, str, str]) -> str:
    "What a manifest says that cannot be; empty where nothing."
    months, entries = done["months"], [done["months"][name] for name in sorted(done["months"])]
    if unknown := set(done) - WORDS:
        return f"it has no field {sorted(unknown)[0]!r}"
    if tuple(done[k] for k in ("provider", "symbol", "timeframe")) != key:
        return f"it is of {'/'.join(str(done[k]) for k in ('provider', 'symbol', 'timeframe'))}"
    for name, entry in months.items():
        start, end = month_span(name)
        if not start <= pd.Timestamp(entry["first"]) <= pd.Timestamp(entry["last"]) < end or entry["n"] < 1:
            return f"month {name} holds {entry['n']} candles from {entry['first']} to {entry['last']}"
    if done["n"] != sum(entry["n"] for entry in entries) or done["revisions"] < 0:
        return f"{done['n']} candles in all are not those of its months"
    if entries:
        ends = (entries[0]["first"], entries[-1]["last"])
        if (done["first"], done["last"]) != ends:
            return f"candles from {done['first']} to {done['last']}, its months' are from {ends[0]} to {ends[1]}"
        if pd.Timestamp(done["fetched_at"]) < pd.Timestamp(done["last"]):
            return f"fetched at {done['fetched_at']}, before its last candle {done['last']}"
        if done["fingerprint"] != _of_all(months):
            return "its fingerprint is not that of its months"
    plain = {k: v for k, v in done.items() if k != CHECKSUM}
    if done.get(CHECKSUM, _checksum(plain)) != _checksum(plain):
        return "its checksum does not match"
    return ""


def _of_all(months: dict[str, dict[str, Any]]) -> str:
    "The fingerprint of the months' fingerprints."
    text = "".join(months[name]["fingerprint"] for name in sorted(months))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _checksum(plain: dict[str, Any]) -> str:
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
