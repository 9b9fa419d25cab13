"""The index page shows every report that was run, whole or broken, and needs nothing but a browser."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from report_template import template
from typer.testing import CliRunner

from smcdesk.reports import index


def chart() -> str:
    "A PNG as a notebook holds it."
    out = io.BytesIO()
    Image.fromarray(np.zeros((300, 900, 4), np.uint8)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def put(root, slot="EURUSD", *, report="replay_report", day="2024/03/08", hour=9, picture=True, **changes):
    "One report's files."
    folder = root / "notebooks_out" / report / day
    folder.mkdir(parents=True, exist_ok=True)
    outputs = [{"data": {"image/png": chart()}}] if picture else []
    (folder / f"{slot}.ipynb").write_text(json.dumps({"cells": [{"cell_type": "markdown"}, {"outputs": outputs}]}))
    (folder / f"{slot}.html").write_text("page")
    record = {
        "report": report, "slot": slot, "status": "ok", "error": "", "params": {"symbol": slot}, "run_id": "ab",
        "result": {"sentence": "No edge.", "trades_n": 63.0, "expectancy_r": -0.05, "env": "base"},
        "started": f"{day.replace('/', '-')}T{hour:02}:00:00+00:00",
    }  # fmt: skip
    (folder / f"{slot}.json").write_text(json.dumps(record | changes))
    return folder


class Page(HTMLParser):
    "What a browser would request, and the rows it would show."

    def __init__(self, text):
        super().__init__()
        self.requested, self.links, self.tags, self.rows = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self.requested += [v for k, v in attrs if k in ("src", "srcset", "data", "poster")]
        self.requested += [attributes.get("href", "")] if tag == "link" else []
        self.links += [attributes["href"]] if tag == "a" else []
        self.rows += [attributes] if "data-report" in attributes else []


def page(root) -> Page:
    return Page(index.write(root).read_text())


def test_page_lists_newest_first_with_links_figures_and_pictures(tmp_path):
    put(tmp_path, "GBPUSD", hour=7)
    put(tmp_path, "EURUSD", day="2024/03/10")
    put(tmp_path, "a b#1", report="rollout_report", hour=8, params={}, status="failed", error="BadConfig: no")
    found = page(tmp_path)
    assert [(r["data-symbol"], r["data-status"]) for r in found.rows] == [
        ("EURUSD", "ok"),
        ("", "failed"),
        ("GBPUSD", "ok"),
    ]
    assert found.links[0] == "replay_report/2024/03/10/EURUSD.html" and len(found.links) == 9
    assert "rollout_report/2024/03/08/a%20b%231.html" in found.links
    text = (tmp_path / "notebooks_out/index.html").read_text()
    assert "<dt>trades</dt><dd>63</dd>" in text and "<dt>expectancy</dt><dd>\N{MINUS SIGN}0.05 R</dd>" in text
    assert text.count("data:image/webp") == 3 and "BadConfig: no" in text


def test_page_asks_for_nothing_outside_itself(tmp_path):
    put(tmp_path)
    found = page(tmp_path)
    assert found.requested and all(x.startswith("data:") for x in found.requested)
    text = (tmp_path / "notebooks_out/index.html").read_text()
    assert not re.search(r"https?://|@import|url\(|fetch\(|import\(", text)


def test_page_can_be_read_aloud_and_filtered(tmp_path):
    put(tmp_path)
    tags = page(tmp_path).tags
    names = [tag for tag, _ in tags]
    assert dict(tags[0:1])["html"]["lang"] == "en" and {"caption", "thead", "main", "h1"} <= set(names)
    assert [attributes.get("scope") for tag, attributes in tags if tag == "th"] == ["col"] * 6
    assert all(attributes.get("alt") for tag, attributes in tags if tag == "img")
    assert names.count("select") == 3 and names.count("label") == 4  # each control has its label
    assert any(attributes.get("role") == "status" for _, attributes in tags)


@pytest.mark.parametrize(
    "text",
    ["", '{"report": "rep', "[]", "null", "5", "{}", '{"status": "odd"}', '{"status": "ok"}',
     '{"status": "ok", "started": "x"}', '{"status": ["ok"], "started": "2024-03-08"}', "[" * 100_000, "\x00"],
)  # fmt: skip
def test_broken_record_is_shown_as_such(tmp_path, text):
    put(tmp_path, "EURUSD")
    (put(tmp_path, "GBPUSD") / "GBPUSD.json").write_text(text)
    assert {r["data-status"] for r in page(tmp_path).rows} == {"ok", "broken"}


@pytest.mark.parametrize(
    "changes",
    [
        {"params": None}, {"params": [1]}, {"result": "text"}, {"result": {"trades_n": float("nan"), "x": {"y": 1}}},
        {"result": {"sentence": 5, "trades_n": True, "a": 1e300}}, {"error": None}, {"run_id": None},
        {"started": "2024-03-08T09:00:00"}, {"started": "2024-03-08T09:00:00+05:45"}, {"params": {"symbol": 7}},
    ],
)  # fmt: skip
def test_half_record_is_shown_as_far_as_it_goes(tmp_path, changes):
    put(tmp_path, **changes)
    assert [r["data-status"] for r in page(tmp_path).rows] == ["ok"]


def test_running_interrupted_and_unrecorded_runs_are_shown(tmp_path):
    folder = put(tmp_path)
    (folder / ".XAUUSD.running.ipynb").write_text("")
    (folder / "USDJPY.ipynb").write_text("{")
    (folder / "EURUSD.ipynb").write_text('{"cells": [{"outputs": [{"data": {"image/png": "no picture"}}]}]}')
    found = {r["data-status"] for r in page(tmp_path).rows}
    assert found == {"ok", "broken", "unfinished"}
    (folder / "EURUSD.ipynb").unlink()
    assert len(page(tmp_path).links) == 3  # only to what is there: two files of EURUSD, one of USDJPY


def test_words_of_a_record_cannot_write_the_page(tmp_path):
    evil = '"><script>alert(1)</script>'
    put(
        tmp_path,
        params={"symbol": evil, evil: evil},
        result={"sentence": evil, f"{evil}_n": 1},
        error=evil,
        run_id=evil,
    )
    text = index.write(tmp_path).read_text()
    assert "<script>alert" not in text and text.count("<script>") == 1


def test_page_without_runs_says_what_to_do(tmp_path):
    assert "smcdesk demo" in index.write(tmp_path).read_text()


def test_page_of_many_runs_reads_only_the_newest(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "LISTED", 5)
    for day in range(1, 10):
        put(tmp_path, day=f"2024/03/{day:02}", picture=False)
        put(tmp_path, "GBPUSD", day=f"2024/03/{day:02}", picture=False)
    monkeypatch.setattr(index, "_read", lambda path, read=index._read: (seen.append(path), read(path))[1])
    seen = []
    found = page(tmp_path)
    assert (
        len(found.rows) == 5
        and len(seen) == 6
        and "newest 5 are listed" in (tmp_path / "notebooks_out/index.html").read_text()
    )
    assert [r.started.day for r in index.runs(tmp_path, report="replay_report", limit=3)] == [9, 9, 8]


def test_picture_is_made_once_and_forgotten_with_its_notebook(tmp_path, monkeypatch):
    folder = put(tmp_path)
    monkeypatch.setattr(index, "_smaller", lambda png, make=index._smaller: (calls.append(1), make(png))[1])
    calls = []
    page(tmp_path), page(tmp_path)
    assert len(calls) == 1 and len(list((tmp_path / "notebooks_out/.thumbnails").iterdir())) == 1
    for path in folder.iterdir():
        path.unlink()
    assert not page(tmp_path).rows and not list((tmp_path / "notebooks_out/.thumbnails").iterdir())


@pytest.mark.parametrize(
    ("name", "x", "figure"),
    [
        ("trades_n", 1234.0, ("trades", "1,234")),
        ("win_rate_pct", 40, ("win rate", "40.00 %")),
        ("took_s", 0.0034, ("took", "0.0034 s")),
        ("sharpe", -1.5, ("sharpe", "\N{MINUS SIGN}1.50")),
        ("x", float("inf"), ("x", "none")),
        ("tiny", -1e-9, ("tiny", "\N{MINUS SIGN}1e-09")),
    ],
)
def test_figures_say_their_unit(name, x, figure):
    assert list(index.figures({name: x, "flag": True, "word": "w"}).items()) == [figure]


def test_report_makes_the_page_anew_and_the_command_lists_it(house, monkeypatch):
    from smcdesk.__main__ import app
    from smcdesk.reports import runner

    path = house / "nbs/reports/small_report.ipynb"
    template(path, "n = 1")
    monkeypatch.setattr(runner, "_execute", lambda source, target, *_: shutil.copy(source, target) and "")
    try:
        runner.run_report("small_report", {"n": 2}, root=house, now=datetime(2024, 3, 8, 9, tzinfo=UTC))
    finally:
        path.unlink()
    text = (house / "notebooks_out/index.html").read_text()
    assert "small_report" in text and "n-2" in text and "<code>n = 2</code>" in text
    monkeypatch.setenv("COLUMNS", "200")
    listed = CliRunner().invoke(app, ["report", "list", "--runs"]).output
    assert "small_report" in listed and "2024-03-08 09:00" in listed and "index.html" in listed
    templates = CliRunner().invoke(app, ["report", "list"]).output
    assert "replay_report" in templates and "never" in templates
