"""Many policies on one tape: what each would have earned, which were chosen, and what became of the choices."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from smcdesk import crew
from smclab.candles import BadConfig, nearest
from smclab.execution import Costs, Rules, intents
from smclab.gates import GATES, Context, Question, enforced, gate_table, quality_at, regime_at, spread_at, stop_atr_at
from smclab.matching import GRID
from smclab.replay import Ledger, replay
from smclab.risk import GRADES, SIZELESS, Policy, afford, occupied, plan_all, rate, tickets, units_of
from smclab.scorecard import daily_returns, days_per_year, scorecard, trading_days
from smclab.sweep import sweep as play_all
from smclab.sweep import with_exits
from smclab.walkforward import Study

ENGINES = ("joblib", "serial", "dask")
KINDS = ("policy", "rules", "exits")  # what a path begins with; exits are columns of the replay's own grid
FIGURES = (
    "trades_n", "ambiguous_n", "win_rate_pct", "profit_factor", "expectancy_r", "total_r", "total_return_pct",
    "sharpe_annual", "max_drawdown_pct", "costs",
)  # fmt: skip
Combination = dict[str, Any]  # a parameter's dotted path in conf -> its value


# The tape


@dataclasses.dataclass(frozen=True, eq=False)
class Tape:
    "What every combination shares: the bars, the setups found on them, the world around, and conf's own policy."

    bars: pd.DataFrame
    candidates: pd.DataFrame
    context: Context
    costs: Costs
    spread_price: pd.Series  # ask minus bid by bar
    policy: Mapping[str, Any]  # as conf says it
    rules: Mapping[str, Any]
    orders: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # modes, legs, zone_exit, as conf says it
    looks: pd.DataFrame | None = None  # waiting limits bar after bar, columns of `candidates`; None: they wait blindly
    warmup_bars: int = 0  # how many bars must be known before anything is decided

    @property
    def symbol(self) -> str:
        "Whose tape it is."
        return self.context.instrument.symbol

    @property
    def day(self) -> dict[str, Any]:
        "The market's own trading day, as the scorecard wants to know it."
        return {"zone": self.context.instrument.zone, "roll_hour": self.context.instrument.roll_hour}

    def between(self, start: int, stop: int) -> Tape:
        "The same tape from bar `start` to bar `stop`, not included; setups known there."

        def known(table: pd.DataFrame) -> pd.DataFrame:
            return table[table["known_bar"].between(start, stop - 1)]

        part = {"bars": self.bars.iloc[start:stop], "candidates": known(self.candidates)}
        part["looks"] = None if self.looks is None else known(self.looks)
        return dataclasses.replace(self, **part, spread_price=self.spread_price.iloc[start:stop])


def changed(values: Mapping[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    "A mapping with one value of its depths replaced."
    head, *rest = path
    return {**values, head: changed(values.get(head) or {}, rest, value) if rest else value}


def year(tape: Tape) -> float:
    "Trading days per year, by the tape's own calendar."
    return days_per_year(tape.bars.index, **tape.day)


def settings(
    tape: Tape,
    combination: Combination,
) -> tuple[Policy, Rules, dict[str, float]]:  # the last: column of the replay's grid -> value
    "The policy, the rules and the exits of one combination; the cooldown is the policy's."
    conf: dict[str, Any] = {"policy": tape.policy, "rules": tape.rules, "exits": {}}
    for path, value in combination.items():
        conf = changed(conf, path.split("."), value)
    policy, own = Policy.from_dict(conf["policy"]), Policy.from_dict(tape.policy)
    said, known = (p.in_force.risk.stop_atr_timeframe for p in (policy, own))
    if said != known:
        raise BadConfig(f"stop_atr_timeframe cannot be swept: the tape carries the ATR of {known!r}, not of {said!r}")
    return policy, Rules.from_dict({**conf["rules"], "cooldown_bars": policy.cooldown_bars}), conf["exits"]


# The grid


def grid(
    space: Mapping[str, list],  # dotted path under policy, rules or exits -> values to try
) -> list[Combination]:
    "Every combination, in order of the values as they stand in conf."
    if not space:
        raise BadConfig("sweep.space is empty: say which values to try, such as policy.risk.stop_atr: [1.0, 1.5]")
    for path, values in space.items():
        kind, _, rest = path.partition(".")
        if kind not in KINDS or not rest:
            raise BadConfig(f"sweep.space: {path!r} does not act after the candidates; begin with {'., '.join(KINDS)}.")
        if kind == "exits" and rest not in GRID:
            raise BadConfig(f"sweep.space: exits has no {rest!r}{nearest(rest, GRID)} Known: {', '.join(GRID)}.")
        if not isinstance(values, list) or not values or len({repr(v) for v in values}) < len(values):
            raise BadConfig(f"sweep.space.{path} must be a list of different values, found {values!r}")
    short = [path.split(".")[-1] for path in space]
    if len(set(short)) < len(short):
        raise BadConfig(f"sweep.space: two paths end alike in {', '.join(short)}; their last words name the parameters")
    return [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]


def index(combinations: Iterable[Combination]) -> pd.MultiIndex:
    "Combinations as the rows of a table, one level per parameter, named by the path's last word."
    rows = list(combinations)
    names = [path.split(".")[-1] for path in rows[0]]
    return pd.MultiIndex.from_tuples([tuple(c.values()) for c in rows], names=names)


def words(combination: Combination) -> str:
    "A combination in one line; conf's own where nothing is changed."
    return ", ".join(f"{path.split('.')[-1]} {value}" for path, value in combination.items()) or "conf"


# One combination


def live_tickets(tape: Tape, policy: Policy) -> list[SimpleNamespace]:  # setup_id, outcome, time, ticket
    "What `decide_all` would let trade, worked out for all candidates at once."
    table = tape.candidates
    yes, plans = _live(tape, table, policy)
    rows = zip(table["setup_id"][yes], table["time"][yes], tickets({k: v[yes] for k, v in plans.items()}), strict=True)
    return [SimpleNamespace(setup_id=i, outcome="live", time=t.value, ticket=ticket) for i, t, ticket in rows]


def last_looks(
    tape: Tape,
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


def orders(tape: Tape, policy: Policy) -> pd.DataFrame:  # INTENT_DTYPES
    "What the policy would have sent, in conf's modes; a limit is taken back when an enforced gate turns."
    live = live_tickets(tape, policy)
    return intents(live, tape.bars, looks=last_looks(tape, policy, live), policy=policy, **tape.orders)


def _live(tape: Tape, table: pd.DataFrame, policy: Policy) -> tuple[np.ndarray, dict[str, np.ndarray]]:
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
    tape: Tape,
    combination: Combination,
) -> Ledger:
    "The tape replayed by one combination, from flat."
    policy, rules, exits = settings(tape, combination)
    sent = orders(tape, policy)
    return replay(tape.bars, with_exits(sent, exits) if exits else sent, **_game(tape, policy, rules))


def _game(tape: Tape, policy: Policy, rules: Rules) -> dict[str, Any]:
    "What a replay is told beside bars and intents."
    return {
        "instrument": tape.context.instrument, "account": tape.context.account, "costs": tape.costs, "rules": rules,
        "max_risk_pct": policy.in_force.risk.max_risk_pct,
    }  # fmt: skip


def daily(tape: Tape, ledger: Ledger) -> pd.Series:
    "A ledger's return on every trading day of its tape, by the market's own day."
    return daily_returns(ledger.equity, start_equity=ledger.start_equity, **tape.day)


def card(tape: Tape, ledger: Ledger, *, n_boot: int = 0, seed: int = 0) -> pd.DataFrame:
    "The scorecard of one combination's ledger."
    return scorecard(ledger, tape.bars, n_boot=n_boot, seed=seed, **tape.day)


def _longest_days(tape: Tape, limit_bars: int) -> float:
    "The longest a trade could last by its time limit, anywhere on the tape, calendar days."
    times = tape.bars.index
    ends = times[min(limit_bars, len(times) - 1) :]
    return float((ends - times[: len(ends)]).max() / pd.Timedelta(days=1))


def _alike(combinations: list[Combination]) -> Iterator[tuple[Combination, list[int], list[dict[str, Any]]]]:
    "What asks for the same orders: it, its rows, and how each of them shapes the exits."
    groups: dict[str, tuple] = {}
    for row, combination in enumerate(combinations):
        asked = {path: value for path, value in combination.items() if not path.startswith("exits.")}
        exits = {path.partition(".")[2]: value for path, value in combination.items() if path.startswith("exits.")}
        _, rows, shapes = groups.setdefault(repr(asked), (asked, [], []))
        rows.append(row)
        shapes.append(exits)
    yield from groups.values()


def _block(tape: Tape, combinations: list[Combination]) -> tuple[pd.DataFrame, pd.DataFrame]:  # figures, returns
    "One unit of work: some combinations on one symbol's tape; one pass of the kernel for those with the same orders."
    figures, returns = [], []
    for asked, rows, shapes in _alike(combinations):
        policy, rules, _ = settings(tape, asked)
        table = pd.DataFrame(shapes, index=rows)
        told, earned = play_all(tape.bars, orders(tape, policy), table, **_game(tape, policy, rules))
        limits = [int(exits.get("time_limit_bars", policy.in_force.time_limit_bars)) for exits in shapes]
        longest = {limit: _longest_days(tape, limit) for limit in set(limits)}
        told["longest_trade_days"] = [longest[limit] for limit in limits]
        figures.append(told.assign(policy_hash=policy.hash(), sharpe_annual=told["sharpe_daily"] * year(tape) ** 0.5))
        returns.append(earned)
    kept = [*FIGURES, "longest_trade_days", "policy_hash"]
    return pd.concat(figures)[kept].sort_index(), pd.concat(returns).sort_index()


# Work, here or beside


_listeners: list[Callable[[str, int, int], None]] = []  # (what, done, total)


def listen(to: Callable[[str, int, int], None] | None) -> None:
    "Tell this callable, and nobody else, how far the work is; None: nobody."
    _listeners[:] = [to] if to else []


def heard(what: str, results: Iterable, total: int) -> Iterator:
    "The results as they come, counted aloud."
    for done, result in enumerate(results, 1):
        for to in _listeners:
            to(what, done, total)
        yield result


def check_engine(engine: str, scheduler: str | None = None) -> None:
    "`BadConfig` unless the engine is one of `ENGINES`, and Dask where a scheduler is named."
    if engine not in ENGINES:
        raise BadConfig(f"engine must be one of {', '.join(ENGINES)}, found {engine!r}{nearest(str(engine), ENGINES)}")
    if scheduler and engine != "dask":
        raise BadConfig(f"scheduler {scheduler!r} is Dask's: say engine dask beside it, found engine {engine}")


def work(
    what: str,  # for the progress bar
    function: Callable,
    units: list[tuple],  # arguments of each call
    *,
    engine: str = "joblib",  # one of ENGINES
    jobs: int = 2,  # processes on this machine; -1: one per core
    scheduler: str | None = None,  # of Dask, such as tcp://10.0.0.5:8786; None: Dask on this machine
) -> list:  # results in order of `units`, the same whatever the engine
    "A function over independent pieces of work."
    check_engine(engine, scheduler)
    if engine == "dask":
        done = crew.results(function, units, (Tape,), jobs=jobs, scheduler=scheduler)
    elif engine == "serial" or len(units) < 2:
        done = (function(*unit) for unit in units)
    else:
        from joblib import Parallel, delayed

        done = Parallel(n_jobs=jobs, return_as="generator")(delayed(function)(*unit) for unit in units)
    return list(heard(what, done, len(units)))


# A sweep


@dataclasses.dataclass(frozen=True, eq=False)
class Sweep:
    "A grid played: figures and daily returns per combination."

    combinations: list[Combination]
    figures: pd.DataFrame  # (combinations, FIGURES, longest_trade_days, policy_hash), index: the parameters
    returns: pd.DataFrame  # (combinations, days) daily simple returns

    @property
    def longest_trade_days(self) -> float:
        "The longest any combination could hold a trade, calendar days."
        return float(self.figures["longest_trade_days"].max())

    def hash(self) -> str:  # 64 hex digits
        "sha256 over every combination and its daily returns; equal grids have equal hashes."
        digest = hashlib.sha256(repr([sorted(c.items()) for c in self.combinations]).encode())
        for row in self.returns.to_numpy(float):
            digest.update("|".join(format(x + 0.0, ".12g") for x in row).encode())
        return digest.hexdigest()

    @property
    def whole(self) -> pd.DataFrame:
        "The returns of the combinations that were never ruined."
        return self.returns[np.isfinite(self.returns.to_numpy()).all(axis=1)]


def sweep(
    tape: Tape,
    combinations: list[Combination],
    *,
    block: int = 16,  # combinations per unit of work
    **how: Any,  # as `work`: engine, jobs, scheduler
) -> Sweep:
    "Every combination on the whole tape; what was read and found is shared by all."
    for asked, _, _ in _alike(combinations):
        settings(tape, asked)  # a wrong value is refused before anything starts
    blocks = [(tape, combinations[i : i + block]) for i in range(0, len(combinations), block)]
    done = work(f"{tape.symbol} sweep", _block, blocks, **how)
    figures, returns = (pd.concat(parts).set_axis(index(combinations)) for parts in zip(*done, strict=True))
    return Sweep(combinations, figures, returns)


def best(sweep: Sweep, n: int) -> list[int]:
    "Rows of the combinations with the highest Sharpe ratio; the first of equals."
    order = np.argsort(-sweep.figures["sharpe_annual"].fillna(-np.inf).to_numpy(), kind="stable")
    return [int(i) for i in order[:n]]


# Chosen combinations and folds, each a run of its own


@dataclasses.dataclass(frozen=True, eq=False)
class Chosen:
    "One combination played again, to be kept whole."

    name: str
    symbol: str
    combination: Combination
    ledger: Ledger
    scorecard: pd.DataFrame
    daily_returns: pd.Series
    policy_hash: str
    fold: int = -1  # -1: the whole tape
    bars: tuple[int, int] = (0, 0)  # first bar, and the one after the last
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)  # beside the scorecard's


def _chosen(tape: Tape, combination: Combination, fold: int, bars: tuple[int, int], n_boot: int, seed: int) -> Chosen:
    "One unit of work: a combination on one part of one symbol's tape."
    part = tape.between(*bars)
    ledger = play(part, combination)
    name = words(combination) if fold < 0 else f"fold {fold}: {words(combination)}"
    counted = card(part, ledger, n_boot=n_boot, seed=seed)
    policy, _, _ = settings(tape, combination)
    return Chosen(
        name, tape.symbol, combination, ledger, counted, daily(part, ledger), policy.hash(), fold, bars
    )  # fmt: skip


def chosen(
    tape: Tape,
    sweep: Sweep,
    *,
    keep_n: int,  # the best of the grid
    n_boot: int,
    seed: int,
    **how: Any,  # as `work`: engine, jobs, scheduler
) -> list[Chosen]:
    "Conf's own policy and the best of the grid, each with its ledger."
    picked: list[Combination] = [{}, *(sweep.combinations[row] for row in best(sweep, keep_n))]
    units = [(tape, combination, -1, (0, len(tape.bars)), n_boot, seed) for combination in picked]
    return work(f"{tape.symbol} chosen", _chosen, units, **how)


_FOLD_METRICS = (
    "train_days_n", "test_days_n", "train_sharpe_annual", "test_sharpe_annual", "train_return_pct_year",
    "test_return_pct_year", "test_place", "neighbours_sharpe_annual",
)  # fmt: skip


def fold_bars(tape: Tape, windows: pd.DataFrame) -> list[tuple[int, int]]:
    "The bars of every window's test days: first, and one after the last."
    days = trading_days(tape.bars.index, **tape.day)
    starts, ends = days.searchsorted(windows["test_from"]), days.searchsorted(windows["test_to"], side="right")
    return [(int(a), int(b)) for a, b in zip(starts, ends, strict=True)]


def folds(
    tape: Tape,
    sweep: Sweep,
    study: Study,
    *,
    n_boot: int,
    seed: int,
    **how: Any,  # as `work`: engine, jobs, scheduler
) -> list[Chosen]:
    "Every window's choice played again from flat on its test days, with the account's first equity."
    rows = [study.windows["combination_row"].iloc[k] for k in range(len(study.windows))]
    at = sweep.figures.index.get_indexer(sweep.whole.index[rows])
    units = [
        (tape, sweep.combinations[row], fold, bars, n_boot, seed)
        for fold, (row, bars) in enumerate(zip(at, fold_bars(tape, study.windows), strict=True))
    ]
    done = work(f"{tape.symbol} folds", _chosen, units, **how)
    told = study.windows[list(_FOLD_METRICS)].astype(float).to_dict("records")
    return [dataclasses.replace(fold, metrics=row) for fold, row in zip(done, told, strict=True)]


def hash_of(made: Any) -> str:  # 64 hex digits; a policy's own 16
    "One hash of what came out; where that is several ledgers, sha256 over their hashes."
    if isinstance(made, list):
        ledgers = [one.ledger for one in made]
    elif hasattr(made, "ledgers"):
        ledgers = list(made.ledgers.values())
    else:
        return made.hash()
    return hashlib.sha256("".join(ledger.hash() for ledger in ledgers).encode()).hexdigest()


def joined(folds: list[Chosen]) -> pd.Series:
    "The test days of all folds in one row."
    return pd.concat([fold.daily_returns for fold in folds]).rename("daily_return")
