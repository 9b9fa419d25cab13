"""A market bar by bar decides what the whole tape decides, and trades what it trades, also cut and taken up again.

`make test` plays synthetic tapes and a slice of each shared one; STREAM_TAPES=whole plays the shared tapes whole.
"""

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smclab.account import Account
from smclab.candles import BadConfig, check
from smclab.decision import decide, decide_all
from smclab.execution import Costs, intents
from smclab.gates import Context
from smclab.instruments import instrument
from smclab.liquidity import LiquidityConfig
from smclab.news import NewsCalendar
from smclab.policy import Policy, preset
from smclab.reader import Reader, read
from smclab.replay import replay
from smclab.setups import SetupConfig, candidates, candidates_at, stages_at, warmup_bars
from smclab.stream import Stream
from smclab.structure import StructureConfig
from smclab.tapes import market, random_ticks
from smclab.timeframes import Config

WHOLE = os.environ.get("STREAM_TAPES") == "whole"
SLICE = 1500  # bars of each shared tape in the quick run
V1 = preset("v1")
SMALL = StructureConfig(left=2, right=2, major_left=8, major_right=8, tolerance_atr_bars=50)
LOOSE = Config(structure=SMALL, liquidity=LiquidityConfig(reclaim_bars=3))
ANY = SetupConfig(
    sweep_sources=("external", "equal", "swing"),
    confirm="any",
    zones=("gap", "order_block", "breaker"),
    volatility_bars=100,
)
SHARED = {
    "fx/EURUSD_15m": ("EURUSD", "15m"),
    "fx/EURUSD_15m_smclib": ("EURUSD", "15m"),
    "fx/XAUUSD_15m": ("XAUUSD", "15m"),
    "fx/XAUUSD_1h_oanda": ("XAUUSD", "1h"),
    "fx/XAUUSD_5m": ("XAUUSD", "5m"),
    "crypto/BTCUSDT_15m": ("BTCUSDT", "15m"),
    "crypto/SOLUSDT_15m": ("SOLUSDT", "15m"),
    "crypto/BTCUSDT_5m_2024": ("BTCUSDT", "5m"),
    "crypto/SOLUSDT_5m_2024": ("SOLUSDT", "5m"),
    "equities/AAPL_1h": ("default_equity", "1h"),
    "equities/SPY_1d": ("SPY", "1D"),
}


def context_for(symbol: str, **other) -> Context:
    """An account and a spread, no clock."""
    profile = instrument(symbol)
    return Context(profile, Account(equity=100_000.0), profile.typical_spread, **other)


def played(bars, timeframe, context, policy, config=None, setups=None, cuts=(), spread=None):
    """(decisions, reviews) bar by bar; at the cuts the stream is put away and taken up again."""
    reader = Reader(config, instrument=context.instrument, timeframe=timeframe)
    stream, decisions, reviews = Stream(reader, context, policy, setups), [], []
    rows = zip(bars.index.asi8.tolist(), bars[["open", "high", "low", "close", "volume"]].to_numpy(), strict=True)
    for n, (ts, row) in enumerate(rows):
        answers = stream.push(ts, *row, spread_price=None if spread is None else spread.iloc[n])
        decisions += answers.decisions
        reviews += answers.reviews
        assert len(answers.records) == max(len(answers.reviews), 1)
        if n in cuts:
            stream = Stream.from_bytes(stream.to_bytes(), context, policy, setups)
    return tuple(decisions), tuple(reviews)


def traded(decisions, reviews, bars, context):
    """The ledger, with limits, legs and zone exits."""
    orders = intents(decisions, bars, reviews=reviews, modes=("candle_close", "limit"), legs=True, zone_exit=True)
    costs = Costs(spread_price=context.spread_price)
    return replay(bars, orders, instrument=context.instrument, account=context.account, costs=costs)


def same(live, batch):
    """Every field of every decision."""
    assert len(live) == len(batch)
    assert [d.to_dict() for d in live] == [d.to_dict() for d in batch]


def agree(bars, timeframe, context, policy, config=None, setups=None, seed=0, spread=None):
    """Bar by bar and at once; the ledger, and the seconds of CPU the stream took."""
    cuts = set(np.random.default_rng(seed).integers(0, len(bars), 3).tolist())
    begun = time.process_time()
    decisions, reviews = played(bars, timeframe, context, policy, config, setups, cuts, spread)
    spent = time.process_time() - begun
    reading = read(bars, config, instrument=context.instrument, timeframe=timeframe)
    options = {"setups": setups, "spread_price": spread}
    same(decisions, decide_all(reading, context, policy, **options))
    batch = decide_all(reading, context, policy, **options, pending=True)
    same(reviews, batch)
    ledgers = [traded(decisions, records, bars, context) for records in (reviews, batch)]
    assert ledgers[0].hash() == ledgers[1].hash()
    return decisions, reviews, ledgers[0], spent


