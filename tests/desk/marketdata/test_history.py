"""What was fetched and how it is kept: first values stay, merges can be repeated, crashes lose nothing. Then failover,
quality against calendars and second sources, the calendar of news, and the commands."""

import sys
import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from lookalikes import Venue, binance, forexfactory, running
from typer.testing import CliRunner

from smcdesk.marketdata import feeds, sync
from smcdesk.marketdata.calendars import expected_open_times
from smcdesk.marketdata.failover import FailoverProvider, Hysteresis, changes
from smcdesk.marketdata.history import CandleHistory
from smcdesk.marketdata.quality import cross_check, inspect, verdict, verdicts, week_of
from smcdesk.providers import BadAnswer, ProviderDown, ProviderRefused, economic_calendar
from smcdesk.providers.caller import CircuitBreaker, TokenBucket
from smcdesk.providers.factory import provider
from smcdesk.providers.recorded import RecordedProvider
from smclab.candles import BadBars, BadConfig, check, resample
from smclab.instruments import instrument
from smclab.tapes import market

STEP = pd.Timedelta("15min")
KEY = ("venue", "BTC/USDT", "15m")
EURUSD, BTC, SPY, GOLD = (instrument(name) for name in ("EURUSD", "BTCUSDT", "SPY", "XAUUSD"))


@pytest.fixture(scope="module")
def tape():
    return market(6000, seed=5, week="24/7", start="2024-01-20", price=40_000.0, tick=0.1)


@pytest.fixture
def history(tmp_path):
    return CandleHistory(tmp_path / "raw")


def after(bars):
    return bars.index[-1] + 2 * STEP


def same(a, b):
    pd.testing.assert_frame_equal(a, b, check_freq=False, check_names=False)


# --- the history


def test_history_gives_back_what_was_merged(history, tape):
    done = history.merge(*KEY, tape, after(tape))
    assert (done.added_n, done.same_n, len(done.revised), len(done.gaps)) == (6000, 0, 0, 0)
    same(history.bars(*KEY), tape)
    same(check(history.bars(*KEY), timeframe="15m"), tape)
    same(history.bars(*KEY, tape.index[100], tape.index[4000]), tape.iloc[100:4000])
    same(history.last(*KEY, 3500), tape.iloc[-3500:])
    assert history.series() == [KEY]
    assert [p.name for p in sorted((history.root / "venue" / "BTC%2FUSDT" / "15m").glob("*.parquet"))] == [
        "2024-01.parquet", "2024-02.parquet", "2024-03.parquet",
    ]  # fmt: skip


def test_merging_in_any_order_or_twice_ends_the_same(history, tmp_path, tape):
    other = CandleHistory(tmp_path / "other")
    history.merge(*KEY, tape, after(tape))
    for part in (tape.iloc[4000:], tape.iloc[:2500], tape.iloc[2000:4500], tape):
        other.merge(*KEY, part, after(tape))
    a, b = history.manifest(*KEY), other.manifest(*KEY)
    assert a == b and a["n"] == 6000 and len(a["fingerprint"]) == 16
    before = {p: p.stat().st_mtime_ns for p in other.root.rglob("*.*")}
    again = other.merge(*KEY, tape, after(tape))
    assert (again.added_n, again.same_n) == (0, 6000)
    assert {p: p.stat().st_mtime_ns for p in other.root.rglob("*.*")} == before


def test_a_revision_is_logged_and_the_first_value_stays(history, tape):
    first = after(tape)
    history.merge(*KEY, tape, first)
    told = tape.copy()
    told.iloc[10, 3] = told.iloc[10, 2]
    later = first + pd.Timedelta("1h")
    done = history.merge(*KEY, told, later)
    assert len(done.revised) == 1 and done.same_n == 5999
    row = done.revised.iloc[0]
    assert (row["time"], row["close_old"], row["close_new"]) == (tape.index[10], tape.iloc[10, 3], told.iloc[10, 3])
    same(history.bars(*KEY), tape)  # what a decision saw
    same(history.bars(*KEY, revised=True), told)
    same(history.bars(*KEY, revised=True, as_of=first), tape)
    assert not len(history.merge(*KEY, told, later).revised)  # told the same again
    assert len(history.merge(*KEY, tape, later).revised) == 1  # and back
    assert history.manifest(*KEY)["revisions"] == 2 == len(history.revisions(*KEY))
    same(history.bars(*KEY, revised=True), tape)


