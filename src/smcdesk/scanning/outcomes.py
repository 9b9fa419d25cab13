"""What became of stored setups, filled in from later candles."""

from __future__ import annotations

from collections.abc import Iterable

from smcdesk.decisions.records import outcome_rows
from smcdesk.decisions.series import bar_length
from smcdesk.scanning.workspace import Workspace


def outcomes(workspace: Workspace, symbols: Iterable[str], timeframes: Iterable[str]) -> int:  # how many became known
    "Fill what became of stored setups from the candles there are by now."
    new = 0
    for symbol in symbols:
        waiting = workspace.store.labels(instrument=symbol, outcome=None)
        for tf in timeframes:
            own = waiting[(waiting["timeframe"] == tf) & waiting["entry_price"].notna()]
            if len(own):
                before = own["time"].min() - 30 * bar_length(tf)  # enough to tell the timeframe by
                bars, world = workspace.history.bars(workspace.provider_name, symbol, tf, before), workspace.configs[symbol]
                new += workspace.store.fill_outcomes(outcome_rows(bars, own, world.instrument, world.costs, workspace.rules))
    return new
