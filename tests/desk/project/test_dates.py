"""Dates are ISO 8601; what could be two days is refused with both."""

import pandas as pd
import pytest

from smcdesk.marketdata.sync import since
from smcdesk.project.dates import check_iso
from smcdesk.providers.protocol import moment
from smclab.candles import BadConfig


@pytest.mark.parametrize(
    "text", ["2024-03-08", "2024-03-08T13:30Z", "2024-03-08 13:30:00+00:00", "2024-03-08T13:30:00.123456789-05:00"]
)
def test_iso_is_taken(text):
    check_iso(text)
    assert moment(text) == pd.to_datetime(text, utc=True)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("03/04/2024", "write 2024-04-03 or 2024-03-04"),
        ("13.04.2024", "write 2024-04-13"),
        ("4-4-2024", "write 2024-04-04"),
        ("March 4", "expected a moment such as"),
        ("20240304", "expected a moment such as"),
    ],
)
def test_anything_else_is_refused(text, sentence):
    with pytest.raises(BadConfig) as refused:
        moment(text)
    assert sentence in str(refused.value)


def test_span_that_is_months_or_minutes_is_asked_back():
    now = pd.Timestamp("2024-04-01T12:00Z")
    assert since("6mo", now) == pd.Timestamp("2023-10-01T12:00Z")
    assert since("6min", now) == pd.Timestamp("2024-04-01T11:54Z")
    with pytest.raises(BadConfig, match="say 6mo or 6min"):
        since("6m", now)
    with pytest.raises(BadConfig, match="2024-04-03 or 2024-03-04"):
        since("03/04/2024", now)
