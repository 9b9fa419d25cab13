"""The rollout report on labels by hand, and on none."""

from command import smcdesk
from rollout_rows import CONF, SOME, label, record_labelled, table

from smcdesk.reports import rollout_report


def test_rollout_says_which_setups_have_no_plan():
    rows = [label(n, ["rr"] if n else (), outcome_class="none" if n else "live") for n in range(3)]
    for row, far in zip(rows[1:], (0.01, None), strict=True):
        row |= dict.fromkeys(("entry_price", "stop_price", "target_price"))
        row["verdicts"] = [
            *row["verdicts"],
            {**row["verdicts"][0], "gate": "stop_cap", "evidence": {"stop_distance_price": far}},
        ]
    text = rollout_report.planless(table(rows))
    assert "2 of 3 setups have no plan (1 no stop, 1 no opposing pool" in text
    assert "Every setup has a plan" in rollout_report.planless(table(rows[:1]))


def test_rollout_report_runs_on_hand_made_labels_and_on_none(house, found_store, monkeypatch):
    code, out, err = smcdesk("report", "run", "rollout_report")
    assert code == 0 and "n = 0" in out, err
    record_labelled(found_store, SOME, CONF)
    smcdesk("store", "baseline", "before")
    record_labelled(
        found_store, [label(n, ["killzone"] if n % 3 else [], r=2.5 if n % 2 else -1.0) for n in range(6, 90)], CONF
    )
    code, out, err = smcdesk("report", "run", "rollout_report", "-p", "baseline=before")
    assert code == 0 and "90 setups" in out.replace("\n", " "), err
    page = next((house / "notebooks_out/rollout_report").rglob("baseline-before.html")).read_text()
    for text in ("Stay", "killzone says", "EURUSD", "Baseline <strong>before</strong>", "<img", "NO_TRADE"):
        assert text in page, text
    assert "did you mean" in smcdesk("report", "run", "rollout_report", "-p", "baslien=x")[2]
