"""The scan journal and the slot log of one database, shared by every process that opens it."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace

import pytest
from store_rows import POLICY, T0, str_url
from virtual import moment

from smcdesk.schedule import runner
from smcdesk.schedule.slot_log import SlotLog
from smcdesk.schedule.timetable import timetable
from smcdesk.store import Store
from smcdesk.store.journal import ScanEntry, ScanJournal, content_hash, series, series_key
from smclab.candles import BadConfig

CONTENTS = {"config_hash": [{"policy": "v1"}], "account_hash": [{"equity": 10_000.0}], "calendar_hash": []}
BAR = 900_000_000_000


def entry(n: int = 0, **values) -> ScanEntry:
    "An entry of the n-th bar, opened and not decided."
    one = ScanEntry(
        "recorded/EURUSD/15m", POLICY, T0 + n * BAR, content_hash({"policy": "v1"}), content_hash({"equity": 10_000.0}),
        None, None, f"slot{n}", T0 + (n + 1) * BAR, T0 + (n + 1) * BAR, 0.0001,
    )  # fmt: skip
    return replace(one, **values)


@pytest.fixture
def other(store):
    "Another process's store on the same database."
    with Store(str_url(store)) as s:
        yield s


def test_entry_opened_by_one_process_stands_for_the_other(store, other):
    first, second = ScanJournal(store), ScanJournal(other)
    assert first.open_entries([entry()], CONTENTS) == [entry()]
    late = entry(slot="late", decided_at=T0 + 9 * BAR)
    assert second.open_entries([late, entry(1)], CONTENTS) == [entry(), entry(1)]  # the first look counts
    second.close_entries([entry().closed(())])
    assert first.entries() == [entry().closed(()), entry(1)] == second.entries()
    assert first.last_bars(POLICY) == {"recorded/EURUSD/15m": T0}
    assert first.content("account_hash", entry().account_hash) == {"equity": 10_000.0}


def test_entries_and_decisions_of_one_transaction_are_seen_together(store, other, decided):
    ScanJournal(store).open_entries([entry()], CONTENTS)
    with store.transaction() as tx:
        tx.record_decisions(decided[:2])
        ScanJournal(tx).close_entries([entry().closed(decided[:2])])
        assert other.decisions() == () and ScanJournal(other).entries() == [entry()]
    assert len(other.decisions()) == ScanJournal(other).entries()[0].decisions_n == 2


def test_problem_of_a_slot_that_was_written_first_stands(store, other):
    ScanJournal(store).record_problems("slot0", T0, {"recorded/EURUSD/15m": "provider down"})
    ScanJournal(other).record_problems("slot0", T0 + 1, {"recorded/EURUSD/15m": "odd", "recorded/XAUUSD/15m": "odd"})
    expected = {"recorded/EURUSD/15m": "provider down", "recorded/XAUUSD/15m": "odd"}
    assert ScanJournal(store).problems("slot0") == expected


def test_timetable_is_held_by_one_process_at_a_time(store, other):
    with SlotLog(store).alone() as mine:
        assert mine
        with SlotLog(other).alone() as second, other.hold("something else") as apart:
            assert not second and apart
    with SlotLog(other).alone() as mine:
        assert mine


def _hold_and_die(url: str, held) -> None:
    "Hold the timetable until the process is ended from outside."
    with Store(url) as s, SlotLog(s).alone() as mine:
        held.send(mine)
        held.recv()


def test_timetable_held_by_a_process_that_dies_is_free(store):
    context = multiprocessing.get_context("spawn")
    parent_end, child_end = context.Pipe()
    process = context.Process(target=_hold_and_die, args=(str_url(store), child_end))
    process.start()
    assert parent_end.recv()
    with SlotLog(store).alone() as mine:
        assert not mine
    process.kill()
    process.join(60)
    for _ in range(100):  # PostgreSQL notices the closed connection a moment later
        with SlotLog(store).alone() as mine:
            if mine:
                return
    raise AssertionError("the lock outlived its process")


def test_slot_run_by_one_process_is_not_run_by_the_other(store, other):
    plan = timetable({"jobs": {"a": {"report": "x", "at_close": "15m", "after_s": 10}}})
    clock, ran, nested = [moment(2024, 3, 8, 9, 50)], [], []
    first, second = SlotLog(store), SlotLog(other)

    def run(name, job, slot):
        ran.append(slot.time)
        nested.extend(runner.run_due(plan, second, lambda: clock[0], run))

    assert runner.run_due(plan, first, lambda: clock[0], run) == []  # a job that was never seen begins with the next
    clock[0] = moment(2024, 3, 8, 10, 0, 30)
    assert [d.status for d in runner.run_due(plan, first, lambda: clock[0], run)] == ["ok"] and nested == []
    assert runner.run_due(plan, second, lambda: clock[0], run) == [] and ran == [moment(2024, 3, 8, 10)]
    assert first.entries() == second.entries() and second.entries()[0]["status"] == "ok"


LOOK_ALIKES = ("EURUSD", "EUR/USD", "EUR_USD", "EUR%USD", "EUR%2FUSD", "EUR/USD/15m", "USD", "EUR", "eur/usd", "")


@pytest.mark.parametrize("symbol", LOOK_ALIKES)
def test_forget_takes_a_symbol_and_not_its_look_alikes(store, symbol, decided):
    names = {s: series("recorded", s, "15m") for s in LOOK_ALIKES}
    assert [series_key(name) for name in names.values()] == [("recorded", s, "15m") for s in LOOK_ALIKES]
    journal = ScanJournal(store)
    journal.open_entries([entry(series=name) for name in names.values()], CONTENTS)
    store.record_decisions([replace(decided[0], instrument=s) for s in LOOK_ALIKES])
    policy = decided[0].policy_hash
    assert journal.forget(symbol, POLICY) == 1 == store.forget(policy, symbol)
    left = {s for s in LOOK_ALIKES if s != symbol}
    assert {series_key(e.series)[1] for e in journal.entries()} == left == {d.instrument for d in store.decisions()}


def test_series_of_a_source_with_a_slash_is_refused():
    with pytest.raises(BadConfig, match="a source's name must be without a slash"):
        series("my/venue", "EURUSD", "15m")
