"""The learner: nothing leaks, chance is chance, and a planted signal is found."""

import dataclasses

import numpy as np
import pytest
from learning import DAY, QUICK, planted_rows, synthetic_tape

from smclab.audit import audit, changed_by_cut
from smclab.classifier import KINDS
from smclab.features import features
from smclab.learner import SELECTED, fit
from smclab.promotion import promotion
from smclab.reader import read


@pytest.fixture(scope="module")
def planted():
    return planted_rows()


@pytest.fixture(scope="module")
def tape():
    return synthetic_tape()


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
    audited = audit(leaky.drop(columns="a"), won, start, end)
    assert audited.index[audited.flagged].tolist() == ["leak"]
    assert audit(leaky, won, start, end).index[0] == "leak"
    assert not audit(table.drop(columns="a"), won, start, end).flagged.any()


def test_feature_that_changes_with_the_future_is_flagged(tape):
    """The real features stay when the tape is cut; one made with a centred mean does not."""
    reading, found, context = tape
    inputs = {"instrument": context.instrument, "regime": context.regimes}
    whole = features(reading, found, **inputs)
    late = reading.bars["close"].rolling(9, center=True, min_periods=1).mean()
    whole = whole.assign(late=late.iloc[found["known_bar"]].to_numpy())
    row = found.iloc[[len(found) // 2]]
    bars = reading.bars.iloc[: int(row["known_bar"].iloc[0]) + 1]
    cut = features(read(bars, instrument=context.instrument), row, **inputs)
    mean = bars["close"].rolling(9, center=True, min_periods=1).mean().iloc[-1]
    moved = changed_by_cut(whole, cut.assign(late=mean))
    assert moved[moved > 0].index.tolist() == ["late"]


LINE = dataclasses.replace(QUICK, kinds=("logistic",), n_boot=20, n_repeats=1)
SMALLEST = (
    {"n_boot": 0}, {"n_boot": 1}, {"n_outer": 1}, {"train_blocks": 1, "n_outer": 1}, {"boot_block": 1},
    {"boot_block": 10**6}, {"outer": "time_series", "inner": "time_series", "gap_rows": 0}, {"calibration": "none"},
    {"min_rows": 50, "n_boot": 0, "n_outer": 1},
)  # fmt: skip


@pytest.mark.parametrize("edge", SMALLEST, ids=str)
def test_smallest_allowed_settings_give_a_model(planted, edge):
    found = fit(*planted, score=np.zeros(len(planted[1])), config=dataclasses.replace(LINE, **edge))
    assert 0.5 < found.figures.auc[SELECTED] < 1 and len(found.model.probability(planted[0].to_numpy())) == 600
    drawn = edge.get("n_boot", 20) > 0
    assert np.isfinite(found.figures.auc_low[SELECTED]) == drawn == ("no intervals were drawn" not in found.verdict)
    if not drawn:
        assert not promotion(found.oof, None, dataclasses.replace(LINE, **edge)).promote
