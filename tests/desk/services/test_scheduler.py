"""The scheduler of an environment: its timetable, its commands, its long-running process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from datetime import timedelta

import pytest
import yaml
from typer.testing import CliRunner
from virtual import moment

from smcdesk.__main__ import app
from smcdesk.schedule.timetable import slots_between
from smcdesk.services import scheduler
from smclab.candles import BadConfig


@pytest.fixture
def new_scheduler(house, tmp_path_factory, monkeypatch):
    "A scheduler whose clock stands still, with a store of its own."
    monkeypatch.setenv("SMCDESK_STORE_URL", f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.db'}")
    return lambda env="test": scheduler.Scheduler(env, clock=lambda: moment(2024, 3, 8, 10, 0, 30))


@pytest.mark.parametrize("env", ["base", "test", "paper", "live"])
def test_timetable_of_every_environment_can_run(house, new_scheduler, env):
    lines = list(new_scheduler(env=env).listing())
    assert {name for name, *_ in lines} == {"live_scan", "daily_digest", "weekly_review", "data_quality"}
    assert all(slot is not None and not job.params.get("notify") for _, job, slot, _ in lines)


def test_scheduler_refuses_a_line_that_cannot_run(house, new_scheduler):
    page = house / "conf" / "test" / "schedule.yml"
    for change, message in (
        ({"report": "live_scn"}, "did you mean 'live_scan'"), ({"params": {"symbls": ""}}, "did you mean 'symbols'"),
        ({"params": {"send": True}}, "live_scan: the parameter 'send' is called 'notify' now"),
        ({"env": "papr"}, "did you mean 'paper'"),
    ):  # fmt: skip
        page.write_text(yaml.safe_dump({"jobs": {"live_scan": change}}))
        with pytest.raises(BadConfig, match=message):
            new_scheduler()
    page.unlink()


def test_schedule_list_shows_both_zones_and_once_refuses_an_unknown_line(house):
    (house / "conf" / "test" / "schedule.yml").write_text("zone: Asia/Tokyo\n")
    shown = CliRunner().invoke(app, ["schedule", "list", "-e", "test"])
    (house / "conf" / "test" / "schedule.yml").unlink()
    assert shown.exit_code == 0 and "next (Asia/Tokyo)" in shown.output and "1h close + 10 s" in shown.output
    wrong = CliRunner().invoke(app, ["schedule", "once", "live_scn", "-e", "test"])
    assert wrong.exit_code == 2 and "did you mean 'live_scan'" in wrong.output


def test_scheduler_once_runs_the_newest_slot_once(new_scheduler, monkeypatch):
    ran = []
    monkeypatch.setattr(scheduler.Scheduler, "run", lambda self, name, job, slot: ran.append(slot.name))
    assert (
        new_scheduler().run_once("live_scan").status == "ok"
        and new_scheduler().run_once("live_scan").reason == "it ran already"
    )
    assert ran == ["20240308T1000Z_live_scan"]


def test_scheduler_prunes_only_its_own_old_results(house, new_scheduler):
    folder = house / "notebooks_out" / "live_scan"
    names = {
        "2024/01/01/20240101T1000Z_live_scan.html": False, "2024/01/01/20240101T1000Z_other.html": True,
        "2024/01/01/by-hand.html": True, "2024/03/07/20240307T1000Z_live_scan.json": True,
    }  # fmt: skip
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    service = new_scheduler()
    service.prune("live_scan", service.schedule.jobs["live_scan"])
    assert {name: (folder / name).exists() for name in names} == names
    shutil.rmtree(folder)


def test_scheduler_runs_until_it_is_told_to_end_and_finishes_what_it_began(house, new_scheduler, monkeypatch):
    (house / "conf" / "test" / "schedule.yml").write_text("jobs: {live_scan: {at_close: 1h}}\n")
    service, finished = new_scheduler(), []
    service.slot_log.last(service.schedule, moment(2024, 3, 8, 9, 30))  # it was there half an hour ago

    def run(name, job, slot):
        os.kill(os.getpid(), signal.SIGTERM)
        service._stop.wait(30)
        finished.append(slot.name)

    monkeypatch.setattr(service, "run", run)
    before, done_slots = signal.getsignal(signal.SIGTERM), []
    service.run_forever(done_slots.append)
    (house / "conf" / "test" / "schedule.yml").unlink()
    assert finished == ["20240308T1000Z_live_scan"] and [d.status for d in done_slots] == ["ok"]
    assert signal.getsignal(signal.SIGTERM) is before and service.slot_log.entries()[-1]["status"] == "ok"


def test_install_writes_files_and_switches_nothing_on(house, new_scheduler, tmp_path):
    shown = CliRunner().invoke(app, ["schedule", "install", "--cron", "-e", "test"])
    line = shown.output.strip().splitlines()[-1]
    minutes = {int(m) for m in line.split()[0].split(",")}
    due = {
        s.due
        for n, j in new_scheduler().schedule.jobs.items()
        for s in slots_between(n, j, moment(2024, 3, 8), moment(2024, 3, 9))
    }
    local = {(t.astimezone() + timedelta(seconds=59)).minute for t in due}
    assert local <= minutes and f"cd {house} && " in line and line.endswith("schedule.log 2>&1")
    CliRunner().invoke(app, ["schedule", "install", "--systemd", "-e", "test", "-o", str(tmp_path)])
    assert {p.name for p in tmp_path.iterdir()} == {
        "smcdesk-test.service",
        "smcdesk-test-wake.service",
        "smcdesk-test-wake.timer",
    }
    if shutil.which("systemd-analyze"):
        calendars = [
            x.partition("=")[2] for x in (tmp_path / "smcdesk-test-wake.timer").read_text().splitlines() if "OnCal" in x
        ]
        subprocess.run(["systemd-analyze", "calendar", *calendars], check=True, capture_output=True)
    both = CliRunner().invoke(app, ["schedule", "install", "-e", "test"])
    assert both.exit_code == 2 and "--cron or --systemd" in both.output
