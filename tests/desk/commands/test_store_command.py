"""The store's command: tables, exports, baselines, and what it refuses."""

import pandas as pd
import pytest
from command import smcdesk
from rollout_rows import CONF, SOME, record_labelled

from smcdesk.reports import rollout_report
from smcdesk.research import rollout
from smclab.candles import BadConfig


def test_store_command_makes_the_tables_once(tmp_path, monkeypatch):
    monkeypatch.setenv("SMCDESK_STORE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    assert smcdesk("store", "export")[0] == 2 and "smcdesk store upgrade" in smcdesk("store", "export")[2]
    assert "was empty" in smcdesk("store", "upgrade")[1] and "as it was" in smcdesk("store", "upgrade")[1]


def test_store_command_exports_forgets_and_freezes(found_store, tmp_path):
    record_labelled(found_store, SOME, CONF)
    assert smcdesk("store", "export", "--out", tmp_path / "days")[0] == 0
    assert len(pd.read_parquet(tmp_path / "days/2024-03-04/setup_labels.parquet")) == len(SOME)
    assert "6 setups" in smcdesk("store", "baseline", "before", "--note", "by hand")[1]
    assert "frozen already" in smcdesk("store", "baseline", "before", "--note", "by hand")[1]
    assert "by hand" in smcdesk("store", "baseline")[1]
    code, _, err = smcdesk("store", "baseline", "before", "--instrument", "XAUUSD", "--note", "by hand")
    assert code == 2 and "A baseline is frozen: choose another name" in err
    assert smcdesk("store", "forget", CONF[:6], "XAUUSD", text="n\n")[0] == 1 and len(found_store.labels()) == 6
    code, out, _ = smcdesk("store", "forget", CONF[:6], "XAUUSD", "--yes")
    assert code == 0 and out.startswith("1 rows") and len(found_store.labels()) == 5
    assert rollout.load(baseline="before").baseline["figures"]["n"] == 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("store", "forget", CONF[:6], "EURUDS", "--yes"), "did you mean 'EURUSD'"),
        (("store", "forget", "0123", "EURUSD", "--yes"), "no policy '0123'"),
        (("store", "export", "2024-13-01"), "day must be a UTC day"),
        (("store", "export", "2024-03-04", "--format", "cvs"), "did you mean 'csv'"),
        (("store", "upgrade", "--to", "002"), "did you mean '0002'"),
        (("store", "upgrade", "--env", "papre"), "did you mean 'paper'"),
        (("store", "baseline", "x", "--instrument", "GBPUSD"), "no setups of 'GBPUSD'"),
    ],
)
def test_store_command_with_wrong_input_says_one_sentence_and_exits_2(found_store, words, message, monkeypatch):
    record_labelled(found_store, SOME, CONF)
    if "--env" in words:
        monkeypatch.delenv("SMCDESK_STORE_URL")
    code, out, err = smcdesk(*words)
    assert code == 2 and out == "" and message in err and len(err.strip().splitlines()) == 1, err
    assert len(found_store.labels()) == len(SOME)


def test_baseline_of_nothing_is_refused_and_a_rollout_without_a_store_says_how_to_make_one(
    found_store, tmp_path, monkeypatch
):
    assert "nothing to freeze" in smcdesk("store", "baseline", "early")[2]
    assert rollout_report.verdict(rollout.load()).startswith("No setup was evaluated by policy")
    monkeypatch.setenv("SMCDESK_STORE_URL", f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(BadConfig, match="kedro run --pipelines decide --env test"):
        rollout.load("test")
