"""The preset `backtesting_py` against the real backtesting.py, equal trade by trade.

`make test` compares with a recorded sample; `make parity` sets BACKTESTING_TRADES and asks the package itself.
"""

import gzip
import json
import os
from collections import Counter
from dataclasses import replace

import backtesting_games as peer
import pandas as pd
import pytest

from smclab.execution import intent_table
from smclab.replay import replay

WANTED = int(os.environ.get("BACKTESTING_TRADES", "0"))


def recorded() -> list[tuple]:
    """The sample's games: seed, bars, rows, and the trades the real package made."""
    content = json.loads(gzip.decompress(peer.SAMPLE.read_bytes()))
    assert content["from"] == peer.PIN and all(g["theirs"]["version"] == "0.6.6" for g in content["games"])
    out = []
    for one in content["games"]:
        index = pd.date_range("2024-01-08", periods=len(one["game"]["bars"]), freq="15min", tz="UTC", name="time")
        bars = pd.DataFrame(one["game"]["bars"], index, ["open", "high", "low", "close"]).assign(volume=1.0)
        out.append((one["seed"], bars, one["rows"], one["theirs"]))
    return out


def test_backtesting_py_made_the_same_trades():
    games = recorded()
    ledgers = [peer.ours(bars, rows, seed) for seed, bars, rows, _ in games]
    assert not [d for ledger, game in zip(ledgers, games, strict=True) for d in peer.differences(ledger, game[3])]
    reasons = Counter(reason for ledger in ledgers for reason in ledger.closed["exit_reason"])
    assert sum(reasons.values()) > 150 and set(reasons) >= {"stop", "stop_gap", "target", "target_gap", "time"}


@pytest.mark.parametrize("switch", [{"end_of_data": "close"}, {"fill_bar_exits": True}])
def test_backtesting_py_under_the_rules_of_before_is_another(switch):
    found = []
    for seed, bars, rows, theirs in recorded():
        ledger = replay(bars, intent_table(rows), rules=replace(peer.RULES, **switch), **peer.desk(seed)[1])
        found += peer.differences(ledger, theirs)
    assert found


@pytest.mark.skipif(not WANTED, reason="make parity asks the real backtesting.py")
def test_backtesting_py_itself_makes_the_same_trades():
    try:
        peer.interpreter()
    except RuntimeError as why:
        pytest.skip(str(why))
    trades, different, seed = 0, [], 100
    while trades < WANTED and len(different) < 3:
        seeds = range(seed, seed + 8)
        games = [peer.game(s) for s in seeds]
        for s, (_, bars, rows), theirs in zip(seeds, games, peer.played([g for g, _, _ in games]), strict=True):
            different += [f"tape {s}, {d}" for d in peer.differences(peer.ours(bars, rows, s), theirs)]
            trades += len(theirs["trades"])
        seed += 8
    print(f"\nbacktesting.py: {trades:,} trades on {seed - 100} random tapes, {len(different)} differences")
    assert not different, "\n".join(different)
