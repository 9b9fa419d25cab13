"""Rows come back as they were written, filtered by column and by what was known at a moment."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_rows import BAR, POLICY, T0, label, outcome

from smcdesk.store.models import OUTCOME_COLUMNS
from smclab.candles import BadConfig


def test_labels_known_by_a_moment_hide_what_came_later(store):
    store.record_labels([label(n) for n in range(20)])
    store.fill_outcomes([outcome(n) for n in range(20)])
    then = store.labels(known_by=T0 + 12 * BAR)
    assert len(then) == 13 and then["outcome"].notna().sum() == 4  # known at n + 9 <= 12
    assert then.loc[then["outcome"].isna(), list(OUTCOME_COLUMNS)].isna().all(axis=None)
    pd.testing.assert_frame_equal(store.labels(known_by=T0 + 99 * BAR), store.labels())


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
