"""The index of reports: every run, newest first, as records for programs and as one page for a browser."""

from __future__ import annotations

import base64
import io
import itertools
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

from smcdesk.project.files import atomic_file, write_text

LISTED = 400  # rows of the page; older records stay where they are
PICTURED = 40  # of them with a picture
THUMBNAILS = ".thumbnails"  # a folder beside the page
_WIDTH = 480  # pixels of a picture
_FIRST = (
    "trades_n", "expectancy_r", "total_return_pct", "max_drawdown_pct", "win_rate_pct",
    "setups_n", "live_n", "shadow_n", "test_sharpe_annual", "test_return_pct_year", "runs", "windows",
)  # fmt: skip
_UNITS = {"pct": " %", "r": " R", "s": " s", "n": "", "price": "", "bars": " bars"}
_SIGNS = {"ok": "✓", "failed": "✗", "broken": "!", "unfinished": "…"}


@dataclass(frozen=True)
class ReportRun:
    "One report run, from its record, or as far as that can be read."

    report: str
    slot: str
    status: str  # ok, failed; broken: no readable record; unfinished: running, or interrupted
    started: datetime  # UTC; of a broken record, the file's own time
    folder: Path
    error: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = ""

    @property
    def symbol(self) -> str:
        "The symbol, where the report is about one."
        return str(self.params.get("symbol") or self.result.get("symbol") or "")

    def files(self) -> dict[str, Path]:
        "Its existing files by ending."
        paths = {end: self.folder / f"{self.slot}.{end}" for end in ("html", "ipynb", "json")}
        return {end: path for end, path in paths.items() if path.is_file()}


def runs(
    root: Path,  # the project's top folder
    *,
    report: str | None = None,  # of one template
    limit: int = LISTED,  # the newest
) -> list[ReportRun]:  # newest first
    "The newest report runs. A record that cannot be read is a row too."
    found: list[ReportRun] = []
    for _, same_day in itertools.groupby(_days(root / "notebooks_out", report), key=lambda folder: folder.parts[-3:]):
        found += [run for folder in same_day for run in _of_day(folder)]
        if len(found) >= limit:
            break
    return sorted(found, key=lambda r: (r.started, r.report, r.slot), reverse=True)[:limit]


def _days(top: Path, report: str | None) -> list[Path]:
    "The folders <report>/YYYY/MM/DD, newest first."
    found = top.glob(f"{report or '*'}/[0-9]*/[0-9]*/[0-9]*")
    return sorted((p for p in found if p.is_dir()), key=lambda p: (p.parts[-3:], p.parts[-4]), reverse=True)


def _of_day(folder: Path) -> Iterator[ReportRun]:
    "The runs of one report on one day."
    names = set(os.listdir(folder))
    for name in sorted(names):
        path = folder / name
        if name.endswith(".json") and not name.startswith("."):
            yield _read(path)
        elif name.startswith(".") and name.endswith(".running.ipynb"):
            slot = name.removeprefix(".").removesuffix(".running.ipynb")
            yield _without_record(path, slot, "unfinished", "it is running, or it was interrupted")
        elif name.endswith(".ipynb") and not name.startswith(".") and f"{path.stem}.json" not in names:
            yield _without_record(path, path.stem, "broken", "there is no record beside the notebook")


def _read(path: Path) -> ReportRun:
    "A record as a run."
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict):
            raise ValueError(f"it holds a {type(record).__name__}")
        if record.get("status") not in ("ok", "failed"):
            raise ValueError(f"its status is {record.get('status')!r}")
        started = datetime.fromisoformat(str(record.get("started")))
    except (OSError, ValueError, RecursionError) as error:
        return _without_record(path, path.stem, "broken", f"the record cannot be read: {error}")
    started = started.replace(tzinfo=UTC) if started.tzinfo is None else started.astimezone(UTC)
    tables = {name: record[name] if isinstance(record.get(name), dict) else {} for name in ("params", "result")}
    texts = {name: str(record.get(name) or "") for name in ("error", "run_id")}
    return ReportRun(path.parent.parts[-4], path.stem, record["status"], started, path.parent, **tables, **texts)


def _without_record(path: Path, slot: str, status: str, error: str) -> ReportRun:
    "A run without a readable record, from its files alone."
    try:
        at = path.stat().st_mtime
    except OSError:  # it has just gone
        at = 0.0
    return ReportRun(path.parent.parts[-4], slot, status, datetime.fromtimestamp(at, UTC), path.parent, error)


def figures(
    result: Mapping[str, Any],
    limit: int = 5,
) -> dict[str, str]:  # what it measures -> number with its unit
    "The first few numbers of a summary row, the best known ones before others."
    names = [n for n in _FIRST if n in result] + [n for n in result if n not in _FIRST]
    numbers = [(n, result[n]) for n in names if isinstance(result[n], int | float) and not isinstance(result[n], bool)]
    return dict(_figure(str(name), x) for name, x in numbers[:limit])


def _figure(name: str, x: float) -> tuple[str, str]:
    "The name without its unit, and the number with it."
    unit = next((u for u in _UNITS if name.endswith(f"_{u}")), None)
    label = (name.removesuffix(f"_{unit}") if unit else name).replace("_", " ")
    if not math.isfinite(x):
        return label, "none"
    whole = float(x).is_integer() and unit not in ("pct", "r")
    number = f"{x:,.0f}" if whole or abs(x) >= 1e5 else f"{x:,.2f}" if abs(x) >= 0.01 or x == 0 else f"{x:.2g}"
    return label, number.replace("-", "\N{MINUS SIGN}", x < 0) + (_UNITS[unit] if unit else "")


