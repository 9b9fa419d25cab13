"""Lines for cron and units for systemd that make the machine run the timetable; nothing is switched on by them."""

from __future__ import annotations

import re
import shlex
import sys
from datetime import datetime, timedelta
from pathlib import Path

from smcdesk.schedule import timetable
from smcdesk.services.scheduler import Scheduler
from smclab.candles import BadConfig

_WEEK = timedelta(days=8)


def crontab(scheduler: Scheduler) -> str:
    "Lines that run the timetable in the minutes after its slots, by the machine's own clock."
    minutes = sorted({(t.astimezone() + timedelta(seconds=59)).minute for t in _due_times(scheduler)})
    log = scheduler.root / "data" / "08_reporting" / "schedule.log"
    return (
        f"# smcdesk's timetable ({scheduler.env}): woken in the minutes in which something may be due; what is due is\n"
        "# decided by conf/base/schedule.yml, so this line changes only when minutes do.\n"
        f"{','.join(map(str, minutes)) or '0'} * * * * "
        + _cron_text(f"cd {_quoted(scheduler.root)} && {shlex.join(_words(scheduler, 'wake'))} >> {_quoted(log)} 2>&1")
        + "\n"
    )


def systemd_units(scheduler: Scheduler) -> dict[str, str]:  # file name -> content
    "A service that stays; and, instead of it, a timer that wakes."
    env, folder = scheduler.env or "base", f"WorkingDirectory={_unit_path(scheduler.root)}\n"
    times = sorted({f"*-*-* *:{t.minute:02d}:{t.second:02d} UTC" for t in _due_times(scheduler)})
    name = f"smcdesk-{env}"
    resident = (
        f"# stays and keeps its readers warm: systemctl --user enable --now {name}.service\n[Unit]\n"
        f"Description=smcdesk timetable ({env}), resident\nAfter=network-online.target\n\n[Service]\n{folder}"
        f"ExecStart={_exec_line(_words(scheduler, 'run'))}\nRestart=on-failure\nRestartSec=30\nTimeoutStopSec=300\n"
        "KillMode=mixed\n\n[Install]\nWantedBy=default.target\n"
    )
    oneshot = (
        f"[Unit]\nDescription=smcdesk timetable ({env}), one look\n\n[Service]\nType=oneshot\n{folder}"
        f"ExecStart={_exec_line(_words(scheduler, 'wake'))}\n"
    )
    timer = (
        f"# instead of {name}.service: systemctl --user enable --now {name}-wake.timer\n[Unit]\n"
        f"Description=smcdesk timetable ({env}), wakes\n\n[Timer]\n"
        + "".join(f"OnCalendar={t}\n" for t in times)
        + "AccuracySec=1s\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"
    )
    return {f"{name}.service": resident, f"{name}-wake.service": oneshot, f"{name}-wake.timer": timer}


def _due_times(scheduler: Scheduler) -> list[datetime]:
    "When the slots of the coming week are due."
    now = scheduler.clock()
    jobs = [(n, j) for n, j in scheduler.schedule.jobs.items() if j.enabled]
    return sorted({s.due for n, j in jobs for s in timetable.slots_between(n, j, now, now + _WEEK)})


def _words(scheduler: Scheduler, verb: str) -> list[str]:
    "The command line the machine calls, word by word."
    return [f"{Path(sys.executable).parent}/smcdesk", "schedule", verb, "--env", scheduler.env or "base"]


def _quoted(path: Path) -> str:
    "A path for the shell. One with a line end would end the line of a crontab or unit."
    if len(str(path).splitlines()) != 1:
        raise BadConfig(f"the project's folder has a line end in its name, which no crontab can hold: {str(path)!r}")
    return shlex.quote(str(path))


def _cron_text(command: str) -> str:
    "A shell command for a crontab, where a bare % ends the command."
    return command.replace("%", r"\%")


def _unit_path(path: Path) -> str:
    "A path as the value of a unit's setting: not quoted, with % doubled."
    _quoted(path)
    return str(path).replace("\\", "\\\\").replace("%", "%%")


def _exec_line(words: list[str]) -> str:
    "Words for a unit's ExecStart: in quotes where needed, with %, $ and backslashes doubled or escaped."
    return " ".join(map(_exec_word, words))


def _exec_word(word: str) -> str:
    "One word for ExecStart."
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return text if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", text) else f'"{text}"'
