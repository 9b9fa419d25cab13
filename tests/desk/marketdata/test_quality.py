"""How good candles are: every fault by its name, verdicts by time, and two sources compared."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tapes import BTC, EURUSD, SPY

from smcdesk.marketdata.calendars import expected_open_times
from smcdesk.marketdata.quality import cross_check, inspect, verdict, verdicts, week_of
from smclab.candles import BadBars, BadConfig, resample
from smclab.tapes import market


@pytest.fixture(scope="module")
def fx():
    return market(8000, seed=2)


def kinds(found):
    return dict(zip(found.findings["kind"], found.findings["level"], strict=True))


def test_a_clean_tape_is_ok(fx, tape):
    assert inspect(fx, EURUSD).verdict == "ok" and inspect(tape, BTC).verdict == "ok"


@pytest.mark.parametrize("zone", ["Europe/Athens", "America/New_York", "Europe/London"])
def test_a_wrong_clock_is_bad_and_named(fx, zone):
    wrong = fx.set_axis(fx.index.tz_convert(zone).tz_localize(None).tz_localize("UTC"))
    found = inspect(wrong[~wrong.index.duplicated()].sort_index(), EURUSD, timeframe="15m")
    assert (
        found.verdict == "bad" and kinds(found)["clock"] == "bad" and "the week opens and closes" in found.reasons[-1]
    )


def test_each_fault_is_found_by_name(fx):
    hours = resample(fx, "1h").drop(columns="close_time")
    days = resample(fx, "1D").drop(columns="close_time")
    twice, beside, late = fx.copy(), fx.copy(), fx.index[-1] + pd.Timedelta("2h")
    twice.iloc[104:108] = twice.iloc[100:104].to_numpy()
    beside.index = beside.index.where(np.arange(len(fx)) % 900 != 3, beside.index + pd.Timedelta("1min"))
    daily = pd.concat([days.iloc[:30], hours[hours.index >= days.index[30]]])
    among = pd.concat([hours[hours.index.hour != 0], days]).sort_index()
    among = among[~among.index.duplicated()]
    broken = fx.copy()
    broken.iloc[50, 1] = broken.iloc[50, 2] / 2
    silent = fx.assign(volume=0.0)
    cases = [
        (inspect(twice, EURUSD), "repeated"), (inspect(beside, EURUSD, timeframe="15m"), "off grid"),
        (inspect(daily, EURUSD, timeframe="1h"), "daily candles"),
        (inspect(among, EURUSD, timeframe="1h"), "daily candles"), (inspect(broken, EURUSD), "impossible"),
        (inspect(silent, BTC), "no volume"), (inspect(fx.drop(fx.index[900:1300]), EURUSD), "missing"),
        (inspect(fx, EURUSD, now=late), "late"),
    ]  # fmt: skip
    for found, kind in cases:
        assert kinds(found).get(kind) in ("degraded", "bad"), (kind, found.findings)
        assert found.verdict != "ok" and found.reasons
    assert inspect(fx, EURUSD, now=fx.index[-1] + pd.Timedelta("20min")).verdict == "ok"


def test_shares_on_new_yorks_clock_are_bad():
    grid = expected_open_times(SPY)(pd.Timestamp("2024-01-02T14:30Z"), pd.Timestamp("2024-03-28T19:45Z"), "15m")
    bars = market(len(grid), seed=4, price=400.0, tick=0.01, week="24/7").set_axis(grid)
    assert inspect(bars, SPY, timeframe="15m").verdict == "ok"
    wrong = bars.set_axis(grid.tz_convert("America/New_York").tz_localize(None).tz_localize("UTC"))
    found = inspect(wrong, SPY, timeframe="15m")
    assert kinds(found)["clock"] == "bad" and "XNYS" in " ".join(found.reasons)


def test_an_exchange_of_its_own_has_its_own_days():
    london = replace(SPY, symbol="VOD", exchange="XLON", zone="Europe/London")
    grid = expected_open_times(london)(pd.Timestamp("2024-01-02T08:00Z"), pd.Timestamp("2024-03-28T16:15Z"), "15m")
    bars = market(len(grid), seed=4, price=400.0, tick=0.01, week="24/7").set_axis(grid)
    assert inspect(bars, london, timeframe="15m").verdict == "ok"
    assert kinds(inspect(bars, SPY, timeframe="15m"))["clock"] == "bad"
    with pytest.raises(BadConfig, match="unknown exchange calendar 'XLOM'"):
        inspect(bars, replace(london, exchange="XLOM"), timeframe="15m")


def test_the_verdict_decisions_use_hears_the_inspection_a_week_later_and_never_sooner(fx):
    assert set(verdicts(fx, EURUSD)) == {"ok"}
    athens = fx.set_axis(fx.index.tz_convert("Europe/Athens").tz_localize(None).tz_localize("UTC"))
    wrong = athens[~athens.index.duplicated()].sort_index()
    by_bar = verdicts(wrong, EURUSD, "15m")
    turned = by_bar.index[by_bar == "bad"][0]
    weeks = week_of(by_bar.index.asi8)
    assert weeks[by_bar.index.get_loc(turned)] == weeks[by_bar.index.get_loc(turned) - 1] + 1
    assert turned - by_bar.index[0] > pd.Timedelta(weeks=4) and (by_bar[turned:] == "bad").all()
    for n in (900, 3000, 3500, len(wrong)):
        assert verdicts(wrong.iloc[:n], EURUSD, "15m").equals(by_bar.iloc[:n]), n
        assert verdict(wrong.iloc[:n], EURUSD, "15m") == by_bar.iloc[n - 1], n


def test_two_sources_are_compared_and_a_shift_is_found(tape):
    found = cross_check(tape, tape, BTC)
    assert (found.verdict, found.differ_n, found.shift) == ("ok", 0, pd.Timedelta(0))
    late = cross_check(tape, tape.set_axis(tape.index + pd.Timedelta("2h")), BTC)
    assert late.verdict == "bad" and late.shift == pd.Timedelta("2h") and late.correlation > 0.99 > late.unshifted
    early = cross_check(tape, tape.set_axis(tape.index - pd.Timedelta("5h")), BTC)
    assert early.shift == -pd.Timedelta("5h")
    other = tape.copy()
    other.iloc[100:300, :4] *= 1.02
    apart = cross_check(tape, other.drop(other.index[500:510]), BTC)
    assert apart.differ_n == 200 and apart.only_first_n == 10 and apart.verdict == "degraded"
    assert apart.worst.index[0] in tape.index[100:300]
    with pytest.raises(BadBars, match="in common"):
        cross_check(tape.iloc[:100], tape.iloc[200:300], BTC)
