"""Other members of the cases' kinds, made here: zones, labels, digits, orders of day and month, flags."""

import numpy as np
import pandas as pd
import pytest

from smcdesk.providers.clocks import clock_parts, named_clocks
from smcdesk.providers.files import BadFile, read_file
from smclab.candles import BadConfig

OPENS = pd.date_range("2024-01-30 22:00", periods=96, freq="15min", tz="UTC", unit="ns")


def written(path, times, extra=None, name="time", opens=OPENS):
    "A file of candles with these times as written."
    n = len(opens)
    table = pd.DataFrame({name: list(times), "open": 1.05, "high": 1.08, "low": 1.04, "close": 1.07, "volume": 10.0})
    for column, values in (extra or {}).items():
        table[column] = list(values)
    assert len(table) == n
    table.to_csv(path, index=False)
    return path


def text(times, form):
    return [t.strftime(form) for t in times]


CARRIED = {
    "Z": lambda t: text(t, "%Y-%m-%dT%H:%M:%SZ"),
    "offset": lambda t: text(t + pd.Timedelta("2h"), "%Y-%m-%d %H:%M:%S+02:00"),
    "offset of hours": lambda t: text(t - pd.Timedelta("5h"), "%Y-%m-%d %H:%M:%S-05"),
    "GMT offset": lambda t: text(t + pd.Timedelta("1h"), "%d.%m.%Y %H:%M:%S.000 GMT+0100"),
    "UTC behind": lambda t: text(t, "%Y-%m-%d %H:%M:%S UTC"),
    "compact Z": lambda t: text(t, "%Y%m%dT%H%M%SZ"),
    "zone behind": lambda t: text(t.tz_convert("America/New_York"), "%Y%m%d %H:%M:%S US/Eastern"),
    "seconds": lambda t: t.asi8 // 10**9,
    "milliseconds": lambda t: t.asi8 // 10**6,
    "microseconds": lambda t: t.asi8 // 10**3,
    "nanoseconds": lambda t: t.asi8,
    "float nanoseconds": lambda t: [f"{float(x):.18e}" for x in t.asi8],
}


@pytest.mark.parametrize("kind", CARRIED)
def test_times_that_carry_their_zone_are_read_alone_and_refused_with_another(tmp_path, kind):
    path = written(tmp_path / "x.csv", CARRIED[kind](OPENS))
    assert read_file(path)[0].index.equals(OPENS.rename("time"))
    with pytest.raises(BadFile, match="not shifted again"):
        read_file(path, zone="Europe/Athens")


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_parquet_that_carries_its_zone_is_never_shifted_again(tmp_path, zone):
    frame = pd.DataFrame({"open": 1.05, "high": 1.08, "low": 1.04, "close": 1.07}, index=OPENS.tz_convert(zone))
    frame.to_parquet(tmp_path / "x.parquet")
    assert read_file(tmp_path / "x.parquet")[0].index.equals(OPENS.rename("time"))
    with pytest.raises(BadFile, match="not shifted again"):
        read_file(tmp_path / "x.parquet", zone="Europe/Athens")


@pytest.mark.parametrize(
    ("zone", "hours"),
    {"UTC-5": -5, "UTC+02:00": 2, "GMT+3": 3, "+05:30": 5.5, "-0400": -4, "Etc/GMT+5": -5, "Asia/Kolkata": 5.5}.items(),
)
def test_fixed_offset_is_a_zone(tmp_path, zone, hours):
    path = written(tmp_path / "x.csv", text(OPENS + pd.Timedelta(hours=hours), "%Y-%m-%d %H:%M"))
    assert read_file(path, zone=zone)[0].index.equals(OPENS.rename("time"))


@pytest.mark.parametrize("zone", ["UTC+25", "Mars/Base", "EDT5", ""])
def test_no_clock_is_refused(tmp_path, zone):
    with pytest.raises(BadConfig, match="unknown time zone"):
        read_file(written(tmp_path / "x.csv", text(OPENS, "%Y-%m-%d %H:%M")), zone=zone)


