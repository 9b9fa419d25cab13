"""What all combinations of a study share, and one combination played on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pandas as pd

from smclab import decision
from smclab.candles import BadConfig
from smclab.decision import LimitReview, LiveTicket
from smclab.execution import Costs, Rules, intents
from smclab.gates import Context
from smclab.policy import Policy
from smclab.replay import Ledger, replay
from smclab.scorecard import daily_returns, days_per_year, scorecard
from smclab.sweep import with_exits

KINDS = ("policy", "rules", "exits")  # what a path begins with; exits are columns of the replay's own grid


Combination = dict[str, Any]  # a parameter's dotted path in conf -> its value


@dataclasses.dataclass(frozen=True, eq=False)
class ResearchTape:
    "What every combination shares: the bars, the setups found on them, their context, and conf's own policy."

    bars: pd.DataFrame
    candidates: pd.DataFrame
    context: Context
    costs: Costs
    spread_price: pd.Series  # ask minus bid by bar
    policy: Mapping[str, Any]  # as conf has it
    rules: Mapping[str, Any]
    orders: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # modes, legs, zone_exit, as conf has it
    reviews: pd.DataFrame | None = None  # reviews of waiting limits, columns of `candidates`; None: limits wait without
    warmup_bars: int = 0  # how many bars must be known before anything is decided

    @property
    def symbol(self) -> str:
        "The instrument's symbol."
        return self.context.instrument.symbol

    @property
    def day(self) -> dict[str, Any]:
        "The market's own trading day, as arguments of the scorecard."
        return {"zone": self.context.instrument.zone, "roll_hour": self.context.instrument.roll_hour}

    def between(self, start: int, stop: int) -> ResearchTape:
        "The same tape from bar `start` to bar `stop`, not included; with the setups known in it."

        def within(table: pd.DataFrame) -> pd.DataFrame:
            return table[table["known_bar"].between(start, stop - 1)]

        part = {"bars": self.bars.iloc[start:stop], "candidates": within(self.candidates)}
        part["reviews"] = None if self.reviews is None else within(self.reviews)
        return dataclasses.replace(self, **part, spread_price=self.spread_price.iloc[start:stop])


def with_value(values: Mapping[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    "A copy of nested mappings with the value at one path replaced."
    head, *rest = path
    return {**values, head: with_value(values.get(head) or {}, rest, value) if rest else value}


def year(tape: ResearchTape) -> float:
    "Trading days per year, by the tape's own calendar."
    return days_per_year(tape.bars.index, **tape.day)


def settings(
    tape: ResearchTape,
    combination: Combination,
) -> tuple[Policy, Rules, dict[str, float]]:  # the last: column of the replay's grid -> value
    "The policy, the rules and the exits of one combination; the cooldown is the policy's."
    conf: dict[str, Any] = {"policy": tape.policy, "rules": tape.rules, "exits": {}}
    for path, value in combination.items():
        conf = with_value(conf, path.split("."), value)
    policy, own = Policy.from_dict(conf["policy"]), Policy.from_dict(tape.policy)
    wanted, carried = (p.in_force.risk.stop_atr_timeframe for p in (policy, own))
    if wanted != carried:
        raise BadConfig(
            f"stop_atr_timeframe cannot be swept: the tape carries the ATR of {carried!r}, not of {wanted!r}"
        )
    return policy, Rules.from_dict({**conf["rules"], "cooldown_bars": policy.cooldown_bars}), conf["exits"]


def live_tickets(tape: ResearchTape, policy: Policy) -> list[LiveTicket]:
    "The tape's candidates that the policy lets trade, as `decide_all` would."
    return decision.live_tickets(
        tape.candidates, tape.context, policy, spread_price=tape.spread_price, warmup_bars=tape.warmup_bars
    )


def limit_reviews(tape: ResearchTape, policy: Policy, live: list[LiveTicket]) -> list[LimitReview] | None:
    "For each limit among the live tickets its deciding later review; None where limits wait without one."
    if tape.reviews is None:
        return None
    return decision.limit_reviews(
        tape.reviews, {d.setup_id for d in live}, tape.context, policy,
        spread_price=tape.spread_price, warmup_bars=tape.warmup_bars,
    )  # fmt: skip


def orders(tape: ResearchTape, policy: Policy) -> pd.DataFrame:  # INTENT_DTYPES
    "What the policy would have sent, in conf's modes; a limit is taken back when an enforced gate turns."
    live = live_tickets(tape, policy)
    return intents(live, tape.bars, reviews=limit_reviews(tape, policy, live), policy=policy, **tape.orders)


def play(
    tape: ResearchTape,
    combination: Combination,
) -> Ledger:
    "The tape replayed by one combination, from flat."
    policy, rules, exits = settings(tape, combination)
    sent = orders(tape, policy)
    return replay(tape.bars, with_exits(sent, exits) if exits else sent, **replay_args(tape, policy, rules))


def replay_args(tape: ResearchTape, policy: Policy, rules: Rules) -> dict[str, Any]:
    "The arguments of a replay beside bars and intents."
    return {
        "instrument": tape.context.instrument, "account": tape.context.account, "costs": tape.costs, "rules": rules,
        "max_risk_pct": policy.in_force.risk.max_risk_pct,
    }  # fmt: skip


def daily(tape: ResearchTape, ledger: Ledger) -> pd.Series:
    "A ledger's return on every trading day of its tape, by the market's own day."
    return daily_returns(ledger.equity, start_equity=ledger.start_equity, **tape.day)


def card(tape: ResearchTape, ledger: Ledger, *, n_boot: int = 0, seed: int = 0) -> pd.DataFrame:
    "The scorecard of one combination's ledger."
    return scorecard(ledger, tape.bars, n_boot=n_boot, seed=seed, **tape.day)
