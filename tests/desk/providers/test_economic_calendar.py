"""The calendar of news: fetched once an hour, its age known."""

import pandas as pd
import pytest
from lookalikes import Venue, forexfactory, running

from smcdesk.providers import BadAnswer, ProviderDown, economic_calendar
from smclab.candles import BadConfig


def test_a_calendar_is_fetched_once_an_hour_and_its_age_known(tmp_path):
    now = [pd.Timestamp("2026-09-28T06:00Z")]
    with running(Venue(None, forexfactory.answer)) as venue:
        settings = {"path": "week.json", "fetched_at": None, "url": f"{venue.url}/ff_calendar_thisweek.json"}
        sentences = [economic_calendar.refresh(settings, tmp_path, clock=lambda: now[0]) for _ in range(3)]
        assert len(venue.requests) == 1 and "events fetched" in sentences[0] and "not again for 60 min" in sentences[1]
        found = economic_calendar.calendar(settings, tmp_path)
        assert found.fetched_at_ns == now[0].value and len(found) > 0
        (tmp_path / "week.json").write_text((tmp_path / "week.json").read_text() + " ")
        assert (
            economic_calendar.calendar(settings, tmp_path).fetched_at_ns == found.covered_from_ns
        )  # another file lies there now
        now[0] += pd.Timedelta("61min")
        venue.faults = [forexfactory.denied]
        before = (tmp_path / "week.json").read_bytes()
        with pytest.raises(BadAnswer, match="sent no calendar"):
            economic_calendar.refresh(settings, tmp_path, clock=lambda: now[0])
        assert (tmp_path / "week.json").read_bytes() == before
        assert (
            "not again" in economic_calendar.refresh(settings, tmp_path, clock=lambda: now[0])
            and len(venue.requests) == 2
        )
        now[0] += pd.Timedelta("61min")
        venue.faults = [forexfactory.limited]
        with pytest.raises(ProviderDown, match="429"):
            economic_calendar.refresh(settings, tmp_path, clock=lambda: now[0])
        now[0] += pd.Timedelta("90min")
        assert "not again for 30 min" in economic_calendar.refresh(settings, tmp_path, clock=lambda: now[0])
    with pytest.raises(BadConfig, match=r"week\.json"):
        economic_calendar.refresh({"path": None, "url": "x"}, tmp_path)
