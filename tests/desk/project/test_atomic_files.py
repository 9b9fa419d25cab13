"""Whole files or none."""

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
