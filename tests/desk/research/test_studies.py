"""Studies at the Desk: a grid is what its combinations are, every choice is a run, and a run can be made again."""

import dataclasses
import json
import subprocess
import sys

import mlflow
import numpy as np
import pandas as pd
import pytest
from smclab.account import Account
from smclab.policy import Policy
from typer.testing import CliRunner

from smcdesk import tracking
from smcdesk.__main__ import _pairs, app
from smcdesk.pipelines.sweep import waiting
from smcdesk.project import paths
from smcdesk.project.config import load_config
from smcdesk.reports import baseline_snapshot, runner, walkforward_report
from smcdesk.research import comparison, rollout, sweep, tuning, workers
from smcdesk.research import tape as research_tape
from smcdesk.runs import reproduction
from smclab.candles import BadConfig
from smclab.decision import decide_all
from smclab.execution import Costs, Rules, intents
from smclab.gates import Context
from smclab.instruments import instrument
from smclab.reader import read
from smclab.replay import replay
from smclab.setups import candidates, warmup_bars
from smclab.tapes import market

SYMBOL = "MADEUP"
SERIAL = {"engine": "serial"}
WIDE = {"preset": "v1", "stop_cap": {"instrument_cap": False}}
GATES = ("news_gate", "killzone_gate", "htf_poi_gate", "strict_sweep", "strict_fvg")
OPEN = {name: {"enabled": False} for name in GATES} | {"stop_cap": {"instrument_cap": False}}


def smcdesk(*words):
    """The command in this process: exit code, stdout, stderr."""
    done = CliRunner().invoke(app, _pairs([str(w) for w in words]))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def run_in(out: str) -> str:
    """The 32 hex digits in what a command said."""
    return next(w.strip(";,.") for w in out.split() if len(w.strip(";,.")) == 32)


@pytest.fixture(scope="module")
def swept(house):
    """A sweep of the made-up market, by the command."""
    return run_in(smcdesk("sweep", "--env", "test", "--no-report")[1])


@pytest.fixture(scope="module")
def walked(house):
    """A walk-forward of the made-up market, by the command."""
    return run_in(smcdesk("walkforward", "--env", "test", "--no-report")[1])


@pytest.fixture(scope="module")
def reading():
    return read(market(4000, seed=7, timeframe="15m", week="fx"), instrument=instrument("EURUSD"))


@pytest.fixture(scope="module")
def tape(reading):
    eurusd = instrument("EURUSD")
    context = Context(eurusd, Account(equity=10_000.0), eurusd.typical_spread)
    spread = pd.Series(eurusd.typical_spread, index=reading.bars.index)
    costs = Costs(spread_price=eurusd.typical_spread)
    return research_tape.ResearchTape(
        reading.bars,
        candidates(reading, eurusd),
        context,
        costs,
        spread,
        WIDE,
        {"tie": "stop"},
        warmup_bars=warmup_bars(reading),
    )


@pytest.fixture(scope="module")
def watched(reading, tape):
    """The tape with its waiting limits looked at again, as the pipeline has it."""
    how = {"modes": ["candle_close", "limit"], "legs": True, "zone_exit": True}
    return dataclasses.replace(tape, orders=how, looks=waiting(reading, instrument("EURUSD"), None))


# A grid


