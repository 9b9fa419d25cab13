"""What a policy let through and refused, as the rollout report shows it: sentences and tables of a `Rollout`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from smcdesk.research import rollout
from smcdesk.research.rollout import Rollout, next_step, outcome_counts, reasons, rollout_stages
from smcdesk.store.models import OUTCOME_CLASSES

_NB = "\u00a0"  # a figure and its unit stay on one line

load = rollout.load


def resolved(report: Rollout) -> pd.DataFrame:
    "What the parameters were resolved to."
    frozen, times, names = (
        report.baseline,
        report.labels["time"],
        ", ".join(sorted(report.labels["instrument"].unique())),
    )
    rows = {
        "environment": report.env, "store": report.store, "policy": report.policy_hash,
        "setups": f"{len(report.labels):,}", "instruments": names or "none", "first setup (UTC)": _day(times.min()),
        "last setup (UTC)": _day(times.max()),
        "baseline": f"{frozen['name']}, policy {frozen['policy_hash']}" if frozen else "none",
    }  # fmt: skip
    return pd.DataFrame({"": rows})


def verdict(report: Rollout) -> str:
    "The rollout in one paragraph."
    n, table = len(report.labels), outcome_counts(report.labels)
    if n == 0:
        others = ", ".join(f"{k} ({v:,})" for k, v in report.policies.items())
        return (
            f"No setup was evaluated by policy {report.policy_hash}: n = 0. Policies in the store: {others or 'none'}."
        )
    live, top = table.loc["live"], reasons(report.labels)
    shadow, none = (int(table.loc[word, "n"]) for word in ("shadow", "none"))
    why = f" The most frequent reason to refuse is {top['gate'][0]} ({top['n'][0]:,})." if len(top) else ""
    return (
        f"{n:,} setups: {int(live['n']):,} live ({_pct(live, 'share')} of all), {shadow:,} shadow, {none:,} neither."
        f"{why} {next_step(rollout_stages(report.labels, report.min_confidence))}"
    )


def summary(report: Rollout) -> dict[str, Any]:
    "The row stored with the report."
    table = outcome_counts(report.labels)
    counts = {f"{word}_n": int(table.loc[word, "n"]) for word in OUTCOME_CLASSES}
    r = {f"{word}_mean_r": _finite(float(table.loc[word, "r_mean"])) for word in ("live", "shadow")}
    return {
        "env": report.env, "policy_hash": report.policy_hash, "setups_n": len(report.labels), **counts, **r,
        "baseline": report.baseline["name"] if report.baseline else None, "sentence": verdict(report),
    }  # fmt: skip


def planless(labels: pd.DataFrame) -> str:
    "How many setups have no plan, so that their outcome cannot be known."
    bare = labels[labels["entry_price"].isna()]
    if bare.empty:
        return "Every setup has a plan, so that what became of it can be told."
    evidence = [{v["gate"]: v["evidence"] for v in verdicts} for verdicts in bare["verdicts"]]
    stopless = sum(e.get("stop_cap", {}).get("stop_distance_price") is None for e in evidence)
    n, aimless = len(labels), len(bare) - stopless
    return (
        f"{len(bare):,} of {n:,} setups have no plan ({stopless:,} no stop, {aimless:,} no opposing pool as a target): "
        "they are neither live nor shadow, and have no result."
    )


def against(report: Rollout) -> str:
    "The baseline the figures are compared with."
    b = report.baseline
    if b is None:
        return "No baseline was asked for: freeze one by `smcdesk store baseline NAME`, then give `-p baseline NAME`."
    whose = "the same policy" if b["policy_hash"] == report.policy_hash else f"policy {b['policy_hash']}"
    moment = pd.Timestamp(b["time"], tz="UTC")
    note = f" {b['note']}" if b["note"] else ""
    n, as_of = b["figures"]["n"], f"{moment:%Y-%m-%d %H:%M}"
    return f"Baseline **{b['name']}**: {n:,} setups by {whose}, as known by {as_of} UTC.{note}"


def _day(moment: pd.Timestamp) -> str:
    "A day, or that there is none."
    return "none" if moment is pd.NaT else f"{moment:%Y-%m-%d}"


def _finite(x: float) -> float | None:
    "A number as JSON stores it: None where it is not a number."
    return x if math.isfinite(x) else None


def _pct(row: Mapping[str, float], what: str) -> str:
    "A share with its interval."
    value, low, high = (row[f"{what}_{k}"] for k in ("pct", "low", "high"))
    return "n = 0" if math.isnan(value) else f"{value:.1f}{_NB}% ({low:.1f}{_NB}…{_NB}{high:.1f})"


def _r(row: Mapping[str, float]) -> str:
    "A mean result with its interval."
    if math.isnan(row["r_mean"]):
        return "n = 0"
    around = "" if math.isnan(row["r_low"]) else f" ({row['r_low']:+.2f}{_NB}…{_NB}{row['r_high']:+.2f})"
    return f"{row['r_mean']:+.2f}{_NB}R{around}"


def shown(table: pd.DataFrame) -> pd.DataFrame:
    "A table of the rollout for reading: rounded, with intervals, and `n = 0` where there is nothing."
    if table.empty:
        return pd.DataFrame({"": ["n = 0"]}, index=["none"])
    out = {}
    for name in table.columns:
        stem, _, part = name.rpartition("_")
        if part in ("low", "high"):
            continue
        if part == "n" or name == "n":
            out[stem.replace("_", " ") or "n"] = [f"{int(v):,}" for v in table[name]]
        elif part == "pct":
            out[f"{stem}, % (95 %)"] = [_pct(row, stem) for row in table.to_dict("records")]
        elif part == "mean":
            out["result per setup (95 %)"] = [_r(row) for row in table.to_dict("records")]
        else:
            out[name] = list(table[name])
    return pd.DataFrame(out, index=table.index)


def shown_change(table: pd.DataFrame) -> pd.DataFrame:
    "A comparison with the baseline, rounded for reading."

    def number(x: float, sign: str = "") -> str:
        return "none" if math.isnan(x) else f"{x:{sign}.2f}"

    return pd.DataFrame({
        "baseline": [number(x) for x in table["then"]], "its n": [f"{n:,}" for n in table["then_n"]],
        "now": [number(x) for x in table["now"]], "n": [f"{n:,}" for n in table["now_n"]],
        "change": [number(x, "+") for x in table["change"]],
        "remark": np.where(table["apart"], "the 95 % intervals are apart", ""),
    }, index=table["figure"].rename(None))  # fmt: skip
