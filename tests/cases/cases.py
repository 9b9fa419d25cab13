"""Files as people sent them, and what is right: one row a case, read by test_cases.py.

A row is `ReadCase` (options, how many bars, the first and last open in UTC, open, high, low, close and volume of both,
words of the notes) or `RefusedCase` (options, words of the one sentence). A new report from the field is a file in
files/ and a row here, or in any other cases_*.py with a CASES of its own.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ReadCase:
    "A file that has one right reading."

    id: str
    file: str  # in files/
    n: int  # bars
    first: str  # open of the first bar, UTC
    last: str
    first_row: tuple  # open, high, low, close, volume
    last_row: tuple
    notes: tuple = ()  # words the notes must hold
    options: dict = field(default_factory=dict)  # of read_file


@dataclass(frozen=True)
class RefusedCase:
    "A file that must be refused, in one sentence."

    id: str
    file: str
    words: tuple  # the sentence must hold
    options: dict = field(default_factory=dict)


NEW_YEAR = ("2025-01-01 00:00", "2025-01-05 23:00")  # 120 hours of BTCUSDT
BTC = ((94000.0, 94038.3, 93862.63, 94024.58, 443.0), (88548.46, 88601.16, 88001.07, 88237.17, 892.0))
JANUARY = ("2025-01-20 00:00", "2025-01-24 23:00")  # 120 hours of BTCUSD
EUR_DAYS = ("2024-01-30 22:00", "2024-02-01 03:45")  # 120 quarter hours
EUR = ((1.1, 1.10004, 1.09982, 1.1), (1.09289, 1.09355, 1.09286, 1.09297))
SPY_DAYS = ("2024-03-07 14:30", "2024-03-13 19:45")  # 130 quarter hours of five sessions, two of them in summer time
SPY = ((510.0, 511.14, 509.72, 510.53, 40565.0), (505.13, 505.28, 504.37, 504.91, 67038.0))


def _eur(*volume) -> tuple:
    return tuple((*prices, v) for prices, v in zip(EUR, volume, strict=True))


CASES = (
    # what comma and point mean
    RefusedCase("F38", "BTCUSD_us_thousands_semicolon.csv", ("'94,000' may be 94000 or 94.000", "--decimal '.'")),
    ReadCase(
        "F38 decided", "BTCUSD_us_thousands_semicolon.csv", 120, *NEW_YEAR,
        (94000.0, 94038.0, 93863.0, 94025.0, 443.0), (88548.0, 88601.0, 88001.0, 88237.0, 892.0),
        ("commas part thousands",), {"decimal": "."},
    ),
    ReadCase(
        "F37", "BTCUSD_de_volume_thousands.csv", 120, *JANUARY,
        (94000.0, 94217.18, 93575.64, 94111.46, 7709.0), (93168.88, 93355.28, 93085.56, 93182.38, 9841.0),
        ("decimal comma",),
    ),
    ReadCase(
        "F66", "BTCUSD_de_firstint.csv", 120, *JANUARY,
        (94000.0, 94100.0, 93900.0, 94050.0, 593.0), (93168.88, 93355.28, 93085.56, 93182.38, 757.0),
        ("decimal comma",),
    ),
    # volume is volume
    ReadCase("F21", "FX_EURUSD, 15_volma.csv", 120, *EUR_DAYS, *_eur(0.0, 0.0), ("set to 0", "not used: Volume MA")),
    ReadCase("F16c", "Binance_BTCUSDT_1h_volorder.csv", 120, *NEW_YEAR, *BTC, ("Volume is Volume BTC", "newest first")),
    # where the candles begin, and what their columns are called
    ReadCase("F16", "Binance_BTCUSDT_1h.csv", 120, *NEW_YEAR, *BTC, ("Line 1 is no header", "newest first")),
    ReadCase("F14", "BTCUSDT-1h-um-concat.csv", 120, *NEW_YEAR, *BTC, ("stands again in the middle (line 62)",)),
    ReadCase("F47", "SPY_alpaca_multi.parquet", 130, *SPY_DAYS, *SPY),
    ReadCase("F50", "SPY_pandas_unnamed.csv", 130, *SPY_DAYS, *SPY, ("unnamed first column holds the times",)),
    ReadCase("F27", "polygon_2024-03-07.csv", 130, *SPY_DAYS, *SPY, ("unix nanoseconds",)),
    ReadCase("F24", "eurusd_stooq_15.txt", 120, *EUR_DAYS, *_eur(94.0, 47.0)),
    ReadCase(
        "F06", "DAT_ASCII_EURUSD_M1_202401.csv", 120, *EUR_DAYS, *_eur(0.0, 0.0), options={"zone": "UTC-5"}
    ),
    ReadCase(
        "M01", "EURUSD_histdata_advice.csv", 120, *EUR_DAYS, *_eur(0.0, 0.0), ("parted by ','",), {"zone": "UTC-5"}
    ),
)  # fmt: skip