@pytest.mark.parametrize("name", ["v1", "strict", "killzone", "small"])
def test_sweep_of_one_is_the_replay_also_where_limits_are_taken_back(watched, reading, name):
    said = {
        "v1": WIDE, "strict": {**OPEN, "killzone_gate": {"enabled": True}, "htf_poi_gate": {"enabled": True}},
        "killzone": {**OPEN, "killzone_gate": {"enabled": True}, "grade_execution": {"a_plus": 60, "a": 50, "b": 40}},
        "small": WIDE,
    }[name]  # fmt: skip
    account = Account(equity=200.0 if name == "small" else 10_000.0)
    tape = dataclasses.replace(watched, policy=said, context=dataclasses.replace(watched.context, account=account))
    policy, how = Policy.from_dict(said), {"spread_price": tape.spread_price}
    decisions = decide_all(reading, tape.context, policy, **how)
    looks = decide_all(reading, tape.context, policy, pending=True, **how)
    sent = intents(decisions, reading.bars, looks=looks, **tape.orders)
    pd.testing.assert_frame_equal(research_tape.orders(tape, policy), sent)
    ledger = replay(
        tape.bars, sent, instrument=tape.context.instrument, account=account, costs=tape.costs,
        rules=Rules(cooldown_bars=policy.cooldown_bars), max_risk_pct=policy.in_force.risk.max_risk_pct,
    )  # fmt: skip
    assert research_tape.play(tape, {}).hash() == ledger.hash()
    blind = dataclasses.replace(tape, looks=None)
    assert (name == "v1") or (research_tape.orders(blind, policy)["expiry_bar"] > sent["expiry_bar"]).any()


@pytest.mark.parametrize(
    "policy",
    [
        WIDE, {"preset": "v1"}, {"preset": "shadow"}, {"preset": "a_plus_and_a_live"}, OPEN,
        OPEN | {"risk": {"target": "fixed_rr"}, "grade_execution": {"a_plus": 60, "a": 50, "b": 40}},
        WIDE | {"pre_filters": {"max_spread_atr": 0.1}}, OPEN | {"risk": {"sizing": "capital_fraction"}},
    ],
)  # fmt: skip
def test_live_tickets_are_those_decide_all_lets_trade(tape, reading, policy):
    policy = Policy.from_dict(policy)
    told = decide_all(reading, tape.context, policy, spread_price=tape.spread_price)
    live = [(d.setup_id, d.time, d.ticket) for d in told if d.outcome == "live"]
    assert [(d.setup_id, d.time, d.ticket) for d in research_tape.live_tickets(tape, policy)] == live


def test_live_tickets_ask_the_account_and_the_data(tape, reading):
    for changes in (
        {"account": Account(equity=10_000.0, open_positions=("EURUSD",))}, {"account": Account(equity=1.0)},
        {"account": Account(equity=10_000.0, exits=(("EURUSD", 1, 1),))}, {"data_quality": "degraded"},
        {"now_ns": reading.bars.index[-1].value + 10**13, "last_bar_ns": reading.bars.index[-1].value},
    ):  # fmt: skip
        other = dataclasses.replace(tape, context=dataclasses.replace(tape.context, **changes))
        policy = Policy.from_dict(WIDE)
        told = decide_all(reading, other.context, policy, spread_price=tape.spread_price)
        live = [d.setup_id for d in told if d.outcome == "live"]
        assert [d.setup_id for d in research_tape.live_tickets(other, policy)] == live
        assert len(live) < len(research_tape.live_tickets(tape, policy))


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
    here = {"engine": "dask", "jobs": 2}
    try:
        beside = sweep.sweep(tape, sweep.grid(SPACE), block=5, **here)
        client = workers.connect(None, 2)
        assert len(client.scheduler_info()["workers"]) == 2 and beside.hash() == played.hash()
        pd.testing.assert_frame_equal(beside.figures, played.figures)
        pd.testing.assert_frame_equal(beside.returns, played.returns)
        there = {"engine": "dask", "scheduler": client.scheduler.address}
        alone, both = (sweep.chosen(tape, played, keep_n=2, n_boot=0, seed=0, **how) for how in (there, SERIAL))
        assert [one.ledger.hash() for one in alone] == [one.ledger.hash() for one in both]
        code, out, _ = smcdesk("walkforward", "--env", "test", "--no-report", "--scheduler", client.scheduler.address)
        one, two = (tracking.client().get_run(r).data.tags for r in (walked, run_in(out)))
        same = ("config_hash", f"grid_hash.{SYMBOL}", f"folds_hash.{SYMBOL}", f"policy_hash.{SYMBOL}")
        assert code == 0 and [one[t] for t in same] == [two[t] for t in same]
        assert not workers._hired  # the run let go of all it had
    finally:
        workers.close_all()


