"""Libraries report nothing about their use: kernels, workers and MLflow's pages inherit these variables."""

from __future__ import annotations

import os

for _name, _value in {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "KEDRO_DISABLE_TELEMETRY": "1",
    "SCARF_NO_ANALYTICS": "true",
}.items():
    os.environ.setdefault(_name, _value)
