"""A table is on the disk whole or not at all."""

import pandas as pd
import pytest
from kedro.io import DatasetError

from smcdesk.datasets import AtomicParquet


def test_interrupted_save_leaves_the_old_table(tmp_path, monkeypatch):
    table, path = pd.DataFrame({"a": [1, 2]}), tmp_path / "deep" / "a.parquet"
    dataset = AtomicParquet(filepath=path.as_posix())
    dataset.save(table)
    pd.testing.assert_frame_equal(dataset.load(), table)
    whole = pd.DataFrame.to_parquet

    def half(self, part, **options):
        whole(self, part, **options)
        part.write_bytes(part.read_bytes()[:50])
        raise OSError("no space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", half)
    with pytest.raises(DatasetError, match="no space left"):
        dataset.save(table * 2)
    pd.testing.assert_frame_equal(dataset.load(), table)
    assert [p.name for p in path.parent.iterdir()] == ["a.parquet"]
