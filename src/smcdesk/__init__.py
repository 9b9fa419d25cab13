"""The Desk: the application around the Lab, in rooms on floors; docs/architecture.md has the plan of them.

A room imports only from the floors below it, and the Lab. It may import what `pyproject.toml` allows; never is there an
import from the Lab to the Desk.
"""

import os as _os

# Libraries report nothing about their use; kernels, workers and MLflow's pages inherit these.
for _name, _value in {
    "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "KEDRO_DISABLE_TELEMETRY": "1",
    "SCARF_NO_ANALYTICS": "true",
}.items():  # fmt: skip
    _os.environ.setdefault(_name, _value)
