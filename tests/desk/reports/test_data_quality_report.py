"""The data quality report: no series is ok that ended long ago, has holes, or holds a price that cannot be."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tapes import EURUSD

from smcdesk.datasets.records import RecordFolder
from smcdesk.reports import data_quality
from smcdesk.reports.text import NOTHING
from smclab.candles import Quality, quality
from smclab.tapes import market

NONE_REVISED = pd.DataFrame({"seen_at": pd.DatetimeIndex([], tz="UTC")})


def report_of(bars: pd.DataFrame, now: pd.Timestamp) -> SimpleNamespace:
    "A period of one series, a week long."
    history = SimpleNamespace(bars=lambda *a: bars, revisions=lambda *a: NONE_REVISED)
    configs = {"EURUSD": SimpleNamespace(instrument=EURUSD)}
    workspace = SimpleNamespace(history=history, provider_name="files", configs=configs)
    return SimpleNamespace(
        workspace=workspace, timeframes=("15m",), since=now - pd.Timedelta("7D"), until=now, now=now, env="paper"
    )


@pytest.fixture(scope="module")
def bars():
    return market(8000, seed=2)


def close(bars: pd.DataFrame) -> pd.Timestamp:
    "When the last candle closed."
    return bars.index[-1] + pd.Timedelta("15min")


def test_a_fresh_clean_series_is_ok(bars):
    assert data_quality.data(report_of(bars, close(bars)))["verdict"].tolist() == ["ok"]


@pytest.mark.parametrize("late", ["1h", "30D", "800D"])
def test_a_series_that_ended_is_never_ok_and_says_by_how_much(bars, late):
    report = report_of(bars, close(bars) + pd.Timedelta(late))
    row = data_quality.data(report).iloc[0]
    n = int(row["bars late"].replace(",", ""))
    assert row["verdict"] != "ok" and row["for decisions"] == "ok" and f"{n:,} more should be there" in row["why"]
    assert "ok" not in data_quality.verdict(report)
    assert n == (4 if late == "1h" else n) and n >= {"1h": 4, "30D": 1900, "800D": 50_000}[late]


def test_thousands_of_missing_candles_are_never_ok(bars):
    row = data_quality.data(report_of(bars.drop(bars.index[4500:7400]), close(bars))).iloc[0]
    assert row["holes"] > 2500 and row["verdict"] == "bad"


def test_a_price_that_cannot_be_is_in_the_report_and_in_its_table(bars):
    wrong = bars.copy()
    wrong.iloc[-2000, :4] *= 10
    report = report_of(wrong, close(bars))
    row, table = data_quality.data(report).iloc[0], data_quality.jumps(report)
    assert row["verdict"] != "ok" and "a decimal shift of x10" in row["why"]
    assert table[["symbol", "time", "kind"]].to_numpy().tolist() == [["EURUSD", bars.index[-2000], "whole bar"]]
    assert data_quality.jumps(report_of(bars, close(bars))) is NOTHING


@pytest.mark.parametrize("factor", [1, 10])
def test_a_stored_quality_comes_back_with_its_jumps(bars, tmp_path, factor):
    wrong = bars.copy()
    wrong.iloc[3000, :4] *= factor
    found, folder = quality(wrong), RecordFolder(filepath=str(tmp_path / "quality"), of="smclab.candles.Quality")
    folder.save(found)
    back = folder.load()
    assert isinstance(back, Quality) and back.reasons == found.reasons and np.isfinite(back.zero_volume_share)
    pd.testing.assert_frame_equal(back.jumps, found.jumps, check_freq=False)
