"""The replay report: one symbol's candles, structure, decisions, orders, results and costs in sentences and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from smcdesk.datasets.catalog import load_catalog
from smcdesk.project import logs, paths
from smcdesk.project.config import load_config, unknown_symbol
from smcdesk.reports.report import figures
from smcdesk.reports.text import counted, parameter_table, r_multiple, scorecard_table, sentences, small_number
from smclab.candles import BadConfig, Quality, fingerprint
from smclab.execution import Costs
from smclab.reading import Reading
from smclab.reasons import REASONS
from smclab.replay import Ledger
from smclab.score_test import Result
from smclab.scorecard import positions

FEW = 30  # closed trades under which nothing is concluded


@dataclass(frozen=True)
class ReplayReport:
    "Results of the last replay of one symbol, from candles to scorecard."

    symbol: str
    env: str
    provenance: dict[str, Any]
    quality: Quality
    reading: Reading
    candidates: pd.DataFrame
    decisions: pd.DataFrame
    costs: Costs
    ledger: Ledger
    scorecard: pd.DataFrame
    honesty: pd.DataFrame
    ways_in: pd.DataFrame
    proof: str
    model: Result

    @property
    def bars(self) -> pd.DataFrame:
        "The bars that were read."
        return self.reading.bars


def replayed() -> list[str]:
    "The symbols that have a ledger."
    return sorted(p.parent.parent.name for p in (paths.root() / "data/07_model_output").glob("*/ledger/record.json"))


def check_symbol(symbol: str, env: str) -> None:
    "`BadConfig` with the nearest name for a symbol that is neither in conf nor was ever replayed."
    names = sorted({*load_config(env).parameters["symbols"], *replayed()})
    if symbol not in names:
        raise BadConfig(unknown_symbol(symbol, names))


def load(symbol: str, env: str) -> ReplayReport:
    "The last replay of a symbol from the catalog."
    if symbol not in replayed():
        raise BadConfig(f"nothing has been replayed for {symbol!r} yet: run smcdesk demo --symbol {symbol} --env {env}")
    logs.quiet_libraries()
    catalog = load_catalog(env)
    names = ("provenance", "quality", "reading", "candidates", "costs", "ledger", "scorecard", "honesty")
    names += ("model",)
    parts = {name: catalog.load(f"{symbol}.{name}") for name in names}
    parts |= {"ways_in": catalog.load(f"{symbol}.entry_mode_comparison")}
    parts |= {"proof": catalog.load(f"{symbol}.backtrader_check")}
    return ReplayReport(symbol, env, decisions=catalog.load(f"{symbol}.decision_log"), **parts)


def resolved(report: ReplayReport) -> pd.DataFrame:
    "What the parameters were resolved to."
    rows = {
        "symbol": report.symbol, "environment": report.env, "timeframe": report.reading.timeframe,
        "bars": f"{len(report.bars):,}", "first bar (UTC)": f"{report.bars.index[0]:%Y-%m-%d %H:%M}",
        "last bar (UTC)": f"{report.bars.index[-1]:%Y-%m-%d %H:%M}",
        "data fingerprint": fingerprint(report.bars), "ledger hash": report.ledger.hash()[:16],
        "reading configuration": report.reading.config.hash(),
    }  # fmt: skip
    return parameter_table(rows)


def verdict(report: ReplayReport) -> str:
    "What the closed trades prove: the mean result with its interval, and whether that is evidence of an edge."
    return trades(report.scorecard)


def trades(scorecard: pd.DataFrame) -> str:
    "The verdict on a scorecard's closed trades."
    row = scorecard.loc["expectancy_r"]
    n = int(scorecard.loc["trades_n", "value"])
    if n == 0:
        return "No trade was closed, so there is nothing to judge."
    text = f"This is {counted(n, 'closed trade')}, {r_multiple(row['value'])} per trade on average after costs"
    if not np.isfinite(row["low"]):
        return f"{text}. One trade has no interval, and proves nothing."
    text = f"{text}; the 95 % interval runs from {r_multiple(row['low'])} to {r_multiple(row['high'])}"
    if n < FEW:
        return f"{text}. Fewer than {FEW} trades say nothing either way."
    if row["low"] <= 0 <= row["high"]:
        return f"{text} and includes zero: no evidence of an edge after costs."
    if row["high"] < 0:
        return f"{text} and lies below zero: after costs this lost, and more than chance explains."
    return f"{text} and lies above zero. One tape, tuned on by eye, is a reason to test further, not a proof."


def data(report: ReplayReport) -> str:
    "Where the candles come from, their quality verdict, and what is missing, stale, flat, spiking or cannot be."
    q = report.quality
    missing = int(q.gaps["missing_bars"].sum())
    defects = [
        f"{counted(missing, 'bar')} missing in {counted(len(q.gaps), 'hole')}" if missing else "",
        counted(len(q.stale), "stale bar") if len(q.stale) else "",
        counted(len(q.flat), "bar") + " without range" if len(q.flat) else "",
        counted(len(q.spikes), "lonely spike") if len(q.spikes) else "",
        counted(len(q.jumps), "price") + " that cannot be" if len(q.jumps) else "",
    ]
    defects = ", ".join(x for x in defects if x) or "nothing missing, stale, flat or spiking"
    refusal = "" if q.verdict == "ok" else "Setups are refused where the 500 bars before them show it."
    why = "".join(f" {r}." for r in q.reasons)
    return sentences(*report.provenance["notes"], f"The data is **{q.verdict}**: {defects}.{why}", refusal)


def structure(report: ReplayReport) -> str:
    "Swings, breaks of structure, gaps, order blocks and liquidity of the tape, counted."
    own = report.reading.of()  # the candles' own timeframe, swings and breaks of the small scale
    own = own[(own["scale_bars"].isna() | (own["scale_bars"] == report.reading.config.structure.right))]
    kinds = own.groupby("family", observed=True)["kind"].value_counts()
    n = {key: int(v) for key, v in kinds.items() if v}

    def of(family: str, *names: str) -> int:
        return sum(n.get((family, name), 0) for name in names)

    born, blocks, sweeps = of("gap", "born"), of("order_block", "born"), of("pool", "swept", "reclaimed")
    breaks = of("structure", "bos", "choch")  # an MSS is a further row about its CHoCH
    share = (lambda kind: f"{100 * of('gap', kind) / born:.0f} %") if born else (lambda kind: "none")
    return sentences(
        f"{counted(of('swing', 'high', 'low'), 'swing')} and {counted(breaks, 'break')} of structure:",
        f"{of('structure', 'bos'):,} with the trend (BOS), {of('structure', 'choch'):,} against it",
        f"(CHoCH, {of('structure', 'mss'):,} of them with displacement).",
        f"{counted(born, 'fair value gap')} opened; {share('touched')} were touched, {share('filled')} filled",
        f"and {share('inverted')} closed through before the tape ended.",
        f"{counted(blocks, 'order block')} formed, {of('order_block', 'broken'):,} of them broke and became breakers.",
        f"{counted(of('pool', 'run'), 'pool')} of liquidity were run and {counted(sweeps, 'sweep')} turned back,",
        f"{of('pool', 'displacement_after'):,} of them with a rejecting wick and a displacement after it.",
    )


def decisions(report: ReplayReport) -> str:
    "How many setups there were, how many passed every gate, and how many of their orders filled."
    n, live = len(report.decisions), int((report.decisions["outcome"] == "live").sum())
    status = report.ledger.orders.loc[report.ledger.orders["order_id"].str.endswith(":entry"), "status"].astype("str")
    filled, sent = int((status == "filled").sum()), len(status)
    unfilled = "".join(f", {k} were {word}" for word, k in status[status != "filled"].value_counts().items())
    return sentences(
        f"{counted(n, 'setup')}: {live:,} passed every gate, {n - live:,} were refused.",
        f"Of {counted(sent, 'order')} sent, {filled:,} filled{unfilled}." if sent else "",
        "Every refusal is stored with its reason:" if n > filled else "",
    )


def ways(report: ReplayReport) -> pd.DataFrame:
    "Entry at the next open, by a waiting limit, and both: orders, closed trades and mean result side by side."
    t = report.ways_in
    intervals = [
        f"{lo:+.2f} … {hi:+.2f}" if np.isfinite(lo) else "" for lo, hi in zip(t["low"], t["high"], strict=True)
    ]
    means = [r_multiple(x) if np.isfinite(x) else "none" for x in t["expectancy_r"]]
    wins = [f"{x:.0f} %" if np.isfinite(x) else "none" for x in t["win_rate_pct"]]
    table = {
        "orders": t["orders_n"],
        "closed trades": t["trades_n"],
        "won": wins,
        "mean": means,
        "95 % interval": intervals,
    }
    return pd.DataFrame(table, index=t.index)


def notable(report: ReplayReport, n: int = 2) -> list[tuple[str, int, int]]:
    "The best and the worst positions: a title for each, and the bars around it."
    done = positions(report.ledger.closed)
    order = done.sort_values("r_multiple", kind="stable")
    chosen = pd.concat([order.tail(n)[::-1], order.head(n)]).drop_duplicates("intent_id") if len(done) else done
    side = {1: "Long", -1: "Short"}
    return [
        (f"{report.symbol}: {side[int(t.side)]}, {r_multiple(t.r_multiple)}", max(int(t.entry_bar) - 50, 0),
         min(int(t.exit_bar) + 25, len(report.bars)))
        for t in chosen.itertuples()
    ]  # fmt: skip


def refusals(report: ReplayReport) -> pd.DataFrame:
    "Each gate or order reason that kept a setup out, how often, and its newest example."
    gates = report.decisions[report.decisions["outcome"] != "live"]
    rows = [
        {"refused by": gate or "decision", "refused": len(part), "for example": part["why"].iloc[-1]}
        for gate, part in gates.groupby("gate", sort=False)
    ]
    orders = report.ledger.orders[report.ledger.orders["status"] != "filled"]
    rows += [
        {"refused by": "order", "refused": len(part), "for example": REASONS[reason].text}
        for reason, part in orders.groupby("reason", sort=False)
    ]
    table = pd.DataFrame(rows, columns=["refused by", "refused", "for example"])
    return table.sort_values("refused", ascending=False, kind="stable", ignore_index=True)


def card(report: ReplayReport) -> pd.DataFrame:
    "The scorecard rounded for reading, with intervals, sample sizes and remarks."
    return scorecard_table(report.scorecard)


def money(report: ReplayReport) -> str:
    "Equity at the start and the end, drawdown, time under water and costs."
    v = report.scorecard["value"]
    end = report.ledger.equity["equity"].iloc[-1]
    open_ = "One position was still open at the end and is marked, not counted." if v["open_at_end_n"] else ""
    return sentences(
        f"Equity went from {report.ledger.start_equity:,.0f} to {end:,.0f} ({v['total_return_pct']:+.1f} %);",
        f"the deepest fall was {v['max_drawdown_pct']:.1f} % and the longest time under water",
        f"{v['max_drawdown_days']:.0f} days. Costs took {v['costs']:,.0f}.", costs(report), open_,
    )  # fmt: skip


def costs(report: ReplayReport) -> str:
    "Spread, slippage and commission of every fill."
    c = report.costs
    fees = [
        f"{small_number(c.commission_pct)} % of the traded value" if c.commission_pct else "",
        f"{small_number(c.commission_per_unit)} per unit" if c.commission_per_unit else "",
    ]
    fees = " and ".join(f for f in fees if f)
    return sentences(
        f"The candles are taken for {c.bars_side} prices; every purchase pays the ask and every sale gets the bid,",
        f"{small_number(c.spread_price)} apart, market orders and stops slip by {small_number(c.slippage_price)},",
        f"and commission is {fees} per side." if fees else "and there is no commission.",
    )


def honesty(report: ReplayReport) -> str:
    "How far the result depends on the order of prices inside a candle."
    stop, target = report.honesty.loc["stop_first"], report.honesty.loc["target_first"]
    n = int(stop["trades_n"])
    if n == 0:
        return "No trade was closed, so no bar was doubtful."
    doubtful = int(stop["ambiguous_n"])
    if doubtful == 0:
        return f"No bar held both stop and target: none of the {n:,} results depends on the order inside a candle."
    return sentences(
        f"In {doubtful:,} of {n:,} trades one bar held both stop and target; the candle does not say which came first.",
        f"Booked as the stop, as everywhere in this report: {r_multiple(stop['expectancy_r'])} per trade.",
        f"Booked as the target: {r_multiple(target['expectancy_r'])}. The truth lies between.",
    )


def model(report: ReplayReport) -> str:
    "Whether the score predicted anything: the verdict of the score test."
    return report.model.verdict


def summary(report: ReplayReport) -> dict[str, Any]:
    "The row stored with the report."
    names = ("trades_n", "win_rate_pct", "expectancy_r", "total_return_pct", "max_drawdown_pct")
    return {
        "symbol": report.symbol, "env": report.env, "timeframe": report.reading.timeframe, "bars": len(report.bars),
        "data_fingerprint": fingerprint(report.bars), "data_quality": report.quality.verdict,
        "ledger_hash": report.ledger.hash(), **figures(report.scorecard["value"], names), "sentence": verdict(report),
    }  # fmt: skip
