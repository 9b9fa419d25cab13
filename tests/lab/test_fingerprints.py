"""What the Lab makes of a tape is what the stored fingerprints say; `make fingerprint` asks every tape."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import fingerprint


@pytest.fixture(scope="module")
def stored(root) -> dict:
    return json.loads((root / "benchmarks" / "fingerprints.json").read_text())


def test_small_tapes_have_the_stored_fingerprints(stored):
    assert fingerprint.differences(stored["sample"], fingerprint.of_sample()) == []


def test_one_changed_price_changes_the_fingerprints(stored):
    name = "made-up BTCUSDT_1h"
    small = fingerprint.small_tapes()[name]
    at = small.bars.index[500]
    close = small.bars.loc[at, "close"]
    low, high = small.bars.loc[at, ["low", "high"]]
    small.bars.loc[at, "close"] = close + (0.01 if close < high else -0.01)
    assert low <= small.bars.loc[at, "close"] <= high
    found = fingerprint.of_tape(small)[0]
    lines = fingerprint.differences(stored["sample"][name], found)
    assert {"bars", "columns", "reader"} <= {line.split(":")[0] for line in lines}
    assert found["n"] == stored["sample"][name]["n"]


def test_one_shared_tape_has_the_stored_fingerprints(stored):
    folder = fingerprint.SHARED
    if not (folder / "crypto").exists():
        pytest.skip(f"there are no tapes at {folder}; set SMCLAB_SHARED to the folder that holds them")
    assert fingerprint.differences(stored["quick"], fingerprint.of_quick(folder)) == []
