"""The doctor: nothing to say on a fresh project, and each thing that would fail in a sentence."""

import json

import pytest
from command import smcdesk

from smcdesk.services import doctor

SCHEDULE = """
jobs:
  live_scan: {params: {symbols: NOPE}}
  gone: {report: live_scna, at_close: 1h}
  far: {report: live_scan, at_close: 1h, params: {provider: nobody}}
  idle: {report: live_scna, at_close: 1h, enabled: false}
"""


@pytest.fixture
def sample(house, root):
    "The repo's own candles in the copy."
    folder = house / "data/01_raw"
    folder.mkdir(parents=True)
    (folder / "sample").symlink_to(root / "data/01_raw/sample")
    yield folder
    (folder / "sample").unlink()
    folder.rmdir()


def files(folder):
    return {p for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock"}


def test_fresh_project_is_fit_and_nothing_is_written(house, sample):
    before = files(house)
    code, out, _ = smcdesk("doctor", "--json")
    found = json.loads(out)
    assert code == 0 and found["ok"] and files(house) == before
    (row,) = found["symbols"]
    assert (row["symbol"], row["timeframe"], row["quality"], row["problem"]) == ("EURUSD", "1h", "ok", "")
    assert row["last_bar"] == "2017-12-29T21:00:00+00:00" and "2017-12-29" in row["late"]
    assert [line["line"] for line in found["lines"]] == ["live_scan", "daily_digest", "weekly_review", "data_quality"]
    assert {"python", "numpy", "smclab"} <= found["versions"].keys()
    assert any(step.startswith("smcdesk symbols add FILE") for step in found["steps"])


def test_what_would_fail_is_named_with_its_reason(house, monkeypatch):
    path = house / "conf/paper/schedule.yml"
    before = path.read_text()
    path.write_text(SCHEDULE)
    monkeypatch.setattr(doctor, "_installed", lambda need: need.name not in ("ccxt", "papermill"))
    try:
        code, out, _ = smcdesk("doctor")
        found = doctor.examine("paper")
    finally:
        path.write_text(before)
    why = {line["line"]: line["problem"] for line in found.lines}
    assert code == 1 and not found.ok and "idle" not in why
    assert "no symbol 'NOPE'" in why["live_scan"] and "did you mean 'live_scan'" in why["gone"]
    assert "no provider 'nobody'" in why["far"] and why["daily_digest"] == "no candles of EURUSD can be read"
    assert "EURUSD_1h.parquet" in found.symbols[0]["problem"]
    assert found.missing("ccxt") == ["ccxt"] and found.missing("desk") == ["papermill"]
    assert "mend the line gone" in out and "smcdesk quality EURUSD" in out
