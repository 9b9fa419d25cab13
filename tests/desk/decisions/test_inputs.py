"""What a decision needs, made of conf: its clock, spreads, costs and noise."""

import pandas as pd
import pytest

from smcdesk.decisions.inputs import (
    at_timeframe,
    decision_time_ns,
    round_trip_cost,
    spread_by_bar,
    stop_atr_series,
)
from smcdesk.project.config import load_config
from smclab.candles import BadConfig
from smclab.execution import Costs
from smclab.instruments import instrument
from smclab.tapes import market
from smclab.timeframes import Config


def test_paper_and_live_decide_by_the_clock_and_tapes_do_not(house):
    clocks = {env: load_config(env).parameters["clock"] for env in ("base", "test", "paper", "live")}
    assert clocks == {"base": "tape", "test": "tape", "paper": "wall", "live": "wall"}
    assert decision_time_ns("tape", "2024-03-08T10:15Z") is None
    assert decision_time_ns("wall", "2024-03-08T11:15+01:00") == pd.Timestamp("2024-03-08T10:15Z").value
    for clock, now, message in (
        ("wlal", None, "did you mean 'wall'"), ("wall", None, "there is no current time"),
        ("wall", "2024-03-08 10:15", "a moment with its zone"), ("wall", "noon", "a moment with its zone"),
    ):  # fmt: skip
        with pytest.raises(BadConfig, match=message):
            decision_time_ns(clock, now)


def test_spread_of_a_bar_is_the_widest_of_its_candles_and_the_usual_one_where_none_was_recorded():
    bars = market(8, seed=1, timeframe="15m")
    hours = at_timeframe(bars, instrument("EURUSD"), "1h")
    costs = Costs(spread_price=0.5)
    recorded = pd.Series([0.1, 0.3, 0.2], index=bars.index[:3])
    assert spread_by_bar(bars, bars, recorded, costs).tolist() == [0.1, 0.3, 0.2, *[0.5] * 5]
    assert spread_by_bar(bars, hours, recorded, costs).tolist() == [0.5, 0.5]
    assert spread_by_bar(bars, hours, recorded.reindex(bars.index, fill_value=0.2), costs).tolist() == [0.3, 0.2]
    assert spread_by_bar(bars, hours, None, costs).tolist() == [0.5, 0.5]


def test_round_trip_is_two_commissions_and_two_slips():
    costs = Costs(slippage_price=0.1, commission_per_unit=0.05, commission_pct=0.1)
    assert round_trip_cost(costs) == pytest.approx({"cost_price": 2 * (0.1 + 0.05), "cost_pct": 0.2})


def test_noise_of_a_finer_timeframe_is_known_at_its_own_closes():
    bars, fx = market(600, seed=1, timeframe="5m"), instrument("EURUSD")
    quarters = at_timeframe(bars, fx, "15m")
    assert (
        stop_atr_series(bars, quarters, fx, Config(), "entry")
        is stop_atr_series(bars, quarters, fx, Config(), "15m")
        is None
    )
    assert stop_atr_series(quarters, quarters, fx, Config(), "5m") is None  # coarser candles cannot say
    atr = stop_atr_series(bars, quarters, fx, Config(), "5m")
    assert len(atr) == 600 and atr.index[0] == bars.index[0] + pd.Timedelta("5min")
    assert atr.iloc[:300].equals(stop_atr_series(bars.iloc[:300], quarters.iloc[:100], fx, Config(), "5m"))
