"""Dataset types of Kedro's catalog that Kedro does not have; conf/base/catalog.yml names them from here.

May import research, decisions, the store and what lies below. Never a pipeline: a dataset loads and saves.
"""

from smcdesk.datasets.calendars import HeadlineFile, NewsFile
from smcdesk.datasets.candles import CandleSource, SpreadFile, SyntheticMarket
from smcdesk.datasets.models import ModelVersions
from smcdesk.datasets.records import PersistentMemoryDataset, RecordFolder
from smcdesk.datasets.store import DecisionStore, OutcomeStore
from smcdesk.datasets.studies import NestedRuns, TrialStorage
from smcdesk.datasets.tables import AtomicCsv, AtomicFigure, AtomicJson, AtomicParquet, AtomicText

__all__ = [
    "AtomicCsv",
    "AtomicFigure",
    "AtomicJson",
    "AtomicParquet",
    "AtomicText",
    "CandleSource",
    "DecisionStore",
    "HeadlineFile",
    "ModelVersions",
    "NestedRuns",
    "NewsFile",
    "OutcomeStore",
    "PersistentMemoryDataset",
    "RecordFolder",
    "SpreadFile",
    "SyntheticMarket",
    "TrialStorage",
]
