"""Prices that cannot be are found in every file of the standing table, in the Lab's verdict and in the inspection."""

from pathlib import Path

import pandas as pd
import pytest
from quality_cases import CASES

from smcdesk.marketdata.quality import inspect, verdicts
from smcdesk.providers.files import read_file
from smclab.candles import quality
from smclab.instruments import instrument

FOLDER = Path(__file__).parent / "quality_files"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_price_that_cannot_be_is_found_in_a_file_from_the_field(case):
    bars, _ = read_file(FOLDER / case.file)
    market = instrument(case.symbol)
    lab = quality(bars, timeframe=case.timeframe, week=market.week, symbol=case.symbol)
    desk = inspect(bars, market, timeframe=case.timeframe)
    assert lab.jumps.index.tolist() == [pd.Timestamp(case.bar, tz="UTC")]
    assert lab.jumps["kind"].tolist() == [case.kind]
    for name, found in (("Lab", lab), ("Desk", desk)):
        text = " ".join(found.reasons)
        assert found.verdict != "ok", name
        assert all(word in text for word in case.words), (name, text)
    judged = verdicts(bars, market, case.timeframe)
    at = bars.index.get_loc(lab.jumps.index[0])
    assert set(judged.iloc[:at]) == {"ok"} and judged.iloc[at] != "ok"


def test_every_file_has_its_row():
    assert {path.name for path in FOLDER.iterdir()} == {case.file for case in CASES}
