"""The Desk around a decision: calendars from files, the store's command, the decide pipeline, the rollout report."""

import json
import re
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from smcdesk import figures
from smcdesk.__main__ import app
from smcdesk.decisions.inputs import (
    at_timeframe,
    decision_time_ns,
    higher_timeframes,
    round_trip_cost,
    spread_by_bar,
    stop_atr_series,
)
from smcdesk.decisions.records import outcome_rows
from smcdesk.marketdata.instruments import configured_instrument
from smcdesk.project.config import load_config
from smcdesk.providers import economic_calendar
from smcdesk.providers.files import read_spread
from smcdesk.reports import rollout_report
from smcdesk.research import rollout
from smcdesk.runs import session
from smcdesk.store import Store
from smcdesk.store.store import LABELS
from smclab.candles import BadBars, BadConfig
from smclab.execution import Costs, Rules
from smclab.instruments import instrument
from smclab.policy import Policy
from smclab.tapes import market
from smclab.timeframes import Config

# Calendars

EVENTS = pd.DataFrame({
    "ts": pd.to_datetime(["2024-03-08 13:30", "2024-03-06 15:00", "2024-03-12 12:30"], utc=True),
    "currency": ["USD", "CAD", "USD"],
    "impact": ["high", "High", "medium"],
    "event": ["Nonfarm Payrolls", "BoC Interest Rate Decision", "Business Inventories"],
})  # fmt: skip
WEEK = [
    {"title": "CPI y/y", "country": "EUR", "date": "2024-03-11T05:00:00-04:00", "impact": "High", "forecast": ""},
    {"title": "Bank Holiday", "country": "JPY", "date": "2024-03-10T20:00:00-04:00", "impact": "Holiday"},
]


def written(folder, name, table=EVENTS):
    """A calendar file of the kind its name says."""
    path = folder / name
    if path.suffix == ".json":
        path.write_text(json.dumps(table))
    else:
        table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", ["dump.parquet", "dump.csv"])
def test_dump_is_a_calendar_of_the_days_from_its_first_row_to_its_last(tmp_path, name):
    found = economic_calendar.read_calendar(written(tmp_path, name), fetched_at="2024-03-13T06:00:00Z")
    assert found.titles == ("BoC Interest Rate Decision", "Nonfarm Payrolls") and found.currencies == ("CAD", "USD")
    edges = [pd.Timestamp(x, tz="UTC").isoformat() for x in (found.covered_from_ns, found.covered_until_ns)]
    assert edges == ["2024-03-06T00:00:00+00:00", "2024-03-12T23:59:59.999999999+00:00"]
    assert pd.Timestamp(found.fetched_at_ns, tz="UTC") == pd.Timestamp("2024-03-13T06:00:00Z")


def test_calendar_that_does_not_say_when_it_was_fetched_is_as_old_as_its_first_day(tmp_path):
    found = economic_calendar.read_calendar(written(tmp_path, "dump.csv"))
    assert found.fetched_at_ns == found.covered_from_ns


def test_week_of_forexfactory_covers_its_week_in_new_york_across_a_clock_change(tmp_path):
    found = economic_calendar.read_calendar(written(tmp_path, "week.json", WEEK))
    assert found.titles == ("CPI y/y",) and found.times == (pd.Timestamp("2024-03-11 09:00Z").value,)
    assert pd.Timestamp(found.covered_from_ns, tz="UTC") == pd.Timestamp("2024-03-10 05:00Z")  # midnight, winter time
    assert pd.Timestamp(found.covered_until_ns + 1, tz="UTC") == pd.Timestamp("2024-03-17 04:00Z")  # midnight, summer


