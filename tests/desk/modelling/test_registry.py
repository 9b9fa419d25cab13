"""Models in the registry: what is promoted can be taken back, what is missing is a warning."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from learning import ANY, QUICK, planted_rows, synthetic_tape
from virtual import synthetic_model

from smclab.candles import BadConfig
from smclab.decision import decide, decide_all
from smclab.features import features
from smclab.learner import fit
from smclab.policy import Policy
from smclab.promotion import Promotion


@pytest.fixture(scope="module")
def planted():
    return planted_rows()


@pytest.fixture(scope="module")
def tape():
    return synthetic_tape()


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


def test_a_model_whose_files_changed_is_not_loaded(store, learned, tmp_path):
    from smcdesk.modelling import registry

    version = put(learned, True, tmp_path)
    tag = store.get_model_version("smclab-X-15m", version).tags["sha256"]
    assert len(tag) == 64 and registry.loaded("smclab-X-15m", version).version == version
    (file,) = (tmp_path / "artifacts").rglob("python_model.pkl")
    data = file.read_bytes()
    for change in (data[:-9] + b"!" + data[-8:], b"cos\nsystem\n(S'touch evil'\ntR."):
        registry._loaded.cache_clear()
        file.write_bytes(change)
        with pytest.raises(BadConfig, match=f"smclab-X-15m {version} is not loaded: its files have the checksum"):
            registry.loaded("smclab-X-15m", version)
    file.write_bytes(data)
    store.delete_model_version_tag("smclab-X-15m", version, "sha256")
    registry._loaded.cache_clear()  # registered before versions had a checksum: it loads, and has one from then on
    assert registry.loaded("smclab-X-15m", version).version == version
    assert store.get_model_version("smclab-X-15m", version).tags["sha256"] == tag


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
    score = scorer(Champion("smclab-EURUSD-15m", "1", model), found, table)
    before = found["known_close"] <= until
    for row in found[~before].to_dict("records")[:5]:
        p, place = score(row)
        assert p == pytest.approx(1 / (1 + np.exp(3 - 0.05 * row["score"]))) and 0 <= place <= 100
    rows = found[before].to_dict("records")
    with pytest.raises(Unscored, match=EARLY):
        score(rows[0])
    with pytest.raises(Unscored, match=TRAINED_ON):
        score(rows[6])
    assert score(rows[10])[0] == model.oof.loc[rows[10]["setup_id"], "p"]


def test_decisions_without_a_usable_model_say_so_and_go_by_the_score(tape, store, learned, tmp_path, monkeypatch):
    from smcdesk.modelling import registry

    reading, found, context = tape
    inputs = (context, reading, found, 0.00008)
    assert registry.with_scorer(*inputs, "none", "EURUSD", "15m") is context
    with pytest.raises(BadConfig, match="did you mean 'champion'"):
        registry.with_scorer(*inputs, "champoin", "EURUSD", "15m")
    plain = decide_all(reading, context, Policy(), setups=ANY)
    missing = registry.with_scorer(*inputs, "champion", "EURUSD", "15m")
    put(learned, True, tmp_path)  # a model of other features
    strange = registry.with_scorer(*inputs, "champion", "X", "15m")

    def torn(name):
        raise OSError("the file is torn")

    monkeypatch.setattr(registry, "champion", torn)
    broken = registry.with_scorer(*inputs, "champion", "X", "15m")
    for scored, words in (
        (missing, "has no champion"),
        (strange, "needs the feature 'a'"),
        (broken, "OSError: the file is torn"),
    ):
        decided = decide_all(reading, scored, Policy(), setups=ANY)
        assert [(d.outcome, d.confidence, d.ticket) for d in decided] == [
            (d.outcome, d.confidence, d.ticket) for d in plain
        ]
        assert all(d.confidence_kind == "score" and words in d.warnings[0] for d in decided)


def test_decisions_with_a_champion_go_by_its_percentile_in_bulk_and_at_one_bar(tape, store, monkeypatch):
    from smcdesk.modelling import registry

    reading, found, context = tape
    table = features(reading, found, instrument=context.instrument, spread_price=0.00008, regime=context.regimes)
    until = pd.Timestamp(found["known_close"].iloc[len(found) // 2])
    model = synthetic_model(found, table, until)
    monkeypatch.setattr(registry, "champion", lambda name: registry.Champion(name, "7", model))
    scored = registry.with_scorer(context, reading, found, 0.00008, "champion", "EURUSD", "15m")
    decided = decide_all(reading, scored, Policy(), setups=ANY)
    kinds = {d.confidence_kind for d in decided}
    assert kinds == {"model", "score"} and scored.scorer.version == "7"
    last = decided[-1]
    assert last.confidence_kind == "model"
    p = float(model.probability(table.loc[[last.setup_id]].to_numpy())[0])
    assert last.confidence == pytest.approx(float(model.percentile(p)))
    assert last.expectancy_r == pytest.approx(p * last.ticket.rr_net - (1 - p))
    at = reading.at(pd.Timestamp(last.time, tz="UTC"))
    rows = found[found["time"] == at.t]
    live = registry.with_scorer(context, at, rows, 0.00008, "champion", "EURUSD", "15m")
    now = {d.setup_id: d for d in decide(at, live, Policy(), setups=ANY)}
    assert now[last.setup_id].hash() == last.hash()
