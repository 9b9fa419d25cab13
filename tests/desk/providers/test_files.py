"Files as people have them: each common spelling reads to the same bars, each bad one gives one sentence."

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smcdesk.providers.clocks import weekly_clock
from smcdesk.providers.files import BadFile, read_file, symbol_from
from smclab.candles import BadBars, BadConfig, fingerprint, infer_timeframe, quality, timeframe_ns

ROOT = Path(__file__).resolve().parents[3]
SHARED = ROOT.parent / "shared"
OHLCV = ["open", "high", "low", "close", "volume"]

# Three hours from 2024-01-30 22:00 UTC, over a day's end and past the twelfth, written in every dialect.
EXPECTED = pd.DataFrame(
    [[1.05, 1.08, 1.04, 1.07, 10.0], [1.07, 1.09, 1.06, 1.06, 20.0], [1.06, 1.07, 1.03, 1.05, 30.0]],
    columns=OHLCV,
    index=pd.date_range("2024-01-30 22:00", periods=3, freq="1h", tz="UTC", name="time", unit="ns"),
)
NO_ZONE = "name no zone: taken as UTC"


def rows(line: str, header: str = "", times=EXPECTED.index) -> str:
    "Text with one line per bar; `line` may use t (a timestamp), o h l c v."
    body = "\n".join(
        line.format(t=t, s=int(t.timestamp()), o=o, h=h, l=l, c=c, v=v)
        for t, (o, h, l, c, v) in zip(times, EXPECTED.to_numpy().tolist(), strict=True)
    )
    return f"{header}\n{body}\n" if header else body + "\n"


MT5 = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"
KLINE = "{o},{h},{l},{c},{v},0,0,5,0,0,0"
PLAIN = "{o},{h},{l},{c},{v}"

SPELLINGS = {  # name: (text, options, words in the notes)
    "mt5": (
        rows("{t:%Y.%m.%d}\t{t:%H:%M:%S}\t{o}\t{h}\t{l}\t{c}\t{v:.0f}\t0\t7", MT5),
        {},
        [NO_ZONE, "ticks", "points"],
    ),
    "mt4 without header": (rows("{t:%Y.%m.%d},{t:%H:%M},{o},{h},{l},{c},{v:.0f}"), {}, [NO_ZONE]),
    "tradingview unix": (rows("{s}," + PLAIN, "time,open,high,low,close,Volume"), {}, ["unix seconds"]),
    "tradingview iso": (rows("{t:%Y-%m-%dT%H:%M:%SZ}," + PLAIN, "time,open,high,low,close,Volume"), {}, []),
    "iso with offset": (
        rows(
            "{t:%Y-%m-%dT%H:%M:%S}-05:00," + PLAIN,
            "time,open,high,low,close,volume",
            EXPECTED.index - pd.Timedelta(hours=5),
        ),
        {},
        [],
    ),
    "binance ms without header": (rows("{s}000," + KLINE), {}, ["unix milliseconds", "not used: close_time"]),
    "binance us with header": (
        rows("{s}000000,{o},{h},{l},{c},{v},0", "open_time,open,high,low,close,volume,close_time"),
        {},
        ["unix microseconds"],
    ),
    "binance ms turning to us": (
        rows("{s}000," + KLINE).replace("1706655600000,", "1706655600000000,"),
        {},
        ["milliseconds and microseconds"],
    ),
    "yahoo": (
        rows("{t:%Y-%m-%d %H:%M:%S}+00:00,{o},{h},{l},{c},9.9,{v}", "Datetime,Open,High,Low,Close,Adj Close,Volume"),
        {},
        ["Adj Close was adjusted later", "only shows splits"],
    ),
    "yfinance": (
        rows(
            "{t:%Y-%m-%d %H:%M:%S}+00:00,{c},{h},{l},{o},{v}",
            "Price,Close,High,Low,Open,Volume\nTicker,X,X,X,X,X\nDatetime,,,,,",
        ),
        {},
        [],
    ),
    "dukascopy": (
        rows("{t:%d.%m.%Y %H:%M:%S}.000," + PLAIN, "Gmt time,Open,High,Low,Close,Volume"),
        {},
        ["day first"],
    ),
    "dukascopy local": (
        rows(
            "{t:%d.%m.%Y %H:%M:%S}.000 GMT+0100," + PLAIN,
            "Local time,Open,High,Low,Close,Volume",
            EXPECTED.index + pd.Timedelta(hours=1),
        ),
        {},
        ["day first"],
    ),
    "american": (
        rows("{t:%m/%d/%Y %I:%M %p}," + PLAIN, "Date,Open,High,Low,Close,Volume"),
        {},
        ["month first", NO_ZONE],
    ),
    "semicolons and decimal commas": (
        rows("{t:%Y-%m-%d %H:%M};{o};{h};{l};{c};{v}", "ts;o;h;l;c;v").replace(".", ","),
        {},
        [NO_ZONE],
    ),
    "compact": (rows("{t:%Y%m%d %H%M%S};{o};{h};{l};{c};{v}", "timestamp;open;high;low;close;volume"), {}, [NO_ZONE]),
    "newest first": (
        "time,open,high,low,close,volume\n" + "\n".join(rows("{s}," + PLAIN).split()[::-1]),
        {},
        ["newest first"],
    ),
    "a server's clock": (
        rows("{t:%Y-%m-%d %H:%M}," + PLAIN, "time,open,high,low,close,volume", EXPECTED.index + pd.Timedelta(hours=2)),
        {"zone": "America/New_York+7"},
        [],
    ),
    "several symbols": (
        rows("EURUSD,{s}," + PLAIN, "symbol,time,open,high,low,close,volume") + "GBPUSD,1706652000,2,2,2,2,2\n",
        {"symbol": "EURUSD"},
        [],
    ),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_file_in_a_common_spelling_reads_to_the_same_bars(tmp_path, name):
    text, options, words = SPELLINGS[name]
    path = tmp_path / "EURUSD.csv"
    path.write_text(text)
    bars, notes = read_file(path, timeframe="1h", **options)
    pd.testing.assert_frame_equal(bars[OHLCV], EXPECTED, check_freq=False)
    for phrase in words:
        assert phrase in " ".join(notes)
    assert (NO_ZONE in " ".join(notes)) == (NO_ZONE in words)


def test_file_in_other_wrappings_reads_to_the_same_bars(tmp_path):
    text = rows("{s}," + PLAIN, "time,open,high,low,close,volume")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "b.txt").write_bytes(text.encode("utf-16"))
    (tmp_path / "c.tsv").write_bytes(b"\xef\xbb\xbf" + text.replace(",", "\t").replace("\n", "\r\n").encode())
    EXPECTED.to_parquet(tmp_path / "d.parquet")
    EXPECTED.reset_index(names="ts").to_parquet(tmp_path / "e.parquet")
    for name in ("a.csv.gz", "b.txt", "c.tsv", "d.parquet", "e.parquet"):
        pd.testing.assert_frame_equal(read_file(tmp_path / name)[0], EXPECTED, check_freq=False)


