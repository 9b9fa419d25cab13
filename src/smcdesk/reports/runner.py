"""Run a report template with parameters: a notebook, an HTML page and a JSON record, one set of files per slot."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from smcdesk.project.files import atomic_file, write_text
from smcdesk.project.redaction import masked_values, one_line
from smcdesk.reports import index
from smclab.candles import BadConfig, nearest

RESULT_MIME = "application/vnd.smclab.result+json"  # a report's summary row leaves the notebook as this display
RENAMED = {"send": "notify"}  # parameters of templates: old name -> the one that took its place
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>
body {{ font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1d2329 }}
h1, h2 {{ line-height: 1.2 }} h2 {{ margin-top: 2.2rem }} img {{ max-width: 100%; height: auto }}
table {{ border-collapse: collapse; border: 0; font-size: 14px; display: block; overflow-x: auto }}
th, td {{ padding: .25rem .7rem; border: 0; border-bottom: 1px solid #d8dde3; text-align: left }}
pre {{ overflow-x: auto; background: #f6f7f9; padding: .6rem }}
</style></head><body>
{body}
</body></html>
"""


@dataclass(frozen=True)
class ReportResult:
    "The outcome of one report run, and where its files are."

    report: str
    slot: str
    status: str  # "ok" | "failed"
    error: str  # one line; empty when ok
    params: dict[str, Any]
    result: dict[str, Any]  # the notebook's summary row
    started: str  # ISO time
    notebook: Path
    html: Path
    record: Path
    run_id: str | None = field(default=None)  # the MLflow run that holds it


def template_folder(root: Path) -> Path:
    "The folder of the templates."
    return root / "nbs" / "reports"


def reports(root: Path) -> dict[str, Path]:
    "Every template by name."
    return {p.stem: p for p in sorted(template_folder(root).glob("*.ipynb")) if not p.stem.startswith(".")}


def template(name: str, root: Path) -> Path:
    "A template's path, or `BadConfig` with the nearest name."
    templates = reports(root)
    if name not in templates:
        names = ", ".join(templates) or "none"
        raise BadConfig(f"there is no report {name!r}{nearest(name, list(templates))} Known: {names}.")
    return templates[name]


def purpose(path: Path) -> str:
    "The template's one-line purpose: the quoted line under its title."
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    lines = "".join(cells[0]["source"]).splitlines() if cells else []
    return next((line.lstrip("> ").strip() for line in lines if line.startswith(">")), "")


def defaults(path: Path) -> dict[str, Any]:
    "The literals of the template's parameters cell."
    from papermill import inspect_notebook

    return {name: ast.literal_eval(p["default"]) for name, p in inspect_notebook(_literal(path)).items()}


def _literal(path: Path) -> str:
    "A path for papermill, which would fill in braces."
    return str(path).replace("{", "{{").replace("}", "}}")


def resolve_parameters(
    name: str,  # the report, for the message
    template_defaults: Mapping[str, Any],  # parameter -> default
    params: Mapping[str, Any],  # parameter -> value; text is read as the default's type
) -> dict[str, Any]:  # every parameter of the template with its value
    "Defaults overlaid by params; unknown names and wrong types are refused (papermill only warns)."
    for key in params:
        if (new := RENAMED.get(key)) in template_defaults and key not in template_defaults:
            raise BadConfig(
                f"report {name}: the parameter {key!r} is called {new!r} now, with the same values; "
                f"change it where it stands: in -p, or in params of the timetable (conf/*/schedule.yml)"
            )
        if key not in template_defaults:
            raise BadConfig(f"report {name} has no parameter {key!r}{nearest(key, list(template_defaults))}")
    return {
        key: _as(name, key, params[key], default) if key in params else default
        for key, default in template_defaults.items()
    }


def _as(name: str, key: str, value: Any, default: Any) -> Any:
    "`value` in the type of `default`, or `BadConfig`."
    kind = type(default)
    if kind not in _KINDS or (type(value) is kind) or (kind is float and type(value) is int):
        return float(value) if kind is float else value
    if isinstance(value, str):
        words = {"true": True, "yes": True, "false": False, "no": False}
        if kind is bool and value.lower() in words:
            return words[value.lower()]
        if kind is int and re.fullmatch(r"[+-]?\d+", value):
            return int(value)
        if kind is float and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value):
            return float(value)
    raise BadConfig(f"report {name}: parameter {key} must be {_KINDS[kind]}, found {value!r}")


def _check_common_params(values: Mapping[str, Any]) -> None:
    "`symbol` and `env` mean the same in every report: unknown ones are refused before anything runs."
    from smcdesk.project import paths
    from smcdesk.reports import replay_report

    paths.check_env(values.get("env"))
    if "symbol" in values:
        replay_report.check_symbol(values["symbol"], values.get("env", "base"))


def slot_name(params: Mapping[str, Any], template_defaults: Mapping[str, Any]) -> str:
    "One file name per set of parameters: the symbol, then whatever differs from the defaults."
    words = [str(params["symbol"])] if "symbol" in params else []
    words += [f"{k}-{v}" for k, v in params.items() if k != "symbol" and v != template_defaults[k]]
    name = re.sub(r"[^A-Za-z0-9_.+-]+", "-", "_".join(words)) or "default"
    if len(name) <= 80:
        return name
    return f"{name[:63]}-{sha256(name.encode()).hexdigest()[:16]}"


