"""Random orders for the kernel and for the real backtesting.py, and an environment that has it.

Record the sample of `make test` again: PYTHONPATH=src python tests/support/backtesting_games.py
"""

import gzip
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from smclab.account import Account
from smclab.execution import BACKTESTING_PY, Costs, intent_table
from smclab.instruments import instrument
from smclab.replay import Ledger, replay
from smclab.tapes import random_ticks

PIN = "backtesting==0.6.6"  # AGPL: never a dependency, lives in an environment of its own
SAMPLE = Path(__file__).parents[1] / "fixtures" / "backtesting_py.json.gz"
SIZE, RULES = 100.0, replace(BACKTESTING_PY, cooldown_bars=0)


def random_rows(bars: pd.DataFrame, seed: int, tick: float) -> list[dict]:
    """Entries of every type with one stop and one target; one that waits has ended before the next is sent."""
    rng, rows, bar = np.random.default_rng(seed), [], 1
    while bar < len(bars) - 1:
        after = bar + int(rng.integers(1, 9))
        side, kind = int(rng.choice([-1, 1])), ("market", "limit", "stop")[rng.integers(3)]
        away = {"market": 0, "limit": -rng.integers(0, 3), "stop": rng.integers(0, 3)}[kind]
        entry = round(float(bars["close"].iloc[bar]) + side * tick * float(away), 10)
        stop, target = (round(entry + side * tick * float(rng.integers(*span)), 10) for span in ((-4, 0), (1, 6)))
        row = {"setup_id": str(bar), "intent_id": str(bar), "decision_bar": bar, "side": side, "entry_type": kind}
        row |= {"entry_price": entry, "stop_price": stop, "target_price": target, "expiry_bar": after}
        rows.append(row | {"risk_pct": 1.0, "time_limit_bars": int(rng.choice([1, 3, 8, 1000]))})
        bar = after
    return rows


def desk(seed: int) -> tuple[float, dict]:
    """The tick, and an instrument whose largest size is what every trade gets, an account and costs."""
    tick = (1.0, 0.1, 0.5, 0.00001)[seed % 4]
    grid = dict.fromkeys(("tick", "point", "pip"), tick) | dict.fromkeys(("contract_size", "lot_step", "min_size"), 1.0)
    coin = replace(instrument("BTCUSDT"), symbol="HAND", max_leverage=50.0, max_size=SIZE, **grid)
    return tick, {"instrument": coin, "account": Account(1e9 * tick), "costs": Costs(commission_pct=0.1 * (seed % 3))}


def ours(bars: pd.DataFrame, rows: list[dict], seed: int) -> Ledger:
    """The kernel's ledger."""
    return replay(bars, intent_table(rows), rules=RULES, **desk(seed)[1])


def tape(seed: int, n: int) -> pd.DataFrame:
    """Every third bar of a walk over few prices, so that it has gaps, ties and touches."""
    tick = desk(seed)[0]
    bars = random_ticks(n, seed=seed, levels=14).iloc[::3]
    return bars.assign(**{c: (bars[c] * tick).round(10) for c in ("open", "high", "low", "close")}, volume=1.0)


def sent(rows: list[dict], ledger: Ledger) -> list[dict]:
    """The orders the kernel admitted, each with the last bar on which it may fill."""
    entries = ledger.orders[ledger.orders["order_id"].str.endswith(":entry")].set_index("intent_id")
    out = []
    for row in rows:
        order = entries.loc[row["intent_id"]]
        if order["status"] == "refused":
            continue
        last = int(order["bar"]) - 1 if order["status"] == "cancelled" else row["expiry_bar"]
        out.append({"id": row["intent_id"], "size": int(SIZE), "last_bar": last} | {
            name: row[name] for name in
            ("decision_bar", "side", "entry_type", "entry_price", "stop_price", "target_price", "time_limit_bars")
        })  # fmt: skip
    return out


