"""An economic calendar from a file covers what it says, or is refused."""

import pandas as pd
import pytest
from calendar_files import EVENTS, WEEK, written

from smcdesk.providers import economic_calendar
from smclab.candles import BadConfig


@pytest.mark.parametrize("name", ["dump.parquet", "dump.csv"])
def test_dump_is_a_calendar_of_the_days_from_its_first_row_to_its_last(tmp_path, name):
    found = economic_calendar.read_calendar(written(tmp_path, name), fetched_at="2024-03-13T06:00:00Z")
    assert found.titles == ("BoC Interest Rate Decision", "Nonfarm Payrolls") and found.currencies == ("CAD", "USD")
    edges = [pd.Timestamp(x, tz="UTC").isoformat() for x in (found.covered_from_ns, found.covered_until_ns)]
    assert edges == ["2024-03-06T00:00:00+00:00", "2024-03-12T23:59:59.999999999+00:00"]
    assert pd.Timestamp(found.fetched_at_ns, tz="UTC") == pd.Timestamp("2024-03-13T06:00:00Z")


def test_calendar_that_does_not_say_when_it_was_fetched_is_as_old_as_its_first_day(tmp_path):
    found = economic_calendar.read_calendar(written(tmp_path, "dump.csv"))
    assert found.fetched_at_ns == found.covered_from_ns


def test_week_of_forexfactory_covers_its_week_in_new_york_across_a_clock_change(tmp_path):
    found = economic_calendar.read_calendar(written(tmp_path, "week.json", WEEK))
    assert found.titles == ("CPI y/y",) and found.times == (pd.Timestamp("2024-03-11 09:00Z").value,)
    assert pd.Timestamp(found.covered_from_ns, tz="UTC") == pd.Timestamp("2024-03-10 05:00Z")  # midnight, winter time
    assert pd.Timestamp(found.covered_until_ns + 1, tz="UTC") == pd.Timestamp("2024-03-17 04:00Z")  # midnight, summer


@pytest.mark.parametrize(
    ("name", "table", "message"),
    [
        ("a.csv", EVENTS.rename(columns={"impact": "impct"}), "a.csv: a calendar needs a column impact, .*'impct'"),
        ("a.csv", EVENTS.assign(ts=["2024-03-08T13:30Z", "soon", ""]), r"a.csv, row 1: expected a date .*'soon'"),
        ("a.csv", EVENTS.assign(ts="2024-03-08 13:30"), "row 0: '2024-03-08 13:30' says no zone"),
        ("a.parquet", EVENTS.assign(ts=EVENTS["ts"].dt.tz_localize(None)), "row 0: .* says no zone"),
        ("a.csv", EVENTS.assign(impact=["high", "hgih", "low"]), "row 1: impact must be .*'hgih'; did you mean 'high'"),
        ("a.csv", EVENTS.assign(currency=["USD", "", "USD"]), "row 1: currency is empty"),
        ("a.csv", EVENTS.iloc[:0], "no events"),
        ("a.json", {"events": WEEK}, "expected a JSON list"),
        ("a.json", [{**WEEK[0], "date": "2024-03-04T05:00:00-05:00"}, WEEK[1]], "expected one week .* 2024-03-04 to"),
        ("a.json", [{"title": "x", "contry": "EUR", "date": "", "impact": "low"}], "currency or country.*'contry'"),
    ],
)  # fmt: skip
def test_calendar_that_cannot_be_trusted_is_refused_in_one_sentence(tmp_path, name, table, message):
    with pytest.raises(BadConfig, match=message):
        economic_calendar.read_calendar(written(tmp_path, name, table))


def test_conf_names_a_calendar_or_there_is_none(tmp_path):
    written(tmp_path, "dump.csv")
    assert len(economic_calendar.calendar({"path": "dump.csv", "fetched_at": None}, tmp_path)) == 2
    assert economic_calendar.calendar({"path": None, "fetched_at": None}, tmp_path) is None
    assert economic_calendar.calendar({"path": "gone.csv"}, tmp_path) is None
    with pytest.raises(BadConfig, match="did you mean 'fetched_at'"):
        economic_calendar.calendar({"path": "dump.csv", "fetchd_at": None}, tmp_path)
    with pytest.raises(BadConfig, match=r"moment with its zone .* found '2024-03-08'"):
        economic_calendar.calendar({"path": "dump.csv", "fetched_at": "2024-03-08"}, tmp_path)
    with pytest.raises(BadConfig, match=r"no calendar dump\.parquet .*did you mean 'dump\.csv'"):
        economic_calendar.read_calendar(tmp_path / "dump.parquet")
