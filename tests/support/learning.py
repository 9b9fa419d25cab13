"""Rows with a signal in them, and a tape with its candidates, to learn from."""

import numpy as np
import pandas as pd

from smclab.account import Account
from smclab.gates import Context
from smclab.instruments import instrument
from smclab.learner import ModelConfig
from smclab.reader import read
from smclab.regime import regimes
from smclab.setups import SetupConfig, candidates
from smclab.tapes import market

DAY = 86_400 * 10**9
QUICK = ModelConfig(n_outer=2, n_inner=2, n_iter=1, n_boot=200)
ANY = SetupConfig(sweep_sources=("external", "equal", "swing"), confirm="any")


def planted_rows():
    """Rows whose first column matters, with their outcome and label spans."""
    rng, n = np.random.default_rng(3), 600
    x = rng.normal(size=(n, 5))
    won = (rng.random(n) < 1 / (1 + np.exp(0.6 - 1.5 * x[:, 0]))).astype(float)
    start = np.arange(n) * DAY // 4
    table = pd.DataFrame(x, columns=list("abcde"), index=[f"s{i:04}" for i in range(n)])
    return table, won, start, start + rng.integers(0, DAY, n)


def synthetic_tape():
    """A made-up market, its reading, candidates and context."""
    bars, owner = market(3_000, seed=11), instrument("EURUSD")
    reading = read(bars, instrument=owner)
    words = regimes(bars).regime
    context = Context(owner, Account(10_000.0), 0.00008, regimes=words.set_axis(bars.index + pd.Timedelta(minutes=15)))
    return reading, candidates(reading, owner, ANY), context