def test_dask_that_is_not_there_is_named(tape, played, monkeypatch):
    monkeypatch.setattr(workers, "WAIT_S", 0.2)
    with pytest.raises(BadConfig, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"):
        workers.run_units("x", pow, [(1, 1)], engine="dask", scheduler="tcp://127.0.0.1:9")
    with pytest.raises(BadConfig, match="say engine dask beside it"):
        workers.run_units("x", pow, [(1, 1)], engine="serial", scheduler="tcp://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(BadConfig, match=r"install smclab\[dask\]"):
        workers.run_units("x", pow, [(1, 1)], engine="dask")


def test_work_is_counted_aloud():
    heard = []
    workers.listen(lambda *said: heard.append(said))
    try:
        assert workers.run_units("squares", pow, [(2, 2), (3, 2)], engine="serial") == [4, 9]
    finally:
        workers.listen(None)
    assert heard == [("squares", 1, 2), ("squares", 2, 2)]


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
    with pytest.raises(BadConfig, match="did you mean 'dask'"):
        workers.run_units("x", pow, [(1, 1)], engine="dsak")


def test_part_of_a_tape_knows_nothing_before_or_after_it(tape):
    part = tape.between(1000, 3000)
    ledger = research_tape.play(part, {})
    assert len(part.bars) == 2000 and len(ledger.trades)
    assert ledger.trades["entry_time"].min() >= part.bars.index[0]
    assert set(part.candidates["known_bar"]) <= set(range(1000, 3000))


# Structural parameters


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
        told = reproduction.reproduce(one)
        assert told.same and not told.given, list(told.lines())


# Chance


def test_resampled_means_are_means_of_whole_blocks():
    x = np.arange(10.0)[:, None] ** 2
    drawn = comparison.resampled_means(x, 500, 0, 3)
    wrapped = np.concatenate([x[:, 0], x[:2, 0]])
    threes, ones = [wrapped[i : i + 3].sum() for i in range(10)], x[:, 0]
    sums = {round(a + b + c + d, 6) for a in threes for b in threes for c in threes for d in ones}
    assert {round(v * 10, 6) for v in drawn[:, 0]} <= sums
    assert drawn.mean() == pytest.approx(x.mean(), rel=0.1)


def test_step_down_corrects_for_how_many_were_asked_and_keeps_the_order():
    rng = np.random.default_rng(1)
    chance = np.abs(rng.standard_normal((4000, 10)))
    t = np.array([4.5, 2.2, *np.linspace(1.0, 0.1, 8)])
    p = comparison.step_down(t, chance)
    assert p[0] < 0.01 and p[1] > 0.1 and (np.diff(p) >= 0).all()
    assert comparison.step_down(t[1:2], chance[:, 1:2])[0] == pytest.approx(0.028, abs=0.01)


def test_differences_are_named_only_when_larger_than_chance():
    rng, days = np.random.default_rng(2), pd.date_range("2020-01-01", periods=500, freq="B")
    luck = pd.DataFrame(rng.normal(0, 0.01, (500, 4)), index=days, columns=list("ABCD"))
    assert not comparison.differences(luck, year=260, n_boot=500)["larger"].any()
    found = comparison.differences(luck.assign(B=luck["A"] - 0.001), year=260, n_boot=500)
    first = found.iloc[0]
    assert (first["better"], first["worse"], bool(first["larger"])) == ("A", "B", True)
    assert first["difference_pct_year"] == pytest.approx(26.0)
    same = comparison.differences(luck[["A"]].assign(B=luck["A"]), year=260, n_boot=200)
    assert same["p"].iloc[0] == 1.0 and not same["larger"].iloc[0]
    assert comparison.differences(luck.head(30), year=260).empty


def test_false_alarms_stay_as_rare_as_said():
    days = pd.date_range("2020-01-01", periods=250, freq="B")
    alarms = 0
    for seed in range(60):
        x = np.random.default_rng(seed).standard_t(4, (250, 5)) * 0.01
        alarms += comparison.differences(pd.DataFrame(x, index=days), year=260, n_boot=300, seed=seed)["larger"].any()
    assert alarms <= 8  # 3 expected; more than 8 happens once in 200 times


# Studies as runs


def test_sweep_leaves_a_parent_with_its_grid_and_a_run_per_choice(swept, house):
    mlflow.set_tracking_uri(paths.mlflow_uri())
    run, client = tracking.client().get_run(swept), tracking.client()
    tags = run.data.tags
    assert tags["study"] == "sweep" and tags["seed"] == "7" and tags["env"] == "test"
    assert {"git_commit", "git_diff_hash", "versions", "config_hash", f"grid_hash.{SYMBOL}"} <= tags.keys()
    assert {f"data_fingerprint.{SYMBOL}", f"policy_hash.{SYMBOL}"} <= tags.keys()
    assert run.data.metrics[f"{SYMBOL}.sweep.combinations_n"] == 8
    kept = {a.path for a in client.list_artifacts(swept, SYMBOL)}
    assert {f"{SYMBOL}/{name}" for name in ("grid.parquet", "grid_returns.parquet", "heat_map.png")} <= kept
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
    told = walkforward_report.load(SYMBOL, "test", study=walked)
    assert told.run["run_id"] == walked and len(told.folds) == len(told.windows) == 4
    assert told.returns.index.is_monotonic_increasing and told.returns.index.is_unique
    for window, fold in zip(told.windows.itertuples(), told.folds.itertuples(), strict=True):
        trades = tracking.frame(fold.run_id, SYMBOL, "ledger/trades.parquet")
        daily = tracking.daily_returns_of(fold.run_id, SYMBOL)
        assert (daily.index[0], daily.index[-1]) == (window.test_from, window.test_to)
        assert daily.equals(told.returns.loc[window.test_from : window.test_to, "daily_return"])
        entered = trades["entry_time"].dt.tz_localize(None)
        assert entered.between(window.test_from - pd.Timedelta(days=1), window.test_to + pd.Timedelta(days=1)).all()
        chosen = json.loads(told.folds.loc[told.folds["run_id"] == fold.run_id, "tags.study.combination"].iloc[0])
        assert list(chosen.values()) == [getattr(window, name) for name in comparison.parameters(told.grid)]
    assert "95 % interval" in walkforward_report.verdict(told) and len(walkforward_report.folds(told)) == 4
    assert walkforward_report.card(told).loc["windows_n", "value"] == "4"


def test_same_configuration_gives_the_same_study_whatever_the_engine(swept):
    code, out, _ = smcdesk("sweep", "--env", "test", "--no-report", "--engine", "joblib", "--jobs", 2)
    one, two = (tracking.client().get_run(r).data.tags for r in (swept, run_in(out)))
    same = ("config_hash", f"grid_hash.{SYMBOL}", f"policy_hash.{SYMBOL}", "seed")
    assert code == 0 and [one[t] for t in same] == [two[t] for t in same]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sweep", "--env", "test", "--engine", "dsak"), "did you mean 'dask'"),
        (("sweep", "--env", "test", "--engine", "serial", "--scheduler", "tcp://a:1"), "say engine dask"),
        (("walkforward", "--env", "test", "--symbol", "MADUP"), "did you mean 'MADEUP'"),
        (("replay", "--env", "tset"), "did you mean 'test'"),
        (("reproduce", "f" * 32), "there is no run"),
    ],
)
def test_command_with_wrong_input_says_one_sentence_and_exits_2(house, words, said):
    code, out, err = smcdesk(*words)
    assert code == 2 and out == "" and said in err and len(err.strip().splitlines()) == 1, err