def run_report(
    name: str,  # a template in nbs/reports, without its ending
    params: Mapping[str, Any],  # parameter -> value
    *,
    root: Path,  # the project's top folder
    now: datetime,  # decides the folder of the day
    run_id: str | None = None,  # the MLflow run to attach to; None: the run with the ledger's hash
    slot: str | None = None,  # a slot of the timetable, which runs once; None: the parameters name the files
) -> ReportResult:  # also stored as <slot>.json beside the notebook
    "Run a template; the same slot again replaces its files, a failure keeps the notebook with the error."
    from filelock import FileLock

    source = template(name, root)
    template_defaults = defaults(source)
    values = resolve_parameters(name, template_defaults, params)
    _check_common_params(values)
    once, slot = slot is not None, slot or slot_name(values, template_defaults)
    folder = root / "notebooks_out" / name / now.strftime("%Y/%m/%d")
    folder.mkdir(parents=True, exist_ok=True)
    files = {"notebook": folder / f"{slot}.ipynb", "html": folder / f"{slot}.html", "record": folder / f"{slot}.json"}
    with FileLock(folder / f".{slot}.lock"):
        if once and (done := _finished(files["record"], values)):
            return done
        error = _execute(source, files["notebook"], values, root)
        result, cells = _read(files["notebook"])
        _page(cells, files["html"], f"{name} {slot}", with_code=bool(error))
        status = "failed" if error else "ok"
        run_id = run_id or (None if error else _run_of(result))
        shown, result = masked_values(values), masked_values(result)
        done = ReportResult(name, slot, status, error, shown, result, now.isoformat(), **files, run_id=run_id)
        write_text(files["record"], json.dumps(asdict(done), indent=2, default=str) + "\n")
        if run_id:
            from smcdesk import tracking

            tracking.attach(run_id, files.values(), f"report/{name}")
    index.write(root)
    return done


def _finished(record: Path, values: Mapping[str, Any]) -> ReportResult | None:
    "The result of a slot that already ran without error with these parameters; None where there is none."
    if not record.exists():
        return None
    stored = json.loads(record.read_text(encoding="utf-8"))
    if stored["status"] != "ok" or stored["params"] != masked_values(values):
        return None
    return ReportResult(**{k: Path(v) if k in ("notebook", "html", "record") else v for k, v in stored.items()})


def _execute(source: Path, target: Path, values: Mapping[str, Any], root: Path) -> str:
    "Run the template to `target`, also when it fails; the error in one line, empty where there is none."
    import papermill
    from papermill.exceptions import PapermillException, PapermillExecutionError

    running = target.with_name(f".{target.stem}.running.ipynb")
    error = ""
    try:
        papermill.execute_notebook(
            _literal(source), _literal(running), parameters=dict(values), cwd=str(root), kernel_name="python3",
            language="python", progress_bar=False, log_output=False, extra_arguments=["--log-level=CRITICAL"],
        )  # fmt: skip
    except PapermillExecutionError as e:
        error = f"{e.ename}: {e.evalue}"
    except PapermillException as e:
        error = f"{type(e).__name__}: {e}"
    except RuntimeError as e:  # the kernel died
        error = f"{type(e).__name__}: {e}"
    if running.exists():
        notebook = json.loads(running.read_text(encoding="utf-8"))
        write_text(target, json.dumps(_without_secrets(notebook), indent=1, ensure_ascii=False) + "\n")
        running.unlink()
    return one_line(error.splitlines()[0]) if error else ""


def _without_secrets(notebook: dict[str, Any]) -> dict[str, Any]:
    "The notebook with every text in it masked; pictures stay as they are."
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            pictures = {mime: data for mime, data in output.get("data", {}).items() if mime.startswith("image/")}
            masked_output = masked_values({k: v for k, v in output.items() if k != "data"})
            if "data" in output:
                masked_output["data"] = masked_values({k: v for k, v in output["data"].items() if k not in pictures})
                masked_output["data"] |= pictures
            output.update(masked_output)
        cell["source"], cell["metadata"] = masked_values(cell["source"]), masked_values(cell.get("metadata", {}))
    return notebook | {"metadata": masked_values(notebook["metadata"])}


def _read(notebook: Path):
    "The summary row (empty when there is none) and the notebook itself."
    import nbformat

    nb = nbformat.read(str(notebook), as_version=4)
    rows = [
        output["data"][RESULT_MIME]
        for cell in nb.cells
        if cell.cell_type == "code"
        for output in cell.get("outputs", [])
        if RESULT_MIME in output.get("data", {})
    ]
    return (dict(rows[-1]) if rows else {}), nb


def _page(nb, target: Path, title: str, *, with_code: bool) -> None:
    "The notebook as one HTML page; code is shown only when something failed in it."
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name="basic", exclude_input=not with_code, exclude_input_prompt=True, exclude_output_prompt=True,
        exclude_anchor_links=True,
    )  # fmt: skip
    body, _ = exporter.from_notebook_node(nb)
    with atomic_file(target) as part:
        part.write_text(_PAGE.format(title=escape(title), body=body), encoding="utf-8")


def _run_of(result: Mapping[str, Any]) -> str | None:
    "The MLflow run whose ledger the report shows."
    from smcdesk import tracking

    if not {"symbol", "ledger_hash"} <= result.keys():
        return None
    return tracking.find_run(f"ledger_hash.{result['symbol']}", result["ledger_hash"])
