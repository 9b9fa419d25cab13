"""The symbol in a file's name or in its symbol column: a symbol is never its look-alike."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from smcdesk.providers.files.columns import plain_name
from smcdesk.providers.files.errors import BadFile
from smclab.candles import nearest
from smclab.instruments import SYMBOLS

CURRENCIES = "AUD|CAD|CHF|CNH|CZK|DKK|EUR|GBP|HKD|HUF|JPY|MXN|NOK|NZD|PLN|SEK|SGD|TRY|USD|ZAR|XAU|XAG|XPT|XPD"
COINS = "USDT|USDC|FDUSD|TUSD|BUSD|USDE|DAI"  # what crypto pairs are quoted in: EURUSDT is not EURUSD
# What brokers and venues hang on a symbol: EURUSDm, EURUSD.r, EURUSDpro, BTCUSDT-PERP, BTCUSDT.P; or a timeframe.
_HUNG = (
    r"(?:(?!t(?![a-z]))[a-z]{1,6}|PERP|SWAP|SPOT|FUT|P|M|R|I|PRO|ECN|RAW|CASH|MICRO|MINI|"
    r"(?:M|H|D|W|MN|m|h|d|w)\d+|\d+(?:m|min|h|H|M|D|d|w|W)?|Daily|Hourly)"
)
_BEFORE, _AFTER = r"(?<![A-Za-z0-9])", rf"{_HUNG}?(?![A-Za-z0-9])"
_ALONE = r"(?![A-Za-z])"  # behind a share's ticker: SPYM and SPYG are other funds
SYMBOL_NAMES = ("symbol", "ticker", "pair", "instrument", "instid", "instrumentid", "tic", "sym", "secid")


def symbol_from(
    path: str | Path,  # a file of candles
) -> str | None:  # EURUSD for FOREX_EURUSD_1H_ASK.csv, EURUSDT for EURUSDT_1h.csv; None when the name holds none
    "The symbol in a file's name."
    stem = re.sub(r"(?i)(\.(csv|txt|tsv|parquet|pq|json|jsonl|feather|ft|zip|gz))+$", "", Path(path).name)
    return symbol_in(stem)


def symbol_in(
    text: str,  # a file's name without ending, or a cell of a symbol column: BTC/USDT, FX:EURUSD, EUR_USD.r
) -> str | None:  # BTCUSDT, EURUSD; None where none is recognized
    "The symbol in a text; what is only part of another symbol's name is not it."
    folded = text if re.search("[A-Z]{2}", text) else text.upper()
    for symbol in SYMBOLS:
        for pair in _spellings(symbol):
            if re.search(_BEFORE + pair + (_AFTER if len(symbol) >= 6 else _ALONE), folded):
                return symbol
    pairs = (
        rf"(?P<base>{CURRENCIES})[-_/.]?(?P<quote>{CURRENCIES})",
        rf"(?P<base>[A-Z0-9]{{2,12}}?)[-_/]?(?P<quote>{COINS})",
        r"(?P<base>BTC|XBT|ETH|SOL|XRP|ADA|DOGE|LTC|BNB|AVAX|LINK|DOT)[-_/]?(?P<quote>USD|EUR|GBP|JPY|BTC|ETH)",
    )
    for pair in pairs:
        if m := re.search(_BEFORE + pair + _AFTER, folded):
            return m["base"] + m["quote"]
    first = re.match(r"[A-Z]{1,5}(?=[_-]\d|$)", text)
    return first[0] if first else None


def _spellings(symbol: str):
    "How a symbol is written: in one, and with a sign between base and quote."
    yield symbol
    for quote in ("USDT", "USD", "JPY"):
        if symbol.endswith(quote) and len(symbol) > len(quote):
            yield rf"{symbol.removesuffix(quote)}[-_/]{quote}"
            return


def one_symbol(
    table: pd.DataFrame,
    where: str,  # the file's name
    symbol: str | None,  # as asked for
    also: str | None = None,  # another name the column may give it: its instrument's
) -> tuple[pd.DataFrame, str | None, str | None, list[str]]:  # rows of one symbol; column, symbol as written; notes
    "The rows of the symbol that was asked for; a column that names another is refused."
    column = next((name for name in table.columns if plain_name(name) in SYMBOL_NAMES), None)
    if column is None or isinstance(table[column], pd.DataFrame):
        return table, None, None, []
    cells = table[column].astype(object)
    held = sorted({str(cell).strip() for cell in cells.dropna().unique()})
    if not held or all(re.fullmatch(r"[\d.]*", cell) for cell in held):
        return table, None, None, []
    fits = [cell for cell in held if symbol and any(same_symbol(cell, name) for name in (symbol, also) if name)]
    exact = [cell for cell in fits if cell == symbol]
    if len(held) == 1:
        names_one = symbol_in(held[0]) or re.fullmatch(r"[A-Z0-9./:_-]{2,20}", held[0])
        if symbol and not fits and names_one:
            raise BadFile(
                f"{where}: the column {column} says {held[0]}, {symbol} was asked for (--symbol); read it as "
                f"{symbol_in(held[0]) or held[0]}, or take the right file"
            )
        return table, str(column), held[0] if names_one else None, []
    if len(exact or fits) != 1:
        few = ", ".join(held[:6]) + (", …" if len(held) > 6 else "")
        ask = nearest(symbol, held) if symbol else "; say which with symbol= (--symbol)"
        raise BadFile(f"{where} holds {len(held)} symbols ({few}), {symbol or 'none'} was asked for{ask}")
    one = (exact or fits)[0]
    keep = (cells.astype(str).str.strip() == one).to_numpy()
    note = f"The column {column} holds {len(held)} symbols: the {int(np.sum(keep))} rows of {one} are read."
    return table[keep].reset_index(drop=True), str(column), one, [note]


def same_symbol(written: str, symbol: str) -> bool:
    "Whether a cell such as BTC/USDT:USDT, X:BTCUSD, EURUSD.r or SPY US Equity names the symbol."
    plain = re.sub(r"[^A-Z0-9]", "", symbol.upper())
    written = written.strip()
    forms = {written, *re.split(r"[:.\s]", written), written.split(":")[-1], written.split(":")[0]}
    forms |= {re.split(r"[-_](?:PERP|SWAP|SPOT|FUTURES)", form, flags=re.IGNORECASE)[0] for form in set(forms)}
    if plain in {re.sub(r"[^A-Z0-9]", "", form.upper()) for form in forms}:
        return True
    found = symbol_in(written)
    return found is not None and found in (plain, symbol_in(symbol))
