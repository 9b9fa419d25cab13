"""A point of interest is any active zone or pool band of a higher timeframe, for bars, gaps and entries alike."""

import numpy as np
import pandas as pd
import pytest
from read_tapes import BUSY, NAMES, tape

from smclab.poi import POI_KINDS, POOL_BAND_ATR
from smclab.reader import Reader, read
from smclab.setups import SetupConfig, candidates, candidates_at
from smclab.tapes import market

ANY = SetupConfig(sweep_sources=("external", "equal", "swing"), confirm="any", zones=("gap", "order_block", "breaker"))
BEGINS = {
    ("gap", "born"): "gap",
    ("order_block", "born"): "order_block",
    ("order_block", "broken"): "breaker",
    ("pool", "opened"): "pool",
    ("pool", "joined"): "pool",
}
ENDS = {
    "gap": {"inverted", "expired"},
    "order_block": {"broken", "expired", "evicted"},
    "breaker": {"breaker_failed", "evicted"},
    "pool": {"joined", "swept", "run", "expired"},
}


def lives(reading, timeframe):
    """Every zone and pool of a timeframe, from the log: kind, side it is for, top, bottom, bars [first, end)."""
    index, out, facts = reading.bars.index, [], {}
    events = reading.of(timeframe=timeframe)
    rows = events[events["family"].isin(["gap", "order_block", "pool"])].to_dict("records")
    for e in rows:
        facts.setdefault((e["family"], e["parent_id"]), []).append(e)
    for e in rows:
        kind = BEGINS.get((e["family"], e["kind"]))
        if kind is not None:
            zone = e["event_id"] if e["parent_id"] < 0 else e["parent_id"]
            later = (x for x in facts.get((e["family"], zone), ()) if x["event_id"] > e["event_id"])
            over = next((x["known_at"] for x in later if x["kind"] in ENDS[kind]), None)
            way = -e["side"] if kind in ("breaker", "pool") else e["side"]
            end = len(index) if over is None else index.get_loc(over)
            out.append((kind, way, e["top"], e["bottom"], index.get_loc(e["known_at"]), end))
    return out


def plainly(reading):
    """(timeframe, kind, side) -> zones, and a function that says what holds [low, high] at a bar, as words."""
    zones = {tf: lives(reading, tf) for tf in reading.above}
    atr = reading.columns["atr14"].to_numpy()

    def held(bar, side, low, high):
        words = ""
        for tf, every in zones.items():
            for kind in POI_KINDS:
                wide = POOL_BAND_ATR * atr[bar] if kind == "pool" else 0.0
                mine = (z for z in every if z[0] == kind and z[1] == side and z[4] <= bar < z[5])
                if any(low <= top + wide and high >= bottom - wide for _, _, top, bottom, _, _ in mine):
                    words = f"{tf} {kind}"
        return words

    return held, zones


@pytest.mark.parametrize("name", NAMES)
def test_bars_in_a_point_of_interest_are_those_that_overlap_any_active_one(name):
    reading = tape(name)
    _, zones = plainly(reading)
    high, low, atr = (reading.columns["atr14"] if c == "atr" else reading.bars[c] for c in ("high", "low", "atr"))
    high, low, atr = high.to_numpy(), low.to_numpy(), atr.to_numpy()
    for side, column in ((1, "in_poi_up"), (-1, "in_poi_down")):
        expected = np.zeros(reading.n, bool)
        for kind, way, top, bottom, first, end in (z for every in zones.values() for z in every):
            if way == side:
                life = slice(first, end)
                wide = POOL_BAND_ATR * atr[life] if kind == "pool" else 0.0
                expected[life] |= (low[life] <= top + wide) & (high[life] >= bottom - wide)
        assert 0.05 < expected.mean() < 1.0
        np.testing.assert_array_equal(reading.columns[column], expected)


