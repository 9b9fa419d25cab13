"""Tables as parquet files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from kedro_datasets.pandas import ParquetDataset

from smcdesk.project.files import atomic_file


class AtomicParquet(ParquetDataset):
    "Kedro's parquet dataset; a local file is written beside its place and renamed when it is complete."

    def save(self, data: pd.DataFrame) -> None:
        "The whole file, or the one that was there."
        if self._protocol != "file":
            super().save(data)
            return
        with atomic_file(Path(self._get_save_path())) as part:
            data.to_parquet(part, **self._save_args)
        self._invalidate_cache()
