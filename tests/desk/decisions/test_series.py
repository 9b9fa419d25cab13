"""A series' reader judges candles as the whole tape is judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from virtual import tape

from smcdesk.decisions.config import (
    load_decision_configs,
)
from smcdesk.decisions.series import SeriesReader
from smcdesk.marketdata.quality import verdicts


@pytest.fixture(scope="module")
def bars(house):
    return tape()


def test_quality_of_a_reader_is_that_of_the_whole_tape(bars):
    config = load_decision_configs("test")["MADEUP"]
    rng = np.random.default_rng(5)
    holed = bars.drop(bars.index[np.sort(rng.choice(np.arange(100, 2600), 40, replace=False))])
    holed.iloc[2000:2020, :4] = holed["close"].iloc[1999]
    whole = verdicts(holed, config.instrument, "15m")
    assert whole.nunique() > 1
    reader = SeriesReader(replace(config, timeframes=()), "15m")
    for n in (50, 700, 1500, 1990, 2005, 2040, 2500, len(holed)):
        reader.extend(holed.iloc[reader.n : n])
        assert reader.data_quality() == whole.iloc[n - 1], n