@pytest.mark.parametrize(
    ("header", "clock"),
    {
        "Time (EET)": "Europe/Athens", "Gmt time": "UTC", "UTC": "UTC", "time_utc": "UTC", "Time (UTC+2)": "UTC+2",
        "Date [America/New_York]": "America/New_York", "timestamp_est": "UTC-5", "datetimeUTC": "UTC",
    }.items(),
)  # fmt: skip
def test_zone_in_the_header_is_taken(tmp_path, header, clock):
    name, hours = clock_parts(clock)
    wall = OPENS.tz_convert(name).tz_localize(None) + pd.Timedelta(hours=hours)
    path = written(tmp_path / "x.csv", text(wall, "%Y-%m-%d %H:%M:%S"), name=header)
    assert read_file(path)[0].index.equals(OPENS.rename("time"))
    with pytest.raises(BadFile, match="another clock"):
        read_file(path, zone="Asia/Tokyo")


def test_letters_of_two_clocks_are_refused_where_they_differ(tmp_path):
    summer = OPENS + pd.Timedelta("180D")
    path = written(tmp_path / "x.csv", text(summer, "%Y-%m-%d %H:%M"), name="Time (EST)")
    with pytest.raises(BadFile, match="UTC-5 or America/New_York; say which with --zone"):
        read_file(path)
    assert read_file(path, zone="America/New_York")[0].index[0] == summer[0] + pd.Timedelta("4h")
    assert named_clocks("EST") == ("UTC-5", "America/New_York") and named_clocks("close") == ()


