"""The project's conf: one object an environment, every file parsed once."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from smcdesk.project.logs import silence_warnings
from smcdesk.project.paths import check_env, mlflow_artifacts, mlflow_uri, root
from smclab.candles import BadConfig, nearest

KINDS = ("store", "notify", "providers", "schedule")  # files of conf besides those Kedro knows by itself


def loader_args() -> dict[str, Any]:
    "How conf is read, for Kedro and for everyone else: merging, and the project's own resolvers."
    return {
        "base_env": "base",
        "default_run_env": "local",
        "config_patterns": {kind: [f"{kind}*", f"**/{kind}*"] for kind in KINDS},
        "merge_strategy": {"parameters": "soft", "mlflow": "soft", "providers": "soft", "schedule": "soft"},
        "custom_resolvers": {
            "root": lambda: root().as_posix(),
            "mlflow_uri": mlflow_uri,
            "mlflow_artifacts": mlflow_artifacts,
        },
    }


class ProjectConfig:
    "The conf of one environment. Each part is parsed when it is first read, and handed out as a copy."

    def __init__(self, env: str | None, loader: Any):
        self.env = env  # as Kedro names it; None: base + local
        self._loader, self._parsed = loader, {}

    def _part(self, kind: str) -> dict[str, Any]:
        "One kind of file of conf, resolved."
        if kind not in self._parsed:
            self._parsed[kind] = self._loader.read(kind)
        return copy.deepcopy(self._parsed[kind])

    @property
    def parameters(self) -> dict[str, Any]:
        "parameters.yml with runtime parameters merged in."
        return self._part("parameters")

    @property
    def catalog(self) -> dict[str, Any]:
        "catalog.yml: dataset name -> its entry."
        return self._part("catalog")

    @property
    def globals(self) -> dict[str, Any]:
        "globals.yml."
        return self._part("globals")

    @property
    def providers(self) -> dict[str, Any]:
        "providers.yml."
        return self._part("providers")

    @property
    def store(self) -> dict[str, Any]:
        "store.yml."
        return self._part("store")

    @property
    def notify(self) -> dict[str, Any]:
        "notify.yml."
        return self._part("notify")

    @property
    def schedule(self) -> dict[str, Any]:
        "schedule.yml."
        return self._part("schedule")


_loaded: dict[tuple, tuple[tuple, ProjectConfig]] = {}  # by root, environment and parameters: a stamp, and the conf


def load_config(
    env: str | None = None,  # None, "" and "local": base + local
    runtime_params: Mapping[str, Any] | None = None,
) -> ProjectConfig:
    "The conf of an environment; parsed again only when a file of it, or a variable it may name, has changed."
    from smcdesk.project.loader import ProjectConfigLoader

    silence_warnings()
    env, folder = check_env(env), root() / "conf"
    key = (folder, env, json.dumps(dict(runtime_params or {}), sort_keys=True, default=str))
    stamp = _stamp(folder)
    if key not in _loaded or _loaded[key][0] != stamp:
        loader = ProjectConfigLoader(
            conf_source=str(folder), env=env, runtime_params=dict(runtime_params or {}), **loader_args()
        )
        _loaded[key] = (stamp, ProjectConfig(env, loader))
    return _loaded[key][1]


def _stamp(folder: Path) -> tuple:
    "What conf hangs on: its files with size and time of change, and the project's environment variables."
    files = [(str(p), s.st_mtime_ns, s.st_size) for p in sorted(folder.rglob("*.yml")) for s in (p.stat(),)]
    variables = sorted((k, v) for k, v in os.environ.items() if k.startswith(("SMCLAB_", "SMCDESK_")))
    return (*files, *variables)


def check_symbol(
    symbol: str,  # as the user wrote it
    symbols: Mapping[str, Any],  # conf's symbols
) -> str:  # the symbol as conf spells it
    "The symbol if conf has it, or `BadConfig` with the nearest name."
    if symbol in symbols:
        return symbol
    same = [s for s in symbols if s.upper() == symbol.upper()]
    if same:
        return same[0]
    raise BadConfig(unknown_symbol(symbol, symbols))


def unknown_symbol(symbol: str, symbols: Iterable[str]) -> str:
    "The sentence for a symbol that conf does not have: the nearest it has, and the command that adds one."
    hint, names = nearest(symbol.upper(), list(symbols)) or ".", ", ".join(symbols)
    spelt = f" --symbol {symbol}" if re.fullmatch(r"[A-Za-z0-9_]{1,20}", symbol) else ""
    return f"conf has no symbol {symbol!r}{hint} Known: {names}. To add it: smcdesk symbols add FILE{spelt}"
