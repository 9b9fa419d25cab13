"""A symbol's decisions and outcomes in the store, as datasets."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset

from smcdesk.project.config import load_config
from smclab.candles import BadConfig

log = logging.getLogger(__name__)


class DecisionStore(AbstractDataset):
    "What the store keeps of a symbol: saves an `EvaluatedTape`, loads the labels that still wait for their outcome."

    def __init__(self, symbol: str, env: str, metadata: dict | None = None):
        self._symbol, self._env, self.metadata = symbol, env, metadata

    def save(self, data: Any) -> None:
        "Write what is new; where conf allows it, what was decided anew replaces what it contradicts."
        from smcdesk.store import Store

        with Store(env=self._env) as store:
            if store.revision() is None:
                store.upgrade()
            self._refuse_scanned(store, data)
            if load_config(self._env).store["rewrite"]:
                self._replace(store, data)
            else:
                self._add_later(store, data)

    def _refuse_scanned(self, store, data: Any) -> None:
        "What scans decided by the clock is not decided again from a tape, and not forgotten."
        from smcdesk.store.journal import ScanJournal, series_key

        symbol, last_bars = data.instrument.symbol, ScanJournal(store).last_bars(data.policy_hash)
        timeframes = {d.timeframe for d in data.decisions}
        if found := [key for key in map(series_key, last_bars) if key[1] == symbol and key[2] in timeframes]:
            raise BadConfig(
                f"{' '.join(found[0][1:])} is decided by scans in environment {self._env}: run research in "
                f"another one (--env base), or drop the scans' decisions with smcdesk store forget {data.policy_hash} "
                f"{symbol} --env {self._env}"
            )

    def _add_later(self, store, data: Any) -> None:
        "Add the decisions about bars after those the store knows; what was decided before stays as it was."
        timeframes = {d.timeframe for d in data.decisions}
        newest = {tf: store.newest(data.policy_hash, data.instrument.symbol, tf) for tf in timeframes}
        fresh = data.after({tf: ns for tf, ns in newest.items() if ns is not None})
        with store.transaction() as one:
            one.record_instruments([fresh.instrument])
            one.record_decisions(fresh.decisions)
            one.record_labels(fresh.labels)
            one.record_signals(fresh.signals)
        if alone := len(data.decisions) - len(fresh.decisions):
            log.info(
                "%s: %s decisions of before were left alone, %s are new", self._symbol, alone, len(fresh.decisions)
            )

    def _replace(self, store, data: Any) -> None:
        "Write all of it; where it contradicts what is there, in place of that."
        from smcdesk.store import Contradiction

        try:
            gone = self._write(store, data, forget=False)
        except Contradiction as error:
            log.warning("%s", error)
            gone = self._write(store, data, forget=True)
        if gone:
            log.warning(
                "%s was decided anew by policy %s: %s rows of before are forgotten",
                self._symbol,
                data.policy_hash,
                gone,
            )

    def _write(self, store, data: Any, forget: bool) -> int:  # how many rows of before are gone
        "All rows or none; setups of before that are no candidates any more are a contradiction too."
        from smcdesk.store import Contradiction

        key = (data.policy_hash, data.instrument.symbol)
        with store.transaction() as one:
            gone = one.forget(*key) if forget else 0
            one.record_instruments([data.instrument])
            one.record_decisions(data.decisions)
            one.record_labels(data.labels)
            one.record_signals(data.signals)
            stored, now = one.counts().get(key, (0, 0))[0], len(data.decisions)
            if stored > now:
                raise Contradiction(
                    f"the store has {stored:,} decisions of policy {key[0]} on {key[1]}, now there are {now:,}: other "
                    "candles, another reading or other setups"
                )
        return gone

    def load(self) -> pd.DataFrame:
        "Labels without an outcome."
        from smcdesk.store import Store

        with Store(env=self._env) as store:
            return store.labels(instrument=self._symbol, outcome=None)

    def _describe(self) -> dict[str, Any]:
        return {"symbol": self._symbol, "env": self._env}


class OutcomeStore(AbstractDataset):
    "What became of a symbol's labels: saves rows for `Store.fill_outcomes`, loads the labels that have one."

    def __init__(self, symbol: str, env: str, metadata: dict | None = None):
        self._symbol, self._env, self.metadata = symbol, env, metadata

    def save(self, data: pd.DataFrame) -> None:
        "Fill what is known by now; the rest waits."
        from smcdesk.store import Store

        with Store(env=self._env) as store:
            new = store.fill_outcomes(data)
        log.info("%s: %s outcomes became known", self._symbol, f"{new:,}")

    def load(self) -> pd.DataFrame:
        "Labels with their outcome."
        from smcdesk.store import Store

        with Store(env=self._env) as store:
            found = store.labels(instrument=self._symbol)
        return found[found["outcome"].notna()].reset_index(drop=True)

    def _describe(self) -> dict[str, Any]:
        return {"symbol": self._symbol, "env": self._env}
