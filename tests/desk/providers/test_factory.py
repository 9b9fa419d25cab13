"""What a provider needs before it can be asked: its client library, its key."""

import sys

import pytest

from smcdesk.providers import ProviderRefused
from smcdesk.providers.factory import provider
from smclab.candles import BadConfig


@pytest.mark.parametrize(
    ("name", "entry", "module"),
    [("kraken", {"kind": "ccxt", "exchange": "kraken"}, "ccxt"), ("alpaca", {"symbols": {"BTC": "BTC/USD"}}, "alpaca")],
)
def test_a_missing_extra_is_named(monkeypatch, name, entry, module):
    for loaded in [word for word in sys.modules if word.partition(".")[0] == module]:
        monkeypatch.setitem(sys.modules, loaded, None)
    monkeypatch.setitem(sys.modules, f"{module}.data" if module == "alpaca" else module, None)
    source = provider(name, entry)
    for ask in (lambda: source.latest("BTC", "15m", 1), lambda: source.snapshot("BTC")):
        with pytest.raises(BadConfig, match=rf"smclab\[{module}\]"):
            ask()


def test_a_key_is_asked_for_by_name(monkeypatch):
    for word in ("APCA_API_KEY_ID", "ALPACA_API_KEY", "APCA_API_SECRET_KEY", "ALPACA_SECRET_KEY"):
        monkeypatch.delenv(word, raising=False)
    with pytest.raises(ProviderRefused, match="APCA_API_KEY_ID"):
        provider("alpaca").latest("SPY", "15m", 1)