# Comparing


def test_comparison_ranks_and_tests_a_sweeps_choices(swept, walked):
    told = comparison.load(SYMBOL, "test", study=swept, n_boot=300)
    assert list(told.table["label"]) == ["A", "B", "C"] and told.table["sharpe_annual"].is_monotonic_decreasing
    assert len(told.tests) == 3 and len(told.returns) == told.table["days_n"].min()
    assert "3 runs, 3 pairs" in comparison.verdict(told) and len(comparison.pairs(told)) == 3
    assert comparison.grid(told, swept) is not None and len(comparison.windows(told, swept)) == 4
    assert "combinations" in comparison.plateau_words(comparison.grid(told, swept))
    fallen = comparison.load(SYMBOL, "test", study=swept, rank_by="max_drawdown_pct", n_boot=50)
    assert fallen.table["max_drawdown_pct"].is_monotonic_increasing


def test_comparison_with_wrong_words_names_the_nearest(swept):
    with pytest.raises(BadConfig, match="did you mean 'sharpe_annual'"):
        comparison.load(SYMBOL, "test", rank_by="sharp_annual")
    with pytest.raises(BadConfig, match="no finished run"):
        comparison.load(SYMBOL, "test", runs="0123")


def test_compare_report_runs_and_is_stored_with_the_study(swept, house):
    code, out, err = smcdesk(
        "report", "compare_report", "-p", f"symbol={SYMBOL}", "-p", "env=test", "-p", f"study={swept}"
    )
    assert code == 0, err
    page = next((house / "notebooks_out/compare_report").rglob("*.html")).read_text()
    assert "larger than chance" in out and page.count("<img") >= 2 and "Romano and Wolf" in page
    assert {"compare_report", "walkforward_report"} <= runner.reports(house).keys()


