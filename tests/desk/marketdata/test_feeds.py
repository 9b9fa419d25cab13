"""Providers of conf: nobody is called by itself, and a typo is named."""

import pytest

from smcdesk.marketdata import feeds
from smcdesk.providers.factory import provider
from smclab.candles import BadConfig


def test_conf_asks_nobody_by_itself(house):
    config = feeds.conf()
    assert config.default.first == "files" and config.sources["files"] == {"kind": "files"}
    for name, entry in config.sources.items():
        assert provider(name, entry).name == name  # made, not asked


def test_a_typo_in_conf_is_named(house):
    with pytest.raises(BadConfig, match="did you mean 'exchange'"):
        provider("kraken", {"kind": "ccxt", "exchnage": "kraken"})
    with pytest.raises(BadConfig, match="did you mean 'kraken'"):
        provider("x", {"kind": "ccxt", "exchange": "krakn"}).latest("BTC/USD", "15m", 1)
    with pytest.raises(BadConfig, match="did you mean 'binance'"):
        feeds.provider_by_name("binanze")
