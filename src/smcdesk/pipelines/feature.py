"""Bars in; events, as-known columns and candidates out."""

from __future__ import annotations

import pandas as pd
from kedro.pipeline import Pipeline, node

from smcdesk.decisions.inputs import higher_timeframes
from smcdesk.pipelines.decide import candidate_nodes
from smcdesk.pipelines.namespace import namespaced
from smclab.reader import read
from smclab.reading import Reading
from smclab.timeframes import Config


def by_timeframe(reading: Reading) -> dict[str, pd.DataFrame]:
    "A reading as tables anyone can open: each timeframe's events, and the base timeframe's as-known columns."
    tables = {f"{tf}/events": reading.of(timeframe=tf) for tf in reading.events["timeframe"].cat.categories}
    return tables | {f"{reading.timeframe}/columns": reading.columns}


def create_pipeline(symbol: str) -> Pipeline:
    "Bars to a reading and its candidates."
    seen = {"bars": "entry_bars", "config": "reading_config", "instrument": "instrument", "timeframes": "timeframes"}
    nodes = [
        *candidate_nodes(symbol),
        node(Config.from_dict, "params:reading", "reading_config", name="reading_config"),
        node(higher_timeframes, ["params:timeframes", "params:confluence.htf"], "timeframes", name="timeframes"),
        node(read, seen, "reading", name="read"),
        node(by_timeframe, "reading", "features", name="features"),
    ]
    return namespaced(symbol, nodes)
