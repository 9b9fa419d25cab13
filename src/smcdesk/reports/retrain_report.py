"""What the retrain report shows: a training's tables as a reader wants them."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from smcdesk.datasets.catalog import load_catalog
from smcdesk.modelling.training import Training
from smcdesk.project.config import check_symbol, load_config

NOTHING = pd.DataFrame({"": ["n = 0"]}, index=["none"])


def load(
    symbol: str,
    env: str,
    train: bool = False,  # train first; else the latest training is told
) -> Training:
    "A training of this market: a new one, or the latest."
    from smcdesk.runs import session
    from smclab.candles import BadConfig

    symbol = check_symbol(symbol, load_config(env).parameters["symbols"])
    if train:
        session.run_pipelines(("data", "feature", "model"), symbol=symbol, env=env)
    catalog = load_catalog(env)
    if not catalog.exists(f"{symbol}.training"):
        raise BadConfig(
            f"{symbol} was never trained in {env}: smcdesk model train -s {symbol} does, or -p train=true here"
        )
    return catalog.load(f"{symbol}.training")


def resolved(t: Training):  # a styled table
    "What was trained on what."
    c = t.config
    rows = {
        "model": t.name, "setups with a ticket": f"{t.rows_n:,}", "finished": f"{t.finished_n:,}",
        "features": t.features_n,
        "kinds tried": ", ".join(c["kinds"]),
        "judged on": f"{c['n_outer']} folds that walk forward",
        "searched on": f"{c['n_inner']} {c['inner']} folds inside",
        "calibration": c["calibration"], "chosen": f"{t.kind} {t.params}" if t.kind else "nothing",
        "held against": f"version {t.champion}" if t.champion else "the baselines: there is no champion",
    }  # fmt: skip
    return pd.DataFrame({"": rows}).style


def verdict(t: Training) -> str:
    "The decision in words."
    return f"**{'Promoted' if t.decision.get('promote') else 'Not promoted'}.** {t.sentence}"


def _within(row: pd.Series, name: str, scale: float = 1.0, digits: int = 3) -> str:
    "A figure with its interval."
    value, low, high = (row[f"{name}{end}"] * scale for end in ("", "_low", "_high"))
    return f"{value:.{digits}f} ({low:.{digits}f} … {high:.{digits}f})" if math.isfinite(value) else "none"


def figures(t: Training) -> pd.DataFrame:
    "Every kind and baseline over all out-of-fold rows."
    rows = {
        name.replace("_", " "): {
            "n": f"{r['n']:,.0f}", "log loss": _within(r, "log_loss", digits=4),
            "Brier": _within(r, "brier", digits=4), "AUC": _within(r, "auc"), "skill, %": _within(r, "skill", 100, 2),
        }
        for name, r in t.figures.iterrows()
    }  # fmt: skip
    return pd.DataFrame(rows).T if rows else NOTHING


def folds(t: Training) -> pd.DataFrame:
    "One row per fold."
    rows = [
        {
            "from": f"{r['test_from']:%Y-%m-%d}", "to": f"{r['test_to']:%Y-%m-%d}",
            "trained on": f"{r['train_n']:,}", "purged": r["purged_n"], "tested on": f"{r['test_n']:,}",
            "won before, %": f"{100 * r['base_rate_train']:.1f}",
            "won, %": f"{100 * r['base_rate_test']:.1f}", "kind": r["kind"], "AUC": _within(r, "auc"),
            "skill, %": _within(r, "skill", 100, 2),
        }
        for r in t.folds.to_dict("records")
    ]  # fmt: skip
    return pd.DataFrame(rows) if rows else NOTHING


def stability(t: Training) -> str:
    "Whether the folds agree on what matters."
    if t.stability is None:
        return "How stable this is cannot be said."
    agree = "agree" if t.stability > 0.5 else "agree a little" if t.stability > 0.2 else "do not agree"
    return f"The folds {agree} on which features matter: mean rank correlation of their importances {t.stability:+.2f}."


def drift(t: Training, n: int = 12) -> pd.DataFrame:
    "The features that moved farthest."
    table = t.drift.head(n).round(3)
    return table.assign(drifted=table["drifted"].map({True: "yes", False: ""})) if len(table) else NOTHING


def leaks(t: Training, n: int = 6) -> pd.DataFrame:
    "The columns that know most alone."
    if t.leaks.empty:
        return NOTHING
    rows = {
        name: {"AUC alone": _within(r, "auc"), "flagged": r["why"] if r["flagged"] else ""}
        for name, r in t.leaks.head(n).iterrows()
    }
    return pd.DataFrame(rows).T


def acted(t: Training) -> pd.DataFrame:
    "What each way to act earned."
    rows = {}
    for way, r in t.acted.iterrows():
        known = math.isfinite(r["expectancy_r"])
        rows[way] = {
            "setups": f"{r['setups_n']:,.0f}", "live": f"{r['live_n']:,.0f}", "trades": f"{r['trades_n']:,.0f}",
            "won, %": f"{r['win_rate_pct']:.0f}" if known else "none",
            "R per trade": f"{r['expectancy_r']:+.2f} ({r['low']:+.2f} … {r['high']:+.2f})" if known else "none",
            "R in all": f"{r['total_r']:+.1f}", "costs per trade, R": f"{r['costs_r']:.2f}",
        }  # fmt: skip
    return pd.DataFrame(rows).T if rows else NOTHING


def versions(t: Training):  # a styled table
    "Every registered version of this model."
    from smcdesk.modelling import registry

    table = registry.versions()
    table = table[table["name"] == t.name][["version", "alias", "kind", "rows", "reason"]]
    return (table if len(table) else NOTHING).style.hide()


def summary(t: Training, symbol: str) -> dict[str, Any]:
    "The report in one row."
    told = {"symbol": symbol, "model": t.name, "promoted": bool(t.decision.get("promote")), "sentence": t.sentence}
    selected = t.figures.loc["selected"] if "selected" in t.figures.index else {}
    return told | {k: float(selected[k]) for k in ("n", "auc", "skill", "log_loss") if k in selected}
