"""Lines for cron and units for systemd, for project folders of every name."""

import shlex
import subprocess
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from smcdesk.schedule.timetable import Job, Timetable
from smcdesk.services import install
from smclab.candles import BadConfig

NAMES = ["plain", "B ü 100% it's", "desk[1]", "a?b#c", 'say "x" $HOME `id` \\n', "semi;colon & pipe|", "-dash", "%h%%"]


def scheduler(folder):
    lines = Timetable(jobs={"a": Job(report="r", cron="5 * * * *")})
    return SimpleNamespace(root=folder, env="paper", schedule=lines, clock=lambda: datetime(2024, 3, 8, tzinfo=UTC))


@pytest.mark.parametrize("name", NAMES)
def test_cron_line_runs_in_the_folder_and_appends_to_its_log(tmp_path, monkeypatch, name):
    folder, bin_ = tmp_path / name, tmp_path / f"{name} bin"
    (folder / "data/08_reporting").mkdir(parents=True)
    bin_.mkdir()
    (bin_ / "smcdesk").write_text('#!/bin/sh\npwd\necho "$@"\n')
    (bin_ / "smcdesk").chmod(0o755)
    monkeypatch.setattr(install.sys, "executable", str(bin_ / "python"))
    line = install.crontab(scheduler(folder)).splitlines()[-1]
    command = line.split(" ", 5)[5]
    assert "%" not in command.replace(r"\%", "")  # cron ends a command at a bare one
    subprocess.run(["sh", "-c", command.replace(r"\%", "%")], check=True, cwd=tmp_path)
    log = (folder / "data/08_reporting/schedule.log").read_text().splitlines()
    assert log == [str(folder), "schedule wake --env paper"]


@pytest.mark.parametrize("name", NAMES)
def test_units_name_the_folder_and_the_command(tmp_path, monkeypatch, name):
    monkeypatch.setattr(install.sys, "executable", str(tmp_path / name / "python"))
    for text in install.systemd_units(scheduler(tmp_path / name)).values():
        settings = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
        if "ExecStart" in settings:
            assert "%" not in settings["ExecStart"].replace("%%", "")
            words = shlex.split(settings["ExecStart"].replace("%%", "%").replace("$$", "$"))
            assert words == [str(tmp_path / name / "smcdesk"), "schedule", words[2], "--env", "paper"]
            folder = settings["WorkingDirectory"].replace("%%", "%").replace("\\\\", "\\")
            assert folder == str(tmp_path / name)


def test_folder_with_a_line_end_is_refused(tmp_path):
    for write in (install.crontab, install.systemd_units):
        with pytest.raises(BadConfig, match="line end"):
            write(scheduler(tmp_path / "a\nb"))
