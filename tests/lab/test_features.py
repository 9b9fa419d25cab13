"""Features know nothing of the future, are seen from the trade's side, and cost one bar the same on any tape."""

import json
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from test_causality import ANY, LOOSE, shuffled_future, turned_over

import smclab.features as room
from smcdesk.providers.headlines import FileHeadlines, HeadlineSource, read_headlines, scored_headlines, sentiment
from smclab import tapes
from smclab.candles import BadConfig
from smclab.features import DICTIONARY, FeatureConfig, features
from smclab.instruments import instrument
from smclab.news import NewsCalendar
from smclab.reader import read
from smclab.sentiment import Sentiment
from smclab.setups import candidates, candidates_at

EURUSD = instrument("EURUSD")
SMALL = FeatureConfig(block_bars=70, warmup_bars=600)  # many windows on a short tape


def market(n: int = 1100, seed: int = 0, **changes) -> pd.DataFrame:
    return tapes.market(n, seed=seed, start="2024-03-01", **changes)


TAPES = {
    "market": market,
    "24/7": partial(market, week="24/7"),
    "a coin at 0.00001": lambda seed: market(seed=seed).mul([1e-5] * 4 + [1.0]),
    "no volume": lambda seed: market(seed=seed).assign(volume=0.0),
    "equal prices": lambda seed: tapes.random_ticks(900, seed=seed),
}


def market_inputs(index: pd.DatetimeIndex, now: pd.Timestamp | None = None) -> dict:
    """A synthetic calendar, headlines, spreads and regimes; after `now` they are others, save the calendar."""
    rng, when = np.random.default_rng(5), index
    due = index.as_unit("ns").asi8[::37]
    news = NewsCalendar(tuple(due.tolist()), ("USD",) * len(due), ("figure",) * len(due), 0, 2**62, 0)
    words = pd.Series(rng.choice(["trend", "range", "volatile", ""], len(index)), index=index + pd.Timedelta("15min"))
    spread = pd.Series(rng.uniform(1e-5, 3e-5, len(index)), index=index)
    score, about = rng.uniform(-1, 1, len(when)), rng.choice(["EUR", "USD", "ALL"], len(when))
    if now is not None:
        words[words.index > now], spread[spread.index >= now] = "range", 9e-5
        score = np.where(when < now, score, -score)
    news_sentiment = Sentiment.from_frame(pd.DataFrame({"published": when, "score": score, "currency": about}))
    return {"news": news, "sentiment": news_sentiment, "regime": words, "spread_price": spread}


def everything(bars: pd.DataFrame, outside: dict, owner=EURUSD) -> tuple[pd.DataFrame, np.ndarray]:
    """The features of every evaluation of a tape, and their bars."""
    reading = read(bars, LOOSE, timeframe="15m")
    table = candidates(reading, owner, ANY, pending=True)
    return features(reading, table, instrument=owner, config=SMALL, **outside), table["known_bar"].to_numpy()


