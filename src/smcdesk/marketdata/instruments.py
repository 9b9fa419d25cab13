"""What a symbol is: the shipped profile with conf's changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smcdesk.project.config import load_config
from smclab.instruments import SYMBOLS, Instrument, instrument


def configured_instrument(
    profile: str,  # a shipped profile's name
    changes: Mapping[str, Mapping[str, Any]],  # conf's profiles: symbol -> field -> value
    symbol: str,
) -> Instrument:
    "The profile with conf's changes, under the name conf trades it by: two symbols may share one shipped profile."
    return Instrument.from_dict({**instrument(profile).to_dict(), **(changes.get(symbol) or {}), "symbol": symbol})


def instrument_of(symbol: str, env: str | None = None) -> Instrument | None:
    "What a symbol is: conf's, else the shipped profile of that name; None where neither knows it."
    p = load_config(env).parameters
    if symbol in p["symbols"]:
        return configured_instrument(p["symbols"][symbol]["instrument"], p["profiles"], symbol)
    return configured_instrument(symbol, p["profiles"], symbol) if symbol in SYMBOLS else None
