"""Models that were registered before the rooms moved still load and give the same numbers.

The pickles in `stored_models` were written at commit 9118f9c as the registry wrote them then: cloudpickle of a served
model, one of each kind. They name the classes at their old addresses, Served in the Desk's `served` and Model in the
Lab's `learner`. `answers.json` holds what they answered. Digits beyond the twelfth belong to the processor.
"""

import importlib
import json
import pickle
import subprocess
import sys
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest

STORED = Path(__file__).parent / "stored_models"
ANSWERS = json.loads((STORED / "answers.json").read_text())
KINDS = sorted(ANSWERS["models"])


def stored(kind: str):
    return cloudpickle.loads((STORED / f"{kind}.pkl").read_bytes())


@pytest.fixture(scope="module")
def setups() -> pd.DataFrame:
    """The rows that the models answered; None in the file is not known."""
    return pd.DataFrame(ANSWERS["rows"], columns=ANSWERS["columns"], index=ANSWERS["names"], dtype=np.float64)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stored_model_answers_what_it_answered(kind, setups):
    served, expected = stored(kind), ANSWERS["models"][kind]
    found = served.predict(None, setups)
    assert found.index.tolist() == ANSWERS["names"]
    assert found["p"].tolist() == pytest.approx(expected["p"], rel=1e-12)
    assert found["percentile"].tolist() == pytest.approx(expected["percentile"], rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stored_model_is_todays_model(kind):
    model, expected = stored(kind).model, ANSWERS["models"][kind]
    assert type(model) is importlib.import_module("smclab.classifier").Model
    assert (model.kind, model.until_ns, model.n_rows) == (kind, expected["until_ns"], expected["n_rows"])
    assert model.base_rate == expected["base_rate"] and model.oof["p"].iloc[:5].tolist() == expected["oof_p"]
    again = pickle.loads(pickle.dumps(model))
    assert again.oof.equals(model.oof) and again.features == model.features
    assert again.percentile(0.3) == model.percentile(0.3)


def test_a_model_loads_and_answers_without_the_libraries_it_was_trained_by(tmp_path, setups):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(stored("boosted").model))
    setups.to_pickle(tmp_path / "setups.pkl")
    code = f"""
import pickle, sys
for name in ("sklearn", "xgboost", "scipy", "mlflow"):
    sys.modules[name] = None
import pandas as pd
model = pickle.load(open({str(tmp_path / "model.pkl")!r}, "rb"))
print(model.probability(model.matrix(pd.read_pickle({str(tmp_path / "setups.pkl")!r}))).tolist())
print("smclab.learner" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    p, learner = done.stdout.splitlines()
    assert json.loads(p) == pytest.approx(ANSWERS["models"]["boosted"]["p"], rel=1e-12)
    assert learner == "False"
