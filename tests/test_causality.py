"""Law 1, nothing sees the future, and law 2, a stream is a batch: one property each over every detector."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from smclab import tapes
from smclab.candles import COLUMNS
from smclab.reading import Config, Reader, from_bytes, read, to_bytes
from smclab.setups import candidates
from smclab.structure import StructureConfig, structure_events
from smclab.zones import GapConfig, gap_events

DETECTORS = {
    "structure": partial(structure_events, timeframe="15m"),
    "structure, wicks, protected": partial(
        structure_events,
        config=StructureConfig(left=2, right=2, break_src="wick", choch_ref="protected"),
        timeframe="15m",
    ),
    "gaps": partial(gap_events, timeframe="15m"),
    "gaps, all, expiring": partial(gap_events, config=GapConfig(middle="none", max_age_bars=9), timeframe="15m"),
    "reading": lambda bars: read(bars, timeframe="15m").events,
    "candidates": lambda bars: candidates(read(bars, timeframe="15m"), "EURUSD"),
}
TAPES = {
    "market": lambda seed: tapes.market(900, seed=seed),
    "24/7": lambda seed: tapes.market(900, seed=seed, week="24/7"),
    "equal prices": lambda seed: tapes.random_ticks(500, seed=seed),
}


def sees_the_future(detect, bars: pd.DataFrame, rng: np.random.Generator, cuts: int = 6) -> str:
    """Where `detect` knew something it could not have known; empty when it did not."""
    whole = detect(bars)
    for cut in sorted(rng.integers(1, len(bars), cuts)):
        now = bars.index[cut - 1]
        known = whole[whole["known_at"] <= now].reset_index(drop=True)
        other = pd.concat([bars.iloc[:cut], shuffled_future(bars.iloc[cut:], rng)])
        for name, tape in (("cut", bars.iloc[:cut]), ("future changed", other)):
            found = detect(tape)
            found = found[found["known_at"] <= now].reset_index(drop=True)
            if not found.equals(known):
                return f"{name} after bar {cut - 1}: {len(found)} rows known instead of {len(known)}, or others"
    return ""


def shuffled_future(bars: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The same times with other prices, up to a third away."""
    factor = rng.uniform(0.7, 1.3, len(bars))
    order = rng.permutation(len(bars))
    values = bars[list(COLUMNS)].to_numpy()[order] * np.c_[factor, factor, factor, factor, np.ones(len(bars))]
    return pd.DataFrame(values, index=bars.index, columns=list(COLUMNS))


@pytest.mark.parametrize("tape", TAPES)
@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("seed", range(3))
def test_detector_on_a_cut_tape_knows_the_same(detector, tape, seed):
    assert sees_the_future(DETECTORS[detector], TAPES[tape](seed), np.random.default_rng(seed)) == ""


def test_planted_cheat_is_caught():
    def cheat(bars):
        """Stamps each swing as known on the bar that made it, as many a library does."""
        events = structure_events(bars, timeframe="15m")
        swing = events["family"] == "swing"
        return events.assign(known_at=events["known_at"].where(~swing, events["time"]))

    assert "rows known instead of" in sees_the_future(cheat, TAPES["market"](0), np.random.default_rng(0))


def test_columns_on_a_cut_tape_are_the_same():
    bars = TAPES["market"](7)
    whole = read(bars).columns
    for cut in (1, 13, 250, 899):
        pd.testing.assert_frame_equal(read(bars.iloc[:cut], timeframe="15m").columns, whole.iloc[:cut])


@pytest.mark.parametrize("tape", TAPES)
def test_stream_equals_batch_also_across_save_and_load(tape):
    bars = TAPES[tape](1)
    config = Config.from_dict({"structure": {"left": 3, "right": 2}, "gap": {"max_age_bars": 40}})
    reader = Reader(config, timeframe="15m")
    for k, (ts, row) in enumerate(zip(bars.index.asi8, bars[list(COLUMNS)].to_numpy(), strict=True)):
        if k in (1, 100, 257):
            reader = from_bytes(to_bytes(reader))
        reader.push(ts, *row)
    batch, stream = read(bars, config), reader.reading
    pd.testing.assert_frame_equal(stream.events, batch.events, check_exact=True)
    pd.testing.assert_frame_equal(stream.columns, batch.columns, check_exact=True)


@pytest.mark.parametrize("seed", range(5))
def test_mirrored_prices_give_the_mirrored_log(seed):
    bars = tapes.random_ticks(400, seed=seed, levels=12)
    bars = bars[(bars["close"] - bars["open"] != 0)].set_axis(bars.index[: (bars["close"] != bars["open"]).sum()])
    k = float(bars["high"].max() + bars["low"].min())
    mirror = k - bars[["open", "low", "high", "close"]].set_axis(["open", "high", "low", "close"], axis=1)
    mirror["volume"] = bars["volume"]
    up, down = read(bars, timeframe="15m").events, read(mirror, timeframe="15m").events
    keys = ["known_bar", "family", "anchor", "kind", "side", "top", "bottom"]
    a = up[keys].astype({"family": str, "kind": str})
    b = down[keys].astype({"family": str, "kind": str})
    turned = {"high": "low", "low": "high", "up": "down", "down": "up"}
    b = b.assign(side=-b["side"], kind=b["kind"].replace(turned), top=k - down["bottom"], bottom=k - down["top"])
    order = ["known_bar", "family", "anchor", "kind", "side", "top"]
    pd.testing.assert_frame_equal(
        a.sort_values(order, ignore_index=True), b.sort_values(order, ignore_index=True), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("detector", DETECTORS)
def test_detectors_leave_their_input_alone(detector):
    bars = tapes.market(300, seed=2)
    before = bars.copy(deep=True)
    DETECTORS[detector](bars)
    pd.testing.assert_frame_equal(bars, before)


@pytest.mark.parametrize("detector", DETECTORS)
def test_no_event_is_known_before_it_could_be(detector):
    found = DETECTORS[detector](tapes.market(2000, seed=9))
    assert len(found) and (found["known_at"] >= found["time"]).all()
    assert found["known_close"].is_monotonic_increasing
