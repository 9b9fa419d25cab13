"""Files that are there whole or not at all: tables, values, texts and pictures."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from kedro_datasets.json import JSONDataset
from kedro_datasets.matplotlib import MatplotlibDataset
from kedro_datasets.pandas import CSVDataset, ParquetDataset
from kedro_datasets.text import TextDataset

from smcdesk.project.files import atomic_file


class _Atomic:
    "A local file is written beside its place and renamed when it is complete; elsewhere as Kedro does it."

    _part: Path | None = None  # while it is written

    def save(self, data: Any) -> None:
        "The whole file, or the one that was there."
        if self._protocol != "file":
            super().save(data)
            return
        with atomic_file(Path(self._get_save_path())) as self._part:
            try:
                super().save(data)
            finally:
                self._part = None

    def _get_save_path(self) -> PurePosixPath:
        "Where Kedro's own dataset writes."
        return PurePosixPath(self._part) if self._part else super()._get_save_path()


class AtomicParquet(_Atomic, ParquetDataset):
    "A table as parquet."


class AtomicCsv(_Atomic, CSVDataset):
    "A table as CSV."


class AtomicJson(_Atomic, JSONDataset):
    "Plain values as JSON."


class AtomicText(_Atomic, TextDataset):
    "A text."


class AtomicFigure(_Atomic, MatplotlibDataset):
    "One picture of matplotlib."
