"""Where there is nothing to find, nothing may be found: on a fair game every way to trade earns minus its costs.

The tapes are martingales (changing volatility, fat tails, no memory of direction), walked in 60 steps a bar so that
what happens inside a bar is fair too. A look-ahead anywhere from the reader to the ledger would show here as skill.
"""

import numpy as np
import pandas as pd
import pytest

from smclab.account import Account
from smclab.decision import decide_all
from smclab.execution import Costs, intent_table, intents
from smclab.gates import Context
from smclab.instruments import instrument
from smclab.policy import Policy
from smclab.reader import read
from smclab.replay import replay

EURUSD, ACCOUNT = instrument("EURUSD"), Account(equity=10_000_000.0)
SIGMAS = 3.5


def fair_game(seed: int, n: int = 15_000, steps: int = 60) -> pd.DataFrame:
    "Bars of a game without direction."
    draw = np.random.default_rng(seed)
    calm = np.exp(np.repeat(draw.normal(0, 0.5, n), steps))
    walk = 200_000 + np.cumsum(np.rint(draw.standard_t(5, n * steps) * 3 * calm)).reshape(n, steps)
    open_ = np.r_[200_000, walk[:-1, -1]]
    high, low = np.maximum(walk.max(1), open_), np.minimum(walk.min(1), open_)
    times = pd.DatetimeIndex(np.arange(n) * 900_000_000_000 + 1_600_000_000_000_000_000, tz="UTC", name="time")
    prices = {"open": open_ / 1e5, "high": high / 1e5, "low": low / 1e5, "close": walk[:, -1] / 1e5}
    return pd.DataFrame(prices | {"volume": 1.0}, index=times)


@pytest.fixture(scope="module")
def tapes() -> list[pd.DataFrame]:
    return [fair_game(seed) for seed in range(5)]


def surplus_r(ledger) -> np.ndarray:
    "What each closed trade earned beyond minus its costs, in R."
    closed = ledger.closed
    risked = (closed["pnl"] / closed["r_multiple"]).to_numpy()
    return (closed["r_multiple"] + closed["cost"] / risked).to_numpy()


def is_fair(surplus: np.ndarray) -> bool:
    "Whether the mean is nought, as far as the sample can tell."
    return abs(surplus.mean()) < SIGMAS * surplus.std() / np.sqrt(len(surplus))


def random_entries(bars: pd.DataFrame, seed: int) -> pd.DataFrame:
    "An intent every thirty bars, its side by the toss of a coin."
    draw, close = np.random.default_rng(seed), bars["close"].to_numpy()
    spot = np.arange(100, len(bars) - 1, 30)
    side = draw.choice((-1, 1), len(spot))
    return intent_table(
        {
            "decision_bar": int(t), "side": int(s), "entry_price": close[t], "stop_price": close[t] - s * 0.0020,
            "target_price": close[t] + s * 0.0040, "time_limit_bars": 96,
        }
        for t, s in zip(spot, side, strict=True)
    )  # fmt: skip


@pytest.mark.parametrize("spread", [0.0, 0.0002])
def test_random_entries_earn_minus_their_costs(tapes, spread):
    costs = Costs(spread_price=spread)
    surplus = np.concatenate([
        surplus_r(replay(bars, random_entries(bars, k), instrument=EURUSD, account=ACCOUNT, costs=costs))
        for k, bars in enumerate(tapes)
    ])  # fmt: skip
    assert len(surplus) > 1_000
    assert is_fair(surplus), f"{surplus.mean():+.3f} R beyond costs over {len(surplus)} trades"


def test_setups_find_nothing_in_a_fair_game(tapes):
    policy = Policy.from_dict({"preset": "v1", "stop_cap": {"instrument_cap": False}})
    context, found = Context(EURUSD, ACCOUNT, spread_price=0.0), []
    for bars in tapes:
        orders = intents(decide_all(read(bars, instrument=EURUSD), context, policy), bars)
        found.append(surplus_r(replay(bars, orders, instrument=EURUSD, account=ACCOUNT, costs=Costs())))
    surplus = np.concatenate(found)
    assert len(surplus) > 300
    assert is_fair(surplus), f"{surplus.mean():+.3f} R of skill over {len(surplus)} trades, where there is none to have"
