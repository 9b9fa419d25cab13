"""A scan asks the champion that conf names, once for each setup."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from scan_play import FOREVER, START, first_with_decisions, scan_close
from virtual import SYMBOL, Clock, House, moment, synthetic_model

from smcdesk.decisions.config import (
    load_decision_configs,
)
from smcdesk.modelling import registry
from smcdesk.scanning.parity_review import review
from smclab.features import features
from smclab.reader import read
from smclab.setups import candidates


@pytest.fixture
def champion(bars, monkeypatch):
    "A model in the registry's place, trained before the first look."
    owner = load_decision_configs("test")[SYMBOL].instrument
    reading = read(bars, instrument=owner)
    found = candidates(reading, owner)
    model = synthetic_model(found, features(reading, found, instrument=owner), bars.index[START - 200])
    requested = []
    monkeypatch.setattr(registry, "loaded", lambda name, version: requested.append((name, version)) or models[version])
    models = {"3": registry.Champion("smclab-MADEUP-15m", "3", model)}
    return models, requested


def test_scan_with_a_champion_goes_by_what_it_said_when_the_setup_was_new(bars, tmp_path, champion):
    models, requested = champion
    market = House(tmp_path, bars, Clock(moment(2024, 1, 1)), model_use="champion")
    market.champions = {SYMBOL: {"15m": "3"}}
    workspace, k = market.workspace(), first_with_decisions(bars)
    for n in range(k - 1, k + 25):
        workspace = market.workspace() if n == k + 9 else workspace
        scan_close(market, workspace, n)
    assert set(requested) == {("smclab-MADEUP-15m", "3")}
    scores = pd.DataFrame(
        [(d.setup_id, d.confidence, d.confidence_kind) for d in workspace.store.decisions() if d.setup_id]
    )
    scores.columns = ["setup", "confidence", "kind"]
    assert set(scores["kind"]) == {"model"} and scores["setup"].duplicated().any()
    assert (scores.groupby("setup")["confidence"].nunique() == 1).all() and scores["confidence"].nunique() > 1
    assert review(workspace, *FOREVER).defects.empty
    flat = models["3"].model.flat | {"bias": 9.0}
    models["3"] = replace(models["3"], model=replace(models["3"].model, flat=flat))
    assert len(review(workspace, *FOREVER).defects)


def test_scan_without_the_champion_conf_asks_for_says_so(bars, tmp_path):
    market = House(tmp_path, bars, Clock(moment(2024, 1, 1)), model_use="champion")
    workspace, k = market.workspace(), first_with_decisions(bars)
    scan_close(market, workspace, k - 1)
    d = scan_close(market, workspace, k).decisions[0]
    assert d.confidence_kind == "score" and "has no champion" in d.warnings[0]
    assert review(workspace, *FOREVER).defects.empty
