"""What libraries may print: warnings nobody here can act on, and the console of a command."""

from __future__ import annotations

import logging
import os
import warnings


def silence_warnings() -> None:
    "Ignore warnings of libraries that nobody here can act on."
    for text in ("register_new_resolver", "IProgress not found", "One or more dataset names contain"):
        warnings.filterwarnings("ignore", message=text)


def quiet_libraries() -> None:
    "Leave the console to the command; errors reach it as exceptions, not as log lines."
    silence_warnings()
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    for name in ("kedro", "kedro_mlflow.framework", "mlflow", "alembic", "papermill", "traitlets"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
