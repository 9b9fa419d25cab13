"""Where the project lies on disk: its top folder, its environments, its tracking store."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from smclab.candles import BadConfig, nearest

ENVS_NOT_TO_RUN = ("base", "local")


def _is_project(folder: Path) -> bool:
    "Whether `folder` holds this Kedro project."
    page = folder / "pyproject.toml"
    if not page.is_file():
        return False
    try:
        tool = tomllib.loads(page.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError):  # another project's page, which is no TOML
        return False
    return tool.get("kedro", {}).get("package_name") == "smcdesk"


def _checked(folder: Path) -> Path:
    "The folder; one that Kedro's catalog would take for a pattern is refused."
    if any(c in str(folder) for c in "{}"):
        raise BadConfig(f"the project's folder {folder} has a brace in its name, which Kedro takes for a pattern")
    return folder


def root() -> Path:
    "The project's top folder: `SMCLAB_ROOT`, else the nearest one above the working directory, else above this file."
    if folder := os.environ.get("SMCLAB_ROOT"):
        if not (Path(folder) / "conf").is_dir():
            raise BadConfig(f"SMCLAB_ROOT is {folder!r}, which is no smclab project: it has no folder conf")
        return _checked(Path(folder).resolve())
    for start in (Path.cwd(), Path(__file__).resolve()):
        for folder in (start, *start.parents):
            if _is_project(folder):
                return _checked(folder)
    raise BadConfig("no smclab project here: run inside its folder, or set SMCLAB_ROOT to it")


def envs() -> tuple[str, ...]:
    "The environments conf knows, besides base and local."
    return tuple(sorted(p.name for p in (root() / "conf").iterdir() if p.is_dir() and p.name not in ENVS_NOT_TO_RUN))


def check_env(
    env: str | None,  # an environment's name; None, "" and "local" mean base + local
) -> str | None:  # Kedro's name of it; None for base + local
    "The environment as Kedro wants it, or `BadConfig` with the nearest name."
    if env in (None, "", *ENVS_NOT_TO_RUN):
        return None
    if env not in envs():
        names = ("base", *envs())
        raise BadConfig(f"conf has no environment {env!r}{nearest(env, names)} Known: {', '.join(names)}.")
    return env


def mlflow_uri() -> str:
    "The tracking store: `SMCLAB_MLFLOW_URI`, else the SQLite file under mlruns, always absolute."
    return os.environ.get("SMCLAB_MLFLOW_URI") or sqlite_url(root() / "mlruns" / "mlflow.db")


def sqlite_url(path: Path) -> str:
    "The address of an SQLite file; a question mark or a percent sign in its path is no sign of the address."
    address = path.as_posix().replace("%", "%25").replace("?", "%3F")
    # MLflow makes the folder of what begins with sqlite:/// as it is spelt here, not of the file that is meant.
    return f"sqlite{'' if address == path.as_posix() else '+pysqlite'}:///{address}"


def mlflow_artifacts() -> str:
    "Where artifacts of new experiments go, as a URI."
    return (root() / "mlruns" / "artifacts").as_uri()
