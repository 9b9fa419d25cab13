"""Where a text's columns get their names: its header line, two of them, or none.

A line above the header (a URL, a title) is passed over; the header standing again in the middle of joined files is left
out; a file without a header is named by its shape, else refused with the line to put on top.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

from smcdesk.providers.files.columns import known_words, plain_name
from smcdesk.providers.files.errors import BadFile
from smclab.candles import nearest

PRICES = ("open", "high", "low", "close")
KLINES = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count",
    "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
MT4 = ("date", "time", *PRICES, "volume")
SHAPES = {  # how many columns -> their names, where a file has no header line and its first cell is a whole moment
    5: ("time", *PRICES),
    6: ("time", *PRICES, "volume"),  # HistData ASCII, FirstRateData, ccxt, NinjaTrader, Bybit's files for MT4
    7: ("time", *PRICES, "volume", "count_or_turnover"),  # Kraken counts trades, Bybit the turnover
    8: ("time", *PRICES, "vwap", "volume", "count"),  # Kraken's answers
    9: ("time", *PRICES, "volume", "volume_currency", "volume_quote", "confirm"),  # OKX's answers
    12: KLINES,  # Binance
}
DATED = {  # the same, where a date and a clock stand in two cells
    6: ("date", "time", *PRICES),
    7: MT4,  # MT4, HistData for MetaTrader, Kibot
    9: ("date", "time", *PRICES, "tickvol", "vol", "spread"),  # MT5
}
LINES = 40  # of the file's beginning that are looked at


@dataclass(frozen=True)
class Head:
    "How a text is parted, and where its candles begin."

    names: tuple[str, ...]  # of the columns, each once
    separator: str
    body: str  # the candles' lines
    notes: tuple[str, ...]
    above: int  # lines of the file before the body
    written: bool  # whether the file itself names its columns
    ticker: str | None = None  # whose prices they are, where the header says so


def separator_of(line: str) -> str:
    "The separator of a line: a tab, semicolon or bar found four times, else what is found most."
    return next((s for s in "\t;|" if line.count(s) >= 4), max("\t;|,", key=line.count))


def parted(line: str, separator: str) -> list[str]:
    "The cells of one line, without quotes and blanks around."
    return [cell.strip().strip('"').strip() for cell in next(csv.reader([line], delimiter=separator), [])]


def head_of(text: str, where: str, symbol: str | None) -> Head:
    "The columns' names, the separator and the candles' lines of a text; a header that leaves doubt is refused."
    lines = [line for line in text.split("\n", LINES)[:LINES] if line.strip()]
    if two := _two_rows(lines, where, symbol):
        taken, names, ticker, notes = two
        return _with_body(text, lines[:taken], names, where, notes, ticker=ticker)
    n, cells, named = _first(lines, where)
    notes = [f"Line {k + 1} is no header and left out: {line.strip()[:60]}." for k, line in enumerate(lines[:n])]
    if not named:
        return _with_body(text, lines[:n], _shape(where, cells, separator_of(lines[n])), where, notes, written=False)
    return _with_body(text, lines[: n + 1], cells, where, notes)


def _first(lines, where) -> tuple[int, list[str], bool]:
    "The number of the header line or of the first candle, its cells, and whether it is a header."
    rows = [parted(line, separator_of(line)) for line in lines[:12]]
    for n, cells in enumerate(rows):
        if n and any(len(cells) == len(above) > 3 for above in rows[:n]):
            break  # a line above has as many cells: it is the first of the table
        if known_words(cells) >= 3:
            return n, cells, True
        if len(cells) > 4 and _is_moment(cells[0]):
            return n, cells, False
    return 0, rows[0], bool(known_words(rows[0]))


def _is_moment(cell: str) -> bool:
    return bool(re.match(r"\d{4,}|\d{1,4}[-./]\d{1,2}[-./]\d", cell))


def _with_body(text, taken, cells, where, notes=(), written=True, ticker=None) -> Head:
    "The head, with the body cleared of headers that stand in it again."
    start = 0
    for line in taken:
        start = text.index(line, start) + len(line)
    body, notes = text[start:].lstrip("\n"), list(notes)
    above_n = text.count("\n", 0, len(text) - len(body))
    first = next((line for line in body.split("\n", LINES) if line.strip()), taken[-1] if taken else "")
    separator = separator_of(first)
    above = separator_of(taken[-1]) if taken and written else separator
    if separator != above and len(parted(first, above)) == len(cells):
        separator = above
    elif separator != above:
        width = len(parted(first, separator))
        if width != len(cells):
            raise BadFile(
                f"{where}: the header line is parted by {above!r} into {len(cells)} names, the candles by "
                f"{separator!r} into {width}; write the header as the candles are, such as "
                f"{separator.join(('time', *PRICES, 'volume'))}"
            )
        notes.append(f"The header line is parted by {above!r}, the candles by {separator!r}.")
    body, more = _without_repeats(body, taken, [plain_name(cell) for cell in cells], above_n, where)
    return Head(_unique(cells), separator, body, (*notes, *more), above_n, written, ticker)


def _unique(names) -> tuple[str, ...]:
    "The names, an empty one named, a second of a kind numbered."
    seen: dict[str, int] = {}
    out = []
    for k, name in enumerate(names):
        name = name or ("unnamed" if k == 0 else f"unnamed {k}")
        seen[name] = seen.get(name, -1) + 1
        out.append(f"{name}.{seen[name]}" if seen[name] else name)
    return tuple(out)


def _without_repeats(body, taken, again, above_n, where) -> tuple[str, list[str]]:
    "The body without headers in the middle, as joined files have them; a different header is refused by its line."
    cuts: dict[int, int] = {}  # start -> end
    for line in {line.strip() for line in taken}:
        for m in re.finditer(rf"(?m)^[ \t]*{re.escape(line)}[ \t]*$", body) if line in body else ():
            cuts[m.start()] = m.end()
    for m in re.finditer("open", body, re.IGNORECASE):
        start, end = body.rfind("\n", 0, m.start()) + 1, body.find("\n", m.end())
        line = body[start : end if end >= 0 else len(body)]
        if "high" not in line.lower():
            continue
        cells = [plain_name(cell) for cell in parted(line, separator_of(line))]
        if start in cuts or len(set(PRICES) & set(cells)) < 3:
            continue
        if cells != again:
            raise BadFile(
                f"{where}: another header stands in line {above_n + 1 + body.count(chr(10), 0, start)} "
                f"({line.strip()[:80]}), unlike the first; read the parts one by one"
            )
        cuts[start] = start + len(line)
    if not cuts:
        return body, []
    parts, last = [], 0
    for start in sorted(cuts):
        parts.append(body[last:start])
        last = cuts[start]  # the line stays, empty, so that later lines keep their numbers
    lines = [above_n + 1 + body.count("\n", 0, start) for start in sorted(cuts)]
    few = ", ".join(map(str, lines[:5])) + (", …" if len(lines) > 5 else "")
    return "".join((*parts, body[last:])), [
        f"The header stands again in the middle (line {few}): left out, files joined."
    ]


def _two_rows(lines, where, symbol):
    "Of yfinance's header of two or three lines: how many lines, the names, the ticker, the notes; else None."
    if len(lines) < 3 or (lines[0].count(",") < 4 and not lines[0].startswith("Price,")):
        return None
    rows = [[cell.strip().strip('"') for cell in line.split(",")] for line in lines[:3]]
    prices = [len({plain_name(c) for c in row} & {*PRICES}) for row in rows[:2]]
    fields, tickers = (rows[0], rows[1]) if prices[0] else (rows[1], rows[0])
    if max(prices) < 1 or min(prices) or len(fields) != len(tickers) or not all(tickers[1:]):
        return None
    if any(re.match(r"[-+]?\d+([.,]\d*)?$", cell) for cell in tickers[1:]) or _is_moment(tickers[0]):
        return None
    third = len(rows[2]) == len(fields) and not any(rows[2][1:])
    every = list(dict.fromkeys(tickers[1:]))
    plain = [plain_name(ticker) for ticker in every]
    if len(every) > 1 and plain_name(symbol or "") not in plain:
        near = nearest(symbol, every) if symbol else "; say which with symbol="
        raise BadFile(
            f"{where} holds {len(every)} tickers ({', '.join(every[:6])}), {symbol or 'none'} was asked for{near}"
        )
    one = every[plain.index(plain_name(symbol))] if len(every) > 1 else every[0]
    first = (rows[2][0] if third else "") or "time"
    names = tuple(
        first if k == 0 else field if ticker == one else f"{ticker} {field}"
        for k, (field, ticker) in enumerate(zip(fields, tickers, strict=True))
    )
    notes = [f"Of {len(every)} tickers, {one} was read."] if len(every) > 1 else []
    return 3 if third else 2, names, one, notes


def shape_of(cells: list[str]) -> tuple[str, ...] | None:
    "The columns' names of a row without a header, by how many cells it has and what the first two hold."
    if len(cells) > 1 and re.fullmatch(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?|\d{6}", cells[1]) and _is_moment(cells[0]):
        return DATED.get(len(cells))
    if len(cells) in (7, 8, 9) and not re.fullmatch(r"\d{9,19}", cells[0]):
        return None  # an adjusted close may stand before the volume
    return SHAPES.get(len(cells)) if _is_moment(cells[0]) else None


def _shape(where: str, cells: list[str], separator: str) -> tuple[str, ...]:
    "Column names for a file that has no header line, where its shape gives them away."
    advice = separator.join(("time", *PRICES, "volume"))
    if re.match(r"[A-Z]{3}/?[A-Z]{3}$", cells[0]) and len(cells) == 4:
        raise BadFile(f"{where} holds quotes (ticks: bid and ask), no candles; make candles of them first")
    if not re.match(r"\d", cells[0]):
        raise BadFile(
            f"{where}: no known column in the first line ({', '.join(cells[:6])}); expected a header such as {advice}"
        )
    if names := shape_of(cells):
        return names
    raise BadFile(
        f"{where}: no header line, and its {len(cells)} columns are in no known order ({', '.join(cells[:6])}); put a "
        f"line with their names on top, parted as they are, such as {advice}"
    )
