"""A portfolio on one account: two symbols on one clock, what it refuses, and the same again from its id."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from smcdesk import tracking
from smcdesk.__main__ import app
from smcdesk.project import paths
from smcdesk.reports import portfolio_report
from smcdesk.runs import reproduction, session
from smclab.candles import BadConfig

TWINS = ("MADEUP", "TWIN")  # the same made-up candles twice: whatever one wants, the other wants too


def smcdesk(*words):
    """The command in this process: exit code, stdout, stderr."""
    done = CliRunner().invoke(app, [str(w) for w in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(scope="module")
def twins(house):
    """Two symbols in conf, and room for one position."""
    twin = "  TWIN: {instrument: GBPUSD, source: null, zone: null, bars_side: bid, spread: null}\n"
    conf, candles = house / "conf/test/globals.yml", house / "conf/test/catalog.yml"
    conf.write_text(conf.read_text() + twin)
    candles.write_text(candles.read_text().replace("n_bars: 6000", "n_bars: 3000"))
    parameters = house / "conf/test/parameters.yml"
    parameters.write_text(parameters.read_text() + "\npolicy:\n  portfolio_gate:\n    max_positions: 1\n")
    return smcdesk("portfolio", "--env", "test", "--no-report")


def test_portfolio_trades_two_symbols_out_of_one_purse(twins, house):
    code, out, _ = twins
    report = portfolio_report.load("test")
    assert code == 0 and list(report.by_symbol.index) == list(TWINS) and "The portfolio refused" in out
    added = report.trades.groupby("symbol")["pnl"].sum()
    assert len(added) == 2 and report.by_symbol["pnl"].to_dict() == pytest.approx(added.to_dict())
    still = (report.trades["exit_reason"] == "open_at_end").any()
    assert still or report.equity["equity"].iloc[-1] == pytest.approx(10_000.0 + added.sum())
    assert report.scorecard.loc["trades_n", "value"] == report.by_symbol["trades_n"].sum()
    assert 0 < report.scorecard.loc["exposure_pct", "value"] < 100
    assert "max_positions" in set(report.refused["reason"])
    assert report.refused["n"].sum() == report.by_symbol["refused_n"].sum()


def test_portfolio_holds_no_more_than_it_may(twins):
    trades = portfolio_report.load("test").trades
    spans = trades.groupby(["symbol", "intent_id"]).agg(start=("entry_time", "min"), end=("exit_time", "max"))
    spans = spans.sort_values("start")
    assert len(spans) > 10 and (spans["start"].iloc[1:].to_numpy() >= spans["end"].iloc[:-1].to_numpy()).all()


def test_portfolio_run_keeps_its_artifacts_and_is_made_again_from_its_id(twins):
    run_id = next(w.strip(";,.") for w in twins[1].split() if len(w.strip(";,.")) == 32)
    run = tracking.client().get_run(run_id)
    assert run.data.tags["symbol"] == ",".join(TWINS) and "ledgers_hash.portfolio" in run.data.tags
    assert run.data.metrics["portfolio.trades_n"] > 10
    artifacts = {a.path for a in tracking.client().list_artifacts(run_id, "portfolio")}
    assert {
        f"portfolio/{n}" for n in ("trades.parquet", "equity.parquet", "by_symbol.parquet", "equity.png")
    } <= artifacts
    result = reproduction.reproduce(run_id)
    assert result.same and not result.inputs, list(result.lines())


def test_portfolio_report_shows_the_purse(twins, house):
    code, _, err = smcdesk("report", "run", "portfolio_report", "-p", "env=test")
    assert code == 0, err
    page = next((house / "notebooks_out/portfolio_report").rglob("*.html")).read_text()
    assert all(word in page for word in ("TWIN", "max_positions", "<img", "refused"))


def test_portfolio_of_one_symbol_asked_for_leaves_the_other_alone(twins):
    code, _, _ = smcdesk("portfolio", "--env", "test", "--symbols", "twin", "--no-report")
    report = portfolio_report.load("test")
    assert code == 0 and list(report.by_symbol.index) == ["TWIN"] and report.refused.empty
    alone = pd.read_parquet(paths.root() / "data/07_model_output/TWIN/intents.parquet")
    assert report.by_symbol.loc["TWIN", "entries_n"] == len(alone)
    assert "nothing was refused" in portfolio_report.refusals(report).index


def test_unknown_symbol_in_a_portfolio_is_named(twins):
    code, _, err = smcdesk("portfolio", "--env", "test", "--symbols", "MADEUP,TWNI")
    assert code == 2 and "did you mean 'TWIN'" in err
    with pytest.raises(BadConfig, match="did you mean 'TWIN'"):
        session.run_pipelines(
            ("portfolio",), symbol=None, env="test", runtime_params={"portfolio": {"symbols": ["TWNI"]}}
        )
