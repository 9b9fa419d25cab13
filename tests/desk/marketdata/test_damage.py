"""Bits that flip on the disk: noticed by whoever reads, moved away, fetched again; never another candle."""

import json
import random
import shutil

import pandas as pd
import pytest
from tapes import KEY, after, same

from smcdesk.marketdata import sync
from smcdesk.marketdata.history import CandleHistory
from smcdesk.marketdata.manifests import load_manifest, save_manifest
from smcdesk.marketdata.months import DamagedFile
from smcdesk.providers.recorded import RecordedProvider


@pytest.fixture(scope="module")
def written(tmp_path_factory, tape):
    "A history of three months and some revisions, to be copied; and what it says."
    history = CandleHistory(tmp_path_factory.mktemp("written") / "raw")
    history.merge(*KEY, tape, after(tape))
    history.merge(*KEY, tape.iloc[:6].assign(volume=1.0), after(tape))
    return history, everything(history)


def everything(history):
    "All that a history gives."
    return (
        history.bars(*KEY), history.bars(*KEY, as_of=after(history.bars(*KEY))), history.bars(*KEY, revised=True),
        history.last(*KEY, 3500), history.fetched(*KEY), history.revisions(*KEY), history.manifest(*KEY),
        history.series(),
    )  # fmt: skip


def equal(a, b):
    return all(x.equals(y) if hasattr(x, "equals") else x == y for x, y in zip(a, b, strict=True))


def flipped(path, bit):
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def copy(written, tmp_path, name="raw"):
    shutil.rmtree(tmp_path / name, ignore_errors=True)
    shutil.copytree(written[0].root, tmp_path / name)
    return CandleHistory(tmp_path / name)


def test_single_bits_that_flip_are_noticed_and_no_candle_is_another(written, tmp_path):
    rng, noticed = random.Random(14), 0
    for _ in range(200):
        history = copy(written, tmp_path)
        files = sorted(p for p in history.folder(*KEY).iterdir() if p.stat().st_size)
        path = rng.choices(files, [p.stat().st_size for p in files])[0]
        flipped(path, rng.randrange(8 * path.stat().st_size))
        try:
            assert equal(everything(history), written[1]), path  # else silently wrong
        except DamagedFile as error:
            noticed += 1
            assert path.name in str(error) and "moved to" in str(error) and "\n" not in str(error)
            assert list(path.parent.glob(f"{path.name}.damaged-*"))
    assert noticed >= 198


@pytest.mark.parametrize("name", ["manifest.json", "revisions.jsonl"])
def test_bits_of_the_small_files_are_noticed_and_the_candles_stay(written, tmp_path, name):
    rng = random.Random(name)
    for _ in range(60):
        history = copy(written, tmp_path)
        path = history.folder(*KEY) / name
        flipped(path, rng.randrange(8 * path.stat().st_size))
        with pytest.raises(DamagedFile, match=name.replace(".", r"\.")):
            everything(history)
        same(history.bars(*KEY), written[1][0])
        if name == "manifest.json":
            assert equal(everything(history), written[1])
        else:
            assert 5 <= len(history.revisions(*KEY)) == history.manifest(*KEY)["revisions"]


def test_a_damaged_month_is_refused_until_it_is_fetched_again(written, tmp_path, tape):
    history = copy(written, tmp_path)
    flipped(history.folder(*KEY) / "2024-02.parquet", 8000)
    cure = "smcdesk fetch BTC/USDT --provider venue --timeframe 15m"
    with pytest.raises(DamagedFile, match=f"2024-02.parquet is damaged.*moved to 2024-02.parquet.damaged-.*{cure}"):
        history.bars(*KEY)
    with pytest.raises(DamagedFile, match=f"2024-02 .*was damaged and moved away: {cure}"):
        history.last(*KEY, 3500)
    same(history.bars(*KEY, "2024-03-01"), tape[tape.index >= "2024-03-01"])  # other months are read as ever
    history.merge(*KEY, tape.iloc[-3:], after(tape))
    source = RecordedProvider({"BTC/USDT": tape}, name="venue", clock=lambda: after(tape))
    done = sync.sync_history(source, "BTC/USDT", "15m", tape.index[0], history=history, clock=lambda: after(tape))
    assert done.notes == ("2024-02 had been damaged and was fetched again: 2784 candles, the same.",)
    assert equal(everything(history)[:4], written[1][:4]) and not history.damaged_spans(*KEY)


def test_a_fetch_mends_what_it_finds_damaged(written, tmp_path, tape):
    history = copy(written, tmp_path)
    for name in ("2024-01.parquet", "2024-03.parquet", "manifest.json"):
        flipped(history.folder(*KEY) / name, 3000)
    source = RecordedProvider({"BTC/USDT": tape}, name="venue", clock=lambda: after(tape))
    done = sync.sync_history(source, "BTC/USDT", "15m", tape.index[0], history=history, clock=lambda: after(tape))
    assert sum("is damaged" in note for note in done.notes) == 3
    same(history.bars(*KEY), tape)


def test_a_manifest_that_cannot_be_is_refused_in_one_sentence(written, tmp_path):
    history = copy(written, tmp_path)
    path = history.folder(*KEY) / "manifest.json"
    for change in ({"last": "2064-01-01T00:00:00+00:00"}, {"n": 7}, {"symbol": "ETH/USDT"}, {"fingerprint": "0" * 16}):
        save_manifest(path.parent, {**load_manifest(path.parent, KEY), **change})  # its checksum is right
        with pytest.raises(DamagedFile, match=r"manifest.json is damaged .*counted anew from the stored candles"):
            history.manifest(*KEY)
        assert history.manifest(*KEY) == written[1][6]


def test_files_of_before_the_checksums_are_read(written, tmp_path, tape):
    history = copy(written, tmp_path)
    folder = history.folder(*KEY)
    done = json.loads((folder / "manifest.json").read_text())
    del done["checksum"]
    for name, entry in done["months"].items():
        del entry["file"]
        pd.read_parquet(folder / f"{name}.parquet").to_parquet(folder / f"{name}.parquet", compression="zstd")
    (folder / "manifest.json").write_text(json.dumps(done, indent=1))
    lines = [json.loads(line) for line in (folder / "revisions.jsonl").read_text().splitlines()]
    plain = [json.dumps({k: v for k, v in line.items() if k != "check"}) + "\n" for line in lines]
    (folder / "revisions.jsonl").write_text("".join(plain))
    assert equal(everything(history)[:6], written[1][:6])
    changed = pd.read_parquet(folder / "2024-02.parquet")
    changed.iloc[5, 0] += 1
    changed.to_parquet(folder / "2024-02.parquet")
    with pytest.raises(DamagedFile, match="not those that were written"):
        history.bars(*KEY)


def test_a_folder_that_cannot_be_written_is_one_sentence(written, tmp_path, monkeypatch):
    from smcdesk.marketdata import series_folder

    history = copy(written, tmp_path)
    flipped(history.folder(*KEY) / "2024-02.parquet", 8000)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(series_folder, "set_aside", refuse)
    with pytest.raises(DamagedFile, match=r"damaged file and cannot be written \(Permission denied\)"):
        history.bars(*KEY)
