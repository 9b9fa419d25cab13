"""A reading in; what every combination of a grid would have earned out, with the best of them played whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from kedro.pipeline import Pipeline, node

from smcdesk import figures
from smcdesk.pipelines.decide import context_nodes
from smcdesk.pipelines.namespace import namespaced
from smcdesk.research import sweep as sweeping
from smcdesk.research.sweep import SelectedRun, Sweep
from smcdesk.research.tape import ResearchTape
from smclab.instruments import Instrument
from smclab.reading import Reading
from smclab.setups import SetupConfig, candidates, warmup_bars
from smclab.walkforward import plateau


def waiting(reading: Reading, instrument: Instrument, config: SetupConfig) -> pd.DataFrame:
    "Every limit that waits, bar after bar, as it is reviewed."
    found = candidates(reading, instrument, config, pending=True)
    return found[found["mode"] == "limit"]


def tape(
    reading, setups, bars, candidates, context, costs, spread_price, policy, rules, orders, waiting
) -> ResearchTape:
    "The tape that all combinations share."
    first = warmup_bars(reading, setups)
    return ResearchTape(bars, candidates, context, costs, spread_price, policy, rules, orders, waiting, first)


def swept(tape: ResearchTape, space: Mapping[str, list], work: Mapping[str, Any]) -> Sweep:
    "The whole grid on the tape."
    return sweeping.sweep(tape, sweeping.grid(space), **work)


def grid_table(sweep: Sweep) -> pd.DataFrame:
    "Every combination with its figures and how its neighbours do, one row each."
    near = plateau(sweep.figures["sharpe_annual"]).drop(columns="score").add_suffix("_sharpe_annual")
    near = near.rename(columns={"neighbours_n_sharpe_annual": "neighbours_n"})
    return pd.concat([sweep.figures, near], axis=1).reset_index()


def grid_returns(sweep: Sweep) -> pd.DataFrame:
    "The (combination, day) matrix, days as columns."
    days = sweep.returns.columns.strftime("%Y-%m-%d")
    return sweep.returns.set_axis(days, axis=1).reset_index()


def metrics(sweep: Sweep) -> dict[str, dict[str, float]]:
    "The grid in a few figures, as MLflow metrics."
    sharpe = sweep.figures["sharpe_annual"]
    values = {
        "combinations_n": len(sharpe), "ruined_n": len(sharpe) - len(sweep.whole), "best_sharpe_annual": sharpe.max(),
        "median_sharpe_annual": sharpe.median(), "longest_trade_days": sweep.longest_trade_days,
    }  # fmt: skip
    return {name: {"value": float(v), "step": 0} for name, v in values.items() if pd.notna(v)}


def chosen(
    tape: ResearchTape, sweep: Sweep, keep_n: int, n_boot: int, seed: int, work: Mapping[str, Any]
) -> list[SelectedRun]:
    "Conf's own policy and the best of the grid."
    how = {k: v for k, v in work.items() if k != "block"}
    return sweeping.chosen(tape, sweep, keep_n=keep_n, n_boot=n_boot, seed=seed, **how)


def tape_nodes(symbol: str) -> list:
    "The nodes from a reading to the tape all combinations share; every study begins with them."
    shared = ["reading", "setup_config", "entry_bars", "candidates", "context", "costs", "spread_price"]
    shared += ["params:policy", "params:rules", "params:orders", "waiting"]
    return [
        *context_nodes(symbol),
        node(waiting, ["reading", "instrument", "setup_config"], "waiting", name="waiting"),
        node(tape, shared, "tape", name="tape"),
    ]


def grid_nodes(symbol: str) -> list:
    "The nodes from a reading to its swept grid; the walk-forward begins with them."
    return [
        *tape_nodes(symbol),
        node(swept, ["tape", "params:sweep.space", "params:work"], "sweep", name="sweep"),
        node(grid_table, "sweep", "grid", name="grid"),
        node(grid_returns, "sweep", "grid_returns", name="grid_returns"),
        node(figures.heat_map, "grid", "heat_map", name="heat_map"),
        node(metrics, "sweep", "sweep_metrics", name="sweep_metrics"),
    ]


def create_pipeline(symbol: str) -> Pipeline:
    "A reading to a grid and its best combinations."
    inputs = ["tape", "sweep", "params:sweep.keep_n", "params:scorecard.n_boot", "params:seed", "params:work"]
    return namespaced(symbol, [*grid_nodes(symbol), node(chosen, inputs, "sweep_runs", name="chosen")])
