"""JupyterLab's own scheduler runs a notebook as `smcdesk report run` does: by papermill, from the top folder.

`make lab` names it (`--Scheduler.execution_manager_class`). It knows nothing of slots: what must run once per candle
belongs in conf/base/schedule.yml.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
import papermill
from jupyter_scheduler.executors import DefaultExecutionManager

from smcdesk.project import paths
from smcdesk.reports import runner


class PapermillExecutor(DefaultExecutionManager):
    "Executes a job's notebook; a parameter it does not have is refused, a failure keeps the notebook with the error."

    def execute(self) -> None:
        "Run the notebook with the job's parameters and write the requested formats."
        source, job = Path(self.staging_paths["input"]), self.model
        done = source.with_name(f".{source.stem}.done.ipynb")
        defaults = runner.defaults(source)
        values = runner.resolve_parameters(source.stem, defaults, job.parameters or {})
        try:
            papermill.execute_notebook(
                str(source), str(done), parameters=values, cwd=str(paths.root()), kernel_name="python3",
                language="python", progress_bar=False, extra_arguments=["--log-level=CRITICAL"],
            )  # fmt: skip
        finally:
            if done.exists():
                self.create_output_files(job, nbformat.read(done, as_version=4))
                done.unlink()
