"""Law 1, nothing sees the future, and law 2, a stream is a batch: one property each over every detector."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smclab import tapes
from smclab.candles import COLUMNS, BadBars, resample
from smclab.dealing_range import RangeConfig, range_events
from smclab.instruments import instrument
from smclab.liquidity import LiquidityConfig, liquidity_events
from smclab.reader import Reader, read
from smclab.sessions import sessions_events
from smclab.setups import SetupConfig, candidates
from smclab.structure import StructureConfig, structure_events
from smclab.timeframes import Config
from smclab.zones import GapConfig, OrderBlockConfig, gap_events, order_block_events

NEW_YORK = {"zone": "America/New_York", "roll_hour": 17}
SMALL = StructureConfig(left=2, right=2, major_left=8, major_right=8)
LOOSE = Config(structure=SMALL, liquidity=LiquidityConfig(reclaim_bars=3))
ANY = SetupConfig(
    sweep_sources=("external", "equal", "swing"),
    confirm="any",
    zones=("gap", "order_block", "breaker"),
    volatility_bars=50,
)
DETECTORS = {
    "structure": structure_events,
    "structure, two small scales, wicks, protected": partial(
        structure_events,
        config=StructureConfig(
            left=2, right=2, major_left=8, major_right=8, break_src="wick", choch_ref="protected", break_buffer=1e-5
        ),
    ),
    "structure, leg": partial(structure_events, config=StructureConfig(swing_method="leg")),
    "structure, zigzag": partial(structure_events, config=StructureConfig(swing_method="atr_zigzag")),
    "gaps": gap_events,
    "gaps, all, expiring": partial(gap_events, config=GapConfig(middle="none", max_age_bars=9)),
    "order blocks": partial(order_block_events, structure=SMALL),
    "order blocks, bodies, wicks, few, expiring": partial(
        order_block_events,
        config=OrderBlockConfig(candle="extreme", zone="body", break_src="wick", cap=2, max_age_bars=60),
        structure=SMALL,
    ),
    "range": range_events,
    "range, swings": partial(range_events, config=RangeConfig(mode="swings")),
    "range, trailing": partial(range_events, config=RangeConfig(mode="trailing", range_bars=20)),
    "sessions": partial(sessions_events, **NEW_YORK),
    "pools": partial(liquidity_events, structure=SMALL, **NEW_YORK),
    "pools, slow reclaim": partial(
        liquidity_events, config=LiquidityConfig(reclaim_bars=4, tol_atr=0.3), structure=SMALL, **NEW_YORK
    ),
    "reading": lambda bars, timeframe: read(bars, instrument="EURUSD", timeframe=timeframe).events,
    "candidates": lambda bars, timeframe: candidates(read(bars, timeframe=timeframe), "EURUSD"),
    "candidates, loose, pending": lambda bars, timeframe: candidates(
        read(bars, LOOSE, timeframe=timeframe), "EURUSD", ANY, pending=True
    ),
}
DETECTORS = {name: partial(detect, timeframe="15m") for name, detect in DETECTORS.items()}
TAPES = {
    "market": lambda seed: tapes.market(900, seed=seed, start="2024-03-07"),  # across New York's change of clock
    "24/7": lambda seed: tapes.market(900, seed=seed, week="24/7", start="2024-10-25"),  # across London's
    "equal prices": lambda seed: tapes.random_ticks(500, seed=seed),
}


def sees_the_future(detect, bars: pd.DataFrame, rng: np.random.Generator, cuts: int = 4) -> str:
    """Where `detect` knew something it could not have known; empty when it did not."""
    whole = detect(bars)
    for cut in sorted(rng.integers(1, len(bars), cuts)):
        now = bars.index[cut - 1]
        before = whole[whole["known_at"] <= now].reset_index(drop=True)
        other = pd.concat([bars.iloc[:cut], shuffled_future(bars.iloc[cut:], rng)])
        for name, tape in (("cut", bars.iloc[:cut]), ("future changed", other)):
            found = detect(tape)
            found = found[found["known_at"] <= now].reset_index(drop=True)
            if not found.equals(before):
                return f"{name} after bar {cut - 1}: {len(found)} rows known instead of {len(before)}, or others"
    return ""


def shuffled_future(bars: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The same times with other prices, up to a third away."""
    factor = rng.uniform(0.7, 1.3, len(bars))
    order = rng.permutation(len(bars))
    values = bars[list(COLUMNS)].to_numpy()[order] * np.c_[factor, factor, factor, factor, np.ones(len(bars))]
    return pd.DataFrame(values, index=bars.index, columns=list(COLUMNS))


@pytest.mark.parametrize("tape", TAPES)
@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("seed", range(2))
def test_detector_on_a_cut_tape_knows_the_same(detector, tape, seed):
    assert sees_the_future(DETECTORS[detector], TAPES[tape](seed), np.random.default_rng(seed)) == ""