def write(root: Path) -> Path:
    "Write `notebooks_out/index.html`: one file, which a browser opens without a network."
    from filelock import FileLock

    page = root / "notebooks_out" / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(page.with_name(".index.lock")):  # of two writers the later one's page stays
        newest, folder = runs(root, limit=LISTED + 1), page.parent / THUMBNAILS
        pictures = [_picture(run, folder) for run in newest[:PICTURED]]
        for path in folder.glob("*"):
            if path not in pictures:
                path.unlink(missing_ok=True)
        return write_text(page, html(newest, page.parent, pictures))


def html(
    newest: list[ReportRun],  # newest first, one more than are listed where there are more
    top: Path,  # where the page will be; links are relative to it
    pictures: Sequence[Path | None] = (),  # of the first runs
) -> str:
    "The page."
    shown, older = newest[:LISTED], f"Only the newest {LISTED} are listed; older ones are in this page's folder."
    beside = itertools.zip_longest(shown, pictures[: len(shown)])
    failed = sum(run.status != "ok" for run in shown)
    parts = {
        "count": f"{len(shown)} runs" + (f", {failed} of them not ok" if failed else ", all ok") if shown else
                "Nothing was run yet: smcdesk demo makes the first report.",
        "older": older if newest[LISTED:] else "",
        "reports": _options(run.report for run in shown), "symbols": _options(run.symbol for run in shown),
        "statuses": _options(run.status for run in shown),
        "rows": "\n".join(_row(run, top, picture) for run, picture in beside),
    }  # fmt: skip
    return Template(Path(__file__).with_suffix(".html").read_text(encoding="utf-8")).substitute(parts)


def _options(words: Iterable[str]) -> str:
    "The choices of a filter."
    return "".join(f"<option>{escape(word)}</option>" for word in sorted({*words} - {""}))


def _row(run: ReportRun, top: Path, picture: Path | None) -> str:
    "One run as a row of the table."
    marks = {"report": run.report, "symbol": run.symbol, "status": run.status}
    data = " ".join(f'data-{name}="{escape(word)}"' for name, word in marks.items())
    title = run.slot if run.slot.startswith(run.symbol) else f"{run.symbol} {run.slot}"
    cells = {
        "when": f'<time datetime="{run.started.isoformat()}">{run.started:%Y-%m-%d %H:%M}</time>',
        "what": f"<b>{escape(run.report)}</b>{escape(title)}",
        "status": f'<span class="badge {run.status}"><span aria-hidden="true">{_SIGNS[run.status]}</span> '
                  f"{run.status}</span>",
        "result": _result(run), "picture": _shown(run, picture),
        "open": " ".join(_links(run, top)),
    }  # fmt: skip
    inner = "".join(f'<td role="cell" class="{name}">{cell}</td>' for name, cell in cells.items())
    return f'<tr role="row" {data}>{inner}</tr>'


def _result(run: ReportRun) -> str:
    "The result cell: the sentence or the error, the figures, and the parameters it was run with."
    text = run.error or str(run.result.get("sentence") or "")
    numbers = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in figures(run.result).items())
    params = {k: v for k, v in (*run.params.items(), ("MLflow run", run.run_id)) if v not in ("", None)}
    more = ", ".join(f"<code>{escape(str(k))} = {escape(str(v)[:200])}</code>" for k, v in params.items())
    return (
        f"<p>{escape(text[:600])}</p>"
        + (f"<dl>{numbers}</dl>" if numbers else "")
        + (f"<details><summary>run with</summary>{more}</details>" if more else "")
    )


def _links(run: ReportRun, top: Path) -> Iterator[str]:
    "Links to the existing files."
    for end, word in (("html", "page"), ("ipynb", "notebook"), ("json", "record")):
        if end in (files := run.files()):
            name = escape(f"{word} of {run.report} {run.slot}")
            yield f'<a href="{quote(files[end].relative_to(top).as_posix())}" aria-label="{name}">{word}</a>'


def _shown(run: ReportRun, picture: Path | None) -> str:
    "A picture inside the page."
    try:
        data = base64.b64encode(picture.read_bytes()).decode() if picture else ""
    except OSError:
        data = ""
    words = f"First chart of {run.report} {run.slot}"
    return data and f'<img alt="{escape(words)}" src="data:image/webp;base64,{data}">'


def _picture(run: ReportRun, folder: Path) -> Path | None:
    "A thumbnail of the report's first chart, stored until the notebook changes; None where there is no chart."
    notebook = run.files().get("ipynb")
    try:
        name = f"{notebook}|{notebook.stat().st_mtime_ns}" if notebook else ""
        small = folder / f"{sha256(name.encode()).hexdigest()[:16]}.webp"
        if name and not small.exists() and (chart := _first_chart(notebook)):
            with atomic_file(small) as part:
                part.write_bytes(_smaller(chart))
        return small if name and small.exists() else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # a half notebook, a picture that is none
        return None


def _first_chart(notebook: Path) -> bytes:
    "The first PNG among a notebook's outputs; empty when there is none."
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                return base64.b64decode("".join(png))
    return b""


def _smaller(png: bytes) -> bytes:
    "A picture no wider than the page shows it, on twice as many pixels."
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        flat = picture.convert("RGB")
    flat.thumbnail((_WIDTH, 4 * _WIDTH))
    out = io.BytesIO()
    flat.save(out, "WEBP", quality=70)
    return out.getvalue()
