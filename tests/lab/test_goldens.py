"""The public sample of `smartmoneyconcepts` 0.0.27, read with our rooms: equal where both define the same thing."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smclab.candles import check
from smclab.structure import StructureConfig, structure_events
from smclab.zones import OrderBlockConfig, gap_events, order_block_events

WINDOW = StructureConfig(left=4, right=5, major_left=0)  # the package's window for swing length 5 is [p - 4, p + 5]


@pytest.fixture(scope="module")
def folder(root) -> Path:
    shared = Path(os.environ.get("SMCLAB_PARITY", root.parent / "shared" / "parity")) / "smartmoneyconcepts"
    if not (shared / "EURUSD_15M.csv").exists():
        pytest.skip(f"the public goldens are not at {shared}; set SMCLAB_PARITY to the folder that holds them")
    return shared


@pytest.fixture(scope="module")
def bars(folder) -> pd.DataFrame:
    raw = pd.read_csv(folder / "EURUSD_15M.csv")
    times = pd.to_datetime(raw["Date"], format="%Y.%m.%d %H:%M:%S").dt.as_unit("ns")  # broker clock, taken as UTC
    values = raw[["Open", "High", "Low", "Close", "Tickvol"]].astype("float64")
    values.columns = ["open", "high", "low", "close", "volume"]
    return check(values.set_axis(pd.DatetimeIndex(times, tz="UTC", name="time")), timeframe="15m")


@pytest.fixture(scope="module")
def log(bars) -> pd.DataFrame:
    return structure_events(bars, WINDOW, timeframe="15m")


@pytest.fixture(scope="module")
def breaks(folder, log) -> pd.DataFrame:
    """The breaks both have, side by side; what only the package has is left out."""
    theirs = pd.read_csv(folder / "bos_choch_result_data.csv")
    theirs = theirs.assign(side=theirs["BOS"].fillna(theirs["CHOCH"])).dropna(subset=["side"])
    ours = log[(log["family"] == "structure") & (log["kind"] != "mss")]
    both = theirs.rename_axis("anchor").reset_index().merge(ours, on=["anchor", "side"])
    assert len(both) > 0.85 * len(theirs)
    return both


def test_gaps_on_the_public_sample_are_the_packages_gaps(folder, bars):
    events = gap_events(bars, timeframe="15m")
    born = events[events["kind"] == "born"].set_index("event_id")
    touched = events[events["kind"] == "touched"].set_index("parent_id")["known_bar"]
    theirs = pd.read_csv(folder / "fvg_result_data.csv").dropna(subset=["FVG"])
    ours = pd.DataFrame(
        {
            "FVG": born["side"].astype("float64"),
            "Top": born["top"],
            "Bottom": born["bottom"],
            "MitigatedIndex": touched.reindex(born.index).fillna(0.0).astype("float64"),  # 0: never touched
        }
    ).set_axis(born["anchor"])
    assert len(theirs) == 5020
    pd.testing.assert_frame_equal(ours.sort_index(), theirs, check_names=False, check_exact=True)


def test_swings_of_the_public_sample_are_a_superset_of_the_packages(folder, bars, log):
    theirs = pd.read_csv(folder / "swing_highs_lows_result_data.csv").dropna()
    swings = log[log["kind"].isin(["high", "low"])]
    ours = set(zip(swings["anchor"], swings["side"], strict=True))
    missing = {(k, int(side)) for k, side in theirs["HighLow"].items()} - ours
    window = {1: bars["high"].to_numpy(), -1: bars["low"].to_numpy()}
    for k, side in missing:  # its first and last bar are forced; of equal bars it takes each, here the leftmost is one
        x = side * window[side]
        edge = k < WINDOW.left or k + WINDOW.right >= len(bars)
        assert edge or x[k] in x[k - WINDOW.left : k], f"{k} {side}"


def test_breaks_both_know_have_the_same_level(breaks):
    assert (breaks["Level"] == breaks["level"]).all()


def test_breaks_on_another_bar_are_closes_that_equal_the_level(breaks, bars):
    other = breaks[breaks["BrokenIndex"] != breaks["known_bar"]]
    close = bars["close"].to_numpy()[other["BrokenIndex"].astype(int)]
    level, side = other["level"].to_numpy(), other["side"].to_numpy()
    assert 0 < len(other) < 0.02 * len(breaks)
    assert (close == level).all()
    assert (side * close > side * level.astype(np.float32)).all()  # in single precision the same close is beyond


def test_order_blocks_both_know_have_the_same_zone(folder, bars):
    theirs = pd.read_csv(folder / "ob_result_data.csv")
    theirs = theirs[theirs["OB"].isin([1, -1])].rename_axis("anchor").reset_index().rename(columns={"OB": "side"})
    events = order_block_events(bars, OrderBlockConfig(candle="extreme"), WINDOW, timeframe="15m")
    both = theirs.merge(events[events["kind"] == "born"], on=["anchor", "side"])
    assert len(both) > 0.85 * len(theirs)
    assert (both["Top"] == both["top"]).all()
    assert (both["Bottom"] == both["bottom"]).all()
