"""The Desk's promises: the whole road on a made-up market, conf that agrees with code, errors in one sentence."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from kedro.pipeline import Pipeline
from typer.testing import CliRunner

from smcdesk import tracking
from smcdesk.__main__ import STAGES, _pairs, app
from smcdesk.marketdata import sources
from smcdesk.project import files
from smcdesk.project.config import load_config
from smcdesk.reports import replay_report, runner
from smcdesk.runs import session
from smclab.candles import BadConfig
from smclab.scorecard import positions
from smclab.tapes import market

SYMBOL = "MADEUP"


@pytest.fixture(scope="module")
def run_id(house):
    """The whole graph, once, on the made-up market."""
    return session.run_pipelines(STAGES, symbol=SYMBOL, env="test").run_id


@pytest.fixture(scope="module")
def told(run_id):
    return replay_report.load(SYMBOL, "test")


def smcdesk(*words):
    """The command in this process: exit code, stdout, stderr."""
    done = CliRunner().invoke(app, _pairs([str(w) for w in words]))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


# The whole road


def test_whole_graph_on_a_made_up_market_leaves_a_ledger_and_pictures(told, house):
    assert len(told.ledger.closed) > 20 and told.quality.verdict == "ok"
    assert told.bars.equals(market(6000, seed=7, timeframe="15m", week="fx"))
    assert set(told.ledger.trades["setup_id"]) <= set(told.decisions.query("outcome == 'live'")["setup_id"])
    pictures = sorted(p.name for p in (house / "data/08_reporting" / SYMBOL).glob("*.png"))
    assert pictures == ["equity.png", "structure.png"]


def test_run_is_tracked_with_what_it_was_made_from(told, run_id, house):
    run = tracking.client().get_run(run_id)
    tags, metrics = run.data.tags, run.data.metrics
    assert run.info.status == "FINISHED" and tags["symbol"] == SYMBOL and tags["seed"] == "7"
    assert tags[f"ledger_hash.{SYMBOL}"] == told.ledger.hash()
    assert len(tags["config_hash"]) == len(tags[f"data_fingerprint.{SYMBOL}"]) == 16
    assert {"git_commit", "git_dirty"} <= tags.keys()
    assert metrics[f"{SYMBOL}.trades_n"] == len(positions(told.ledger.closed))
    assert f"{SYMBOL}.model.n_test" in metrics
    assert run.data.params["policy.risk.risk_pct"] == "0.5"
    stored = {a.path for a in tracking.client().list_artifacts(run_id, SYMBOL)}
    assert {f"{SYMBOL}/{name}" for name in ("structure.png", "equity.png", "scorecard.csv")} <= stored
    assert run.info.artifact_uri.startswith((house / "mlruns/artifacts").as_uri())
    assert (house / "mlruns/mlflow.db").exists()


def test_same_seed_gives_the_same_ledger_and_the_same_configuration_hash(told, run_id):
    again = session.run_pipelines(STAGES, symbol=SYMBOL, env="test").run_id
    first, second = (tracking.client().get_run(r).data.tags for r in (run_id, again))
    assert again != run_id and replay_report.load(SYMBOL, "test").ledger.hash() == told.ledger.hash()
    same = ("config_hash", "seed", f"data_fingerprint.{SYMBOL}", f"ledger_hash.{SYMBOL}")
    assert [first[t] for t in same] == [second[t] for t in same]


def test_other_configuration_gives_another_hash_and_another_symbol_its_own_namespace(told, run_id):
    extra = {"symbols": {"SECOND": {"instrument": "EURUSD", "bars_side": "bid"}}, "policy": {"risk": {"stop_atr": 2.0}}}
    stages = ("data", "feature", "replay")
    other = session.run_pipelines(stages, symbol="SECOND", env="test", runtime_params=extra)
    tags = tracking.client().get_run(other.run_id).data.tags
    assert tags["config_hash"] != tracking.client().get_run(run_id).data.tags["config_hash"]
    second = replay_report.replayed()
    assert second == [SYMBOL, "SECOND"] and f"ledger_hash.{SYMBOL}" not in tags
    assert tags["ledger_hash.SECOND"] != told.ledger.hash()


def test_stages_run_apart_from_what_the_stage_before_has_stored(told):
    session.run_pipelines(("replay",), symbol=SYMBOL, env="test")
    assert replay_report.load(SYMBOL, "test").ledger.hash() == told.ledger.hash()


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


# Conf and code


ENVS = ("base", "test", "paper", "live")


def leaves(values, path=""):
    """Every plain value's dotted name."""
    for key, value in values.items():
        name = f"{path}.{key}".lstrip(".")
        yield from leaves(value, name) if isinstance(value, dict) else [name]


