"""Datasets of the catalog that Kedro does not have: candle files, made-up markets, records of frames."""

from __future__ import annotations

import dataclasses
import json
import logging
import typing
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, MemoryDataset
from kedro.utils import load_obj

from smcdesk import project
from smcdesk.disk import whole_folder
from smcdesk.sources import Source, source
from smclab.candles import BadConfig

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Candles:
    "A candle history as it was found, not yet checked."

    symbol: str
    bars: pd.DataFrame
    notes: tuple[str, ...]  # sentences: where from, how the file was understood


class CandleFile(AbstractDataset):
    "A symbol's candle history in a file of the user's; loads to `Candles`."

    def __init__(self, symbol: str, sources: Mapping[str, Mapping[str, Any]], metadata: dict | None = None):
        self._symbol, self._sources, self.metadata = symbol, sources, metadata

    def _source(self) -> Source:
        name = project.check_symbol(self._symbol, self._sources)
        found = source(name, self._sources[name])
        if not found.source:
            raise BadConfig(f"symbols.{name}.source is missing: say which file its candles are in")
        return found

    def load(self) -> Candles:
        "The file, by its provider, or what was fetched."
        from smcdesk import feeds
        from smcdesk.providers.files import read_file

        found = self._source()
        if found.source.startswith(feeds.STORED):
            return Candles(self._symbol, *feeds.stored(self._symbol, found.source, feeds.history()))
        bars, notes = read_file(project.root() / found.source, symbol=self._symbol, zone=found.zone)
        return Candles(self._symbol, bars, (f"Candles from {Path(found.source).name}.", *notes))

    def save(self, data: Any) -> None:
        "Never: raw data is read only."
        raise BadConfig(f"{self._symbol}.candles is raw data and read only")

    def _describe(self) -> dict[str, Any]:
        return {"symbol": self._symbol, "source": dict(self._sources.get(self._symbol, {})).get("source")}


class MadeUpMarket(AbstractDataset):
    "A fabricated candle history from a recipe and a seed; loads to `Candles`."

    def __init__(self, symbol: str, n_bars: int, seed: int, metadata: dict | None = None, **recipe: Any):
        self._symbol, self._n_bars, self._seed, self._recipe, self.metadata = symbol, n_bars, seed, recipe, metadata

    def load(self) -> Candles:
        "The same bars every time."
        from smclab.tapes import market

        bars = market(self._n_bars, seed=self._seed, **self._recipe)
        return Candles(self._symbol, bars, (f"A made-up market, seed {self._seed}.",))

    def save(self, data: Any) -> None:
        "Never: a made-up market is made, not kept."
        raise BadConfig(f"{self._symbol}.candles is a made-up market and read only")

    def _describe(self) -> dict[str, Any]:
        return {"symbol": self._symbol, "n_bars": self._n_bars, "seed": self._seed, **self._recipe}


class NewsFile(AbstractDataset):
    "The calendar conf names; loads to a `smclab.news.NewsCalendar`, or None where there is no such file."

    def __init__(self, news: Mapping[str, Any], metadata: dict | None = None):
        self._news, self.metadata = news, metadata

    def load(self) -> Any:
        "The high-impact events, with the span they cover."
        from smcdesk.providers.news import calendar

        found = calendar(self._news, project.root())
        if found is None and self._news.get("path"):
            log.warning("news.path: there is no file %s; every decision goes without a calendar", self._news["path"])
        return found

    def save(self, data: Any) -> None:
        "Never: a calendar is fetched, not made."
        raise BadConfig("news is raw data and read only")

    def _describe(self) -> dict[str, Any]:
        return dict(self._news)


class HeadlineFile(AbstractDataset):
    "The headlines conf names; loads to a `smclab.sentiment.Sentiment`, or None where there is no such file."

    def __init__(self, headlines: Mapping[str, Any], metadata: dict | None = None):
        self._headlines, self.metadata = headlines, metadata

    def load(self) -> Any:
        "The headlines, scored."
        from smcdesk.providers.headlines import sentiment

        found = sentiment(self._headlines, project.root())
        if found is None and self._headlines.get("path"):
            log.warning("headlines.path: there is no file %s; sentiment is not known", self._headlines["path"])
        return found

    def save(self, data: Any) -> None:
        "Never: headlines are collected, not made."
        raise BadConfig("headlines are raw data and read only")

    def _describe(self) -> dict[str, Any]:
        return dict(self._headlines)


class SpreadFile(AbstractDataset):
    "The spread by bar that a symbol's entry in conf names; loads to a series by bar, or None where none is named."

    def __init__(self, symbol: str, sources: Mapping[str, Mapping[str, Any]], metadata: dict | None = None):
        self._symbol, self._sources, self.metadata = symbol, sources, metadata

    def load(self) -> pd.Series | None:
        "Ask minus bid, price, by the bar's open."
        from smcdesk.providers.files import read_spread

        found = source(self._symbol, self._sources[self._symbol])
        return read_spread(project.root() / found.spread) if found.spread else None

    def save(self, data: Any) -> None:
        "Never: raw data is read only."
        raise BadConfig(f"{self._symbol}.spread is raw data and read only")

    def _describe(self) -> dict[str, Any]:
        return {"symbol": self._symbol, "spread": dict(self._sources.get(self._symbol, {})).get("spread")}


