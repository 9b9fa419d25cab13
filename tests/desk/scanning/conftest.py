"""A synthetic market that scans play."""

from __future__ import annotations

import pytest
from scan_play import START
from virtual import Clock, House, tape


@pytest.fixture(scope="module")
def bars(house):
    return tape()


@pytest.fixture
def market(bars, tmp_path):
    return House(tmp_path, bars, Clock(bars.index[START].to_pydatetime()))
