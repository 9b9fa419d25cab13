"""The walk-forward report: what choosing parameters on the past earned on the days after, and its selection bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from smcdesk.project import logs
from smcdesk.reports.report import figures
from smcdesk.reports.text import parameter_table, scorecard_table, sentences, two_digits
from smcdesk.research.comparison import parameters
from smcdesk.tracking import column, daily_returns_of, finished_runs, frame, run_by_id
from smclab.candles import BadConfig


@dataclass(frozen=True, eq=False)
class WalkforwardReport:
    "Results of one walk-forward study for one symbol."

    run: pd.Series  # the study's run
    symbol: str
    summary: pd.DataFrame  # per metric: value, low, high, n, unit, note
    windows: pd.DataFrame
    paths: pd.DataFrame
    grid: pd.DataFrame
    returns: pd.DataFrame  # daily_return of every test day, played from flat
    folds: pd.DataFrame  # one row per nested run


def load(symbol: str, env: str, study: str = "") -> WalkforwardReport:
    "A study from MLflow: the named one, else the newest of the symbol."
    logs.quiet_libraries()
    runs = finished_runs()
    if study:
        run = run_by_id(runs, study)
    else:
        fit = (column(runs, "tags.study") == "walkforward") & (column(runs, "tags.env") == env)
        fit &= column(runs, "tags.symbol").astype(str).str.split(",").map(lambda names: symbol in names)
        if not fit.any():
            raise BadConfig(f"there is no walk-forward of {symbol} in {env}: run smcdesk walkforward --env {env}")
        run = runs[fit].iloc[0]
    parts = {name: frame(run["run_id"], symbol, f"{name}.parquet") for name in ("summary", "windows", "paths", "grid")}
    missing = [name for name, table in parts.items() if table is None]
    if missing:
        raise BadConfig(f"run {run['run_id']} is no walk-forward of {symbol}: it has no {', '.join(missing)}")
    returns = daily_returns_of(run["run_id"], symbol).to_frame()
    own = runs[column(runs, "tags.mlflow.parentRunId") == run["run_id"]]
    folds = own.assign(fold=own["tags.study.fold"].astype(int)).sort_values("fold", ignore_index=True)
    parts["summary"] = parts["summary"].set_index("metric")
    return WalkforwardReport(run, symbol, returns=returns, folds=folds, **parts)


def resolved(report: WalkforwardReport) -> pd.DataFrame:
    "What the parameters were resolved to: the study, its grid, its test days and the code it ran with."
    names, days = ("git_commit", "git_diff_hash", "seed", "config_hash"), report.returns.index
    tags = {name: str(report.run.get(f"tags.{name}", "")) for name in names}
    rows = {
        "study": report.run["run_id"], "symbol": report.symbol, "environment": report.run.get("tags.env"),
        "combinations": f"{len(report.grid):,} of {', '.join(parameters(report.grid))}",
        "windows": str(len(report.windows)), "test days": f"{len(days):,}, {days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}",
        "data fingerprint": report.run.get(f"tags.data_fingerprint.{report.symbol}"),
        "configuration": tags["config_hash"],
        "commit": tags["git_commit"][:12] + (f" + changes {tags['git_diff_hash']}" if tags["git_diff_hash"] else ""),
        "seed": tags["seed"],
    }  # fmt: skip
    return parameter_table(rows)


def verdict(report: WalkforwardReport) -> str:
    "What the test days prove: the Sharpe ratio of the choices, with its interval."
    row = report.summary.loc["test_sharpe_annual"]
    if pd.isna(row["value"]):
        return "The choices never traded on their test days, so there is nothing to judge."
    text = f"Chosen on the past, the Sharpe ratio on {int(row['n']):,} days that followed is {row['value']:+.2f} a year"
    if not np.isfinite(row["low"]):
        return f"{text}; no interval can be given."
    text = f"{text}; the 95 % interval runs from {row['low']:+.2f} to {row['high']:+.2f}"
    if row["low"] > 0:
        return f"{text} and lies above zero: a reason to test further, on candles that were not part of this study."
    if row["high"] < 0:
        return f"{text} and lies below zero: choosing from this grid lost money, and more than chance explains."
    return f"{text} and includes zero: no evidence that choosing from this grid earns anything."


def money(report: WalkforwardReport) -> str:
    "What the folds earned, replayed one by one from flat."
    return_pct = 100 * (np.prod(1 + report.returns["daily_return"].to_numpy()) - 1)
    trades = int(column(report.folds, f"metrics.{report.symbol}.trades_n").fillna(0).sum())
    return (
        f"Every window's choice was replayed from flat on its test days: {trades:,} closed trades, "
        f"{return_pct:+.2f} % after costs if each fold's returns are compounded. The figures below read the grid's own "
        "returns, where a position may reach over a window's edge."
    )


def selection_bias(report: WalkforwardReport) -> str:
    "How much of the best combination's result is selection: deflated Sharpe ratio, overfitting, CPCV paths."
    v, n = report.summary["value"], report.summary["n"]
    combinations, deflated = int(v["combinations_n"]), v["deflated_sharpe_pct"]
    return sentences(
        f"The best of {combinations:,} combinations shows a Sharpe ratio of {two_digits(v['best_sharpe_annual'])}",
        "on all days.",
        f"The chance that it is above the luck of so many tries is {deflated:.0f} %." if pd.notna(deflated) else "",
        f"In {v['overfit_probability_pct']:.0f} % of {int(n['overfit_probability_pct']):,} halvings the choice of one "
        "half was below the middle of the other half (50 % would be blind choice); it lost money in "
        f"{v['overfit_loss_pct']:.0f} %.",
        f"Combinatorial cross-validation gives {len(report.paths)} paths with a median Sharpe ratio of "
        f"{two_digits(v['path_sharpe_annual'])} and {two_digits(v['path_sharpe_annual_worst'])} at worst.",
    )


def card(report: WalkforwardReport) -> pd.DataFrame:
    "The study's figures with intervals, sample sizes and remarks."
    return scorecard_table(report.summary)


def folds(report: WalkforwardReport) -> pd.DataFrame:
    "Window by window: the chosen parameters, their Sharpe ratios, and what they earned from flat."
    names, rows = parameters(report.grid), []
    for k, window in enumerate(report.windows.to_dict("records")):
        run = report.folds.iloc[k]
        earned = {name: run.get(f"metrics.{report.symbol}.{name}", np.nan) for name in ("trades_n", "total_return_pct")}
        rows.append(
            {
                "test days": f"{window['test_from']:%Y-%m-%d} to {window['test_to']:%Y-%m-%d}",
                "choice": ", ".join(f"{name} {window[name]:g}" if isinstance(window[name], float) else
                                    f"{name} {window[name]}" for name in names),
                "Sharpe, train": f"{window['train_sharpe_annual']:.2f}", "test": f"{window['test_sharpe_annual']:.2f}",
                "place": f"{100 * window['test_place']:.0f} %", "trades": f"{earned['trades_n']:.0f}",
                "from flat": f"{earned['total_return_pct']:+.2f} %" if pd.notna(earned["total_return_pct"]) else "none",
                "run": run["run_id"][:6],
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def summary(report: WalkforwardReport) -> dict[str, Any]:
    "The row stored with the report."
    names = ("test_sharpe_annual", "test_return_pct_year", "deflated_sharpe_pct", "overfit_probability_pct")
    return {
        "study": report.run["run_id"], "symbol": report.symbol, "windows": len(report.windows),
        "combinations": len(report.grid),
        **figures(report.summary["value"], names), "sentence": verdict(report),
    }  # fmt: skip
