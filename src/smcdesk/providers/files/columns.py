"""Which column of a file is which: times, prices, volume and spread, under smclab's names."""

from __future__ import annotations

import re

import pandas as pd

from smcdesk.providers.files.errors import BadFile
from smcdesk.providers.files.volumes import EXACT, TICKS, volume_of
from smclab.candles import nearest

# A spelling is what is left of a column's name without case, brackets, spaces and punctuation; the first found is used.
SPELLINGS = {
    "time": (
        "opentime", "windowstart", "datetime", "timestamp", "ts", "unix", "unixtime", "unixtimestamp", "epoch",
        "starttime", "startat", "starttimestamp", "start", "begin", "begins", "opentimems", "timems", "mts", "gmttime",
        "utctime", "localtime", "estime", "time", "date", "day", "t",
    ),
    "open": ("open", "o", "openprice", "priceopen"),
    "high": ("high", "h", "highprice", "maxprice", "pricehigh"),
    "low": ("low", "l", "lowprice", "minprice", "pricelow"),
    "close": ("close", "c", "closeprice", "priceclose", "closelast", "last"),
    "volume": EXACT,
    "tick_volume": TICKS,
    "spread": ("spread",),
    "symbol": ("symbol", "ticker", "pair"),
}  # fmt: skip
WORDS = {word for words in SPELLINGS.values() for word in words}
UNNAMED = ("unnamed", "unnamed0", "index", "level0", "level1")  # what pandas calls an index without a name
PRICES = ("open", "high", "low", "close")
ADJUSTED = ("adjclose", "adjustedclose", "closeadj")
_CLOCK = r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?(\s*[AaPp][Mm])?"


def plain_name(name) -> str:
    "A column's name without case, brackets, spaces and punctuation, nor what stands in round brackets behind it."
    text = str(name).lower()
    return re.sub(r"[^a-z0-9]", "", re.sub(r"(?<=\w)\s*\(.*\)\s*$", "", text) if "vol" not in text else text)


def known_words(cells) -> int:
    "How many of the cells are names of columns this room knows."
    return sum(plain_name(cell) in WORDS for cell in cells)


def is_time(name) -> bool:
    "Whether a column of this name may hold times."
    return plain_name(name) in (*SPELLINGS["time"], *UNNAMED)


def columns_of(
    table: pd.DataFrame,  # the cells under the names as written
    where: str,  # the file's name
    symbol: str | None,  # to choose in a file of many
    pair: str | None = None,  # whose base the volume counts, where neither symbol nor the file says
) -> tuple[pd.Series, pd.DataFrame, list[str]]:
    "The times as written, the numbers under smclab's names, and what was dropped."
    names: dict[str, list] = {}
    for column in table.columns:
        names.setdefault(plain_name(column), []).append(column)
    found = {word: next((names[s][0] for s in spellings if s in names), None) for word, spellings in SPELLINGS.items()}
    found = {word: column for word, column in found.items() if column is not None}
    notes = _prices(found, names) + _times(table, found, names)
    for word in ("time", *PRICES):
        if word not in found:
            raise BadFile(_missing(word, table, found, names, where))
    used = {found[word] for word in ("time", *PRICES, "symbol") if word in found}
    if "symbol" in found:
        table = _one_symbol(table, found["symbol"], where, symbol)
    parts = {word: table[found[word]] for word in ("time", *PRICES)}
    if joined := _date_and_clock(table, names):
        parts["time"], both = joined
        used = (used - {found["time"]}) | both
    parts["volume"], taken, more = volume_of(table, names, symbol or _ticker(table, found) or pair, found["close"])
    used |= set(taken)
    notes += more
    if "spread" in found:
        used.add(found["spread"])
        in_points = "tick_volume" in found
        parts["spread_points" if in_points else "spread"] = pd.to_numeric(table[found["spread"]], errors="coerce")
        if in_points:
            notes.append("The spread counts points (MT5): read as spread_points.")
    if adjusted := next((names[s][0] for s in ADJUSTED if s in names), None):
        used.add(adjusted)
        parts["adj_close"] = pd.to_numeric(table[adjusted], errors="coerce")
        notes.append(f"{adjusted} was adjusted later: the prices as traded are read, it only shows splits.")
    if dropped := [str(c) for c in table.columns if c not in used]:
        notes.append(f"Columns not used: {', '.join(dropped)}.")
    times = parts.pop("time").reset_index(drop=True)
    return times, pd.DataFrame(parts).reset_index(drop=True), notes


