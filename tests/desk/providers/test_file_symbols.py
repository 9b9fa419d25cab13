"""A symbol is not its look-alike, in a file's name and in its symbol column."""

import pytest

from smcdesk.providers.files import BadFile, read_file, same_symbol, symbol_from

HEAD = "ticker,time,open,high,low,close,volume\n"
ROW = "{},2024-01-30T{}:00Z,1,2,1,2,5\n"


@pytest.mark.parametrize(
    ("name", "symbol"),
    {
        "EURUSDT_1h.csv": "EURUSDT", "eurusdt.csv": "EURUSDT", "EURUSDC.csv": "EURUSDC", "XAUUSDT_15.csv": "XAUUSDT",
        "GBPUSDT.csv": "GBPUSDT", "WBTCUSDT.csv": "WBTCUSDT", "RESOLUSDT.csv": "RESOLUSDT", "SPYG_1d.csv": "SPYG",
        "SPYM_1d.csv": "SPYM", "BTCBUSD.csv": "BTCBUSD", "EURUSDm.csv": "EURUSD", "EURUSD.r.csv": "EURUSD",
        "XAUUSD+.csv": "XAUUSD", "BTCUSDT-PERP.csv": "BTCUSDT", "BTCUSDT.P.csv": "BTCUSDT", "EURUSDpro.csv": "EURUSD",
        "EURUSDc_M15.csv": "EURUSD", "EURUSDH1.csv": "EURUSD", "EURUSD60.csv": "EURUSD", "EURUSD (1).csv": "EURUSD",
        "FX_EURUSD, 15.csv": "EURUSD", "BTC-USDT.csv": "BTCUSDT", "EURUSDTRY.csv": None,
    }.items(),
)  # fmt: skip
def test_look_alike_is_another_symbol(name, symbol):
    assert symbol_from(name) == symbol


@pytest.mark.parametrize(
    ("written", "symbol", "same"),
    [
        ("BTC/USDT", "BTCUSDT", True), ("BTC/USDT:USDT", "BTCUSDT", True), ("X:BTCUSD", "BTCUSD", True),
        ("BTC-USDT-SWAP", "BTCUSDT", True), ("EURUSD.r", "EURUSD", True), ("EUR_USD", "EURUSD", True),
        ("SPY", "EURUSD", False), ("EURUSDT", "EURUSD", False), ("SPYG", "SPY", False), ("XAUUSD", "GOLD", False),
    ],
)  # fmt: skip
def test_symbol_column_names_the_symbol_or_another(tmp_path, written, symbol, same):
    assert same_symbol(written, symbol) == same
    path = tmp_path / "x.csv"
    path.write_text(HEAD + "".join(ROW.format(written, hour) for hour in ("22:00", "23:00")))
    if same:
        assert len(read_file(path, symbol=symbol)[0]) == 2
    else:
        with pytest.raises(BadFile, match="the column ticker says"):
            read_file(path, symbol=symbol)
    assert len(read_file(path)[0]) == 2


def test_instruments_name_in_the_column_is_right_too(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(HEAD + ROW.format("XAUUSD", "22:00"))
    assert len(read_file(path, symbol="GOLD", also="XAUUSD")[0]) == 1
