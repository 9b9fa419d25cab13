"""Files as vendors, exchanges and libraries write them, and numbers as people write them."""

from cases import BTC, EUR, SPY, ReadCase, RefusedCase

DAY = ("2025-01-01 00:00", "2025-01-01 23:00")
BTC_24 = (BTC[0], (92762.15, 92826.75, 92550.92, 92684.43, 892.0))
NEW_YORK = {"zone": "America/New_York"}
SPY_26 = ("2024-03-07 14:30", "2024-03-07 20:45")
SPY_ROWS = (SPY[0], (506.77, 506.99, 506.42, 506.86, 71785.0))
EUR_24 = ("2024-01-30 22:00", "2024-01-31 03:45")
EUR_ROWS = ((*EUR[0], 94.0), (1.09613, 1.09656, 1.09604, 1.09624, 50.0))


def _btc(file: str, *notes: str, **options) -> ReadCase:
    "A day of BTCUSDT."
    return ReadCase(file, file, 24, *DAY, *BTC_24, notes, options)


CASES = (
    # numbers as people write them
    _btc("BTCUSDT_swiss.csv"),
    _btc("BTCUSDT_dollar.csv", "commas part thousands"),
    _btc("BTCUSDT_text_numbers.json"),
    # exchanges and libraries
    _btc("BTC_USDT-1h.json", "unix milliseconds"),
    _btc("BTC_USDT-1h.feather"),
    _btc("BTCUSDT-1h-zip.zip"),
    _btc("BTCUSDT_bybit.csv", "newest first"),
    _btc("BTCUSDT_bybit.json", "newest first"),
    _btc("XBTUSD_60.csv", "unix seconds"),
    _btc("coinapi.csv"),
    ReadCase("yfinance", "yf_group_by_ticker.csv", 26, *SPY_26, *SPY_ROWS, ("SPY was read",), {"symbol": "SPY"}),
    RefusedCase("yfinance unsaid", "yf_group_by_ticker.csv", ("2 tickers (AAPL, SPY)", "say which")),
    ReadCase("FirstRateData", "SPY_firstratedata.txt", 26, *SPY_26, *SPY_ROWS, (), NEW_YORK),
    ReadCase("Alpha Vantage", "SPY_alphavantage.json", 26, *SPY_26, *SPY_ROWS, ("on the clock of US/Eastern",)),
    ReadCase("Tickstory", "EURUSD_tickstory.csv", 24, *EUR_24, *EUR_ROWS),
    RefusedCase("TrueFX", "EURUSD-truefx.csv", ("quotes (ticks: bid and ask)", "make candles")),
    # an adjusted close shows splits, and is no price
    ReadCase(
        "Adj Close", "SPY_adj_close.csv", 3, "2024-03-06 00:00", "2024-03-08 00:00", (100.0, 103.0, 99.0, 102.0, 10.0),
        (51.0, 53.0, 50.0, 52.0, 22.0), ("only shows splits",),
    ),
)  # fmt: skip
