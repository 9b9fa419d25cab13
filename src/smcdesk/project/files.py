"""Whole files or none: everything the Desk writes by itself goes through here."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path


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
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(number)
    part = Path(name)
    try:
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
    "Fill a folder completely or not at all; the one that was there is replaced."
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    old = part.with_name(part.name + ".old")
    try:
        yield part
        part.chmod(0o777 & ~_umask())
        for file in part.iterdir():
            _sync(file)
        if path.exists():
            os.replace(path, old)
        os.replace(part, path)
        _sync(path.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


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
