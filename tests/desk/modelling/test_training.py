"""A training takes its search from conf, and its report shows also one that learned nothing."""

import dataclasses
import json

import pandas as pd
import pytest
from learning import QUICK, planted_rows

from smcdesk.project.config import load_config
from smclab.candles import BadConfig
from smclab.learner import SELECTED, fit
from smclab.regime import RegimeConfig


@pytest.fixture(scope="module")
def planted():
    return planted_rows()


@pytest.fixture(scope="module")
def learned(planted):
    return fit(*planted, config=dataclasses.replace(QUICK, kinds=("logistic",)))


def test_conf_searches_what_the_learner_knows(root):
    from smcdesk.modelling import training

    conf = load_config().parameters["model"]
    assert training.model_config(conf["search"], conf["embargo_bars"], "15m", 100, 0).embargo_ns == 24 * 15 * 60 * 10**9
    assert conf["use"] == "none"
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

    common = {"name": "smclab-X-15m", "config": QUICK.to_dict(), "rows_n": 30, "finished_n": 12, "features_n": 5}
    labels = pd.DataFrame({"outcome": planted[1], "known_close": pd.to_datetime(planted[2], utc=True)})
    tables = {n: getattr(learned, n) for n in ("figures", "folds", "calibration", "importance", "curve", "oof")}
    done = {"kind": "logistic", "stability": 0.6, "decision": {"promote": True, "margin": 0.1}, "rates": rates(labels)}
    empty = Training(sentence="Too little to learn from: 12 finished rows.", decision={}, **common)
    full = Training(sentence="Better.", **common, **tables, **done)
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