def test_as_of_shows_what_had_been_fetched_by_then(history, tape):
    early, late = after(tape.iloc[:3000]), after(tape)
    history.merge(*KEY, tape.iloc[:3000].drop(tape.index[1000:1010]), early)
    history.merge(*KEY, tape, late)
    assert len(history.bars(*KEY, as_of=early)) == 2990
    assert len(history.last(*KEY, 2995, as_of=early)) == 2990
    same(history.bars(*KEY, as_of=late), tape)
    assert not len(history.bars(*KEY, as_of=early - STEP))


def test_gaps_are_those_of_the_markets_hours(history, tape):
    done = history.merge(*KEY, tape.drop(tape.index[100:104]).drop(tape.index[200]), after(tape))
    assert list(done.gaps["missing_bars"]) == [4, 1] and done.gaps["start"][0] == tape.index[100]
    assert len(history.merge(*KEY, tape.iloc[99:105], after(tape)).gaps) == 0
    assert list(history.gaps(*KEY)["start"]) == [tape.index[200]]
    fx = market(3000, seed=1)
    kept = CandleHistory(history.root, expected=lambda symbol: expected_open_times(EURUSD))
    assert not len(kept.merge("venue", "EURUSD", "15m", fx, after(fx)).gaps)
    assert len(kept.gaps("venue", "EURUSD", "15m", expected=expected_open_times(BTC))) > 0


def test_an_open_bar_is_not_kept(history, tape):
    with pytest.raises(BadBars, match="after it was fetched"):
        history.merge(*KEY, tape, tape.index[-1])


def test_a_crash_between_the_months_is_mended(history, tape, monkeypatch):
    history.merge(*KEY, tape.iloc[:100], after(tape.iloc[:100]))
    from smcdesk.marketdata import history as module

    whole, calls = module.whole_file, []

    def once(path):
        calls.append(path)
        if len(calls) == 2:
            raise OSError("no space left on device")
        return whole(path)

    with monkeypatch.context() as patch:
        patch.setattr(module, "whole_file", once)
        with pytest.raises(OSError):
            history.merge(*KEY, tape, after(tape))
    assert history.manifest(*KEY)["n"] == len(history.bars(*KEY)) > 100
    done = history.merge(*KEY, tape, after(tape))
    assert done.added_n + done.same_n == 6000
    same(history.bars(*KEY), tape)
    fresh = CandleHistory(history.root.parent / "fresh")
    fresh.merge(*KEY, tape, after(tape))
    assert fresh.manifest(*KEY)["fingerprint"] == history.manifest(*KEY)["fingerprint"]


def test_two_writers_at_once_lose_nothing(history, tape):
    parts = [tape.iloc[k : k + 900] for k in range(0, 5400, 300)]

    def write(order):
        for part in order:
            CandleHistory(history.root).merge(*KEY, part, after(tape))

    work = [threading.Thread(target=write, args=(order,)) for order in (parts, parts[::-1])]
    for one in work:
        one.start()
    for one in work:
        one.join()
    same(history.bars(*KEY), tape.iloc[:6000])
    assert history.manifest(*KEY)["n"] == 6000


def test_a_log_cut_short_is_read_and_ended(history, tape):
    history.merge(*KEY, tape, after(tape))
    told = tape.iloc[:1].assign(volume=1.0)
    history.merge(*KEY, told, after(tape))
    log = history.folder(*KEY) / "revisions.jsonl"
    log.write_bytes(log.read_bytes() + b'{"time": "2024-01')
    assert len(history.revisions(*KEY)) == 1
    history.merge(*KEY, told.assign(volume=2.0), after(tape))
    assert list(history.revisions(*KEY)["volume_new"]) == [1.0, 2.0]


def test_names_cannot_leave_the_folder(history, tape):
    assert history.folder("a/../b", "..:x", "15m").parent.parent.parent == history.root
    with pytest.raises(BadBars, match="cannot name"):
        history.folder("..", "BTC", "15m")
    with pytest.raises(BadConfig, match="did you mean '15m'"):
        history.folder("venue", "BTC", "15min")


