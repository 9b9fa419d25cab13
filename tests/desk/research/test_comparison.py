"""Runs are ranked by what they earned, and differ only where chance does not explain it."""

import numpy as np
import pandas as pd
import pytest
from command import smcdesk

from smcdesk.reports import compare_report, runner, walkforward_report
from smcdesk.research import comparison
from smclab.candles import BadConfig

SYMBOL = "MADEUP"


# Chance


def test_resampled_means_are_means_of_whole_blocks():
    x = np.arange(10.0)[:, None] ** 2
    drawn = comparison.resampled_means(x, 500, 0, 3)
    wrapped = np.concatenate([x[:, 0], x[:2, 0]])
    threes, ones = [wrapped[i : i + 3].sum() for i in range(10)], x[:, 0]
    sums = {round(a + b + c + d, 6) for a in threes for b in threes for c in threes for d in ones}
    assert {round(v * 10, 6) for v in drawn[:, 0]} <= sums
    assert drawn.mean() == pytest.approx(x.mean(), rel=0.1)


def test_step_down_corrects_for_how_many_were_asked_and_keeps_the_order():
    rng = np.random.default_rng(1)
    chance = np.abs(rng.standard_normal((4000, 10)))
    t = np.array([4.5, 2.2, *np.linspace(1.0, 0.1, 8)])
    p = comparison.step_down(t, chance)
    assert p[0] < 0.01 and p[1] > 0.1 and (np.diff(p) >= 0).all()
    assert comparison.step_down(t[1:2], chance[:, 1:2])[0] == pytest.approx(0.028, abs=0.01)


def test_differences_are_named_only_when_larger_than_chance():
    rng, days = np.random.default_rng(2), pd.date_range("2020-01-01", periods=500, freq="B")
    luck = pd.DataFrame(rng.normal(0, 0.01, (500, 4)), index=days, columns=list("ABCD"))
    assert not comparison.differences(luck, year=260, n_boot=500)["larger"].any()
    found = comparison.differences(luck.assign(B=luck["A"] - 0.001), year=260, n_boot=500)
    first = found.iloc[0]
    assert (first["better"], first["worse"], bool(first["larger"])) == ("A", "B", True)
    assert first["difference_pct_year"] == pytest.approx(26.0)
    same = comparison.differences(luck[["A"]].assign(B=luck["A"]), year=260, n_boot=200)
    assert same["p"].iloc[0] == 1.0 and not same["larger"].iloc[0]
    assert comparison.differences(luck.head(30), year=260).empty


def test_false_alarms_stay_as_rare_as_said():
    days = pd.date_range("2020-01-01", periods=250, freq="B")
    alarms = 0
    for seed in range(60):
        x = np.random.default_rng(seed).standard_t(4, (250, 5)) * 0.01
        alarms += comparison.differences(pd.DataFrame(x, index=days), year=260, n_boot=300, seed=seed)["larger"].any()
    assert alarms <= 8  # 3 expected; more than 8 happens once in 200 times


# Comparing


def test_comparison_ranks_and_tests_a_sweeps_choices(swept, walked):
    compared = comparison.load(SYMBOL, "test", study=swept, n_boot=300)
    assert list(compared.table["label"]) == ["A", "B", "C"] and compared.table["sharpe_annual"].is_monotonic_decreasing
    assert len(compared.tests) == 3 and len(compared.returns) == compared.table["days_n"].min()
    assert "3 runs, 3 pairs" in compare_report.verdict(compared) and len(compare_report.pairs(compared)) == 3
    assert comparison.grid(compared, swept) is not None and len(comparison.windows(compared, swept)) == 4
    assert "combinations" in compare_report.plateau_words(comparison.grid(compared, swept))
    fallen = comparison.load(SYMBOL, "test", study=swept, rank_by="max_drawdown_pct", n_boot=50)
    assert fallen.table["max_drawdown_pct"].is_monotonic_increasing


def test_comparison_with_wrong_words_names_the_nearest(swept):
    with pytest.raises(BadConfig, match="did you mean 'sharpe_annual'"):
        comparison.load(SYMBOL, "test", rank_by="sharp_annual")
    with pytest.raises(BadConfig, match="no finished run"):
        comparison.load(SYMBOL, "test", runs="0123")


def test_compare_report_runs_and_is_stored_with_the_study(swept, house):
    code, out, err = smcdesk(
        "report", "run", "compare_report", "-p", f"symbol={SYMBOL}", "-p", "env=test", "-p", f"study={swept}"
    )
    assert code == 0, err
    page = next((house / "notebooks_out/compare_report").rglob("*.html")).read_text()
    assert "larger than chance" in out and page.count("<img") >= 2 and "Romano and Wolf" in page
    assert {"compare_report", "walkforward_report"} <= runner.reports(house).keys()


def test_newest_runs_are_told_apart_by_what_differs(house, walked):
    from smcdesk.runs import session

    for equity in (10_000.0, 5_000.0):
        extra = {"account": {"equity": equity}}
        session.run_pipelines(("data", "feature", "replay"), symbol=SYMBOL, env="test", runtime_params=extra)
    compared = comparison.load(SYMBOL, "test", newest=3, n_boot=50)
    assert {"replay, equity 5000.0", "replay, equity 10000.0"} <= set(compared.table["what"])
    assert compared.table["what"].str.startswith("walkforward").sum() == 1
    assert len(compared.returns) == len(walkforward_report.load(SYMBOL, "test").returns)
    assert "Not all runs cover the same days" in compare_report.omitted(compared)
    ends = 100 * ((1 + compared.returns).prod() - 1)
    assert np.allclose(compared.table["total_return_pct"], ends[compared.table["label"]])
