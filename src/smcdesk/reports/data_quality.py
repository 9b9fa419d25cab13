"""The data quality report: how complete, how late and how trustworthy the stored candles of each series are."""

from __future__ import annotations

from typing import Any

import pandas as pd

from smcdesk.marketdata.quality import WEEKS_BACK, cross_check, inspect
from smcdesk.reports.period import Period, calendar_state, load_period, period_parameters, series_table
from smcdesk.reports.text import NOTHING, counts_of
from smclab import candles
from smclab.candles import BadBars


def load(
    env: str = "paper",
    *,
    days: int = 7,
    **options: Any,  # of `load_period`
) -> Period:
    "The days before a time."
    return load_period(env, days=days, **options)


def resolved(report: Period) -> pd.DataFrame:
    "What the parameters were resolved to."
    return period_parameters(report)


def verdict(report: Period) -> str:
    "How many series are ok, degraded, bad or empty."
    table = data(report)
    return f"Series: {len(table):,}, of them {counts_of(table['verdict'])}."


def data(report: Period) -> pd.DataFrame:
    "Every series: its candles, how late it is, its verdicts, missing bars and revised candles."
    return series_table(report)


def holes(report: Period, most: int = 20) -> pd.DataFrame:
    "The largest holes that the market's trading week does not explain."
    rows = []
    for symbol, config in report.workspace.configs.items():
        for tf in report.timeframes:
            bars = report.workspace.history.bars(report.workspace.provider_name, symbol, tf)
            if len(bars) < 2:
                continue
            gaps = inspect(bars, config.instrument, timeframe=tf).gaps
            rows += [{"symbol": symbol, "timeframe": tf, **g} for g in gaps.to_dict("records")]
    table = pd.DataFrame(rows)
    return table.sort_values("missing_bars", ascending=False).head(most) if len(table) else NOTHING


def jumps(report: Period, most: int = 20) -> pd.DataFrame:
    "The newest prices that cannot be, in all candles of each series: both neighbours' prices, the nearest explanation."
    rows = []
    for symbol in report.workspace.configs:
        for tf in report.timeframes:
            found = candles.jumps(
                report.workspace.history.bars(report.workspace.provider_name, symbol, tf), timeframe=tf
            )
            found = found.drop(columns=["seen"]).rename_axis("time").reset_index()
            rows += [{"symbol": symbol, "timeframe": tf, **row} for row in found.to_dict("records")]
    return pd.DataFrame(rows).sort_values("time", ascending=False).head(most) if rows else NOTHING


def second_sources(report: Period) -> pd.DataFrame:
    "Every other source whose candles are stored, bar against bar, over the weeks the verdict looks back on."
    history, own = report.workspace.history, report.workspace.provider_name
    since, rows = report.since - pd.Timedelta(weeks=WEEKS_BACK), []
    for other, symbol, tf in history.series():
        if other == own or symbol not in report.workspace.configs or tf not in report.timeframes:
            continue
        both = [history.bars(name, symbol, tf, since) for name in (own, other)]
        row = {"symbol": symbol, "timeframe": tf, "first": own, "second": other}
        try:
            found = cross_check(*both, report.workspace.configs[symbol].instrument, timeframe=tf)
        except BadBars as error:
            rows.append(row | {"verdict": "no data", "result": str(error)})
        else:
            rows.append(row | {"verdict": found.verdict, "result": found.sentence})
    return pd.DataFrame(rows) if rows else NOTHING


def revisions(report: Period, most: int = 20) -> pd.DataFrame:
    "The newest candles that a provider later delivered with other values."
    parts = []
    for symbol in report.workspace.configs:
        for tf in report.timeframes:
            found = report.workspace.history.revisions(report.workspace.provider_name, symbol, tf)
            parts += [found.assign(symbol=symbol, timeframe=tf)] if len(found) else []
    if not parts:
        return NOTHING
    table = pd.concat(parts).sort_values("seen_at", ascending=False).head(most)
    return table[["symbol", "timeframe", *(c for c in table.columns if c not in ("symbol", "timeframe"))]]


def calendar(report: Period) -> str:
    "How old the economic calendar is, and how far ahead it reaches."
    return calendar_state(report)


def summary(report: Period) -> dict[str, Any]:
    "The row stored with the report."
    table = data(report)
    counts = {
        f"{word.replace(' ', '_')}_n": int((table["verdict"] == word).sum())
        for word in ("ok", "degraded", "bad", "no data")
    }
    return {"env": report.env, "series_n": len(table), **counts, "sentence": verdict(report)}
