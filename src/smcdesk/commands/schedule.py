"""`smcdesk schedule …`: what comes next, now, for ever, or by the machine's own cron or systemd."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from smcdesk.commands.console import Env
from smcdesk.commands.output import Json, show_rows

app = typer.Typer(no_args_is_help=True, help="The timetable of reports: conf's schedule.yml.")


@app.command("list")
def schedule_list(as_json: Json = False, env: Env = "paper"):
    "Every line of the timetable: its next slot in UTC and in the reader's zone, and what became of the last one."
    from zoneinfo import ZoneInfo

    from smcdesk.services import scheduler

    timetable = scheduler.Scheduler(env)
    zone = timetable.schedule.zone
    zones = list(dict.fromkeys(("UTC", zone)))
    rows = []
    for name, job, slot, last in timetable.listing():
        due = {f"next ({z})": slot and slot.due.astimezone(ZoneInfo(z)) for z in zones[: 1 if as_json else None]}
        if not as_json:
            due = {k: "never" if t is None else f"{t:%a %Y-%m-%d %H:%M:%S}" for k, t in due.items()}
        became = {"last (UTC)": last and last["time"], "became": scheduler.status_text(last) if last else ""}
        rows.append({"line": name, "when": scheduler.when(job), **due, **became})
    show_rows(rows, as_json, wide=150)


@app.command("once")
def schedule_once(
    name: Annotated[str, typer.Argument(help="A line of the timetable.")],
    env: Env = "paper",
):
    "Run one line for its newest slot; a slot that ran already is shown, not run again."
    from smcdesk.services import scheduler

    scheduler.check_line(name, scheduler.timetable.load(env))  # before a store is opened
    done = scheduler.Scheduler(env).run_once(name)
    typer.echo(f"{done.slot.name}: {done.status}" + (f". {done.reason}" if done.reason else ""))
    if done.status == "failed":
        raise typer.Exit(1)


@app.command("wake")
def schedule_wake(env: Env = "paper"):
    "Run whatever is due now and end: what cron and systemd call."
    from smcdesk.services import scheduler

    for done in scheduler.Scheduler(env).run_due():
        typer.echo(f"{done.slot.name}: {done.status}" + (f". {done.reason}" if done.reason else ""))


@app.command("run")
def schedule_run(env: Env = "paper"):
    "Stay, and run whatever is due until Ctrl-C or SIGTERM; a report that has begun is finished."
    from smcdesk.services import scheduler

    timetable = scheduler.Scheduler(env)
    typer.echo(
        f"{len(timetable.schedule.jobs)} lines; log in {timetable.store!r}; SIGTERM ends it after the running report"
    )
    timetable.run_forever(lambda done: typer.echo(f"{done.slot.name}: {done.status} {done.reason}".rstrip()))
    typer.echo("stopped")


@app.command("install")
def schedule_install(
    cron: Annotated[bool, typer.Option("--cron", help="Lines for a crontab.")] = False,
    systemd: Annotated[bool, typer.Option("--systemd", help="Units: the resident, and a timer that wakes.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A folder; without it they are printed.")] = None,
    env: Env = "paper",
):
    "Write what makes the machine wake the timetable. Nothing is switched on by this."
    from smcdesk.project.files import write_text
    from smcdesk.services import install, scheduler
    from smclab.candles import BadConfig

    if cron == systemd:
        raise BadConfig("say --cron or --systemd")
    timetable = scheduler.Scheduler(env)
    files = install.systemd_units(timetable) if systemd else {"smcdesk.crontab": install.crontab(timetable)}
    for name, text in files.items():
        if out is None:
            typer.echo(text if cron else f"# {name}\n{text}", nl=not cron)
        else:
            typer.echo(str(write_text(out / name, text)))
    if out is not None:
        cure = f"crontab {out / 'smcdesk.crontab'}" if cron else f"cp {out}/* ~/.config/systemd/user/"
        typer.echo(f"nothing is switched on yet: read them, then {cure}", err=True)
