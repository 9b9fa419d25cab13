"""A desk in a made-up world: a tape, a provider that can fail, and clocks that only move when they are told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from smcdesk.desk import Desk
from smcdesk.history import History
from smcdesk.journal import Journal
from smcdesk.providers import ProviderDown
from smcdesk.providers.recorded import Recorded
from smcdesk.store import Store
from smcdesk.world import World, rules, worlds
from smclab import tapes
from smclab.classifier import Model

SYMBOL = "MADEUP"


class Clock:
    "The machine's clock: true time, and how far it is off."

    def __init__(self, true: datetime):
        self.true, self.off = true, timedelta()

    def __call__(self) -> datetime:
        return self.true + self.off


class Faulty(Recorded):
    "A recorded tape played by the true time; while `down`, it does not answer."

    down = False

    def _fetch(self, *asked):
        if self.down:
            raise ProviderDown("the line is dead")
        return super()._fetch(*asked)


def moment(*parts: int) -> datetime:
    "A UTC moment."
    return datetime(*parts, tzinfo=UTC)


def tape(n_bars: int = 2700, seed: int = 6, **recipe) -> pd.DataFrame:
    "A made-up market of 15-minute candles."
    return tapes.market(n_bars, **{"timeframe": "15m", "week": "fx"} | recipe, seed=seed)


class House:
    "Everything a desk keeps in one folder; desks come and go."

    def __init__(self, folder: Path, bars: pd.DataFrame | dict, clock: Clock, env: str = "test", **said):
        self.folder, self.clock = Path(folder), clock
        bars = bars if isinstance(bars, dict) else {SYMBOL: bars}
        self.provider = Faulty(bars, clock=lambda: clock.true)
        world = worlds(env)["MADEUP"]
        self.worlds = {
            s: World.from_dict(world.to_dict() | {"instrument": world.instrument.to_dict() | {"symbol": s}} | said)
            for s in bars
        }
        self.rules = rules(env, world.policy)

    def desk(self, **changes) -> Desk:
        "A desk with cold readers: what a new process begins with."
        store = Store(f"sqlite:///{self.folder / 'store.db'}")
        store.upgrade()
        made = {
            "provider": self.provider, "provider_name": "recorded", "history": History(self.folder / "raw"),
            "store": store, "journal": Journal(self.folder / "scans.db"), "worlds": self.worlds,
            "rules": self.rules, "clock": self.clock, "states": self.folder / "readers", "first_bars": 1500,
        }  # fmt: skip
        return Desk(**(made | changes))


def made_up_model(found: pd.DataFrame, table: pd.DataFrame, until: pd.Timestamp) -> Model:
    "A line through one feature, trained up to a moment."
    k = list(table.columns).index("score")
    weight = np.zeros(table.shape[1])
    weight[k] = 0.05
    flat = {"kind": "logistic", "fill": np.zeros(table.shape[1]), "weight": weight, "bias": -3.0}
    known = found[found["known_close"] <= until]["setup_id"].to_numpy()
    oof = pd.DataFrame(
        {"p": np.linspace(0.1, 0.6, len(known)), "percentile": np.linspace(1, 99, len(known))}, index=known
    )
    oof.loc[known[:5], "percentile"] = np.nan
    return Model(tuple(table.columns), flat, {}, oof.drop(known[5:8]), until.value)