def graph(parameters):
    from smcdesk import pipeline_registry

    pipeline_registry.select_symbols(parameters["symbols"])
    return sum(pipeline_registry.register_pipelines().values(), Pipeline([]))


def unused(parameters):
    """Parameters that no node takes; its dataset reads a symbol's file, hooks read `send` and the purse's symbols."""
    taken = [n.removeprefix("params:") for n in graph(parameters).inputs() if n.startswith("params:")]
    files = {f"symbols.{s}.{key}" for s in parameters["symbols"] for key in ("source", "zone", "spread")}
    read = (*taken, *files, "send", "portfolio.symbols")
    return [n for n in leaves(parameters) if not any(n == r or n.startswith(f"{r}.") for r in read)]


def orphans(parameters, catalog):
    """Catalog entries that no pipeline reads or writes."""
    names = graph(parameters).datasets()
    symbols = list(parameters["symbols"])
    return [entry for entry in catalog if not {entry.format(symbol=s) for s in symbols} & names]


@pytest.mark.parametrize("env", ENVS)
def test_every_parameter_is_used_and_every_catalog_entry_belongs_to_a_pipeline(house, env):
    conf = load_config(env)
    assert unused(conf.parameters) == []
    assert orphans(conf.parameters, conf.catalog) == []


def test_a_stray_parameter_and_a_stray_entry_are_noticed(house):
    conf = load_config("test")
    parameters = {**conf.parameters, "charts": {"n_bars": 1, "colour": "red"}}
    assert unused(parameters) == ["charts.colour"]
    assert orphans(parameters, {**conf.catalog, "{symbol}.dreams": {}}) == ["{symbol}.dreams"]


@pytest.mark.parametrize("env", ENVS)
def test_conf_values_build_what_they_configure(house, env):
    from smcdesk.decisions.inputs import fill_rules, trading_costs
    from smclab.account import Account
    from smclab.instruments import instrument
    from smclab.policy import Policy
    from smclab.setups import SetupConfig
    from smclab.timeframes import Config

    p = load_config(env).parameters
    Config.from_dict(p["reading"]), SetupConfig.from_dict(p["setups"]), Account.from_dict(p["account"])
    fill_rules(p["rules"], Policy.from_dict(p["policy"]))
    for symbol, entry in p["symbols"].items():
        found = sources.symbol_config(symbol, entry)
        trading_costs(instrument(found.instrument), p["costs"], found.bars_side)
    for profile in ("default_fx", "default_metal", "default_crypto", "default_equity"):
        assert trading_costs(instrument(profile), p["costs"], "bid").spread_price > 0
    with pytest.raises(BadConfig, match=r"costs\.fx has no setting 'comission_pct'; did you mean 'commission_pct'"):
        trading_costs(instrument("EURUSD"), {"fx": {**p["costs"]["fx"], "comission_pct": 0.9}}, "bid")
    assert p["send"] is False


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"instrument": "EURUSD", "sorce": "x.csv"}, "symbols.EURUSD.sorce: .*did you mean 'source'"),
        ({"source": "x.csv"}, "symbols.EURUSD.instrument: field required"),
        ({"instrument": "EURUSD", "bars_side": "last"}, "symbols.EURUSD.bars_side: input should be 'bid', 'mid'"),
    ],
)  # fmt: skip
def test_wrong_symbol_entry_names_the_key(entry, sentence):
    with pytest.raises(BadConfig, match=sentence):
        sources.symbol_config("EURUSD", entry)


