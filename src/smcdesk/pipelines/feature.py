"""Bars in; events, as-known columns and candidates out."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node

from smcdesk.pipelines import stage
from smclab.reading import Config, read
from smclab.setups import SetupConfig, candidates


def create_pipeline(symbol: str) -> Pipeline:
    "Bars to a reading and its candidates."
    name = f"params:symbols.{symbol}.instrument"
    nodes = [
        node(Config.from_dict, "params:reading", "reading_config", name="reading_config"),
        node(SetupConfig.from_dict, "params:setups", "setup_config", name="setup_config"),
        node(read, ["bars", "reading_config"], "reading", name="read"),
        node(candidates, ["reading", name, "setup_config"], "candidates", name="candidates"),
    ]
    return stage(symbol, nodes)
