"""Every combination of a grid on one tape: figures, daily returns, and the best of them played whole."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from smcdesk.research.tape import (
    KINDS,
    Combination,
    ResearchTape,
    card,
    daily,
    orders,
    play,
    replay_args,
    settings,
    year,
)
from smcdesk.research.workers import run_units
from smclab.candles import BadConfig, nearest
from smclab.matching import GRID
from smclab.replay import Ledger
from smclab.sweep import sweep as play_all

FIGURES = (
    "trades_n", "ambiguous_n", "win_rate_pct", "profit_factor", "expectancy_r", "total_r", "total_return_pct",
    "sharpe_annual", "max_drawdown_pct", "costs",
)  # fmt: skip


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


def label(combination: Combination) -> str:
    "A combination in one line; conf's own where nothing is changed."
    return ", ".join(f"{path.split('.')[-1]} {value}" for path, value in combination.items()) or "conf"


def _longest_days(tape: ResearchTape, limit_bars: int) -> float:
    "The longest a trade could last by its time limit, anywhere on the tape, calendar days."
    times = tape.bars.index
    ends = times[min(limit_bars, len(times) - 1) :]
    return float((ends - times[: len(ends)]).max() / pd.Timedelta(days=1))


def _group_by_orders(combinations: list[Combination]) -> Iterator[tuple[Combination, list[int], list[dict[str, Any]]]]:
    "Combinations with the same orders: the shared part, their rows, and the exits of each row."
    groups: dict[str, tuple] = {}
    for row, combination in enumerate(combinations):
        order_params = {path: value for path, value in combination.items() if not path.startswith("exits.")}
        exits = {path.partition(".")[2]: value for path, value in combination.items() if path.startswith("exits.")}
        _, rows, shapes = groups.setdefault(repr(order_params), (order_params, [], []))
        rows.append(row)
        shapes.append(exits)
    yield from groups.values()


def _block(
    tape: ResearchTape, combinations: list[Combination]
) -> tuple[pd.DataFrame, pd.DataFrame]:  # figures, returns
    "One unit of work: some combinations on one symbol's tape; one pass of the kernel for those with the same orders."
    figures, returns = [], []
    for order_params, rows, shapes in _group_by_orders(combinations):
        policy, rules, _ = settings(tape, order_params)
        table = pd.DataFrame(shapes, index=rows)
        found, earned = play_all(tape.bars, orders(tape, policy), table, **replay_args(tape, policy, rules))
        limits = [int(exits.get("time_limit_bars", policy.in_force.time_limit_bars)) for exits in shapes]
        longest = {limit: _longest_days(tape, limit) for limit in set(limits)}
        found["longest_trade_days"] = [longest[limit] for limit in limits]
        figures.append(found.assign(policy_hash=policy.hash(), sharpe_annual=found["sharpe_daily"] * year(tape) ** 0.5))
        returns.append(earned)
    columns = [*FIGURES, "longest_trade_days", "policy_hash"]
    return pd.concat(figures)[columns].sort_index(), pd.concat(returns).sort_index()


@dataclasses.dataclass(frozen=True, eq=False)
class Sweep:
    "A replayed grid: figures and daily returns per combination."

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
        "The daily returns of the combinations that were never ruined."
        return self.returns[np.isfinite(self.returns.to_numpy()).all(axis=1)]


def sweep(
    tape: ResearchTape,
    combinations: list[Combination],
    *,
    block: int = 16,  # combinations per unit of work
    **how: Any,  # as `run_units`: engine, jobs, scheduler
) -> Sweep:
    "Every combination on the whole tape; bars, reading and candidates are shared by all."
    for order_params, _, _ in _group_by_orders(combinations):
        settings(tape, order_params)  # a wrong value is refused before anything starts
    blocks = [(tape, combinations[i : i + block]) for i in range(0, len(combinations), block)]
    done = run_units(f"{tape.symbol} sweep", _block, blocks, large=(ResearchTape,), **how)
    figures, returns = (pd.concat(parts).set_axis(index(combinations)) for parts in zip(*done, strict=True))
    return Sweep(combinations, figures, returns)


def best(sweep: Sweep, n: int) -> list[int]:
    "Rows of the combinations with the highest Sharpe ratio; the first of equals."
    order = np.argsort(-sweep.figures["sharpe_annual"].fillna(-np.inf).to_numpy(), kind="stable")
    return [int(i) for i in order[:n]]


@dataclasses.dataclass(frozen=True, eq=False)
class SelectedRun:
    "One combination replayed on its own, with its ledger and scorecard."

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


def selected_run(
    tape: ResearchTape, combination: Combination, fold: int, bars: tuple[int, int], n_boot: int, seed: int
) -> SelectedRun:
    "One unit of work: a combination on one part of one symbol's tape."
    part = tape.between(*bars)
    ledger = play(part, combination)
    name = label(combination) if fold < 0 else f"fold {fold}: {label(combination)}"
    counted = card(part, ledger, n_boot=n_boot, seed=seed)
    policy, _, _ = settings(tape, combination)
    return SelectedRun(
        name, tape.symbol, combination, ledger, counted, daily(part, ledger), policy.hash(), fold, bars
    )  # fmt: skip


def chosen(
    tape: ResearchTape,
    sweep: Sweep,
    *,
    keep_n: int,  # the best of the grid
    n_boot: int,
    seed: int,
    **how: Any,  # as `run_units`: engine, jobs, scheduler
) -> list[SelectedRun]:
    "Conf's own policy and the best of the grid, each with its ledger."
    picked: list[Combination] = [{}, *(sweep.combinations[row] for row in best(sweep, keep_n))]
    units = [(tape, combination, -1, (0, len(tape.bars)), n_boot, seed) for combination in picked]
    return run_units(f"{tape.symbol} chosen", selected_run, units, large=(ResearchTape,), **how)


def result_hash(result: Any) -> str:  # 64 hex digits; a policy's own 16
    "The hash of a result; of several ledgers, sha256 over their hashes."
    if isinstance(result, list):
        ledgers = [one.ledger for one in result]
    elif hasattr(result, "ledgers"):
        ledgers = list(result.ledgers.values())
    else:
        return result.hash()
    return hashlib.sha256("".join(ledger.hash() for ledger in ledgers).encode()).hexdigest()
