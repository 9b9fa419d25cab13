"""Every file of the standing table reads to the bars that are right, or is refused in the sentence that is right."""

import importlib
from pathlib import Path

import pandas as pd
import pytest

from smcdesk.providers.files import BadFile, read_file

FOLDER = Path(__file__).parent
OHLCV = ["open", "high", "low", "close", "volume"]


def rows_of(path: Path) -> tuple:
    "The cases of one table."
    return importlib.import_module(path.stem).CASES


CASES = [case for path in sorted(FOLDER.glob("cases*.py")) for case in rows_of(path)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_file_from_the_field_reads_right_or_is_refused_right(case):
    path = FOLDER / "files" / case.file
    if hasattr(case, "words"):
        with pytest.raises(BadFile) as caught:
            read_file(path, **case.options)
        assert all(word in str(caught.value) for word in case.words), str(caught.value)
        assert "\n" not in str(caught.value)
        return
    bars, notes = read_file(path, **case.options)
    assert (len(bars), bars.index[0], bars.index[-1]) == (
        case.n, pd.Timestamp(case.first, tz="UTC"), pd.Timestamp(case.last, tz="UTC"),
    )  # fmt: skip
    assert bars[OHLCV].iloc[0].tolist() == pytest.approx(case.first_row, rel=1e-12)
    assert bars[OHLCV].iloc[-1].tolist() == pytest.approx(case.last_row, rel=1e-12)
    for word in case.notes:
        assert word in " ".join(notes)


def test_every_file_has_its_row():
    assert {path.name for path in (FOLDER / "files").iterdir()} == {case.file for case in CASES}
