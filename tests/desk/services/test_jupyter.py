"""JupyterLab's own scheduler runs a notebook through papermill, with what papermill alone would let pass refused."""

from pathlib import Path

import nbformat
import pytest
from jupyter_scheduler.environments import StaticEnvironmentManager
from jupyter_scheduler.models import Status
from jupyter_scheduler.orm import Job, create_session, create_tables
from jupyter_scheduler.scheduler import Scheduler
from traitlets.config import Config

from smcdesk.services.jupyter import PapermillExecutor

BODY = "from pathlib import Path\nprint(Path.cwd().name, n_bars + 1, symbol)\nassert n_bars < 100, 'too many'"


@pytest.fixture
def notebook(tmp_path):
    "A notebook with two parameters, where the scheduler puts the copies it runs."
    first = nbformat.v4.new_code_cell("n_bars = 10\nsymbol = 'EURUSD'", metadata={"tags": ["parameters"]})
    nb = nbformat.v4.new_notebook(cells=[first, nbformat.v4.new_code_cell(BODY)])
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "python3", "language": "python"}
    nbformat.write(nb, tmp_path / "scan.ipynb")
    return tmp_path / "scan.ipynb"


def run(notebook: Path, **parameters: str):
    "A job as the scheduler would start it, in this process: its end, and what it wrote."
    url = f"sqlite:///{notebook.parent / 'jobs.sqlite'}"
    create_tables(url)
    job = Job(
        name="scan", input_filename=notebook.name, runtime_environment_name="python", parameters=parameters,
        output_formats=["ipynb", "html"], output_filename_template="", runtime_environment_parameters={},
    )  # fmt: skip
    with create_session(url)() as session:
        session.add(job)
        session.commit()
        key = job.job_id
    out = {kind: str(notebook.with_suffix(f".out.{kind}")) for kind in ("ipynb", "html")}
    PapermillExecutor(key, str(notebook.parent), url, {"input": str(notebook), **out}).process()
    with create_session(url)() as session:
        stored = session.query(Job).filter(Job.job_id == key).one()
        return stored.status, stored.status_message, {k: Path(p) for k, p in out.items() if Path(p).exists()}


def test_jupyterlabs_scheduler_takes_papermill_as_its_executor(tmp_path):
    config = Config(
        {
            "Scheduler": {
                "execution_manager_class": "smcdesk.services.jupyter.PapermillExecutor",
                "task_runner_class": None,
            }
        }
    )
    url = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    jupyter = Scheduler(
        root_dir=str(tmp_path), environments_manager=StaticEnvironmentManager(), db_url=url, config=config
    )
    assert jupyter.execution_manager_class is PapermillExecutor


def test_job_runs_from_the_projects_folder_with_its_parameters_in_their_types(notebook, house):
    status, _, out = run(notebook, n_bars="41")
    assert status == Status.COMPLETED and set(out) == {"ipynb", "html"}
    cells = nbformat.read(out["ipynb"], as_version=4).cells
    assert f"{house.name} 42 EURUSD" in cells[-1].outputs[0].text
    assert f"{house.name} 42 EURUSD" in out["html"].read_text()


def test_job_that_fails_says_why_and_keeps_the_notebook(notebook, house):
    status, why, out = run(notebook, n_bars="500")
    assert status == Status.FAILED and "too many" in why and "501 EURUSD" in out["html"].read_text()


@pytest.mark.parametrize(("given", "why"), [({"n_bar": "5"}, "no parameter 'n_bar'; did you mean 'n_bars'"),
                                            ({"n_bars": "many"}, "n_bars must be a whole number")])  # fmt: skip
def test_job_with_a_parameter_the_notebook_does_not_have_runs_nothing(notebook, house, given, why):
    status, message, out = run(notebook, **given)
    assert status == Status.FAILED and why in message and not out
