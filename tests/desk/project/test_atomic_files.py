"""Whole files or none."""

import os
import time

import pytest

from smcdesk.project import files


def test_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = files.write_text(tmp_path / "a.txt", "old")
    with pytest.raises(KeyboardInterrupt), files.atomic_file(path) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), files.atomic_folder(tmp_path / "folder") as part:
        (part / "half").write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_what_killed_writes_left_is_cleaned_by_the_next_write_after_a_day(tmp_path):
    names = (".a.part-abcdefgh.txt", ".b.part-abc_1234.parquet", ".c.part-abcdefgh", ".a.txt", ".gitkeep.abcdefgh.txt")
    for name in names:
        (tmp_path / name).write_text("left")
        os.utime(tmp_path / name, (time.time() - 90_000,) * 2)
    (tmp_path / ".d.part-abcdefgh.txt").write_text("being written")
    (tmp_path / ".e.part-abcdefgh").mkdir()
    files.write_text(tmp_path / "a.txt", "new")
    left = {".d.part-abcdefgh.txt", ".e.part-abcdefgh", ".a.txt", ".gitkeep.abcdefgh.txt", "a.txt"}
    assert {p.name for p in tmp_path.iterdir()} == left


@pytest.mark.parametrize("exchanged", [True, False])
def test_folder_is_replaced_and_never_absent(tmp_path, monkeypatch, exchanged):
    path, seen, move = tmp_path / "folder", [], files.os.replace
    if not exchanged:
        monkeypatch.setattr(files, "_exchange", lambda *_: False)
    for text in ("old", "new"):
        with files.atomic_folder(path) as part:
            (part / "a").write_text(text)
        assert (path / "a").read_text() == text and [p.name for p in tmp_path.iterdir()] == ["folder"]

    def killed(a, b):
        move(a, b)
        seen.append((path / "a").exists())
        raise SystemExit

    monkeypatch.setattr(files.os, "replace", killed)
    try:
        with files.atomic_folder(path) as part:
            (part / "a").write_text("newest")
    except SystemExit:
        assert not exchanged and seen == [False]  # between the two renames
    monkeypatch.undo()
    assert files.recover_folder(path) is not exchanged
    assert (path / "a").read_text() == ("newest" if exchanged else "new")
