"""A replayed tape told in plain sentences, each made of its own numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from smcdesk.datasets.catalog import load_catalog
from smcdesk.project import logs, paths
from smcdesk.project.config import load_config
from smclab.candles import BadConfig, Quality, fingerprint, nearest
from smclab.execution import Costs
from smclab.matching import FILL_REASONS
from smclab.reading import Reading
from smclab.replay import Ledger
from smclab.score_test import Result
from smclab.scorecard import positions

FEW = 30  # closed trades under which nothing is concluded


@dataclass(frozen=True)
class ReplayReport:
    "Everything the road left about one symbol."

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
    "`BadConfig` with the nearest name unless conf or an earlier run knows the symbol."
    known = sorted({*load_config(env).parameters["symbols"], *replayed()})
    if symbol not in known:
        raise BadConfig(f"unknown symbol {symbol!r}{nearest(symbol, known)} Known: {', '.join(known)}.")


def load(symbol: str, env: str) -> ReplayReport:
    "The tape's story from the catalog."
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


def resolved(s: ReplayReport) -> pd.DataFrame:
    "What the parameters turned out to mean."
    rows = {
        "symbol": s.symbol, "environment": s.env, "timeframe": s.reading.timeframe, "bars": f"{len(s.bars):,}",
        "first bar (UTC)": f"{s.bars.index[0]:%Y-%m-%d %H:%M}", "last bar (UTC)": f"{s.bars.index[-1]:%Y-%m-%d %H:%M}",
        "data fingerprint": fingerprint(s.bars), "ledger hash": s.ledger.hash()[:16],
        "reading configuration": s.reading.config.hash(),
    }  # fmt: skip
    return pd.DataFrame({"": rows})


def _count(n: int, one: str, many: str = "") -> str:
    "A number with its noun."
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def _r(x: float) -> str:
    "A number of R, signed."
    return f"{x:+.2f} R"


def _sentences(*said: str) -> str:
    "Sentences in one paragraph."
    return " ".join(s for s in said if s)


def verdict(s: ReplayReport) -> str:
    "What the trades prove, which is usually nothing."
    return trades(s.scorecard)


def trades(scorecard: pd.DataFrame) -> str:
    "What a scorecard's trades prove."
    row = scorecard.loc["expectancy_r"]
    n = int(scorecard.loc["trades_n", "value"])
    if n == 0:
        return "No trade was closed, so there is nothing to judge."
    told = f"This is {_count(n, 'closed trade')}, {_r(row['value'])} per trade on average after costs"
    if not np.isfinite(row["low"]):
        return f"{told}. One trade has no interval, and proves nothing."
    told = f"{told}; the 95 % interval runs from {_r(row['low'])} to {_r(row['high'])}"
    if n < FEW:
        return f"{told}. Fewer than {FEW} trades say nothing either way."
    if row["low"] <= 0 <= row["high"]:
        return f"{told} and includes zero: no evidence of an edge after costs."
    if row["high"] < 0:
        return f"{told} and lies below zero: after costs this lost, and more than chance explains."
    return f"{told} and lies above zero. One tape, tuned on by eye, is a reason to test further, not a proof."


def data(s: ReplayReport) -> str:
    "Where the candles come from and what they lack."
    q = s.quality
    missing = int(q.gaps["missing_bars"].sum())
    lacks = [
        f"{_count(missing, 'bar')} missing in {_count(len(q.gaps), 'hole')}" if missing else "",
        _count(len(q.stale), "stale bar") if len(q.stale) else "",
        _count(len(q.flat), "bar") + " without range" if len(q.flat) else "",
        _count(len(q.spikes), "lonely spike") if len(q.spikes) else "",
    ]
    lacks = ", ".join(x for x in lacks if x) or "nothing missing, stale, flat or spiking"
    shut = "" if q.verdict == "ok" else "Setups are refused where the 500 bars before them show it."
    why = "".join(f" {r}." for r in q.reasons)
    return _sentences(*s.provenance["notes"], f"The data is **{q.verdict}**: {lacks}.{why}", shut)


def structure(s: ReplayReport) -> str:
    "What the reader saw."
    own = s.reading.of()  # the candles' own timeframe, swings and breaks of the small scale
    own = own[(own["scale_bars"].isna() | (own["scale_bars"] == s.reading.config.structure.right))]
    kinds = own.groupby("family", observed=True)["kind"].value_counts()
    n = {key: int(v) for key, v in kinds.items() if v}

    def of(family, *names):
        return sum(n.get((family, name), 0) for name in names)

    born, blocks, sweeps = of("gap", "born"), of("order_block", "born"), of("pool", "swept", "reclaimed")
    breaks = of("structure", "bos", "choch")  # an MSS is a further row about its CHoCH
    share = (lambda kind: f"{100 * of('gap', kind) / born:.0f} %") if born else (lambda kind: "none")
    return _sentences(
        f"{_count(of('swing', 'high', 'low'), 'swing')} and {_count(breaks, 'break')} of structure:",
        f"{of('structure', 'bos'):,} with the trend (BOS), {of('structure', 'choch'):,} against it",
        f"(CHoCH, {of('structure', 'mss'):,} of them with displacement).",
        f"{_count(born, 'fair value gap')} opened; {share('touched')} were touched, {share('filled')} filled",
        f"and {share('inverted')} closed through before the tape ended.",
        f"{_count(blocks, 'order block')} formed, {of('order_block', 'broken'):,} of them broke and became breakers.",
        f"{_count(of('pool', 'run'), 'pool')} of liquidity were run and {_count(sweeps, 'sweep')} turned back,",
        f"{of('pool', 'displacement_after'):,} of them with a rejecting wick and a displacement after it.",
    )


def decisions(s: ReplayReport) -> str:
    "How many setups there were and what became of them."
    n, live = len(s.decisions), int((s.decisions["outcome"] == "live").sum())
    status = s.ledger.orders.loc[s.ledger.orders["order_id"].str.endswith(":entry"), "status"].astype("str")
    filled, sent = int((status == "filled").sum()), len(status)
    rest = "".join(f", {k} were {word}" for word, k in status[status != "filled"].value_counts().items())
    return _sentences(
        f"{_count(n, 'setup')}: {live:,} passed every gate, {n - live:,} were refused.",
        f"Of {_count(sent, 'order')} sent, {filled:,} filled{rest}." if sent else "",
        "Every refusal is kept with its reason:" if n > filled else "",
    )


def ways(s: ReplayReport) -> pd.DataFrame:
    "The ways to enter, side by side, as a reader wants them."
    t = s.ways_in
    spans = [f"{lo:+.2f} … {hi:+.2f}" if np.isfinite(lo) else "" for lo, hi in zip(t["low"], t["high"], strict=True)]
    said = [_r(x) if np.isfinite(x) else "none" for x in t["expectancy_r"]]
    wins = [f"{x:.0f} %" if np.isfinite(x) else "none" for x in t["win_rate_pct"]]
    table = {"orders": t["orders_n"], "closed trades": t["trades_n"], "won": wins, "mean": said, "95 % interval": spans}
    return pd.DataFrame(table, index=t.index)


def notable(s: ReplayReport, n: int = 2) -> list[tuple[str, int, int]]:
    "The best and the worst positions: what to call each, and the bars around it."
    done = positions(s.ledger.closed)
    order = done.sort_values("r_multiple", kind="stable")
    chosen = pd.concat([order.tail(n)[::-1], order.head(n)]).drop_duplicates("intent_id") if len(done) else done
    side = {1: "Long", -1: "Short"}
    return [
        (f"{s.symbol}: {side[int(t.side)]}, {_r(t.r_multiple)}", max(int(t.entry_bar) - 50, 0),
         min(int(t.exit_bar) + 25, len(s.bars)))
        for t in chosen.itertuples()
    ]  # fmt: skip


def refusals(s: ReplayReport) -> pd.DataFrame:
    "Each reason to stay out, how often, and one example in words."
    gates = s.decisions[s.decisions["outcome"] != "live"]
    rows = [
        {"asked by": gate or "decision", "refused": len(part), "for example": part["why"].iloc[-1]}
        for gate, part in gates.groupby("gate", sort=False)
    ]
    orders = s.ledger.orders[s.ledger.orders["status"] != "filled"]
    rows += [
        {"asked by": "order", "refused": len(part), "for example": FILL_REASONS[reason]}
        for reason, part in orders.groupby("reason", sort=False)
    ]
    table = pd.DataFrame(rows, columns=["asked by", "refused", "for example"])
    return table.sort_values("refused", ascending=False, kind="stable", ignore_index=True)


def card(s: ReplayReport) -> pd.DataFrame:
    "The scorecard as a reader wants it: rounded, with sample sizes and remarks."
    c = s.scorecard
    around = [f"{lo:.2f} … {hi:.2f}" if np.isfinite(lo) else "" for lo, hi in zip(c["low"], c["high"], strict=True)]
    value = ["none" if pd.isna(v) else f"{v:,.0f}" if k.endswith("_n") else f"{v:,.2f}" for k, v in c["value"].items()]
    table = {"value": value, "95 % interval": around, "n": c["n"], "unit": c["unit"], "remark": c["note"].fillna("")}
    return pd.DataFrame(table, index=c.index)


def money(s: ReplayReport) -> str:
    "What equity did."
    v = s.scorecard["value"]
    end = s.ledger.equity["equity"].iloc[-1]
    open_ = "One position was still open at the end and is marked, not counted." if v["open_at_end_n"] else ""
    return _sentences(
        f"Equity went from {s.ledger.start_equity:,.0f} to {end:,.0f} ({v['total_return_pct']:+.1f} %);",
        f"the deepest fall was {v['max_drawdown_pct']:.1f} % and the longest time under water",
        f"{v['max_drawdown_days']:.0f} days. Costs took {v['costs']:,.0f}.", costs(s), open_,
    )  # fmt: skip


def costs(s: ReplayReport) -> str:
    "What every fill was charged."
    c = s.costs
    fees = [
        f"{_price(c.commission_pct)} % of the traded value" if c.commission_pct else "",
        f"{_price(c.commission_per_unit)} per unit" if c.commission_per_unit else "",
    ]
    fees = " and ".join(f for f in fees if f)
    return _sentences(
        f"The candles are taken for {c.bars_side} prices; every purchase pays the ask and every sale gets the bid,",
        f"{_price(c.spread_price)} apart, market orders and stops slip by {_price(c.slippage_price)},",
        f"and commission is {fees} per side." if fees else "and there is no commission.",
    )


def _price(x: float) -> str:
    "A small number without an exponent."
    return f"{x:,.8f}".rstrip("0").rstrip(".")


def honesty(s: ReplayReport) -> str:
    "How much of the result hangs on what candles hide."
    stop, target = s.honesty.loc["stop_first"], s.honesty.loc["target_first"]
    n = int(stop["trades_n"])
    if n == 0:
        return "No trade was closed, so no bar was doubtful."
    doubtful = int(stop["ambiguous_n"])
    if doubtful == 0:
        return f"No bar held both stop and target: none of the {n:,} results depends on the order inside a candle."
    return _sentences(
        f"In {doubtful:,} of {n:,} trades one bar held both stop and target; the candle does not say which came first.",
        f"Booked as the stop, as everywhere in this report: {_r(stop['expectancy_r'])} per trade.",
        f"Booked as the target: {_r(target['expectancy_r'])}. The truth lies between.",
    )


def model(s: ReplayReport) -> str:
    "Whether the score knew anything, in the model room's own words."
    return s.model.verdict


def summary(s: ReplayReport) -> dict[str, Any]:
    "The report in one row."
    v = s.scorecard["value"]
    names = ("trades_n", "win_rate_pct", "expectancy_r", "total_return_pct", "max_drawdown_pct")
    return {
        "symbol": s.symbol, "env": s.env, "timeframe": s.reading.timeframe, "bars": len(s.bars),
        "data_fingerprint": fingerprint(s.bars), "data_quality": s.quality.verdict, "ledger_hash": s.ledger.hash(),
        **{name: None if pd.isna(v[name]) else float(v[name]) for name in names}, "sentence": verdict(s),
    }  # fmt: skip
