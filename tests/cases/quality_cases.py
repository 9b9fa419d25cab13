"""Files whose prices cannot be, and what must be found in them: one row a case, read by test_quality_cases.py."""

from dataclasses import dataclass


@dataclass(frozen=True)
class QualityCase:
    "A file that can be read, and what is wrong with its prices."

    id: str
    file: str  # in quality_files/
    symbol: str
    timeframe: str
    bar: str  # open time of the first wrong bar, UTC
    kind: str  # of `smclab.candles.jumps`
    words: tuple  # the sentence must hold


CASES = (
    QualityCase(
        "Q01", "EURUSD_hundredfold_bar.csv", "EURUSD", "1h", "2017-03-23 05:00", "whole bar",
        ("x100", "a decimal shift of x100", "1.07927", "107.926", "1.07905"),
    ),
    QualityCase(
        "M05", "SPY_split.csv", "SPY", "1D", "2011-03-31 00:00", "lasting jump",
        ("x0.25", "a split of 4:1 that is not adjusted, as Adj Close shows", "508.6", "127.15", "129.8"),
    ),
)  # fmt: skip
