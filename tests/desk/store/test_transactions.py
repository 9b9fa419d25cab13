"""Every write is all or nothing, and writers wait for each other."""

from __future__ import annotations

import dataclasses
import itertools
import multiprocessing
import os
import threading

import numpy as np
import pytest
from sqlalchemy import event
from store_rows import counts, label, outcome, str_url

from smcdesk.store import Contradiction, Store, StoreDown, engine


def test_transaction_that_fails_leaves_nothing(store, decided):
    with pytest.raises(Contradiction), store.transaction() as tx:
        assert tx.record_decisions(decided) == len(decided) and tx.record_labels([label()]) == 1
        assert len(tx.labels()) == 1  # seen inside
        tx.record_labels([label(grade="B")])
    assert set(counts(store).values()) == {0}
    with store.transaction() as tx:
        tx.record_decisions(decided)
        tx.record_labels([label()])
    assert counts(store)["decisions"] == len(decided)


def _die(url: str, at: int) -> None:
    "Write two batches and die within the statement number `at`, as the power does."
    with Store(url) as s:
        seen = itertools.count(1)

        @event.listens_for(s._engine, "after_cursor_execute")
        def _count(connection, cursor, statement, parameters, context, executemany):
            if statement.startswith(("INSERT", "UPDATE")) and next(seen) == at:
                os._exit(9)

        with s.transaction() as tx:
            tx.record_labels([label(n) for n in range(1500)])
            tx.fill_outcomes([outcome(n) for n in range(1500)])
    os._exit(0)


@pytest.mark.parametrize("at", [1, 3, 5])
def test_writer_that_dies_leaves_nothing_half_written(store, at):
    store.record_labels([label(9999)])
    process = multiprocessing.get_context("spawn").Process(target=_die, args=(str_url(store), at))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    assert store.labels()["setup_id"].tolist() == [f"{9999:016x}"]
    assert store.record_labels([label(n) for n in range(1500)]) == 1500  # nobody is locked out


def _write(url: str, turn: int) -> tuple[int, int, int]:
    "Write the same rows as everyone else, in an order of one's own."
    order = np.random.default_rng(turn).permutation(700)
    with Store(url) as s:
        new = sum(s.record_labels([label(int(n)) for n in part]) for part in np.array_split(order, 7))
        filled = sum(s.fill_outcomes([outcome(int(n)) for n in part]) for part in np.array_split(order, 3))
        return turn, new, filled


def test_writers_of_the_same_rows_in_many_processes_write_each_once(store):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        done = pool.starmap(_write, [(str_url(store), turn) for turn in range(4)])
    assert sum(new for _, new, _ in done) == 700 and sum(filled for *_, filled in done) == 700
    assert len(store.labels()) == 700 and store.labels()["outcome"].notna().all()


def test_writers_that_disagree_in_many_threads_one_wins_the_others_hear_of_it(store, decided):
    ready, results = threading.Barrier(4), []

    def write(n: int) -> None:
        mine = [dataclasses.replace(d, why=f"story {n}") for d in decided]
        ready.wait()
        try:
            results.append(store.record_decisions(mine))
        except Contradiction:
            results.append("contradiction")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert sorted(results, key=str) == [len(decided), *["contradiction"] * 3]
    assert len({d.why for d in store.decisions()}) == 1


def test_reader_sees_one_moment_while_another_writes(store):
    with store.transaction() as tx:
        tx.record_labels([label()])
        assert len(store.labels()) == 0  # another connection, not blocked, not fooled
    assert len(store.labels()) == 1


def test_writer_that_waits_too_long_is_told_to_wait_and_try_again(url, monkeypatch):
    monkeypatch.setattr(engine, "WAIT_S", 0.2 if url.startswith("sqlite") else 1)
    with Store(url) as s, Store(url) as other:
        s.upgrade()
        with s.transaction() as tx:
            tx.record_labels([label(0)])
            with pytest.raises(StoreDown, match=r"cannot be used now .* nothing was written, wait and try again"):
                other.record_labels([label(1)])
            with pytest.raises(StoreDown, match="nothing was written, wait and try again"):
                other.upgrade()
        assert other.record_labels([label(1)]) == 1
