"""Prices that cannot be, made at random places: found by the Lab, the inspection and the verdict of decisions alike."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tapes import BTC, EURUSD, SPY

from smcdesk.marketdata.findings import LATE_BARS
from smcdesk.marketdata.quality import inspect, verdict, verdicts
from smclab.candles import check, jump_sentences, jumps, quality, quality_known
from smclab.tapes import market

ROOT = Path(__file__).resolve().parents[3]
SHARED = ROOT.parent / "shared" / "data"
PRICES = ["open", "high", "low", "close"]


@pytest.fixture(scope="module")
def sample():
    bars = pd.read_parquet(ROOT / "data" / "01_raw" / "sample" / "EURUSD_1h.parquet")
    if "ts" in bars:
        bars = bars.set_index("ts")
    return check(bars, symbol="EURUSD").iloc[:6000]


@pytest.fixture(scope="module")
def days():
    rng = np.random.default_rng(5)
    closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.012, 900)))
    opens = np.r_[100.0, closes[:-1]] * np.exp(rng.normal(0, 0.006, 900))
    high, low = np.maximum(opens, closes) * 1.004, np.minimum(opens, closes) / 1.004
    index = pd.bdate_range("2018-01-02", periods=900, tz="UTC")
    return pd.DataFrame(
        {"open": opens, "high": high, "low": low, "close": closes, "volume": 1e6}, index=index.rename("time")
    )


def moved(bars, places, factor, columns=PRICES):
    wrong = bars.copy()
    wrong.iloc[places, [bars.columns.get_loc(name) for name in columns]] *= factor
    return wrong


@pytest.mark.parametrize("factor", [10, 100, 0.1, 0.01, 1.2, 0.8])
def test_a_whole_bar_elsewhere_is_found_at_every_one_of_100_places(sample, factor):
    for at in np.random.default_rng(1).choice(np.arange(1, len(sample) - 1), 100, replace=False).tolist():
        near = slice(max(at - 700, 0), at + 300)
        bars = moved(sample, at, factor).iloc[near]
        found = jumps(bars, timeframe="1h")
        assert found.index.tolist() == [sample.index[at]], (at, found)
        row = found.iloc[0]
        assert row["kind"] == ("lone bar" if factor in (1.2, 0.8) else "whole bar") and row["bars"] == 1
        assert row["before"] == sample["close"].iloc[at - 1] and row["after"] == sample["open"].iloc[at + 1]
        if factor not in (1.2, 0.8):
            assert row["cause"] == f"a decimal shift of x{factor:g}"
        lab = quality(bars, timeframe="1h", week="fx", symbol="EURUSD")
        assert lab.verdict != "ok" and f"{sample.index[at]:%Y-%m-%d %H:%M}Z" in lab.reasons[-1]


@pytest.mark.parametrize("columns", [["high"], ["low"], ["open", "high"], ["close", "high"]])
def test_one_price_at_ten_times_or_a_tenth_is_found_at_100_places(sample, columns):
    factor = 0.1 if columns == ["low"] else 10
    for at in np.random.default_rng(2).choice(np.arange(1, len(sample) - 1), 100, replace=False).tolist():
        bars = moved(sample, at, factor, columns).iloc[max(at - 300, 0) : at + 100]
        found = jumps(bars, timeframe="1h")
        assert found.index.tolist() == [sample.index[at]], (at, found)
        assert found["cause"].iloc[0] == f"a decimal shift of x{factor:g}"


@pytest.mark.parametrize(
    "parts", [1.5, 2, 3, 4, 5, 7, 8, 10, 15, 20, 1 / 2, 1 / 3, 1 / 5, 1 / 10, 1 / 20], ids=lambda p: f"{p:.3g}"
)
def test_splits_of_every_ratio_are_found_where_they_are_and_named(days, parts):
    for at in np.random.default_rng(3).choice(np.arange(30, len(days) - 5), 20, replace=False).tolist():
        bars = moved(days, slice(at, None), 1 / parts)
        found = jumps(bars, timeframe="1D")
        assert found.index.tolist() == [days.index[at]], (at, found)
        assert found["kind"].tolist() == ["lasting jump"]
        named = jumps(bars.assign(**{"Adj Close": days["close"] / parts}), timeframe="1D")["cause"].iloc[0]
        word = {1.5: "3:2", 0.5: "1:2"}.get(parts, f"{parts:g}:1" if parts > 1 else f"1:{1 / parts:.0f}")
        assert f"split of {word} that is not adjusted, as Adj Close shows" in named
        assert inspect(bars, SPY, timeframe="1D").verdict != "ok"


@pytest.mark.parametrize("factor", [1.7, 2.4, 6.3, 50, 1 / 1.7, 1 / 2.4])
def test_a_lasting_jump_without_an_explanation_is_found_and_says_so(sample, factor):
    bars = moved(sample, slice(3000, None), factor)
    found = jumps(bars, timeframe="1h")
    assert found.index.tolist() == [sample.index[3000]] and found["cause"].tolist() == [""]
    assert "no decimal shift or split is near" in jump_sentences(found)[0]
    assert inspect(bars, EURUSD, timeframe="1h").verdict != "ok"


def test_a_run_of_shifted_bars_is_one_finding_with_its_length(sample):
    found = jumps(moved(sample, slice(500, 540), 100), timeframe="1h")
    assert (found["kind"].tolist(), found["bars"].tolist()) == (["whole bar"], [40])


@pytest.mark.parametrize("gap_pct", [-30, -20, -5, 5, 20, 30])
def test_weekends_and_crashes_are_no_fault(sample, days, gap_pct):
    monday = sample.index[np.flatnonzero(np.diff(sample.index.asi8) > 40 * 3.6e12)[3] + 1]
    crash = moved(sample, slice(sample.index.get_loc(monday), None), 1 + gap_pct / 100)
    assert not len(jumps(crash, timeframe="1h"))
    assert not len(jumps(moved(days, slice(400, None), 1 + gap_pct / 100), timeframe="1D"))
    falling = days.copy()  # within the day, and the next day opens there
    falling.iloc[400:, :4] *= 0.5
    falling.iloc[400, [0, 1]] = days.iloc[400, [0, 1]]
    assert not len(jumps(falling, timeframe="1D"))


def test_after_a_hole_of_a_year_the_market_may_have_doubled():
    bars = market(20_000, seed=3, week="24/7")
    later = moved(bars.drop(bars.index[5000:15_000]), slice(5000, None), 1.6)
    assert not len(jumps(later, timeframe="15m"))
    assert len(jumps(moved(later, slice(5000, None), 10), timeframe="15m")) == 1


def test_jumps_are_known_at_their_own_bar_and_what_comes_later_changes_nothing(sample):
    bars = moved(sample.iloc[:3000], 900, 10)
    bars = moved(moved(moved(bars, slice(1500, None), 0.5), 1700, 1.3), 2500, 10, ["close", "high"])
    judged = quality_known(bars, timeframe="1h", week="fx")
    first = [t for t in bars.index[judged != "ok"] if judged[bars.index[bars.index.get_loc(t) - 1]] == "ok"]
    assert first == [bars.index[900], bars.index[1500], bars.index[2501]]
    whole = verdicts(bars, EURUSD, "1h")
    for cut in [*range(898, 904), 1400, 1401, *range(1499, 1503), *range(1699, 1704), *range(2499, 2504), 2999]:
        part = quality_known(bars.iloc[:cut], timeframe="1h", week="fx")
        pd.testing.assert_series_equal(part, judged.iloc[:cut])
        assert verdict(bars.iloc[:cut], EURUSD, "1h") == whole.iloc[cut - 1], cut


def test_the_inspection_has_the_findings_of_the_lab(sample):
    bars = moved(moved(sample, 800, 100), 2000, 10, ["high"])
    lab, desk = quality(bars, timeframe="1h", week="fx", symbol="EURUSD"), inspect(bars, EURUSD, timeframe="1h")
    row = desk.findings.set_index("kind").loc["jumps"]
    assert (row["n"], row["level"], row["first"]) == (2, "degraded", bars.index[800])
    assert all(sentence in row["sentence"] for sentence in jump_sentences(lab.jumps))


@pytest.mark.parametrize("timeframe", ["1h", "1W"])
def test_data_that_end_long_ago_are_never_ok(sample, timeframe):
    bars = sample if timeframe == "1h" else sample.resample("W-MON", label="left", closed="left").agg(
        {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"})  # fmt: skip
    step = pd.Timedelta("1h") if timeframe == "1h" else pd.Timedelta("7D")
    last = bars.index[-1]
    assert "late" not in inspect(bars, EURUSD, timeframe=timeframe, now=last + step).findings["kind"].tolist()
    found = inspect(bars, EURUSD, timeframe=timeframe, now=last + 3000 * step)
    late = found.findings.set_index("kind").loc["late"]
    assert found.verdict == "bad" and late["level"] == "bad" and late["n"] >= (2000 if timeframe == "1h" else 2998)
    assert f"{late['n']:,} more should be there" in late["sentence"]
    assert inspect(bars, EURUSD, timeframe=timeframe, now=last + 3000 * step, late_is_bad=False).verdict != "ok"


def test_a_weekend_is_not_late_by_the_markets_hours(sample):
    before = int(np.flatnonzero(np.diff(sample.index.asi8) > 40 * 3.6e12)[-1])
    friday = sample.iloc[: before + 1]
    sunday = inspect(friday, EURUSD, timeframe="1h", now=friday.index[-1] + pd.Timedelta("40h"))
    assert "late" not in sunday.findings["kind"].tolist()
    forever = inspect(friday, replace(BTC, symbol="X"), timeframe="1h", now=friday.index[-1] + pd.Timedelta("40h"))
    assert forever.findings.set_index("kind").loc["late", "n"] == 39 >= LATE_BARS[1]


@pytest.mark.parametrize(
    ("file", "timeframe", "n"),
    [("fx/EURUSD_15m", "15m", 0), ("fx/XAUUSD_15m", "15m", 0), ("fx/XAUUSD_1h_oanda", "1h", 0),
     ("crypto/BTCUSDT_15m", "15m", 0), ("crypto/BTCUSDT_5m_2024", "5m", 0), ("crypto/SOLUSDT_15m", "15m", 0),
     ("crypto/SOLUSDT_5m_2024", "5m", 0), ("equities/SPY_1d", "1D", 0), ("equities/AAPL_1h", "1h", 8)],
)  # fmt: skip
def test_real_tapes_have_no_finding_but_apples_splits_and_stub_quotes(file, timeframe, n):
    path = SHARED / f"{file}.parquet"
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    bars = pd.read_parquet(path)
    found = jumps(
        check(bars if isinstance(bars.index, pd.DatetimeIndex) else bars.set_index("ts")), timeframe=timeframe
    )
    assert len(found) == n
    if n:
        named = found["cause"].str.extract(r"split of (\d+:\d)")[0].dropna().to_dict()
        assert {f"{t:%Y-%m-%d}": word for t, word in named.items()} == {
            "2000-06-21": "2:1", "2005-02-28": "2:1", "2014-06-09": "7:1", "2020-08-31": "4:1",
        }  # fmt: skip
        assert (found["kind"] == "lasting jump").sum() == 5  # the fifth is what Apple lost in September 2000


def test_report_and_inspection_give_one_verdict_of_bars_beside_the_grid():
    from smcdesk.marketdata.quality import inspect
    from smcdesk.pipelines.data import inspected
    from smclab import tapes
    from smclab.instruments import instrument

    bars, market = tapes.market(600, seed=3), instrument("EURUSD")
    assert inspected(bars, market, {"symbol": "EURUSD"}).verdict == inspect(bars, market).verdict
    shifted = bars.set_axis(bars.index + pd.Timedelta("59s"), axis=0)
    report, found = inspected(shifted, market, {"symbol": "EURUSD"}), inspect(shifted, market)
    assert report.verdict == found.verdict == "bad"
    assert any("do not open on the" in reason for reason in report.reasons)
