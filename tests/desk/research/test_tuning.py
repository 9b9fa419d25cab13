"""A search judges before its holdout, goes on where it stopped, and is made again from its ids."""

import dataclasses
import sys

import mlflow
import pandas as pd
import pytest
from command import run_in, smcdesk

from smcdesk import tracking
from smcdesk.research import tape as research_tape
from smcdesk.research import tuning
from smcdesk.runs import reproduction
from smclab.candles import BadConfig

SYMBOL = "MADEUP"


LOOK = {"reading.structure.left": {"low": 3, "high": 6}, "setups.confirm": ["mss", "choch"]}
SEARCH = {"n_trials": 6, "min_trades": 5, "n_folds": 2}


@pytest.fixture(scope="module")
def field(watched, reading):
    """The watched tape, to be read otherwise."""
    return tuning.TunableTape(watched, {}, {}, tuple(reading.of()["timeframe"].cat.categories)[1:])


def tuned(field, storage=None, seed=1, **search):
    """A small search."""
    return tuning.tune(field, LOOK, tuning.TuneConfig(**SEARCH | search), n_boot=50, seed=seed, storage=storage)


@pytest.fixture(scope="module")
def search(field):
    return tuned(field)


def test_market_read_as_conf_says_is_the_tape_and_a_cut_one_is_its_beginning(field):
    n = len(field.tape.bars)
    same, part = field.read({}, n), field.read({}, 3000)
    assert research_tape.play(same, {}).hash() == research_tape.play(field.tape, {}).hash()
    pd.testing.assert_frame_equal(part.candidates, same.between(0, 3000).candidates)
    assert len(field.read({"setups.confirm": "choch"}, n).candidates) > len(same.candidates)


def test_search_judges_before_the_holdout_and_tells_how_often_it_tried(field, search):
    start = tuning.holdout_bar(field.tape, tuning.TuneConfig())
    days = field.tape.bars.index.tz_convert("America/New_York")
    assert 0.6 < start / len(days) < 0.8 and (days[start] - days[start - 1]) >= pd.Timedelta("15min")
    assert len(search.trials) == 6 and [run.bars for run in search.runs] == [(start, len(days))] * 2
    assert search.combination["reading.structure.left"] in range(3, 7)
    for run in search.runs:
        assert (run.ledger.trades["entry_time"] >= field.tape.bars.index[start]).all()
    best = search.trials.loc[search.trials["value"].idxmax()]
    again = tuning.score_days(field.read(search.combination, start), tuning.TuneConfig(**SEARCH), 50, 1)
    assert again["fold_sharpe_annual"] == pytest.approx(best["value"])
    assert "luck of 6 tries" in search.summary.loc["chosen_deflated_sharpe_pct", "unit"]
    assert "6 trials chose left" in tuning.verdict(search)


def test_future_behind_the_holdout_changes_no_trial(field, search):
    start = tuning.holdout_bar(field.tape, tuning.TuneConfig())
    bars = field.tape.bars.copy()
    bars.iloc[start:, :4] *= 1.1
    other = dataclasses.replace(field, tape=dataclasses.replace(field.tape, bars=bars))
    pd.testing.assert_frame_equal(tuned(other).trials, search.trials)


def test_search_that_was_stopped_goes_on_as_if_it_had_not(field, search, tmp_path):
    import optuna

    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    assert len(tuned(field, url, n_trials=3).trials) == 3
    name = optuna.study.get_all_study_names(url)[0]
    optuna.load_study(study_name=name, storage=url).ask()  # its process ended here
    whole = tuned(field, url)
    assert whole.hash() == search.hash() and tuned(field, url).hash() == search.hash()
    assert tuned(field, url, seed=2).hash() != search.hash()
    assert len(optuna.study.get_all_study_names(url)) == 2  # another seed is another question


def test_search_without_enough_trades_chooses_nothing(field):
    none = tuned(field, n_trials=2, min_trades=10_000, sampler="random")
    assert none.combination == {} and len(none.runs) == 1 and "nothing was chosen" in tuning.verdict(none)
    assert none.trials["why"].str.contains("at least 10000 asked").all()


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ({}, "is empty"),
        ({"policy.risk.stop_atr": [1.0]}, "is not structural"),
        ({"reading.structure.lfet": [3]}, "did you mean 'left'"),
        ({"reading.structure.left": {"low": 0, "high": 4}}, "left must be >= 1"),
        ({"reading.structure.left": {"low": 4, "high": 4}}, "low must be below high"),
        ({"reading.structure.left": {"low": 2, "high": 4, "stpe": 2}}, "did you mean 'step'"),
        ({"setups.zones": [["gap"]]}, "different numbers or words"),
    ],
)
def test_wrong_structural_space_is_refused_before_anything_starts(field, space, sentence):
    with pytest.raises(BadConfig, match=sentence):
        tuning.tune(field, space, tuning.TuneConfig(), n_boot=0, seed=0)


def test_tune_without_optuna_says_what_to_install(field, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(BadConfig, match=r"install smclab\[optuna\]"):
        tuned(field)


def test_tune_by_command_leaves_its_trials_and_its_choice_and_is_made_again_from_its_ids(house):
    code, out, _ = smcdesk("tune", "--env", "test", "--trials", 2, "--no-report")
    run_id = run_in(out)
    tags = tracking.client().get_run(run_id).data.tags
    assert code == 0 and tags["study"] == "tune" and "2 trials" in out
    assert len(tracking.frame(run_id, SYMBOL, "trials.parquet")) == 2
    nested = mlflow.search_runs(
        search_all_experiments=True,
        filter_string=f"tags.`mlflow.parentRunId` = '{run_id}'",
        order_by=["start_time ASC"],
    )
    assert len(nested) == 2 and nested["tags.study.words"].str.endswith("holdout").all()
    for one in (run_id, nested["run_id"].iloc[1]):
        again = reproduction.reproduce(one)
        assert again.same and not again.inputs, list(again.lines())
