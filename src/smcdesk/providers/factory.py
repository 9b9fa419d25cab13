"""A provider by its name in conf."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from smcdesk.providers.protocol import Clock, Provider, ProviderDeps
from smclab.candles import BadConfig, nearest

KINDS = ("files", "recorded", "ccxt", "alpaca", "delta")  # each a module here with `Settings`


def provider(
    name: str,  # what conf, the history and every message call it
    settings: Mapping[str, Any] | None = None,  # conf's entry; kind: one of KINDS, where the name is none itself
    *,
    root: Path | None = None,  # what relative paths start from; None: the working folder
    clock: Clock | None = None,  # the present, with its zone; None: this machine's
    sleep: Callable[[float], None] | None = None,  # seconds; None: really
    monotonic: Callable[[], float] | None = None,  # seconds, for pace and breaker; None: this machine's
    files: Mapping[str, Mapping[str, Any]] | None = None,  # conf's symbols, for kind `files`
    max_gb: float | None = None,  # of memory that a file may take; None: as `Budget` has it
) -> Provider:
    "A provider by name; its client library is loaded with the first request."
    from pydantic import ValidationError

    values = {"kind": name, **(settings or {})}
    kind = values["kind"]
    if kind not in KINDS:
        raise BadConfig(
            f"providers.{name}: no kind of provider {kind!r}{nearest(kind, KINDS)} Known: {', '.join(KINDS)}."
        )
    model = import_module(f"smcdesk.providers.{kind}").Settings
    try:
        checked = model(**values)
    except ValidationError as error:
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")  # a typo explains what is missing
        key = ".".join(map(str, first["loc"]))
        hint = nearest(key, list(model.model_fields)) if first["type"] == "extra_forbidden" else ""
        raise BadConfig(f"providers.{name}.{key}: {first['msg'].lower()}{hint}") from None
    around = ProviderDeps(root or Path.cwd(), clock, sleep, monotonic, files or {}, max_gb)
    return checked.make(name, around)
