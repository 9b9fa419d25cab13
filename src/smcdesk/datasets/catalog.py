"""The data catalog without a Kedro session: for reports, commands and notebooks, which only load."""

from __future__ import annotations

from kedro.io import DataCatalog

from smcdesk.project.config import load_config


def load_catalog(env: str | None = None) -> DataCatalog:
    "The data catalog of an environment."
    return DataCatalog.from_config(load_config(env).catalog)