# --- fetching


def test_fetch_asks_only_for_what_is_missing(history, tape):
    now = [tape.index[3000]]
    source, asked = RecordedProvider({"BTC": tape}, name="venue", clock=lambda: now[0]), []
    history_, source.history = source.history, lambda *a: asked.append(a[2:]) or history_(*a)

    def get(start, **told):
        asked.clear()
        return sync.sync_history(source, "BTC", "15m", start, history=history, clock=lambda: now[0], **told)

    assert get(tape.index[1000]).added_n == 2000 and len(asked) == 1
    now[0] = tape.index[3100]
    assert get(tape.index[1000]).added_n == 100 and asked[0][0] >= tape.index[2995]
    assert get(tape.index[500]).added_n == 500 and len(asked) == 2
    path = history.folder("venue", "BTC", "15m")
    same(history.bars("venue", "BTC", "15m"), tape.iloc[500:3100])
    hole = pd.read_parquet(path / "2024-02.parquet").drop(tape.index[1500:1520])
    hole.to_parquet(path / "2024-02.parquet")
    assert get(tape.index[500]).gaps["missing_bars"].tolist() == [20]
    done = get(tape.index[500], backfill=True)
    assert done.added_n == 20 and not len(done.gaps)
    same(history.bars("venue", "BTC", "15m"), tape.iloc[500:3100])


def test_a_fetch_that_broke_off_goes_on_where_it_was(history, tape):
    source = RecordedProvider({"BTC": tape}, name="venue", clock=lambda: after(tape))
    whole, left = source.history, [2]

    def breaks(*asked):
        left[0] -= 1
        if left[0] < 0:
            raise ProviderDown("venue is down")
        return whole(*asked)

    source.history = breaks
    told = {"history": history, "clock": lambda: after(tape)}
    with pytest.raises(ProviderDown):
        sync.sync_history(source, "BTC", "15m", tape.index[0], **told)
    assert history.manifest("venue", "BTC", "15m")["n"] == 2 * sync.CHUNK_BARS
    source.history = whole
    assert sync.sync_history(source, "BTC", "15m", tape.index[0], **told).added_n == 6000 - 2 * sync.CHUNK_BARS
    same(history.bars("venue", "BTC", "15m"), tape)


def test_a_busy_series_is_one_sentence(history, tape, monkeypatch):
    from filelock import FileLock

    from smcdesk.marketdata import history as module

    history.merge(*KEY, tape, after(tape))
    monkeypatch.setattr(module, "LOCK_WAIT_S", 0)
    with FileLock(history.folder(*KEY) / ".lock"), pytest.raises(ProviderDown, match="another process"):
        history.merge(*KEY, tape, after(tape))


def test_a_source_without_a_past_is_asked_for_it_once(history, tape):
    late = tape.iloc[3000:]
    source = RecordedProvider({"BTC": late}, name="venue", clock=lambda: after(tape))
    done = sync.sync_history(source, "BTC", "15m", tape.index[0], history=history, clock=lambda: after(tape))
    assert done.notes == (f"venue has nothing before {late.index[0]:%Y-%m-%d %H:%M}Z.",)
    again = sync.sync_history(source, "BTC", "15m", tape.index[0], history=history, clock=lambda: after(tape))
    assert again.added_n == 0 and not again.notes


def test_since_is_a_span_or_a_date():
    now = pd.Timestamp("2024-03-31T12:00Z")
    assert sync.since("1mo", now) == pd.Timestamp("2024-02-29T12:00Z")
    assert sync.since("90d", now) == now - pd.Timedelta("90D")
    assert sync.since("2024-01-05", now) == pd.Timestamp("2024-01-05T00:00Z")
    with pytest.raises(BadConfig, match="6mo"):
        sync.since("long ago", now)


# --- breaker, pace, failover


