"""Whether conf may send orders at all; asked wherever orders could leave: services, scans, runs of pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smclab.candles import BadConfig


def check_send(
    parameters: Mapping[str, Any],  # conf's parameters; send: whether orders go to a broker
) -> None:
    "Refuse `send: true` while no broker is connected."
    if parameters["send"]:
        raise BadConfig("conf says send: true, but no broker is connected yet; set send: false")
