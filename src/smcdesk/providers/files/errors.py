"""The error of a file that cannot be read as candles."""

from __future__ import annotations

from smclab.candles import BadBars


class BadFile(BadBars):
    "A file that cannot be read as candles: the sentence names what to change."
