"""Files that are remembered as symbols: entries in conf/local/symbols.yml, added below what stands there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from smcdesk.marketdata.sources import symbol_config
from smcdesk.project import paths
from smcdesk.project.config import load_config
from smcdesk.project.files import write_text
from smcdesk.project.loader import REMEMBERED, names_its_own, remembered_symbols
from smclab.candles import BadConfig

HEAD = "# Symbols of this machine, with the fields of conf/base/globals.yml. `smcdesk symbols add FILE` adds to them.\n"


def remember(
    symbol: str,
    entry: Mapping[str, Any],  # as conf would write it
    *,
    env: str | None = None,  # where it shall be used
) -> bool:  # False: conf has exactly this symbol already
    "Add a symbol to conf/local/symbols.yml. An entry that conf has is never replaced, and every comment stays."
    conf = paths.root() / "conf"
    path, entry = conf / REMEMBERED, dict(entry, source=_short(entry["source"]))
    with FileLock(path.with_suffix(".lock")):
        had, mine = load_config(env).parameters["symbols"], remembered_symbols(conf)
        if names_its_own(conf, paths.check_env(env)):
            raise BadConfig(
                f"the environment {env} names its own symbols: use a file of yours with --env base or paper"
            )
        if symbol in had:
            if _same(symbol, had[symbol], entry):
                return False
            raise BadConfig(_taken(symbol, had[symbol], entry, symbol in mine))
        text = path.read_text(encoding="utf-8") if path.is_file() else HEAD
        added = yaml.safe_dump({symbol: entry}, sort_keys=False, allow_unicode=True, width=10_000)
        text += ("" if text.endswith("\n") or not text else "\n") + added
        if _read(text) != {**mine, symbol: entry}:
            raise BadConfig(f"{path} cannot be added to as it is written: put this there yourself: {added!r}")
        write_text(path, text)
    return True


def _short(source: str) -> str:
    "A file inside the project by its path from there, which stays right when the project is moved."
    path = Path(source)
    return path.relative_to(paths.root()).as_posix() if path.is_relative_to(paths.root()) else str(path)


def _read(text: str) -> Any:
    "What a text says as YAML, with nothing left to fill in; None where it is none."
    try:
        return OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    except (yaml.YAMLError, OmegaConfBaseException):
        return None


def _same(symbol: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    "Whether two entries say the same: what an entry leaves out is its default."
    a, b = (symbol_config(symbol, e).model_dump() for e in (one, other))
    files = [paths.root() / str(e["source"]) for e in (a, b)]
    return files[0] == files[1] and {**a, "source": ""} == {**b, "source": ""}


def _taken(symbol: str, had: Mapping[str, Any], entry: Mapping[str, Any], is_mine: bool) -> str:
    "Why a symbol is not added, and the two ways on."
    fields = ("source", "instrument", "zone", "bars_side")
    differs = [
        f"{name} {had.get(name)} (found {entry.get(name)})" for name in fields if had.get(name) != entry.get(name)
    ]
    stem = Path(entry["source"]).stem
    other = stem if re.fullmatch(r"\w+", stem, re.ASCII) and stem != symbol else f"{symbol}_mine"
    place = f"conf/{REMEMBERED.as_posix()}" if is_mine else "conf/base/globals.yml"
    return (
        f"conf has a symbol {symbol} with {', '.join(differs) or 'other fields'}, which is not replaced: name this one "
        f"otherwise, e.g. --symbol {other} --instrument {entry['instrument']}, or change {place}"
    )