# The command


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
    ("words", "said"),
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
        (("report", "replay_reprot"), "did you mean 'replay_report'"),
        (("report", "replay_report", "-p", "simbol", "EURUSD"), "did you mean 'symbol'"),
        (("report", "replay_report", "-p", "chart_bars", "many"), "must be a whole number, found 'many'"),
        (("report", "replay_report", "-p", "symbol", "EURUDS"), "did you mean 'EURUSD'"),
        (("report", "replay_report", "-p", "symbol"), "has no value"),
    ],
)  # fmt: skip
def test_command_with_wrong_input_says_one_sentence_and_exits_2(candles, house, words, said):
    before = sorted(p for p in house.rglob("*") if "mlruns" not in p.parts)
    code, out, err = smcdesk(*(w.format(candles=candles) for w in words))
    assert code == 2 and out == ""
    assert said in err and err.startswith("smcdesk: ") and len(err.strip().splitlines()) == 1, err
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


def test_feature_stage_leaves_tables_by_timeframe(house):
    session.run_pipelines(("data", "feature"), symbol=SYMBOL, env="test")
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
    left = sorted(p.name for p in (house / "data/04_feature" / SYMBOL / "read").iterdir())
    session.run_pipelines(("data", "feature"), symbol=SYMBOL, env="test")
    assert left == ["15m", "1h"]


def test_read_knows_the_files_market_and_stores_columns_too(candles, tmp_path):
    words = ("read", candles / "EURUSD_15m.csv", "--out", tmp_path / "e.parquet", "--columns", tmp_path / "c.parquet")
    code, _, err = smcdesk(*words)
    assert code == 0 and "No instrument" not in err
    assert len(pd.read_parquet(tmp_path / "c.parquet")) == 800
    code, _, err = smcdesk("read", candles / "mine.csv", "--out", tmp_path / "m.parquet")
    assert code == 0 and "No instrument" in err
    code, _, err = smcdesk("read", candles / "mine.csv", "--symbol", "EURUSDX")
    assert code == 2 and "did you mean 'EURUSD'?" in err


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
    assert "replay_report" in smcdesk("reports")[1]


def test_help_loads_nothing_heavy(root):
    heavy = "('kedro', 'mlflow', 'pandas', 'papermill', 'numba')"
    code = f"import sys, smcdesk.__main__; sys.exit(sum(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0


# Reports


def test_report_runs_and_running_it_twice_replaces_its_files(told, house):
    words = ("report", "replay_report", "-p", "symbol", SYMBOL, "-p", "env", "test")
    code, out, err = smcdesk(*words)
    assert code == 0, err
    folder = next((house / "notebooks_out/replay_report").glob("*/*/*"))
    first = sorted(p.name for p in folder.glob(f"{SYMBOL}*"))
    assert first == [f"{SYMBOL}_env-test{end}" for end in (".html", ".ipynb", ".json")]
    record = json.loads((folder / first[2]).read_text())
    assert record["status"] == "ok" and record["error"] == "" and record["params"]["symbol"] == SYMBOL
    assert record["result"]["ledger_hash"] == told.ledger.hash() and record["result"]["sentence"] in out
    assert tracking.client().get_run(record["run_id"]).data.tags[f"ledger_hash.{SYMBOL}"] == told.ledger.hash()
    assert smcdesk(*words)[0] == 0
    assert sorted(p.name for p in folder.glob(f"{SYMBOL}*")) == first and not list(folder.glob(".*running*"))


