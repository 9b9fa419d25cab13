"""The sample of the repo: EURUSD hourly ask candles of 2017, from the PyPI package gym-anytrading 2.0.0 (MIT).

`python -m smcdesk.providers.sample CSV` writes the parquet again from the package's CSV; without CSV it shows the
evidence for the clock of the file that is there.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from smcdesk.providers.clocks import weekly_clock
from smcdesk.providers.files import read_file
from smclab.candles import BadBars, BadConfig, fingerprint, quality, timeframe_ns

SAMPLE = Path("data/01_raw/sample/EURUSD_1h.parquet")


def write_sample(csv: str | Path, to: str | Path = SAMPLE) -> Path:
    "The package's CSV as parquet: `ts` (UTC, bar open), open, high, low, close, volume; the same bytes every time."
    bars, _ = read_file(csv, symbol="EURUSD", timeframe="1h", zone="UTC")
    table = pa.Table.from_pandas(bars.rename_axis("ts").reset_index(), preserve_index=False)
    to = Path(to)
    part = to.with_suffix(".part")
    pq.write_table(table.replace_schema_metadata(None), part, compression="zstd", compression_level=19)
    os.replace(part, to)
    return to


def clock_evidence(bars: pd.DataFrame) -> pd.DataFrame:
    "Per clock and label, the weeks of the sample whose open and close are those of FX."
    return weekly_clock(bars.index.tz_localize(None), timeframe_ns("1h"))


def weekends(bars: pd.DataFrame) -> pd.DataFrame:
    "How the week ends and begins, one row per pattern: last and first bar labels (UTC), from, to, weeks."
    labels = bars.index
    ends = (labels[1:] - labels[:-1] > pd.Timedelta(hours=40)).nonzero()[0]
    pattern = pd.DataFrame({"last": labels[ends].strftime("%a %H:%M"), "first": labels[ends + 1].strftime("%a %H:%M")})
    pattern["sunday"] = labels[ends + 1].strftime("%Y-%m-%d")
    run = (pattern[["last", "first"]] != pattern[["last", "first"]].shift()).any(axis=1).cumsum()
    return pattern.groupby(run.to_numpy()).agg(
        last=("last", "first"),
        first=("first", "first"),
        since=("sunday", "min"),
        until=("sunday", "max"),
        weeks=("last", "size"),
    )


def main() -> None:
    "Writes the sample when a CSV is given, then shows what it holds."
    parser = argparse.ArgumentParser(prog="python -m smcdesk.providers.sample", description=main.__doc__)
    parser.add_argument("csv", nargs="?", help="FOREX_EURUSD_1H_ASK.csv of gym-anytrading 2.0.0")
    parser.add_argument("--to", default=SAMPLE, type=Path, help="the parquet file (default: %(default)s)")
    options = parser.parse_args()
    try:
        if options.csv:
            write_sample(options.csv, options.to)
        bars, notes = read_file(options.to, symbol="EURUSD", timeframe="1h")
    except (BadBars, BadConfig) as error:
        parser.exit(2, f"{error}\n")
    q = quality(bars, timeframe="1h", week="fx", symbol="EURUSD")
    print(f"{options.to}: {len(bars)} bars, {bars.index[0]} … {bars.index[-1]}, fingerprint {fingerprint(bars)}")
    print(
        f"quality {q.verdict}: {len(q.gaps)} gaps, {int(q.gaps['missing_bars'].sum())} bars missing, {len(q.flat)} flat"
    )
    print(*notes, sep="\n")
    print(f"\n{q.gaps.to_string(index=False)}\n\n{weekends(bars).to_string(index=False)}\n")
    print(clock_evidence(bars).head(8).to_string(index=False))


if __name__ == "__main__":
    main()
