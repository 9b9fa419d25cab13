"""When each market trades."""

import pandas as pd
from tapes import EURUSD, GOLD, SPY

from smcdesk.marketdata.calendars import expected_open_times


def test_hours_know_the_days_of_each_market():
    times = expected_open_times(EURUSD)(*(pd.Timestamp(t) for t in ("2024-03-08T00:00Z", "2024-03-11T00:00Z")), "1h")
    gone = pd.Timestamp("2024-03-08T21:00Z"), pd.Timestamp("2024-03-10T21:00Z")  # 16:00 EST and 17:00 EDT
    assert gone[0] in times and gone[0] + pd.Timedelta("1h") not in times and gone[1] in times
    gold = expected_open_times(GOLD)(*(pd.Timestamp(t) for t in ("2024-03-08T00:00Z", "2024-03-12T00:00Z")), "1h")
    assert gone[1] not in gold and pd.Timestamp("2024-03-11T21:00Z") not in gold
    shares = expected_open_times(SPY)(*(pd.Timestamp(t) for t in ("2024-07-03T13:30Z", "2024-07-05T20:00Z")), "30m")
    assert list(shares.strftime("%d %H:%M")[[6, 7]]) == ["03 16:30", "05 13:30"]  # a half day, then a holiday
    days = expected_open_times(SPY)(*(pd.Timestamp(t) for t in ("2024-07-01T04:00Z", "2024-07-08T04:00Z")), "1D")
    assert len(days) == 5
    assert (
        len(expected_open_times(EURUSD)(*(pd.Timestamp(t) for t in ("2024-03-03T22:00Z", "2024-03-15T20:00Z")), "4h"))
        == 60
    )
