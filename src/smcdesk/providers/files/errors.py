"""How a file says that it cannot be read as candles."""

from __future__ import annotations

from smclab.candles import BadBars


class BadFile(BadBars):
    "A file that cannot be read as candles: the sentence says what to change."
