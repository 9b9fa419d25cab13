"""A file of spreads is trusted, or refused."""

import pandas as pd
import pytest

from smcdesk.providers.files import read_spread
from smclab.candles import BadBars


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"ts": ["2024-01-01T00:00Z"], "sprad": [0.1]}, "did you mean 'sprad'|needs columns ts and spread"),
        ({"ts": ["2024-01-01T00:00"], "spread": [0.1]}, "times with their zone"),
        ({"ts": ["2024-01-01T00:00Z", "2024-01-01T00:15Z"], "spread": [0.1, -1]}, r"row 1: .* found -1\.?0? at"),
    ],
)  # fmt: skip
def test_spread_file_that_cannot_be_trusted_is_refused(tmp_path, table, message):
    pd.DataFrame(table).to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(BadBars, match=message):
        read_spread(tmp_path / "s.csv")
