"""Tracked runs side by side, as the compare report shows them: sentences and tables of a `Comparison`."""

from __future__ import annotations

from typing import Any

import pandas as pd

from smcdesk.project import paths
from smcdesk.research import comparison
from smcdesk.research.comparison import FEW_DAYS, RANKED, SURE, Comparison, parameters
from smclab.walkforward import plateau

load = comparison.load


def resolved(report: Comparison) -> pd.DataFrame:
    "What the parameters were resolved to."
    first, last = (
        (f"{day:%Y-%m-%d}" for day in (report.returns.index[0], report.returns.index[-1]))
        if len(report.returns)
        else "--"
    )
    rows = {
        "symbol": report.symbol, "environment": report.env, "runs": str(len(report.table)), "ranked by": report.rank_by,
        "days all runs have": f"{len(report.returns):,}, {first} to {last}", "tracking store": paths.mlflow_uri(),
    }  # fmt: skip
    return pd.DataFrame({"": rows})


def verdict(report: Comparison) -> str:
    "Which differences are larger than chance, in one paragraph."
    n = len(report.table)
    if n < 2:
        return "There is one run, and nothing to compare it with."
    if len(report.returns) < FEW_DAYS:
        return f"The {n} runs share {len(report.returns):,} days; under {FEW_DAYS} nothing is compared."
    larger = report.tests[report.tests["larger"]]
    counts = f"{n} runs, {len(report.tests)} pairs, {len(report.returns):,} common days"
    if larger.empty:
        least = report.tests["least_pct_year"].median()
        return (
            f"{counts}: no difference is larger than chance, so the first of the ranking is not known to be the best. "
            f"On so few days a pair must differ by about {least:.1f} % a year to be told apart."
        )
    what = report.table.set_index("label")["what"]
    pairs = "; ".join(
        f"{r.better} ({what[r.better]}) over {r.worse} ({what[r.worse]}), {r.difference_pct_year:+.1f} % a year"
        for r in larger.itertuples()
    )
    which = "one difference is" if len(larger) == 1 else f"{len(larger)} differences are"
    return f"{counts}: {which} larger than chance: {pairs}."


def method(report: Comparison) -> str:
    "How the differences were tested."
    block = max(1, round(len(report.returns) ** (1 / 3)))
    return (
        "Every pair is compared by its difference in mean daily return on the days all runs have. Whole blocks of "
        f"{block} days are drawn anew, the same days for all runs (a paired circular block bootstrap), and p is "
        "corrected for the number of pairs by Romano and Wolf's step-down with the largest studentised difference: "
        f"if no pair differed, at most {100 * SURE:.0f} % of such reports would name one. Runs were picked for being "
        "good on these very days; that luck is not in p, only a walk-forward shows it."
    )


def ranking(report: Comparison) -> pd.DataFrame:
    "The ranked runs, rounded and labelled for reading."
    shown = report.table.assign(run_id=report.table["run_id"].str[:6])
    for name in RANKED:
        digits = 0 if name == "trades_n" else 2
        shown[name] = [f"{v:,.{digits}f}" if pd.notna(v) else "none" for v in shown[name]]
    heads = {"label": "", "run_id": "run", "what": "what it is", "days_n": "days"}
    heads |= dict(
        zip(RANKED, ("Sharpe", "return, %", "R a trade", "profit factor", "won, %", "fall, %", "trades"), strict=True)
    )
    return shown.rename(columns=heads)


def pairs(report: Comparison) -> pd.DataFrame:
    "The pairwise tests, rounded and labelled for reading."
    rows = [
        {
            "better": r.better, "worse": r.worse, "difference, % a year": f"{r.difference_pct_year:+.2f}",
            "95 % interval, this pair alone": f"{r.low:+.2f} … {r.high:+.2f}",
            "p, this pair alone": f"{r.p_single:.3f}",
            "p, all pairs": f"{r.p:.3f}", "larger than chance": "yes" if r.larger else "no",
        }
        for r in report.tests.itertuples()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def omitted(report: Comparison) -> str:
    "On which days the ranking stands, and which runs are left out, and why."
    days = (
        "Not all runs cover the same days: Sharpe ratio, return and fall are those of the "
        f"{len(report.returns):,} days all "
        "of them have, by daily closes; the other figures are of each run's own days."
    )
    return " ".join([*([days] if (report.table["days_n"] != len(report.returns)).any() else []), *report.left_out])


def plateaus(grid: pd.DataFrame, n: int = 6) -> pd.DataFrame:
    "The best combinations and how their neighbours do."
    flat = plateau(grid.set_index(parameters(grid))["sharpe_annual"])
    shown = flat.sort_values("score", ascending=False, kind="stable").head(n).reset_index()
    figures = {
        "score": "Sharpe", "neighbours_mean": "neighbours, mean", "neighbours_worst": "worst", "drop": "drop to them",
    }  # fmt: skip
    for name in parameters(grid):
        shown[name] = [f"{v:g}" if isinstance(v, float) else str(v) for v in shown[name]]
    for name in figures:
        shown[name] = [f"{v:.2f}" if pd.notna(v) else "none" for v in shown[name]]
    return shown.rename(columns={**figures, "neighbours_n": "neighbours, n"})


def plateau_words(grid: pd.DataFrame) -> str:
    "Whether the best combination stands on a plateau or on a needle."
    flat = plateau(grid.set_index(parameters(grid))["sharpe_annual"])
    best = flat.loc[flat["score"].idxmax()]
    gains = 100 * float((flat["score"] > 0).mean())
    counts = f"Of {len(flat):,} combinations {gains:.0f} % earned something after costs."
    around = f"The best has a Sharpe ratio of {best['score']:.2f}"
    if not best["neighbours_n"] or not best["score"] > 0:
        return f"{counts} {around}, which no neighbour could make a plateau."
    flat_top = best["neighbours_mean"] >= best["score"] / 2 and best["neighbours_worst"] > 0
    near = int(best["neighbours_n"])
    keeps = "They keep half of it and none loses: a plateau."
    return (
        f"{counts} {around}; its {near} neighbours have {best['neighbours_mean']:.2f} on average and "
        f"{best['neighbours_worst']:.2f} at worst. "
        + (keeps if flat_top else "A plateau would keep half of it without a loser: this is a needle.")
    )


def stability_words(windows: pd.DataFrame, names: list[str]) -> str:
    "How stable the walk-forward's choices were."
    train, test = windows["train_sharpe_annual"].mean(), windows["test_sharpe_annual"].mean()
    won, n = int((windows["test_return_pct_year"] > 0).sum()), len(windows)
    choices = len(windows[names].drop_duplicates())
    return (
        f"{n} windows chose {choices} different combinations. Their Sharpe ratio was {train:.2f} on the days they were "
        f"chosen on and {test:.2f} on the days after, on average; {won} of {n} windows earned something."
    )


def summary(report: Comparison) -> dict[str, Any]:
    "The row stored with the report."
    first = report.table.iloc[0]
    return {
        "symbol": report.symbol, "env": report.env, "runs": len(report.table), "days": len(report.returns),
        "pairs": len(report.tests),
        "larger_than_chance": int(report.tests["larger"].sum()), "first": first["run_id"], "ranked_by": report.rank_by,
        "sentence": verdict(report),
    }  # fmt: skip
