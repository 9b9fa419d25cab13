import pytest
import tapes

from smcdesk.marketdata.history import CandleHistory


@pytest.fixture(scope="module")
def tape():
    return tapes.crypto()


@pytest.fixture
def history(tmp_path):
    return CandleHistory(tmp_path / "raw")
