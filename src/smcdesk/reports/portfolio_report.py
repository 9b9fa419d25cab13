"""The portfolio report: several symbols replayed on one account, as a whole and by symbol, and refused entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from smcdesk.datasets.catalog import load_catalog
from smcdesk.pipelines.portfolio import NAME
from smcdesk.project import logs, paths
from smcdesk.reports import replay_report
from smcdesk.reports.report import figures
from smcdesk.reports.text import parameter_table, with_interval
from smclab.candles import BadConfig
from smclab.reasons import REASONS

SHOWN = ("trades_n", "win_rate_pct", "expectancy_r", "profit_factor", "costs", "costs_r", "pnl")


@dataclass(frozen=True)
class PortfolioReport:
    "Results of the last replay of all symbols on one account."

    env: str
    scorecard: pd.DataFrame
    by_symbol: pd.DataFrame
    refused: pd.DataFrame
    equity: pd.DataFrame
    trades: pd.DataFrame


def load(env: str) -> PortfolioReport:
    "The last portfolio replay from the catalog."
    logs.quiet_libraries()
    if not (paths.root() / "data/07_model_output" / NAME / "equity.parquet").exists():
        raise BadConfig(f"no portfolio was replayed yet: run smcdesk portfolio --env {env}")
    catalog = load_catalog(env)
    names = ("scorecard", "by_symbol", "refused", "equity", "trades")
    return PortfolioReport(env, **{name: catalog.load(f"{NAME}.{name}") for name in names})


def resolved(report: PortfolioReport) -> pd.DataFrame:
    "What the parameters were resolved to."
    times = report.equity.index
    rows = {
        "environment": report.env, "symbols": ", ".join(report.by_symbol.index), "instants": f"{len(times):,}",
        "first (UTC)": f"{times[0]:%Y-%m-%d %H:%M}", "last (UTC)": f"{times[-1]:%Y-%m-%d %H:%M}",
    }  # fmt: skip
    return parameter_table(rows)


def verdict(report: PortfolioReport) -> str:
    "Result per trade with its interval, and how many entries the portfolio refused."
    refused, entries = int(report.by_symbol["refused_n"].sum()), int(report.by_symbol["entries_n"].sum())
    return f"{replay_report.trades(report.scorecard)} The portfolio refused {refused:,} of {entries:,} entries."


def whole(report: PortfolioReport) -> pd.DataFrame:
    "The scorecard of the account: each figure with its interval, sample size and unit."
    rows = report.scorecard[report.scorecard["value"].notna()]
    values = [with_interval(r["value"], r["low"], r["high"]) for r in rows.to_dict("records")]
    table = {"value": values, "n": [f"{n:,}" for n in rows["n"]], "unit": rows["unit"]}
    return pd.DataFrame(table, index=rows.index.rename(None))


def symbols(report: PortfolioReport) -> pd.DataFrame:
    "Entries, refusals and figures of each symbol, with intervals."
    rows = report.by_symbol
    shown = {"entries": [f"{n:,}" for n in rows["entries_n"]], "refused": [f"{n:,}" for n in rows["refused_n"]]}
    for name in SHOWN:
        low, high = (rows.get(f"{name}_{end}", pd.Series(float("nan"), rows.index)) for end in ("low", "high"))
        parts = zip(rows[name], low, high, strict=True)
        shown[name] = [
            f"{v:,}" if name == "trades_n" and pd.notna(v) else with_interval(v, low, high) for v, low, high in parts
        ]
    return pd.DataFrame(shown, index=rows.index.rename(None))


def refusals(report: PortfolioReport) -> pd.DataFrame:
    "Each reason an entry was refused by symbol, with its meaning."
    if report.refused.empty:
        return pd.DataFrame({"": ["n = 0"]}, index=["nothing was refused"])
    return (
        report.refused.assign(meaning=[REASONS[reason].text for reason in report.refused["reason"]])
        .set_index("symbol")
        .rename_axis(None)
    )


def summary(report: PortfolioReport) -> dict[str, Any]:
    "The row stored with the report."
    value = report.scorecard["value"]
    own = figures(value, ("expectancy_r", "total_return_pct"))
    counts = {"trades_n": int(value["trades_n"]), "refused_n": int(report.by_symbol["refused_n"].sum())}
    return {"env": report.env, "symbols": list(report.by_symbol.index), **counts, **own, "sentence": verdict(report)}
