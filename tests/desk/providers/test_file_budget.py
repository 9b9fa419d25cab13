"""What needs more memory than there is for it is refused before it is decoded, with the figure."""

import gzip
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from smcdesk.marketdata import sources
from smcdesk.providers.files import BadFile, Budget, budget, read_file
from smclab.candles import BadConfig
from smclab.tapes import market

SMALL = Budget(max_gb=0.001, candle_bytes=0)  # a megabyte


@pytest.fixture(scope="module")
def bars():
    return market(3000, seed=1)


def written(bars, folder, ending):
    "The bars in a file of some kind."
    path, text = folder / f"EURUSD{ending}", bars.to_csv()
    if ending == ".parquet":
        bars.to_parquet(path)
    elif ending == ".feather":
        bars.reset_index().to_feather(path)
    elif ending == ".json":
        rows = bars.reset_index(names="time").assign(time=bars.index.asi8 // 10**6)
        path.write_text(rows.to_json(orient="records"))
    elif ending == ".csv.gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif ending == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("EURUSD.csv", text)
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("ending", [".parquet", ".feather", ".json", ".csv", ".csv.gz", ".zip"])
def test_a_file_within_the_budget_is_read_and_one_beyond_is_refused_with_the_figure(bars, tmp_path, ending):
    path = written(bars, tmp_path, ending)
    assert len(read_file(path)[0]) == 3000
    with pytest.raises(BadFile, match=r"would take about [\d.,]+ GB of memory, expected at most 0\.0001 GB") as refused:
        read_file(path, budget=Budget(max_gb=0.0001, candle_bytes=0))
    assert "split the file" in str(refused.value) and "files.max_gb" in str(refused.value)


def test_small_parquet_of_many_equal_rows_is_refused_by_its_footer(tmp_path, monkeypatch):
    path, n = tmp_path / "EURUSD.parquet", 3_000_000
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int8)), pa.array(["x" * 500]))
    pq.write_table(pa.table(dict.fromkeys("abcdef", column)), path)
    assert path.stat().st_size < 2_000_000
    monkeypatch.setattr(pd, "read_parquet", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(BadFile, match=r"3,000,000 rows x 6 columns would take about 1[0-9]\.\d GB"):
        read_file(path)


def test_small_feather_of_many_equal_rows_is_refused_by_its_heads(tmp_path, monkeypatch):
    path, n = tmp_path / "EURUSD.feather", 3_000_000
    feather.write_feather(pa.table({"open": pa.array(np.zeros(n))}), path, compression="zstd", chunksize=n)
    monkeypatch.setattr(pd, "read_feather", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(BadFile, match=r"3,000,000 rows x 1 columns would take about 10\.\d GB"):
        read_file(path)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_too_many_columns_are_refused_at_once(tmp_path, ending, monkeypatch):
    path, n = tmp_path / f"EURUSD{ending}", 20_000
    if ending == ".csv":
        path.write_text(",".join(f"c{k}" for k in range(n)) + "\n" + ",".join("1" * n) + "\n")
    else:
        monkeypatch.setattr(budget, "COLUMNS_MAX", 30)
        pq.write_table(pa.table({f"c{k}": [1.0] for k in range(40)}), path)
    with pytest.raises(BadFile, match=r"has (20,000|40) columns, expected at most"):
        read_file(path)


def test_a_gzip_bomb_is_unpacked_no_further_than_the_budget(tmp_path):
    path = tmp_path / "EURUSD.csv.gz"
    path.write_bytes(gzip.compress(b"time,open,high,low,close\n" + b"0" * 5_000_000))
    with pytest.raises(BadFile, match="more than 0 MB of text would take about"):
        read_file(path, budget=SMALL)


def test_five_million_lines_are_refused_before_they_are_parted(monkeypatch):
    with pytest.raises(
        BadFile, match=r"5,000,000 lines, 10 MB of text would take about 17\.6 GB of memory, expected at"
    ):
        Budget().check_text("EURUSD.csv", b"1\n" * 5_000_000)


@pytest.mark.parametrize("wrong", [0, -1, "many", True])
def test_the_budget_of_conf_is_a_number_above_zero(house, wrong):
    from smcdesk.project.config import load_config

    assert sources.file_budget() == Budget(load_config("base").globals["files"]["max_gb"])
    local = house / "conf/local/globals.yml"
    local.parent.mkdir(exist_ok=True)
    local.write_text(f"files: {{max_gb: {wrong!r}}}\n".replace("True", "true"))
    try:
        with pytest.raises(BadConfig, match=r"files\.max_gb must be a number of GB above 0"):
            sources.file_budget()
    finally:
        local.unlink()
