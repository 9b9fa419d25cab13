"""The options all runs share: whose candles (`--data` and how the file is read), and what is otherwise than in conf."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from smcdesk.commands.console import DayFirst, Decimal, Label, Profile, Zone, symbol_or_first

Data = Annotated[
    Path | None,
    typer.Option("--data", "-d", help="Your candles: CSV, text, JSON, parquet, feather or a zip."),
]
BarsSide = Annotated[str | None, typer.Option(help="Which price the candles show: bid, mid or ask.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="A parameter of conf for this run: policy.risk.stop_atr=2. Again for another."),
]
PolicyName = Annotated[
    str | None, typer.Option("--policy", help="A preset for this run: v1, shadow, a_plus_live, a_plus_and_a_live.")
]


@dataclass(frozen=True)
class ReadingOptions:
    "How a candle file of the user's is read where it does not say, and what market it is of."

    zone: Zone = None
    decimal: Decimal = None
    day_first: DayFirst = None
    label: Label = None
    instrument: Profile = None
    bars_side: BarsSide = None

    def entry(self, file: Path, symbol: str | None, env: str) -> tuple[str, dict[str, Any]]:
        "The file's symbol, and its entry as conf would write it."
        from smcdesk.marketdata import sources

        reading = {name: getattr(self, name) for name in ("zone", "decimal", "day_first", "label")}
        return sources.from_file(
            file, symbol=symbol, profile=self.instrument, bars_side=self.bars_side, env=env, **reading
        )


@dataclass(frozen=True)
class FileOptions(ReadingOptions):
    "A candle file of the user's, and how it is read."

    data: Data = None

    def check_alone(self) -> None:
        "Refuse options that only mean something for a file of the user's."
        from smclab.candles import BadConfig

        for f in fields(self):
            if f.name != "data" and getattr(self, f.name) is not None:
                raise BadConfig(f"--{f.name.replace('_', '-')} describes a file: say which with --data")

    def symbol(self, symbol: str | None, env: str) -> str:
        "The symbol to run: conf's, else that of the file, which conf has from now on."
        if self.data is None:
            self.check_alone()
            return symbol_or_first(symbol, env)
        name, entry = self.entry(self.data, symbol, env)
        say_remembered(name, entry, env)
        return name


@dataclass(frozen=True)
class Changes:
    "What a run has otherwise than conf."

    set_values: Set = None
    policy: PolicyName = None

    def params(self, env: str) -> dict[str, Any]:
        "They, as Kedro's runtime parameters; a wrong one is refused."
        if not self.set_values and self.policy is None:
            return {}
        from smcdesk.decisions.overrides import overrides

        return overrides(self.set_values or (), self.policy, env)


def with_options(**groups: type) -> Callable:  # the command's parameter -> FileOptions or Changes
    "A command that takes a group of options as one value; Typer sees each option."

    def decorate(function: Callable) -> Callable:
        own = inspect.signature(function, eval_str=True)
        parts = {name: inspect.signature(kind, eval_str=True).parameters for name, kind in groups.items()}
        plain = [p.replace(kind=p.KEYWORD_ONLY) for n, p in own.parameters.items() if n not in groups]
        added = [p.replace(kind=p.KEYWORD_ONLY) for part in parts.values() for p in part.values()]

        @functools.wraps(function)
        def command(**values):
            given = {name: groups[name](**{n: values.pop(n) for n in part}) for name, part in parts.items()}
            return function(**values, **given)

        command.__signature__ = own.replace(parameters=[*plain, *added])
        command.__annotations__ = {p.name: p.annotation for p in (*plain, *added)}
        return command

    return decorate


def say_remembered(name: str, entry: dict[str, Any], env: str) -> None:
    "Add a file's symbol to conf and say so, on stderr."
    from smcdesk.marketdata import remembered

    new = remembered.remember(name, entry, env=env)
    what = f"{entry['instrument']}, {entry['bars_side']} prices, times in {entry['zone'] or 'the zone the file says'}"
    how = f"{name} is remembered in conf/local/symbols.yml" if new else f"{name} is in conf already, as it was"
    typer.echo(f"{how}: {what}", err=True)