def test_newest_runs_are_told_apart_by_what_differs(house, walked):
    from smcdesk.runs import session

    for equity in (10_000.0, 5_000.0):
        extra = {"account": {"equity": equity}}
        session.run_pipelines(("data", "feature", "replay"), symbol=SYMBOL, env="test", runtime_params=extra)
    told = comparison.load(SYMBOL, "test", newest=3, n_boot=50)
    assert {"replay, equity 5000.0", "replay, equity 10000.0"} <= set(told.table["what"])
    assert told.table["what"].str.startswith("walkforward").sum() == 1
    assert len(told.returns) == len(walkforward_report.load(SYMBOL, "test").returns)
    assert "Not all runs cover the same days" in comparison.omitted(told)
    ends = 100 * ((1 + told.returns).prod() - 1)
    assert np.allclose(told.table["total_return_pct"], ends[told.table["label"]])


# A run made again


def test_difference_from_a_commit_is_one_fingerprint(tmp_path):
    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    assert tracking.diff_hash(tmp_path) == ""
    git("init", "-q")
    (tmp_path / "a.txt").write_text("one")
    git("add", "."), git("commit", "-qm", "One")
    assert tracking.diff_hash(tmp_path) == ""
    (tmp_path / "a.txt").write_text("two")
    changed = tracking.diff_hash(tmp_path)
    (tmp_path / "b.txt").write_text("new")
    assert len(changed) == 16 and tracking.diff_hash(tmp_path) not in ("", changed)


def test_study_choice_and_fold_are_reproduced_from_their_ids(swept, walked):
    runs = tracking.finished_runs()
    ids = [walked]
    for parent in (swept, walked):
        ids.append(runs.loc[runs["tags.mlflow.parentRunId"] == parent, "run_id"].iloc[0])
    for run_id in ids:
        told = reproduction.reproduce(run_id)
        assert told.same and not told.given and not told.conf, list(told.lines())
    assert {k.partition(".")[0] for k in reproduction.reproduce(walked).made} == {"grid_hash", "folds_hash"}