@pytest.mark.parametrize("order", [("datetime", "timestamp"), ("timestamp", "datetime")])
def test_column_that_knows_its_zone_wins_wherever_it_stands(tmp_path, order):
    local = text(OPENS + pd.Timedelta("8h"), "%Y-%m-%d %H:%M:%S")
    columns = {"datetime": local, "timestamp": OPENS.asi8 // 10**6}
    path = written(tmp_path / "x.csv", columns[order[0]], {order[1]: columns[order[1]]}, name=order[0])
    bars, notes = read_file(path)
    assert bars.index.equals(OPENS.rename("time")) and "+8 h" in " ".join(notes)


@pytest.mark.parametrize("short", ["1ns", "1us", "1ms", "1s"])
@pytest.mark.parametrize("step", ["1min", "15min", "1h", "1D"])
def test_labels_just_before_the_next_bar_are_closes(tmp_path, short, step):
    opens = pd.date_range("2024-01-30", periods=40, freq=step, tz="UTC", unit="ns")
    closes = opens + pd.Timedelta(step) - pd.Timedelta(short)
    path = written(tmp_path / "x.csv", closes.asi8, opens=opens)
    bars, notes = read_file(path)
    assert bars.index.equals(opens.rename("time")) and "by their close" in " ".join(notes)


def test_column_called_close_time_holds_closes(tmp_path):
    path = written(tmp_path / "x.csv", (OPENS + pd.Timedelta("15min")).asi8 // 10**6, name="close_time")
    bars, notes = read_file(path)
    assert bars.index.equals(OPENS.rename("time")) and "the column's name says so" in " ".join(notes)


def test_label_may_be_said(tmp_path):
    path = written(tmp_path / "x.csv", (OPENS + pd.Timedelta("15min")).asi8 // 10**6)
    assert read_file(path, label="close")[0].index.equals(OPENS.rename("time"))
    with pytest.raises(BadConfig, match="expected open or close"):
        read_file(path, label="end")


def session(zone, opens, closes, step, days=8):
    "The opens of an exchange's bars on its own clock, in UTC."
    day = pd.bdate_range("2024-03-04", periods=days)
    wall = [d + pd.Timedelta(minutes=m) for d in day for m in range(opens, closes, step)]
    return pd.DatetimeIndex(wall).tz_localize(zone).tz_convert("UTC").as_unit("ns")


@pytest.mark.parametrize("step", [1, 5, 15, 30, 60])
@pytest.mark.parametrize(
    ("zone", "opens", "closes"),
    [("America/New_York", 570, 960), ("Europe/London", 480, 990), ("Europe/Berlin", 540, 1050),
     ("Asia/Kolkata", 555, 930)],
)  # fmt: skip
def test_session_tells_closes_from_opens(tmp_path, zone, opens, closes, step):
    right = session(zone, opens, closes, step)
    local = right.tz_convert(zone)
    ends = np.minimum(
        (local + pd.Timedelta(minutes=step)).asi8, (local.normalize() + pd.Timedelta(minutes=closes)).asi8
    )
    for labels, named in ((right, False), (pd.DatetimeIndex(ends, tz="UTC"), True)):
        path = written(tmp_path / "x.csv", labels.asi8 // 10**6, opens=right)
        bars, notes = read_file(path)
        assert bars.index.equals(right.rename("time")), (named, notes)
        assert ("by their close" in " ".join(notes)) == named


def test_label_off_the_grid_is_said(tmp_path):
    times = OPENS.to_series().reset_index(drop=True)
    times.iloc[40] += pd.Timedelta("7s")
    _, notes = read_file(written(tmp_path / "x.csv", text(times, "%Y-%m-%dT%H:%M:%SZ")))
    assert "Off the grid: 1 of 96" in " ".join(notes)
    _, notes = read_file(written(tmp_path / "y.csv", text(OPENS + pd.Timedelta("7s"), "%Y-%m-%dT%H:%M:%SZ")))
    assert "Off the grid: 96 of 96" in " ".join(notes)


@pytest.mark.parametrize(
    ("form", "step"),
    {"%Y%m%d": "1D", "%Y%m%d%H": "1h", "%Y%m%d%H%M": "15min", "%Y%m%d%H%M%S": "15min",
     "%Y%m%d%H%M%S000": "1min"}.items(),
)  # fmt: skip
def test_digits_of_any_width_are_dates(tmp_path, form, step):
    opens = pd.date_range("2024-01-30", periods=60, freq=step, tz="UTC", unit="ns")
    assert read_file(written(tmp_path / "x.csv", text(opens, form), opens=opens))[0].index.equals(opens.rename("time"))


@pytest.mark.parametrize("form", ["%d.%m.%Y %H:%M", "%m.%d.%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %I:%M %p"])
@pytest.mark.parametrize("start", ["2023-01-02", "2023-05-06 12:00", "2023-11-03"])
@pytest.mark.parametrize("newest_first", [False, True])
def test_steps_decide_between_day_and_month(tmp_path, form, start, newest_first):
    opens = pd.date_range(start, periods=48, freq="1h", tz="UTC", unit="ns")
    path = written(tmp_path / "x.csv", text(opens, form)[:: -1 if newest_first else 1], opens=opens)
    assert read_file(path)[0].index.equals(opens.rename("time"))


def test_one_day_leaves_day_and_month_open_and_names_the_options(tmp_path):
    opens = pd.date_range("2023-01-02", periods=20, freq="1h", tz="UTC", unit="ns")
    with pytest.raises(BadFile, match=r"--day-first or --month-first"):
        read_file(written(tmp_path / "x.csv", text(opens, "%d.%m.%Y %H:%M"), opens=opens))


@pytest.mark.parametrize(
    ("column", "yes", "no"),
    [("confirm", 1, 0), ("complete", True, False), ("is_closed", "true", "false"), ("x", "True", "False"),
     ("forming", 0, 1), ("is_final", "yes", "no")],
)  # fmt: skip
def test_rows_still_forming_are_dropped(tmp_path, column, yes, no):
    times = text(OPENS, "%Y-%m-%dT%H:%M:%SZ")
    bars, notes = read_file(written(tmp_path / "x.csv", times, {column: [yes] * 95 + [no]}))
    assert len(bars) == 95 and "still forming: dropped" in " ".join(notes)
    bars, notes = read_file(written(tmp_path / "x.csv", times, {column: [yes] * 96}))
    assert len(bars) == 96 and "forming" not in " ".join(notes).replace(column, "")
    with pytest.raises(BadFile, match="no candle has closed"):
        read_file(written(tmp_path / "x.csv", times, {column: [no] * 96}))
