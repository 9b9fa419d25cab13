"""A reader that commit 9118f9c saved still loads, says the same, and goes on from its last candle."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smclab.reader import Reader
from smclab.tapes import market

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from fingerprint import digest

OLD = Path(__file__).resolve().parents[1] / "fixtures" / "old"


FAMILIES = ("displacement", "period", "session", "gap", "order_block", "pool", "structure", "swing", "range")


def by_family(log: pd.DataFrame) -> pd.DataFrame:
    "The log as that commit wrote it: the rows of a bar by family, not by stage."
    family = log["family"].map(FAMILIES.index).astype(int)
    order = np.lexsort((log["event_id"], family, log["timeframe"].cat.codes, log["known_close"]))
    return log.iloc[order].reset_index(drop=True)


@pytest.fixture
def saved() -> Reader:
    return Reader.from_bytes((OLD / "reader.npz").read_bytes())


def test_reader_saved_before_the_rooms_moved_has_the_same_columns_and_events(saved):
    at = saved.reading
    found = {"n": saved.n, "last_ns": int(saved.now().times[saved.n - 1])}
    found |= {"columns": digest(at.columns), "events": digest(by_family(at.events))}
    assert found == json.loads((OLD / "expected.json").read_text())["reader"]


def test_reader_saved_before_the_rooms_moved_goes_on_as_one_that_read_everything(saved):
    bars = market(2700, timeframe="15m", week="fx", seed=6).iloc[:400]
    whole = Reader(saved.config, instrument=saved.instrument, timeframes=saved.timeframes, timeframe="15m")
    whole.extend(bars)
    saved.extend(bars.iloc[150:])
    one, other = saved.reading, whole.reading
    assert (digest(one.columns), digest(one.events)) == (digest(other.columns), digest(other.events))
    assert Reader.from_bytes(saved.to_bytes()).n == 400
