"""Some days of an environment, and the tables that daily digest, weekly review and data quality show of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from smcdesk.marketdata.findings import missing_since
from smcdesk.marketdata.quality import ENOUGH, VERDICTS, WEEKS_BACK, inspect
from smcdesk.marketdata.quality import verdict as decision_verdict
from smcdesk.project.dates import check_iso
from smcdesk.reports.text import NOTHING, SIDES, bar_time, counts_of, parameter_table, price
from smcdesk.research.rollout import CLOSED
from smcdesk.scanning.outcomes import fill_outcomes
from smcdesk.scanning.paper_ledger import paper_trades
from smcdesk.scanning.workspace import Workspace, open_workspace, slot_time, split_words
from smcdesk.schedule import timetable
from smcdesk.schedule.slot_log import SlotLog
from smclab.candles import BadConfig, timeframe_ns

_H = pd.Timedelta(hours=1)


@dataclass(frozen=True)
class Period:
    "Signals, outcomes, paper trades and slots of a few days, and the workspace they are read from."

    env: str
    workspace: Workspace
    timeframes: tuple[str, ...]
    since: pd.Timestamp  # UTC
    until: pd.Timestamp  # UTC, exclusive
    now: pd.Timestamp  # UTC, by the clock
    signals: pd.DataFrame  # of bars that closed in it
    outcomes: pd.DataFrame  # labels whose outcome became known in it
    trades: pd.DataFrame  # paper trades that ended in it
    slots: list[dict[str, Any]]  # of the timetable
    lines: timetable.Timetable


def load_period(
    env: str = "paper",
    *,
    days: int,  # how many days back from `until`
    until: str = "",  # a time with its zone; "": the slot's, else now; floored to the hour
    symbols: str = "",  # separated by commas; "": every symbol of conf
    timeframes: str = "1h",
    provider: str = "files",
    slot: str = "",
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Period:
    "The days before a time, from the store and the stored candles; outcomes known by now are filled first."
    now = pd.Timestamp(clock())
    end = _utc(until) if until else (slot_time(slot) or now)
    end = end.floor(_H)
    since, tfs = end - pd.Timedelta(days=days), tuple(split_words(timeframes))
    workspace = open_workspace(env, provider=provider, symbols=split_words(symbols), clock=clock, offline=True)
    return period_of(workspace, env, tfs, since, end)


def period_of(
    workspace: Workspace, env: str, timeframes: tuple[str, ...], since: pd.Timestamp, until: pd.Timestamp
) -> Period:
    "The days from since to until of an open workspace."
    names, own = list(workspace.configs), {"policy_hash": workspace.policy_hash}
    fill_outcomes(workspace, names, timeframes)
    labels = workspace.store.labels(**own, instrument=names)
    known_at = labels["outcome_known_at"] + _bar_lengths(labels["timeframe"])
    trades = [t for s in names for tf in timeframes if (t := paper_trades(workspace, env, s, tf)) is not None]
    trades = pd.concat(trades) if trades else pd.DataFrame({"exit_time": pd.DatetimeIndex([], tz="UTC")})
    signals = workspace.store.signals(**own, instrument=names, since=since - pd.Timedelta(days=8), until=until)
    closed_at = signals["time"] + _bar_lengths(signals["timeframe"])
    entries, lines = SlotLog(workspace.store).entries(), timetable.load(env)
    return Period(
        env, workspace, timeframes, since, until, pd.Timestamp(workspace.clock()),
        signals[(closed_at >= since) & (closed_at < until)], labels[(known_at >= since) & (known_at < until)],
        trades[(trades["exit_time"] >= since) & (trades["exit_time"] < until)],
        [e for e in entries if since <= pd.Timestamp(e["time"]) < until], lines,
    )  # fmt: skip


def _bar_lengths(timeframes: pd.Series) -> pd.Series:
    "The length of each row's candle."
    return pd.to_timedelta([timeframe_ns(tf) for tf in timeframes], unit="ns").to_series(index=timeframes.index)


def _utc(text: str) -> pd.Timestamp:
    "A time that carries its zone, in UTC."
    check_iso(text)
    time = pd.Timestamp(text)
    if time.tzinfo is None:
        raise BadConfig(f"until must carry its zone, such as 2024-03-08T22:00:00Z; found {text!r}")
    return time.tz_convert("UTC")


# Tables and sentences


def period_parameters(period: Period) -> pd.DataFrame:
    "What the parameters were resolved to."
    rows = {
        "environment": period.env, "from (UTC)": f"{period.since:%Y-%m-%d %H:%M}",
        "until (UTC)": f"{period.until:%Y-%m-%d %H:%M}", "candles from": period.workspace.provider_name,
        "series": f"{len(period.workspace.configs) * len(period.timeframes):,}",
        "policy": period.workspace.policy_hash,
    }  # fmt: skip
    return parameter_table(rows)


def activity(period: Period) -> str:
    "Signals, outcomes, paper trades and failed runs in one sentence."
    new = period.signals[period.signals["status"] == "new"]
    n = new["outcome_class"].value_counts()
    closed = period.outcomes[period.outcomes["outcome"].isin(CLOSED)]
    total_r = f" ({closed['actual_rr'].sum():+.2f} R in all)" if len(closed) else ""
    profit = f" for {period.trades['pnl'].sum():+,.2f}" if len(period.trades) else ""
    return (
        f"{len(new):,} signals ({int(n.get('live', 0)):,} live, {int(n.get('shadow', 0)):,} shadow); "
        f"{len(period.outcomes):,} outcomes became known{total_r}; "
        f"{len(period.trades):,} paper trades ended{profit}; {_failed_n(period):,} failed runs."
    )


def activity_figures(period: Period) -> dict[str, Any]:
    "The period's part of a summary row, without its sentence."
    new = period.signals[period.signals["status"] == "new"]
    return {
        "env": period.env, "since": period.since.isoformat(), "until": period.until.isoformat(),
        "policy_hash": period.workspace.policy_hash, "signals_n": len(new), "outcomes_n": len(period.outcomes),
        "trades_n": len(period.trades), "pnl": float(period.trades["pnl"].sum()) if len(period.trades) else 0.0,
        "failed_n": _failed_n(period),
    }  # fmt: skip


def _failed_n(period: Period) -> int:
    "Runs of the timetable that failed."
    return sum(e["status"] == "failed" for e in period.slots)


def trade_table(period: Period) -> pd.DataFrame:
    "Paper trades that ended in the period: entry, exit, exit reason, R and profit."
    t = period.trades
    if not len(t):
        return NOTHING
    shown = {
        "symbol": t["symbol"] + " " + t["timeframe"], "in (UTC)": bar_time(t["entry_time"]),
        "out (UTC)": bar_time(t["exit_time"]), "side": t["side"].map(SIDES), "entry": t["entry_price"].map(price),
        "exit": t["exit_price"].map(price), "why out": t["exit_reason"].str.replace("_", " "),
        "R": t["r_multiple"].map("{:+.2f}".format), "profit": t["pnl"].map("{:+,.2f}".format),
    }  # fmt: skip
    return pd.DataFrame(shown)


def slot_counts(period: Period) -> str:
    "How many runs were due, and how many of them ended in which status."
    if not period.slots:
        return "No run of the timetable was due."
    return f"{len(period.slots):,} slots: {counts_of(pd.Series([e['status'] for e in period.slots]))}."


def slot_problems(period: Period) -> pd.DataFrame:
    "Runs that failed, were missed or left a remark."
    rows = [
        {"line": e["job"], "slot (UTC)": f"{e['time']:%m-%d %H:%M}", "status": e["status"], "tries": e["tries"],
         "why": e["reason"]}
        for e in period.slots
        if e["status"] != "ok" or e["reason"]
    ]  # fmt: skip
    return pd.DataFrame(rows) if rows else NOTHING


def series_table(period: Period) -> pd.DataFrame:
    "Every series: its candles, how late it is, its verdicts (the worse of both first), missing bars, revised candles."
    rows = [_series(period, s, tf) for s in period.workspace.configs for tf in period.timeframes]
    return pd.DataFrame(rows)


def _series(period: Period, symbol: str, timeframe: str) -> dict[str, Any]:
    "One row of `series_table`."
    history, name = period.workspace.history, period.workspace.provider_name
    bars = history.bars(name, symbol, timeframe)
    if not len(bars):
        return {"symbol": symbol, "timeframe": timeframe, "candles": "none", "verdict": "no data"}
    instrument = period.workspace.configs[symbol].instrument
    revised = history.revisions(name, symbol, timeframe)
    now, since = min(period.now, period.until), period.since - pd.Timedelta(weeks=WEEKS_BACK)
    recent = bars.iloc[min(bars.index.searchsorted(since), max(len(bars) - ENOUGH, 0)) :]
    found = inspect(recent, instrument, timeframe=timeframe, now=now)
    by_bar = decision_verdict(bars, instrument, timeframe)
    new = bars[(bars.index >= period.since) & (bars.index < period.until)]
    return {
        "symbol": symbol, "timeframe": timeframe, "candles": f"{len(new):,} of {len(bars):,}",
        "last (UTC)": f"{bars.index[-1]:%Y-%m-%d %H:%M}",
        "bars late": f"{missing_since(bars.index[-1], now, instrument, timeframe):,}",
        "verdict": max(by_bar, found.verdict, key=VERDICTS.index), "for decisions": by_bar,
        "inspected": found.verdict, "holes": int(found.gaps["missing_bars"].sum()),
        "revised": f"{int((revised['seen_at'] >= period.since).sum()):,}" if len(revised) else "0",
        "why": "; ".join(found.reasons),
    }  # fmt: skip


def calendar_state(period: Period) -> str:
    "How old the economic calendar is, and how far ahead it reaches."
    news = period.workspace.calendar.news
    if news is None:
        return "There is no news calendar (conf's `news.path`): the news gate refuses wherever it is asked."
    age_h = (period.now.value - news.fetched_at_ns) / 3.6e12
    reach = pd.Timestamp(news.covered_until_ns, tz="UTC")
    return f"The calendar was fetched {age_h:,.0f} h ago and reaches to {reach:%Y-%m-%d %H:%M} UTC."
