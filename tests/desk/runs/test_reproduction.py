"""A run can be made again from what it tells about itself."""

import json

import pytest
from command import run_in, smcdesk

from smcdesk import tracking
from smcdesk.runs import reproduction, session

SYMBOL = "MADEUP"


@pytest.fixture(scope="module")
def swept(house):
    """A sweep of the made-up market, by the command."""
    return run_in(smcdesk("sweep", "--env", "test", "--no-report")[1])


@pytest.fixture(scope="module")
def walked(house):
    """A walk-forward of the made-up market, by the command."""
    return run_in(smcdesk("walkforward", "--env", "test", "--no-report")[1])


def test_study_choice_and_fold_are_reproduced_from_their_ids(swept, walked):
    runs = tracking.finished_runs()
    ids = [walked]
    for parent in (swept, walked):
        ids.append(runs.loc[runs["tags.mlflow.parentRunId"] == parent, "run_id"].iloc[0])
    results = [reproduction.reproduce(run_id) for run_id in ids]
    for again in results:
        assert again.same and not again.inputs and not again.conf, list(again.lines())
    assert {k.partition(".")[0] for k in results[0].outputs} == {"grid_hash", "folds_hash"}


def test_replay_is_reproduced_and_what_changed_is_listed(house, monkeypatch):
    run_id = run_in(smcdesk("replay", "--env", "test")[1])
    code, out, _ = smcdesk("reproduce", run_id)
    assert code == 0 and "identical" in out and "nothing that went in has changed" in out
    parameters, catalog = (house / "conf/test" / name for name in ("parameters.yml", "catalog.yml"))
    before = parameters.read_text(), catalog.read_text()
    try:
        parameters.write_text(before[0] + "\naccount:\n  equity: 5000.0\n")
        again = reproduction.reproduce(run_id)
        assert again.same and again.conf == {"account.equity": (10_000.0, 5_000.0)}
        catalog.write_text(before[1].replace("seed: 7", "seed: 8"))
        monkeypatch.setattr(tracking, "versions", lambda: json.dumps({"numba": "0.1"}))
        code, out, _ = smcdesk("reproduce", run_id)
    finally:
        parameters.write_text(before[0])
        catalog.write_text(before[1])
    assert code == 1 and "ledger_hash.MADEUP: differs" in out and "not reproduced" in out
    assert "changed: candles" in out and "0.1 now" in out and "account.equity 10000.0 then, 5000.0 now" in out


def test_run_without_a_ledger_says_there_is_nothing_to_make_again(house):

    run_id = session.run_pipelines(("data",), symbol=SYMBOL, env="test").run_id
    code, _, err = smcdesk("reproduce", run_id)
    assert code == 2 and "left no ledger and no grid" in err
