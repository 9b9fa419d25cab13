"""A workspace on a synthetic market: a tape, a provider that can fail, and clocks that only move when set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from smcdesk.decisions.config import DecisionConfig, load_account, load_calendar, load_decision_configs, load_fill_rules
from smcdesk.marketdata.history import CandleHistory
from smcdesk.providers import ProviderDown
from smcdesk.providers.recorded import RecordedProvider
from smcdesk.scanning.workspace import Workspace
from smcdesk.schedule.slot_log import SlotLog
from smcdesk.store import Store
from smclab import tapes
from smclab.classifier import Model

SYMBOL = "MADEUP"


class Clock:
    "The machine's clock: true time, and how far it is off."

    def __init__(self, true: datetime):
        self.true, self.off = true, timedelta()

    def __call__(self) -> datetime:
        return self.true + self.off


class Faulty(RecordedProvider):
    "A recorded tape played by the true time; while `down`, it does not answer."

    down = False

    def _fetch(self, *query):
        if self.down:
            raise ProviderDown("the line is dead")
        return super()._fetch(*query)


def moment(*parts: int) -> datetime:
    "A UTC moment."
    return datetime(*parts, tzinfo=UTC)


def tape(n_bars: int = 2700, seed: int = 6, **recipe) -> pd.DataFrame:
    "A synthetic market of 15-minute candles."
    return tapes.market(n_bars, **{"timeframe": "15m", "week": "fx"} | recipe, seed=seed)


class House:
    "Everything a workspace stores in one folder; workspaces come and go."

    def __init__(self, folder: Path, bars: pd.DataFrame | dict, clock: Clock, env: str = "test", **changes):
        self.folder, self.clock = Path(folder), clock
        bars = bars if isinstance(bars, dict) else {SYMBOL: bars}
        self.provider = Faulty(bars, clock=lambda: clock.true)
        config = load_decision_configs(env)["MADEUP"]
        self.configs = {
            s: DecisionConfig.from_dict(
                config.to_dict() | {"instrument": config.instrument.to_dict() | {"symbol": s}} | changes
            )
            for s in bars
        }
        self.rules = load_fill_rules(env, config.policy)
        self.account, self.calendar, self.champions = load_account(env), load_calendar(env), {}

    def workspace(self, store: Store | None = None, **changes) -> Workspace:
        "A workspace with cold readers: what a new process begins with; without a store, that of the folder."
        store = store or Store(f"sqlite:///{self.folder / 'store.db'}")
        store.upgrade()
        parts = {
            "provider": self.provider, "provider_name": "recorded", "history": CandleHistory(self.folder / "raw"),
            "store": store, "configs": self.configs, "account": self.account, "calendar": self.calendar,
            "champions": self.champions, "rules": self.rules, "clock": self.clock,
            "states": self.folder / "readers", "first_bars": 1500,
        }  # fmt: skip
        return Workspace(**(parts | changes))


def slot_log(file: Path) -> SlotLog:
    "A slot log in a store of its own."
    store = Store(f"sqlite:///{file}")
    store.upgrade()
    return SlotLog(store)


def synthetic_model(found: pd.DataFrame, table: pd.DataFrame, until: pd.Timestamp) -> Model:
    "A line through one feature, trained up to a moment."
    k = list(table.columns).index("score")
    weight = np.zeros(table.shape[1])
    weight[k] = 0.05
    flat = {"kind": "logistic", "fill": np.zeros(table.shape[1]), "weight": weight, "bias": -3.0}
    past = found[found["known_close"] <= until]["setup_id"].to_numpy()
    oof = pd.DataFrame({"p": np.linspace(0.1, 0.6, len(past)), "percentile": np.linspace(1, 99, len(past))}, index=past)
    oof.loc[past[:5], "percentile"] = np.nan
    return Model(tuple(table.columns), flat, {}, oof.drop(past[5:8]), until.value)
