"""The whole road on a made-up market: what it leaves, how it is tracked and reported, and that it can be had again."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import pytest
from command import smcdesk
from kedro.io import DatasetError

from smcdesk import tracking
from smcdesk.commands.run import STAGES
from smcdesk.reports import replay_report
from smcdesk.runs import session
from smclab.candles import BadConfig
from smclab.scorecard import positions
from smclab.tapes import market

SYMBOL = "MADEUP"


CANARY = "c4n@ry/p?s s&w%rd"
STORE = "postgresql://u:" + quote(CANARY, safe="") + "@127.0.0.1:1/d?connect_timeout=1&password=c4n-query"
SECRETS = {  # every way a secret is had, by the variable that holds it
    "DATABASE_URL": "postgresql://u:" + quote(CANARY, safe="") + "@127.0.0.1:1/d?pass=c4n-pass&sslpassword=c4n-ssl",
    "HTTPS_PROXY": "http://u:c4n-proxy@127.0.0.1:1", "APCA_API_SECRET_KEY": "c4n-key", "SMTP_PASS": "c4n-smtp",
    "SMCDESK_TELEGRAM_TOKEN": "12345:c4n-token", "HTTP_AUTHORIZATION": "Bearer c4n-bearer",
}  # fmt: skip


@pytest.fixture(scope="module")
def run_id(house):
    """The whole graph, once, on the made-up market, with a secret in every place a secret has."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        return session.run_pipelines(STAGES, symbol=SYMBOL, env="test").run_id


@pytest.fixture(scope="module")
def replayed(run_id):
    return replay_report.load(SYMBOL, "test")


def test_whole_graph_on_a_made_up_market_leaves_a_ledger_and_pictures(replayed, house):
    assert len(replayed.ledger.closed) > 20 and replayed.quality.verdict == "ok"
    assert replayed.bars.equals(market(6000, seed=7, timeframe="15m", week="fx"))
    assert set(replayed.ledger.trades["setup_id"]) <= set(replayed.decisions.query("outcome == 'live'")["setup_id"])
    pictures = sorted(p.name for p in (house / "data/08_reporting" / SYMBOL).glob("*.png"))
    assert pictures == ["equity.png", "structure.png"]


def test_no_file_of_a_run_holds_a_secret_whether_it_ends_well_or_not(run_id, house, monkeypatch, capfd, caplog):
    for name, value in {**SECRETS, "SMCDESK_STORE_URL": STORE}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DatasetError, match="cannot be used now") as refused:
        session.run_pipelines(("decide",), symbol=SYMBOL, env="test")
    files = [p for p in house.rglob("*") if p.is_file() and not p.is_relative_to(house / "conf")]
    assert len(files) > 30 and {".db", ".json", ".parquet", ".png"} <= {p.suffix for p in files}
    shown = {p.as_posix(): p.read_bytes() for p in files}
    shown |= {"terminal": "".join(capfd.readouterr()).encode(), "log": caplog.text.encode()}
    shown |= {"error": repr(refused.value).encode()}
    for where, found in shown.items():
        assert not any(word in found for word in (b"c4n", b"w%rd", b"w%25rd")), where


def test_run_is_tracked_with_what_it_was_made_from(replayed, run_id, house):
    run = tracking.client().get_run(run_id)
    tags, metrics = run.data.tags, run.data.metrics
    assert run.info.status == "FINISHED" and tags["symbol"] == SYMBOL and tags["seed"] == "7"
    assert tags[f"ledger_hash.{SYMBOL}"] == replayed.ledger.hash()
    assert len(tags["config_hash"]) == len(tags[f"data_fingerprint.{SYMBOL}"]) == 16
    assert {"git_commit", "git_dirty"} <= tags.keys()
    assert metrics[f"{SYMBOL}.trades_n"] == len(positions(replayed.ledger.closed))
    assert f"{SYMBOL}.model.n_test" in metrics
    assert run.data.params["policy.risk.risk_pct"] == "0.5"
    stored = {a.path for a in tracking.client().list_artifacts(run_id, SYMBOL)}
    assert {f"{SYMBOL}/{name}" for name in ("structure.png", "equity.png", "scorecard.csv")} <= stored
    assert run.info.artifact_uri.startswith((house / "mlruns/artifacts").as_uri())
    assert (house / "mlruns/mlflow.db").exists()