@pytest.mark.parametrize(
    ("name", "table", "said"),
    [
        ("a.csv", EVENTS.rename(columns={"impact": "impct"}), "a.csv: a calendar needs a column impact, .*'impct'"),
        ("a.csv", EVENTS.assign(ts=["2024-03-08T13:30Z", "soon", ""]), r"a.csv, row 1: expected a date .*'soon'"),
        ("a.csv", EVENTS.assign(ts="2024-03-08 13:30"), "row 0: '2024-03-08 13:30' says no zone"),
        ("a.parquet", EVENTS.assign(ts=EVENTS["ts"].dt.tz_localize(None)), "row 0: .* says no zone"),
        ("a.csv", EVENTS.assign(impact=["high", "hgih", "low"]), "row 1: impact must be .*'hgih'; did you mean 'high'"),
        ("a.csv", EVENTS.assign(currency=["USD", "", "USD"]), "row 1: currency is empty"),
        ("a.csv", EVENTS.iloc[:0], "no events"),
        ("a.json", {"events": WEEK}, "expected a JSON list"),
        ("a.json", [{**WEEK[0], "date": "2024-03-04T05:00:00-05:00"}, WEEK[1]], "expected one week .* 2024-03-04 to"),
        ("a.json", [{"title": "x", "contry": "EUR", "date": "", "impact": "low"}], "currency or country.*'contry'"),
    ],
)  # fmt: skip
def test_calendar_that_cannot_be_trusted_is_refused_in_one_sentence(tmp_path, name, table, said):
    with pytest.raises(BadConfig, match=said):
        economic_calendar.read_calendar(written(tmp_path, name, table))


def test_conf_names_a_calendar_or_there_is_none(tmp_path):
    written(tmp_path, "dump.csv")
    assert len(economic_calendar.calendar({"path": "dump.csv", "fetched_at": None}, tmp_path)) == 2
    assert economic_calendar.calendar({"path": None, "fetched_at": None}, tmp_path) is None
    assert economic_calendar.calendar({"path": "gone.csv"}, tmp_path) is None
    with pytest.raises(BadConfig, match="did you mean 'fetched_at'"):
        economic_calendar.calendar({"path": "dump.csv", "fetchd_at": None}, tmp_path)
    with pytest.raises(BadConfig, match=r"moment with its zone .* found '2024-03-08'"):
        economic_calendar.calendar({"path": "dump.csv", "fetched_at": "2024-03-08"}, tmp_path)
    with pytest.raises(BadConfig, match=r"no calendar dump\.parquet .*did you mean 'dump\.csv'"):
        economic_calendar.read_calendar(tmp_path / "dump.parquet")


# The rollout's figures

T0 = pd.Timestamp("2024-03-04 08:00", tz="UTC")
BAR = pd.Timedelta("15min")
SURE = {"A+": 45.0, "A": 60.0}
GATES = ("pre_filters", "killzone", "rr", "grade")


def label(n, refused=(), grade="A", r=None, **said):
    """A label by hand: which gates refuse it, and what became of it in R."""
    answers = [
        {"gate": g, "passed": g not in refused, "enforced": True, "reason": f"{g} says", "evidence": {}, "next": ""}
        for g in GATES
    ]
    row = {
        "setup_id": f"{n:016x}", "policy_hash": "f" * 16, "version": "2", "instrument": "EURUSD", "timeframe": "15m",
        "mode": "candle_close", "side": 1, "time": T0 + n * BAR, "grade": grade, "score": 72.0, "confidence": 72.0,
        "confidence_kind": "score", "outcome_class": "shadow" if refused else "live", "verdicts": answers,
        "session": "london", "entry_type": "market", "entry_price": 1.1, "stop_price": 1.09, "target_price": 1.13,
    }  # fmt: skip
    if r is not None:
        row |= {"outcome": "target" if r > 0 else "stop", "outcome_known_at": T0 + (n + 5) * BAR, "actual_rr": r}
        row |= {"mae_r": 0.5, "mfe_r": max(r, 0.0), "time_in_trade_bars": 4}
    return row | said


def table(rows):
    """Rows as store.labels gives them."""
    return pd.DataFrame(rows, columns=[c.name for c in LABELS.c]).assign(
        time=lambda t: pd.to_datetime(t["time"], utc=True),
        outcome_known_at=lambda t: pd.to_datetime(t["outcome_known_at"], utc=True),
    )


