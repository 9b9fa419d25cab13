"""Kedro's files are there whole or not at all, however far the one that writes them came."""

import matplotlib.figure
import pandas as pd
import pytest

from smcdesk.datasets import AtomicCsv, AtomicFigure, AtomicJson, AtomicParquet, AtomicText
from smcdesk.project.config import load_config

TABLE, FIGURE = pd.DataFrame({"a": [1.0, 2.0]}), matplotlib.figure.Figure(figsize=(1, 1))
FILES = [
    (AtomicParquet, "x.parquet", TABLE), (AtomicCsv, "x.csv", TABLE), (AtomicJson, "x.json", {"a": [1]}),
    (AtomicText, "x.txt", "one"), (AtomicFigure, "x.png", FIGURE),
]  # fmt: skip


@pytest.mark.parametrize(("dataset", "name", "value"), FILES, ids=lambda x: getattr(x, "__name__", ""))
def test_a_failed_write_leaves_the_file_that_was_there(tmp_path, monkeypatch, dataset, name, value):
    path, stored = tmp_path / "deep" / name, dataset(filepath=(tmp_path / "deep" / name).as_posix())
    stored.save(value)
    before = path.read_bytes()
    assert before and [p.name for p in path.parent.iterdir()] == [name]

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        stored.save(value)
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == [name]
    monkeypatch.undo()
    stored.save(value)
    if dataset is not AtomicFigure:
        loaded = stored.load()
        assert loaded.iloc[:, -1].tolist() == [1.0, 2.0] if dataset in (AtomicParquet, AtomicCsv) else loaded == value


def test_every_file_of_the_catalog_is_written_whole():
    whole = ("smcdesk.datasets.", "kedro_mlflow.", "MemoryDataset", "partitions.PartitionedDataset")
    for name, entry in load_config().catalog.items():
        for part in (entry, entry.get("dataset")):
            kind = part.get("type", "") if isinstance(part, dict) else part or ""
            assert not kind or kind.startswith(whole), f"{name} is of {kind}, which writes in place"
