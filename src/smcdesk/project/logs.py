"""What libraries may print: warnings nobody here can act on, and the console of a command."""

from __future__ import annotations

import logging
import os
import sys
import traceback
import warnings

from smcdesk.project.redaction import masked


def silence_warnings() -> None:
    "Ignore warnings of libraries that nobody here can act on."
    for text in ("register_new_resolver", "IProgress not found", "One or more dataset names contain"):
        warnings.filterwarnings("ignore", message=text)


def quiet_libraries() -> None:
    "Leave the console to the command; errors reach it as exceptions, not as log lines."
    silence_warnings()
    mask_secrets()
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    for name in ("kedro", "kedro_mlflow.framework", "mlflow", "alembic", "papermill", "traitlets"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def mask_secrets() -> None:
    "Mask every log line and every traceback of this process; calling it again changes nothing."
    if getattr(logging.getLogRecordFactory(), "masks", False):
        return
    make, show = logging.getLogRecordFactory(), sys.excepthook

    def record(*args, **options) -> logging.LogRecord:
        line = make(*args, **options)
        text = line.getMessage()
        if (clean := masked(text)) != text:
            line.msg, line.args = clean, ()
        if line.exc_info and line.exc_info[1] is not None:
            line.exc_text = masked("".join(traceback.format_exception(*line.exc_info))).rstrip()
        return line

    def excepthook(kind, error, trace) -> None:
        text = "".join(traceback.format_exception(kind, error, trace))
        if (clean := masked(text)) == text:
            return show(kind, error, trace)
        sys.stderr.write(clean)

    record.masks = True
    logging.setLogRecordFactory(record)
    sys.excepthook = excepthook