def test_breaker_rests_longer_each_time_and_recovers():
    now = [0.0]
    b = CircuitBreaker(2, 10.0, lambda: now[0])
    b.failed()
    assert b.state == "closed"
    b.failed()
    for rest_s in (10, 20, 40, 80, 160, 160):
        assert b.state == "open"
        with pytest.raises(ProviderDown) as error:
            b.check("venue")
        assert error.value.retry_after_s == pytest.approx(rest_s)
        now[0] += rest_s
        assert b.state == "half-open"
        b.check("venue")
        b.failed()
    now[0] += 160
    b.worked()
    assert b.state == "closed"


def test_pace_lets_ten_go_and_then_spreads_the_rest():
    now, slept = [0.0], []

    def sleep(s):
        slept.append(s)
        now[0] += s

    pace = TokenBucket(60, lambda: now[0], sleep)
    for _ in range(30):
        pace.take()
    assert len(slept) == 20 and now[0] == pytest.approx(20)


class Flaky:
    "A source that fails when told to."

    def __init__(self, name):
        self.name, self.up, self.calls = name, True, 0

    def latest(self, *_):
        self.calls += 1
        if not self.up:
            raise ProviderDown(f"{self.name} is down")
        return self.name


def test_failover_has_hysteresis_and_a_journal(tmp_path):
    now, a, b = [0.0], Flaky("a"), Flaky("b")
    both = FailoverProvider(
        a, b, hysteresis=Hysteresis(down_after=2, up_after=2, probe_s=100), journal=tmp_path / "failover.jsonl",
        clock=lambda: pd.Timestamp(now[0], unit="s", tz="UTC"), monotonic=lambda: now[0],
    )  # fmt: skip

    def ask():
        return both.latest("BTC", "15m", 1)

    assert ask() == "a" and both.name == "a+b"
    a.up = False
    assert ask() == "b" and both.active is a  # one stumble is answered, and changes nothing
    a.up = True
    assert ask() == "a"
    a.up = False
    assert [ask(), ask()] == ["b", "b"] and both.active is b
    a.up, calls = True, a.calls
    assert [ask(), ask()] == ["b", "b"] and a.calls == calls  # left alone until it is time to try
    now[0] = 100
    assert ask() == "a" and both.active is b  # one good answer is not enough
    now[0] = 150
    assert ask() == "b"
    now[0] = 200
    assert ask() == "a" and both.active is a and both.served_by == "a"
    told = changes(tmp_path / "failover.jsonl")
    assert list(zip(told["from"], told["to"], strict=True)) == [("a", "b"), ("b", "a")]
    assert told["time"].iloc[1] == pd.Timestamp(200, unit="s", tz="UTC")
    a.up = b.up = False
    with pytest.raises(ProviderDown, match=r"neither a .* nor b"):
        ask()


def test_a_source_that_stands_still_is_left_for_one_that_goes_on(tape):
    now = [tape.index[2000]]
    still, on = (
        RecordedProvider({"BTC": bars}, name=name, clock=lambda: now[0]) for name, bars in (("a", tape), ("b", tape))
    )
    both = FailoverProvider(
        still, on, clock=lambda: now[0], monotonic=lambda: 0.0, expected=lambda s: expected_open_times(BTC)
    )
    assert both.latest("BTC", "15m", 2).index[-1] == tape.index[1999] and both.served_by == "a"
    still._tapes = {"BTC": tape.iloc[:1996]}
    still._made.clear()
    assert both.latest("BTC", "15m", 2).index[-1] == tape.index[1999] and both.served_by == "b"
    assert len(both.history("BTC", "15m", tape.index[1997])) == 3 and both.active is on
    on._tapes = still._tapes
    on._made.clear()
    again = FailoverProvider(
        still, on, clock=lambda: now[0], monotonic=lambda: 0.0, expected=lambda s: expected_open_times(BTC)
    )
    assert again.latest("BTC", "15m", 2).index[-1] == tape.index[1995] and again.served_by == "a"  # both stand still


def test_flapping_changes_sides_far_less_often_than_it_flaps(tmp_path):
    now, a = [0.0], Flaky("a")
    both = FailoverProvider(a, Flaky("b"), journal=tmp_path / "j", monotonic=lambda: now[0])
    rng = np.random.default_rng(0)
    for k in range(2000):
        now[0], a.up = 60.0 * k, rng.random() < 0.5
        both.latest("BTC", "15m", 1)
    assert len(changes(tmp_path / "j")) < 2000 / 20


