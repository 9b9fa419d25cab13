"""A day and a week at the desk: what was told, what became of it, what it earned, and what to look after."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from smcdesk.marketdata.quality import WEEKS_BACK, cross_check, inspect
from smcdesk.marketdata.quality import verdict as verdict_of
from smcdesk.research import rollout
from smcdesk.scanning.outcomes import fill_outcomes
from smcdesk.scanning.paper_ledger import paper_trades
from smcdesk.scanning.parity_review import ParityReview, review
from smcdesk.scanning.workspace import Workspace, open_workspace, slot_time, split_words
from smcdesk.schedule import timetable
from smcdesk.schedule.slot_log import SlotLog
from smclab.candles import BadBars, BadConfig, timeframe_ns
from smclab.news import NewsCalendar

NOTHING = pd.DataFrame({"": ["nothing"]})
AHEAD = pd.Timedelta(hours=48)  # how far the digest looks for news
_H = pd.Timedelta(hours=1)


@dataclass(frozen=True)
class Period:
    "A stretch of the desk's time, with everything its reports are made of."

    env: str
    workspace: Workspace
    timeframes: tuple[str, ...]
    since: pd.Timestamp  # UTC
    until: pd.Timestamp  # UTC, no longer in it
    now: pd.Timestamp  # UTC, by the clock
    signals: pd.DataFrame  # told in it
    outcomes: pd.DataFrame  # labels whose outcome became known in it
    trades: pd.DataFrame  # paper trades that ended in it
    slots: list[dict[str, Any]]  # of the timetable
    lines: timetable.Timetable


def load(
    env: str = "paper",
    *,
    days: int,  # how many days back from `until`
    until: str = "",  # a moment with its zone; "": the slot's, else now; floored to the hour
    symbols: str = "",
    timeframes: str = "1h",
    provider: str = "files",
    slot: str = "",
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Period:
    "The days before a moment; outcomes that are known by now are filled first."
    now = pd.Timestamp(clock())
    end = _moment(until) if until else (slot_time(slot) or now)
    end = end.floor(_H)
    since, tfs = end - pd.Timedelta(days=days), tuple(split_words(timeframes))
    workspace = open_workspace(env, provider=provider, symbols=split_words(symbols), clock=clock, offline=True)
    return span(workspace, env, tfs, since, end)


def span(
    workspace: Workspace, env: str, timeframes: tuple[str, ...], since: pd.Timestamp, until: pd.Timestamp
) -> Period:
    "A stretch of a desk's time."
    names, own = list(workspace.configs), {"policy_hash": workspace.policy_hash}
    fill_outcomes(workspace, names, timeframes)
    labels = workspace.store.labels(**own, instrument=names)
    known = labels["outcome_known_at"] + _steps(labels["timeframe"])
    trades = [t for s in names for tf in timeframes if (t := paper_trades(workspace, env, s, tf)) is not None]
    trades = pd.concat(trades) if trades else pd.DataFrame({"exit_time": pd.DatetimeIndex([], tz="UTC")})
    signals = workspace.store.signals(**own, instrument=names, since=since - pd.Timedelta(days=8), until=until)
    told = signals["time"] + _steps(signals["timeframe"])
    entries, lines = SlotLog(workspace.store).entries(), timetable.load(env)
    return Period(
        env, workspace, timeframes, since, until, pd.Timestamp(workspace.clock()),
        signals[(told >= since) & (told < until)], labels[(known >= since) & (known < until)],
        trades[(trades["exit_time"] >= since) & (trades["exit_time"] < until)],
        [e for e in entries if since <= pd.Timestamp(e["time"]) < until], lines,
    )  # fmt: skip


def _steps(timeframes: pd.Series) -> pd.Series:
    "The length of each row's candle."
    return pd.to_timedelta([timeframe_ns(tf) for tf in timeframes], unit="ns").to_series(index=timeframes.index)


def _moment(said: str) -> pd.Timestamp:
    "A moment with its zone."
    moment = pd.Timestamp(said)
    if moment.tzinfo is None:
        raise BadConfig(f"until must carry its zone, such as 2024-03-08T22:00:00Z; found {said!r}")
    return moment.tz_convert("UTC")


# --- a day


def resolved(told: Period) -> pd.DataFrame:
    "What the parameters turned out to mean."
    rows = {
        "environment": told.env, "from (UTC)": f"{told.since:%Y-%m-%d %H:%M}",
        "until (UTC)": f"{told.until:%Y-%m-%d %H:%M}", "candles from": told.workspace.provider_name,
        "series": f"{len(told.workspace.configs) * len(told.timeframes):,}", "policy": told.workspace.policy_hash,
    }  # fmt: skip
    return pd.DataFrame({"": rows})


def verdict(told: Period) -> str:
    "The stretch in one line."
    new = told.signals[told.signals["status"] == "new"]
    n = new["outcome_class"].value_counts()
    closed = told.outcomes[told.outcomes["outcome"].isin(rollout.CLOSED)]
    r = f" ({closed['actual_rr'].sum():+.2f} R in all)" if len(closed) else ""
    money = f"{len(told.trades):,} paper trades ended" + (
        f" for {told.trades['pnl'].sum():+,.2f}" * bool(len(told.trades))
    )
    bad = sum(e["status"] == "failed" for e in told.slots)
    return (
        f"{len(new):,} signals ({int(n.get('live', 0)):,} live, {int(n.get('shadow', 0)):,} shadow); "
        f"{len(told.outcomes):,} outcomes became known{r}; {money}; {bad:,} failed runs."
    )


def signals(told: Period) -> pd.DataFrame:
    "What was told."
    s = told.signals
    if not len(s):
        return NOTHING
    price = {k: s[f"{k}_price"].map("{:.10g}".format) for k in ("entry", "stop", "target")}
    shown = {
        "symbol": s["instrument"] + " " + s["timeframe"], "bar (UTC)": s["time"].dt.strftime("%m-%d %H:%M"),
        "side": s["side"].map({1: "long", -1: "short"}), "class": s["outcome_class"], "grade": s["grade"].fillna(""),
        "status": s["status"], **price, "until (UTC)": s["expires_at"].dt.strftime("%m-%d %H:%M"), "WHY": s["reason"],
    }  # fmt: skip
    return pd.DataFrame(shown)


def outcomes(told: Period) -> pd.DataFrame:
    "What became of setups, whoever let them through."
    s = told.outcomes
    if not len(s):
        return NOTHING
    shown = {
        "symbol": s["instrument"] + " " + s["timeframe"], "set up (UTC)": s["time"].dt.strftime("%m-%d %H:%M"),
        "side": s["side"].map({1: "long", -1: "short"}), "class": s["outcome_class"], "grade": s["grade"].fillna(""),
        "outcome": s["outcome"].str.replace("_", " "), "R": s["actual_rr"].map(lambda r: f"{r:+.2f}" if r == r else ""),
        "known (UTC)": s["outcome_known_at"].dt.strftime("%m-%d %H:%M"),
    }  # fmt: skip
    return pd.DataFrame(shown)


def trades(told: Period) -> pd.DataFrame:
    "What the live decisions earned on paper."
    t = told.trades
    if not len(t):
        return NOTHING
    shown = {
        "symbol": t["symbol"] + " " + t["timeframe"], "in (UTC)": t["entry_time"].dt.strftime("%m-%d %H:%M"),
        "out (UTC)": t["exit_time"].dt.strftime("%m-%d %H:%M"), "side": t["side"].map({1: "long", -1: "short"}),
        "entry": t["entry_price"].map("{:.10g}".format), "exit": t["exit_price"].map("{:.10g}".format),
        "why out": t["exit_reason"].str.replace("_", " "), "R": t["r_multiple"].map("{:+.2f}".format),
        "profit": t["pnl"].map("{:+,.2f}".format),
    }  # fmt: skip
    return pd.DataFrame(shown)


def data(told: Period) -> pd.DataFrame:
    "Every series: how old, how good by the decisions' own verdict and by inspection, and what the provider took back."
    rows = [_series(told, s, tf) for s in told.workspace.configs for tf in told.timeframes]
    return pd.DataFrame(rows)


def _series(told: Period, symbol: str, timeframe: str) -> dict[str, Any]:
    "One series' row."
    history, name = told.workspace.history, told.workspace.provider_name
    bars = history.bars(name, symbol, timeframe)
    if not len(bars):
        return {"symbol": symbol, "timeframe": timeframe, "candles": "none", "verdict": "no data"}
    step, instrument = pd.Timedelta(timeframe_ns(timeframe), "ns"), told.workspace.configs[symbol].instrument
    revised = history.revisions(name, symbol, timeframe)
    found, moment = None, min(told.now, told.until)
    recent = bars[bars.index >= told.since - pd.Timedelta(weeks=WEEKS_BACK)]
    if len(recent) > 1:
        found = inspect(recent, instrument, timeframe=timeframe, now=moment)
    new = bars[(bars.index >= told.since) & (bars.index < told.until)]
    return {
        "symbol": symbol, "timeframe": timeframe, "candles": f"{len(new):,} of {len(bars):,}",
        "last (UTC)": f"{bars.index[-1]:%Y-%m-%d %H:%M}",
        "bars late": f"{max((moment - bars.index[-1]) / step - 1, 0):,.1f}",
        "verdict": verdict_of(bars, instrument, timeframe),
        "inspected": found.verdict if found else "", "holes": int(found.gaps["missing_bars"].sum()) if found else "",
        "revised": f"{int((revised['seen_at'] >= told.since).sum()):,}" if len(revised) else "0",
        "why": "; ".join(found.reasons) if found else "",
    }  # fmt: skip


def news(told: Period) -> pd.DataFrame:
    "High-impact events ahead, for the currencies of the watch-list."
    book: NewsCalendar | None = told.workspace.calendar.news
    wanted = {c for w in told.workspace.configs.values() for c in w.instrument.news_currencies} | {"ALL"}
    rows = [
        {"when (UTC)": f"{pd.Timestamp(t, tz='UTC'):%a %Y-%m-%d %H:%M}", "currency": c, "event": title}
        for t, c, title in (zip(book.times, book.currencies, book.titles, strict=True) if book else ())
        if told.until.value <= t < (told.until + AHEAD).value and c in wanted
    ]
    return pd.DataFrame(rows) if rows else NOTHING


def calendar(told: Period) -> str:
    "Whether the calendar can be believed."
    book: NewsCalendar | None = told.workspace.calendar.news
    if book is None:
        return "There is no news calendar (conf's `news.path`): the news gate refuses wherever it is asked."
    age = (told.now.value - book.fetched_at_ns) / 3.6e12
    reach = pd.Timestamp(book.covered_until_ns, tz="UTC")
    return f"The calendar was fetched {age:,.0f} h ago and reaches to {reach:%Y-%m-%d %H:%M} UTC."


def runs(told: Period) -> pd.DataFrame:
    "The timetable's turns that did not simply run."
    rows = [
        {"line": e["job"], "slot (UTC)": f"{e['time']:%m-%d %H:%M}", "status": e["status"], "tries": e["tries"],
         "why": e["reason"]}
        for e in told.slots
        if e["status"] != "ok" or e["reason"]
    ]  # fmt: skip
    return pd.DataFrame(rows) if rows else NOTHING


def slots(told: Period) -> str:
    "The timetable in one line."
    n = pd.Series([e["status"] for e in told.slots], dtype="str").value_counts()
    if not len(n):
        return "The timetable had no turn."
    return f"{len(told.slots):,} turns: " + ", ".join(f"{k:,} {word}" for word, k in n.items()) + "."


def summary(told: Period) -> dict[str, Any]:
    "The report in one row."
    new = told.signals[told.signals["status"] == "new"]
    return {
        "env": told.env, "since": told.since.isoformat(), "until": told.until.isoformat(),
        "policy_hash": told.workspace.policy_hash, "signals_n": len(new), "outcomes_n": len(told.outcomes),
        "trades_n": len(told.trades), "pnl": float(told.trades["pnl"].sum()) if len(told.trades) else 0.0,
        "failed_n": sum(e["status"] == "failed" for e in told.slots), "sentence": verdict(told),
    }  # fmt: skip


def send(told: Period, really: bool) -> str:  # what was done
    "Put the digest into the outbox; one that stands there already stays as it is."
    from smcdesk.notifications import messages
    from smcdesk.notifications.outbox import enqueue
    from smcdesk.store import Contradiction

    if not really:
        return "Nothing was put into the outbox (`send` is off)."

    def lines(table: pd.DataFrame) -> list[str]:
        return [] if table is NOTHING else ["  ".join(map(str, row)) for row in table.itertuples(index=False)]

    sections = {
        "signals": lines(signals(told)), "outcomes": lines(outcomes(told)), "paper trades": lines(trades(told)),
        "data": lines(data(told)), "news ahead": [*lines(news(told)), calendar(told)],
        "timetable": [slots(told), *lines(runs(told))],
    }  # fmt: skip
    said = messages.digest_message(
        f"{told.until:%Y-%m-%d %H:%M} UTC", sections, told.until.value, summary=verdict(told)
    )
    try:
        new = enqueue(told.workspace.store, **said)
    except Contradiction:
        new = False
    return "The digest was put into the outbox." if new else "The digest stands in the outbox already."


# --- a week


@dataclass(frozen=True)
class WeeklyReview:
    "A stretch with its rollout figures, and its decisions made again."

    span: Period
    rollout: rollout.Rollout
    review: ParityReview
    missed: pd.DataFrame  # turns of the timetable that neither ran nor say why


def week(told: Period) -> WeeklyReview:
    "What a week's review shows."
    whole = rollout.load(told.env, policy=told.workspace.policy_hash)
    labels = whole.labels
    labels = labels[(labels["time"] >= told.since) & (labels["time"] < told.until)].reset_index(drop=True)
    again = review(told.workspace, told.since.value, told.until.value)
    return WeeklyReview(told, dataclasses.replace(whole, labels=labels), again, missed(told))


def missed(told: Period) -> pd.DataFrame:  # line, slot
    "Turns since the timetable began of which the book says nothing."
    entries = SlotLog(told.workspace.store).entries()
    rows = []
    for name, job in told.lines.jobs.items():
        there = {e["time"] for e in entries if e["job"] == name}
        if not there or not job.enabled:
            continue
        first, end = max(min(there), told.since.to_pydatetime()), min(told.until, told.now).to_pydatetime()
        due = timetable.slots_between(name, job, first, end)
        rows += [{"line": name, "slot": s.time} for s in due if s.time not in there]
    return pd.DataFrame(rows, columns=["line", "slot"])


def week_verdict(told: WeeklyReview) -> str:
    "The week in one line."
    lost = f" {len(told.missed):,} turns of the timetable are unexplained." if len(told.missed) else ""
    return f"{told.review.sentence} {verdict(told.span)}{lost}"


def defects(told: WeeklyReview) -> pd.DataFrame:
    "Where live and replay differ."
    found = told.review.defects
    return found if len(found) else NOTHING


def late(told: WeeklyReview) -> pd.DataFrame:
    "Candles nobody could have decided in time."
    found = told.review.late_bars
    return found if len(found) else NOTHING


def week_summary(told: WeeklyReview) -> dict[str, Any]:
    "The report in one row."
    own = summary(told.span)
    return own | {
        "looks_n": told.review.bars_n, "decisions_n": told.review.decisions_n, "defects_n": len(told.review.defects),
        "late_n": len(told.review.late_bars), "missed_n": len(told.missed), "sentence": week_verdict(told),
    }  # fmt: skip


# --- the data


def data_verdict(told: Period) -> str:
    "The data in one line."
    table = data(told)
    n = table["verdict"].value_counts()
    return f"Series: {len(table):,}, of them " + ", ".join(f"{k:,} {word}" for word, k in n.items()) + "."


def holes(told: Period, most: int = 20) -> pd.DataFrame:
    "The largest holes of the stretch that the market's week does not explain."
    rows = []
    for symbol, world in told.workspace.configs.items():
        for tf in told.timeframes:
            bars = told.workspace.history.bars(told.workspace.provider_name, symbol, tf)
            if len(bars) < 2:
                continue
            gaps = inspect(bars, world.instrument, timeframe=tf).gaps
            rows += [{"symbol": symbol, "timeframe": tf, **g} for g in gaps.to_dict("records")]
    table = pd.DataFrame(rows)
    return table.sort_values("missing_bars", ascending=False).head(most) if len(table) else NOTHING


def second_sources(told: Period) -> pd.DataFrame:
    "Every other source a market's candles are kept of, bar against bar, over the weeks the verdict looks back on."
    kept, own = told.workspace.history, told.workspace.provider_name
    since, rows = told.since - pd.Timedelta(weeks=WEEKS_BACK), []
    for other, symbol, tf in kept.series():
        if other == own or symbol not in told.workspace.configs or tf not in told.timeframes:
            continue
        both = [kept.bars(name, symbol, tf, since) for name in (own, other)]
        row = {"symbol": symbol, "timeframe": tf, "first": own, "second": other}
        try:
            found = cross_check(*both, told.workspace.configs[symbol].instrument, timeframe=tf)
        except BadBars as error:
            rows.append(row | {"verdict": "no data", "result": str(error)})
        else:
            rows.append(row | {"verdict": found.verdict, "result": found.sentence})
    return pd.DataFrame(rows) if rows else NOTHING


def revisions(told: Period, most: int = 20) -> pd.DataFrame:
    "The newest candles a provider told otherwise later."
    parts = []
    for symbol in told.workspace.configs:
        for tf in told.timeframes:
            found = told.workspace.history.revisions(told.workspace.provider_name, symbol, tf)
            parts += [found.assign(symbol=symbol, timeframe=tf)] if len(found) else []
    if not parts:
        return NOTHING
    table = pd.concat(parts).sort_values("seen_at", ascending=False).head(most)
    return table[["symbol", "timeframe", *(c for c in table.columns if c not in ("symbol", "timeframe"))]]


def data_summary(told: Period) -> dict[str, Any]:
    "The report in one row."
    table = data(told)
    n = {f"{word}_n": int((table["verdict"] == word).sum()) for word in ("ok", "degraded", "bad", "no data")}
    return {"env": told.env, "series_n": len(table), **{k.replace(" ", "_"): v for k, v in n.items()},
            "sentence": data_verdict(told)}  # fmt: skip