def test_planted_cheat_is_caught():
    def cheat(bars):
        """Stamps each swing as known on the bar that made it, as many a library does."""
        events = structure_events(bars, timeframe="15m")
        swing = events["family"] == "swing"
        return events.assign(known_at=events["known_at"].where(~swing, events["time"]))

    assert "rows known instead of" in sees_the_future(cheat, TAPES["market"](0), np.random.default_rng(0))


@pytest.mark.parametrize("tape", TAPES)
def test_columns_on_a_cut_tape_are_the_same(tape):
    bars = TAPES[tape](7)
    whole = read(bars, instrument="EURUSD").columns
    for cut in (1, 13, 250, len(bars) - 1):
        found = read(bars.iloc[:cut], instrument="EURUSD", timeframe="15m").columns
        pd.testing.assert_frame_equal(found, whole.iloc[:cut], check_exact=True)


@pytest.mark.parametrize("tape", TAPES)
def test_stream_equals_batch_also_across_save_and_load(tape, tmp_path):
    bars = TAPES[tape](1)
    config = Config.from_dict({"structure": {"left": 3, "right": 2}, "gap": {"max_age_bars": 40}})
    reader = Reader(config, instrument="EURUSD", timeframe="15m")
    pushed = []
    for k, (ts, row) in enumerate(zip(bars.index.asi8, bars[list(COLUMNS)].to_numpy(), strict=True)):
        if k in (1, 100, 257):
            reader = Reader.from_bytes(reader.to_bytes())
        if k == 400:
            (tmp_path / "reader.npz").write_bytes(reader.to_bytes())
            reader = Reader.from_bytes((tmp_path / "reader.npz").read_bytes())
        pushed.append(reader.push(ts, *row))
    batch, stream = read(bars, config, instrument="EURUSD"), reader.reading
    pd.testing.assert_frame_equal(stream.events, batch.events, check_exact=True)
    pd.testing.assert_frame_equal(stream.columns, batch.columns, check_exact=True)
    ids = [(e.timeframe, e.family, e.event_id) for events in pushed for e in events]
    log = batch.events
    assert ids == list(zip(log["timeframe"].astype(str), log["family"].astype(str), log["event_id"], strict=True))


def turned_over(bars: pd.DataFrame, k: float) -> pd.DataFrame:
    """The tape upside down: price -> k - price."""
    mirror = k - bars[["open", "low", "high", "close"]].set_axis(["open", "high", "low", "close"], axis=1)
    return mirror.assign(volume=bars["volume"])


def comparable(events: pd.DataFrame, k: float | None = None) -> pd.DataFrame:
    """What a mirror may not change, turned back if `k` is given, in an order of its own."""
    keys = ["known_bar", "family", "kind", "side", "anchor", "top", "bottom", "level"]
    out = events[[*keys, "timeframe"]].astype({"family": str, "kind": str, "timeframe": str})
    if k is not None:
        turned = {"high": "low", "low": "high", "up": "down", "down": "up"}
        out = out.assign(side=-out["side"], kind=out["kind"].replace(turned), level=k - out["level"])
        out = out.assign(top=k - events["bottom"], bottom=k - events["top"])
    return out.sort_values(["timeframe", *keys], ignore_index=True)


@pytest.mark.parametrize("seed", range(5))
def test_mirrored_prices_give_the_mirrored_log(seed):
    # A doji that breaks both sides at once has no side to lean to; without dojis the mirror is exact.
    bars = tapes.random_ticks(700, seed=seed, levels=12)
    bars = bars[bars["close"] != bars["open"]].set_axis(bars.index[: (bars["close"] != bars["open"]).sum()])
    k = float(bars["high"].max() + bars["low"].min())
    config = Config.from_dict({"structure": {"left": 2, "right": 2}})
    up = read(bars, config, timeframes=("1h",), timeframe="15m").events
    down = read(turned_over(bars, k), config, timeframes=("1h",), timeframe="15m").events
    pd.testing.assert_frame_equal(comparable(up), comparable(down, k), check_exact=True)


@pytest.mark.parametrize("seed", range(3))
def test_shifted_and_scaled_ticks_give_the_same_log(seed):
    bars = tapes.random_ticks(700, seed=seed, levels=12)
    moved = bars.assign(**{c: 4.0 * bars[c] + 1024.0 for c in COLUMNS[:4]})  # exact in binary
    original, shifted = (read(b, timeframe="15m").events for b in (bars, moved))
    for c in ("level", "top", "bottom", "protected_price"):
        pd.testing.assert_series_equal(4.0 * original[c] + 1024.0, shifted[c], check_exact=True)
    prices = {"level", "top", "bottom", "protected_price", "depth_price"}
    rest = [c for c in original.columns if c not in prices]
    pd.testing.assert_frame_equal(original[rest], shifted[rest], check_exact=True)