def sees_the_future(bars: pd.DataFrame, rng: np.random.Generator, cuts: int = 3) -> str:
    """Where a feature knew something it could not have known; empty when none did."""
    whole, at = everything(bars, market_inputs(bars.index))
    assert len(whole) > 100
    for cut in sorted(rng.integers(len(bars) // 2, len(bars), cuts)):
        before_cut, outside = (
            whole[at < cut],
            market_inputs(bars.index, now=bars.index[cut - 1] + pd.Timedelta("15min")),
        )
        other = pd.concat([bars.iloc[:cut], shuffled_future(bars.iloc[cut:], rng)])
        for name, tape in (("cut", bars.iloc[:cut]), ("future changed", other)):
            found, bar = everything(tape, outside)
            found = found[bar < cut]
            if not found.index.equals(before_cut.index):
                return f"{name} after bar {cut - 1}: other setups"
            same = (
                found.to_numpy().view(np.int64) == before_cut.to_numpy().view(np.int64)
            ) | found.isna() & before_cut.isna()
            if not same.all(axis=None):
                return f"{name} after bar {cut - 1}: {', '.join(found.columns[~same.all()])} differ"
    return ""


@pytest.mark.parametrize("tape", TAPES)
@pytest.mark.parametrize("seed", range(2))
def test_features_on_a_cut_tape_are_the_same_bits(tape, seed):
    assert sees_the_future(TAPES[tape](seed=seed), np.random.default_rng(seed)) == ""


def test_planted_cheat_is_caught(monkeypatch):
    honest = room._averages

    def cheat(ta, high, low, close, atr):
        """An average of as many bars after as before, as a smoothed chart has it."""
        centred = pd.Series(close).rolling(21, center=True, min_periods=1).mean().to_numpy()
        return honest(ta, high, low, close, atr) | {"ema20_distance_atr": ((close - centred) / atr, 84)}

    monkeypatch.setattr(room, "_averages", cheat)
    assert "ema20_distance_atr" in sees_the_future(market(), np.random.default_rng(0))


def test_dictionary_says_what_the_columns_are():
    bars = market()
    found, _ = everything(bars, {})
    assert list(found.columns) == [f.name for f in DICTIONARY]
    assert set(found.dtypes) == {np.dtype("float64")} and found.index.name == "setup_id"
    assert all(f.unit and f.meaning and f.sided in ("", "sign", "mirror", "place") for f in DICTIONARY)
    assert not np.isinf(found.to_numpy()).any()
    unknown = {f.name for f in DICTIONARY if f.source in ("news", "cost", "sentiment", "regime")}
    assert {name for name in found if found[name].isna().all()} >= unknown
    reading = read(bars, timeframe="15m")
    none = features(reading, candidates(reading, EURUSD).iloc[:0], instrument=EURUSD, **market_inputs(bars.index))
    pd.testing.assert_frame_equal(none, found.iloc[:0])


def test_shares_and_flags_keep_to_their_unit():
    bars = market(seed=3)
    found, _ = everything(bars, market_inputs(bars.index))
    bounds = {"0, 1": (0, 1), "-1 to 1": (-1, 1), "0 to 100": (0, 100), "0 to 1": (0, 1), "-1, 0, +1": (-1, 1)}
    for f in DICTIONARY:
        values = found[f.name].dropna()
        low, high = bounds.get(f.unit, (-np.inf, np.inf))
        assert values.between(low - 1e-9, high + 1e-9).all(), f.name
        if f.unit == "0, 1":
            assert set(values) <= {0.0, 1.0}, f.name


def test_one_bar_at_a_time_gives_the_rows_of_the_bulk():
    bars = market(seed=2)
    reading, outside = read(bars, LOOSE, timeframe="15m"), market_inputs(bars.index)
    table = candidates(reading, EURUSD, ANY, pending=True)
    bulk = features(reading, table, instrument=EURUSD, config=SMALL, **outside)
    for bar in np.unique(table["known_bar"])[::7]:
        at = reading.at(bars.index[bar])
        now = features(at, candidates_at(at, EURUSD, ANY), instrument=EURUSD, config=SMALL, **outside)
        pd.testing.assert_frame_equal(now, bulk[(table["known_bar"] == bar).to_numpy()], check_exact=True)
    shuffled = table.sample(frac=1.0, random_state=0)
    found = features(reading, shuffled, instrument=EURUSD, config=SMALL, **outside)
    pd.testing.assert_frame_equal(found, bulk.iloc[shuffled.index], check_exact=True)


def test_indicators_do_not_know_where_the_tape_begins():
    bars = market(2400, seed=4)
    config = FeatureConfig(block_bars=200)
    at = np.arange(1700, 2400)
    whole = room._of_bars(read(bars, timeframe="15m"), at, config)
    late = room._of_bars(read(bars.iloc[430:], timeframe="15m"), at - 430, config)
    for name, values in whole.items():
        np.testing.assert_array_equal(late[name], values, err_msg=name)
    assert all(np.isfinite(v).all() for v in whole.values())


def test_a_mirrored_market_gives_the_same_rows_but_for_the_side():
    bars = tapes.random_ticks(1500, seed=6, levels=12)
    bars = bars[bars["close"] != bars["open"]].set_axis(bars.index[: (bars["close"] != bars["open"]).sum()])
    k = float(bars["high"].max() + bars["low"].min())
    up, down = (read(b, LOOSE, timeframes=("1h",), timeframe="15m") for b in (bars, turned_over(bars, k)))
    keys = ["known_bar", "mode", "zone_kind", "armed_bar", "zone_event_id"]
    rows = []
    for reading, turn in ((up, 1), (down, -1)):
        table = candidates(reading, EURUSD, ANY, pending=True)
        found = features(reading, table, instrument=EURUSD, config=SMALL).reset_index(drop=True)
        keyed = table[keys].assign(way=turn * table["side"])
        rows.append(pd.concat([keyed, found], axis=1).sort_values([*keys, "way"], ignore_index=True))
    rising, falling = rows
    assert len(rising) > 100 and rising[[*keys, "way"]].equals(falling[[*keys, "way"]])
    for f in DICTIONARY:
        if f.name not in ("side", "atr14_pct"):  # the price itself is another one
            np.testing.assert_allclose(falling[f.name], rising[f.name], rtol=1e-6, atol=1e-6, err_msg=f.name)
    np.testing.assert_array_equal(falling["side"], -rising["side"])


def test_a_market_at_four_times_the_price_gives_the_same_rows():
    grid = {name: 4 * getattr(EURUSD, name) for name in ("tick", "point", "pip", "typical_spread")}
    bars, dear = market(seed=8), replace(EURUSD, **grid)
    cheap, dear_rows = (
        everything(b, {}, owner=owner)[0].reset_index(drop=True)
        for b, owner in ((bars, EURUSD), (bars.mul([4.0] * 4 + [1.0]), dear))
    )
    np.testing.assert_allclose(dear_rows, cheap, rtol=1e-9, atol=1e-9)


def test_an_unstable_period_set_elsewhere_changes_nothing_once_settled():
    talib = pytest.importorskip("talib")
    before, at = everything(market(seed=9), {})
    talib.set_unstable_period("ALL", 40)
    try:
        after, _ = everything(market(seed=9), {})
    finally:
        talib.set_unstable_period("ALL", 0)
    pd.testing.assert_frame_equal(after[at > 700], before[at > 700], check_exact=True)


def test_input_is_left_alone():
    bars = market(seed=1)
    reading, outside = read(bars, timeframe="15m"), market_inputs(bars.index)
    table = candidates(reading, EURUSD)
    parts = {"bars": reading.bars, "columns": reading.columns, "table": table, "regime": outside["regime"]}
    before = {name: part.copy(deep=True) for name, part in parts.items()}
    features(reading, table, instrument=EURUSD, **outside)
    for name, part in parts.items():
        assert part.equals(before[name]), name


def test_what_is_not_known_is_nan():
    bars = market(seed=1)
    reading, outside = read(bars, timeframes=("4h",), timeframe="15m"), market_inputs(bars.index)
    table = candidates(reading, EURUSD)
    last = table["known_close"].max()
    some = outside["spread_price"].iloc[::2]
    short = NewsCalendar((), (), (), 0, (last - pd.Timedelta("3D")).value, 0)
    found = features(reading, table, instrument=EURUSD, spread_price=some, news=short)
    np.testing.assert_array_equal(found["spread_atr"].notna(), table["time"].isin(some.index))
    reach = (table["known_close"] <= last - pd.Timedelta("4D")).to_numpy()
    np.testing.assert_array_equal(found["minutes_to_news"].to_numpy(), np.where(reach, 1440.0, np.nan))
    assert found["trend_1h"].isna().all() and found["pool_1d_ahead_atr"].isna().all()
    assert found["trend_4h"].notna().all()


@pytest.mark.parametrize(
    ("says", "change"),
    [
        ("no column 'atr_price'", lambda r, t: (r, t.drop(columns="atr_price"), {})),
        ("another tape", lambda r, t: (r, t.assign(time=t["time"] + pd.Timedelta("1D")), {})),
        ("this reading ends at bar", lambda r, t: (r.at(r.bars.index[t["known_bar"].max() - 1]), t, {})),
        ("did you mean 'trend'", lambda r, t: (r, t, {"regime": pd.Series("trendy", index=t["known_close"].unique())})),
        ("instants from which it is known", lambda r, t: (r, t, {"regime": pd.Series("trend", index=r.bars.index)})),
    ],
)
def test_wrong_input_is_refused_by_name(says, change):
    reading = read(market(seed=1), timeframe="15m")
    reading, table, more = change(reading, candidates(reading, EURUSD))
    with pytest.raises(BadConfig, match=says):
        features(reading, table, instrument=EURUSD, **more)


def test_without_talib_the_room_opens_and_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "talib", None)
    monkeypatch.delitem(sys.modules, "smclab.features")
    import smclab.features as fresh

    reading = read(market(seed=1), timeframe="15m")
    with pytest.raises(ImportError, match=r"install smclab\[ml\]"):
        fresh.features(reading, candidates(reading, EURUSD), instrument=EURUSD)


# Headlines from a file

HEADLINES = [
    {"published": "2024-03-08T13:30:00Z", "text": "Dollar rallies", "currency": "USD"},
    {"published": "2024-03-08T09:00:00-05:00", "text": "Euro plunges", "currency": "EUR USD"},
    {"published": "2024-03-08T09:00:00-05:00", "text": "Euro plunges", "currency": "EUR USD"},
]


def written(folder, name, rows=HEADLINES):
    """A file of headlines of the kind its name says."""
    path = folder / name
    if path.suffix == ".csv":
        pd.DataFrame(rows).to_csv(path, index=False)
    else:
        path.write_text("\n".join(map(json.dumps, rows)) if path.suffix == ".jsonl" else json.dumps(rows))
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.jsonl"])
def test_headlines_are_read_once_each_and_scored(tmp_path, name):
    source = FileHeadlines(written(tmp_path, name))
    found = scored_headlines(source)
    assert isinstance(source, HeadlineSource) and len(read_headlines(source.path)) == 2
    assert found.scores.tolist() == [1.0, -1.0] and found.about[1] == {"EUR", "USD"}
    assert pd.Timestamp(found.times[1], tz="UTC") == pd.Timestamp("2024-03-08T14:00Z")


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        (
            "a.csv",
            [{**HEADLINES[0], "published": "2024-03-08 13:30"}],
            r"a.csv: headlines, row 0: published must be .* zone",
        ),
        ("a.csv", [HEADLINES[0], {**HEADLINES[1], "text": " "}], r"a.csv: headlines, row 1: expected a score"),
        ("a.json", [{"published": "2024-03-08T13:30Z", "score": 3}], r"a.json: headlines, row 0: .* found 3"),
        ("a.csv", [{"publishd": "2024-03-08T13:30Z", "text": "x"}], r"no column .*did you mean 'publishd'"),
        ("a.json", {"rows": HEADLINES}, "expected a list of headlines"),
        ("a.txt", HEADLINES, r"expected headlines ending in .csv"),
    ],
)
def test_headlines_that_cannot_be_trusted_are_refused_in_one_sentence(tmp_path, name, rows, message):
    with pytest.raises(BadConfig, match=message):
        scored_headlines(FileHeadlines(written(tmp_path, name, rows)))


def test_conf_names_headlines_or_there_are_none(tmp_path):
    written(tmp_path, "a.json")
    conf = {"path": "a.json", "half_life_hours": 2.0, "window_hours": 12.0}
    assert sentiment(conf, tmp_path).config.half_life_hours == 2.0
    assert sentiment({"path": None}, tmp_path) is None and sentiment({"path": "gone.json"}, tmp_path) is None
    with pytest.raises(BadConfig, match="did you mean 'window_hours'"):
        sentiment({"path": "a.json", "window_hour": 1.0}, tmp_path)
    with pytest.raises(BadConfig, match=r"no headlines b\.json .*did you mean 'a\.json'"):
        read_headlines(tmp_path / "b.json")
    (tmp_path / "b.json").write_text("[")
    with pytest.raises(BadConfig, match=r"b\.json cannot be read as json"):
        read_headlines(tmp_path / "b.json")
    nothing = scored_headlines(FileHeadlines(written(tmp_path, "c.json", [])))
    assert np.isnan(nothing.at(np.array([0]), ("EUR",))[0][0])
