"""`smcdesk replay`, `sweep`, `walkforward`, `reproduce`: what was earned, by which choice, and the same again."""

from __future__ import annotations

from typing import Annotated

import typer

from smcdesk.commands.console import Env, Symbol, console, progress_bar, run_report, say_where

app = typer.Typer()
Engine = Annotated[str | None, typer.Option(help="joblib or serial, else as conf says; the results are the same.")]
Jobs = Annotated[int | None, typer.Option("--jobs", "-j", help="Processes of joblib; -1: one per core.")]
Quiet = Annotated[bool, typer.Option("--no-report", help="Leave the report out.")]
STUDIES = {  # pipeline and command -> its report, and what it does
    "sweep": (
        "compare_report",
        "Every combination of conf's sweep on one tape, the best of them kept as runs, and whether they differ.",
    ),
    "walkforward": (
        "walkforward_report",
        "Choose from conf's sweep on the past, judge on what followed, window by window, each window a run.",
    ),
}


def _symbol(said: str | None, env: str) -> str:
    "The symbol as conf spells it; the first of conf where none was said."
    from smcdesk import project

    known = project.parameters(env)["symbols"]
    return project.check_symbol(said, known) if said else next(iter(known))


@app.command()
def replay(symbol: Symbol = None, env: Env = "base"):
    "Candles to a ledger: read, decide, replay, and say what it came to."
    from smcdesk import project, session, story, tracking

    symbol = _symbol(symbol, env)
    with progress_bar() as bar:
        run_id = session.run(("data", "feature", "replay"), symbol=symbol, env=env, bar=bar)
    typer.echo(story.trades(project.catalog(env).load(f"{symbol}.scorecard")))
    typer.echo(f"ledger {tracking.client().get_run(run_id).data.tags[f'ledger_hash.{symbol}'][:16]}, run {run_id}")


def _study(kind: str, symbol: str, env: str, work: dict, bare: bool):
    "Run a study's pipelines, then its report, and say where everything is."
    from smcdesk import session

    template, _ = STUDIES[kind]
    with progress_bar() as bar:
        told = {"runtime_params": {"work": work}} if work else {}
        run_id = session.run(("data", "feature", kind), symbol=symbol, env=env, bar=bar, **told)
        task = bar.add_task("report", total=None)
        done = None if bare else run_report(template, {"study": run_id, "symbol": symbol, "env": env}, run_id)
        bar.remove_task(task)
    if done:
        say_where(done)
    else:
        typer.echo(
            f"study {run_id}; smcdesk report {template} -p symbol={symbol} -p env={env} -p study={run_id} tells it"
        )


def _command(kind: str):
    "A study's command; all of them take the same options."

    @app.command(kind, help=STUDIES[kind][1])
    def study(
        symbol: Symbol = None, env: Env = "base", engine: Engine = None, jobs: Jobs = None, no_report: Quiet = False
    ):
        from smcdesk import studies

        work = {k: v for k, v in {"engine": engine, "jobs": jobs}.items() if v is not None}
        studies.check_engine(work.get("engine", "joblib"))
        _study(kind, _symbol(symbol, env), env, work, no_report)


for _kind in STUDIES:
    _command(_kind)


@app.command()
def reproduce(
    run_id: Annotated[str, typer.Argument(help="An MLflow run's id: a replay, a study, a combination or a fold.")],
):
    "Make a run again from what it tells about itself: the same hashes, or a list of what changed."
    from smcdesk import reproduction

    with console().status(f"making {run_id} again"):
        told = reproduction.reproduce(run_id)
    for line in told.lines():
        typer.echo(line)
    if not told.same:
        raise typer.Exit(1)
