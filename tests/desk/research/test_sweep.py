"""A grid is what its combinations are, whatever the engine; every choice is a run."""

import json

import mlflow
import numpy as np
import pandas as pd
import pytest
from command import run_in, smcdesk

from smcdesk import tracking
from smcdesk.project import paths
from smcdesk.reports import walkforward_report
from smcdesk.research import comparison, sweep, workers
from smcdesk.research import tape as research_tape
from smclab.candles import BadConfig

SYMBOL = "MADEUP"
SERIAL = {"engine": "serial"}


SPACE = {
    "policy.risk.stop_atr": [1.0, 1.4], "policy.cooldown_bars": [0, 10], "rules.tie": ["stop", "target"],
    "exits.trail_r": [0.75, 1.5], "exits.time_limit_bars": [24, 96],
}  # fmt: skip


@pytest.fixture(scope="module")
def played(tape):
    return sweep.sweep(tape, sweep.grid(SPACE), engine="serial", block=5)


def test_each_row_of_a_sweep_is_its_combination_played_alone(tape, played):
    assert len(played.figures) == 32 and played.figures["sharpe_annual"].nunique() > 10
    for row in (0, 5, 18, 31):
        ledger = research_tape.play(tape, played.combinations[row])
        assert np.allclose(research_tape.daily(tape, ledger), played.returns.iloc[row], atol=1e-12)
        assert (research_tape.daily(tape, ledger).index == played.returns.columns).all()
        figures, card = played.figures.iloc[row], research_tape.card(tape, ledger)["value"]
        for name in ("trades_n", "total_return_pct", "expectancy_r", "sharpe_annual", "max_drawdown_pct"):
            assert figures[name] == pytest.approx(card[name], abs=1e-9), name
        held = (ledger.trades["exit_time"] - ledger.trades["entry_time"]).max() / pd.Timedelta(days=1)
        assert held <= figures["longest_trade_days"] <= played.longest_trade_days


def test_engines_and_blocks_give_the_same_grid_and_folds(tape, played):
    beside = sweep.sweep(tape, sweep.grid(SPACE), engine="joblib", jobs=2, block=16)
    assert beside.hash() == played.hash() and beside.figures.equals(played.figures)
    chosen = [sweep.chosen(tape, played, keep_n=2, n_boot=0, seed=0, engine=e) for e in ("serial", "joblib")]
    assert sweep.result_hash(chosen[0]) == sweep.result_hash(chosen[1])
    assert chosen[0][0].name == "conf" and len(chosen[0]) == 3


def test_dask_gives_the_same_grid_and_ledgers_on_two_workers_found_or_started(tape, played, walked):
    local = {"engine": "dask", "jobs": 2}
    with workers.pool() as pool:
        beside = sweep.sweep(tape, sweep.grid(SPACE), block=5, **local)
        client = pool.connect(None, 2)
        assert len(client.scheduler_info()["workers"]) == 2 and beside.hash() == played.hash()
        pd.testing.assert_frame_equal(beside.figures, played.figures)
        pd.testing.assert_frame_equal(beside.returns, played.returns)
        remote = {"engine": "dask", "scheduler": client.scheduler.address}
        alone, both = (sweep.chosen(tape, played, keep_n=2, n_boot=0, seed=0, **how) for how in (remote, SERIAL))
        assert [one.ledger.hash() for one in alone] == [one.ledger.hash() for one in both]
        code, out, _ = smcdesk("walkforward", "--env", "test", "--no-report", "--scheduler", client.scheduler.address)
        one, two = (tracking.client().get_run(r).data.tags for r in (walked, run_in(out)))
        same = ("config_hash", f"grid_hash.{SYMBOL}", f"folds_hash.{SYMBOL}", f"policy_hash.{SYMBOL}")
        assert code == 0 and [one[t] for t in same] == [two[t] for t in same]
        assert pool.connected == ["this machine", client.scheduler.address]  # the command's run had a pool of its own
    assert not pool.connected


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ({}, "is empty"),
        ({"setups.confirm": ["mss"]}, "does not act after the candidates"),
        ({"policy": [1]}, "does not act after the candidates"),
        ({"exits.trail": [1.0]}, "did you mean 'trail_r'"),
        ({"policy.risk.stop_atr": []}, "list of different values"),
        ({"policy.risk.stop_atr": [1.0, 1.0]}, "list of different values"),
        ({"policy.time_limit_bars": [1], "exits.time_limit_bars": [1]}, "two paths end alike"),
    ],
)
def test_wrong_space_is_refused_in_words(space, sentence):
    with pytest.raises(BadConfig, match=sentence):
        sweep.grid(space)


def test_wrong_value_is_refused_before_anything_starts(tape):
    with pytest.raises(BadConfig, match="did you mean 'stop_atr'"):
        sweep.sweep(tape, [{"policy.risk.stop_atr": 1.0}, {"policy.risk.stop_art": 1.0}], engine="serial")
    with pytest.raises(BadConfig, match="cannot be swept"):
        research_tape.settings(tape, {"policy.enabled": True, "policy.risk.stop_atr_timeframe": "5m"})


