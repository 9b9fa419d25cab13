"""The gate of the second engine: random orders through the kernel and through backtrader, equal trade by trade.

`make test` plays a few thousand trades; `make parity` sets PARITY_TRADES and plays a hundred thousand.
"""

import itertools
import os
from dataclasses import replace

import pytest

from smclab.account import Account
from smclab.candles import BadConfig
from smclab.execution import PRESETS, Costs, Rules
from smclab.instruments import instrument
from smclab.parity import random_orders, verify
from smclab.replay import replay
from smclab.tapes import random_ticks

WANTED = int(os.environ.get("PARITY_TRADES", "3000"))
RULES = {
    **PRESETS,
    "path": Rules(tie="path"),
    "nearest": Rules(tie="nearest", through_ticks=0),
    "target_first": Rules(tie="target", slip_cap_in_bar=True),
    "no_improvement": Rules(target_gap_improve=False, volume_share_pct=20.0),
}
EXITS = {"stop", "stop_gap", "target", "target_gap", "time", "zone"}


def game(seed: int, rules: Rules):
    """One tape with its orders, costs and grid; every third bar, so that there are gaps."""
    tick, spread, slip = [(1.0, 0, 0), (0.1, 2, 1), (0.5, 0, 1), (0.00001, 1, 0)][seed % 4]
    bars = random_ticks(3000, seed=seed, levels=14).iloc[::3]
    prices = ["open", "high", "low", "close"]
    bars = bars.assign(**{c: (bars[c] * tick).round(10) for c in prices}, volume=50.0 + seed % 100)
    coin = {
        "tick": tick,
        "point": tick,
        "pip": tick,
        "contract_size": 1.0,
        "lot_step": 1.0,
        "min_size": 1.0,
        "max_size": 1e9,
    }
    coin = replace(instrument("BTCUSDT"), symbol="HAND", max_leverage=50.0, **coin)
    bill = {"commission_pct": 0.001 * (seed % 3), "commission_per_unit": 0.001 * tick * (seed % 2)}
    side = ("bid", "mid", "ask")[seed % 3]
    costs = Costs(spread_price=spread * tick, slippage_price=slip * tick, bars_side=side, **bill)
    return bars, random_orders(bars, seed, tick), coin, costs, replace(rules, cooldown_bars=seed % 3)


def test_backtrader_finds_the_same_trades():
    trades, differences, words, legs = 0, [], set(), set()
    for seed, (name, rules) in zip(itertools.count(), itertools.cycle(RULES.items()), strict=False):
        bars, orders, coin, costs, rules = game(seed + seed // len(RULES), rules)
        account = Account(equity=1e6 * coin.tick)
        ledger = replay(bars, orders, instrument=coin, account=account, costs=costs, rules=rules)
        check = verify(ledger, bars, orders, instrument=coin, costs=costs)
        trades += check.trades_n
        words |= set(ledger.closed["exit_reason"])
        legs |= set(zip(ledger.closed["side"].tolist(), ledger.closed["leg"].tolist(), strict=True))
        if not check.passed:
            differences.append(f"{name}, tape {seed}: {check}")
        if trades >= WANTED or len(differences) > 3:
            break
    print(f"\nverified: {trades:,} trades on {seed + 1} random tapes, {len(differences)} with a difference")
    assert not differences, "\n".join(differences)
    assert words >= EXITS and legs == {(1, 1), (1, 2), (-1, 1), (-1, 2)}


@pytest.mark.parametrize("switch", ["tie", "through_ticks", "entry_bar_exits", "gap_target_first"])
def test_backtrader_under_other_rules_finds_the_difference(switch):
    bars, orders, coin, costs, rules = game(2, Rules())
    ledger = replay(bars, orders, instrument=coin, account=Account(equity=1e6), costs=costs, rules=rules)
    lie = {"tie": "target", "through_ticks": 0, "entry_bar_exits": False, "gap_target_first": False}[switch]
    check = verify(replace(ledger, rules=replace(rules, **{switch: lie})), bars, orders, instrument=coin, costs=costs)
    assert not check.passed and "kernel" in check.difference and "open" in check.difference


def test_backtrader_is_not_asked_what_it_cannot_see():
    bars, orders, coin, costs, rules = game(2, Rules())
    ledger = replay(bars, orders, instrument=coin, account=Account(equity=1e6), costs=costs, rules=rules)
    with pytest.raises(BadConfig, match="no bar inside a bar"):
        verify(replace(ledger, rules=replace(rules, tie="sub_bar")), bars, orders, instrument=coin, costs=costs)
