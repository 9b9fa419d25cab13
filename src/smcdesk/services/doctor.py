"""What stands in the way of the next step: packages, each symbol's candles, the timetable's lines. Writes nothing."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from packaging.requirements import Requirement

from smcdesk import tracking
from smcdesk.datasets.candles import load_candles
from smcdesk.marketdata import feeds, quality
from smcdesk.marketdata.instruments import instrument_of
from smcdesk.orders.guard import check_send
from smcdesk.project import paths
from smcdesk.project.config import check_symbol, load_config
from smcdesk.reports import runner
from smcdesk.schedule import timetable
from smcdesk.schedule.timetable import Job
from smcdesk.store import Store
from smclab.candles import BadBars, BadConfig

SAMPLE = "data/01_raw/sample/"
NOT_FOR_USERS = ("dev", "bench")  # extras of those who change smclab
_WORDS = (BadBars, BadConfig, ConnectionError, OSError, ModuleNotFoundError)  # what a user can mend


@dataclass(frozen=True)
class Checkup:
    "What was found; every problem is a sentence, empty where there is none."

    versions: dict[str, str]
    extras: list[dict[str, Any]]  # extra, missing (packages)
    symbols: list[dict[str, Any]]  # symbol, timeframe, last_bar, late, quality, problem
    lines: list[dict[str, Any]]  # line, report, env, problem
    steps: list[str]  # what to do next, the most urgent first

    @property
    def ok(self) -> bool:
        "Whether nothing would fail now; old candles and extras that nothing asks for are no failure."
        return not any(row["problem"] for row in (*self.symbols, *self.lines)) and not self.missing("lab")

    def missing(self, extra: str) -> list[str]:
        "The packages of an extra that are not installed."
        return next((row["missing"] for row in self.extras if row["extra"] == extra), [])

    def to_dict(self) -> dict[str, Any]:
        "All of it as plain values."
        return {"ok": self.ok, **asdict(self)}


def examine(
    env: str = "paper",  # whose symbols and timetable
    *,
    now: datetime | None = None,  # the present, UTC; None: by this machine
) -> Checkup:
    "Look at everything a run or the timetable needs."
    now = now or datetime.now(UTC)
    paths.check_env(env)
    symbols = [_symbol(name, env, now) for name in load_config(env).parameters["symbols"]]
    unread = {row["symbol"] for row in symbols if not row["timeframe"]}
    schedule = timetable.load(env)
    lines = [_line(name, job, job.env or env, unread) for name, job in schedule.jobs.items() if job.enabled]
    extras = _extras()
    return Checkup(json.loads(tracking.versions()), extras, symbols, lines, _steps(env, extras, symbols, lines))


def _extras() -> list[dict[str, Any]]:
    "Each extra of the package, and what of it is not installed."
    needs = [Requirement(text) for text in importlib.metadata.requires("smclab") or ()]
    names = importlib.metadata.metadata("smclab").get_all("Provides-Extra") or ()
    rows = []
    for extra in sorted(set(names) - set(NOT_FOR_USERS)):
        wanted = [n for n in needs if n.marker and n.marker.evaluate({"extra": extra}) and n.name != "smclab"]
        rows.append({"extra": extra, "missing": [n.name for n in wanted if not _installed(n)]})
    return rows


def _installed(need: Requirement) -> bool:
    "Whether a package is there in a version that is asked for."
    try:
        return need.specifier.contains(importlib.metadata.version(need.name), prereleases=True)
    except importlib.metadata.PackageNotFoundError:
        return False


def _symbol(name: str, env: str, now: datetime) -> dict[str, Any]:
    "How fresh and how good a symbol's candles are."
    row = {"symbol": name, "timeframe": "", "last_bar": None, "late": "", "quality": "", "problem": ""}
    try:
        bars, timeframe, _ = load_candles(name, None, None, env)
        found = quality.inspect(bars, instrument_of(name, env), timeframe=timeframe)
        by_now = quality.inspect(bars, instrument_of(name, env), timeframe=timeframe, now=now, late_is_bad=False)
    except Exception as error:
        return {**row, "problem": _sentence(error)}
    late = by_now.findings.loc[by_now.findings["kind"] == "late", "sentence"]
    why = f"its candles are bad: {found.reasons[0]}" if found.verdict == "bad" else ""
    seen = {"timeframe": found.timeframe, "last_bar": found.last, "quality": found.verdict, "problem": why}
    return {**row, **seen, "late": late.iloc[0] if len(late) else ""}


def _sentence(error: Exception) -> str:
    "The first sentence of the causes that a user can mend; a defect of the program is raised again."
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, _WORDS):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        raise error
    return (str(cause).splitlines() or [type(cause).__name__])[0]


def _line(name: str, job: Job, env: str, unread: set[str]) -> dict[str, Any]:
    "A line of the timetable, and why it would fail now."
    try:
        problem = _would_fail(job, env, unread)
    except Exception as error:
        problem = _sentence(error)
    return {"line": name, "report": job.report, "env": env, "problem": problem}


def _would_fail(job: Job, env: str, unread: set[str]) -> str:
    "Why a line would fail; empty where nothing is in its way."
    parameters = load_config(env).parameters
    check_send(parameters)
    defaults = runner.defaults(runner.template(job.report, paths.root()))
    given = runner.resolve_parameters(job.report, defaults, job.params)
    named = [s.strip() for s in str(given.get("symbols") or given.get("symbol") or "").split(",") if s.strip()]
    chosen = [check_symbol(s, parameters["symbols"]) for s in named] or list(parameters["symbols"])
    provider = given.get("provider", "files")
    if provider != "feeds":
        feeds.provider_by_name(provider, env)
    _check_store(env)
    if provider == "files" and chosen and set(chosen) <= unread:
        return f"no candles of {', '.join(chosen)} can be read"
    return _missing_client(provider, chosen, env)


def _check_store(env: str) -> None:
    "Raise what the store would raise; one that is not there yet is made by the timetable."
    with Store(env=env) as store:
        if store.revision() is not None:
            store._check_ready()


def _missing_client(provider: str, symbols: list[str], env: str) -> str:
    "Which client library the sources of these symbols lack."
    conf = feeds.conf(env)
    names = {provider} if provider != "feeds" else {conf.feeds.get(s, conf.default).first for s in symbols}
    kinds = {str(conf.sources[n].get("kind", n)) for n in names}
    lacking = {row["extra"]: row["missing"] for row in _extras() if row["extra"] in kinds and row["missing"]}
    return "".join(f"{', '.join(m)} is not installed: pip install 'smclab[{extra}]'" for extra, m in lacking.items())


def _steps(env: str, extras: list, symbols: list[Mapping], lines: list[Mapping]) -> list[str]:
    "What to do next, the most urgent first."
    steps = [f"pip install 'smclab[{row['extra']}]'" for row in extras if row["extra"] == "lab" and row["missing"]]
    steps += [f"smcdesk quality {row['symbol']} --env {env}: {row['problem']}" for row in symbols if row["problem"]]
    steps += [f"mend the line {row['line']} of schedule.yml: {row['problem']}" for row in lines if row["problem"]]
    entries = load_config(env).parameters["symbols"]
    if all(str(entry.get("source", "")).startswith(SAMPLE) for entry in entries.values()):
        steps.append("smcdesk symbols add FILE: only the sample is in conf so far")
    for row in symbols:
        if row["late"] and not str(entries[row["symbol"]].get("source", "")).startswith(SAMPLE):
            steps.append(f"bring {row['symbol']} up to date (smcdesk fetch, or a newer file): {row['late']}")
    if not (paths.root() / "data" / "08_reporting").is_dir():
        steps.append("smcdesk demo: nothing was replayed yet")
    if not any(row["problem"] for row in lines):
        steps.append(f"smcdesk schedule run --env {env} keeps the timetable: {len(lines)} lines, none would fail now")
    return steps
