"""A market is decided from one source, and by scans alone."""

from __future__ import annotations

import pandas as pd
import pytest
from kedro.io import DatasetError
from scan_play import first_with_decisions, scan_close
from virtual import SYMBOL, Clock, House, moment

from smcdesk.scanning import scanner
from smclab.candles import BadConfig


def test_scan_of_a_market_that_others_decide_is_refused(bars, tmp_path):
    market = House(tmp_path, bars, Clock(moment(2024, 1, 1)))
    workspace, k = market.workspace(), first_with_decisions(bars)
    scan_close(market, workspace, k - 1), scan_close(market, workspace, k)
    with pytest.raises(BadConfig, match="MADEUP 15m is scanned from recorded in this environment, not from kraken"):
        scanner.scan(market.workspace(provider_name="kraken"), [SYMBOL], ["15m"], "other")
    assert workspace.journal.forget(SYMBOL, workspace.policy_hash) == 2
    with pytest.raises(BadConfig, match=r"no scan made .* smcdesk store forget"):
        scan_close(market, market.workspace(), k + 1)


def test_run_over_what_scans_decided_is_refused_and_nothing_is_forgotten(bars, tmp_path, house, monkeypatch):
    from smcdesk.datasets.store import DecisionStore
    from smcdesk.decisions.records import EvaluatedTape

    market = House(tmp_path, bars, Clock(moment(2024, 1, 1)))
    workspace, k = market.workspace(), first_with_decisions(bars)
    scan_close(market, workspace, k - 1), scan_close(market, workspace, k)
    monkeypatch.setenv("SMCDESK_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    before = workspace.store.counts()
    decisions = tuple(d for d in workspace.store.decisions() if d.setup_id)
    again = EvaluatedTape(
        workspace.configs[SYMBOL].instrument, workspace.policy_hash, decisions, pd.DataFrame(), pd.DataFrame()
    )
    with pytest.raises(DatasetError, match="MADEUP 15m is decided by scans in environment test"):
        DecisionStore(SYMBOL, "test").save(again)
    assert workspace.store.counts() == before


def test_owner_of_a_symbol_with_a_slash_is_not_its_look_alikes(bars, tmp_path):
    workspace = House(tmp_path, bars, Clock(moment(2024, 1, 1))).workspace()
    workspace.configs = dict.fromkeys(("EUR/USD", "EUR_USD", "USD"), workspace.configs[SYMBOL])
    scanned = {"kraken/EUR/USD/15m": 1}
    for symbol in ("EUR_USD", "USD"):
        scanner._check_owner(workspace, symbol, "15m", scanned)
    scanner._check_owner(workspace, "EUR/USD", "1h", scanned)
    with pytest.raises(BadConfig, match="EUR/USD 15m is scanned from kraken in"):
        scanner._check_owner(workspace, "EUR/USD", "15m", scanned)
