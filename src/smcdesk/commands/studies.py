"""Commands of replays and studies: what was earned, by which choice, and the same again."""

from __future__ import annotations

from typing import Annotated

import typer

from smcdesk.commands.console import Env, Symbol, console, progress_bar, run_report, say_where
from smcdesk.commands.options import Changes, FileOptions, with_options

app = typer.Typer()
PANEL = "Research"
Engine = Annotated[
    str | None, typer.Option(help="joblib, serial or dask, else as conf says; the results are the same.")
]
Jobs = Annotated[int | None, typer.Option("--jobs", "-j", help="Processes on this machine; -1: one per core.")]
Scheduler = Annotated[
    str | None, typer.Option(help="Dask's, such as tcp://10.0.0.5:8786; without it Dask works on this machine.")
]
Quiet = Annotated[bool, typer.Option("--no-report", help="Leave the report out.")]
STUDIES = {  # pipeline and command -> its report, and what it does
    "sweep": (
        "compare_report",
        "Every combination of conf's sweep on one tape, the best of them tracked as runs, and whether they differ.",
    ),
    "tune": (
        "compare_report",
        "Search conf's structural parameters: each trial reads the market again; the choice is judged on a holdout.",
    ),
    "walkforward": (
        "walkforward_report",
        "Choose from conf's sweep on the past, judge on what followed, window by window, each window a run.",
    ),
}


@app.command(rich_help_panel=PANEL)
@with_options(of_file=FileOptions, changes=Changes)
def replay(of_file: FileOptions, changes: Changes, symbol: Symbol = None, env: Env = "base"):
    "Candles to a ledger: read, decide, replay, and show what was earned."
    from smcdesk import tracking
    from smcdesk.datasets.catalog import load_catalog
    from smcdesk.reports import replay_report
    from smcdesk.runs import session

    params, symbol = changes.params(env), of_file.symbol(symbol, env)
    stages = ("data", "feature", "replay")
    with progress_bar() as bar:
        run_id = session.run_pipelines(stages, symbol=symbol, env=env, bar=bar, runtime_params=params).run_id
    typer.echo(replay_report.trades(load_catalog(env).load(f"{symbol}.scorecard")))
    typer.echo(f"ledger {tracking.client().get_run(run_id).data.tags[f'ledger_hash.{symbol}'][:16]}, run {run_id}")


def _study(kind: str, symbol: str, env: str, params: dict, bare: bool):  # params: of the run
    "Run a study's pipelines, then its report, and show where everything is."
    from smcdesk.runs import session

    template, _ = STUDIES[kind]
    with progress_bar() as bar:
        stages = ("data", "feature", kind)
        run_id = session.run_pipelines(stages, symbol=symbol, env=env, bar=bar, runtime_params=params).run_id
        task = bar.add_task("report", total=None)
        done = None if bare else run_report(template, {"study": run_id, "symbol": symbol, "env": env}, run_id)
        bar.remove_task(task)
    if done:
        say_where(done)
    else:
        typer.echo(
            f"study {run_id}; smcdesk report run {template} -p symbol={symbol} -p env={env} -p study={run_id} shows it"
        )


def _command(kind: str):
    "A study's command; all of them take the same options."

    @app.command(kind, rich_help_panel=PANEL, help=STUDIES[kind][1])
    @with_options(of_file=FileOptions, changes=Changes)
    def study(
        of_file: FileOptions,
        changes: Changes,
        symbol: Symbol = None,
        env: Env = "base",
        engine: Engine = None,
        jobs: Jobs = None,
        scheduler: Scheduler = None,
        no_report: Quiet = False,
    ):
        from smcdesk.decisions.overrides import merged
        from smcdesk.research import workers

        options = {"engine": engine or ("dask" if scheduler else None), "jobs": jobs, "scheduler": scheduler}
        work = {k: v for k, v in options.items() if v is not None}
        workers.check_engine(work.get("engine", "joblib"), scheduler, 1 if jobs is None else jobs)
        params = merged(changes.params(env), {"work": work} if work else {})
        _study(kind, of_file.symbol(symbol, env), env, params, no_report)


