"""What a rollout counts, and the step to more grades."""

import json
import re

import numpy as np
import pytest
from rollout_rows import GATES, SOME, SURE, label, table

from smcdesk import figures
from smcdesk.reports import rollout_report
from smcdesk.research import rollout


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
    ("a_plus", "a", "message"),
    [
        ((1.1, -1.0), (1.1, -1.0), r"^\*\*Stay\*\*.*A\+: not proven, A: not proven"),
        ((2.0, 1.0), (2.0, 1.0), r"^\*\*Go\*\*"),
        ((2.0, 1.0), (-1.0, -0.5), r"^\*\*No go\*\*: A lost"),
        ((-1.0, -0.5), (2.0, 1.0), r"^\*\*No go\*\*: A\+ lost"),
    ],
)
def test_the_step_to_more_grades_needs_figures_that_carry_it(a_plus, a, message):
    rows = [label(n, grade="A+", r=a_plus[n % 2]) for n in range(40)]
    rows += [label(n, grade="A", r=a[n % 2]) for n in range(40, 80)]
    step = rollout.next_step(rollout.rollout_stages(table(rows), SURE))
    assert re.search(message, step), step


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
    summary = rollout.figures(labels, SURE)
    json.dumps(summary, allow_nan=False)
    assert len(rollout.compare(summary, summary)) and not rollout.compare(summary, summary)["apart"].any()
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


def test_stage_counts_no_setup_that_its_model_expects_to_lose_on():
    rows = [label(n, r=1.0, grade="A+") for n in range(4)]
    rows[0]["verdicts"][3] |= {"passed": False, "evidence": {"gains": False}}
    rows[1]["verdicts"][3] |= {"passed": False, "evidence": {"gains": True}}
    assert rollout.rollout_stages(table(rows), SURE).loc["A+ only", "n"] == 3
