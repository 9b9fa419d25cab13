"""What was fetched and how it is stored: first values stay, merges can be repeated, crashes lose nothing."""

import threading

import pandas as pd
import pytest
from tapes import BTC, EURUSD, KEY, STEP, after, same

from smcdesk.marketdata.calendars import expected_open_times
from smcdesk.marketdata.history import CandleHistory
from smclab.candles import BadBars, BadConfig, check
from smclab.tapes import market


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
    revised = tape.copy()
    revised.iloc[10, 3] = revised.iloc[10, 2]
    later = first + pd.Timedelta("1h")
    done = history.merge(*KEY, revised, later)
    assert len(done.revised) == 1 and done.same_n == 5999
    row = done.revised.iloc[0]
    assert (row["time"], row["close_old"], row["close_new"]) == (tape.index[10], tape.iloc[10, 3], revised.iloc[10, 3])
    same(history.bars(*KEY), tape)  # what a decision saw
    same(history.bars(*KEY, revised=True), revised)
    same(history.bars(*KEY, revised=True, as_of=first), tape)
    assert not len(history.merge(*KEY, revised, later).revised)  # told the same again
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
    stored = CandleHistory(history.root, expected=lambda symbol: expected_open_times(EURUSD))
    assert not len(stored.merge("venue", "EURUSD", "15m", fx, after(fx)).gaps)
    assert len(stored.gaps("venue", "EURUSD", "15m", expected=expected_open_times(BTC))) > 0


def test_an_open_bar_is_not_kept(history, tape):
    with pytest.raises(BadBars, match="after it was fetched"):
        history.merge(*KEY, tape, tape.index[-1])


def test_a_crash_between_the_months_is_mended(history, tape, monkeypatch):
    history.merge(*KEY, tape.iloc[:100], after(tape.iloc[:100]))
    from smcdesk.marketdata import months as module

    whole, calls = module.atomic_file, []

    def once(path):
        calls.append(path)
        if len(calls) == 2:
            raise OSError("no space left on device")
        return whole(path)

    with monkeypatch.context() as patch:
        patch.setattr(module, "atomic_file", once)
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
    revised = tape.iloc[:1].assign(volume=1.0)
    history.merge(*KEY, revised, after(tape))
    log = history.folder(*KEY) / "revisions.jsonl"
    log.write_bytes(log.read_bytes() + b'{"time": "2024-01')
    assert len(history.revisions(*KEY)) == 1
    history.merge(*KEY, revised.assign(volume=2.0), after(tape))
    assert list(history.revisions(*KEY)["volume_new"]) == [1.0, 2.0]


def test_names_cannot_leave_the_folder(history, tape):
    assert history.folder("a/../b", "..:x", "15m").parent.parent.parent == history.root
    with pytest.raises(BadBars, match="cannot name"):
        history.folder("..", "BTC", "15m")
    with pytest.raises(BadConfig, match="did you mean '15m'"):
        history.folder("venue", "BTC", "15min")


def test_bars_carry_a_moment_of_inside_the_lock(history, tape):
    from filelock import FileLock

    ticks = iter(after(tape) + pd.Timedelta(n, "s") for n in range(1000))
    clock, first, rest = (lambda: next(ticks)), tape.iloc[:100], tape.iloc[100:]
    done = history.merge(*KEY, first, clock)
    assert (history.fetched(*KEY) == done.fetched_at.value).all()
    lock, results = FileLock(history.folder(*KEY) / ".lock"), []
    writer = threading.Thread(target=lambda: results.append(CandleHistory(history.root).merge(*KEY, rest, clock)))
    with lock:
        writer.start()
        while threading.active_count() > 1 and not results and next(ticks) < after(tape) + pd.Timedelta("500s"):
            writer.join(0.001)  # its bars were fetched, and it waits
        scan = next(ticks)
    writer.join()
    assert results[0].fetched_at > scan and len(history.bars(*KEY, as_of=scan)) == 100
    assert history.present(*KEY, clock) > results[0].fetched_at
    set_back = history.present(*KEY, lambda: tape.index[0])
    assert set_back == results[0].fetched_at and len(history.bars(*KEY, as_of=set_back)) == 6000
    assert history.merge(*KEY, rest[:0], lambda: tape.index[0]).fetched_at == set_back


def test_revisions_of_a_merge_that_was_killed_are_counted_next_time(history, tape, monkeypatch):
    from smcdesk.marketdata import history as module

    history.merge(*KEY, tape, after(tape))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "save_manifest", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        history.merge(*KEY, tape.iloc[:4].assign(volume=1.0), after(tape))
    assert len(history.revisions(*KEY)) == history.manifest(*KEY)["revisions"] == 4
    assert history.merge(*KEY, tape.iloc[:4].assign(volume=1.0), after(tape)).same_n == 4
    assert CandleHistory(history.root).manifest(*KEY)["revisions"] == 4
