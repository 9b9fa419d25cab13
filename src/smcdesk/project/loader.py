"""Kedro's configuration loader, for folders of any name, with `${env:}` and errors that name file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.config import MissingConfigException, OmegaConfigLoader
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from smclab.candles import BadConfig

REMEMBERED = Path("local") / "symbols.yml"  # in conf: symbols by name, which `smcdesk symbols add` writes


class LiteralFolder:
    "A file system whose `glob` takes the folder of conf as it is spelt: brackets in it are no pattern."

    def __init__(self, files: Any, folder: Path):
        self._files, self._folder = files, folder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def glob(self, path: str) -> list[str]:
        "The files under the folder that match the rest of the path."
        pattern = Path(path).relative_to(self._folder).as_posix()
        return sorted(p.as_posix() for p in self._folder.glob(pattern) if p.is_file())


class ProjectConfigLoader(OmegaConfigLoader):
    "Conf as Kedro reads it; `${env:}` is the environment, `base` where none is named."

    @staticmethod
    def _initialise_filesystem_and_protocol(conf_source: str) -> tuple[Any, str]:
        "Kedro has no public name for how it opens conf: this is the only place that changes it."
        files, protocol = OmegaConfigLoader._initialise_filesystem_and_protocol(conf_source)
        return (LiteralFolder(files, Path(conf_source)) if protocol == "file" else files), protocol

    def __getitem__(self, key: str) -> Any:
        "One of conf's types, resolved for this loader's environment: several may be in use at once."
        OmegaConf.register_new_resolver("env", lambda: self.env or "base", replace=True)
        # Kedro registers it once, so that another environment's loader, made later, would answer for this one.
        OmegaConf.register_new_resolver("globals", self._get_globals_value, replace=True)
        try:
            found = super().__getitem__(key)
            return self._with_remembered(found) if key == "globals" else found
        except (YAMLError, UnicodeDecodeError, OmegaConfBaseException) as error:
            raise BadConfig(_unreadable(Path(self.conf_source)) or f"conf's {key}: {_first_line(error)}") from error

    def _with_remembered(self, found: dict[str, Any]) -> dict[str, Any]:
        "globals.yml with the remembered symbols beside its own; an environment that names its own keeps to them."
        folder = Path(self.conf_source)
        if names_its_own(folder, self.env):
            return found
        return {**found, "symbols": {**(found.get("symbols") or {}), **remembered_symbols(folder)}}

    def read(self, key: str) -> Any:
        "One of conf's types that has to be there; Kedro itself does without some, such as credentials."
        try:
            return self[key]
        except MissingConfigException as error:
            raise BadConfig(f"conf's {key} cannot be read: {_first_line(error)}") from error


def names_its_own(
    folder: Path,  # conf
    env: str | None,  # None: base + local
) -> bool:
    "Whether an environment's own globals.yml names symbols, so that remembered ones are none of its."
    own = folder / (env or "base") / "globals.yml"
    return env is not None and own.is_file() and "symbols" in OmegaConf.load(own)


def remembered_symbols(
    folder: Path,  # conf
) -> dict[str, Any]:  # symbol -> its entry, as `globals.yml` would have it
    "The symbols in conf/local/symbols.yml; none where there is no such file."
    path = folder / REMEMBERED
    if not path.is_file():
        return {}
    found = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    wrong = [] if isinstance(found, dict) else [type(found).__name__]
    wrong += [str(name) for name, entry in (found.items() if not wrong else ()) if not isinstance(entry, dict)]
    if wrong:
        raise BadConfig(f"{path}: expected a block of fields under each symbol's name, found {wrong[0]!r} without one")
    return found


def _unreadable(folder: Path) -> str:  # "": every file can be read
    "Which file of conf is no YAML, in which line, and why."
    for path in sorted(folder.rglob("*.yml")):
        try:
            OmegaConf.load(path)
        except YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            what = getattr(error, "problem", None) or _first_line(error)
            if mark and "\t" in path.read_text(encoding="utf-8").splitlines()[mark.line]:
                what = "a tab where YAML wants spaces"
            return f"{path}:{mark.line + 1}: {what}" if mark else f"{path}: {what}"
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            return f"{path}:{line}: it is not UTF-8 text"
        except OSError as error:
            return f"{path}: {error.strerror}"
    return ""


def _first_line(error: Exception) -> str:
    "An error's first line."
    return (str(error).splitlines() or [type(error).__name__])[0]
