"""The decide pipeline on a synthetic market: every candidate is stored with its verdicts, outcomes are later facts."""

import json
from contextlib import contextmanager

import pandas as pd
import pytest
from calendar_files import written
from command import smcdesk

from smcdesk.decisions.inputs import (
    higher_timeframes,
)
from smcdesk.decisions.records import outcome_rows
from smcdesk.research import rollout
from smcdesk.runs import session
from smcdesk.store import Store
from smclab.candles import BadConfig
from smclab.execution import Costs, Rules
from smclab.instruments import instrument
from smclab.policy import Policy

SYMBOL = "MADEUP"
ALL_GATES = (
    "pre_filters", "volatility", "killzone", "news", "htf_poi", "strict_sweep", "strict_fvg", "direction", "stop_cap",
    "rr", "grade", "portfolio",
)  # fmt: skip
POLICY = {"policy": {"preset": "a_plus_and_a_live", "stop_cap": {"instrument_cap": False}}}


def everything(store):
    """All rows of a store as they are, to see whether a run changed any."""
    frames = (store.labels(), store.verdicts(), store.signals(), store.instruments())
    return [frame.to_json(orient="records", date_unit="ns", date_format="iso") for frame in frames]


@pytest.fixture(scope="module")
def decided(house):
    """The synthetic market decided on once, and the store it left."""
    session.run_pipelines(("data", "feature", "decide"), symbol=None, env="test", runtime_params=POLICY)
    with Store(env="test") as s:
        yield s


@pytest.fixture(scope="module")
def candidates(decided, house):
    return pd.read_parquet(house / "data/04_feature" / SYMBOL / "candidates.parquet")


def test_decide_keeps_every_candidate_with_all_its_answers(decided, candidates):
    labels, verdicts = decided.labels(instrument=SYMBOL), decided.verdicts(instrument=SYMBOL)
    assert sorted(labels["setup_id"]) == sorted(candidates["setup_id"]) and len(labels) > 50
    assert set(labels["policy_hash"]) == {Policy.from_dict(POLICY["policy"]).hash()}
    assert verdicts.groupby("decision_id")["gate"].agg(tuple).map(lambda gates: gates == ALL_GATES).all()
    assert set(labels["mode"]) == {"candle_close", "limit"} and set(labels["timeframe"]) == {"15m"}
    assert "calendar" in verdicts.loc[verdicts["gate"] == "news", "reason"].iloc[0]
    assert not labels.query("grade == 'B' and outcome_class == 'live'").size
    assert decided.instruments()["symbol"].tolist() == [SYMBOL]
    signals = decided.signals(instrument=SYMBOL)
    assert sorted(signals["setup_id"]) == sorted(labels.query("outcome_class != 'none'")["setup_id"])
    assert (signals["expires_at"] > signals["time"]).all() and (signals["version"] == 1).all()


def test_decide_fills_outcomes_of_every_plan_as_later_facts(decided):
    labels = decided.labels(instrument=SYMBOL)
    done, planned = labels[labels["outcome"].notna()], labels["entry_price"].notna()
    assert planned[done.index].all() and len(done) > 0.9 * planned.sum()
    assert set(done["outcome"]) == {"target", "stop", "time", "never_filled"}
    assert (done["outcome_known_at"] > done["time"]).all()
    assert {"NO_TRADE", "B"} <= set(done["grade"])  # nobody may trade these, and they are labelled all the same
    never = done["outcome"] == "never_filled"
    assert done.loc[never, ["actual_rr", "time_in_trade_bars"]].isna().all(axis=None)
    assert (done.loc[~never, "time_in_trade_bars"] >= 0).all()
    assert done.loc[done["outcome"] == "target", "actual_rr"].gt(0).mean() > 0.9


def test_deciding_the_same_again_writes_nothing(decided):
    before = everything(decided)
    session.run_pipelines(("decide",), symbol=SYMBOL, env="test", runtime_params=POLICY)
    assert everything(decided) == before
    code, out, _ = smcdesk("outcomes", "--env", "test")
    assert code == 0 and out.startswith("0 outcomes became known") and everything(decided) == before


@contextmanager
def replaced_text(path, text, instead=""):
    """A file of conf with something replaced, or added, for as long as the block lasts."""
    before = path.read_text()
    path.write_text(before.replace(instead, text) if instead else before + text)
    try:
        yield
    finally:
        path.write_text(before)


def test_deciding_again_where_history_stays_adds_only_what_is_newer_and_says_so(
    house, decided, tmp_path, monkeypatch, caplog
):
    monkeypatch.setenv("SMCDESK_STORE_URL", f"sqlite:///{tmp_path / 'paper.db'}")
    caplog.set_level("INFO", logger="smcdesk.datasets")
    with replaced_text(house / "conf/test/store.yml", "\nrewrite: false\n"), Store(env="test") as store:
        with replaced_text(house / "conf/test/catalog.yml", "n_bars: 4000", "n_bars: 6000"):
            session.run_pipelines(("data", "feature", "decide"), symbol=SYMBOL, env="test", runtime_params=POLICY)
        before, last = store.labels(), store.newest(Policy.from_dict(POLICY["policy"]).hash(), SYMBOL, "15m")
        assert last == before["time"].max().value and store.newest("f" * 16, SYMBOL, "15m") is None
        dump = written(house, "refreshed.csv")
        other = POLICY | {"account": {"equity": 50_000.0}, "news": {"path": str(dump), "fetched_at": None}}
        session.run_pipelines(("data", "feature", "decide"), symbol=SYMBOL, env="test", runtime_params=other)
        after = store.labels()
        old = after["time"] <= before["time"].max()
        columns = ["verdicts", "time", "setup_id", "outcome_class"]
        pd.testing.assert_frame_equal(after.loc[old, columns].reset_index(drop=True), before[columns])
        assert 0 < len(before) < len(after) and f"{len(before)} decisions of before were left alone" in caplog.text
        assert "calendar reaches" in json.dumps(after["verdicts"].iloc[-1]) and "there is no news" in json.dumps(
            before["verdicts"].iloc[-1]
        )
        whole = everything(store)
        session.run_pipelines(("decide",), symbol=SYMBOL, env="test", runtime_params=POLICY)
        assert (
            everything(store) == whole and f"{len(after)} decisions of before were left alone, 0 are new" in caplog.text
        )