@pytest.mark.parametrize("name", NAMES)
def test_entries_and_gaps_ask_the_same_question(name):
    reading = tape(name)
    held, _ = plainly(reading)
    found = candidates(reading, "EURUSD", ANY)
    rows = found.iloc[-60:]
    expected = [held(t, s, e, e) for t, s, e in zip(rows["known_bar"], rows["side"], rows["entry_price"], strict=True)]
    assert rows["htf_poi"].tolist() == expected
    assert rows["in_htf_poi"].tolist() == [word != "" for word in expected]
    gaps = reading.of("gap").query("kind == 'born'").iloc[-60:]
    born = zip(gaps["known_bar"], gaps["side"], gaps["bottom"], gaps["top"], strict=True)
    assert gaps["in_htf_poi"].tolist() == [float(held(*gap) != "") for gap in born]


def hours(*rows):
    """15-minute bars of hourly open, high, low, close: out, up, down, in."""
    out = []
    for o, h, low, c in rows:
        mid = round((h + low) / 2, 5)
        out += [(o, max(o, mid), min(o, mid), mid), (mid, h, mid, h), (h, h, low, low), (low, max(low, c), low, c)]
    return out


def test_an_entry_in_a_gap_behind_a_nearer_one_is_in_a_point_of_interest():
    hourly = hours(
        (1.21350, 1.21403, 1.21300, 1.21390),
        (1.21390, 1.21510, 1.21385, 1.21495),
        (1.21495, 1.21516, 1.21490, 1.21512),  # the first gap: 1.21403 to 1.21490
        (1.21512, 1.21560, 1.21505, 1.21555),
        (1.21555, 1.21600, 1.21542, 1.21590),  # the second: 1.21516 to 1.21542
    )
    dip = [(1.21590, 1.21592, 1.21505, 1.21508), (1.21508, 1.21510, 1.21478, 1.21480)]
    prices = pd.DataFrame([*hourly, *dip], columns=["open", "high", "low", "close"]).assign(volume=1.0)
    bars = prices.set_axis(pd.date_range("2024-03-05 08:00", periods=len(prices), freq="15min", tz="UTC", name="time"))
    reader = Reader(instrument="EURUSD", timeframes=("1h",)).extend(bars)
    reading, last = reader.reading, len(bars) - 1
    gaps = reading.of("gap", "1h")
    assert gaps[["kind", "bottom", "top"]].values.tolist() == [["born", 1.21403, 1.21490], ["born", 1.21516, 1.21542]]
    assert reading.columns[["1h_gap_below_bottom", "1h_gap_below_top"]].iloc[-1].tolist() == [1.21516, 1.21542]
    entry, bit = np.array([1.21478]), 1 << POI_KINDS.index("gap")
    for source in (reading, reader.now()):
        found = source.points_of_interest(np.array([last]), entry, entry, np.zeros(1))
        assert found.tolist() == [[[bit, 0]]]
    assert reading.columns["in_poi_up"].iloc[-1] and not reading.columns["in_poi_down"].iloc[-1]


def test_points_of_interest_of_a_live_reader_are_those_of_the_whole_tape():
    bars = market(1400, seed=7)
    whole = read(bars, BUSY, instrument="EURUSD")
    rows = candidates(whole, "EURUSD", ANY, pending=True)
    live = Reader(BUSY, instrument="EURUSD", timeframe="15m").extend(bars.iloc[:900])
    parts = []
    for k in range(900, len(bars)):
        if k == 1100:
            live = Reader.from_bytes(live.to_bytes())
        live.push(bars.iloc[k])
        parts.append(candidates_at(live.now(), "EURUSD", ANY))
    expected = rows[rows["known_bar"] >= 900].reset_index(drop=True)
    assert len(expected) > 50
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), expected, check_exact=True)
    pd.testing.assert_frame_equal(live.reading.columns, whole.columns, check_exact=True)
    pd.testing.assert_frame_equal(live.reading.events, whole.events, check_exact=True)