PLACES = ["level", "top", "bottom", "protected_price"]
PRICES = ["entry_price", "stop_price", "zone_top", "zone_bottom", *(f"pool_{k}" for k in range(1, 13))]


@pytest.fixture(scope="module")
def real() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Half a year of real EURUSD candles, their log and their candidates."""
    sample = Path(__file__).resolve().parents[2] / "data" / "01_raw" / "sample" / "EURUSD_1h.parquet"
    bars = pd.read_parquet(sample).set_index("ts").rename_axis("time").iloc[:3000]
    reading = read(bars, instrument="EURUSD")
    return bars, reading.events, candidates(reading, "EURUSD", ANY, pending=True)


def in_half_ticks(prices, per_unit: float, moved: int = 0) -> list[int]:
    """Prices as whole numbers: a middle may lie between two ticks."""
    return [round(2 * price * per_unit) + moved for price in prices]


@pytest.mark.parametrize(("ticks", "times"), [(1, 1), (2, 1), (3, 1), (7, 1), (30, 1), (0, 2), (30, 5), (7, 10)])
def test_shifts_and_scales_that_floats_do_not_have_leave_log_and_scores_as_they_are(real, ticks, times):
    bars, events, found = real
    at = (bars[list(COLUMNS[:4])] * 100_000).round()
    per_unit = 100_000 / times
    moved = bars.assign(**{c: (at[c] + ticks) / per_unit for c in at})
    grid = {name: getattr(instrument("EURUSD"), name) * times for name in ("tick", "point", "pip", "typical_spread")}
    profile = replace(instrument("EURUSD"), **{name: float(f"{value:.10g}") for name, value in grid.items()})
    reading = read(moved, instrument=profile)
    live = candidates(reading, profile, ANY, pending=True)
    assert [in_half_ticks(x, 100_000, 2 * ticks) for x in found["pools_other"]] == [
        in_half_ticks(x, per_unit) for x in live["pools_other"]
    ]
    for a, b, prices, steps in (
        (events, reading.events, PLACES, ["depth_price"]),
        (found.drop(columns="pools_other"), live.drop(columns="pools_other"), PRICES, ["atr_price"]),
    ):
        for c in prices:  # halves: a middle may lie between two ticks
            same = (2 * a[c] * 100_000).round() + 2 * ticks, (2 * b[c] * per_unit).round()
            pd.testing.assert_series_equal(*same, check_exact=True)
        gone = prices + (steps if times > 1 else [])
        a, b = a.drop(columns=gone), b.drop(columns=gone)
        # A scaled candidate's ratios to ATR come from the ATR as a price: the last bit may differ, nothing else.
        exact = times == 1 or "score" not in a
        pd.testing.assert_frame_equal(a, b, **({"check_exact": True} if exact else {"rtol": 1e-12, "atol": 1e-12}))
    assert len(found) > 100


@pytest.mark.parametrize("start", ["2024-03-07", "2024-03-28", "2024-10-24", "2024-10-31"])
def test_weeks_in_which_clocks_change_fold_into_the_same_days(start):
    bars = tapes.market(1400, seed=3, start=start)
    reader = Reader(instrument="EURUSD").extend(bars)
    higher = reader.reading.of("period").query("kind == 'closed' and source == 1")
    days = resample(bars, "1D", **NEW_YORK)
    found = days.loc[days.index.isin(days.index[1:]), ["high", "low"]].iloc[: len(higher)].to_numpy()
    assert len(higher) >= 10
    np.testing.assert_array_equal(higher[["top", "bottom"]].to_numpy(), found)


@pytest.mark.parametrize("detector", DETECTORS)
def test_degenerate_tapes_give_a_named_error_or_an_empty_log(detector):
    detect, bars = DETECTORS[detector], tapes.market(40, seed=0)
    assert len(detect(bars.iloc[:1])) <= 12  # sessions may open; nothing else can be known from one bar
    flat = bars.assign(**dict.fromkeys(COLUMNS[:4], 1.1))
    assert set(detect(flat).get("family", pd.Series(dtype=str)).astype(str)) <= {"session", "period", "pool", "range"}
    for broken, says in (
        (bars.iloc[:0], "empty"),
        (bars.assign(close=np.nan), "finite"),
        (bars.assign(low=0.0), "price"),
        (bars.assign(open=-1.0, low=-2.0), "price"),
        (bars.iloc[::-1], "time goes back"),
        (pd.concat([bars.iloc[:5], bars.iloc[4:]]), "duplicate time"),
    ):
        with pytest.raises(BadBars, match=says):
            detect(broken)


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