def test_file_without_volume_says_so_and_spread_rides_along(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(rows("{s},{o},{h},{l},{c},0.0001", "time,open,high,low,close,spread"))
    bars, notes = read_file(path)
    assert bars["volume"].eq(0).all() and bars["spread"].eq(0.0001).all()
    assert "No volume in the file: set to 0." in notes


HEAD = "time,open,high,low,close,volume\n"
GOOD = "2024-01-30 22:00,1,2,1,2,5\n"
DAYS = HEAD + "".join(f"{d},1,2,1,2,5\n" for d in ("01/02/2024", "02/02/2024", "03/02/2024"))

BAD = {  # name: (content, options, words of the one sentence)
    "empty": (b"", {}, "bad.csv is empty: expected a header line"),
    "blank": (b" \n\n", {}, "bad.csv is empty"),
    "header only": (HEAD, {}, "header line but no candles"),
    "binary": (bytes(range(128, 256)) * 9, {}, "bad.csv is not text: expected UTF-8"),
    "zero bytes": (b"time,open\0", {}, "byte 9 is zero"),
    "missing column": ("time,open,high,low,Clsoe,volume\n" + GOOD, {}, "no column for 'close'; found time,"),
    "missing column, nearest": ("time,open,high,low,Clsoe,volume\n" + GOOD, {}, "did you mean 'Clsoe'?"),
    "no known column": ("x,y,z\n1,2,3\n", {}, "no known column in the first line (x, y, z)"),
    "no header": ("1,2,3\n", {}, "its 3 columns are in no known order (1, 2, 3)"),
    "ragged": (HEAD + GOOD + "2024-01-30 23:00,1,2,1,2,5,6,7\n", {}, "Expected 6 fields in line 3, saw 8"),
    "ragged at once": (HEAD + "2024-01-30 23:00,1,2,1,2,5,6,7\n", {}, "cannot be read as a table separated by ','"),
    "not a number": (HEAD + GOOD.replace(",5", ",five"), {}, "volume 'five' at row 0 is not a number"),
    "hole": (HEAD + GOOD.replace(",2,5", ",,5"), {}, "not a finite number"),
    "high below low": (HEAD + "2024-01-30 22:00,2,1,3,2,5\n", {}, "high below open, low or close"),
    "duplicate": (HEAD + GOOD + GOOD, {}, "2024-01-30 22:00:00+00:00 (row 1): duplicate time"),
    "time goes back": (
        HEAD + "".join(GOOD.replace("22", h) for h in ("20", "22", "21")),
        {},
        "(row 2): time goes back",
    ),
    "unreadable time": (HEAD + GOOD.replace("2024-01-30", "Tuesday"), {}, "cannot read the time 'Tuesday 22:00'"),
    "mixed times": (HEAD + GOOD + "31.01.2024 22:00,1,2,1,2,5\n", {}, "(row 1) is not written like the first"),
    "no such year": (HEAD + GOOD.replace("2024", "0024"), {}, "no date and time of the calendar"),
    "several tickers": ("Price,Close,Close\nTicker,X,Y\nDate,,\n2024-01-30,1,2\n", {}, "holds 2 tickers (X, Y)"),
    "no such day": (HEAD + GOOD.replace("01-30", "02-30"), {}, "no date and time of the calendar"),
    "day or month": (DAYS, {}, "'01/02/2024' may have the day or the month first"),
    "both orders": (HEAD + "13.01.2024,1,2,1,2,5\n01.13.2024,1,2,1,2,5\n", {}, "expected one order"),
    "wrong order asked": (HEAD + "13.01.2024,1,2,1,2,5\n", {"day_first": False}, "would make a month above 12"),
    "time missing": (HEAD + GOOD + ",1,2,1,2,5\n", {}, "row 1 has no time"),
    "offset and zone": (HEAD + GOOD.replace(":00", ":00+02:00"), {"zone": "UTC"}, "leave out zone='UTC'"),
    "hour that never was": (
        HEAD + GOOD.replace("01-30 22", "03-10 02"),
        {"zone": "America/New_York"},
        "cannot be on the clock",
    ),
    "wrong step": (rows("{s}," + PLAIN, HEAD.strip()), {"timeframe": "15m"}, "expected steps of 15m, found mostly 1h"),
    "unknown symbol": (
        "symbol," + HEAD + "A," + GOOD + "B," + GOOD,
        {"symbol": "C"},
        "holds 2 symbols (A, B), C was asked",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_refused_in_one_sentence(tmp_path, name):
    content, options, words = BAD[name]
    path = tmp_path / "bad.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadFile) as caught:
        read_file(path, **options)
    message = str(caught.value)
    assert words in message and "bad.csv" in message and "\n" not in message


def test_wrong_path_is_refused_with_the_nearest(tmp_path):
    (tmp_path / "EURUSD.csv").write_text(HEAD + GOOD)
    (tmp_path / "x.xlsx").write_text("x")
    (tmp_path / "x.parquet").write_text("no parquet at all")
    (tmp_path / "x.csv.gz").write_text("no gzip")
    for path, words in {
        "EURUDS.csv": "did you mean 'EURUSD.csv'?",
        "nowhere/x.csv": "nowhere does not exist",
        "": "is a folder: expected one file of candles; it holds EURUSD.csv",
        "x.xlsx": "expected a file ending in .csv .txt .tsv .parquet .pq",
        "x.parquet": "cannot be read as parquet",
        "x.csv.gz": "cannot be unpacked",
    }.items():
        with pytest.raises(BadFile) as caught:
            read_file(tmp_path / path)
        assert words in str(caught.value)
    for wrong in ({"timeframe": "15min"}, {"zone": "America/NewYork"}):
        with pytest.raises(BadConfig, match="did you mean"):
            read_file(tmp_path / "EURUSD.csv", **wrong)


def test_day_first_may_be_said(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(DAYS)
    assert infer_timeframe(read_file(path, day_first=True)[0]) == "1D"
    assert read_file(path, day_first=False)[0].index[1] == pd.Timestamp("2024-02-02", tz="UTC")


@pytest.mark.parametrize(
    ("name", "symbol"),
    {
        "FOREX_EURUSD_1H_ASK.csv": "EURUSD", "EUR_USD.csv": "EURUSD", "btcusdt-15m.csv": "BTCUSDT",
        "GBPCHF60.csv": "GBPCHF",
        "DAT_ASCII_XAUUSD_M1_2017.csv.gz": "XAUUSD", "ETHUSDT_1h.parquet": "ETHUSDT", "SPY_1d.parquet": "SPY",
        "AAPL_1h.parquet": "AAPL", "prices.csv": None,
    }.items(),
)  # fmt: skip
def test_symbol_from_a_file_name(name, symbol):
    assert symbol_from(Path("/some/GBPUSD/folder") / name) == symbol


# --- the clock


def fx_year(clock: str, label_h: int = 0) -> pd.DatetimeIndex:
    "Naive labels of a year of hourly FX bars, as a file on this clock would write them."
    utc = pd.date_range("2023-01-01", "2023-12-31", freq="1h", tz="UTC")
    hour = utc.tz_convert("America/New_York")
    hour = hour.day_of_week * 24 + hour.hour
    utc = utc[(hour < 4 * 24 + 17) | (hour >= 6 * 24 + 17)] + pd.Timedelta(hours=label_h)
    name, _, plus = clock.partition("+")
    return utc.tz_convert(name).tz_localize(None) + pd.Timedelta(hours=int(plus or 0))


@pytest.mark.parametrize(
    ("clock", "label"),
    [
        ("UTC", "open"),
        ("UTC", "close"),
        ("America/New_York+7", "open"),
        ("Europe/Athens", "open"),
        ("Europe/London", "open"),
        ("UTC+2", "open"),
    ],
)
def test_weekly_clock_finds_the_clock_that_wrote_the_labels(clock, label):
    best = weekly_clock(fx_year(clock, int(label == "close")), timeframe_ns("1h")).iloc[0]
    assert (best["clock"], best["label"], best["fits"]) == (clock, label, best["weeks"])
    assert best["weeks"] > 50


def test_file_on_another_clock_than_assumed_says_so(tmp_path):
    times = fx_year("America/New_York+7")
    path = tmp_path / "EURUSD.csv"
    frame = pd.DataFrame({"time": times, "open": 1.0, "high": 2.0, "low": 1.0, "close": 2.0, "volume": 1})
    frame.to_csv(path, index=False)
    _, notes = read_file(path)
    assert "in doubt" in notes[-1] and "America/New_York+7 in" in notes[-1]
    bars, notes = read_file(path, zone="America/New_York+7")
    assert "borne out" in notes[-1]
    assert bars.index.equals(fx_year("UTC").tz_localize("UTC").as_unit("ns").rename("time"))


# --- real files


def test_sample_is_the_one_described():
    bars, notes = read_file(ROOT / "data/01_raw/sample/EURUSD_1h.parquet", symbol="EURUSD", timeframe="1h")
    page = (ROOT / "data/README.md").read_text()
    assert len(bars) == 6225 and fingerprint(bars) in page
    assert notes == ("The clock is borne out: weekly open and close fit UTC in 51 of 51 weeks.",)
    report = quality(bars, timeframe="1h", week="fx")
    assert (report.verdict, report.gaps["missing_bars"].tolist()) == ("ok", [1, 14])


@pytest.mark.parametrize(
    ("name", "timeframe", "bars"),
    [
        ("crypto/BTCUSDT_15m", "15m", 17_472),
        ("fx/XAUUSD_15m", "15m", 90_370),
        ("fx/EURUSD_15m_smclib", "15m", 24_424),
        ("equities/SPY_1d", "1D", 5_849),
    ],
)
def test_shared_file_reads_whole(name, timeframe, bars):
    path = SHARED / "data" / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"{path} is not on this machine (shared market data, not part of the repo)")
    frame, notes = read_file(path, timeframe=timeframe)
    assert len(frame) == bars and not any("doubt" in note for note in notes)


def test_mt5_export_on_its_own_clock_equals_the_converted_file():
    ours, theirs = SHARED / "parity/smartmoneyconcepts/EURUSD_15M.csv", SHARED / "data/fx/EURUSD_15m_smclib.parquet"
    if not (ours.exists() and theirs.exists()):
        pytest.skip(f"{ours} is not on this machine (shared market data, not part of the repo)")
    _, notes = read_file(ours, timeframe="15m")
    assert "Europe/Athens in 48" in notes[-1]  # read as UTC, the weekly hours say otherwise
    bars, _ = read_file(ours, timeframe="15m", zone="Europe/Athens")
    converted, _ = read_file(theirs)
    np.testing.assert_array_equal(bars.index.asi8, converted.index.asi8)
    np.testing.assert_array_equal(bars[OHLCV].to_numpy(), converted[OHLCV].to_numpy())


def test_bad_file_is_bad_bars():
    assert issubclass(BadFile, BadBars)
