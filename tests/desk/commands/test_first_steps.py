"""A file as a symbol, a run with other numbers, and what Ctrl-C says."""

import json

import pytest
import yaml
from command import smcdesk

from smcdesk.marketdata import remembered
from smcdesk.project.config import load_config
from smclab.candles import BadConfig
from smclab.tapes import market

OWN = "# mine\nGOLD:  # the broker's\n  instrument: XAUUSD\n  source: gold.csv\n"


@pytest.fixture(scope="module")
def folder(house):
    "A folder with a file of an unknown market and one of a symbol that conf has."
    folder = house / "mine"
    folder.mkdir()
    bars = market(300, seed=3).reset_index()
    for name in ("ACME_15m.csv", "EURUSD_15m.csv"):
        bars.to_csv(folder / name, index=False)
    return folder


@pytest.fixture
def own(house):
    "conf/local/symbols.yml as a user wrote it."
    path = house / "conf/local/symbols.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(OWN)
    yield path
    path.unlink()


def test_symbols_add_remembers_a_file_below_what_stands_there(folder, own):
    words = ("symbols", "add", folder / "ACME_15m.csv", "--instrument", "default_fx", "--bars-side", "mid")
    code, out, err = smcdesk(*words, "--symbol", "ACME", "--zone", "UTC")
    assert code == 0 and "smcdesk replay --symbol ACME" in out and "remembered in conf/local/symbols.yml" in err
    assert own.read_text().startswith(OWN)
    entry = yaml.safe_load(own.read_text())["ACME"]
    assert (entry["instrument"], entry["bars_side"], entry["zone"]) == ("default_fx", "mid", "UTC")
    assert entry["source"] == "mine/ACME_15m.csv"
    for env in (None, "paper", "live"):
        assert list(load_config(env).parameters["symbols"]) == ["EURUSD", "GOLD", "ACME"]
        assert list(load_config(env).globals["symbols"]) == ["EURUSD", "GOLD", "ACME"]
    assert list(load_config("test").parameters["symbols"]) == ["MADEUP"]
    once = own.read_text()
    code, _, err = smcdesk(*words, "--symbol", "ACME", "--zone", "UTC")
    assert code == 0 and "in conf already, as it was" in err and own.read_text() == once
    code, out, err = smcdesk("quality", "ACME", "--json")
    assert code in (0, 1) and json.loads(out)["symbol"] == "ACME", err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("EURUSD_15m.csv",), "has a symbol EURUSD with source data/01_raw/sample/EURUSD_1h.parquet"),
        (("EURUSD_15m.csv",), "e.g. --symbol EURUSD_15m --instrument EURUSD"),
        (("EURUSD_15m.csv", "--symbol", "GOLD", "--instrument", "EURUSD"), "or change conf/local/symbols.yml"),
        (("ACME_15m.csv", "--symbol", "ACME"), "name one with --instrument"),
        (("EURUSD_15m.csv", "--env", "test"), "names its own symbols"),
    ],
)
def test_what_conf_has_is_never_replaced(folder, own, words, sentence):
    code, _, err = smcdesk("symbols", "add", folder / words[0], *words[1:])
    assert code == 2 and sentence in err and own.read_text() == OWN, err


def test_a_file_that_cannot_be_added_to_is_left_alone(house, own):
    for text in ("{GOLD: {instrument: XAUUSD}}", "[GOLD]\n", "GOLD\n"):
        own.write_text(text)
        with pytest.raises(BadConfig, match=r"symbols\.yml"):
            remembered.remember("ACME", {"instrument": "default_fx", "source": "/x/a.csv"})
        assert own.read_text() == text
    own.write_text(OWN)
    with pytest.raises(BadConfig, match="cannot be added"):
        remembered.remember("ACME", {"instrument": "default_fx", "source": "/x/${oops}.csv"})
    assert own.read_text() == OWN


def test_unknown_symbol_says_how_to_add_it(house):
    code, _, err = smcdesk("replay", "--symbol", "ACME")
    assert code == 2 and err.rstrip().endswith("smcdesk symbols add FILE --symbol ACME")


def test_runs_take_a_file_and_other_numbers(folder, monkeypatch):
    runs = []

    def stop(*_, **given):
        runs.append(given)
        raise BadConfig("that is far enough")

    monkeypatch.setattr("smcdesk.runs.session.run_pipelines", stop)
    data = ("--data", folder / "EURUSD_15m.csv", "--symbol", "EURUSD_15m", "--instrument", "EURUSD")
    numbers = ("--set", "policy.risk.stop_atr=2", "--set", "seed=5", "--policy", "shadow")
    for verb in (
        ("replay",),
        ("sweep", "--jobs", "1"),
        ("walkforward",),
        ("tune", "--trials", "9"),
        ("model", "train"),
    ):
        assert smcdesk(*verb, *data, *numbers)[0] == 2
    assert smcdesk("portfolio", *numbers)[0] == 2
    assert smcdesk("demo", "--data", folder / "EURUSD_15m.csv", *numbers)[0] == 2
    assert [run["symbol"] for run in runs[:5]] == ["EURUSD_15m"] * 5
    for run in runs:
        assert run["runtime_params"]["policy"] == {"preset": "shadow", "risk": {"stop_atr": 2.0}}
        assert run["runtime_params"]["seed"] == 5
    assert runs[1]["runtime_params"]["work"] == {"jobs": 1} and runs[3]["runtime_params"]["tune"] == {"n_trials": 9}
    assert runs[6]["runtime_params"]["symbols"].keys() == {"EURUSD"}  # the demo's file is only tried
    assert "EURUSD_15m" in load_config().parameters["symbols"]
    (folder.parent / "conf/local/symbols.yml").unlink()


def test_ctrl_c_says_what_is_kept(house, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("smcdesk.runs.session.run_pipelines", interrupt)
    code, _, err = smcdesk("replay", "--env", "test")
    assert code == 130 and err.strip().startswith("smcdesk: interrupted; ") and "every file is whole" in err
    code, _, err = smcdesk("tune", "--env", "test")
    assert code == 130 and "goes on from there" in err


def test_rows_as_json_have_plain_names_and_values(house):
    for words in (("symbols",), ("providers",), ("report", "list"), ("schedule", "list"), ("model", "list")):
        code, out, _ = smcdesk(*words, "--json")
        assert code == 0 and json.loads(out) is not None
    assert json.loads(smcdesk("symbols", "--json")[1])[0]["symbol"] == "EURUSD"
    assert json.loads(smcdesk("schedule", "list", "--json")[1])[0].keys() == {"line", "when", "next", "last", "became"}


def test_version_is_one_line(house):
    code, out, _ = smcdesk("--version")
    assert code == 0 and out.startswith("smcdesk 0.") and len(out.splitlines()) == 1