# --- quality


def test_hours_know_the_days_of_each_market():
    times = expected_open_times(EURUSD)(*(pd.Timestamp(t) for t in ("2024-03-08T00:00Z", "2024-03-11T00:00Z")), "1h")
    gone = pd.Timestamp("2024-03-08T21:00Z"), pd.Timestamp("2024-03-10T21:00Z")  # 16:00 EST and 17:00 EDT
    assert gone[0] in times and gone[0] + pd.Timedelta("1h") not in times and gone[1] in times
    gold = expected_open_times(GOLD)(*(pd.Timestamp(t) for t in ("2024-03-08T00:00Z", "2024-03-12T00:00Z")), "1h")
    assert gone[1] not in gold and pd.Timestamp("2024-03-11T21:00Z") not in gold
    shares = expected_open_times(SPY)(*(pd.Timestamp(t) for t in ("2024-07-03T13:30Z", "2024-07-05T20:00Z")), "30m")
    assert list(shares.strftime("%d %H:%M")[[6, 7]]) == ["03 16:30", "05 13:30"]  # a half day, then a holiday
    days = expected_open_times(SPY)(*(pd.Timestamp(t) for t in ("2024-07-01T04:00Z", "2024-07-08T04:00Z")), "1D")
    assert len(days) == 5
    assert (
        len(expected_open_times(EURUSD)(*(pd.Timestamp(t) for t in ("2024-03-03T22:00Z", "2024-03-15T20:00Z")), "4h"))
        == 60
    )


@pytest.fixture(scope="module")
def fx():
    return market(8000, seed=2)


def kinds(told):
    return dict(zip(told.findings["kind"], told.findings["level"], strict=True))


def test_a_clean_tape_is_ok(fx, tape):
    assert inspect(fx, EURUSD).verdict == "ok" and inspect(tape, BTC).verdict == "ok"


@pytest.mark.parametrize("zone", ["Europe/Athens", "America/New_York", "Europe/London"])
def test_a_wrong_clock_is_bad_and_named(fx, zone):
    wrong = fx.set_axis(fx.index.tz_convert(zone).tz_localize(None).tz_localize("UTC"))
    told = inspect(wrong[~wrong.index.duplicated()].sort_index(), EURUSD, timeframe="15m")
    assert told.verdict == "bad" and kinds(told)["clock"] == "bad" and "the week opens and closes" in told.reasons[-1]


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
        (inspect(twice, EURUSD), "told twice"), (inspect(beside, EURUSD, timeframe="15m"), "off grid"),
        (inspect(daily, EURUSD, timeframe="1h"), "daily candles"),
        (inspect(among, EURUSD, timeframe="1h"), "daily candles"), (inspect(broken, EURUSD), "impossible"),
        (inspect(silent, BTC), "no volume"), (inspect(fx.drop(fx.index[900:1300]), EURUSD), "missing"),
        (inspect(fx, EURUSD, now=late), "late"),
    ]  # fmt: skip
    for told, kind in cases:
        assert kinds(told).get(kind) in ("degraded", "bad"), (kind, told.findings)
        assert told.verdict != "ok" and told.reasons
    assert inspect(fx, EURUSD, now=fx.index[-1] + pd.Timedelta("20min")).verdict == "ok"


def test_shares_on_new_yorks_clock_are_bad():
    grid = expected_open_times(SPY)(pd.Timestamp("2024-01-02T14:30Z"), pd.Timestamp("2024-03-28T19:45Z"), "15m")
    bars = market(len(grid), seed=4, price=400.0, tick=0.01, week="24/7").set_axis(grid)
    assert inspect(bars, SPY, timeframe="15m").verdict == "ok"
    wrong = bars.set_axis(grid.tz_convert("America/New_York").tz_localize(None).tz_localize("UTC"))
    told = inspect(wrong, SPY, timeframe="15m")
    assert kinds(told)["clock"] == "bad" and "XNYS" in " ".join(told.reasons)


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
    known = verdicts(wrong, EURUSD, "15m")
    turned = known.index[known == "bad"][0]
    weeks = week_of(known.index.asi8)
    assert weeks[known.index.get_loc(turned)] == weeks[known.index.get_loc(turned) - 1] + 1
    assert turned - known.index[0] > pd.Timedelta(weeks=4) and (known[turned:] == "bad").all()
    for n in (900, 3000, 3500, len(wrong)):
        assert verdicts(wrong.iloc[:n], EURUSD, "15m").equals(known.iloc[:n]), n
        assert verdict(wrong.iloc[:n], EURUSD, "15m") == known.iloc[n - 1], n