def template(path: Path, *cells: str, tags=("parameters",)):
    nb = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    nb.cells = [nbformat.v4.new_markdown_cell("# A report\n\n> For a test."), *map(nbformat.v4.new_code_cell, cells)]
    nb.cells[1].metadata["tags"] = list(tags)
    nbformat.write(nb, path)


def test_failing_report_keeps_its_notebook_with_the_error_and_exits_1(house):
    path = house / "nbs/reports/broken_report.ipynb"
    template(path, "divisor = 0", "1 / divisor")
    try:
        code, _, err = smcdesk("report", "broken_report")
        fine = smcdesk("report", "broken_report", "-p", "divisor=2")
    finally:
        path.unlink()
    assert code == 1 and "ZeroDivisionError" in err and "Traceback" not in err
    folder = next((house / "notebooks_out/broken_report").glob("*/*/*"))
    record = json.loads((folder / "default.json").read_text())
    assert record["status"] == "failed" and record["error"].startswith("ZeroDivisionError") and record["result"] == {}
    kept = nbformat.read(folder / "default.ipynb", as_version=4)
    assert any(o["output_type"] == "error" for c in kept.cells if c.cell_type == "code" for o in c.outputs)
    assert "ZeroDivisionError" in (folder / "default.html").read_text()
    assert fine[0] == 0 and (folder / "divisor-2.ipynb").exists()


def broken_rules(path: Path) -> list[str]:
    """What a report template does that it must not."""
    nb = nbformat.read(path, as_version=4)
    code = [c for c in nb.cells if c.cell_type == "code"]
    for cell in code:
        cell.source = "\n".join(line for line in cell.source.splitlines() if not line.startswith("%"))
    tagged = [c for c in code if "parameters" in c.metadata.get("tags", [])]
    faults = [] if len(tagged) == 1 else [f"{len(tagged)} cells tagged parameters"]
    for cell in tagged:
        for line in ast.parse(cell.source).body:
            try:
                ast.literal_eval(line.value)
            except (AttributeError, ValueError):
                faults.append(f"not a literal: {ast.unparse(line)}")
    made = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    faults += [type(n).__name__ for c in code for n in ast.walk(ast.parse(c.source)) if isinstance(n, made)]
    if "parameters" in {t for c in nb.cells if c.cell_type != "code" for t in c.metadata.get("tags", [])}:
        faults.append("a text cell tagged parameters")
    return faults + [f"stored output: {c.source[:20]}" for c in code if c.outputs or c.execution_count]


def test_report_templates_have_one_parameters_cell_and_define_nothing(root):
    paths = runner.reports(root)
    assert paths
    assert {name: broken_rules(path) for name, path in paths.items()} == {name: [] for name in paths}
    assert all(runner.purpose(path) for path in paths.values())


def test_template_that_breaks_the_rules_is_noticed(tmp_path):
    template(tmp_path / "a.ipynb", "x = 1\ny = x + 1", "def f(): return lambda: 1")
    template(tmp_path / "b.ipynb", "x = 1", tags=())
    assert broken_rules(tmp_path / "a.ipynb") == ["not a literal: y = x + 1", "FunctionDef", "Lambda"]
    assert broken_rules(tmp_path / "b.ipynb") == ["0 cells tagged parameters"]


def test_slot_is_the_symbol_and_what_differs_from_the_defaults():
    known = {"symbol": "EURUSD", "env": "base", "n": 1}
    assert runner.slot_name({"symbol": "EURUSD", "env": "base", "n": 1}, known) == "EURUSD"
    assert runner.slot_name({"symbol": "XAUUSD", "env": "a/b", "n": 2}, known) == "XAUUSD_env-a-b_n-2"
    assert len(runner.slot_name({"symbol": "X" * 200}, {"symbol": ""})) == 80


# Whole files or none


def test_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = files.write_text(tmp_path / "a.txt", "old")
    with pytest.raises(KeyboardInterrupt), files.atomic_file(path) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), files.atomic_folder(tmp_path / "folder") as part:
        (part / "half").write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]