# Studies as runs


def test_sweep_leaves_a_parent_with_its_grid_and_a_run_per_choice(swept, house):
    mlflow.set_tracking_uri(paths.mlflow_uri())
    run, client = tracking.client().get_run(swept), tracking.client()
    tags = run.data.tags
    assert tags["study"] == "sweep" and tags["seed"] == "7" and tags["env"] == "test"
    assert {"git_commit", "git_diff_hash", "versions", "config_hash", f"grid_hash.{SYMBOL}"} <= tags.keys()
    assert {f"data_fingerprint.{SYMBOL}", f"policy_hash.{SYMBOL}"} <= tags.keys()
    assert run.data.metrics[f"{SYMBOL}.sweep.combinations_n"] == 8
    stored_files = {a.path for a in client.list_artifacts(swept, SYMBOL)}
    assert {f"{SYMBOL}/{name}" for name in ("grid.parquet", "grid_returns.parquet", "heat_map.png")} <= stored_files
    nested = mlflow.search_runs(
        search_all_experiments=True, filter_string=f"tags.`mlflow.parentRunId` = '{swept}'", order_by=["start_time ASC"]
    )
    assert list(nested["tags.study.kind"]) == ["combination"] * 3 and nested["tags.study.words"].iloc[0] == "conf"
    assert (nested["status"] == "FINISHED").all() and (nested["tags.git_commit"] == tags["git_commit"]).all()
    grid = tracking.frame(swept, SYMBOL, "grid.parquet")
    best = grid.loc[grid["sharpe_annual"].idxmax()]
    assert float(nested["params.policy.risk.stop_atr"].iloc[1]) == best["stop_atr"]
    assert nested[f"metrics.{SYMBOL}.sharpe_annual"].iloc[1] == pytest.approx(best["sharpe_annual"])
    stored = {a.path.removeprefix(f"{SYMBOL}/") for a in client.list_artifacts(nested["run_id"].iloc[1], SYMBOL)}
    assert {"ledger", "daily_returns.parquet", "equity.png", "scorecard.csv"} <= stored


def test_walkforward_leaves_a_run_per_fold_from_flat(walked):
    report = walkforward_report.load(SYMBOL, "test", study=walked)
    assert report.run["run_id"] == walked and len(report.folds) == len(report.windows) == 4
    assert report.returns.index.is_monotonic_increasing and report.returns.index.is_unique
    for window, fold in zip(report.windows.itertuples(), report.folds.itertuples(), strict=True):
        trades = tracking.frame(fold.run_id, SYMBOL, "ledger/trades.parquet")
        daily = tracking.daily_returns_of(fold.run_id, SYMBOL)
        assert (daily.index[0], daily.index[-1]) == (window.test_from, window.test_to)
        assert daily.equals(report.returns.loc[window.test_from : window.test_to, "daily_return"])
        entered = trades["entry_time"].dt.tz_localize(None)
        assert entered.between(window.test_from - pd.Timedelta(days=1), window.test_to + pd.Timedelta(days=1)).all()
        chosen = json.loads(report.folds.loc[report.folds["run_id"] == fold.run_id, "tags.study.combination"].iloc[0])
        assert list(chosen.values()) == [getattr(window, name) for name in comparison.parameters(report.grid)]
    assert "95 % interval" in walkforward_report.verdict(report) and len(walkforward_report.folds(report)) == 4
    assert walkforward_report.card(report).loc["windows_n", "value"] == "4"


def test_same_configuration_gives_the_same_study_whatever_the_engine(swept):
    code, out, _ = smcdesk("sweep", "--env", "test", "--no-report", "--engine", "joblib", "--jobs", 2)
    one, two = (tracking.client().get_run(r).data.tags for r in (swept, run_in(out)))
    same = ("config_hash", f"grid_hash.{SYMBOL}", f"policy_hash.{SYMBOL}", "seed")
    assert code == 0 and [one[t] for t in same] == [two[t] for t in same]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("sweep", "--env", "test", "--engine", "dsak"), "did you mean 'dask'"),
        (("sweep", "--env", "test", "--engine", "serial", "--scheduler", "tcp://a:1"), "say engine dask"),
        (("walkforward", "--env", "test", "--symbol", "MADUP"), "did you mean 'MADEUP'"),
        (("replay", "--env", "tset"), "did you mean 'test'"),
        (("reproduce", "f" * 32), "there is no run"),
    ],
)
def test_command_with_wrong_input_says_one_sentence_and_exits_2(house, words, sentence):
    code, out, err = smcdesk(*words)
    assert code == 2 and out == "" and sentence in err and len(err.strip().splitlines()) == 1, err
