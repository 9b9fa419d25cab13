"""The command: wrong input in one sentence, first steps, reading a file, and a help that loads nothing heavy."""

import subprocess
import sys

import pandas as pd
import pytest
from command import smcdesk

from smcdesk import tracking
from smclab.candles import BadConfig
from smclab.tapes import market


@pytest.fixture(scope="module")
def candles(house):
    """A folder of candle files, good and bad."""
    folder = house / "candles"
    folder.mkdir()
    bars = market(800, seed=3).reset_index()
    bars.to_csv(folder / "EURUSD_15m.csv", index=False)
    bars.to_csv(folder / "mine.csv", index=False)
    bars.iloc[:0].to_csv(folder / "EURUSD_empty.csv", index=False)
    bars.drop(columns="low").to_csv(folder / "EURUSD_lowless.csv", index=False)
    bars.assign(high=bars["low"] - 0.1).to_csv(folder / "EURUSD_upside.csv", index=False)
    return folder


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("demo", "--env", "tset"), "did you mean 'test'"),
        (("demo", "--env", "test", "--symbol", "MADUP"), "did you mean 'MADEUP'"),
        (("demo", "--env", "test", "--zone", "UTC"), "say which with --data"),
        (("demo", "--data", "{candles}/EURUSD_15.csv"), "did you mean 'EURUSD_15m.csv'"),
        (("demo", "--data", "{candles}/mine.csv"), "say it with --symbol"),
        (("demo", "--data", "{candles}/mine.csv", "--symbol", "EURUDS"), "did you mean 'EURUSD'"),
        (("demo", "--data", "{candles}/mine.csv", "--symbol", "A.B", "--instrument", "default_fx"), "letters, digits"),
        (("demo", "--data", "{candles}/EURUSD_15m.csv", "--bars-side", "last"), "'bid', 'mid' or 'ask'"),
        (("demo", "--data", "{candles}/EURUSD_empty.csv"), "no candles"),
        (("demo", "--data", "{candles}/EURUSD_lowless.csv"), "low"),
        (("demo", "--data", "{candles}/EURUSD_upside.csv"), "high below"),
        (("read", "{candles}/EURUSD_15.csv"), "EURUSD_15m.csv"),
        (("read", "{candles}/EURUSD_15m.csv", "--timeframe", "60min"), "did you mean '1h'"),
        (("symbols", "--env", "papier"), "did you mean 'paper'"),
        (("symbols", "--env", "bse"), "did you mean 'base'? Known: base, live, paper, test."),
        (("report", "replay_report", "-p", "symbol", "X"), "run with smcdesk report run replay_report -p symbol=X"),
        (("report", "lsit"), "smcdesk report list names the reports"),
        (("reports",), "did you mean 'report'"),
        (("report", "run", "replay_reprot"), "did you mean 'replay_report'"),
        (("report", "run", "replay_report", "-p", "simbol", "EURUSD"), "did you mean 'symbol'"),
        (("report", "run", "replay_report", "-p", "chart_bars", "many"), "must be a whole number, found 'many'"),
        (("report", "run", "replay_report", "-p", "symbol", "EURUDS"), "did you mean 'EURUSD'"),
        (("report", "run", "replay_report", "-p", "symbol"), "has no value"),
    ],
)  # fmt: skip
def test_command_with_wrong_input_says_one_sentence_and_exits_2(candles, house, words, sentence):
    before = sorted(p for p in house.rglob("*") if "mlruns" not in p.parts)
    code, out, err = smcdesk(*(w.format(candles=candles) for w in words))
    assert code == 2 and out == ""
    assert sentence in err and err.startswith("smcdesk: ") and len(err.strip().splitlines()) == 1, err
    assert "Traceback" not in err and sorted(p for p in house.rglob("*") if "mlruns" not in p.parts) == before


def test_debug_keeps_the_traceback(house):
    with pytest.raises(BadConfig, match="did you mean 'test'"):
        smcdesk("--debug", "symbols", "--env", "tset")


def test_read_stores_the_events_of_a_file(candles, tmp_path):
    code, out, _ = smcdesk("read", candles / "EURUSD_15m.csv", "--out", tmp_path / "new/events.parquet")
    events = pd.read_parquet(tmp_path / "new/events.parquet")
    assert code == 0 and "800 bars" in out and f"{len(events):,} events" in out
    assert (events["known_at"] >= events["time"]).all()
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["events.parquet"]


def test_read_knows_the_files_market_and_stores_columns_too(candles, tmp_path):
    words = ("read", candles / "EURUSD_15m.csv", "--out", tmp_path / "e.parquet", "--columns", tmp_path / "c.parquet")
    code, _, err = smcdesk(*words)
    assert code == 0 and "No instrument" not in err
    assert len(pd.read_parquet(tmp_path / "c.parquet")) == 800
    code, _, err = smcdesk("read", candles / "mine.csv", "--out", tmp_path / "m.parquet")
    assert code == 0 and "No instrument" in err
    code, _, err = smcdesk("read", candles / "mine.csv", "--symbol", "EURUSDX")
    assert code == 2 and "did you mean 'EURUSD'?" in err


def test_read_takes_the_decimal_mark_the_refusal_names(tmp_path):
    rows = "".join(f"2024-01-{d:02};94,0{d:02};94,100;93,900;94,050;5\n" for d in range(1, 29))
    (tmp_path / "mine.csv").write_text("Date;Open;High;Low;Close;Volume\n" + rows)
    code, _, err = smcdesk("read", tmp_path / "mine.csv", "--out", tmp_path / "e.parquet")
    assert code == 2 and "may be 94001 or 94.001" in err and "--decimal '.'" in err
    for mark in (".", ","):
        code, out, _ = smcdesk("read", tmp_path / "mine.csv", "--out", tmp_path / "e.parquet", "--decimal", mark)
        assert code == 0 and "28 bars" in out
    code, _, err = smcdesk("read", tmp_path / "mine.csv", "--decimal", "x")
    assert code == 2 and "expected '.' or ','" in err
    code, _, err = smcdesk("demo", "--decimal", ".")
    assert code == 2 and "say which with --data" in err


def test_demo_on_a_file_of_an_unknown_market_prints_where_everything_is(candles, house):
    words = ("demo", "--data", candles / "mine.csv", "--symbol", "ACME", "--instrument", "default_fx")
    code, out, err = smcdesk(*words)
    assert code == 0, err
    for word in (
        "report",
        "notebook",
        "MLflow",
        "figure",
        "jupyter lab ",
        "smcdesk ui",
    ):
        assert word in out, out
    page = next((house / "notebooks_out/replay_report").rglob("ACME.html"))
    assert "mine.csv" in page.read_text() and "<img" in page.read_text()
    run = tracking.client().get_run(next(w for w in out.split() if len(w) == 32 and w.isalnum()))
    stored = {a.path for a in tracking.client().list_artifacts(run.info.run_id, "report/replay_report")}
    assert {"report/replay_report/ACME.html", "report/replay_report/ACME.ipynb"} <= stored


def test_symbols_and_reports_list_what_there_is(house):
    assert "EURUSD" in smcdesk("symbols")[1] and "MADEUP" in smcdesk("symbols", "--env", "test")[1]
    assert "replay_report" in smcdesk("report", "list")[1]


def test_help_loads_nothing_heavy(root):
    heavy = "('kedro', 'mlflow', 'pandas', 'papermill', 'numba')"
    code = f"import sys, smcdesk.__main__; sys.exit(sum(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
