"""Where the project lies on disk, and what its conf says."""

from __future__ import annotations

import os
import tomllib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smclab.candles import BadConfig, nearest

ENVS_NOT_TO_RUN = ("base", "local")


def _is_project(folder: Path) -> bool:
    "Whether `folder` holds this Kedro project."
    page = folder / "pyproject.toml"
    if not page.is_file():
        return False
    return tomllib.loads(page.read_text()).get("tool", {}).get("kedro", {}).get("package_name") == "smcdesk"


def root() -> Path:
    "The project's top folder: `SMCLAB_ROOT`, else the nearest one above the working directory, else above this file."
    if said := os.environ.get("SMCLAB_ROOT"):
        return Path(said).resolve()
    for start in (Path.cwd(), Path(__file__).resolve()):
        for folder in (start, *start.parents):
            if _is_project(folder):
                return folder
    raise BadConfig("no smclab project here: run inside its folder, or set SMCLAB_ROOT to it")


def envs() -> tuple[str, ...]:
    "The environments conf knows, besides base and local."
    return tuple(sorted(p.name for p in (root() / "conf").iterdir() if p.is_dir() and p.name not in ENVS_NOT_TO_RUN))


def check_env(
    env: str | None,  # an environment's name; None, "" and "local" mean base + local
) -> str | None:  # what Kedro should be told; None for base + local
    "The environment as Kedro wants it, or `BadConfig` with the nearest name."
    if env in (None, "", *ENVS_NOT_TO_RUN):
        return None
    if env not in envs():
        known = ("base", *envs())
        raise BadConfig(f"conf has no environment {env!r}{nearest(env, known)} Known: {', '.join(known)}.")
    return env


def hush() -> None:
    "Silence what the machinery says about itself and nobody here can change."
    for said in ("register_new_resolver", "IProgress not found", "One or more dataset names contain"):
        warnings.filterwarnings("ignore", message=said)


def loader_args() -> dict[str, Any]:
    "How conf is read, for Kedro and for everyone else: merging, and the project's own resolvers."
    from smcdesk import tracking

    return {
        "base_env": "base",
        "default_run_env": "local",
        "config_patterns": {kind: [f"{kind}*", f"**/{kind}*"] for kind in ("store", "notify", "providers", "schedule")},
        "merge_strategy": {"parameters": "soft", "mlflow": "soft", "providers": "soft", "schedule": "soft"},
        "custom_resolvers": {
            "root": lambda: root().as_posix(),
            "mlflow_uri": tracking.uri,
            "mlflow_artifacts": tracking.artifacts,
        },
    }


def config(env: str | None = None, runtime_params: Mapping[str, Any] | None = None):
    "Kedro's config loader for `env`, with the project's own resolvers."
    from smcdesk.conf import Conf

    hush()
    where = {"conf_source": str(root() / "conf"), "env": check_env(env)}
    return Conf(**where, runtime_params=dict(runtime_params or {}), **loader_args())


def parameters(env: str | None = None, runtime_params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    "The resolved parameters of `env`."
    return config(env, runtime_params)["parameters"]


def catalog(env: str | None = None):
    "The data catalog of `env` without a Kedro session: for reports and notebooks, which only load."
    from kedro.io import DataCatalog

    return DataCatalog.from_config(config(env)["catalog"])


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
    known = ", ".join(symbols)
    raise BadConfig(f"conf has no symbol {symbol!r}{nearest(symbol.upper(), list(symbols))} Known: {known}.")
