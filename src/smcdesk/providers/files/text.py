"""The cells of a file: found, unpacked, decoded, and parted by separator and header."""

from __future__ import annotations

import gzip
import io
import re
import warnings
import zlib
from pathlib import Path

import pandas as pd

from smcdesk.providers.files.columns import SPELLINGS, plain_name
from smcdesk.providers.files.errors import BadFile
from smclab.candles import nearest

TEXT, PARQUET = (".csv", ".txt", ".tsv"), (".parquet", ".pq")
ENDINGS = (*TEXT, *PARQUET)
KLINES = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count",
    "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
MT4 = ("date", "time", "open", "high", "low", "close", "volume")


def existing(path: Path) -> Path:
    "The path, when it is a non-empty file of a known kind."
    if not path.exists():
        folder = path.parent
        if not folder.is_dir():
            raise BadFile(f"there is no file {path}: the folder {folder} does not exist")
        names = sorted(p.name for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
        raise BadFile(f"there is no file {path.name} in {folder}{nearest(path.name, names)}")
    if path.is_dir():
        names = sorted(p.name for p in path.iterdir() if ending(p) in ENDINGS)
        held = f"it holds {', '.join(names[:5])}" if names else "it holds none"
        raise BadFile(f"{path} is a folder: expected one file of candles; {held}")
    if ending(path) not in ENDINGS:
        raise BadFile(
            f"{path.name}: expected a file ending in {' '.join(ENDINGS)} (text also with .gz), found "
            f"{path.suffix or 'no ending'!r}{nearest(ending(path), ENDINGS)}"
        )
    if path.stat().st_size == 0:
        raise BadFile(f"{path.name} is empty: expected a header line and candles")
    return path


def cells(path: Path) -> pd.DataFrame:
    "The cells of a parquet or text file under the columns' names as written."
    return parquet_cells(path) if ending(path) in PARQUET else csv_cells(path)


def ending(path: Path) -> str:
    "The lower-case ending without .gz."
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def parquet_cells(path: Path) -> pd.DataFrame:
    "The columns of a parquet file, a time index among them."
    try:
        table = pd.read_parquet(path)
    except Exception as error:  # pyarrow raises many kinds
        raise BadFile(f"{path.name} cannot be read as parquet: {str(error).splitlines()[0]}") from error
    if isinstance(table.index, pd.RangeIndex):
        return table
    name = table.index.name or "time"
    return table.reset_index(drop=name in table.columns, names=name)


def _text(path: Path) -> str:
    "The decoded text of a file, unpacked when it ends in .gz."
    raw = path.read_bytes()
    if path.suffix.lower() == ".gz":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise BadFile(f"{path.name} ends in .gz but cannot be unpacked: {error}") from error
    utf16 = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = raw.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(f"{path.name} is not text: expected UTF-8 or UTF-16, failed at byte {error.start}") from error
    if "\0" in text:
        raise BadFile(f"{path.name} is not text: byte {text.index(chr(0))} is zero")
    if not text.strip():
        raise BadFile(f"{path.name} is empty: expected a header line and candles")
    return text


def csv_cells(path: Path) -> pd.DataFrame:
    "The cells of a text file, by separator and header found."
    text = _one_header(_text(path), path.name)
    lines = [line for line in text.split("\n", 50) if line.strip()]
    separator = max("\t;,", key=lines[0].count)
    cells = [cell.strip().strip('"') for cell in lines[0].split(separator)]
    names = None
    if not {plain_name(cell) for cell in cells} & {word for words in SPELLINGS.values() for word in words}:
        names = _headerless(path.name, cells)
    sample = (lines[1:] or lines)[0]
    decimal = "," if separator != "," and re.search(r"\d,\d", sample) else "."
    written = {head: str for head in names or cells if plain_name(head) in SPELLINGS["time"]}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                header=None if names else 0,
                names=names,
                decimal=decimal,
                dtype=written,
                skipinitialspace=True,
                index_col=False,
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning, ValueError) as error:
        reason = str(error).strip().splitlines()[-1].removeprefix("Error tokenizing data. C error: ")
        raise BadFile(f"{path.name} cannot be read as a table separated by {separator!r}: {reason}") from error
    if not len(table):
        raise BadFile(f"{path.name} has a header line but no candles")
    return table


def _one_header(text: str, where: str) -> str:
    "The text with one header line, where yfinance has written three (Price, Ticker, Date)."
    lines = text.split("\n", 3)
    if len(lines) < 4 or not (lines[0].startswith("Price,") and lines[1].startswith("Ticker,")):
        return text
    tickers = sorted(set(lines[1].strip().split(",")[1:]))
    if len(tickers) > 1:
        raise BadFile(f"{where} holds {len(tickers)} tickers ({', '.join(tickers[:6])}): save one by itself")
    return lines[0].replace("Price", lines[2].split(",")[0], 1) + "\n" + lines[3]


def _headerless(where: str, cells: list[str]) -> tuple[str, ...]:
    "Column names for a file that has no header line, where its shape gives them away."
    if not re.match(r"\d", cells[0]):
        raise BadFile(
            f"{where}: no known column in the first line ({', '.join(cells[:6])}); expected a header such as "
            "time,open,high,low,close,volume"
        )
    if len(cells) == len(KLINES):
        return KLINES
    if len(cells) == len(MT4) and re.fullmatch(r"\d{1,2}:\d\d(:\d\d)?", cells[1]):
        return MT4
    raise BadFile(
        f"{where}: no header line, and {len(cells)} columns are neither Binance's {len(KLINES)} nor MT4's {len(MT4)}; "
        "put a line such as time,open,high,low,close,volume on top"
    )
