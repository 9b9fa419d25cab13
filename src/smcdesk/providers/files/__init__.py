"""Candles from files: text, JSON, parquet or feather in the common spellings, with a note for every assumption.

`read_file` gives checked bars and notes; `budget` refuses what would not fit into memory, `text` finds and unpacks,
`headers`, `tables` and `json_tables` give the cells, `numbers` what comma and point mean, `columns` and `volumes` which
column is which, `clock_columns` and `times` the moments, `labels` the bars' opens, `closed_rows` what has closed,
`explanation` how a file was understood; `reader` puts them together; `spread` reads recorded spreads; `provider` serves
the files conf names. May import clocks and the protocol of providers, and the Lab. Never the network, conf or the
history.
"""

from smcdesk.providers.files.budget import Budget
from smcdesk.providers.files.errors import BadFile
from smcdesk.providers.files.explanation import Explanation, first_look
from smcdesk.providers.files.provider import Files, Settings
from smcdesk.providers.files.reader import read_file
from smcdesk.providers.files.spread import read_spread
from smcdesk.providers.files.symbols import same_symbol, symbol_from, symbol_in

__all__ = [
    "BadFile", "Budget", "Explanation", "Files", "Settings", "first_look", "read_file", "read_spread", "same_symbol",
    "symbol_from", "symbol_in",
]  # fmt: skip