class DecisionStore(AbstractDataset):
    "What the store keeps of a symbol: saves `Evaluated`, loads the labels that still wait for their outcome."

    def __init__(self, symbol: str, env: str, metadata: dict | None = None):
        self._symbol, self._env, self.metadata = symbol, env, metadata

    def save(self, data: Any) -> None:
        "Write what is new; where conf allows it, what was decided anew replaces what it contradicts."
        from smcdesk.store import Store

        self._refuse_scanned(data)
        with Store(env=self._env) as store:
            if store.revision() is None:
                store.upgrade()
            if project.config(self._env)["store"]["rewrite"]:
                self._anew(store, data)
            else:
                self._newer(store, data)

    def _refuse_scanned(self, data: Any) -> None:
        "What scans decided by the clock is not decided again from a tape, and not forgotten."
        from smcdesk.journal import Journal, journal_of

        file, symbol = journal_of(self._env), data.instrument.symbol
        looked = Journal(file).lasts(data.policy_hash) if file.exists() else {}
        timeframes = {d.timeframe for d in data.decisions}
        if found := [name for name in looked if name.split("/")[1] == symbol and name.split("/")[2] in timeframes]:
            raise BadConfig(
                f"{' '.join(found[0].split('/')[1:])} is decided by scans in environment {self._env}: run research in "
                f"another one (--env base), or drop the scans' decisions with smcdesk store forget {data.policy_hash} "
                f"{symbol} --env {self._env}"
            )

    def _newer(self, store, data: Any) -> None:
        "Add the decisions about bars after those the store knows; what was decided before stays as it was."
        timeframes = {d.timeframe for d in data.decisions}
        known = {tf: store.newest(data.policy_hash, data.instrument.symbol, tf) for tf in timeframes}
        fresh = data.after({tf: ns for tf, ns in known.items() if ns is not None})
        with store.transaction() as one:
            one.record_instruments([fresh.instrument])
            one.record_decisions(fresh.decisions)
            one.record_labels(fresh.labels)
            one.record_signals(fresh.signals)
        if alone := len(data.decisions) - len(fresh.decisions):
            log.info(
                "%s: %s decisions of before were left alone, %s are new", self._symbol, alone, len(fresh.decisions)
            )

    def _anew(self, store, data: Any) -> None:
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


class NestedRuns(AbstractDataset):
    "Chosen combinations and folds as runs nested in the one that is active; saved whole, read back with MLflow."

    def __init__(self, kind: str, metadata: dict | None = None):
        self._kind, self.metadata = kind, metadata

    def save(self, data: Any) -> None:
        "One nested run each: parameters, metrics, tags, ledger, daily returns, scorecard and picture."
        import mlflow

        from smcdesk import tracking

        if run := mlflow.active_run():
            for chosen in data:
                tracking.nest(run.info.run_id, chosen, self._kind)
        else:
            log.warning("no MLflow run is active: %s %s are not kept", len(data), self._kind)

    def load(self) -> Any:
        "Never: `mlflow.search_runs` finds them."
        raise BadConfig(f"the nested runs of a study are read with mlflow.search_runs, tag study.kind = {self._kind!r}")

    def _describe(self) -> dict[str, Any]:
        return {"kind": self._kind}


class TrialStorage(AbstractDataset):
    "Where Optuna keeps its trials, so that a search goes on where it stopped; loads to a URL."

    def __init__(self, filepath: str, metadata: dict | None = None):
        self._filepath, self.metadata = Path(filepath), metadata

    def load(self) -> str:
        "The URL of an SQLite file whose folder is there."
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{self._filepath.as_posix()}"

    def save(self, data: Any) -> None:
        "Never: the search itself writes, trial by trial."
        raise BadConfig(f"{self._filepath} is written by the search, trial by trial")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class Kept(MemoryDataset):
    "A value that outlives the run that made it."

    def _release(self) -> None:
        "Never: whoever asked for it reads it after the run."


class RecordFolder(AbstractDataset):
    "A dataclass whose frames become parquet files and whose other fields become one JSON file, written whole."

    def __init__(self, filepath: str, of: str, metadata: dict | None = None):
        self._filepath, self._of, self.metadata = PurePosixPath(filepath), of, metadata

    def save(self, data: Any) -> None:
        "Every frame as parquet, the rest as record.json."
        plain = {}
        with whole_folder(str(self._filepath)) as folder:
            for field in dataclasses.fields(data):
                value = getattr(data, field.name)
                if isinstance(value, pd.DataFrame):
                    value.to_parquet(folder / f"{field.name}.parquet", compression="zstd")
                else:
                    plain[field.name] = value
            text = json.dumps(plain, indent=2, default=_plain)
            (folder / "record.json").write_text(text, encoding="utf-8")

    def load(self) -> Any:
        "The record as it was saved."
        cls, folder = load_obj(self._of), Path(self._filepath)
        hints = typing.get_type_hints(cls)
        values = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        values = {name: _typed(value, hints.get(name)) for name, value in values.items()}
        frames = {p.stem: pd.read_parquet(p) for p in folder.glob("*.parquet")}
        return cls(**values, **frames)

    def _exists(self) -> bool:
        return (Path(self._filepath) / "record.json").exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "of": self._of}


def _plain(value: Any) -> Any:
    "A value JSON does not know, as one it does."
    if dataclasses.is_dataclass(value):
        return dataclasses.asdict(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a record cannot keep {type(value).__name__}")


def _typed(value: Any, hint: Any) -> Any:
    "A value read from JSON, as its field's type."
    if isinstance(value, list) and (typing.get_origin(hint) or hint) is tuple:
        return tuple(value)
    if isinstance(value, dict) and dataclasses.is_dataclass(hint):
        return hint.from_dict(value) if hasattr(hint, "from_dict") else hint(**value)
    return value
