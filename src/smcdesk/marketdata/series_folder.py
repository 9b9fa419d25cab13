"""A series' folder: its lock, its months and its manifest, read with every check, mended where one fails.

Whatever is damaged is renamed to `<name>.damaged-<moment>`, and one `DamagedFile` says which file and what to do.
Nothing is moved before the lock of the series is had and the check has failed again: another process may be writing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pandas as pd
from filelock import FileLock, Timeout

from smcdesk.marketdata.manifests import MANIFEST, blank_manifest, load_manifest, save_manifest, summed
from smcdesk.marketdata.months import DamagedFile, last_fetched, month_names, no_month, read_month, recounted
from smcdesk.marketdata.revisions import intact_lines, read_revisions
from smcdesk.project.files import atomic_file, set_aside
from smcdesk.providers.protocol import ProviderDown, now
from smclab.candles import BadBars

UNSURE = ".unsure"  # stands beside the months while they may hold more than the manifest
LOCK_WAIT_S = 60

_held = threading.local()  # the series this thread is writing


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    "Nobody else writes this series meanwhile; within a block of the same thread it is granted at once."
    held = _held.__dict__.setdefault("folders", set())
    if folder in held:
        yield
        return
    try:
        with FileLock(folder / ".lock", timeout=LOCK_WAIT_S):
            held.add(folder)
            try:
                yield
            finally:
                held.discard(folder)
    except Timeout as error:
        raise ProviderDown(f"{folder} is being written by another process since {LOCK_WAIT_S} s: try again") from error


def escaped(name: str) -> str:
    "A name as one folder of it: letters, digits, dot, dash and underscore stay."
    if not name or set(name) <= {"."}:
        raise BadBars(f"{name!r} cannot name a series of candles")
    return quote(name, safe="")


def key_of(folder: Path) -> tuple[str, str, str]:
    "Provider, symbol and timeframe of a folder."
    return tuple(unquote(part) for part in folder.parts[-3:])


def months_of(folder: Path) -> list[str]:
    "The months that hold candles, or held them before they were damaged, in order."
    return sorted({*month_names(folder), *(manifest_of(folder) or {}).get("damaged", {})})


def read_verified(folder: Path, month: str) -> pd.DataFrame:
    "A month as it was written, fetched_at among its columns; a damaged one is moved away and refused."
    path, done = folder / f"{month}.parquet", manifest_of(folder) or {}
    held = folder in _held.__dict__.get("folders", ())
    if month in done.get("damaged", {}) and not held:
        raise DamagedFile(f"{month} of {folder} was damaged and moved away: {_cure(folder)} gets its candles again")
    entry = done.get("months", {}).get(month)
    if entry is None and not path.exists():
        return no_month()
    try:
        return read_month(path, entry)
    except DamagedFile:  # or another process was writing it just now
        with _lock_to_mend(folder):
            entry = (manifest_of(folder) or {}).get("months", {}).get(month)
            try:
                return read_month(path, entry) if entry else no_month()
            except DamagedFile as error:
                raise _without(folder, month, error) from error


def _without(folder: Path, month: str, error: DamagedFile) -> DamagedFile:
    "Move a damaged month away; the error says where to, and what to do."
    path, done = folder / f"{month}.parquet", manifest_of(folder)
    moved = set_aside(path, now()) if path.exists() else None
    lost = done["months"].pop(month)
    done["damaged"] = {**done.get("damaged", {}), month: lost}
    save_manifest(folder, summed(done, pd.Timestamp(done["fetched_at"]), done["revisions"]))
    where = f"moved to {moved.name}" if moved else "it is gone"
    return DamagedFile(f"{error}; {where}: {_cure(folder)} gets its candles again")


def read_log(folder: Path) -> pd.DataFrame:
    "The log of revisions; of a damaged one the lines that are as they were written are left."
    at_least = (manifest_of(folder) or {}).get("revisions", 0)
    try:
        return read_revisions(folder, at_least)
    except DamagedFile:
        with _lock_to_mend(folder):
            done, path = manifest_of(folder), folder / "revisions.jsonl"
            try:
                return read_revisions(folder, done["revisions"])
            except DamagedFile as error:
                lines = intact_lines(path)
                moved = set_aside(path, now()) if path.exists() else None
                with atomic_file(path) as part:
                    part.write_bytes(b"".join(lines))
                save_manifest(folder, {**done, "revisions": len(lines)})
                where = f"moved to {moved.name}" if moved else "it is gone"
                raise DamagedFile(
                    f"{error}; {where}, its {len(lines)} intact lines stay: try again, the candles as first fetched "
                    "are whole"
                ) from error


@contextmanager
def _lock_to_mend(folder: Path) -> Iterator[None]:
    "The series' lock for moving a damaged file; one sentence where the folder cannot be written."
    try:
        with locked(folder):
            yield
    except OSError as error:
        if isinstance(error, ProviderDown):
            raise
        raise DamagedFile(f"{folder} holds a damaged file and cannot be written ({error.strerror})") from error


def _cure(folder: Path) -> str:
    "The command that fetches a series."
    provider, symbol, timeframe = key_of(folder)
    return f"smcdesk fetch {symbol} --provider {provider} --timeframe {timeframe}"


def manifest_of(folder: Path) -> dict[str, Any] | None:
    "The manifest; where a crash left it behind the months, or it is gone, it is counted again from them."
    if not (folder / UNSURE).exists():
        try:
            done = load_manifest(folder, key_of(folder))
        except DamagedFile:
            with _lock_to_mend(folder):
                try:
                    return load_manifest(folder, key_of(folder))
                except DamagedFile as error:
                    moved = set_aside(folder / MANIFEST, now())
                    raise DamagedFile(
                        f"{error}; moved to {moved.name}: try again, it is counted anew from the stored candles"
                    ) from error
        if done is not None:
            return done
    if not folder.exists() or not (_files_of_months(folder) or (folder / MANIFEST).exists()):
        return None
    with _lock_to_mend(folder):
        return _counted(folder)


def _counted(folder: Path) -> dict[str, Any]:
    "The manifest, counted from the months, each of which has to prove itself."
    try:
        before = load_manifest(folder, key_of(folder))
    except DamagedFile:
        before = None
    if before is not None and not (folder / UNSURE).exists():
        return before  # another process counted meanwhile
    done, names = before or blank_manifest(key_of(folder)), month_names(folder)
    entries = {}
    for month in names:
        path = folder / f"{month}.parquet"
        try:
            entries[month] = recounted(path)
        except DamagedFile as error:
            moved = set_aside(path, now())
            raise DamagedFile(f"{error}; moved to {moved.name}: {_cure(folder)} gets its candles again") from error
    lost = {**{m: {} for m in _files_of_months(folder) if m not in names}, **done.get("damaged", {})}
    lost |= {m: entry for m, entry in done["months"].items() if m not in names}
    done = {**done, "months": entries, **({"damaged": lost} if lost else {})}
    seen = max((last_fetched(folder / f"{m}.parquet") for m in names), default=0)
    lines = intact_lines(folder / "revisions.jsonl")
    done = summed(done, pd.Timestamp(seen, tz="UTC"), len(lines))
    save_manifest(folder, done)
    (folder / UNSURE).unlink(missing_ok=True)
    return done


def _files_of_months(folder: Path) -> set[str]:
    "The months there are files of, those moved away included."
    return {path.name[:7] for path in folder.glob("[0-9]*-[0-9]*.parquet*")}
