"""Frozen figures of ledgers stay as they were, and what differs today is named."""

import pytest
from command import smcdesk

from smcdesk.reports import baseline_snapshot
from smcdesk.research import rollout
from smclab.candles import BadConfig


def test_baseline_is_frozen_once_and_held_against_the_present(house):
    smcdesk("replay", "--env", "test")
    assert "Nothing is frozen as **v1** yet" in baseline_snapshot.verdict(baseline_snapshot.load("test"))
    assert "**v1** is frozen now" in baseline_snapshot.verdict(baseline_snapshot.load("test", freeze=True))
    code, out, err = smcdesk("report", "run", "baseline_snapshot", "-p", "env=test", "-p", "freeze=true")
    assert code == 0 and "1 of 1 symbols are identical to v1" in out.replace("\n", " "), err
    page = next((house / "notebooks_out/baseline_snapshot").rglob("env-test_freeze-True.html")).read_text()
    assert all(words in page for words in ("identical", "expectancy_r", "nothing differs", "<img"))
    frozen = baseline_snapshot.load("test", name="v1").frozen
    catalog, before = house / "conf/test/catalog.yml", (house / "conf/test/catalog.yml").read_text()
    try:
        catalog.write_text(before.replace("seed: 7", "seed: 8"))
        smcdesk("replay", "--env", "test")
        snapshot = baseline_snapshot.load("test", name="v1", freeze=True)
    finally:
        catalog.write_text(before)
    assert snapshot.frozen == frozen and snapshot.now["symbols"] != frozen["figures"]["symbols"]
    assert "MADEUP differs: candles, decisions, ledger." in baseline_snapshot.verdict(snapshot)
    assert {"trades_n", "expectancy_r"} <= set(baseline_snapshot.changes(snapshot)["figure"])
    with pytest.raises(BadConfig, match="of ledgers: read it by baseline_snapshot"):
        rollout.load("test", baseline="v1")
    with pytest.raises(BadConfig, match="did you mean 'MADEUP'"):
        baseline_snapshot.load("test", symbols="MADUP")
