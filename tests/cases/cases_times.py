"""Times, zones, labels and symbols of files from the field, and what is right."""

from cases import BTC, EUR, EUR_DAYS, NEW_YEAR, SPY, SPY_DAYS, ReadCase, RefusedCase

EUR_94, EUR_47 = (*EUR[0], 94.0), (*EUR[1], 47.0)
NEW_YORK = {"zone": "America/New_York"}
TWICE = ("carry their own time zone", "not shifted again", "--zone")

CASES = (
    # a zone in the data, and one given
    RefusedCase("F58", "EURUSD_Z_zone.csv", TWICE, NEW_YORK),
    ReadCase("F58 without", "EURUSD_Z_zone.csv", 120, *EUR_DAYS, EUR_94, EUR_47),
    ReadCase("F58 in UTC", "EURUSD_Z_zone.csv", 120, *EUR_DAYS, EUR_94, EUR_47, options={"zone": "UTC"}),
    RefusedCase("F46b", "SPY_eastern.parquet", TWICE, NEW_YORK),
    ReadCase("F46b without", "SPY_eastern.parquet", 130, *SPY_DAYS, *SPY),
    ReadCase(
        "F92", "BTCUSDT_two_clocks.csv", 48, "2025-01-20 00:00", "2025-01-21 23:00", (94000, 94100, 93900, 94050, 1),
        (94000, 94100, 93900, 94050, 1), ("timestamp, not of datetime", "+8 h"),
    ),
    ReadCase("F10", "EURUSD_jforex_EET.csv", 120, *EUR_DAYS, EUR_94, EUR_47, ("Europe/Athens", "Time (EET)")),
    ReadCase("F10 given", "EURUSD_jforex_EET.csv", 120, *EUR_DAYS, EUR_94, EUR_47, options={"zone": "Europe/Athens"}),
    RefusedCase("F10 other", "EURUSD_jforex_EET.csv", ("another clock", "Europe/Athens"), NEW_YORK),
    # labels
    ReadCase(
        "F79", "BTCUSDT_timestamp_close.csv", 120, "2025-01-20 00:00", "2025-01-24 23:00",
        (94000.0, 94217.18, 93575.64, 94111.46, 593.0), (93168.88, 93355.28, 93085.56, 93182.38, 757.0),
        ("by their close", "moved to the open"),
    ),
    ReadCase(
        "F63", "OKX_BTCUSDT.csv", 119, NEW_YEAR[0], "2025-01-05 22:00", BTC[0],
        (88592.62, 88603.55, 88339.18, 88548.46, 170.0), ("confirm = 0", "still forming: dropped"),
    ),
    ReadCase(
        "F32", "SPY_tradestation.txt", 130, *SPY_DAYS, *SPY, ("by their close", "XNYS", "moved to the open"), NEW_YORK,
    ),
    # how times are written
    ReadCase("F54", "EURUSD_12digits.csv", 120, *EUR_DAYS, EUR_94, EUR_47, ("yyyyMMddHHmm",)),
    ReadCase(
        "F75", "EURUSD_week_dots.csv", 48, "2023-01-02 00:00", "2023-01-03 23:00",
        (1.1, 1.10039, 1.09886, 1.09946, 443.0), (1.10164, 1.10244, 1.10133, 1.10196, 169.0), ("day first, since",),
    ),
    ReadCase("F30", "SPY_ib.csv", 130, *SPY_DAYS, *SPY, (), NEW_YORK),
    # symbols
    RefusedCase("M17", "SPY_alpaca.csv", ("the column symbol says SPY", "EURUSD was asked for"), {"symbol": "EURUSD"}),
    ReadCase("M17 right", "SPY_alpaca.csv", 130, *SPY_DAYS, *SPY, (), {"symbol": "SPY"}),
)  # fmt: skip
