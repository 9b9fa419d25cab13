"""Sources of candles, each through its real client library against a loopback server that answers as the documents say.
Nothing here has been seen at a live venue."""

from types import SimpleNamespace

import pandas as pd
import pytest
from lookalikes import Venue, alpaca, binance, delta, kraken, numbers, running

from smcdesk.providers import BadAnswer, Provider, ProviderDown, ProviderRefused
from smcdesk.providers.factory import provider
from smclab.candles import BadBars, BadConfig
from smclab.tapes import market

STEP = pd.Timedelta("15min")


class Time:
    "A virtual present, and the sleep that moves it."

    def __init__(self, start):
        self.now, self.slept = start, []

    def clock(self):
        return self.now

    def monotonic(self):
        return self.now.timestamp()

    def sleep(self, wait_s):
        self.slept.append(wait_s)
        self.now += pd.Timedelta(seconds=wait_s)


KINDS = {
    "kraken": (kraken, {"kind": "ccxt", "exchange": "kraken", "rate_limit_ms": 0, "symbols": {"BTC": "BTC/USD"}}),
    "binance": (
        binance,
        {
            "kind": "ccxt", "exchange": "binance", "rate_limit_ms": 0, "symbols": {"BTC": "BTC/USDT"},
            "options": {"fetchMarkets": {"types": ["spot"]}},
        },
    ),
    "delta": (delta, {"kind": "delta", "symbols": {"BTC": "BTCUSD"}}),
    "alpaca stocks": (alpaca, {"kind": "alpaca", "symbols": {"BTC": "SPY"}}),
    "alpaca crypto": (alpaca, {"kind": "alpaca", "symbols": {"BTC": "BTC/USD"}}),
}  # fmt: skip


@pytest.fixture(scope="module")
def tape():
    return market(2600, seed=3, week="24/7", start="2024-03-01", price=60_000.0, tick=0.1).round(1)


@pytest.fixture(params=KINDS)
def case(request, tape, monkeypatch):
    "A provider, the server it asks, and the time both live in: seven minutes into the last bar."
    for word, value in (("APCA_API_KEY_ID", "key"), ("APCA_API_SECRET_KEY", "secret")):
        monkeypatch.setenv(word, value)
    module, settings = KINDS[request.param]
    time = Time(tape.index[-1] + pd.Timedelta("7min"))

    def make(**more):
        options = {"base_url": venue.url, "timeout_s": 5, "attempts": 3, **settings, **more}
        return provider(request.param, options, clock=time.clock, sleep=time.sleep, monotonic=time.monotonic)

    with running(Venue(tape, module.answer)) as venue:
        yield SimpleNamespace(
            name=request.param, module=module, venue=venue, time=time, make=make, bars=tape, closed=tape.iloc[:-1]
        )


def first_of(case, n):
    "Where the n last bars begin, as far as the venue keeps them."
    return case.bars.index[-min(n, 719 if case.name == "kraken" else n)]


def warmed(case, **more):
    "A provider that has made its first call, so that only candles are asked from here on."
    p = case.make(**more)
    p.latest("BTC", "15m", 1)
    case.venue.requests.clear()
    return p


# --- what they have in common


def test_provider_keeps_the_protocol(case):
    p = case.make()
    assert isinstance(p, Provider) and p.name == case.name


def test_history_is_paged_and_complete(case):
    start = first_of(case, 2599)
    p = warmed(case, **({"page": 300} if "page" in type(case.make()._settings).model_fields else {}))
    got = p.history("BTC", "15m", start)
    pd.testing.assert_frame_equal(got, case.closed[case.closed.index >= start], check_freq=False)
    assert len(case.venue.requests) > 1 or case.name == "kraken"  # which sends all it keeps at once


def test_history_ends_before_its_end(case):
    got = case.make().history("BTC", "15m", case.bars.index[-50], case.bars.index[-40])
    assert list(got.index) == list(case.bars.index[-50:-40])


def test_the_bar_that_is_still_open_is_dropped(case):
    p = case.make()
    assert list(p.latest("BTC", "15m", 3).index) == list(case.closed.index[-3:])
    case.time.now = case.bars.index[-1] + STEP  # its close: not yet settled
    assert p.latest("BTC", "15m", 1).index[-1] == case.closed.index[-1]
    case.time.now += pd.Timedelta("6s")
    assert p.latest("BTC", "15m", 1).index[-1] == case.bars.index[-1]