FIGURES = tuple(range(1_700_000_000, 1_720_000_000, 7 * 3600))
NEWS = NewsCalendar(tuple(s * 10**9 for s in FIGURES), ("USD",) * len(FIGURES), ("figure",) * len(FIGURES), 0, 2**62, 0)
TAPES = {
    "market": (market(2200, seed=8), V1, None, None),
    "market, graded": (market(1700, seed=3), Policy(), None, None),
    "market, loose, cut by the clock": (market(1000, seed=5, start="2024-03-03"), V1, LOOSE, ANY),
    "24/7": (market(1700, seed=6, week="24/7", start="2024-10-20"), V1, None, SetupConfig(volatility_bars=200)),
    "equal prices": (random_ticks(1000, seed=2), V1, LOOSE, ANY),
}


@pytest.mark.parametrize("tape", TAPES)
def test_stream_decides_and_trades_what_the_tape_does(tape):
    bars, policy, config, setups = TAPES[tape]
    decisions, reviews, ledger, _ = agree(bars, "15m", context_for("EURUSD", news=NEWS), policy, config, setups)
    assert len(reviews) > len(decisions) > 5
    assert tape == "equal prices" or any(d.outcome != "none" for d in decisions)
    assert tape != "market" or len(ledger.closed) > 3


def test_stream_with_a_spread_of_every_bar_decides_what_the_tape_does():
    bars = market(1700, seed=4)
    spread = pd.Series(np.random.default_rng(1).choice([0.00005, 0.0002, 0.001], len(bars)), bars.index)
    decisions, *_ = agree(bars, "15m", context_for("EURUSD"), V1, spread=spread)
    assert len({d.verdicts[0].evidence["spread_price"] for d in decisions}) == 3


def test_candidates_and_stages_of_a_live_reader_are_those_of_the_tape():
    bars = market(600, seed=11)
    whole, reader = read(bars, LOOSE, instrument="EURUSD"), Reader(LOOSE, instrument="EURUSD", timeframe="15m")
    live = []
    for n, (ts, row) in enumerate(zip(bars.index.asi8, bars.to_numpy(), strict=True)):
        reader.push(ts, *row)
        now = reader.now()
        live.append(candidates_at(now, "EURUSD", ANY))
        at = whole.at(bars.index[n])
        assert stages_at(now, "EURUSD", ANY) == stages_at(at, "EURUSD", ANY)
        assert (now.t, now.bar, now.known_close) == (at.t, at.bar, at.known_close)
    live = pd.concat([table for table in live if len(table)], ignore_index=True)
    pd.testing.assert_frame_equal(live, candidates(whole, "EURUSD", ANY, pending=True), check_exact=True)
    pd.testing.assert_series_equal(now.row, whole.at(bars.index[-1]).row)
    decide(now, context_for("EURUSD"), V1, setups=ANY)
    reader.push(bars.index.asi8[-1] + 900 * 10**9, *bars.to_numpy()[-1])
    for _ in range(2):  # the walk at the old bar, and gone on with the reader
        with pytest.raises(BadConfig, match="has gone on to bar 600"):
            decide(now, context_for("EURUSD"), V1, setups=ANY)
        decide(reader.now(), context_for("EURUSD"), V1, setups=ANY)


def test_stream_is_not_told_of_later_bars():
    bars, context = market(1500, seed=8), context_for("EURUSD")
    now, other = bars.index[1399], bars.copy()
    other.iloc[1400:, :4] *= 1.2
    for tape in (bars[:1400], other):
        decisions, _ = played(tape, "15m", context, V1)
        same(
            tuple(d for d in decisions if d.time <= now.value),
            decide_all(read(bars[:1400], instrument="EURUSD"), context, V1),
        )


def test_stream_asked_twice_or_late_or_for_two_policies_says_the_same():
    bars, context = market(2000, seed=8), context_for("EURUSD")
    stream = Stream(Reader(instrument="EURUSD", timeframe="15m"), context, V1)
    reading = read(bars, instrument="EURUSD")
    for n in (700, 701, 1300, 1900, 1901, 2000):  # some bars, not all
        stream.extend(bars.iloc[stream.n : n])
        at = reading.at(bars.index[n - 1])
        assert stream.decide() == stream.decide()
        for policy in (V1, Policy()):
            assert decide(stream.reader.now(), context, policy) == decide(at, context, policy)


