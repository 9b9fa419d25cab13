"""What the tests of research share: a copy of the project, two studies by the command, and a tape."""

import dataclasses

import pandas as pd
import pytest
from command import run_in, smcdesk
from project_copy import project_copy

from smcdesk.pipelines.sweep import waiting
from smcdesk.research import tape as research_tape
from smclab.account import Account
from smclab.execution import Costs
from smclab.gates import Context
from smclab.instruments import instrument
from smclab.reader import read
from smclab.setups import candidates, warmup_bars
from smclab.tapes import market


@pytest.fixture(scope="package")
def house(root, tmp_path_factory):
    """A copy of the project's conf and templates, the same for all tests of this folder: studies take their time."""
    yield from project_copy(root, tmp_path_factory)


WIDE = {"preset": "v1", "stop_cap": {"instrument_cap": False}}


@pytest.fixture(scope="package")
def swept(house):
    """A sweep of the made-up market, by the command."""
    return run_in(smcdesk("sweep", "--env", "test", "--no-report")[1])


@pytest.fixture(scope="package")
def walked(house):
    """A walk-forward of the made-up market, by the command."""
    return run_in(smcdesk("walkforward", "--env", "test", "--no-report")[1])


@pytest.fixture(scope="package")
def reading():
    return read(market(4000, seed=7, timeframe="15m", week="fx"), instrument=instrument("EURUSD"))


@pytest.fixture(scope="package")
def tape(reading):
    eurusd = instrument("EURUSD")
    context = Context(eurusd, Account(equity=10_000.0), eurusd.typical_spread)
    spread = pd.Series(eurusd.typical_spread, index=reading.bars.index)
    costs = Costs(spread_price=eurusd.typical_spread)
    return research_tape.ResearchTape(
        reading.bars,
        candidates(reading, eurusd),
        context,
        costs,
        spread,
        WIDE,
        {"tie": "stop"},
        warmup_bars=warmup_bars(reading),
    )


@pytest.fixture(scope="package")
def watched(reading, tape):
    """The tape with its waiting limits looked at again, as the pipeline has it."""
    how = {"modes": ["candle_close", "limit"], "legs": True, "zone_exit": True}
    return dataclasses.replace(tape, orders=how, reviews=waiting(reading, instrument("EURUSD"), None))