def test_a_clock_ahead_of_the_servers_does_not_close_the_bar(case):
    case.venue.date = case.time.now  # seven minutes into the last bar
    case.time.now += pd.Timedelta("10min")
    assert case.make().latest("BTC", "15m", 2).index[-1] == case.closed.index[-1]
    case.venue.date = case.time.now
    assert case.make().latest("BTC", "15m", 2).index[-1] == case.bars.index[-1]


def test_more_than_there_is_is_asked_for_once(case):
    case.venue.bars = case.bars.iloc[-100:]
    got = case.make().latest("BTC", "15m", 300)
    assert list(got.index) == list(case.closed.index[-99:]) and len(case.venue.requests) < 12


def test_an_empty_span_is_an_empty_table(case):
    p = case.make()
    got = p.history("BTC", "15m", case.bars.index[-1] + STEP)
    assert not len(got) and got.index.tz is not None and list(got.columns) == list(case.bars.columns)
    if case.name != "kraken":  # which has no past to be empty
        long_ago = case.bars.index[0] - pd.Timedelta("20D")
        assert not len(p.history("BTC", "15m", long_ago, long_ago + pd.Timedelta("1D")))


def test_times_in_another_unit_are_said_with_the_span_found(case, monkeypatch):
    if case.name.startswith("alpaca"):
        pytest.skip("Alpaca writes its times as text")
    factor = 1000 if case.name == "delta" else 0.001  # milliseconds where seconds are meant; seconds for milliseconds
    found = "no number of seconds" if case.name == "delta" else r"none of them between .* from 1970-01-20"
    p = warmed(case)
    monkeypatch.setattr(case.module, "numbers", lambda bars: ((int(t * factor), *row) for t, *row in numbers(bars)))
    case.venue.answer = lambda venue, path, query, _: case.module.answer(venue, path, _since_1970(query), _)
    with pytest.raises(BadAnswer, match=found):
        p.history("BTC", "15m", case.bars.index[-50])


def _since_1970(query):
    return query | {"startTime": 0, "start": 0, "end": 10**13, "since": 0, "endTime": 10**15}


@pytest.mark.parametrize("early_n", [1, 2, 5])
def test_a_page_that_begins_too_early_does_not_hide_the_newest_bar(case, monkeypatch, early_n):
    if case.name not in ("binance", "delta"):
        pytest.skip("has no limit of candles in its request")
    word, unit = ("startTime", 1000) if case.name == "binance" else ("start", 1)
    p, most = warmed(case), 20
    monkeypatch.setattr("smcdesk.providers.delta.PAGE", most)

    def early(venue, path, query, headers):
        if word not in query:
            return case.module.answer(venue, path, query, headers)
        at = int(query[word]) // unit - early_n * 900
        end = int(query["end"]) if case.name == "delta" else 2**60
        limit = int(query.get("limit", most))
        rows = [row for row in case.venue.bars.index if at <= row.timestamp() <= end][:limit]
        one = SimpleNamespace(bars=case.venue.bars.loc[rows])
        return case.module.answer(one, path, query | {word: at * unit}, headers)

    case.venue.answer = early
    got = p.history("BTC", "15m", case.bars.index[-50])
    assert list(got.index) == list(case.closed.index[-49:])


def test_an_unknown_symbol_is_refused(case):
    p = case.make()
    if case.name == "alpaca crypto":
        assert not len(p.history("XYZ/USD", "15m", case.bars.index[-50]))  # Alpaca does not tell one from a quiet one
    elif case.name == "alpaca stocks":
        assert not len(p.history("XYZ", "15m", case.bars.index[-50]))
        with pytest.raises(ProviderRefused, match="invalid symbol"):
            p.history("BTC USDT", "15m", case.bars.index[-50])
    else:
        with pytest.raises(ProviderRefused, match="XYZ"):
            p.history("XYZ", "15m", case.bars.index[-50])


def test_an_unknown_timeframe_is_refused_with_the_nearest(case):
    with pytest.raises(BadConfig, match=r"did you mean '15m'"):
        case.make().history("BTC", "15min", case.bars.index[-50])