def test_longer_entry_timeframe_resamples_the_candles_first(decided, house):
    extra = {
        "symbols": {"HOURLY": {"instrument": "EURUSD", "bars_side": "bid"}},
        "confluence": {"ltf": "1h", "htf": "4h"},
    } | POLICY
    session.run_pipelines(("data", "feature", "decide"), symbol="HOURLY", env="test", runtime_params=extra)
    labels = decided.labels(instrument="HOURLY")
    assert set(labels["timeframe"]) == {"1h"} and (labels["time"].dt.minute == 0).all()
    assert any((house / "data/04_feature/HOURLY").rglob("4h"))
    assert pd.read_parquet(house / "data/02_intermediate/HOURLY/bars.parquet").index[1].minute == 15
    assert len(decided.labels(instrument=SYMBOL))  # the other symbol with the same profile keeps its rows


def test_real_rollout_of_the_made_up_market_can_be_read(decided):
    loaded = rollout.load("test", policy=Policy.from_dict(POLICY["policy"]).hash(), instrument=SYMBOL)
    assert rollout.gates(loaded.labels)["n"].nunique() == 1 and list(rollout.gates(loaded.labels).index) == list(
        ALL_GATES
    )
    assert (
        len(loaded.labels)
        == rollout.outcome_counts(loaded.labels)["n"].sum()
        == rollout.groups(loaded.labels, "grade")["n"].sum()
    )
    json.dumps(rollout.figures(loaded.labels, loaded.min_confidence), allow_nan=False)


def test_setups_htf_beside_confluence_is_refused(house):
    with pytest.raises(Exception, match=r"setups\.htf: the higher timeframe stands in confluence\.htf"):
        session.run_pipelines(("feature",), symbol=SYMBOL, env="test", runtime_params={"setups": {"htf": "4h"}})
    with pytest.raises(BadConfig, match=r"found '4hh'; did you mean '4h'\?"):
        higher_timeframes(["1h", "4h"], "4hh")


@pytest.mark.parametrize(("late", "outcomes"), [("15min", {"live", "shadow", "none"}), ("3h", {"none"})])
def test_clock_that_is_given_refuses_what_stale_bars_say(decided, house, late, outcomes, tmp_path, monkeypatch):
    monkeypatch.setenv("SMCDESK_STORE_URL", f"sqlite:///{tmp_path / 'clock.db'}")
    last = pd.read_parquet(house / "data/02_intermediate" / SYMBOL / "bars.parquet").index[-1]
    by_wall = {"clock": "wall", "policy": {"preset": "v1", "stop_cap": {"instrument_cap": False}}}
    at = (last + pd.Timedelta(late)).to_pydatetime()
    session.run_pipelines(("decide",), symbol=SYMBOL, env="test", runtime_params=by_wall, clock=lambda: at)
    with Store(env="test") as store:
        labels = store.labels()
    assert set(labels["outcome_class"]) == outcomes
    refused = {v[0]["reason"] for v in labels["verdicts"] if not v[0]["passed"]}
    assert (late == "15min") or any("bars late" in reason for reason in refused)


def test_outcomes_known_on_a_cut_tape_are_those_of_the_whole(decided, house):
    bars = pd.read_parquet(house / "data/02_intermediate" / SYMBOL / "bars.parquet")
    labels = decided.labels(instrument=SYMBOL)
    rest = instrument("EURUSD"), Costs(), Rules()
    whole = outcome_rows(bars, labels, *rest).set_index("setup_id")
    part = outcome_rows(bars.iloc[:3000], labels, *rest).set_index("setup_id")
    known_by_cut = whole[whole["outcome_known_at"] <= bars.index[2999]]
    assert 0 < len(part) < len(whole)
    pd.testing.assert_frame_equal(part.sort_index(), known_by_cut.sort_index())
    assert outcome_rows(bars, labels.iloc[:0], *rest).empty


def test_deciding_with_other_numbers_replaces_in_research(decided, house, caplog):
    richer, before = POLICY | {"account": {"equity": 50_000.0}}, everything(decided)
    n = len(decided.labels())
    session.run_pipelines(("decide",), symbol=SYMBOL, env="test", runtime_params=richer)
    assert everything(decided) != before and len(decided.labels()) == n
    assert "decided anew" in caplog.text
    fewer = POLICY | {"setups": {"modes": ["candle_close"]}}
    session.run_pipelines(("decide",), symbol=SYMBOL, env="test", runtime_params=fewer)
    assert set(decided.labels(instrument=SYMBOL)["mode"]) == {"candle_close"}  # what is no candidate any more is gone
