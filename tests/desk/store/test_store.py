"""The store keeps its promises on SQLite and on a real PostgreSQL server alike."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import postgres
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, inspect, text

from smcdesk.project import paths
from smcdesk.project.config import ProjectConfig
from smcdesk.store import Contradiction, Store, StoreDown, decision_id, engine, store_url
from smcdesk.store.models import OUTCOME_COLUMNS, Base
from smclab import account, decision, gates, instruments, reader, tapes
from smclab.candles import BadConfig
from smclab.policy import Policy

T0 = 1_700_000_000_123_456_789  # ns: a digit in every place
BAR = 900_000_000_000
POLICY = "0123456789abcdef"
numbers = itertools.count()


# --- where the same suite runs ---


@pytest.fixture(scope="session")
def server():
    if why := postgres.missing():
        pytest.skip(why)
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'deep' / 'store.db'}"
    return postgres.new_schema(request.getfixturevalue("server"))


@pytest.fixture
def store(url):
    with Store(url) as s:
        s.upgrade()
        yield s


# --- rows to keep ---


@pytest.fixture(scope="session")
def decided():
    "Real decisions, of every outcome."
    bars = tapes.market(3000, seed=1, timeframe="15m", week="fx")
    context = gates.Context(instruments.instrument("EURUSD"), account.Account(equity=10_000.0), 0.00008)
    read = reader.read(bars)
    policy = Policy.from_dict({"preset": "v1", "stop_cap": {"instrument_cap": False}})
    some = decision.decide_all(read, context, policy)
    nothing = decision.decide(read.at(bars.index[100]), context, policy)
    assert {d.outcome for d in some} >= {"live", "shadow"} and nothing[0].setup_id == ""
    return tuple(sorted((*some, *nothing), key=lambda d: (d.time, decision_id(d))))


def label(n: int = 0, **said) -> dict:
    "A label's row."
    verdicts = [{"gate": "rr", "passed": True, "enforced": True, "reason": "1 £", "evidence": {"rr": 2.5}, "next": ""}]
    row = {
        "setup_id": f"{n:016x}", "policy_hash": POLICY, "version": "1", "instrument": "XAUUSD", "timeframe": "15m",
        "mode": "candle_close", "side": 1, "time": T0 + n * BAR, "grade": "A", "score": 0.1 + 0.2, "confidence": 71.5,
        "confidence_kind": "score", "outcome_class": "shadow", "verdicts": verdicts, "sweep_quality": 1 / 3,
        "fvg_quality": None, "poi_quality": None, "session": "london", "regime": "trend", "entry_spread_price": 0.25,
        "stop_distance_price": 3.21,
    }  # fmt: skip
    return row | said


def outcome(n: int = 0, **said) -> dict:
    "What became of a label."
    row = {
        "setup_id": f"{n:016x}", "policy_hash": POLICY, "outcome": "target", "outcome_known_at": T0 + (n + 9) * BAR,
        "actual_rr": 2.4, "mae_r": 0.3, "mfe_r": 2.5, "time_in_trade_bars": 8,
    }  # fmt: skip
    return row | said


def signal(version: int = 1, **said) -> dict:
    "A signal's row."
    row = {
        "setup_id": "aa", "policy_hash": POLICY, "version": version, "status": "new" if version == 1 else "amended",
        "outcome_class": "live", "instrument": "XAUUSD", "timeframe": "15m", "mode": "limit", "side": -1,
        "time": T0 + version * BAR, "expires_at": T0 + (version + 4) * BAR, "entry_price": 2000.0,
        "stop_price": 2004.5 - version, "target_price": 1987.4,
    }  # fmt: skip
    return row | said


def counts(store: Store) -> dict[str, int]:
    "Rows per table."
    with engine.reading(store._engine) as c:
        return {t.name: c.execute(text(f"SELECT count(*) FROM {t.name}")).scalar() for t in Base.metadata.sorted_tables}


# --- its shape ---


def test_store_from_nothing_goes_up_and_down_and_up_again(url):
    with Store(url) as s:
        assert s.revision() is None
        assert s.upgrade() == s.upgrade() == s.revision() == "0003"
        s.record_labels([label()])
        assert s.downgrade("base") is None and s.revision() is None
        assert set(inspect(s._engine).get_table_names()) <= {"alembic_version"}
        with pytest.raises(BadConfig, match=r"has no tables yet: run smcdesk store upgrade"):
            s.labels()
        s.upgrade("0001")
        s.upgrade()
        assert len(s.labels()) == 0


def test_store_tables_are_what_the_models_say(store):
    with store._engine.connect() as c:
        seen = MigrationContext.configure(c, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(seen, Base.metadata) == []
    there = inspect(store._engine)
    for table in Base.metadata.sorted_tables:  # alembic does not compare checks and keys
        assert {c["name"] for c in there.get_check_constraints(table.name)} == {
            c.name for c in table.constraints if c.name.startswith("ck_")
        }
        assert there.get_pk_constraint(table.name)["constrained_columns"] == [c.name for c in table.primary_key]


def test_store_tables_that_differ_from_the_models_are_noticed(store):
    with engine.writing(store._engine) as c:
        c.execute(text("ALTER TABLE setup_labels ADD COLUMN luck DOUBLE PRECISION"))
        c.execute(text("DROP INDEX ix_setup_labels_session"))
    with store._engine.connect() as c:
        found = compare_metadata(MigrationContext.configure(c), Base.metadata)
    assert {kind for kind, *_ in found} == {"remove_column", "add_index"}


@pytest.mark.parametrize("column", ["instrument", "grade", "session", "regime", "time"])
def test_store_labels_have_the_indexes_of_the_spec(store, column):
    there = {i["name"]: i["column_names"] for i in inspect(store._engine).get_indexes("setup_labels")}
    assert there[f"ix_setup_labels_{column}"] == [column]


def test_store_of_a_newer_program_is_refused(store):
    with engine.writing(store._engine) as c:
        c.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with Store(store.url) as later:
        with pytest.raises(BadConfig, match="is at revision '9999', this program needs '0003'"):
            later.labels()
        with pytest.raises(BadConfig, match="does not know: update the program"):
            later.upgrade()


def test_store_upgraded_by_many_at_once_is_upgraded_once(url):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(_upgrade, [url] * 6) == ["0003"] * 6


def _upgrade(url: str) -> str:
    with Store(url) as s:
        return s.upgrade()


# --- written once ---


def test_decisions_come_back_whole_and_twice_is_once(store, decided):
    assert store.record_decisions(iter(decided)) == len(decided)
    assert store.record_decisions(decided) == 0
    assert store.record_decisions([decided[0], decided[0]]) == 0
    assert store.decisions() == decided
    assert [d.hash() for d in store.decisions()] == [d.hash() for d in decided]
    assert counts(store)["verdicts"] == sum(len(d.verdicts) for d in decided)


def test_decision_with_other_content_is_an_error_that_names_both(store, decided):
    d = next(d for d in decided if d.outcome == "live")
    other = dataclasses.replace(d, why="a better story")
    gate = dataclasses.replace(d, verdicts=(dataclasses.replace(d.verdicts[0], reason="hm"), *d.verdicts[1:]))
    store.record_decisions([d])
    for offered, where in ((other, "why"), (gate, r"verdicts\[0\].reason")):
        with pytest.raises(
            Contradiction, match=f"stored {d.hash()}, offered {offered.hash()}.*{where}: stored .*, offered"
        ):
            store.record_decisions([*decided, offered] if offered is other else [offered])
    assert store.decisions() == (d,)  # the good ones beside it were not written either
    with pytest.raises(Contradiction, match=decision_id(decided[1])):
        store.record_decisions([decided[1], dataclasses.replace(decided[1], next="never")])
    assert store.record_decisions([dataclasses.replace(other, policy_hash="f" * 16)]) == 1  # another policy may differ


def test_decision_keeps_its_grade_beside_its_verdicts(store, decided):
    store.record_decisions([dataclasses.replace(decided[0], grade="A+", score=91.0), decided[1]])
    assert store.verdicts(grade="A+")["decision_id"].unique().tolist() == [decision_id(decided[0])]


def test_verdicts_say_what_every_gate_answered(store, decided):
    store.record_decisions(decided)
    found = store.verdicts(passed=False, gate="stop_cap")
    wanted = [
        (d.setup_id, v.reason, v.evidence) for d in decided for v in d.verdicts if v.gate == "stop_cap" and not v.passed
    ]
    assert list(zip(found["setup_id"], found["reason"], found["evidence"], strict=True)) == wanted != []


def test_labels_twice_are_once_and_other_content_is_an_error(store):
    rows = [label(n) for n in range(1200)]  # more than a statement's worth
    assert store.record_labels(rows) == 1200
    assert store.record_labels(pd.DataFrame(rows[::-1])) == 0
    with pytest.raises(Contradiction, match=r"setup_id '0000000000000003'.*grade: stored 'A', offered 'B'"):
        store.record_labels([label(5000), label(3, grade="B")])
    with pytest.raises(Contradiction, match="twice in one batch"):
        store.record_labels([label(5000), label(5000, score=1.0)])
    assert counts(store)["setup_labels"] == 1200


def test_signals_have_versions_and_expire(store):
    assert store.record_signals([signal(1), signal(2), signal(3, status="cancelled")]) == 3
    assert store.record_signals([signal(2)]) == 0
    with pytest.raises(Contradiction, match=r"version 2.*entry_price: stored 2000.0, offered 2001.0.*next version"):
        store.record_signals([signal(2, entry_price=2001)])
    assert store.signals()["version"].tolist() == [1, 2, 3]

    def held(at):
        return store.signals(at=at)["version"].tolist()

    assert held(T0 + BAR) == held(T0 + 2 * BAR - 1) == []  # its bar has not closed yet
    assert held(T0 + 2 * BAR) == [1] and held(T0 + 3 * BAR) == [2]
    assert held(T0 + 4 * BAR) == []  # cancelled
    store.record_signals([signal(1, setup_id="bb")])
    end = T0 + 5 * BAR
    assert held(end - 1) == [1] and held(end) == []  # expired


def test_instruments_keep_their_former_selves(store):
    gold = instruments.instrument("XAUUSD")
    assert store.record_instruments([gold, gold, instruments.instrument("EURUSD")]) == 2
    assert store.record_instruments([gold, dataclasses.replace(gold, typical_spread=0.3)]) == 1
    kept = store.instruments(symbol="XAUUSD")
    assert sorted(p["typical_spread"] for p in kept["profile"]) == [0.25, 0.3]
    assert instruments.Instrument.from_dict(store.instruments(symbol="EURUSD")["profile"][0]).symbol == "EURUSD"


def test_baseline_is_frozen_under_its_name(store):
    figures = {"A+": {"n": 12, "pass_rate_pct": 41.7}, "none": None}
    for wanted in (1, 0):
        assert store.snapshot("before rollout", figures, policy_hash=POLICY, time=T0) == wanted
    with pytest.raises(Contradiction, match=r"figures.A\+.n: stored 12, offered 13.*frozen: choose another name"):
        store.snapshot(
            "before rollout", {**figures, "A+": {"n": 13, "pass_rate_pct": 41.7}}, policy_hash=POLICY, time=T0
        )
    kept = store.baseline("before rollout")
    assert (kept["figures"], kept["policy_hash"], kept["time"]) == (figures, POLICY, T0)
    with pytest.raises(BadConfig, match="did you mean 'before rollout'"):
        store.baseline("before rolout")
    with pytest.raises(BadConfig, match="figures must be plain values"):
        store.snapshot("bad", {"rate": float("nan")}, policy_hash=POLICY, time=T0)


# --- later facts ---


def test_outcomes_are_filled_once_and_never_replaced(store):
    store.record_labels([label(n) for n in range(4)])
    never = {"outcome": "never_filled", "actual_rr": None, "mae_r": None, "mfe_r": None, "time_in_trade_bars": None}
    rows = [outcome(0), outcome(1, **never)]
    assert store.fill_outcomes(rows) == 2
    assert store.fill_outcomes(pd.DataFrame([*rows, outcome(2)])) == 1
    assert store.record_labels([label(0)]) == 0  # the label is still the same label
    with pytest.raises(
        Contradiction, match=r"outcome: stored 'target', offered 'stop'; actual_rr: stored 2.4, offered -1.0"
    ):
        store.fill_outcomes([outcome(3), outcome(0, outcome="stop", actual_rr=-1.0)])
    found = store.labels()
    assert found["outcome"].fillna("").tolist() == ["target", "never_filled", "target", ""]
    assert found["time_in_trade_bars"].isna().tolist() == [False, True, False, True]


def test_outcomes_that_cannot_be_are_refused(store):
    store.record_labels([label(0)])
    for said, why in (
        ({"outcome_known_at": T0}, "not after the label's time"),
        ({"setup_id": "no such"}, "there is no label with setup_id 'no such'"),
        ({"outcome": "stop_gap"}, "did you mean 'stop'"),
        ({"outcome": None}, "outcome is missing"),
        ({"actual_rr": None}, "actual_rr is missing"),
        ({"actual_rr": float("inf")}, "must be a finite number"),
        ({"grade": "A"}, "setup_labels has no column 'grade'"),
    ):
        with pytest.raises(BadConfig, match=why):
            store.fill_outcomes([outcome(**said)])
    with pytest.raises(BadConfig, match="outcome is a later fact, write it by fill_outcomes"):
        store.record_labels([label(1, outcome="target")])
    assert store.labels()["outcome"].isna().all()


def test_labels_known_by_a_moment_hide_what_came_later(store):
    store.record_labels([label(n) for n in range(20)])
    store.fill_outcomes([outcome(n) for n in range(20)])
    then = store.labels(known_by=T0 + 12 * BAR)
    assert len(then) == 13 and then["outcome"].notna().sum() == 4  # known at n + 9 <= 12
    assert then.loc[then["outcome"].isna(), list(OUTCOME_COLUMNS)].isna().all(axis=None)
    pd.testing.assert_frame_equal(store.labels(known_by=T0 + 99 * BAR), store.labels())


# --- reading ---


def test_labels_filters_and_dtypes(store):
    empty = store.labels().dtypes
    store.record_labels(
        [label(0), label(1, grade=None, session=None, side=-1), label(2, instrument="EURUSD", grade="B")]
    )
    found = store.labels()
    assert (found.dtypes == empty).all() and str(empty["time"]) == "datetime64[ns, UTC]"

    def ids(**where):
        return [int(x, 16) for x in store.labels(**where)["setup_id"]]

    assert ids(instrument="XAUUSD") == [0, 1]
    assert ids(grade=["A", "B"]) == [0, 2] and ids(grade=None) == [1] and ids(grade=["A", None]) == [0, 1]
    assert ids(since=T0 + BAR, until=T0 + 2 * BAR) == [1]
    assert ids(since=pd.Timestamp(T0 + BAR, tz="UTC"), side=1) == [2] and ids(grade=[]) == []
    for bad, why in (
        ({"grad": "A"}, "no column 'grad'; did you mean 'grade'"),
        ({"grade": "A++"}, r"one of A\+, A, B, NO_TRADE; found 'A\+\+'; did you mean 'A\+'"),
        ({"since": "2024-01-01"}, "since must be ns"),
        ({"score": "high"}, "score must be a finite number"),
    ):
        with pytest.raises(BadConfig, match=why):
            store.labels(**bad)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    time=st.integers(10**17, 2**63 - 1),
    x=st.floats(allow_nan=False, allow_infinity=False),
    word=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
)
def test_store_gives_back_the_nanosecond_the_last_digit_and_the_word(store, time, x, word):
    store.forget(POLICY, word)
    evidence = {"x": x, word: [time, None, True]}
    store.record_labels([label(0, instrument=word, time=time, score=x, verdicts=[evidence])])
    row = store.labels(instrument=word).iloc[0]
    assert (row["time"].value, row["score"], row["instrument"], row["verdicts"]) == (time, x, word, [evidence])
    assert store.record_labels([label(0, instrument=word, time=row["time"], score=x, verdicts=[evidence])]) == 0
    assert store.forget(POLICY, word) == 1


@pytest.mark.parametrize(
    ("name", "bad", "why"),
    [
        ("time", 1_700_000_000, "after 1973: ns since 1970 UTC"),  # seconds
        ("time", pd.Timestamp("2024-01-01"), "timestamp with its zone"),
        ("time", datetime.datetime(2500, 1, 1, tzinfo=datetime.UTC), "time must be"),
        ("time", pd.NaT, "time is missing"),
        ("grade", "A +", r"did you mean 'A\+'"),
        ("score", np.inf, "must be a finite number"),
        ("score", True, "must be a finite number"),
        ("side", 0.5, "must be a whole number"),
        ("side", 2, "the store refuses a row"),
        ("session", "lon\0don", "session must be a text"),
        ("verdicts", [{"evidence": np.nan}], "verdicts must be plain values"),
        ("sesion", "london", "no column 'sesion'; did you mean 'session'"),
    ],
)
def test_label_that_cannot_be_kept_is_refused_by_name(store, name, bad, why):
    with pytest.raises(BadConfig, match=why):
        store.record_labels([label(0), label(1, **{name: bad})])
    assert len(store.labels()) == 0
    with pytest.raises(BadConfig, match="setup_labels, row 0: instrument is missing"):
        store.record_labels([{k: v for k, v in label().items() if k != "instrument"}])


# --- all or nothing ---


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


def str_url(store: Store) -> str:
    return store.url.render_as_string(hide_password=False)


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
    ready, said = threading.Barrier(4), []

    def write(n: int) -> None:
        mine = [dataclasses.replace(d, why=f"story {n}") for d in decided]
        ready.wait()
        try:
            said.append(store.record_decisions(mine))
        except Contradiction:
            said.append("contradiction")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert sorted(said, key=str) == [len(decided), *["contradiction"] * 3]
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


# --- a day as files ---


def test_export_of_a_day_round_trips(store, decided, tmp_path):
    store.record_decisions(decided)
    store.record_labels([label(n, time=T0 + n * 40 * BAR, session=None if n else 'a "b",\nc') for n in range(5)])
    store.fill_outcomes([outcome(0)])
    store.record_signals([signal()])
    days = store.days()
    assert days == tuple(sorted(days)) and pd.Timestamp(T0, tz="UTC").normalize() in days
    folders = [store.export(tmp_path, day) for day in days]
    assert folders[0] == tmp_path / f"{days[0]:%Y-%m-%d}"
    kept = {f: f.read_bytes() for folder in folders for f in sorted(folder.iterdir())}
    assert {f.name for f in kept} == {
        f"{t}.{kind}" for t in ("decisions", "verdicts", "setup_labels", "signals") for kind in ("csv", "parquet")
    }
    labels = pd.concat([pd.read_parquet(f / "setup_labels.parquet") for f in folders], ignore_index=True)
    labels["verdicts"] = labels["verdicts"].map(json.loads)
    pd.testing.assert_frame_equal(labels, store.labels(), check_dtype=False)
    assert [x.value for x in labels["time"]] == [T0 + n * 40 * BAR for n in range(5)]
    verdicts = pd.concat([pd.read_parquet(f / "verdicts.parquet") for f in folders], ignore_index=True)
    assert len(verdicts) == counts(store)["verdicts"]
    for folder in folders:
        store.export(tmp_path, folder.name)
    assert {f: f.read_bytes() for f in kept} == kept  # twice is once


def test_export_as_csv_keeps_every_digit(store, tmp_path):
    store.record_labels([label(0), label(1, session=None)])
    store.fill_outcomes([outcome(0)])
    folder = store.export(tmp_path, "2023-11-14", formats=["csv"])
    assert sorted(f.suffix for f in folder.iterdir()) == [".csv"] * 4
    words = pd.read_csv(folder / "setup_labels.csv", dtype=str, keep_default_na=False)
    first, second = words.to_dict("records")
    assert (first["time"], second["outcome_known_at"]) == ("2023-11-14T22:13:20.123456789Z", "")
    assert (float(first["score"]), first["session"], second["session"]) == (0.1 + 0.2, "london", "")
    assert json.loads(first["verdicts"]) == label()["verdicts"]
    assert pd.Timestamp(first["outcome_known_at"]).value == outcome()["outcome_known_at"]


def test_export_that_fails_leaves_the_day_as_it_was(store, tmp_path, monkeypatch):
    store.record_labels([label()])
    folder = store.export(tmp_path, "2023-11-14")
    before = {f.name: f.read_bytes() for f in folder.iterdir()}
    store.fill_outcomes([outcome()])
    with monkeypatch.context() as m:
        m.setattr(pd.DataFrame, "to_csv", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.export(tmp_path, "2023-11-14")
    assert {f.name: f.read_bytes() for f in folder.iterdir()} == before
    assert [f.name for f in tmp_path.iterdir() if "2023-11-14" in f.name] == ["2023-11-14"]
    for bad in ("yesterday", "2023-11-14 12:00", pd.Timestamp("2023-11-14"), pd.NaT):
        with pytest.raises(BadConfig, match="day must be a UTC day"):
            store.export(tmp_path, bad)
    with pytest.raises(BadConfig, match="did you mean 'parquet'"):
        store.export(tmp_path, "2023-11-14", formats=["parket"])


def test_forget_deletes_one_policy_on_one_instrument(store, decided):
    store.record_decisions([*decided, *(dataclasses.replace(d, policy_hash="f" * 16) for d in decided)])
    n = len(decided)
    assert store.forget("f" * 16, "XAUUSD") == 0
    assert store.forget("f" * 16, "EURUSD") == n
    assert store.decisions() == decided and counts(store)["verdicts"] == sum(len(d.verdicts) for d in decided)


# --- which database ---


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("data/store.db", "did you mean 'sqlite:///data/store.db'"),
        ("", "must be like sqlite:"),
        ("postgress://h/d", "knows no database 'postgress'; did you mean 'postgresql'"),
        ("mysql://u:secret@h/d", "known: sqlite, postgresql"),
        ("postgresql://u:secret@h:port/d", "malformed"),
        ("postgresql://u:secret@h", "must name the database"),
        ("sqlite://", "a store in memory is gone"),
        ("sqlite:///:memory:", "a store in memory is gone"),
    ],
)
def test_store_url_that_is_wrong_is_refused_without_its_secret(url, why):
    with pytest.raises(BadConfig, match=why) as error:
        Store(url)
    assert "secret" not in str(error.value)


def test_store_that_does_not_answer_says_so_without_its_secret():
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'smclab[postgres]'")
    with Store("postgres://u:secret@127.0.0.1:1/d") as s, pytest.raises(StoreDown, match="wait and try again") as error:
        s.upgrade()
    assert "secret" not in str(error.value) and "secret" not in repr(s)


def test_store_without_psycopg_says_what_to_install(tmp_path):
    (tmp_path / "psycopg.py").write_text("raise ModuleNotFoundError('psycopg')")
    code = "from smcdesk.store import Store; Store('postgresql://u@h/d')"
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert (
        "BadConfig: postgresql+psycopg://u@h/d needs PostgreSQL's driver: pip install 'smclab[postgres]'" in done.stderr
    )


def test_store_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "notes.db").write_text("these are my notes, " * 100)
    with Store(f"sqlite:///{tmp_path}/notes.db") as s, pytest.raises(BadConfig, match="is not an SQLite database"):
        s.upgrade()
    with Store(f"sqlite:///{tmp_path}/notes.db/x.db") as s, pytest.raises(BadConfig, match="cannot be made there"):
        s.upgrade()
    with Store(f"sqlite:///{tmp_path}/none.db") as s, pytest.raises(BadConfig, match="has no tables yet"):
        s.labels()
    assert not (tmp_path / "none.db").exists()


def test_store_is_where_conf_and_the_environment_say(root, monkeypatch, tmp_path):
    monkeypatch.setenv("SMCLAB_ROOT", str(root))
    monkeypatch.delenv("SMCDESK_STORE_URL", raising=False)
    where = {env: Store(env=env).url.database for env in (None, *paths.envs())}
    assert len(set(where.values())) == len(where)  # no two environments share one
    assert all(p.startswith(f"{root.as_posix()}/data/07_model_output/") for p in where.values())
    monkeypatch.setenv("SMCDESK_STORE_URL", "sqlite:///relative.db")
    assert Store().url.database == f"{root.as_posix()}/relative.db"  # from the project, not from where one stands
    monkeypatch.delenv("SMCDESK_STORE_URL")
    monkeypatch.setattr(ProjectConfig, "store", {"url": "postgresql://u:secret@h/d"})
    with pytest.raises(
        BadConfig, match="holds a password: move the whole URL to the variable SMCDESK_STORE_URL"
    ) as error:
        store_url()
    assert "secret" not in str(error.value)
