"""Candles from files: CSV in the common spellings, or parquet, with a note for every assumption.

`read_file` gives checked bars and notes; `text` finds the cells, `columns` names them, `clock_columns` and `times` date
them, `labels` names bars by their open, `closed_rows` leaves out what still forms, `reader` puts them together,
`explanation` says how a file was understood; `spread` reads recorded spreads; `provider` serves the files conf names.
May import clocks and the protocol of providers, and the Lab. Never the network, conf or the history.
"""

from smcdesk.providers.files.errors import BadFile
from smcdesk.providers.files.explanation import Explanation
from smcdesk.providers.files.provider import Files, Settings
from smcdesk.providers.files.reader import read_file
from smcdesk.providers.files.spread import read_spread
from smcdesk.providers.files.symbols import same_symbol, symbol_from, symbol_in

__all__ = [
    "BadFile", "Explanation", "Files", "Settings", "read_file", "read_spread", "same_symbol", "symbol_from",
    "symbol_in",
]  # fmt: skip
