"""What the store keeps of an evaluation: labels and signals of decisions, and what became of them later."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from smcdesk.store.models import OUTCOME_COLUMNS
from smclab.candles import infer_timeframe
from smclab.decision import Decision
from smclab.execution import Costs, Rules, limit_ends
from smclab.gates import Context, regime_at
from smclab.instruments import Instrument
from smclab.labels import barrier_outcomes
from smclab.policy import Policy

TICKET = ("side", "entry_type", "entry_price", "stop_price", "target_price", "rr_net", "expiry_bars")


def decision_log(decisions: tuple[Decision, ...]) -> pd.DataFrame:
    "One row per decision: its ticket, and the first refusal with its reason."
    columns = ("setup_id", "time", "outcome", "grade", "score", "confidence", "why", "next")
    rows = [
        {name: getattr(d, name) for name in columns}
        | {"gate": next((v.gate for v in d.verdicts if v.refuses), "")}
        | {name: getattr(d.ticket, name, np.nan) for name in TICKET}
        for d in decisions
    ]
    table = pd.DataFrame(rows, columns=[*columns, "gate", *TICKET])
    times = pd.to_datetime(table["time"].astype("int64"), utc=True).astype("datetime64[ns, UTC]")
    words = dict.fromkeys(("setup_id", "outcome", "grade", "why", "next", "gate", "entry_type"), "str")
    numbers = [name for name in (*TICKET, "score", "confidence") if name != "entry_type"]
    return table.assign(time=times).astype(words | dict.fromkeys(numbers, "float64"))


PLAN = ("entry_type", "entry_price", "stop_price", "target_price", "expiry_bars", "time_limit_bars")


OUTCOMES = {
    "target": "target", "target_gap": "target", "stop": "stop", "stop_gap": "stop", "time": "time",
    "never_filled": "never_filled",
}  # fmt: skip


SIGNAL_COLUMNS = (
    "setup_id", "policy_hash", "outcome_class", "instrument", "timeframe", "mode", "side", "time", "grade", "score",
    "confidence", "confidence_kind",
)  # fmt: skip


@dataclass(frozen=True)
class EvaluatedTape:
    "One tape's decisions by one policy, with the rows of the store for them."

    instrument: Instrument
    policy_hash: str
    decisions: tuple[Decision, ...]
    labels: pd.DataFrame
    signals: pd.DataFrame

    def after(
        self,
        newest: Mapping[str, int],  # timeframe -> open of the last bar that is known already, ns UTC
    ) -> EvaluatedTape:
        "What was decided on later bars."
        keep = [d.time > newest.get(d.timeframe, d.time - 1) for d in self.decisions]
        ids = {d.setup_id for d, later in zip(self.decisions, keep, strict=True) if later}
        return replace(
            self,
            decisions=tuple(d for d, later in zip(self.decisions, keep, strict=True) if later),
            labels=self.labels[keep],
            signals=self.signals[self.signals["setup_id"].isin(ids)],
        )


def evaluate_tape(
    decisions: tuple[Decision, ...],
    candidates: pd.DataFrame,  # those the decisions are about, in the same order
    context: Context,
    policy: Policy,
    spread_price: pd.Series,  # ask minus bid by bar, price
) -> EvaluatedTape:
    "Everything the store keeps of a tape's decisions."
    if [d.setup_id for d in decisions] != candidates["setup_id"].tolist():
        raise ValueError("the decisions are not those of the candidates: a fault of the program")
    labels = label_rows(decisions, candidates, context, spread_price)
    return EvaluatedTape(context.instrument, policy.hash(), decisions, labels, signal_rows(decisions))


def label_rows(
    decisions: tuple[Decision, ...],
    candidates: pd.DataFrame,
    context: Context,
    spread_price: pd.Series,
) -> pd.DataFrame:  # columns of setup_labels, one row per decision
    "Every evaluated setup as it was known when it was decided; what has no plan has no prices."
    rows = pd.DataFrame([_headline(d) for d in decisions], columns=[*SIGNAL_COLUMNS, "verdicts"])
    plan = pd.DataFrame([[getattr(d.ticket, name, None) for name in PLAN] for d in decisions], columns=PLAN)
    given = {
        "version": candidates["version"], "sweep_quality": candidates["score_sweep"],
        "fvg_quality": candidates["score_zone"], "poi_quality": candidates["confluence"] / 100,
        "session": candidates["session"].where(candidates["session"] != "", None),
        "entry_spread_price": spread_price.reindex(candidates["time"]),
    }  # fmt: skip
    rows = rows.assign(**{name: values.to_numpy() for name, values in given.items()}, regime=None)
    words = regime_at(candidates["known_close"], context).get("regime", [""] * len(rows))
    rows["regime"] = [word or None for word in words]
    return rows.join(plan).assign(stop_distance_price=[getattr(d.ticket, "stop_distance", None) for d in decisions])


def _headline(d: Decision) -> dict:
    "The columns that labels and signals share."
    names = (
        "setup_id",
        "policy_hash",
        "instrument",
        "timeframe",
        "mode",
        "side",
        "time",
        "grade",
        "score",
        "confidence",
    )
    values = {name: getattr(d, name) for name in (*names, "confidence_kind")}
    return values | {"outcome_class": d.outcome, "grade": d.grade or None, "verdicts": d.to_dict()["verdicts"]}


def signal_rows(
    decisions: tuple[Decision, ...],
) -> pd.DataFrame:  # columns of signals
    "The signals of decisions: one row per live or shadow decision; a setup decided again is its next version."
    signalled = [d for d in decisions if d.outcome != "none"]
    rows = [
        {k: v for k, v in _headline(d).items() if k != "verdicts"}
        | {name: getattr(d.ticket, name) for name in ("entry_price", "stop_price", "target_price", "risk_pct")}
        | {"expires_at": d.expires_ns, "reason": d.why}
        for d in signalled
    ]
    prices = ("entry_price", "stop_price", "target_price", "risk_pct")
    table = pd.DataFrame(rows, columns=[*SIGNAL_COLUMNS, *prices, "expires_at", "reason"])
    version = table.groupby(["setup_id", "policy_hash"]).cumcount() + 1
    return table.assign(version=version, status=np.where(version > 1, "amended", "new"))


def with_wait_ends(
    rows: pd.DataFrame,  # labels, one row per setup
    bars: pd.DataFrame,
    reviews: Iterable[Decision],  # at limits that wait; gates of one policy
    placed: Collection[str],  # setups that were live
) -> pd.DataFrame:
    "Labels with `expiry_bar`: the last bar a limit may fill on where a review says so, else -1."
    ends = limit_ends(reviews, bars, placed)
    return rows.assign(expiry_bar=[ends.get(setup, -1) for setup in rows["setup_id"]])


def outcome_rows(
    bars: pd.DataFrame,  # (n, OHLCV) closed bars of the labels' timeframe
    waiting: pd.DataFrame,  # labels without an outcome, columns of setup_labels
    instrument: Instrument,
    costs: Costs,
    rules: Rules,
    reviews: Iterable[Decision] = (),  # at limits that wait; without them a limit waits as long as its plan
) -> pd.DataFrame:  # what Store.fill_outcomes takes; setups that are still open are left out
    "What became of labels on the bars after them."
    timeframe = infer_timeframe(bars)
    known_bar = bars.index.get_indexer(pd.DatetimeIndex(waiting["time"]).as_unit(bars.index.unit))
    ours = (waiting["timeframe"] == timeframe) & waiting["entry_price"].notna() & (known_bar >= 0)
    rows = waiting[ours].assign(known_bar=known_bar[ours])
    rows = rows.drop(columns=["outcome", "actual_rr", "mae_r", "mfe_r"]).astype({"side": "int64"})
    how = {"costs": costs, "tick": instrument.tick, "through_ticks": rules.through_ticks}
    reviews, parts = list(reviews), []
    for (policy, limit), part in rows.groupby(["policy_hash", "time_limit_bars"]):
        placed = set(part.loc[part["outcome_class"] == "live", "setup_id"])
        part = with_wait_ends(part, bars, (d for d in reviews if d.ended or d.policy_hash == policy), placed)
        parts.append(part.join(barrier_outcomes(bars, part, time_limit_bars=int(limit), **how)))
    columns = ["setup_id", "policy_hash", *OUTCOME_COLUMNS]
    if not parts:
        return pd.DataFrame(columns=columns)
    done = pd.concat(parts)
    done = done[done["reason"].isin(list(OUTCOMES))]
    held = (done["end_bar"] - done["entry_bar"]).where(done["actual_rr"].notna())
    later = {"outcome": done["reason"].map(OUTCOMES), "outcome_known_at": done["known_at"], "time_in_trade_bars": held}
    return done.assign(**later)[columns].reset_index(drop=True)