def _prices(found, names) -> list[str]:
    "The prices under less usual names: candles of the bid, the mid or the ask, and a close called price."
    for side in ("bid", "mid", "ask"):
        sided = {word: next((names[s][0] for s in (side + word, word + side) if s in names), None) for word in PRICES}
        if not any(word in found for word in PRICES) and all(sided.values()):
            found.update(sided)
            return [f"The {side}'s candles were read."]
    if "close" not in found and "price" in names and all(word in found for word in PRICES[:3]):
        found["close"] = names["price"][0]
        return [f"{found['close']} is read as the close."]
    return []


def _times(table, found, names) -> list[str]:
    "The column of times: where none is named so, the unnamed one that pandas writes first."
    if "time" in found:
        return []
    unnamed = next((names[s][0] for s in UNNAMED if s in names), None)
    if unnamed is None or not _may_be_times(table[unnamed]):
        return []
    found["time"] = unnamed
    return ["The unnamed first column holds the times."]


def _may_be_times(column) -> bool:
    "Whether a column without a name holds times, and does not merely count the rows."
    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    cells = column.dropna().astype(str).str.strip()
    return bool(len(cells)) and bool(re.match(r"\d{8,}|\d{1,4}[-./]\d{1,2}[-./]\d", cells.iloc[0]))


def _missing(word, table, found, names, where) -> str:
    "Why a file has no candles: it holds ticks, or a column is named otherwise."
    holds = f"found {', '.join(map(str, table.columns))}"
    prices = [p for p in PRICES if p in found]
    if len(prices) < 2:
        for kind, words in {
            "quotes (ticks: bid and ask)": ({"bid", "ask"}, {"bidprice", "askprice"}),
            "single trades (ticks)": ({"price", "qty"}, {"price", "quantity"}, {"price", "size"}, {"price", "amount"},
                                      {"price", "volume"}),
        }.items():  # fmt: skip
            if any(group <= set(names) for group in words):
                return f"{where} holds {kind}, no candles; make candles of them first ({holds})"
    near = nearest(word, [c for c in table.columns if c not in found.values()])
    return f"{where}: no column for {word!r}; {holds}{near}"


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


def _ticker(table, found) -> str | None:
    "The symbol in the file's own column."
    written = table[found["symbol"]].dropna() if "symbol" in found else ()
    return str(written.iloc[0]) if len(written) else None


def _date_and_clock(table, names) -> tuple[pd.Series, set] | None:
    "Date and time of day in two columns, joined as 20240130 22:00:00, and the two; None where they are not two."
    day = next((names[s][0] for s in ("date", "day") if s in names), None)
    for name in ("time", "timestamp", "hour"):
        if day is None or name not in names:
            continue
        clock, first = names[name][0], str(table[day].iloc[0]).strip() if len(table) else ""
        written = _clock(table[clock])
        if written is not None and ":" not in first:
            dates = table[day]
            if pd.api.types.is_datetime64_any_dtype(dates):
                dates = dates.dt.strftime("%Y-%m-%d")
            joined = dates.astype(str).str.strip() + " " + written
            return joined.rename(f"{day} and {clock}"), {day, clock}
    return None


def _clock(column) -> pd.Series | None:
    "A time of day as 22:00:00, from digits (220000, 2200) too; None where the cells are no time of day."
    text = column.astype(str).str.strip()
    if not len(text):
        return None
    if re.fullmatch(_CLOCK, text.iloc[0]):
        return text
    if not text.str.fullmatch(r"\d{1,6}").all():
        return None
    digits = text.str.zfill(4 if text.str.len().max() <= 4 else 6)
    digits = digits.where(digits.str.len() == 6, digits + "00")
    return digits.str[:2] + ":" + digits.str[2:4] + ":" + digits.str[4:]