def test_report_of_the_replay_leaves_a_page_a_notebook_and_a_record(replayed, house):
    words = ("report", "run", "replay_report", "-p", "symbol", SYMBOL, "-p", "env", "test")
    code, out, err = smcdesk(*words)
    assert code == 0, err
    folder = next((house / "notebooks_out/replay_report").glob("*/*/*"))
    first = sorted(p.name for p in folder.glob(f"{SYMBOL}*"))
    assert first == [f"{SYMBOL}_env-test{end}" for end in (".html", ".ipynb", ".json")]
    record = json.loads((folder / first[2]).read_text())
    assert record["status"] == "ok" and record["error"] == "" and record["params"]["symbol"] == SYMBOL
    assert record["result"]["ledger_hash"] == replayed.ledger.hash() and record["result"]["sentence"] in out
    assert tracking.client().get_run(record["run_id"]).data.tags[f"ledger_hash.{SYMBOL}"] == replayed.ledger.hash()
    assert not list(folder.glob(".*running*"))


def test_same_seed_gives_the_same_ledger_and_the_same_configuration_hash(replayed, run_id):
    again = session.run_pipelines(STAGES, symbol=SYMBOL, env="test").run_id
    first, second = (tracking.client().get_run(r).data.tags for r in (run_id, again))
    assert again != run_id and replay_report.load(SYMBOL, "test").ledger.hash() == replayed.ledger.hash()
    same = ("config_hash", "seed", f"data_fingerprint.{SYMBOL}", f"ledger_hash.{SYMBOL}")
    assert [first[t] for t in same] == [second[t] for t in same]


def test_other_configuration_gives_another_hash_and_another_symbol_its_own_namespace(replayed, run_id):
    extra = {"symbols": {"SECOND": {"instrument": "EURUSD", "bars_side": "bid"}}, "policy": {"risk": {"stop_atr": 2.0}}}
    other = session.run_pipelines(
        ("data", "feature", "replay"), symbol="SECOND", env="test", runtime_params=extra
    ).run_id
    tags = tracking.client().get_run(other).data.tags
    assert tags["config_hash"] != tracking.client().get_run(run_id).data.tags["config_hash"]
    second = replay_report.replayed()
    assert second == [SYMBOL, "SECOND"] and f"ledger_hash.{SYMBOL}" not in tags
    assert tags["ledger_hash.SECOND"] != replayed.ledger.hash()


def test_stages_run_apart_from_what_the_stage_before_has_stored(replayed):
    session.run_pipelines(("replay",), symbol=SYMBOL, env="test")
    assert replay_report.load(SYMBOL, "test").ledger.hash() == replayed.ledger.hash()


def test_kedro_command_runs_named_pipelines(house):
    done = subprocess.run(
        [Path(sys.executable).parent / "kedro", "run", "--env", "test", "--pipelines", "data,feature"],
        cwd=house, capture_output=True, text=True, env={**os.environ, "SMCLAB_ROOT": str(house)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Pipeline execution completed" in done.stdout + done.stderr
    assert "register_new_resolver" not in done.stdout + done.stderr
    names = ("data+feature", "feature+data")  # Kedro's command names the pipelines in any order
    assert any(tracking.find_run("mlflow.runName", f"{SYMBOL} {name}") for name in names)


def test_sending_is_refused_before_anything_runs(house):
    with pytest.raises(BadConfig, match="no broker is connected"):
        session.run_pipelines(("data",), symbol=SYMBOL, env="test", runtime_params={"send": True})


def test_feature_stage_leaves_tables_by_timeframe(replayed, house):
    folder = house / "data/04_feature" / SYMBOL
    assert sorted(p.name for p in folder.iterdir()) == ["candidates.parquet", "read"]
    folder /= "read"
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.parquet"))
    assert names == ["15m/columns.parquet", *(f"{tf}/events.parquet" for tf in ("15m", "1D", "1h", "4h"))]
    events, columns = (pd.read_parquet(folder / "15m" / f"{name}.parquet") for name in ("events", "columns"))
    assert set(events["timeframe"]) == {"15m"} and {"bias", "pool_above", "1h_trend"} <= set(columns.columns)
    higher = pd.read_parquet(folder / "4h/events.parquet")
    assert len(higher) and higher["known_at"].isin(columns.index).all()


def test_timeframe_no_longer_read_leaves_no_table_behind(house):
    session.run_pipelines(("data", "feature"), symbol=SYMBOL, env="test", runtime_params={"timeframes": ["1h"]})
    assert sorted(p.name for p in (house / "data/04_feature" / SYMBOL / "read").iterdir()) == ["15m", "1h"]
