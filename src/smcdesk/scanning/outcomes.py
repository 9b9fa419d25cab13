"""What became of stored setups, filled in from later candles."""

from __future__ import annotations

from collections.abc import Iterable

from smcdesk.decisions.records import outcome_rows
from smcdesk.decisions.series import bar_length
from smcdesk.scanning.workspace import Workspace


def fill_outcomes(workspace: Workspace, symbols: Iterable[str], timeframes: Iterable[str]) -> int:  # how many were new
    "Fill the outcomes that the candles of now decide; the rest waits."
    new = 0
    for symbol in symbols:
        waiting = workspace.store.labels(instrument=symbol, outcome=None)
        config = workspace.configs[symbol]
        for tf in timeframes:
            own = waiting[(waiting["timeframe"] == tf) & waiting["entry_price"].notna()]
            if len(own):
                before = own["time"].min() - 30 * bar_length(tf)  # enough to infer the timeframe
                bars = workspace.history.bars(workspace.provider_name, symbol, tf, before)
                limits = own.loc[own["mode"] == "limit", "setup_id"].tolist()
                reviews = workspace.store.decisions(setup_id=limits) if limits else ()
                rows = outcome_rows(bars, own, config.instrument, config.costs, workspace.rules, reviews)
                new += workspace.store.fill_outcomes(rows)
    return new
