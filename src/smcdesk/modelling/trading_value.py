"""What acting on a model earns against not acting: the same tape, replayed after costs, on out-of-fold setups only."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from smclab.decision import Decision, decide_all
from smclab.execution import Costs, Rules, intents
from smclab.gates import Context
from smclab.policy import Policy, preset
from smclab.reading import Reading
from smclab.replay import replay
from smclab.scorecard import scorecard
from smclab.setups import SetupConfig

MIN_PERCENTILE = 60.0  # percentile from which a setup is taken, as grade A asks for


@dataclass(frozen=True)
class LookupScorer:
    "A scorer that looks setups up."

    answers: dict[str, tuple[float, float]]  # setup id -> (probability, percentile)

    def __call__(self, candidate: Mapping[str, Any]) -> tuple[float, float]:
        "(probability, percentile) of this setup, from before its outcome was known."
        return self.answers[str(candidate["setup_id"])]


@dataclass(frozen=True)
class TradingTest:
    "A tape and how it is traded."

    reading: Reading
    bars: pd.DataFrame
    context: Context
    policy: Policy
    setups: SetupConfig | None
    spread_price: pd.Series
    orders: Mapping[str, Any]  # conf's orders
    costs: Costs
    rules: Rules
    n_boot: int = 2000
    seed: int = 0

    def decided(self, context: Context, policy: Policy, pending: bool = False) -> tuple[Decision, ...]:
        "The tape's decisions in this context, by this policy."
        how = {"setups": self.setups, "spread_price": self.spread_price, "pending": pending}
        return decide_all(self.reading, context, policy, **how)

    def earned(self, context: Context, policy: Policy, keep: Callable[[Decision], bool]) -> dict[str, float]:
        "The figures of the decisions `keep` selects, traded after costs."
        taken = [d for d in self.decided(context, policy) if keep(d)]
        names = {d.setup_id for d in taken if d.outcome == "live"}
        reviews = [d for d in self.decided(context, policy, pending=True) if d.setup_id in names]
        sent = intents(taken, self.bars, reviews=reviews, **self.orders)
        game = {"instrument": context.instrument, "account": context.account, "costs": self.costs, "rules": self.rules}
        ledger = replay(self.bars, sent, **game, max_risk_pct=policy.in_force.risk.max_risk_pct)
        day = {"zone": context.instrument.zone, "roll_hour": context.instrument.roll_hour}
        card = scorecard(ledger, self.bars, **day, n_boot=self.n_boot, seed=self.seed)
        r, value = card.loc["expectancy_r"], card["value"]
        return {
            "setups_n": len(taken), "live_n": len(names), "trades_n": int(value["trades_n"]),
            "win_rate_pct": value["win_rate_pct"], "expectancy_r": r["value"], "low": r["low"], "high": r["high"],
            "total_r": r["value"] * value["trades_n"] if value["trades_n"] else 0.0, "costs_r": value["costs_r"],
        }  # fmt: skip


def trading_value(
    trial: TradingTest,
    oof: pd.DataFrame,  # of smclab.learner.Learned: p_selected, percentile, by setup id
    score: pd.Series,  # by setup id
) -> pd.DataFrame:  # one row per way to act: setups, live, trades, expectancy with its interval
    "The policy by score and by model, and every setup against those the model, or the score, rates highest."
    rated = oof[oof["percentile"].notna()]
    answers = dict(zip(rated.index, zip(rated["p_selected"], rated["percentile"], strict=True), strict=True))
    best = _places(score.reindex(rated.index))
    plan = trial.policy
    v1 = replace(plan, enabled=False)
    by_score, by_model = replace(trial.context, scorer=None), replace(trial.context, scorer=LookupScorer(answers))
    graded = plan if plan.enabled else preset("a_plus_and_a_live")

    def judged(d: Decision) -> bool:
        return d.setup_id in answers

    def liked(d: Decision) -> bool:
        p, percentile = answers.get(d.setup_id, (0.0, 0.0))
        return percentile >= MIN_PERCENTILE and d.ticket is not None and p * d.ticket.rr_net - (1 - p) >= 0

    def scored(d: Decision) -> bool:
        return best.get(d.setup_id, 0.0) >= MIN_PERCENTILE

    ways = {
        "graded policy, confidence by score": (by_score, graded, judged),
        "graded policy, confidence by model": (by_model, graded, judged),
        "every setup (v1)": (by_score, v1, judged),
        "v1, the best by score": (by_score, v1, scored),
        "v1, the best by model": (by_score, v1, liked),
    }
    return pd.DataFrame({name: trial.earned(*way) for name, way in ways.items()}).T.rename_axis("way")


def _places(score: pd.Series) -> dict[str, float]:
    "The percentile of each score among those before it."
    values, out = score.to_numpy(np.float64), {}
    for i, name in enumerate(score.index):
        before = values[:i]
        out[str(name)] = 100 * float(np.mean(before <= values[i])) if len(before) >= 20 else math.nan
    return out