SOME = [
    label(0, r=2.0),
    label(1, r=-1.0, grade="A+", session=None),
    label(2, ["killzone", "rr"], r=3.0),
    label(3, ["killzone"], instrument="XAUUSD"),
    label(4, ["grade"], grade="A+", r=2.5),
    label(5, ["grade"], grade="NO_TRADE", outcome_class="none", score=40.0),
]


def test_rollout_counts_what_a_reader_would_count():
    labels = table(SOME)
    by_class, by_gate = rollout.outcome_counts(labels), rollout.gates(labels)
    assert by_class["n"].to_dict() == {"live": 2, "shadow": 3, "none": 1}
    assert by_class.loc["live", "share_pct"] == pytest.approx(100 / 3)
    assert by_class.loc["live", ["closed_n", "win_pct", "r_mean"]].tolist() == [2, 50.0, 0.5]
    assert by_class.loc["shadow", ["closed_n", "waiting_n"]].tolist() == [2, 1]
    assert list(by_gate.index) == list(GATES) and by_gate["passed_n"].tolist() == [6, 4, 5, 4]
    assert by_gate["first_n"].tolist() == [0, 2, 0, 2]  # the first refusal is the headline, rr came after killzone
    assert rollout.reasons(labels)[["gate", "n", "example"]].values.tolist() == [
        ["grade", 2, "grade says"], ["killzone", 2, "killzone says"],
    ]  # fmt: skip
    assert rollout.groups(labels, "instrument")["live_n"].to_dict() == {"EURUSD": 2, "XAUUSD": 0}
    assert rollout.groups(labels, "session").loc["outside", "n"] == 1
    assert rollout.groups(labels, "grade")["n"].to_dict() == {"A+": 2, "A": 3, "B": 0, "NO_TRADE": 1}


def test_stages_are_the_setups_that_only_their_grade_kept_from_being_live():
    stages = rollout.rollout_stages(table(SOME), SURE)
    assert stages["n"].to_dict() == {"A+ only": 2, "A+ and A": 3, "A alone": 1}
    assert rollout.rollout_stages(table(SOME), {"A+": 80.0, "A": 60.0})["n"].to_dict() == {
        "A+ only": 0, "A+ and A": 1, "A alone": 1,
    }  # fmt: skip
    assert stages.loc["A+ only", "say"] == "not enough: 2 closed, at least 30 are needed"


@pytest.mark.parametrize(
    ("a_plus", "a", "said"),
    [
        ((1.1, -1.0), (1.1, -1.0), r"^\*\*Stay\*\*.*A\+: not proven, A: not proven"),
        ((2.0, 1.0), (2.0, 1.0), r"^\*\*Go\*\*"),
        ((2.0, 1.0), (-1.0, -0.5), r"^\*\*No go\*\*: A lost"),
        ((-1.0, -0.5), (2.0, 1.0), r"^\*\*No go\*\*: A\+ lost"),
    ],
)
def test_the_step_to_more_grades_needs_figures_that_carry_it(a_plus, a, said):
    rows = [label(n, grade="A+", r=a_plus[n % 2]) for n in range(40)]
    rows += [label(n, grade="A", r=a[n % 2]) for n in range(40, 80)]
    step = rollout.next_step(rollout.rollout_stages(table(rows), SURE))
    assert re.search(said, step), step


def test_shares_and_means_have_known_intervals():
    wilson = rollout.share(8, 10)  # Wilson 1927, as every table of it: 49.0 to 94.3
    assert [round(wilson[k], 1) for k in ("pct", "low", "high")] == [80.0, 49.0, 94.3]
    assert rollout.share(0, 5)["low"] == 0.0 and rollout.share(5, 5)["high"] == 100.0
    assert np.isnan(list(rollout.share(0, 0).values())).all()
    many = rollout.mean_r(np.tile([1.0, -1.0], 200))
    assert many["mean"] == 0.0 and many["high"] == pytest.approx(1.96 / 20, abs=0.02) == -many["low"]
    assert rollout.mean_r(np.array([1.5])) == pytest.approx({"mean": 1.5, "low": np.nan, "high": np.nan}, nan_ok=True)