def game(seed: int, n: int = 3000) -> tuple[dict, pd.DataFrame, list[dict]]:
    """What the script is given, and the bars and rows it comes from."""
    bars, (tick, money) = tape(seed, n), desk(seed)
    rows = random_rows(bars, seed, tick)
    prices = bars[["open", "high", "low", "close"]].to_numpy().tolist()
    orders = sent(rows, ours(bars, rows, seed))
    charge = money["costs"].commission_pct / 100
    return {"bars": prices, "orders": orders, "equity": money["account"].equity, "commission": charge}, bars, rows


def compared(ledger: Ledger) -> dict[str, list]:
    """Every trade as the script names it: size, bars, prices, profit."""
    done = ledger.closed
    columns = ["entry_bar", "entry_price", "exit_bar", "exit_price", "pnl"]
    sizes, rest = done["size"] * done["side"], done[columns].itertuples(index=False, name=None)
    return {i: [size, *row] for i, size, row in zip(done["intent_id"], sizes, rest, strict=True)}


def differences(ledger: Ledger, theirs: dict) -> list[str]:
    """A sentence for every trade that is not the same, and for the equity at the end."""
    mine, other = compared(ledger), {row[0]: row[1:] for row in theirs["trades"]}
    out = [f"orders traded by one only: {sorted(mine.keys() ^ other.keys())}"] if mine.keys() != other.keys() else []
    scale = max(1.0, abs(theirs["equity"]) * 1e-9)
    for i in mine.keys() & other.keys():
        if not np.allclose(mine[i][:-1], other[i][:-1], rtol=1e-9, atol=0) or abs(mine[i][-1] - other[i][-1]) > scale:
            out.append(f"order {i}: kernel {mine[i]}, backtesting.py {other[i]}")
    end = float(ledger.equity["equity"].iloc[-1])
    return out if abs(end - theirs["equity"]) <= scale else [*out, f"equity {end} and {theirs['equity']}"]


@cache
def interpreter() -> Path:
    """A Python that has the pinned package, made on demand; `RuntimeError` with the reason where it cannot be."""
    folder = Path(sys.prefix) / "backtesting_py"
    python, pin = folder / "bin" / "python", folder / PIN
    if pin.exists():
        return python
    beside = Path(sys.executable).with_name("uv")
    uv = shutil.which("uv") or (str(beside) if beside.exists() else None)
    make = (
        [uv, "venv", "-q", "--clear", "--python", sys.executable] if uv else [sys.executable, "-m", "venv", "--clear"]
    )
    pip = [uv, "pip", "install", "-q", "--python", str(python)] if uv else [str(python), "-m", "pip", "install", "-q"]
    for command in ([*make, str(folder)], [*pip, PIN]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{PIN} cannot be installed here: {done.stderr.strip().splitlines()[-1:]}")
    pin.touch()
    return python


def played(games: list[dict]) -> list[dict]:
    """What the real package makes of the games."""
    script = Path(__file__).with_name("backtesting_py.py")
    done = subprocess.run(
        [interpreter(), "-W", "ignore", script], input=json.dumps(games), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def record(seeds: tuple[int, ...] = tuple(range(8)), n: int = 600):
    """Write the sample: games, their orders, and what the real package made of them."""
    games = [game(seed, n) for seed in seeds]
    answers = played([g for g, _, _ in games])
    content = {
        "from": PIN, "command": "PYTHONPATH=src python tests/support/backtesting_games.py",
        "games": [
            {"seed": seed, "game": g, "rows": rows, "theirs": answer}
            for seed, (g, _, rows), answer in zip(seeds, games, answers, strict=True)
        ],
    }  # fmt: skip
    part = SAMPLE.with_suffix(".part")
    part.write_bytes(gzip.compress(json.dumps(content).encode(), mtime=0))
    part.replace(SAMPLE)


if __name__ == "__main__":
    record()
