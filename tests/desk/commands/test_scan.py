"""`smcdesk scan`: the newest candles of the test environment's market, decided once, each with its reason."""

import re
from functools import partial

import pandas as pd
import pytest
from command import smcdesk

from smcdesk.notifications import outbox
from smcdesk.scanning import workspace
from smcdesk.store import Store
from smclab.tapes import market

ENTRY = "\n    source: tape.csv\n"


@pytest.fixture(scope="module")
def tape(house):
    "The test environment with its made-up market in a file."
    page = house / "conf/test/globals.yml"
    page.write_text(page.read_text().replace("\n    source: null\n", ENTRY, 1))
    assert ENTRY in page.read_text()
    return market(3000, seed=6, timeframe="15m", week="fx")


@pytest.fixture
def at(house, tape, tmp_path, monkeypatch):
    "Sets how many candles there are, and the clock to ten seconds after the last; store and history are the test's."
    monkeypatch.setenv("SMCDESK_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(workspace.feeds, "history", lambda env=None: workspace.CandleHistory(tmp_path / "raw"))
    present = []
    opened = partial(workspace.open_workspace, clock=lambda: present[-1])
    monkeypatch.setattr(workspace, "open_workspace", opened)

    def set_market(n: int) -> None:
        tape.iloc[:n].reset_index().to_csv(house / "tape.csv", index=False)
        present.append((tape.index[n - 1] + pd.Timedelta("15min 10s")).to_pydatetime())

    set_market(2834)
    return set_market


def scan(*words):
    return smcdesk("scan", "--env", "test", "--timeframes", "15m,1h", *words)


def counts():
    with Store(env="test") as store:
        return store.counts(), len(store.signals()), len(store.labels()), len(outbox.listing(store))


def decisions(out: str) -> list[str]:
    return [line for line in out.splitlines() if re.match(r"MADEUP \w+ (long|short), ", line)]


def test_scan_shows_every_series_and_twice_is_once(at):
    code, out, err = scan()
    assert code == 0, err
    assert "slot 20240209T1230Z_files" in out and "MADEUP 15m" in out and "MADEUP 1h" in out
    before = counts()
    assert scan()[:2] == (0, out) and counts() == before


def test_a_new_candle_is_decided_with_reasons_and_alerts_go_to_the_outbox_on_request(at):
    assert scan()[0] == 0
    at(2835)  # at whose close a limit may be placed
    code, out, err = scan("madeup")
    assert code == 0, err
    lines = decisions(out)
    assert ": live. " in lines[0] and all(re.search(r": (live|shadow)\. \w|: refused, \w+: \w", line) for line in lines)
    assert [": refused" in line for line in lines] == sorted(": refused" in line for line in lines)
    before = counts()
    assert before[1] > 0 and before[3] == 0  # signals, and no message about them
    code, alerted, _ = scan("--alerts")
    assert code == 0 and decisions(alerted) == lines and f"{before[1]:,} new messages in the outbox" in alerted
    assert "0 new messages in the outbox" in scan("--alerts")[1] and counts() == (*before[:3], before[1])


def test_a_candidate_that_comes_too_late_is_refused_by_name(at):
    assert scan()[0] == 0
    at(3000)
    lines = decisions(scan()[1])
    assert lines and any("refused, pre_filters: the newest bar is" in line for line in lines)


def test_offline_fetches_nothing(at):
    assert "no series could be" not in scan("--offline")[2]
    assert scan()[0] == 0
    at(2835)
    code, out, _ = scan("--offline")
    assert code == 0 and "no candidate on these candles" in out


def test_scan_exits_1_when_every_provider_is_down(house, at):
    page = house / "conf/test/providers.yml"
    page.write_text('sources: {delta: {kind: delta, base_url: "http://127.0.0.1:9", attempts: 1}}\n')
    try:
        code, out, err = scan("--provider", "delta")
    finally:
        page.unlink()
    assert code == 1 and "provider down: delta cannot be reached" in out
    assert "no series could be brought up to date" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("MADEPU",), "did you mean 'MADEUP'"),
        (("--timeframes", "15min"), "did you mean '15m'"),
        (("--timeframes", ","), "expected at least one, such as 15m,1h"),
        (("--provider", "fils"), "did you mean 'files'"),
        (("--env", "tset"), "did you mean 'test'"),
    ],
)
def test_wrong_input_is_one_sentence_and_opens_nothing(at, tmp_path, words, sentence):
    code, out, err = scan(*words)
    assert (code, out) == (2, "") and sentence in err and len(err.strip().splitlines()) == 1
    assert not (tmp_path / "store.db").exists()