@pytest.mark.parametrize("rows", [[], SOME[:1], [label(0, grade=None, score=None, confidence=None)]])
def test_rollout_of_nothing_or_little_says_n_0_instead_of_failing(rows):
    labels = table(rows)
    told = rollout.figures(labels, SURE)
    json.dumps(told, allow_nan=False)
    assert len(rollout.compare(told, told)) and not rollout.compare(told, told)["apart"].any()
    for one in (
        rollout.outcome_counts(labels),
        rollout.gates(labels),
        rollout.reasons(labels),
        rollout.rollout_stages(labels, SURE),
    ):
        assert "n = 0" in rollout_report.shown(one).to_string() or rows
    for by in ("instrument", "session", "grade"):
        assert len(rollout_report.shown(rollout.groups(labels, by)))
    assert figures.distributions(labels, {"A": 70.0}).axes


# The store's command


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store that the commands find."""
    monkeypatch.setenv("SMCDESK_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    with Store() as s:
        s.upgrade()
        yield s


def smcdesk(*words, text=None):
    """The command in this process: exit code, stdout, stderr."""
    done = CliRunner().invoke(app, [str(w) for w in words], input=text)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def kept(store, rows, policy_hash):
    """Hand-made labels in the store, with what became of them."""
    rows = [row | {"policy_hash": policy_hash} for row in rows]
    own = (
        "setup_id",
        "policy_hash",
        "outcome",
        "outcome_known_at",
        "actual_rr",
        "mae_r",
        "mfe_r",
        "time_in_trade_bars",
    )
    store.record_labels([{k: v for k, v in row.items() if k not in own[2:]} for row in rows])
    store.fill_outcomes([{k: row[k] for k in own} for row in rows if "outcome" in row])


CONF = Policy.from_dict(load_config("base").parameters["policy"]).hash()


def test_store_command_makes_the_tables_once(tmp_path, monkeypatch):
    monkeypatch.setenv("SMCDESK_STORE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    assert smcdesk("store", "export")[0] == 2 and "smcdesk store upgrade" in smcdesk("store", "export")[2]
    assert "was empty" in smcdesk("store", "upgrade")[1] and "as it was" in smcdesk("store", "upgrade")[1]


def test_store_command_exports_forgets_and_freezes(store, tmp_path):
    kept(store, SOME, CONF)
    assert smcdesk("store", "export", "--out", tmp_path / "days")[0] == 0
    assert len(pd.read_parquet(tmp_path / "days/2024-03-04/setup_labels.parquet")) == len(SOME)
    assert "6 setups" in smcdesk("store", "baseline", "before", "--note", "by hand")[1]
    assert "frozen already" in smcdesk("store", "baseline", "before", "--note", "by hand")[1]
    assert "by hand" in smcdesk("store", "baseline")[1]
    code, _, err = smcdesk("store", "baseline", "before", "--instrument", "XAUUSD", "--note", "by hand")
    assert code == 2 and "A baseline is frozen: choose another name" in err
    assert smcdesk("store", "forget", CONF[:6], "XAUUSD", text="n\n")[0] == 1 and len(store.labels()) == 6
    code, out, _ = smcdesk("store", "forget", CONF[:6], "XAUUSD", "--yes")
    assert code == 0 and out.startswith("1 rows") and len(store.labels()) == 5
    assert rollout.load(baseline="before").baseline["figures"]["n"] == 6


@pytest.mark.parametrize(
    ("words", "said"),
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
def test_store_command_with_wrong_input_says_one_sentence_and_exits_2(store, words, said, monkeypatch):
    kept(store, SOME, CONF)
    if "--env" in words:
        monkeypatch.delenv("SMCDESK_STORE_URL")
    code, out, err = smcdesk(*words)
    assert code == 2 and out == "" and said in err and len(err.strip().splitlines()) == 1, err
    assert len(store.labels()) == len(SOME)


def test_baseline_of_nothing_is_refused_and_a_rollout_without_a_store_says_how_to_make_one(
    store, tmp_path, monkeypatch
):
    assert "nothing to freeze" in smcdesk("store", "baseline", "early")[2]
    assert rollout_report.verdict(rollout.load()).startswith("No setup was evaluated by policy")
    monkeypatch.setenv("SMCDESK_STORE_URL", f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(BadConfig, match="kedro run --pipelines decide --env test"):
        rollout.load("test")


def test_stage_counts_no_setup_that_its_model_expects_to_lose_on():
    rows = [label(n, r=1.0, grade="A+") for n in range(4)]
    rows[0]["verdicts"][3] |= {"passed": False, "evidence": {"gains": False}}
    rows[1]["verdicts"][3] |= {"passed": False, "evidence": {"gains": True}}
    assert rollout.rollout_stages(table(rows), SURE).loc["A+ only", "n"] == 3


def test_rollout_says_which_setups_have_no_plan():
    rows = [label(n, ["rr"] if n else (), outcome_class="none" if n else "live") for n in range(3)]
    for row, far in zip(rows[1:], (0.01, None), strict=True):
        row |= dict.fromkeys(("entry_price", "stop_price", "target_price"))
        row["verdicts"] = [
            *row["verdicts"],
            {**row["verdicts"][0], "gate": "stop_cap", "evidence": {"stop_distance_price": far}},
        ]
    said = rollout_report.planless(table(rows))
    assert "2 of 3 setups have no plan (1 no stop, 1 no opposing pool" in said
    assert "Every setup has a plan" in rollout_report.planless(table(rows[:1]))


# The rollout report


def test_rollout_report_runs_on_hand_made_labels_and_on_none(house, store, monkeypatch):
    code, out, err = smcdesk("report", "run", "rollout_report")
    assert code == 0 and "n = 0" in out, err
    kept(store, SOME, CONF)
    smcdesk("store", "baseline", "before")
    kept(store, [label(n, ["killzone"] if n % 3 else [], r=2.5 if n % 2 else -1.0) for n in range(6, 90)], CONF)
    code, out, err = smcdesk("report", "run", "rollout_report", "-p", "baseline=before")
    assert code == 0 and "90 setups" in out.replace("\n", " "), err
    page = next((house / "notebooks_out/rollout_report").rglob("baseline-before.html")).read_text()
    for said in ("Stay", "killzone says", "EURUSD", "Baseline <strong>before</strong>", "<img", "NO_TRADE"):
        assert said in page, said
    assert "did you mean" in smcdesk("report", "run", "rollout_report", "-p", "baslien=x")[2]


# The decide pipeline


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
    """The made-up market decided on once, and the store it left."""
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
def said_otherwise(path, text, instead=""):
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
    with said_otherwise(house / "conf/test/store.yml", "\nrewrite: false\n"), Store(env="test") as store:
        with said_otherwise(house / "conf/test/catalog.yml", "n_bars: 4000", "n_bars: 6000"):
            session.run_pipelines(("data", "feature", "decide"), symbol=SYMBOL, env="test", runtime_params=POLICY)
        before, last = store.labels(), store.newest(Policy.from_dict(POLICY["policy"]).hash(), SYMBOL, "15m")
        assert last == before["time"].max().value and store.newest("f" * 16, SYMBOL, "15m") is None
        dump = written(house, "refreshed.csv")
        other = POLICY | {"account": {"equity": 50_000.0}, "news": {"path": str(dump), "fetched_at": None}}
        session.run_pipelines(("data", "feature", "decide"), symbol=SYMBOL, env="test", runtime_params=other)
        after = store.labels()
        old = after["time"] <= before["time"].max()
        told = ["verdicts", "time", "setup_id", "outcome_class"]
        pd.testing.assert_frame_equal(after.loc[old, told].reset_index(drop=True), before[told])
        assert 0 < len(before) < len(after) and f"{len(before)} decisions of before were left alone" in caplog.text
        assert "calendar reaches" in json.dumps(after["verdicts"].iloc[-1]) and "there is no news" in json.dumps(
            before["verdicts"].iloc[-1]
        )
        whole = everything(store)
        session.run_pipelines(("decide",), symbol=SYMBOL, env="test", runtime_params=POLICY)
        assert (
            everything(store) == whole and f"{len(after)} decisions of before were left alone, 0 are new" in caplog.text
        )


def test_deciding_with_other_numbers_replaces_in_research(decided, house, caplog):
    richer, before = POLICY | {"account": {"equity": 50_000.0}}, everything(decided)
    n = len(decided.labels())
    session.run_pipelines(("decide",), symbol=SYMBOL, env="test", runtime_params=richer)
    assert everything(decided) != before and len(decided.labels()) == n
    assert "decided anew" in caplog.text
    fewer = POLICY | {"setups": {"modes": ["candle_close"]}}
    session.run_pipelines(("decide",), symbol=SYMBOL, env="test", runtime_params=fewer)
    assert set(decided.labels()["mode"]) == {"candle_close"}  # what is no candidate any more is gone
    session.run_pipelines(("decide",), symbol=SYMBOL, env="test", runtime_params=POLICY)
    assert everything(decided)[1] == before[1]


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
    told = rollout.load("test", policy=Policy.from_dict(POLICY["policy"]).hash(), instrument=SYMBOL)
    assert rollout.gates(told.labels)["n"].nunique() == 1 and list(rollout.gates(told.labels).index) == list(ALL_GATES)
    assert (
        len(told.labels)
        == rollout.outcome_counts(told.labels)["n"].sum()
        == rollout.groups(told.labels, "grade")["n"].sum()
    )
    json.dumps(rollout.figures(told.labels, told.min_confidence), allow_nan=False)


def test_setups_htf_beside_confluence_is_refused(house):
    with pytest.raises(Exception, match=r"setups\.htf: the higher timeframe stands in confluence\.htf"):
        session.run_pipelines(("feature",), symbol=SYMBOL, env="test", runtime_params={"setups": {"htf": "4h"}})
    with pytest.raises(BadConfig, match=r"found '4hh'; did you mean '4h'\?"):
        higher_timeframes(["1h", "4h"], "4hh")


# The clock


def test_paper_and_live_decide_by_the_clock_and_tapes_do_not(house):
    clocks = {env: load_config(env).parameters["clock"] for env in ("base", "test", "paper", "live")}
    assert clocks == {"base": "tape", "test": "tape", "paper": "wall", "live": "wall"}
    assert decision_time_ns("tape", "2024-03-08T10:15Z") is None
    assert decision_time_ns("wall", "2024-03-08T11:15+01:00") == pd.Timestamp("2024-03-08T10:15Z").value
    for clock, now, said in (
        ("wlal", None, "did you mean 'wall'"), ("wall", None, "nobody said what time it is"),
        ("wall", "2024-03-08 10:15", "a moment with its zone"), ("wall", "noon", "a moment with its zone"),
    ):  # fmt: skip
        with pytest.raises(BadConfig, match=said):
            decision_time_ns(clock, now)


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


# What decisions are made with


def test_spread_of_a_bar_is_the_widest_of_its_candles_and_the_usual_one_where_none_was_recorded():
    bars = market(8, seed=1, timeframe="15m")
    hours = at_timeframe(bars, instrument("EURUSD"), "1h")
    costs = Costs(spread_price=0.5)
    recorded = pd.Series([0.1, 0.3, 0.2], index=bars.index[:3])
    assert spread_by_bar(bars, bars, recorded, costs).tolist() == [0.1, 0.3, 0.2, *[0.5] * 5]
    assert spread_by_bar(bars, hours, recorded, costs).tolist() == [0.5, 0.5]
    assert spread_by_bar(bars, hours, recorded.reindex(bars.index, fill_value=0.2), costs).tolist() == [0.3, 0.2]
    assert spread_by_bar(bars, hours, None, costs).tolist() == [0.5, 0.5]


def test_round_trip_is_two_commissions_and_two_slips():
    costs = Costs(slippage_price=0.1, commission_per_unit=0.05, commission_pct=0.1)
    assert round_trip_cost(costs) == pytest.approx({"cost_price": 2 * (0.1 + 0.05), "cost_pct": 0.2})


def test_noise_of_a_finer_timeframe_is_known_at_its_own_closes():
    bars, fx = market(600, seed=1, timeframe="5m"), instrument("EURUSD")
    quarters = at_timeframe(bars, fx, "15m")
    assert (
        stop_atr_series(bars, quarters, fx, Config(), "entry")
        is stop_atr_series(bars, quarters, fx, Config(), "15m")
        is None
    )
    assert stop_atr_series(quarters, quarters, fx, Config(), "5m") is None  # coarser candles cannot say
    known = stop_atr_series(bars, quarters, fx, Config(), "5m")
    assert len(known) == 600 and known.index[0] == bars.index[0] + pd.Timedelta("5min")
    assert known.iloc[:300].equals(stop_atr_series(bars.iloc[:300], quarters.iloc[:100], fx, Config(), "5m"))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"ts": ["2024-01-01T00:00Z"], "sprad": [0.1]}, "did you mean 'sprad'|needs columns ts and spread"),
        ({"ts": ["2024-01-01T00:00"], "spread": [0.1]}, "times with their zone"),
        ({"ts": ["2024-01-01T00:00Z", "2024-01-01T00:15Z"], "spread": [0.1, -1]}, r"row 1: .* found -1\.?0? at"),
    ],
)  # fmt: skip
def test_spread_file_that_cannot_be_trusted_is_refused(tmp_path, table, said):
    pd.DataFrame(table).to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(BadBars, match=said):
        read_spread(tmp_path / "s.csv")


def test_outcomes_known_on_a_cut_tape_are_those_of_the_whole(decided, house):
    bars = pd.read_parquet(house / "data/02_intermediate" / SYMBOL / "bars.parquet")
    labels = decided.labels(instrument=SYMBOL)
    rest = instrument("EURUSD"), Costs(), Rules()
    whole = outcome_rows(bars, labels, *rest).set_index("setup_id")
    part = outcome_rows(bars.iloc[:3000], labels, *rest).set_index("setup_id")
    known = whole[whole["outcome_known_at"] <= bars.index[2999]]
    assert 0 < len(part) < len(whole)
    pd.testing.assert_frame_equal(part.sort_index(), known.sort_index())
    assert outcome_rows(bars, labels.iloc[:0], *rest).empty


@pytest.mark.parametrize("env", ["base", "test", "paper", "live"])
def test_every_environment_has_its_own_store_and_its_datasets_know_it(house, env):
    conf = load_config(env)
    assert conf["catalog"]["{symbol}.evaluated"]["env"] == env
    assert conf["store"]["rewrite"] is (env in ("base", "test"))


# What a symbol is


def test_conf_changes_a_shipped_profile_and_misspells_none():
    changed = configured_instrument(
        "XAUUSD", {"GOLD": {"max_leverage": 50, "killzone_windows": ["ny 07:00-10:00 UTC"]}}, "GOLD"
    )
    assert (changed.symbol, changed.max_leverage, changed.killzone_windows) == ("GOLD", 50.0, ("ny 07:00-10:00 UTC",))
    assert (
        configured_instrument("XAUUSD", {}, "GOLD").tick
        == configured_instrument("XAUUSD", {"GOLD": None}, "GOLD").tick
        == changed.tick
    )
    with pytest.raises(BadConfig, match="did you mean 'max_leverage'"):
        configured_instrument("XAUUSD", {"GOLD": {"max_leverge": 50}}, "GOLD")
