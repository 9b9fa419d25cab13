"""A symbol's entry in conf."""

import pytest

from smcdesk.marketdata import sources
from smclab.candles import BadConfig


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"instrument": "EURUSD", "sorce": "x.csv"}, "symbols.EURUSD.sorce: .*did you mean 'source'"),
        ({"source": "x.csv"}, "symbols.EURUSD.instrument: field required"),
        ({"instrument": "EURUSD", "bars_side": "last"}, "symbols.EURUSD.bars_side: input should be 'bid', 'mid'"),
    ],
)  # fmt: skip
def test_wrong_symbol_entry_names_the_key(entry, sentence):
    with pytest.raises(BadConfig, match=sentence):
        sources.symbol_config("EURUSD", entry)