def test_walk_of_another_version_is_walked_again(monkeypatch):
    bars, context = market(1800, seed=8), context_for("EURUSD")
    stream = Stream(Reader(instrument="EURUSD", timeframe="15m"), context, V1).extend(bars)
    stored = stream.to_bytes()
    for setups in (None, ANY):
        taken = Stream.from_bytes(stored, context, V1, setups)
        assert bool(taken.reader.cache) == (setups is None)
        at = read(bars, instrument="EURUSD").at(bars.index[-1])
        assert taken.decide().records == decide(at, context, V1, setups=setups)
    monkeypatch.setattr("smclab.setups.SEQUENCE_VERSION", 0)
    assert not Stream.from_bytes(stored, context, V1).reader.cache


def test_history_too_short_is_refused_live_and_on_the_tape():
    bars, context = market(1700, seed=8), context_for("EURUSD")
    reading = read(bars, LOOSE, instrument="EURUSD", timeframes=("1h",))
    reader = Reader(LOOSE, instrument="EURUSD", timeframe="15m", timeframes=("1h",))
    stream = Stream(reader, context, V1, ANY).extend(bars.iloc[:1])
    assert stream.warmup == warmup_bars(reading, ANY) == 100
    assert warmup_bars(read(bars, instrument="EURUSD")) == 12 * 96
    assert warmup_bars(read(bars, instrument="EURUSD", timeframes=("1h",))) == 500
    for n in range(1, 160):
        records = stream.push(bars.iloc[n]).records
        assert records == decide(reading.at(bars.index[n]), context, V1, setups=ANY)
        if n + 1 < 100:
            assert {(d.outcome, d.why) for d in records} == {("none", f"only {n + 1} bars are known; 100 are needed")}
    early = decide_all(reading, context, V1, setups=ANY)
    early = [d for d in early if d.time < bars.index[99].value]
    assert early and {d.outcome for d in early} == {"none"}


@pytest.fixture(scope="module")
def shared(root):
    folder = Path(os.environ.get("SMCLAB_SHARED", root.parent / "shared")) / "data"
    if not folder.exists():
        pytest.skip(f"no real tapes at {folder}; set SMCLAB_SHARED to the folder that holds data/")
    return folder


@pytest.mark.parametrize("name", SHARED)
def test_stream_on_a_real_tape_trades_what_the_tape_does(shared, name):
    symbol, timeframe = SHARED[name]
    if timeframe == "5m" and not WHOLE:
        pytest.skip("STREAM_TAPES=whole plays the tapes below 15m")
    if not (shared / f"{name}.parquet").exists():
        pytest.skip(f"no {name}.parquet at {shared}")
    bars = pd.read_parquet(shared / f"{name}.parquet").set_index("ts")[["open", "high", "low", "close", "volume"]]
    bars = check(bars if WHOLE else bars.iloc[len(bars) // 2 :][:SLICE], symbol=symbol, timeframe=timeframe)
    profile = replace(instrument(symbol), symbol="AAPL") if symbol == "default_equity" else instrument(symbol)
    context = Context(profile, Account(equity=100_000.0), profile.typical_spread)
    decisions, reviews, ledger, spent = agree(bars, timeframe, context, V1)
    print(f"\n{name}: {len(bars):,} bars, {len(decisions):,} decisions, {len(reviews):,} reviews, "
          f"{len(ledger.orders):,} orders, {len(ledger.closed):,} closed; "
          f"{spent:.0f} s, {len(bars) / spent:,.0f} bars/s")  # fmt: skip
    assert len(decisions)


@pytest.mark.skipif(not WHOLE, reason="364 daily tapes; STREAM_TAPES=whole plays them")
def test_stream_on_daily_shares_trades_what_the_tape_does(shared):
    table, n = pd.read_parquet(shared / "equities_daily/SP500_1d.parquet").set_index("ts"), [0, 0, 0]
    for symbol, bars in table.groupby("symbol"):
        profile = replace(instrument("default_equity"), symbol=symbol)
        context = Context(profile, Account(equity=100_000.0), profile.typical_spread)
        bars, _ = check(bars.drop(columns="symbol").astype(float), symbol=symbol, timeframe="1D", on_bad="quarantine")
        decisions, _, ledger, _ = agree(bars, "1D", context, V1)
        n = [a + b for a, b in zip(n, (len(bars), len(decisions), len(ledger.closed)), strict=True)]
    print(f"\ndaily shares: {n[0]:,} bars, {n[1]:,} decisions, {n[2]:,} closed")
