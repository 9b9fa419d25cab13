"""What a report module offers its template: four functions with the same names and meanings in all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import pandas as pd


class ReportModule(Protocol):
    """A module of this package that stands behind a template in nbs/reports and has its name.

    `scan_report` alone serves two templates, `live_scan` and `paper_scan`, and has a loader for each instead of `load`.
    Beside these four a module has one function per table, sentence or picture of its template, each of which takes the
    report and nothing that is not a question of display.
    """

    def load(self, *args: Any, **params: Any) -> Any:
        """Everything the report shows, in one frozen record; params are those of the template.

        Where the results it is about do not exist, `BadConfig` names the command that makes them.
        """

    def resolved(self, report: Any) -> pd.DataFrame:  # one column without a name, one row per parameter
        "What the parameters were resolved to: environment, symbols, time span, policy, candles."

    def verdict(self, report: Any) -> str:  # Markdown, one paragraph
        "The conclusion in one to three sentences, each made of the report's own numbers."

    def summary(self, report: Any) -> dict[str, Any]:  # JSON values only; with "sentence"
        "The row stored with the report's files: what was measured, and the verdict as plain text. Index pages list it."


def figures(values: pd.Series, names: Iterable[str]) -> dict[str, float | None]:
    "Named figures of a scorecard for a summary row; None where one is missing."
    return {name: None if pd.isna(values[name]) else float(values[name]) for name in names}
