"""Candles from a file: CSV in the common spellings, or parquet, with every assumption said aloud.

`read_file` gives the bars and the notes. A note is a sentence about something the file did not say itself: which column
was dropped, how a date was read, what clock the times were taken to be. A file that cannot be read without guessing is
refused in one sentence (`BadFile`).
"""

from __future__ import annotations

import gzip
import io
import re
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from smcdesk.providers.clocks import CLOCKS, clock_parts, weekly_clock
from smcdesk.providers.protocol import BaseProvider, Clock, ProviderDeps, ProviderRefused, ProviderSettings
from smclab.candles import BadBars, BadConfig, check, infer_timeframe, nearest, resample, timeframe_ns
from smclab.instruments import SYMBOLS, instrument

TEXT, PARQUET = (".csv", ".txt", ".tsv"), (".parquet", ".pq")
ENDINGS = (*TEXT, *PARQUET)

# A spelling is what is left of a column's name without case, brackets, spaces and punctuation; the first found is used.
SPELLINGS = {
    "time": ("opentime", "datetime", "timestamp", "ts", "gmttime", "localtime", "time", "date", "unix", "unixtime"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v", "realvolume"),
    "tick_volume": ("tickvol", "tickvolume"),
    "spread": ("spread",),
    "symbol": ("symbol", "ticker", "pair"),
}
KLINES = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count",
    "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
MT4 = ("date", "time", "open", "high", "low", "close", "volume")
CURRENCIES = "AUD|CAD|CHF|CNH|CZK|DKK|EUR|GBP|HKD|HUF|JPY|MXN|NOK|NZD|PLN|SEK|SGD|TRY|USD|ZAR|XAU|XAG|XPT|XPD"


class BadFile(BadBars):
    "A file that cannot be read as candles: the sentence says what to change."


# --- the file


def _existing(path: Path) -> Path:
    "The path, when it is a non-empty file of a known kind."
    if not path.exists():
        folder = path.parent
        if not folder.is_dir():
            raise BadFile(f"there is no file {path}: the folder {folder} does not exist")
        names = sorted(p.name for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
        raise BadFile(f"there is no file {path.name} in {folder}{nearest(path.name, names)}")
    if path.is_dir():
        names = sorted(p.name for p in path.iterdir() if _ending(p) in ENDINGS)
        held = f"it holds {', '.join(names[:5])}" if names else "it holds none"
        raise BadFile(f"{path} is a folder: expected one file of candles; {held}")
    if _ending(path) not in ENDINGS:
        raise BadFile(
            f"{path.name}: expected a file ending in {' '.join(ENDINGS)} (text also with .gz), found "
            f"{path.suffix or 'no ending'!r}{nearest(_ending(path), ENDINGS)}"
        )
    if path.stat().st_size == 0:
        raise BadFile(f"{path.name} is empty: expected a header line and candles")
    return path


def _ending(path: Path) -> str:
    "The lower-case ending without .gz."
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def _parquet(path: Path) -> pd.DataFrame:
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


def _plain(name) -> str:
    "A column's name without case, brackets, spaces and punctuation."
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def _csv(path: Path) -> pd.DataFrame:
    "The cells of a text file, by separator and header found."
    text = _one_header(_text(path), path.name)
    lines = [line for line in text.split("\n", 50) if line.strip()]
    separator = max("\t;,", key=lines[0].count)
    cells = [cell.strip().strip('"') for cell in lines[0].split(separator)]
    names = None
    if not {_plain(cell) for cell in cells} & {word for words in SPELLINGS.values() for word in words}:
        names = _headerless(path.name, cells)
    sample = (lines[1:] or lines)[0]
    decimal = "," if separator != "," and re.search(r"\d,\d", sample) else "."
    written = {head: str for head in names or cells if _plain(head) in SPELLINGS["time"]}
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


# --- the columns


def _columns(table: pd.DataFrame, where: str, symbol: str | None) -> tuple[pd.Series, pd.DataFrame, list[str]]:
    "The times as written, the numbers under smclab's names, and what was dropped."
    names: dict[str, list] = {}
    for column in table.columns:
        names.setdefault(_plain(column), []).append(column)
    found = {word: next((names[s][0] for s in spellings if s in names), None) for word, spellings in SPELLINGS.items()}
    found["volume"] = found["volume"] or next((names[s][0] for s in names if s.startswith("volume")), None)
    found = {word: column for word, column in found.items() if column is not None}
    for word in ("time", "open", "high", "low", "close"):
        if word not in found:
            near = nearest(word, [c for c in table.columns if c not in found.values()])
            raise BadFile(f"{where}: no column for {word!r}; found {', '.join(map(str, table.columns))}{near}")
    notes, used = [], set(found.values())
    if "symbol" in found:
        table = _one_symbol(table, found["symbol"], where, symbol)
    parts = {word: table[found[word]] for word in ("time", "open", "high", "low", "close")}
    if "date" in names and "time" in names and _is_clock(table[names["time"][0]]):
        day, clock = table[names["date"][0]], table[names["time"][0]]
        parts["time"] = (day.astype(str).str.strip() + " " + clock.astype(str).str.strip()).rename("date and time")
        used |= {names["date"][0], names["time"][0]}
    parts["volume"] = _volume(table, found, notes)
    if "spread" in found:
        in_points = "tick_volume" in found
        parts["spread_points" if in_points else "spread"] = pd.to_numeric(table[found["spread"]], errors="coerce")
        notes += ["The spread counts points (MT5): kept as spread_points."] * in_points
    if dropped := [str(c) for c in table.columns if c not in used]:
        notes.append(f"Columns not used: {', '.join(dropped)}.")
    times = parts.pop("time").reset_index(drop=True)
    return times, pd.DataFrame(parts).reset_index(drop=True), notes


def _one_symbol(table, column, where, symbol):
    "The rows of one symbol, where a file holds several."
    held = sorted(map(str, table[column].dropna().unique()))
    if len(held) < 2:
        return table
    if symbol not in held:
        few = ", ".join(held[:6]) + (", …" if len(held) > 6 else "")
        ask = nearest(symbol, held) if symbol else "; say which with symbol="
        raise BadFile(f"{where} holds {len(held)} symbols ({few}), {symbol or 'none'} was asked for{ask}")
    return table[table[column].astype(str) == symbol]


def _is_clock(column) -> bool:
    "Whether the cells look like a time of day."
    first = column.iloc[0]
    return isinstance(first, str) and bool(re.fullmatch(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?", first.strip()))


def _volume(table, found, notes):
    "The traded volume, else the tick count, else zero."
    real = table[found["volume"]] if "volume" in found else None
    ticks = table[found["tick_volume"]] if "tick_volume" in found else None
    empty = real is None or real.isna().all() or (ticks is not None and (real == 0).all())
    if not empty:
        return real
    if ticks is not None:
        notes.append("Volume is the count of ticks.")
        return ticks
    notes.append("No volume in the file: set to 0.")
    return pd.Series(0.0, index=table.index)


# --- the times

_DATE = r"(?P<{0}>\d{{{1}}})[-./ ](?P<{2}>\d{{1,2}})[-./ ](?P<{3}>\d{{{4}}})"
_CLOCK = (
    r"(?:[ T]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>[AaPp][Mm])?)?\s*(?P<offset>Z|(?:UTC|GMT)?\s*[+-]\d{2}:?\d{2}|UTC|GMT)?"
)
_SHAPES = {
    "year first": _DATE.format("year", 4, "month", "day", "1,2") + _CLOCK,
    "year last": _DATE.format("a", "1,2", "b", "year", 4) + _CLOCK,
    "compact": r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"
    r"(?:[ T]?(?P<hour>\d{2}):?(?P<minute>\d{2}):?(?P<second>\d{2})?)?(?P<fraction>)(?P<half>)(?P<offset>)",
}
_EPOCHS = ((1e8, 4.2e9, 1_000_000_000, "seconds"), (1e11, 4.2e12, 1_000_000, "milliseconds"),
           (1e14, 4.2e15, 1_000, "microseconds"), (1e17, 4.2e18, 1, "nanoseconds"))  # fmt: skip


def _epoch(column) -> tuple[pd.DatetimeIndex, str] | None:
    "Naive UTC times of a column of unix numbers, and their unit; None when they are no such numbers."
    number = pd.to_numeric(column, errors="coerce")
    if number.isna().any():
        return None
    number = number.to_numpy()
    scale, units = np.zeros(len(number), np.int64), []
    for least, most, factor, unit in _EPOCHS:  # a file may change its unit midway: Binance did in 2025
        inside = (number >= least) & (number < most)
        scale[inside] = factor
        units += [unit] * bool(inside.any())
    if (scale == 0).any():
        return None
    return pd.DatetimeIndex((number * scale).astype("int64")), " and ".join(units)


def _split(column, where) -> tuple[pd.DataFrame, str]:
    "The parts of each written time, by the one shape that all rows share."
    text = column.astype(str).str.strip()
    for shape, pattern in _SHAPES.items():
        if re.fullmatch(pattern, text.iloc[0]):
            parts = text.str.extract(f"^{pattern}$")
            bad = np.flatnonzero(parts["year"].isna())
            if not len(bad):
                return parts, shape
            row = bad[0]
            raise BadFile(
                f"{where}: {text.iloc[row]!r} (row {row}) is not written like the first time {text.iloc[0]!r}"
            )
    raise BadFile(
        f"{where}: cannot read the time {text.iloc[0]!r}; "
        "expected 2017-01-31 22:00, 31.01.2017 22:00, 20170131 220000 or unix time"
    )


def _assemble(parts, text, where) -> pd.DatetimeIndex:
    "Naive times from year, month, day and clock."
    unit = {name: pd.to_numeric(parts[name]).fillna(0).astype("int64") for name in ("hour", "minute", "second")}
    half = parts["half"].replace("", np.nan).str.lower()
    if half.notna().any():
        unit["hour"] = unit["hour"] % 12 + 12 * (half == "pm")
    date = {name: pd.to_numeric(parts[name]) for name in ("year", "month", "day")}
    date["year"] = date["year"].where(date["year"].between(1700, 2200))  # what nanoseconds can hold, and no more
    times = pd.to_datetime(pd.DataFrame({**date, **unit}), errors="coerce")
    wrong = np.flatnonzero(times.isna() | (unit["hour"] > 23) | (unit["minute"] > 59) | (unit["second"] > 59))
    if len(wrong):
        raise BadFile(f"{where}: {text.iloc[wrong[0]]!r} (row {wrong[0]}) is no date and time of the calendar")
    fraction_ns = pd.to_numeric("0." + parts["fraction"].fillna("").replace("", "0")).mul(1e9).round().astype("int64")
    return pd.DatetimeIndex(times).as_unit("ns") + pd.to_timedelta(fraction_ns.to_numpy(), unit="ns")


def _day_first(parts, text, where, day_first) -> tuple[pd.DatetimeIndex, str]:
    "Times whose year comes last, day and month told apart by the whole column, never by habit."
    a, b = pd.to_numeric(parts["a"]), pd.to_numeric(parts["b"])
    orders = {True: parts.assign(day=a, month=b), False: parts.assign(day=b, month=a)}
    fits = [order for order in (True, False) if orders[order]["month"].max() <= 12]
    if not fits:
        i, j = int(a.gt(12).idxmax()), int(b.gt(12).idxmax())
        raise BadFile(f"{where}: {text.iloc[i]!r} has the day first and {text.iloc[j]!r} the month; expected one order")
    if day_first is not None and day_first not in fits:
        raise BadFile(f"{where}: day_first={day_first} would make a month above 12; leave it out")
    if day_first is None and len(fits) == 2:
        fits = [order for order in fits if _assemble(orders[order], text, where).is_monotonic_increasing] or fits
    order = day_first if day_first is not None else fits[0]
    if day_first is None and len(fits) == 2:
        raise BadFile(
            f"{where}: {text.iloc[0]!r} may have the day or the month first, and no row decides; "
            "pass day_first=True or day_first=False"
        )
    return _assemble(orders[order], text, where), f"Dates read with the {'day' if order else 'month'} first."


def _offsets(parts, text, where) -> np.ndarray | None:
    "Minutes ahead of UTC as written behind the times; None when nothing is written."
    written = parts["offset"].replace("", np.nan)
    if written.isna().all():
        return None
    if written.isna().any():
        i = int(written.isna().to_numpy().argmax())
        raise BadFile(f"{where}: {text.iloc[i]!r} (row {i}) has no time zone, other rows have one")
    sign = written.str.extract(r"([+-])(\d{2}):?(\d{2})$")
    minutes = pd.to_numeric(sign[1]).fillna(0) * 60 + pd.to_numeric(sign[2]).fillna(0)
    return (minutes * np.where(sign[0] == "-", -1, 1)).to_numpy(np.int64)


def _from_clock(naive: pd.DatetimeIndex, zone: str, where: str) -> pd.DatetimeIndex:
    "UTC times of wall-clock times in `zone`: an IANA name, or one with whole hours added (America/New_York+7)."
    name, hours = clock_parts(zone)
    try:
        pd.Timestamp(0, tz=name)
    except Exception as error:  # zoneinfo raises several kinds, by platform
        known = nearest(zone, CLOCKS)
        raise BadConfig(
            f"unknown time zone {zone!r}: expected an IANA name, hours may be added as in {CLOCKS[1]}{known}"
        ) from error
    wall = naive - pd.Timedelta(hours=hours)
    try:
        return wall.tz_localize(name, ambiguous="infer").tz_convert("UTC")
    except ValueError as error:
        reason = str(error).split(". ")[0].split(", try using")[0]
        raise BadFile(f"{where}: the times cannot be on the clock of {zone}: {reason}") from error


def _times(column, where, zone, day_first) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex, list[str]]:
    "UTC times, the digits as written, and how they were read."
    notes: list[str] = []
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        written, offset = pd.DatetimeIndex(column).tz_convert("UTC").tz_localize(None).as_unit("ns"), 0
    elif pd.api.types.is_datetime64_dtype(column):
        written, offset = pd.DatetimeIndex(column).as_unit("ns"), None
    elif (epoch := _epoch(column)) is not None:
        (written, unit), offset = epoch, 0
        notes.append(f"Times are unix {unit}.")
    else:
        text = column.astype(str).str.strip()
        parts, shape = _split(column, where)
        if shape == "year last":
            written, note = _day_first(parts, text, where, day_first)
            notes.append(note)
        else:
            written = _assemble(parts, text, where)
        offset = _offsets(parts, text, where)
        offset = 0 if offset is None and re.search("gmt|utc", str(column.name).lower()) else offset
    if zone is not None:
        if offset is not None and np.any(offset):
            raise BadFile(f"{where}: the times carry their own time zone; leave out zone={zone!r}")
        return _from_clock(written, zone, where), written, notes
    if offset is None:
        notes.append(
            "The times name no zone: taken as UTC; pass zone= when they are a broker's or an exchange's clock."
        )
    ahead = pd.to_timedelta(np.broadcast_to(0 if offset is None else offset, len(written)), unit="m")
    times = (written - ahead).tz_localize("UTC")
    return times, times.tz_localize(None), notes


# --- the clock, by evidence


def _clock_note(written: pd.DatetimeIndex, step_ns: int, zone: str) -> list[str]:
    "What the weekly open and close say about the clock; nothing where the market has no such week."
    table = weekly_clock(written, step_ns, also=(zone,))
    best, weeks = table.iloc[0], int(table["weeks"].iloc[0])
    if weeks < 4 or best["fits"] < weeks / 2:
        return []
    own = table[(table["clock"] == zone) & (table["label"] == "open")]["fits"].iloc[0]
    said = f"weekly open and close fit {zone} in {own} of {weeks} weeks"
    if best["fits"] - own < 2:
        return [f"The clock is borne out: {said}."]
    label = "" if best["label"] == "open" else " with bars named by their close"
    return [
        f"The clock is in doubt: {said}, {best['clock']}{label} in {best['fits']}; pass zone= when that is the clock."
    ]


# --- the doors


def symbol_from(
    path: str | Path,  # a file of candles
) -> str | None:  # EURUSD for FOREX_EURUSD_1H_ASK.csv; None when the name tells nothing
    "The symbol a file's name speaks of."
    stem = Path(path).name.split(".")[0].upper()
    joined = re.sub(r"[^A-Z0-9]", "", stem)
    for symbol in SYMBOLS:
        if (symbol in joined) if len(symbol) >= 6 else re.search(rf"(?<![A-Z]){symbol}(?![A-Z])", stem):
            return symbol
    for pair in (rf"({CURRENCIES})[-_]?({CURRENCIES})", r"([A-Z0-9]{2,10}?)[-_]?(USDT|USDC)"):
        if m := re.search(rf"(?<![A-Z]){pair}(?![A-Z])", stem):
            return m[1] + m[2]
    first = re.match(r"[A-Z]{1,5}(?=[_-]\d|$)", stem)
    return first[0] if first and Path(path).name.startswith(first[0]) else None


def read_file(
    path: str | Path,  # .csv .txt .tsv (also .gz) or .parquet
    *,
    symbol: str | None = None,  # for messages, and to choose in a file of many; None: from the file's name
    timeframe: str | None = None,  # checked against the steps; None: not checked
    zone: str | None = None,  # clock of times that name no zone: IANA, or America/New_York+7; None: UTC
    day_first: bool | None = None,  # for 01.02.2017; None: decided by the whole column, else refused
) -> tuple[pd.DataFrame, tuple[str, ...]]:  # checked bars, and a sentence for each thing the file did not say
    "The candles of a file, checked, and every assumption made on the way."
    path = Path(path).expanduser()
    if timeframe is not None:
        timeframe_ns(timeframe)
    where = _existing(path).name
    table = _parquet(path) if _ending(path) in PARQUET else _csv(path)
    column, numbers, notes = _columns(table, where, symbol)
    if not len(numbers):
        raise BadFile(f"{where} holds no candles")
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise BadFile(f"{where}: row {missing[0]} has no time")
    times, written, more = _times(column, where, zone, day_first)
    bars = numbers.set_axis(times, axis=0)
    if len(bars) > 1 and times.is_monotonic_decreasing and times.is_unique:
        bars, written = bars[::-1], written[::-1]
        more.append("Rows stood newest first: turned round.")
    try:
        bars = check(bars, symbol=symbol or symbol_from(path) or "?", timeframe=timeframe)
    except BadBars as error:
        raise BadFile(f"{where}: {error}") from error
    if len(bars) > 1:
        step = int(pd.Series(np.diff(bars.index.asi8)).mode().iloc[0])
        more += _clock_note(written, timeframe_ns(timeframe) if timeframe else step, zone or "UTC")
    return bars, tuple(notes + more)


# --- the spread


def read_spread(
    path: str | Path,  # parquet or CSV with ts (a bar's open, with its zone) and spread
) -> pd.Series:  # ask minus bid, price, by ts (UTC)
    "A recorded spread by bar; what is missing, negative or without a zone is refused."
    path = _existing(Path(path))
    table = _parquet(path) if _ending(path) in PARQUET else pd.read_csv(path)
    for name in ("ts", "spread"):
        if name not in table:
            raise BadFile(f"{path.name}: a spread file needs columns ts and spread{nearest(name, list(table.columns))}")
    try:
        times = pd.DatetimeIndex(pd.to_datetime(table["ts"]))
    except (ValueError, TypeError) as error:
        raise BadFile(f"{path.name}: ts holds something that is no time ({str(error).splitlines()[0]})") from error
    if times.tz is None or times.hasnans:
        raise BadFile(f"{path.name}: ts must be times with their zone, such as 2024-03-08T13:30:00Z")
    values = pd.to_numeric(table["spread"], errors="coerce").to_numpy(float)
    wrong = ~(values >= 0) | ~np.isfinite(values) | times.duplicated()
    if wrong.any():
        n = int(np.argmax(wrong))
        raise BadFile(
            f"{path.name}, row {n}: expected one spread >= 0 per bar, found {table['spread'].iloc[n]} at {times[n]}"
        )
    return pd.Series(values, index=times.tz_convert("UTC").as_unit("ns"), name="spread").sort_index()


# --- as a provider


class Settings(ProviderSettings):
    "Conf's `kind: files`: the files conf's symbols name."

    kind: Literal["files"] = "files"

    def make(self, name: str, with_: ProviderDeps) -> Files:
        "The provider."
        return Files(with_.files, name=name, root=with_.root, clock=with_.clock)


class Files(BaseProvider):
    "The candles of files, one per symbol; a higher timeframe than a file's own is made of it."

    def __init__(
        self,
        files: Mapping[str, Mapping[str, Any]],  # symbol -> source (a file), zone
        *,
        name: str = "files",
        root: Path | None = None,  # what a file's relative path starts from
        clock: Clock | None = None,
    ):
        super().__init__(name, clock=clock, settle_s=0.0)
        self._files, self._root = {s: f for s, f in files.items() if f.get("source")}, root or Path.cwd()
        self.notes: dict[str, tuple[str, ...]] = {}  # what each file did not say itself
        self._read: dict[str, pd.DataFrame] = {}

    def _bars(self, symbol: str) -> pd.DataFrame:
        "A symbol's file, read once."
        if symbol not in self._files:
            known, near = ", ".join(self._files) or "none", nearest(symbol, tuple(self._files))
            raise ProviderRefused(f"{self.name} has no candles of {symbol!r}: expected one of {known}{near}")
        if symbol not in self._read:
            said = self._files[symbol]
            self._read[symbol], self.notes[symbol] = read_file(
                self._root / said["source"], symbol=symbol, zone=said.get("zone")
            )
        return self._read[symbol]

    def _fetch(self, wire: str, timeframe: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        bars = self._bars(wire)
        if len(bars) > 1 and timeframe != infer_timeframe(bars):
            profile = self._files[wire].get("instrument")
            roll = {"zone": instrument(profile).zone, "roll_hour": instrument(profile).roll_hour} if profile else {}
            bars = resample(bars, timeframe, **roll).drop(columns="close_time")
        return bars[(bars.index >= start) & (bars.index < end)]

    def latest(self, symbol: str, timeframe: str, n: int) -> pd.DataFrame:
        "The last n bars of the file, however old they are."
        return self.history(symbol, timeframe, self._bars(self.wire(symbol)).index[0]).iloc[-n:]