def test_too_many_requests_waits_as_long_as_asked(case):
    p = warmed(case)
    case.venue.faults = [case.module.limited]
    got = p.history("BTC", "15m", case.bars.index[-50])
    assert len(got) == 49 and len(case.venue.requests) == 2
    if case.name == "kraken":  # says no number: 200 with an error
        assert len(case.time.slept) == 1 and 0.5 <= case.time.slept[0] <= 1.0
    else:
        assert case.time.slept == [7.0]


def test_a_wait_beyond_the_cap_is_not_waited_but_kept(case):
    if case.name == "kraken":
        pytest.skip("Kraken names no wait")
    p = warmed(case, wait_max_s=5, breaker_rest_s=1)
    case.venue.faults = [case.module.limited]
    with pytest.raises(ProviderDown) as error:
        p.history("BTC", "15m", case.bars.index[-50])
    assert error.value.retry_after_s == 7 and not case.time.slept
    case.time.now += pd.Timedelta("6s")
    with pytest.raises(ProviderDown, match="asked again in 1 s"):
        p.history("BTC", "15m", case.bars.index[-50])
    assert len(case.venue.requests) == 1  # the breaker did not ask
    case.time.now += pd.Timedelta("2s")
    assert len(p.history("BTC", "15m", case.bars.index[-50])) >= 49


def test_server_errors_are_tried_again_with_growing_waits(case):
    p = warmed(case)
    case.venue.faults = [case.module.unavailable, case.module.unavailable]
    assert len(p.history("BTC", "15m", case.bars.index[-50])) == 49
    first, second = case.time.slept
    assert 0.5 <= first <= 1.0 and 1.0 <= second <= 1.5


def test_server_errors_without_end_open_the_breaker(case):
    p = warmed(case, breaker_fails=2)
    case.venue.faults = [case.module.unavailable] * 7
    for _ in range(2):
        with pytest.raises(ProviderDown):
            p.history("BTC", "15m", case.bars.index[-50])
    assert len(case.venue.requests) == 6
    with pytest.raises(ProviderDown, match="failed 2 times in a row"):
        p.history("BTC", "15m", case.bars.index[-50])
    assert len(case.venue.requests) == 6
    case.time.now += pd.Timedelta("61s")
    assert len(p.history("BTC", "15m", case.bars.index[-50])) >= 49  # the last 503 is tried again


def test_no_answer_is_given_up(case):
    p = warmed(case, timeout_s=0.15, attempts=1)
    case.venue.faults = ["hang"]
    with pytest.raises(ProviderDown, match=r"no answer within 0\.15 s|RequestTimeout"):
        p.history("BTC", "15m", case.bars.index[-50])


def test_a_connection_cut_is_tried_again(case):
    p = warmed(case)
    case.venue.faults = ["drop", "drop"]
    assert len(p.history("BTC", "15m", case.bars.index[-50])) == 49


@pytest.mark.parametrize(
    "body",
    [b'{"bars": {"SPY": [{"t": "2024', b"<html>hello</html>", b"[]x", b""],
    ids=["cut", "html", "tail", "nothing"],
)
def test_garbled_json_is_tried_again_then_refused(case, body):
    garbled = (200, {"Content-Type": "application/json"}, body)
    p = warmed(case)
    case.venue.faults = [garbled]
    assert len(p.history("BTC", "15m", case.bars.index[-50])) == 49
    case.venue.faults = [garbled] * 3
    with pytest.raises(BadAnswer):
        p.history("BTC", "15m", case.bars.index[-50])


def test_impossible_candles_are_refused(case):
    case.venue.bars = case.bars.copy()
    case.venue.bars.iloc[-20, case.bars.columns.get_loc("high")] = 1.0
    with pytest.raises(BadBars, match="high below"):
        case.make().history("BTC", "15m", case.bars.index[-50])


def test_no_network_is_one_sentence(case):
    p = case.make(base_url="http://127.0.0.1:9")
    with pytest.raises(ProviderDown) as error:
        p.history("BTC", "15m", case.bars.index[-50])
    assert len(str(error.value)) < 250


def test_snapshot_has_bid_below_ask(case):
    got, last = case.make().snapshot("BTC"), case.bars["close"].iloc[-1]
    assert (got.bid, got.ask) == pytest.approx((last - 0.5, last + 0.5), abs=0.06)
    assert got.symbol == "BTC" and got.source == case.name and got.time.tzinfo is not None
