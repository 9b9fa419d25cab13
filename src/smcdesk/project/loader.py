"""Kedro's configuration loader, which also knows for which environment it reads: `${env:}` in any file of conf."""

from __future__ import annotations

from typing import Any

from kedro.config import OmegaConfigLoader
from omegaconf import OmegaConf


class ProjectConfigLoader(OmegaConfigLoader):
    "Conf as Kedro reads it; `${env:}` is the environment, `base` where none is named."

    def __getitem__(self, key: str) -> Any:
        "One of conf's types, resolved for this loader's environment: several may be in use at once."
        OmegaConf.register_new_resolver("env", lambda: self.env or "base", replace=True)
        return super().__getitem__(key)
