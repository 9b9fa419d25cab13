"""The retrain report: a new training against the baselines and the champion, fold by fold, and the promotion."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from smcdesk.datasets.catalog import load_catalog
from smcdesk.modelling import registry
from smcdesk.modelling.training import Training
from smcdesk.project.config import check_symbol, load_config
from smcdesk.reports.text import parameter_table, with_interval
from smcdesk.runs import session
from smclab.candles import BadConfig

EMPTY = pd.DataFrame({"": ["n = 0"]}, index=["none"])


@dataclass(frozen=True)
class RetrainReport:
    "A training of one market, the latest or a new one."

    symbol: str
    training: Training


def load(
    symbol: str,
    env: str,
    train: bool = False,  # run a new training; else the latest is shown
) -> RetrainReport:
    "A training of this market: a new one, or the latest."
    symbol = check_symbol(symbol, load_config(env).parameters["symbols"])
    if train:
        session.run_pipelines(("data", "feature", "model"), symbol=symbol, env=env)
    catalog = load_catalog(env)
    if not catalog.exists(f"{symbol}.training"):
        raise BadConfig(
            f"{symbol} was never trained in {env}: smcdesk model train -s {symbol} does, or -p train=true here"
        )
    return RetrainReport(symbol, catalog.load(f"{symbol}.training"))


def resolved(report: RetrainReport) -> pd.DataFrame:
    "What was trained, on which rows, how it was judged and against what."
    t, c = report.training, report.training.config
    rows = {
        "model": t.name, "setups with a ticket": f"{t.rows_n:,}", "finished": f"{t.finished_n:,}",
        "features": t.features_n,
        "kinds tried": ", ".join(c["kinds"]),
        "judged on": f"{c['n_outer']} folds that walk forward",
        "searched on": f"{c['n_inner']} {c['inner']} folds inside",
        "calibration": c["calibration"], "chosen": f"{t.kind} {t.params}" if t.kind else "nothing",
        "held against": f"version {t.champion}" if t.champion else "the baselines: there is no champion",
    }  # fmt: skip
    return parameter_table(rows)


def verdict(report: RetrainReport) -> str:
    "Promoted or not, and why."
    return (
        f"**{'Promoted' if report.training.decision.get('promote') else 'Not promoted'}.** {report.training.sentence}"
    )


def _figure(row: pd.Series, name: str, scale: float = 1.0, digits: int = 3) -> str:
    "A column of a row with its interval from the columns <name>_low and <name>_high."
    return with_interval(*(row[f"{name}{end}"] * scale for end in ("", "_low", "_high")), digits)


def figures(report: RetrainReport) -> pd.DataFrame:
    "Log loss, Brier score, AUC and skill of every model kind and baseline over all out-of-fold rows."
    rows = {
        name.replace("_", " "): {
            "n": f"{r['n']:,.0f}", "log loss": _figure(r, "log_loss", digits=4),
            "Brier": _figure(r, "brier", digits=4), "AUC": _figure(r, "auc"), "skill, %": _figure(r, "skill", 100, 2),
        }
        for name, r in report.training.figures.iterrows()
    }  # fmt: skip
    return pd.DataFrame(rows).T if rows else EMPTY


def folds(report: RetrainReport) -> pd.DataFrame:
    "One row per fold: its time span, its rows, base rates, model kind, AUC and skill."
    rows = [
        {
            "from": f"{r['test_from']:%Y-%m-%d}", "to": f"{r['test_to']:%Y-%m-%d}",
            "trained on": f"{r['train_n']:,}", "purged": r["purged_n"], "tested on": f"{r['test_n']:,}",
            "won before, %": f"{100 * r['base_rate_train']:.1f}",
            "won, %": f"{100 * r['base_rate_test']:.1f}", "kind": r["kind"], "AUC": _figure(r, "auc"),
            "skill, %": _figure(r, "skill", 100, 2),
        }
        for r in report.training.folds.to_dict("records")
    ]  # fmt: skip
    return pd.DataFrame(rows) if rows else EMPTY


def stability(report: RetrainReport) -> str:
    "Whether the folds agree on which features matter."
    rho = report.training.stability
    if rho is None:
        return "The folds give no stability figure."
    agree = "agree" if rho > 0.5 else "agree a little" if rho > 0.2 else "do not agree"
    return f"The folds {agree} on which features matter: mean rank correlation of their importances {rho:+.2f}."


def drift(report: RetrainReport, n: int = 12) -> pd.DataFrame:
    "The features whose distribution drifted farthest."
    table = report.training.drift.head(n).round(3)
    return table.assign(drifted=table["drifted"].map({True: "yes", False: ""})) if len(table) else EMPTY


def leaks(report: RetrainReport, n: int = 6) -> pd.DataFrame:
    "The columns that predict outcomes best alone: a leak shows here."
    if report.training.leaks.empty:
        return EMPTY
    rows = {
        name: {"AUC alone": _figure(r, "auc"), "flagged": r["why"] if r["flagged"] else ""}
        for name, r in report.training.leaks.head(n).iterrows()
    }
    return pd.DataFrame(rows).T


def acted(report: RetrainReport) -> pd.DataFrame:
    "What trading on each of the policies earned after costs."
    rows = {}
    for way, r in report.training.acted.iterrows():
        closed = math.isfinite(r["expectancy_r"])
        rows[way] = {
            "setups": f"{r['setups_n']:,.0f}", "live": f"{r['live_n']:,.0f}", "trades": f"{r['trades_n']:,.0f}",
            "won, %": f"{r['win_rate_pct']:.0f}" if closed else "none",
            "R per trade": f"{r['expectancy_r']:+.2f} ({r['low']:+.2f} … {r['high']:+.2f})" if closed else "none",
            "R in all": f"{r['total_r']:+.1f}", "costs per trade, R": f"{r['costs_r']:.2f}",
        }  # fmt: skip
    return pd.DataFrame(rows).T if rows else EMPTY


def versions(report: RetrainReport) -> pd.DataFrame:
    "Every registered version of this model."
    table = registry.versions()
    table = table[table["name"] == report.training.name][["version", "alias", "kind", "rows", "reason"]]
    return table if len(table) else EMPTY


def summary(report: RetrainReport) -> dict[str, Any]:
    "The row stored with the report."
    t = report.training
    row = {
        "symbol": report.symbol,
        "model": t.name,
        "promoted": bool(t.decision.get("promote")),
        "sentence": t.sentence,
    }
    selected = t.figures.loc["selected"] if "selected" in t.figures.index else {}
    return row | {k: float(selected[k]) for k in ("n", "auc", "skill", "log_loss") if k in selected}