def test_two_sources_are_compared_and_a_shift_is_found(tape):
    told = cross_check(tape, tape, BTC)
    assert (told.verdict, told.differ_n, told.shift) == ("ok", 0, pd.Timedelta(0))
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


# --- the news


def test_a_calendar_is_fetched_once_an_hour_and_its_age_known(tmp_path):
    now = [pd.Timestamp("2026-09-28T06:00Z")]
    with running(Venue(None, forexfactory.answer)) as venue:
        said = {"path": "week.json", "fetched_at": None, "url": f"{venue.url}/ff_calendar_thisweek.json"}
        told = [economic_calendar.refresh(said, tmp_path, clock=lambda: now[0]) for _ in range(3)]
        assert len(venue.asked) == 1 and "events fetched" in told[0] and "not again for 60 min" in told[1]
        found = economic_calendar.calendar(said, tmp_path)
        assert found.fetched_at_ns == now[0].value and len(found) > 0
        (tmp_path / "week.json").write_text((tmp_path / "week.json").read_text() + " ")
        assert (
            economic_calendar.calendar(said, tmp_path).fetched_at_ns == found.covered_from_ns
        )  # another file lies there now
        now[0] += pd.Timedelta("61min")
        venue.faults = [forexfactory.denied]
        before = (tmp_path / "week.json").read_bytes()
        with pytest.raises(BadAnswer, match="sent no calendar"):
            economic_calendar.refresh(said, tmp_path, clock=lambda: now[0])
        assert (tmp_path / "week.json").read_bytes() == before
        assert "not again" in economic_calendar.refresh(said, tmp_path, clock=lambda: now[0]) and len(venue.asked) == 2
        now[0] += pd.Timedelta("61min")
        venue.faults = [forexfactory.limited]
        with pytest.raises(ProviderDown, match="429"):
            economic_calendar.refresh(said, tmp_path, clock=lambda: now[0])
        now[0] += pd.Timedelta("90min")
        assert "not again for 30 min" in economic_calendar.refresh(said, tmp_path, clock=lambda: now[0])
    with pytest.raises(BadConfig, match=r"week\.json"):
        economic_calendar.refresh({"path": None, "url": "x"}, tmp_path)


# --- conf, and the command


def edited(house, name, change):
    path = house / "conf/base" / name
    path.write_text(change(path.read_text()))


def test_conf_asks_nobody_by_itself(house):
    said = feeds.conf()
    assert said.default.first == "files" and said.sources["files"] == {"kind": "files"}
    for name, entry in said.sources.items():
        assert provider(name, entry).name == name  # made, not asked


def test_a_typo_in_conf_is_named(house):
    with pytest.raises(BadConfig, match="did you mean 'exchange'"):
        provider("kraken", {"kind": "ccxt", "exchnage": "kraken"})
    with pytest.raises(BadConfig, match="did you mean 'kraken'"):
        provider("x", {"kind": "ccxt", "exchange": "krakn"}).latest("BTC/USD", "15m", 1)
    with pytest.raises(BadConfig, match="did you mean 'binance'"):
        feeds.provider_by_name("binanze")


@pytest.mark.parametrize(
    ("name", "entry", "module"),
    [("kraken", {"kind": "ccxt", "exchange": "kraken"}, "ccxt"), ("alpaca", {"symbols": {"BTC": "BTC/USD"}}, "alpaca")],
)
def test_a_missing_extra_is_named(monkeypatch, name, entry, module):
    for loaded in [word for word in sys.modules if word.partition(".")[0] == module]:
        monkeypatch.setitem(sys.modules, loaded, None)
    monkeypatch.setitem(sys.modules, f"{module}.data" if module == "alpaca" else module, None)
    source = provider(name, entry)
    for ask in (lambda: source.latest("BTC", "15m", 1), lambda: source.snapshot("BTC")):
        with pytest.raises(BadConfig, match=rf"smclab\[{module}\]"):
            ask()


