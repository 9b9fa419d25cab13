"""What became of stored setups, filled in from later candles."""

from __future__ import annotations

from collections.abc import Iterable

from smcdesk.decisions.records import outcome_rows
from smcdesk.decisions.series import step_of
from smcdesk.scanning.workspace import Desk


def outcomes(desk: Desk, symbols: Iterable[str], timeframes: Iterable[str]) -> int:  # how many became known
    "Fill what became of stored setups from the candles there are by now."
    new = 0
    for symbol in symbols:
        waiting = desk.store.labels(instrument=symbol, outcome=None)
        for tf in timeframes:
            own = waiting[(waiting["timeframe"] == tf) & waiting["entry_price"].notna()]
            if len(own):
                before = own["time"].min() - 30 * step_of(tf)  # enough to tell the timeframe by
                bars, world = desk.history.bars(desk.provider_name, symbol, tf, before), desk.worlds[symbol]
                new += desk.store.fill_outcomes(outcome_rows(bars, own, world.instrument, world.costs, desk.rules))
    return new
