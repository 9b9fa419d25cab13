"""The symbol in a file's name."""

from __future__ import annotations

import re
from pathlib import Path

from smclab.instruments import SYMBOLS

CURRENCIES = "AUD|CAD|CHF|CNH|CZK|DKK|EUR|GBP|HKD|HUF|JPY|MXN|NOK|NZD|PLN|SEK|SGD|TRY|USD|ZAR|XAU|XAG|XPT|XPD"


def symbol_from(
    path: str | Path,  # a file of candles
) -> str | None:  # EURUSD for FOREX_EURUSD_1H_ASK.csv; None when the name holds none
    "The symbol in a file's name."
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
