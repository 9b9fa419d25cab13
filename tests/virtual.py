"""A desk in a made-up world: a tape, a provider that can fail, and clocks that only move when they are told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from smcdesk import scan
from smcdesk.history import History
from smcdesk.providers import ProviderDown
from smcdesk.providers.recorded import Recorded
from smcdesk.store import Store
from smclab import tapes

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
        world = scan.worlds(env)["MADEUP"]
        self.worlds = {
            s: scan.World.from_dict(world.to_dict() | {"instrument": world.instrument.to_dict() | {"symbol": s}} | said)
            for s in bars
        }
        self.rules = scan.rules(env, world.policy)

    def desk(self, **changes) -> scan.Desk:
        "A desk with cold readers: what a new process begins with."
        store = Store(f"sqlite:///{self.folder / 'store.db'}")
        store.upgrade()
        made = {
            "provider": self.provider, "provider_name": "recorded", "history": History(self.folder / "raw"),
            "store": store, "journal": scan.Journal(self.folder / "scans.db"), "worlds": self.worlds,
            "rules": self.rules, "clock": self.clock, "states": self.folder / "readers", "first_bars": 1500,
        }  # fmt: skip
        return scan.Desk(**(made | changes))
