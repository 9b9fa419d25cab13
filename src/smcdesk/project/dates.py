"""Dates as people write them on a command line and in conf: ISO 8601 alone, because 03/04/2024 is two days."""

from __future__ import annotations

import re

from smclab.candles import BadConfig

_ISO = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?\s?(Z|UTC|[+-]\d{2}(:?\d{2})?)?"
_FIGURES = r"\s*(\d{1,2})[./-](\d{1,2})[./-](\d{4})\s*"


def check_iso(text: str) -> None:
    "Refuse a moment that is not written as ISO 8601; a date in figures is answered with the days it may mean."
    if re.fullmatch(_ISO, text.strip()):
        return
    meant = ""
    if found := re.fullmatch(_FIGURES, text):
        a, b, year = (int(part) for part in found.groups())
        pairs = dict.fromkeys(((b, a), (a, b)))  # (month, day)
        days = [f"{year}-{month:02d}-{day:02d}" for month, day in pairs if 1 <= month <= 12 and 1 <= day <= 31]
        meant = f": write {' or '.join(days)}" if days else ""
    raise BadConfig(f"expected a moment such as 2024-03-08 or 2024-03-08T13:30:00Z, found {text!r}{meant}")