def test_a_key_is_asked_for_by_name(monkeypatch):
    for word in ("APCA_API_KEY_ID", "ALPACA_API_KEY", "APCA_API_SECRET_KEY", "ALPACA_SECRET_KEY"):
        monkeypatch.delenv(word, raising=False)
    with pytest.raises(ProviderRefused, match="APCA_API_KEY_ID"):
        provider("alpaca").latest("SPY", "15m", 1)


def test_fetch_quality_and_a_run_use_the_same_candles(house, tape, monkeypatch):
    from smcdesk.__main__ import app
    from smcdesk.project import catalog
    from smcdesk.providers import protocol

    now = tape.index[-1] + pd.Timedelta("7min")
    for module in (protocol, sync):
        monkeypatch.setattr(module, "now", lambda: now)
    run = CliRunner()
    with running(Venue(tape, binance.answer)) as venue:
        here = f"exchange: binance\n    base_url: {venue.url}\n    rate_limit_ms: 0"
        edited(house, "providers.yml", lambda text: text.replace("exchange: binance", here))
        done = run.invoke(app, ["fetch", "BTCUSDT", "--since", "40d"])
        assert done.exit_code == 0, done.output
        assert "bars new" in done.output and "no holes" in done.output and "history:binance/15m" in done.output
        wrong = run.invoke(app, ["fetch", "BTCUSD", "--provider", "binance"])
        assert wrong.exit_code == 2 and "did you mean 'BTC/USDT'" in wrong.output
        venue.faults = [binance.unavailable] * 20
        monkeypatch.setattr("time.sleep", lambda s: None)
        down = run.invoke(app, ["fetch", "BTCUSDT"])
        assert down.exit_code == 1 and "--provider kraken" in down.output and len(down.output.splitlines()) <= 3
    entry = "symbols:\n  BTCUSDT: {instrument: BTCUSDT, source: history:binance/15m, bars_side: mid}\n"
    edited(house, "globals.yml", lambda text: text.replace("symbols:\n", entry, 1))
    candles = catalog().load("BTCUSDT.candles")
    start = now - pd.Timedelta("40D")
    same(candles.bars, tape[(tape.index >= start) & (tape.index < tape.index[-1])])
    assert "binance" in candles.notes[0]
    told = run.invoke(app, ["quality", "BTCUSDT"])
    assert told.exit_code == 0 and "ok." in told.output, told.output
    assert "as it was known at each bar: ok 100 %" in told.output
    source = f"history:binance/15m@{now.isoformat()}"
    same(feeds.stored_candles("BTCUSDT", source, feeds.history())[0], candles.bars)
    with pytest.raises(BadConfig, match="had been fetched"):
        feeds.stored_candles("BTCUSDT", f"history:binance/15m@{start.isoformat()}", feeds.history())
    shifted = candles.bars.set_axis(candles.bars.index - pd.Timedelta("1h"))
    feeds.history().merge("delta", "BTCUSDT", "15m", shifted, now)
    apart = run.invoke(app, ["quality", "BTCUSDT", "--against", "delta"])
    assert apart.exit_code == 1 and "against delta: bad" in apart.output and "1 h ahead" in apart.output, apart.output
    pair = feeds.FeedRouter(clock=lambda: now).of("BTCUSDT")
    pair.first, pair.second = Flaky("binance"), Flaky("kraken")
    pair.active = pair.first
    pair.first.up = False
    assert [pair.latest("BTCUSDT", "15m", 1) for _ in range(2)] == ["kraken", "kraken"]
    shown = run.invoke(app, ["providers"])
    assert shown.exit_code == 0 and "BTCUSDT 15m" in shown.output and "from binance to kraken" in shown.output
    assert "globals.yml names none" in run.invoke(app, ["news"]).output
    nothing = run.invoke(app, ["quality", "BTCUSDT", "--provider", "kraken"])
    assert nothing.exit_code == 2 and "smcdesk fetch BTCUSDT --provider kraken" in nothing.output
