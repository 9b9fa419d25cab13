"""The model stage's promises: nothing leaks, what is promoted has earned it, what is missing is a warning."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from virtual import synthetic_model

from smcdesk.project.config import load_config
from smclab.account import Account
from smclab.audit import audit, changed_by_cut
from smclab.candles import BadConfig
from smclab.classifier import KINDS
from smclab.decision import decide, decide_all
from smclab.features import features
from smclab.gates import Context
from smclab.instruments import instrument
from smclab.learner import SELECTED, ModelConfig, fit
from smclab.policy import REGIMES, Policy, preset
from smclab.promotion import Promotion, promotion
from smclab.reader import read
from smclab.regime import RegimeConfig, hmm_regimes, regimes
from smclab.setups import SetupConfig, candidates
from smclab.tapes import market

DAY = 86_400 * 10**9
QUICK = ModelConfig(n_outer=2, n_inner=2, n_iter=1, n_boot=200)
ANY = SetupConfig(sweep_sources=("external", "equal", "swing"), confirm="any")


@pytest.fixture(scope="module")
def planted():
    """Rows whose first column matters, with their outcome and label spans."""
    rng, n = np.random.default_rng(3), 600
    x = rng.normal(size=(n, 5))
    won = (rng.random(n) < 1 / (1 + np.exp(0.6 - 1.5 * x[:, 0]))).astype(float)
    start = np.arange(n) * DAY // 4
    table = pd.DataFrame(x, columns=list("abcde"), index=[f"s{i:04}" for i in range(n)])
    return table, won, start, start + rng.integers(0, DAY, n)


@pytest.fixture(scope="module")
def tape():
    """A made-up market, its reading, candidates and world."""
    bars, owner = market(3_000, seed=11), instrument("EURUSD")
    reading = read(bars, instrument=owner)
    words = regimes(bars).regime
    context = Context(owner, Account(10_000.0), 0.00008, regimes=words.set_axis(bars.index + pd.Timedelta(minutes=15)))
    return reading, candidates(reading, owner, ANY), context


# Regimes


@pytest.mark.parametrize("stop", [1_200, 1_900, 2_650])
def test_regime_when_the_future_is_cut_stays(tape, stop):
    bars = tape[0].bars
    pd.testing.assert_frame_equal(regimes(bars.iloc[:stop]), regimes(bars).iloc[:stop])


def test_regime_by_smoothing_is_caught_by_the_cut(tape):
    """A planted cheat: the word is the most common one of the bars around."""
    bars = tape[0].bars

    def smoothed(part):
        code = regimes(part).regime.map({w: i for i, w in enumerate(("", *REGIMES))})
        return code.rolling(25, center=True, min_periods=1).median()

    whole, cut = smoothed(bars), smoothed(bars.iloc[:1_000])
    assert not cut.equals(whole.iloc[:1_000])


def test_regime_by_filter_when_the_future_is_cut_stays(tape):
    from smclab.regime import HmmConfig

    bars, how = tape[0].bars.iloc[:1_500], HmmConfig(fit_bars=300, refit_bars=600, n_iter=2)
    whole = hmm_regimes(bars, hmm=how)
    pd.testing.assert_frame_equal(hmm_regimes(bars.iloc[:1_201], hmm=how), whole.iloc[:1_201])
    assert set(whole.regime) > {""}


def test_policy_without_regimes_decides_as_if_there_were_none(tape):
    reading, _, context = tape
    for policy in (
        preset("v1"),
        Policy(),
        Policy.from_dict({"preset": "v1", "by_regime": {"enabled": True, "range_add_rr": 2}}),
    ):
        told = decide_all(reading, context, policy, setups=ANY)
        blind = decide_all(reading, dataclasses.replace(context, regimes=None), policy, setups=ANY)
        assert len(told) > 20
        for a, b in zip(told, blind, strict=True):
            assert (a.outcome, a.ticket, a.confidence) == (b.outcome, b.ticket, b.confidence)
            assert [v.passed for v in a.verdicts] == [v.passed for v in b.verdicts]


def test_policy_with_regimes_asks_for_more_where_it_says_so(tape):
    reading, _, context = tape
    policy = Policy.from_dict({"by_regime": {"enabled": True, "range_add_rr": 1.5}})
    plain, asked = (decide_all(reading, context, p, setups=ANY) for p in (Policy(), policy))
    words = {d.setup_id: d.verdicts[1].evidence.get("regime", "") for d in asked}
    assert set(words.values()) >= {"range", "trend"}
    for a, b in zip(plain, asked, strict=True):
        more = 1.5 if words[b.setup_id] in ("range", "") else 0.0
        assert b.verdicts[9].evidence["min_rr"] == pytest.approx(a.verdicts[9].evidence["min_rr"] + more)


def test_decide_at_one_bar_knows_the_regime_the_tape_knows(tape):
    reading, found, context = tape
    policy = Policy.from_dict({"by_regime": {"enabled": True, "trend_add_rr": 0.5}})
    bulk = {(d.setup_id, d.time): d for d in decide_all(reading, context, policy, setups=ANY, pending=True)}
    at = reading.at(pd.Timestamp(found["time"].iloc[-1]))
    for d in decide(at, context, policy, setups=ANY):
        assert d.hash() == bulk[d.setup_id, d.time].hash()


# The learner


@pytest.mark.parametrize("kind", KINDS)
def test_shuffled_labels_give_chance(planted, kind):
    table, won, start, end = planted
    how = dataclasses.replace(QUICK, kinds=(kind,))
    found = [fit(table, np.random.default_rng(s).permutation(won), start, end, config=how) for s in range(3)]
    assert abs(np.mean([f.figures.auc[SELECTED] for f in found]) - 0.5) < 0.07
    assert np.mean([f.figures.skill[SELECTED] for f in found]) < 0.01
    assert sum(promotion(f.oof, None, how).promote for f in found) <= 1  # what 95 % intervals allow


@pytest.mark.parametrize("kind", KINDS)
def test_planted_signal_is_found_and_promoted(planted, kind):
    table, won, start, end = planted
    how = dataclasses.replace(QUICK, kinds=(kind,), n_iter=3)
    found = fit(table, won, start, end, score=np.zeros(len(won)), config=how)
    assert found.figures.auc_low[SELECTED] > 0.52 and found.importance.index[0] == "a"
    assert promotion(found.oof, None, how).promote


def test_same_seed_gives_the_same_model(planted):
    a, b = (fit(*planted, config=dataclasses.replace(QUICK, kinds=("boosted",))) for _ in range(2))
    assert a.oof.equals(b.oof) and a.figures.equals(b.figures)
    rows = planted[0].to_numpy()
    assert (a.model.probability(rows) == b.model.probability(rows)).all()


def test_labels_that_reach_into_the_test_are_purged(planted):
    table, won, start, end = planted
    long = fit(table, won, start, end + 10 * DAY, config=dataclasses.replace(QUICK, kinds=("logistic",)))
    assert (long.folds.purged_n >= 40).all()
    embargo = dataclasses.replace(QUICK, kinds=("logistic",), embargo_ns=5 * DAY)
    assert (fit(table, won, start, end, config=embargo).folds.purged_n >= 20).all()


def test_later_rows_do_not_change_earlier_out_of_fold_probabilities(planted):
    """Outcomes of a fold's own test and of everything after it are turned around: its probabilities stay."""
    table, won, start, end = planted
    how = dataclasses.replace(QUICK, kinds=("logistic", "forest"))
    whole = fit(table, won, start, end, config=how)
    first = whole.oof[whole.oof.fold == 0]
    turned = np.where(np.isin(table.index, whole.oof.index), 1 - won, won)
    again = fit(table, turned, start, end, config=how)
    assert (again.oof.loc[first.index, "p_selected"] == first.p_selected).all()
    assert (again.oof.loc[first.index, "percentile"].fillna(-1) == first.percentile.fillna(-1)).all()


