"""What all combinations of a study share, and one combination played on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from smclab.candles import BadConfig
from smclab.execution import Costs, Rules, intents
from smclab.gates import GATES, Context, Question, enforced, gate_table, quality_at, regime_at, spread_at, stop_atr_at
from smclab.replay import Ledger, replay, shaped
from smclab.risk import GRADES, SIZELESS, Policy, afford, occupied, plan_all, rate, tickets, units_of
from smclab.scorecard import daily_returns, days_per_year, scorecard

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
    looks: pd.DataFrame | None = (
        None  # reviews of waiting limits, bar by bar, columns of `candidates`; None: they are not reviewed
    )
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
        part["looks"] = None if self.looks is None else within(self.looks)
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


def live_tickets(tape: ResearchTape, policy: Policy) -> list[SimpleNamespace]:  # setup_id, outcome, time, ticket
    "What `decide_all` would let trade, worked out for all candidates at once."
    table = tape.candidates
    yes, plans = _live(tape, table, policy)
    rows = zip(table["setup_id"][yes], table["time"][yes], tickets({k: v[yes] for k, v in plans.items()}), strict=True)
    return [SimpleNamespace(setup_id=i, outcome="live", time=t.value, ticket=ticket) for i, t, ticket in rows]


def last_looks(
    tape: ResearchTape,
    policy: Policy,
    live: list[SimpleNamespace],
) -> list[SimpleNamespace] | None:  # setup_id, mode, time, outcome; None where nobody looks again
    "For each limit among the live tickets, the first later look that takes it back, else the last look at it."
    if tape.looks is None:
        return None
    table = tape.looks[tape.looks["setup_id"].isin({d.setup_id for d in live})]
    yes, _ = _live(tape, table, policy)
    setup, _ = pd.factorize(table["setup_id"])
    row, no = np.zeros(setup.max(initial=-1) + 1, dtype=np.int64), np.flatnonzero(~yes)
    row[setup] = np.arange(len(table))
    row[setup[no[::-1]]] = no[::-1]
    told = zip(table["setup_id"].iloc[row], table["time"].iloc[row], yes[row], strict=True)
    return [
        SimpleNamespace(setup_id=i, mode="limit", time=t.value, outcome="live" if ok else "none") for i, t, ok in told
    ]


def orders(tape: ResearchTape, policy: Policy) -> pd.DataFrame:  # INTENT_DTYPES
    "What the policy would have sent, in conf's modes; a limit is taken back when an enforced gate turns."
    live = live_tickets(tape, policy)
    return intents(live, tape.bars, looks=last_looks(tape, policy, live), policy=policy, **tape.orders)


def _live(tape: ResearchTape, table: pd.DataFrame, policy: Policy) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    "Which rows of candidates may trade, and every row's plan."
    context, closes = tape.context, table["known_close"]
    known = stop_atr_at(closes, context, policy) | quality_at(closes, context) | regime_at(closes, context)
    table = table.assign(**known)
    spread = spread_at(tape.spread_price, table["time"])
    plans = plan_all(
        table, context.instrument, policy, spread_price=spread, cost_price=context.cost_at(table["entry_price"])
    )
    yes = _passing(table, plans, spread, context, policy) & (table["known_bar"] + 1 >= tape.warmup_bars).to_numpy()
    unsure = np.flatnonzero(yes & ~_plenty(plans, context, policy))
    asked = tickets({k: v[unsure] for k, v in plans.items()})
    yes[unsure] = [_affordable(ticket, context, policy) for ticket in asked]
    return yes, plans


def _plenty(plans: Mapping[str, np.ndarray], context: Context, policy: Policy) -> np.ndarray:
    "Where a fixed risk surely buys more than the smallest size, so that nobody needs to ask what exactly."
    account, risk, owner = context.account, policy.in_force.risk, context.instrument
    if enforced("portfolio", policy) or risk.sizing != "fixed_risk":
        return np.zeros(len(plans["entry_price"]), dtype=bool)
    worth, (step, smallest, largest) = rate(owner.quote_currency, account, owner.symbol), units_of(owner)
    most = min(risk.max_risk_pct, policy.risk.max_risk_pct)
    wanted = account.equity * np.minimum(plans["risk_pct"], most) / 100 / plans["stop_distance"]
    carried = account.equity * owner.max_leverage / plans["entry_price"]
    return np.minimum(np.minimum(wanted, carried) / worth, largest) > 2 * max(step, smallest)


def _passing(table, plans, spread, context: Context, policy: Policy) -> np.ndarray:
    "Whether nothing but the account could stand in the way."
    said = gate_table(table, context, policy, spread)
    prices = np.column_stack([plans[k] for k in ("entry_price", "stop_price", "stop_distance", "target_price")])
    _, first = GATES["pre_filters"].ask(Question(table, None, context, policy, None))
    yes = (np.isfinite(prices) & (prices > 0)).all(axis=1) & np.asarray(first["data_ok"])
    if policy.in_force.shadow_mode:
        yes &= False
    if enforced("pre_filters", policy):
        yes &= spread <= policy.pre_filters.max_spread_atr * table["atr_price"].to_numpy()
    for gate in GATES:
        if gate in said and enforced(gate, policy):
            yes &= said[gate].to_numpy(bool)
    if policy.enabled:
        yes &= said["grade_name"].isin(set(GRADES) - {"NO_TRADE", "B"}).to_numpy()
    sides = table["side"].to_numpy()
    free = {side: not occupied(context.account, context.instrument, side, policy)[0] for side in (-1, 1)}
    return yes & np.where(sides > 0, free[1], free[-1])


def _affordable(ticket, context: Context, policy: Policy) -> bool:
    "Whether the account can carry it."
    asked = afford(ticket, context.account, context.instrument, policy, returns=context.returns)
    return asked.reason not in SIZELESS and (asked.units > 0 or not enforced("portfolio", policy))


def play(
    tape: ResearchTape,
    combination: Combination,
) -> Ledger:
    "The tape replayed by one combination, from flat."
    policy, rules, exits = settings(tape, combination)
    sent = orders(tape, policy)
    return replay(tape.bars, shaped(sent, exits) if exits else sent, **_replay_args(tape, policy, rules))


def _replay_args(tape: ResearchTape, policy: Policy, rules: Rules) -> dict[str, Any]:
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