def test_replay_is_reproduced_and_what_changed_is_listed(house, monkeypatch):
    run_id = run_in(smcdesk("replay", "--env", "test")[1])
    code, out, _ = smcdesk("reproduce", run_id)
    assert code == 0 and "identical" in out and "nothing that went in has changed" in out
    parameters, catalog = (house / "conf/test" / name for name in ("parameters.yml", "catalog.yml"))
    said = parameters.read_text(), catalog.read_text()
    try:
        parameters.write_text(said[0] + "\naccount:\n  equity: 5000.0\n")
        again = reproduction.reproduce(run_id)
        assert again.same and again.conf == {"account.equity": (10_000.0, 5_000.0)}
        catalog.write_text(said[1].replace("seed: 7", "seed: 8"))
        monkeypatch.setattr(tracking, "versions", lambda: json.dumps({"numba": "0.1"}))
        code, out, _ = smcdesk("reproduce", run_id)
    finally:
        parameters.write_text(said[0])
        catalog.write_text(said[1])
    assert code == 1 and "ledger_hash.MADEUP: differs" in out and "not reproduced" in out
    assert "changed: candles" in out and "0.1 now" in out and "account.equity 10000.0 then, 5000.0 now" in out


def test_baseline_is_frozen_once_and_held_against_the_present(house):
    smcdesk("replay", "--env", "test")
    assert "Nothing is frozen as **v1** yet" in baseline_snapshot.verdict(baseline_snapshot.load("test"))
    assert "**v1** is frozen now" in baseline_snapshot.verdict(baseline_snapshot.load("test", freeze=True))
    code, out, err = smcdesk("report", "baseline_snapshot", "-p", "env=test", "-p", "freeze=true")
    assert code == 0 and "1 of 1 symbols are identical to v1" in out.replace("\n", " "), err
    page = next((house / "notebooks_out/baseline_snapshot").rglob("env-test_freeze-True.html")).read_text()
    assert all(said in page for said in ("identical", "expectancy_r", "nothing differs", "<img"))
    frozen = baseline_snapshot.load("test", name="v1").frozen
    catalog, before = house / "conf/test/catalog.yml", (house / "conf/test/catalog.yml").read_text()
    try:
        catalog.write_text(before.replace("seed: 7", "seed: 8"))
        smcdesk("replay", "--env", "test")
        told = baseline_snapshot.load("test", name="v1", freeze=True)
    finally:
        catalog.write_text(before)
    assert told.frozen == frozen and told.now["symbols"] != frozen["figures"]["symbols"]
    assert "MADEUP differs: candles, decisions, ledger." in baseline_snapshot.verdict(told)
    assert {"trades_n", "expectancy_r"} <= set(baseline_snapshot.changes(told)["figure"])
    with pytest.raises(BadConfig, match="of ledgers: read it by baseline_snapshot"):
        rollout.load("test", baseline="v1")
    with pytest.raises(BadConfig, match="did you mean 'MADEUP'"):
        baseline_snapshot.load("test", symbols="MADUP")


def test_run_without_a_ledger_says_there_is_nothing_to_make_again(house):
    from smcdesk.runs import session

    run_id = session.run_pipelines(("data",), symbol=SYMBOL, env="test")
    code, _, err = smcdesk("reproduce", run_id)
    assert code == 2 and "left no ledger and no grid" in err


def test_studies_are_pipelines_but_not_part_of_the_whole_road(house):
    from smcdesk import pipeline_registry

    pipeline_registry.select_symbols(load_config("test").parameters["symbols"])
    built = pipeline_registry.register_pipelines()
    assert {"sweep", "walkforward"} <= built.keys()
    assert not any(n.endswith(".sweep") for n in built["__default__"].datasets())
