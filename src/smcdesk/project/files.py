"""Whole files or none: everything the Desk writes by itself goes through here."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

STALE_S = 86_400  # age of a temporary file whose write must have been killed
_LEFT = re.compile(r"\..+\.(part|old)-[a-z0-9_]{8}(\..+)?")
_AT_CWD, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux


def _sync(path: Path) -> None:
    "Ask the system to put `path` (a file or a folder) on the disk."
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def atomic_file(
    path: Path | str,  # where the file shall be
) -> Iterator[Path]:  # a temporary path beside it, to be written by the caller
    "Write a file completely or not at all: temporary name, flush to disk, rename."
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.part-", suffix=path.suffix)
    os.close(number)
    part = Path(name)
    try:
        _clean(path.parent, part)
        yield part
        part.chmod(0o666 & ~_umask())
        _sync(part)
        os.replace(part, path)
        _sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(
    path: Path | str,  # where the folder shall be
) -> Iterator[Path]:  # an empty temporary folder beside it, to be filled by the caller
    """Fill a folder completely or not at all; the one that was there is replaced.

    On Linux the two are exchanged in one step: there is no moment without the old or the new one. Where the system
    cannot do that, the old one has another name for a moment, and `recover_folder` gives it its own back.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    recover_folder(path)
    part = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.part-"))
    old = part.with_name(part.name.replace(".part-", ".old-"))
    try:
        _clean(path.parent, part)
        yield part
        part.chmod(0o777 & ~_umask())
        for file in part.iterdir():
            _sync(file)
        _sync(part)
        if not path.exists():
            os.replace(part, path)
        elif not _exchange(part, path):
            os.replace(path, old)
            os.replace(part, path)
        _sync(path.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)


def recover_folder(path: Path) -> bool:  # whether there was something to recover
    "Give a folder its name back where a write was killed while it had another one; to be called before it is read."
    if path.exists() or not path.parent.exists():
        return False
    names = re.compile(re.escape(f".{path.name}.old-") + r"[a-z0-9_]{8}")
    old = [p for p in path.parent.iterdir() if names.fullmatch(p.name)]
    if not old:
        return False
    os.replace(max(old, key=lambda p: p.stat().st_mtime_ns), path)
    return True


def _exchange(a: Path, b: Path) -> bool:  # False: the system cannot
    "Exchange two folders' names in one step."
    if not sys.platform.startswith("linux"):
        return False
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return call(_AT_CWD, os.fsencode(a.absolute()), _AT_CWD, os.fsencode(b.absolute()), _EXCHANGE) == 0


def _clean(folder: Path, part: Path) -> None:
    "Remove what writes left in a folder that were killed more than `STALE_S` before this one began."
    present = part.stat().st_mtime
    for path in list(folder.iterdir()):
        if _LEFT.fullmatch(path.name) is None:
            continue
        try:
            if present - path.stat().st_mtime > STALE_S:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError:  # somebody else's, or gone meanwhile: this write goes on
            continue


def write_text(path: Path | str, text: str) -> Path:
    "Write a text file whole."
    with atomic_file(path) as part:
        part.write_text(text, encoding="utf-8")
    return Path(path)


def set_aside(
    path: Path,
    at: datetime,
) -> Path:  # where it is now
    "Rename a damaged file to `<name>.damaged-<moment>`, so that nobody reads it and it can be looked at."
    stamp = f"{at:%Y%m%dT%H%M%S%f}Z"
    moved = path.with_name(f"{path.name}.damaged-{stamp}")
    os.replace(path, moved)
    _sync(path.parent)
    return moved


def _umask() -> int:
    "The process's file mode mask."
    mask = os.umask(0)
    os.umask(mask)
    return mask
