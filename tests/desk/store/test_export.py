"""A day of the store as files."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from store_rows import BAR, T0, counts, label, outcome, signal

from smclab.candles import BadConfig


def test_export_of_a_day_round_trips(store, decided, tmp_path):
    store.record_decisions(decided)
    store.record_labels([label(n, time=T0 + n * 40 * BAR, session=None if n else 'a "b",\nc') for n in range(5)])
    store.fill_outcomes([outcome(0)])
    store.record_signals([signal()])
    days = store.days()
    assert days == tuple(sorted(days)) and pd.Timestamp(T0, tz="UTC").normalize() in days
    folders = [store.export(tmp_path, day) for day in days]
    assert folders[0] == tmp_path / f"{days[0]:%Y-%m-%d}"
    contents = {f: f.read_bytes() for folder in folders for f in sorted(folder.iterdir())}
    assert {f.name for f in contents} == {
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
    assert {f: f.read_bytes() for f in contents} == contents  # twice is once


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
