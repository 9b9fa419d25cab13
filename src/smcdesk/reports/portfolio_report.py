"""One purse for many symbols: what a shared replay came to, whole, by symbol, and what the portfolio refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from smcdesk.datasets.catalog import load_catalog
from smcdesk.pipelines.portfolio import NAME
from smcdesk.project import logs, paths
from smcdesk.reports import replay_report
from smclab.candles import BadConfig
from smclab.risk import REASONS

SHOWN = ("trades_n", "win_rate_pct", "expectancy_r", "profit_factor", "costs", "costs_r", "pnl")


# The report


@dataclass(frozen=True)
class PortfolioReport:
    "What the last shared replay left."

    env: str
    scorecard: pd.DataFrame
    by_symbol: pd.DataFrame
    refused: pd.DataFrame
    equity: pd.DataFrame
    trades: pd.DataFrame


def load(env: str) -> PortfolioReport:
    "The purse from the catalog."
    logs.quiet_libraries()
    if not (paths.root() / "data/07_model_output" / NAME / "equity.parquet").exists():
        raise BadConfig(f"nothing was replayed out of one purse yet: run smcdesk portfolio --env {env}")
    catalog = load_catalog(env)
    names = ("scorecard", "by_symbol", "refused", "equity", "trades")
    return PortfolioReport(env, **{name: catalog.load(f"{NAME}.{name}") for name in names})


def resolved(report: PortfolioReport) -> pd.DataFrame:
    "What the parameters turned out to mean."
    clock = report.equity.index
    rows = {
        "environment": report.env, "symbols": ", ".join(report.by_symbol.index), "instants": f"{len(clock):,}",
        "first (UTC)": f"{clock[0]:%Y-%m-%d %H:%M}", "last (UTC)": f"{clock[-1]:%Y-%m-%d %H:%M}",
    }  # fmt: skip
    return pd.DataFrame({"": rows})


def verdict(report: PortfolioReport) -> str:
    "The purse in one paragraph."
    no, entries = int(report.by_symbol["refused_n"].sum()), int(report.by_symbol["entries_n"].sum())
    return f"{replay_report.trades(report.scorecard)} The portfolio refused {no:,} of {entries:,} entries."


def whole(report: PortfolioReport) -> pd.DataFrame:
    "The scorecard as a reader wants it."
    rows = report.scorecard[report.scorecard["value"].notna()]
    return pd.DataFrame({
        "value": [_shown(r) for r in rows.to_dict("records")], "n": [f"{n:,}" for n in rows["n"]], "unit": rows["unit"]
    }, index=rows.index.rename(None))  # fmt: skip


def _shown(row: dict[str, Any]) -> str:
    "A figure with its interval."
    return f"{row['value']:,.2f}" + ("" if pd.isna(row["low"]) else f" ({row['low']:,.2f} … {row['high']:,.2f})")


def symbols(report: PortfolioReport) -> pd.DataFrame:
    "Each symbol's part as a reader wants it."
    rows = report.by_symbol
    shown = {"entries": [f"{n:,}" for n in rows["entries_n"]], "refused": [f"{n:,}" for n in rows["refused_n"]]}
    for name in SHOWN:
        low, high = (rows.get(f"{name}_{end}", pd.Series(float("nan"), rows.index)) for end in ("low", "high"))
        parts = zip(rows[name], low, high, strict=True)
        shown[name] = [
            "none" if pd.isna(v) else f"{v:,}" if name == "trades_n" else _shown({"value": v, "low": a, "high": b})
            for v, a, b in parts
        ]
    return pd.DataFrame(shown, index=rows.index.rename(None))


def refusals(report: PortfolioReport) -> pd.DataFrame:
    "Refusals as a reader wants them."
    if report.refused.empty:
        return pd.DataFrame({"": ["n = 0"]}, index=["nothing was refused"])
    return report.refused.assign(meaning=report.refused["reason"].map(REASONS)).set_index("symbol").rename_axis(None)


def summary(report: PortfolioReport) -> dict[str, Any]:
    "The report in one row."
    value = report.scorecard["value"]
    figures = {k: None if pd.isna(value[k]) else float(value[k]) for k in ("expectancy_r", "total_return_pct")}
    counts = {"trades_n": int(value["trades_n"]), "refused_n": int(report.by_symbol["refused_n"].sum())}
    return {"env": report.env, "symbols": list(report.by_symbol.index), **counts, **figures, "sentence": verdict(report)}