for _kind in ("sweep", "walkforward"):
    _command(_kind)


@app.command(rich_help_panel=PANEL, help=STUDIES["tune"][1])
@with_options(of_file=FileOptions, changes=Changes)
def tune(
    of_file: FileOptions,
    changes: Changes,
    symbol: Symbol = None,
    env: Env = "base",
    trials: Annotated[int | None, typer.Option(help="How many, else as conf says; a search goes on.", min=1)] = None,
    no_report: Quiet = False,
):
    from smcdesk.datasets.catalog import load_catalog
    from smcdesk.decisions.overrides import merged

    params = merged(changes.params(env), {"tune": {"n_trials": trials}} if trials else {})
    symbol = of_file.symbol(symbol, env)
    _study("tune", symbol, env, params, no_report)
    typer.echo(load_catalog(env).load(f"{symbol}.tune_words"))


@app.command(rich_help_panel=PANEL)
@with_options(changes=Changes)
def portfolio(
    changes: Changes,
    symbols: Annotated[str, typer.Option("--symbols", "-s", help="With commas between, else as conf says.")] = "",
    env: Env = "base",
    no_report: Quiet = False,
):
    "All symbols' orders in order of time on one account: what the portfolio carries, and what it refuses."
    from smcdesk.decisions.overrides import merged
    from smcdesk.pipelines import portfolio
    from smcdesk.project.config import check_symbol, load_config
    from smcdesk.reports import portfolio_report
    from smcdesk.runs import session

    conf = load_config(env).parameters
    named = [s.strip() for s in symbols.split(",") if s.strip()] or conf["portfolio"]["symbols"]
    chosen = [check_symbol(s, conf["symbols"]) for s in named] or list(conf["symbols"])
    params = merged(changes.params(env), {"portfolio": {"symbols": chosen}})
    with progress_bar() as bar:
        stages, spaces = ("data", "feature", "portfolio"), [*chosen, portfolio.NAME]
        run_id = session.run_pipelines(stages, symbol=spaces, env=env, bar=bar, runtime_params=params).run_id
        task = bar.add_task("report", total=None)
        done = None if no_report else run_report("portfolio_report", {"env": env}, run_id)
        bar.remove_task(task)
    if done:
        say_where(done)
    else:
        verdict = portfolio_report.verdict(portfolio_report.load(env))
        typer.echo(f"{verdict} Run {run_id}; smcdesk report run portfolio_report -p env={env} shows it")


@app.command(rich_help_panel=PANEL)
def reproduce(
    run_id: Annotated[str, typer.Argument(help="An MLflow run's id: a replay, a study, a combination or a fold.")],
):
    "Run an MLflow run again from its own parameters and commit: the same hashes, or a list of what changed."
    from smcdesk.runs import reproduction

    with console().status(f"making {run_id} again"):
        found = reproduction.reproduce(run_id)
    for line in found.lines():
        typer.echo(line)
    if not found.same:
        raise typer.Exit(1)


@app.command(rich_help_panel=PANEL)
def outcomes(
    symbol: Annotated[str | None, typer.Option("--symbol", "-s", help="Else every symbol of conf.")] = None,
    env: Env = "base",
):
    "Fill what became of stored setups, from the bars there are by now; a known outcome stays."
    from smcdesk.project.config import check_symbol, load_config
    from smcdesk.runs import session
    from smcdesk.store import Store

    symbols = load_config(env).parameters["symbols"]
    chosen = check_symbol(symbol, symbols) if symbol else None
    with Store(env=env) as store:
        before = int(store.labels()["outcome"].notna().sum())
        session.run_pipelines(("outcomes",), symbol=chosen, env=env)
        labels = store.labels()
    done, planned = labels["outcome"].notna(), labels["entry_price"].notna()
    waiting = int((planned & ~done).sum())
    typer.echo(f"{int(done.sum()) - before:,} outcomes became known; {waiting:,} setups still wait for theirs")
