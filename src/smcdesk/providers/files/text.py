"""The bytes of a file: found, unpacked from .gz or .zip, and decoded."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path

from smcdesk.providers.files.budget import DEFAULT, TEXT_COPIES, Budget
from smcdesk.providers.files.errors import BadFile
from smclab.candles import nearest

TEXT, PARQUET, FEATHER = (".csv", ".txt", ".tsv"), (".parquet", ".pq"), (".feather", ".ft")
JSON, ZIP = (".json", ".jsonl"), (".zip",)
ENDINGS = (*TEXT, *PARQUET, *FEATHER, *JSON, *ZIP)


def existing(
    path: Path,  # of any kind
    endings: tuple[str, ...] = ENDINGS,  # the kinds that can be read
) -> Path:  # the same
    "The path, when it is a non-empty file of a known kind."
    if not path.exists():
        folder = path.parent
        if not folder.is_dir():
            raise BadFile(f"there is no file {path}: the folder {folder} does not exist")
        names = sorted(p.name for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
        raise BadFile(f"there is no file {path.name} in {folder}{nearest(path.name, names)}")
    if path.is_dir():
        names = sorted(p.name for p in path.iterdir() if ending(p) in endings)
        held = f"it holds {', '.join(names[:5])}" if names else "it holds none"
        raise BadFile(f"{path} is a folder: expected one file of candles; {held}")
    if ending(path) not in endings:
        raise BadFile(
            f"{path.name}: expected a file ending in {' '.join(endings)} (text also with .gz), found "
            f"{path.suffix or 'no ending'!r}{nearest(ending(path), endings)}"
        )
    if path.stat().st_size == 0:
        raise BadFile(f"{path.name} is empty: expected a header line and candles")
    return path


def ending(path: Path) -> str:
    "The lower-case ending without .gz."
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def read_text(path: Path, budget: Budget = DEFAULT) -> tuple[str, str]:
    "The decoded text of a file, unpacked where it is packed, and the ending of what was packed."
    kind, most = ending(path), budget.text_max
    if path.suffix.lower() == ".gz":
        try:
            with gzip.open(path) as packed:
                raw = packed.read(most + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise BadFile(f"{path.name} ends in .gz but cannot be unpacked: {error}") from error
    elif kind in ZIP:
        raw, kind = _from_zip(path, budget)
    else:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    if len(raw) > most:
        raise budget.refusal(path.name, f"more than {most / 1e6:,.0f} MB of text", budget.max_gb * 1e9)
    budget.check_text(path.name, raw, kind in JSON)
    utf16 = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = raw.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(f"{path.name} is not text: expected UTF-8 or UTF-16, failed at byte {error.start}") from error
    if "\0" in text:
        raise BadFile(f"{path.name} is not text: byte {text.index(chr(0))} is zero")
    if not text.strip():
        raise BadFile(f"{path.name} is empty: expected a header line and candles")
    return (text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text), kind


def _from_zip(path: Path, budget: Budget) -> tuple[bytes, str]:
    "The bytes and ending of the one file of candles in a zip; a report beside it (HistData's .txt) is passed over."
    try:
        with zipfile.ZipFile(path) as packed:
            inside = [i for i in packed.infolist() if not i.is_dir() and not i.filename.startswith(("__MACOSX", "."))]
            for kinds in ((".csv",), (".txt", ".tsv"), JSON):
                if found := [i for i in inside if ending(Path(i.filename)) in kinds and not i.filename.endswith(".gz")]:
                    break
            if len(found) != 1:
                names = ", ".join(i.filename for i in (found or inside)[:4]) or "nothing"
                raise BadFile(
                    f"{path.name}: expected a zip of one CSV, found {len(found)} ({names}); unpack it and read one file"
                )
            if found[0].file_size > budget.text_max:
                raise budget.refusal(
                    path.name, f"{found[0].file_size / 1e6:,.0f} MB of text", found[0].file_size * TEXT_COPIES
                )
            with packed.open(found[0]) as text:  # a zip may state less than it holds
                return text.read(budget.text_max + 1), ending(Path(found[0].filename))
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError) as error:
        raise BadFile(f"{path.name} ends in .zip but cannot be unpacked: {error}") from error