def test_planted_leak_is_flagged_and_nothing_else(planted):
    table, won, start, end = planted
    leaky = table.assign(leak=won + np.random.default_rng(0).normal(0, 0.4, len(won)))
    said = audit(leaky.drop(columns="a"), won, start, end)
    assert said.index[said.flagged].tolist() == ["leak"]
    assert audit(leaky, won, start, end).index[0] == "leak"
    assert not audit(table.drop(columns="a"), won, start, end).flagged.any()


def test_feature_that_changes_with_the_future_is_flagged(tape):
    """The real features stay when the tape is cut; one made with a centred mean does not."""
    reading, found, context = tape
    told = {"instrument": context.instrument, "regime": context.regimes}
    whole = features(reading, found, **told)
    late = reading.bars["close"].rolling(9, center=True, min_periods=1).mean()
    whole = whole.assign(late=late.iloc[found["known_bar"]].to_numpy())
    row = found.iloc[[len(found) // 2]]
    bars = reading.bars.iloc[: int(row["known_bar"].iloc[0]) + 1]
    cut = features(read(bars, instrument=context.instrument), row, **told)
    mean = bars["close"].rolling(9, center=True, min_periods=1).mean().iloc[-1]
    moved = changed_by_cut(whole, cut.assign(late=mean))
    assert moved[moved > 0].index.tolist() == ["late"]


# The registry at the Desk


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An MLflow store of its own."""
    from smcdesk import tracking

    monkeypatch.setenv("SMCLAB_MLFLOW_URI", f"sqlite:///{tmp_path}/mlflow.db")
    return tracking.client()


@pytest.fixture(scope="module")
def learned(planted):
    return fit(*planted, config=dataclasses.replace(QUICK, kinds=("logistic",)))


def put(learned, promote: bool, tmp_path) -> str:
    """Register a version of the learned model."""
    import mlflow

    from smcdesk.modelling import registry
    from smcdesk.project import paths

    mlflow.set_tracking_uri(paths.mlflow_uri())
    if mlflow.get_experiment_by_name("models") is None:
        mlflow.create_experiment("models", artifact_location=(tmp_path / "artifacts").as_uri())
    won = Promotion(promote, "promoted: better" if promote else "kept: no better", "base_rate", 0.1, 0.05, 0.2, 400)
    with mlflow.start_run(experiment_id=mlflow.get_experiment_by_name("models").experiment_id) as run:
        return registry.register(registry.ModelCandidate("smclab-X-15m", learned, won, ""), run.info.run_id)


def test_registry_promotes_keeps_and_rolls_back(store, learned, planted, tmp_path):
    from smcdesk.modelling import registry

    one, two, three = (put(learned, promote, tmp_path) for promote in (True, False, True))
    table = registry.versions("smclab-X-15m")
    assert table.set_index("version").alias.to_dict() == {one: "", two: "challenger", three: "champion"}
    assert table.set_index("version").reason[two] == "kept: no better"
    found = registry.champion("smclab-X-15m")
    rows = planted[0].to_numpy()
    assert found.version == three and (found.model.probability(rows) == learned.model.probability(rows)).all()
    assert registry.rollback("smclab-X-15m") == (three, one)
    assert registry.champion("smclab-X-15m").version == one
    assert registry.promote("smclab-X-15m", two) == one
    assert registry.rollback("smclab-X-15m") == (two, one)
    assert registry.rollback("smclab-X-15m") == (one, "")
    assert registry.champion("smclab-X-15m") is None
    with pytest.raises(BadConfig, match="no champion: nothing to take back"):
        registry.rollback("smclab-X-15m")
    with pytest.raises(BadConfig, match=r"no version '9'; it has 1, 2, 3"):
        registry.promote("smclab-X-15m", "9")
    with pytest.raises(BadConfig, match="did you mean 'smclab-X-15m'"):
        registry.rollback("smclab-X-15")


def test_scorer_is_honest_about_what_it_was_trained_on(tape):
    from smcdesk.modelling.registry import EARLY, TRAINED_ON, Champion, Unscored, scorer

    reading, found, context = tape
    table = features(reading, found, instrument=context.instrument, regime=context.regimes)
    until = pd.Timestamp(found["known_close"].iloc[len(found) // 2])
    model = synthetic_model(found, table, until)
    said = scorer(Champion("smclab-EURUSD-15m", "1", model), found, table)
    before = found["known_close"] <= until
    for row in found[~before].to_dict("records")[:5]:
        p, place = said(row)
        assert p == pytest.approx(1 / (1 + np.exp(3 - 0.05 * row["score"]))) and 0 <= place <= 100
    rows = found[before].to_dict("records")
    with pytest.raises(Unscored, match=EARLY):
        said(rows[0])
    with pytest.raises(Unscored, match=TRAINED_ON):
        said(rows[6])
    assert said(rows[10])[0] == model.oof.loc[rows[10]["setup_id"], "p"]


def test_decisions_without_a_usable_model_say_so_and_go_by_the_score(tape, store, learned, tmp_path, monkeypatch):
    from smcdesk.modelling import registry

    reading, found, context = tape
    asked = (context, reading, found, 0.00008)
    assert registry.with_scorer(*asked, "none", "EURUSD", "15m") is context
    with pytest.raises(BadConfig, match="did you mean 'champion'"):
        registry.with_scorer(*asked, "champoin", "EURUSD", "15m")
    plain = decide_all(reading, context, Policy(), setups=ANY)
    missing = registry.with_scorer(*asked, "champion", "EURUSD", "15m")
    put(learned, True, tmp_path)  # a model of other features
    strange = registry.with_scorer(*asked, "champion", "X", "15m")

    def torn(name):
        raise OSError("the file is torn")

    monkeypatch.setattr(registry, "champion", torn)
    broken = registry.with_scorer(*asked, "champion", "X", "15m")
    for world, words in (
        (missing, "has no champion"),
        (strange, "needs the feature 'a'"),
        (broken, "OSError: the file is torn"),
    ):
        told = decide_all(reading, world, Policy(), setups=ANY)
        assert [(d.outcome, d.confidence, d.ticket) for d in told] == [
            (d.outcome, d.confidence, d.ticket) for d in plain
        ]
        assert all(d.confidence_kind == "score" and words in d.warnings[0] for d in told)


def test_decisions_with_a_champion_go_by_its_percentile_in_bulk_and_at_one_bar(tape, store, monkeypatch):
    from smcdesk.modelling import registry

    reading, found, context = tape
    table = features(reading, found, instrument=context.instrument, spread_price=0.00008, regime=context.regimes)
    until = pd.Timestamp(found["known_close"].iloc[len(found) // 2])
    model = synthetic_model(found, table, until)
    monkeypatch.setattr(registry, "champion", lambda name: registry.Champion(name, "7", model))
    world = registry.with_scorer(context, reading, found, 0.00008, "champion", "EURUSD", "15m")
    told = decide_all(reading, world, Policy(), setups=ANY)
    kinds = {d.confidence_kind for d in told}
    assert kinds == {"model", "score"} and world.scorer.version == "7"
    last = told[-1]
    assert last.confidence_kind == "model"
    p = float(model.probability(table.loc[[last.setup_id]].to_numpy())[0])
    assert last.confidence == pytest.approx(float(model.percentile(p)))
    assert last.expectancy_r == pytest.approx(p * last.ticket.rr_net - (1 - p))
    at = reading.at(pd.Timestamp(last.time, tz="UTC"))
    rows = found[found["time"] == at.t]
    live = registry.with_scorer(context, at, rows, 0.00008, "champion", "EURUSD", "15m")
    now = {d.setup_id: d for d in decide(at, live, Policy(), setups=ANY)}
    assert now[last.setup_id].hash() == last.hash()


def test_conf_searches_what_the_learner_knows(root):
    from smcdesk.modelling import training

    said = load_config().parameters["model"]
    assert training.model_config(said["search"], said["embargo_bars"], "15m", 100, 0).embargo_ns == 24 * 15 * 60 * 10**9
    assert said["use"] == "none"
    with pytest.raises(BadConfig, match=r"model\.search\.seed stands in conf as seed"):
        training.model_config({"seed": 1}, 24, "15m", 100, 0)
    with pytest.raises(BadConfig, match="did you mean 'n_outer'"):
        training.model_config({"n_out": 1}, 24, "15m", 100, 0)
    regime = load_config().parameters["regime"]
    assert RegimeConfig.from_dict(regime["rule"]) == RegimeConfig()
    assert json.dumps(regime["hmm"])


def test_retrain_report_tells_a_training_that_learned_nothing_and_one_that_did(planted, learned):
    from smcdesk import figures
    from smcdesk.modelling.training import Training, metrics, rates
    from smcdesk.reports import retrain_report

    told = {"name": "smclab-X-15m", "config": QUICK.to_dict(), "rows_n": 30, "finished_n": 12, "features_n": 5}
    labels = pd.DataFrame({"outcome": planted[1], "known_close": pd.to_datetime(planted[2], utc=True)})
    tables = {n: getattr(learned, n) for n in ("figures", "folds", "calibration", "importance", "curve", "oof")}
    done = {"kind": "logistic", "stability": 0.6, "decision": {"promote": True, "margin": 0.1}, "rates": rates(labels)}
    empty = Training(sentence="Too little to learn from: 12 finished rows.", decision={}, **told)
    full = Training(sentence="Better.", **told, **tables, **done)
    for one, words in ((empty, "**Not promoted.** Too little"), (full, "**Promoted.** Better.")):
        report = retrain_report.RetrainReport("X", one)
        assert retrain_report.verdict(report).startswith(words)
        for show in (
            retrain_report.figures,
            retrain_report.folds,
            retrain_report.drift,
            retrain_report.leaks,
            retrain_report.acted,
        ):
            assert len(show(report)) >= 1
        for draw in (figures.calibration, figures.importance, figures.learning):
            assert len(draw(one).axes) >= 1
        assert retrain_report.summary(report)["model"] == "smclab-X-15m"
        assert metrics(one)["rows_n"] == {"value": 30.0, "step": 0}
    assert "agree on which features matter" in retrain_report.stability(retrain_report.RetrainReport("X", full))
    assert metrics(full)["selected.auc"]["value"] == pytest.approx(learned.figures.auc[SELECTED])
