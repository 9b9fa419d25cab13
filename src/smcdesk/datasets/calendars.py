"""The economic calendar and the headlines conf names, as datasets that only load."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from kedro.io import AbstractDataset

from smcdesk.project import paths
from smclab.candles import BadConfig

log = logging.getLogger(__name__)


class NewsFile(AbstractDataset):
    "The calendar conf names; loads to a `smclab.news.NewsCalendar`, or None where there is no such file."

    def __init__(self, news: Mapping[str, Any], metadata: dict | None = None):
        self._news, self.metadata = news, metadata

    def load(self) -> Any:
        "The high-impact events, with the span they cover."
        from smcdesk.providers.economic_calendar import calendar

        found = calendar(self._news, paths.root())
        if found is None and self._news.get("path"):
            log.warning("news.path: there is no file %s; every decision goes without a calendar", self._news["path"])
        return found

    def save(self, data: Any) -> None:
        "Never: a calendar is fetched, never saved by a run."
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

        found = sentiment(self._headlines, paths.root())
        if found is None and self._headlines.get("path"):
            log.warning("headlines.path: there is no file %s; sentiment is not known", self._headlines["path"])
        return found

    def save(self, data: Any) -> None:
        "Never: headlines are collected, never saved by a run."
        raise BadConfig("headlines are raw data and read only")

    def _describe(self) -> dict[str, Any]:
        return dict(self._headlines)
