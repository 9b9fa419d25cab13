"Each kind of file in several of its members: programs' exports, answers of exchanges, comma and point, volumes."

import json
import zipfile

import pandas as pd
import pytest

from smcdesk.providers.files import BadFile, read_file
from smclab.candles import BadConfig

OHLCV = ["open", "high", "low", "close", "volume"]
TIMES = pd.date_range("2024-01-30 22:00", periods=3, freq="1h", tz="UTC", name="time", unit="ns")
VALUES = [
    [105.2, 108.4, 104.1, 107.3, 1000.0],
    [107.3, 109.9, 106.6, 106.8, 2000.0],
    [106.8, 107.7, 103.2, 105.5, 30.0],
]
EXPECTED = pd.DataFrame(VALUES, columns=OHLCV, index=TIMES)
ROWS = [(t, *row) for t, row in zip(TIMES, VALUES, strict=True)]


def text(line: str, *header: str, rows=ROWS) -> str:
    "One line per bar under the header; `line` may use t (a timestamp), s (unix seconds), o h l c v."
    body = [line.format(t=t, s=int(t.timestamp()), o=o, h=h, l=l, c=c, v=v) for t, o, h, l, c, v in rows]
    return "\n".join((*header, *body)) + "\n"


def german(value: str) -> str:
    "A line's numbers with decimal commas."
    return value.replace(".", ",")


PLAIN, PLAIN_SEMICOLON = "{o},{h},{l},{c},{v}", "{o};{h};{l};{c};{v}"
HEAD = "time,open,high,low,close,volume"
SEMICOLONS = HEAD.replace(",", ";")
TICKERS = "SPY,SPY,SPY,SPY,SPY,QQQ,QQQ,QQQ,QQQ,QQQ"
FIELDS = "Open,High,Low,Close,Volume"

TEXTS = {  # name: (file name, text, options, words in the notes)
    # no header
    "histdata ascii": ("DAT_ASCII_X_M1_2024.csv", text("{t:%Y%m%d %H%M%S};" + PLAIN_SEMICOLON), {}, ()),
    "histdata metatrader": ("x.csv", text("{t:%Y.%m.%d},{t:%H:%M}," + PLAIN), {}, ()),
    "ninjatrader": ("x.txt", text("{t:%Y%m%d %H%M%S};" + PLAIN_SEMICOLON), {}, ()),
    "kibot": ("x.txt", text("{t:%m/%d/%Y},{t:%H:%M}," + PLAIN), {}, ("month first",)),
    "firstratedata": ("x.txt", text("{t:%Y-%m-%d %H:%M:%S}," + PLAIN), {}, ()),
    "kraken": ("XBTUSD_60.csv", text("{s}," + PLAIN + ",17"), {}, ("unix seconds", "count_or_turnover")),
    "bybit for metatrader": ("BTCUSDT_60_2024.csv", text("{t:%Y.%m.%d %H:%M}," + PLAIN), {}, ()),
    "metatrader 5 without header": (
        "x.csv",
        text("{t:%Y.%m.%d}\t{t:%H:%M:%S}\t{o}\t{h}\t{l}\t{c}\t{v:.0f}\t0\t7"),
        {},
        ("count of ticks", "points"),
    ),
    "coinapi by bars": ("x.csv", text("{s}|{o}|{h}|{l}|{c}|{v}", HEAD.replace(",", "|")), {}, ()),
    # a header of their own
    "bybit": (
        "x.csv",
        text("{s}," + PLAIN + ",9", "start_at,open,high,low,close,volume,turnover"),
        {},
        ("not used: turnover",),
    ),
    "tickstory": (
        "x.csv", text("{t:%Y%m%d},{t:%H:%M:%S}," + PLAIN, f"Date,Timestamp,{FIELDS}"), {}, (),
    ),
    "stooq": (
        "x.txt",
        text("EURUSD,60,{t:%Y%m%d},{t:%H%M%S}," + PLAIN + ",0",
             "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>"),
        {}, ("not used: <PER>, <OPENINT>",),
    ),
    "metastock, hours and minutes": (
        "x.txt",
        text("{t:%Y-%m-%d},{t:%H%M}," + PLAIN, "Date,Time,Open,High,Low,Close,Volume"),
        {}, (),
    ),
    "tradestation": (
        "x.txt",
        text("{t:%m/%d/%Y},{t:%H:%M},{o},{h},{l},{c},{v:.0f},0",
             '"Date","Time","Open","High","Low","Close","Up","Down"'),
        {}, ("sum of Up and Down",),
    ),
    "polygon": (
        "x.csv",
        text("SPY,{v},{o},{c},{h},{l},{s}000000000,3", "ticker,volume,open,close,high,low,window_start,transactions"),
        {}, ("nanoseconds",),
    ),
    "fxcm, bid and ask": (
        "x.csv",
        text("{t:%Y-%m-%d %H:%M},{o},{h},{l},{c},1,2,1,2,{v}",
             "DateTime,BidOpen,BidHigh,BidLow,BidClose,AskOpen,AskHigh,AskLow,AskClose,Volume"),
        {}, ("bid's candles",),
    ),
    "investing.com": (
        "x.csv",
        text('"{t:%Y-%m-%d %H:%M}","{c}","{o}","{h}","{l}","{v}","0.1%"',
             '"Date","Price","Open","High","Low","Vol.","Change %"').replace('"1000.0"', '"1.0K"'),
        {}, ("Price is read as the close",),
    ),
    "unnamed index": ("x.csv", text("{t}," + PLAIN, ",Open,High,Low,Close,Volume"), {}, ("unnamed first column",)),
    "an index called index": ("x.csv", text("{t}," + PLAIN, "index,open,high,low,close,volume"), {}, ()),
    "counted rows beside the times": ("x.csv", text("0,{t}," + PLAIN, "," + HEAD), {}, ("not used: unnamed",)),
    # lines above, and headers again
    "a link above": ("x.csv", text("{s}," + PLAIN, "https://www.example.com/", HEAD), {}, ("Line 1 is no header",)),
    "a title and a blank above": ("x.csv", text("{s}," + PLAIN, "EURUSD candles", "", HEAD), {}, ("Line 1",)),
    "excel's separator above": (
        "x.csv", text("{s};" + PLAIN_SEMICOLON, "sep=;", HEAD.replace(",", ";")), {}, ("sep=;",),
    ),
    "joined files": (
        "x.csv",
        "".join(text("{s}," + PLAIN, HEAD, rows=[row]) for row in ROWS),
        {}, ("stands again in the middle (line 3, 5)",),
    ),
    "joined files with a link each": (
        "x.csv",
        "".join(text("{s}," + PLAIN, "https://example.com", HEAD, rows=[row]) for row in ROWS),
        {}, ("stands again",),
    ),
    "a header after candles without one": (
        "x.csv",
        text("{s},{o},{h},{l},{c},{v}", rows=ROWS[:1]) + text("{s}," + PLAIN, HEAD, rows=ROWS[1:]),
        {}, ("line 2",),
    ),
    "header by commas, candles by semicolons": ("x.csv", text("{s};" + PLAIN_SEMICOLON, HEAD), {}, ("parted by ','",)),
    # comma and point
    "decimal commas": (
        "x.csv", german(text("{t:%Y-%m-%d %H:%M};" + PLAIN_SEMICOLON, HEAD.replace(",", ";"))), {}, ("decimal comma",),
    ),
    "decimal commas by tabs": (
        "x.tsv",
        german(text("{t:%Y-%m-%d %H:%M}\t{o}\t{h}\t{l}\t{c}\t{v}", HEAD.replace(",", "\t"))), {}, ("decimal comma",),
    ),
    "decimal commas, thousands with points": (
        "x.csv",
        german(text("{t:%Y-%m-%d %H:%M};{o};{h};{l};{c};{v:.0f}", HEAD.replace(",", ";")))
        .replace(";1000\n", ";1.000\n").replace(";2000\n", ";2.000\n"),
        {}, ("decimal comma",),
    ),
    "whole thousands in quotes": (
        "x.csv",
        text('{s},"{o}","{h}","{l}","{c}","{v}"', HEAD).replace("1000.0", "1,000.0").replace("2000.0", "2,000"),
        {}, ("commas part thousands",),
    ),
    "decimal commas, thousands with spaces": (
        "x.csv",
        german(text("{t:%Y-%m-%d %H:%M};{o};{h};{l};{c};{v}", SEMICOLONS))
        .replace("1000,0", "1 000,0").replace("2000,0", "2\u00a0000,0"),
        {}, ("decimal comma",),
    ),
    # which column is the volume
    "base and quote volume": (
        "BTCUSDT.csv", text("{s},{o},{h},{l},{c},9,{v}", "unix,open,high,low,close,Volume USDT,Volume BTC"),
        {}, ("Volume is Volume BTC",),
    ),
    "base and quote volume in brackets": (
        "ETHUSDT.csv", text("{s},{o},{h},{l},{c},9,{v}", "unix,open,high,low,close,Volume (USDT),Volume (ETH)"),
        {}, ("Volume is Volume (ETH)",),
    ),
    "volume in lots": ("x.csv", text("{s}," + PLAIN, "time,open,high,low,close,Volume (lots)"), {}, ()),
    "averages beside the volume": (
        "x.csv", text("{s},{o},{h},{l},{c},1,2,{v}", "time,open,high,low,close,Volume MA,vol_sma_20,Volume"),
        {}, ("not used: Volume MA, vol_sma_20",),
    ),
    # yfinance, a header of two rows and the index' name
    "yfinance by ticker": (
        "x.csv",
        text("{t:%Y-%m-%d %H:%M:%S}+00:00," + PLAIN + ",1,1,1,1,1", f"Ticker,{TICKERS}", f"Price,{FIELDS},{FIELDS}",
             "Datetime" + "," * 10),
        {"symbol": "SPY"}, ("Of 2 tickers, SPY",),
    ),
    "yfinance by ticker, the second": (
        "x.csv",
        text("{t:%Y-%m-%d %H:%M:%S}+00:00,1,1,1,1,1," + PLAIN, f",{TICKERS}", f",{FIELDS},{FIELDS}",
             "Datetime" + "," * 10),
        {"symbol": "QQQ"}, ("Of 2 tickers, QQQ",),
    ),
    "yfinance by ticker, one": (
        "x.csv",
        text("{t:%Y-%m-%d %H:%M:%S}+00:00," + PLAIN, "Ticker,X,X,X,X,X", f"Price,{FIELDS}", "Datetime,,,,,"), {}, (),
    ),
    # JSON
    "ccxt": ("x.json", json.dumps([[int(t.timestamp()) * 1000, *row] for t, *row in ROWS]), {}, ("milliseconds",)),
    "freqtrade": ("BTC_USDT-1h.json", json.dumps([[int(t.timestamp()) * 1000, *row] for t, *row in ROWS]), {}, ()),
    "binance's answer": (
        "x.json",
        json.dumps([[int(t.timestamp()) * 1000, *map(str, row), 0, "0", 1, "0", "0", "0"] for t, *row in ROWS]), {}, (),
    ),
    "bybit's answer": (
        "x.json",
        json.dumps({"retCode": 0, "result": {"symbol": "X", "list": [
            [str(int(t.timestamp()) * 1000), *map(str, row), "9"] for t, *row in ROWS[::-1]]}, "retExtInfo": {}}),
        {}, ("newest first",),
    ),
    "kraken's answer": (
        "x.json",
        json.dumps({"error": [], "result": {"X": [
            [int(t.timestamp()), *map(str, row[:4]), "1", str(row[4]), 7] for t, *row in ROWS], "last": 5}}),
        {}, ("not used: vwap, count",),
    ),
    "polygon's answer": (
        "x.json",
        json.dumps({"ticker": "X", "results": [
            dict(zip("tohlcv", (int(t.timestamp()) * 1000, *row), strict=True)) for t, *row in ROWS]}),
        {}, (),
    ),
    "oanda's answer": (
        "x.json",
        json.dumps({"instrument": "EUR_USD", "candles": [
            {"time": f"{t:%Y-%m-%dT%H:%M:%S}.000000000Z", "volume": v,
             "mid": dict(zip("ohlc", map(str, (o, h, l, c)), strict=True))} for t, o, h, l, c, v in ROWS]}),
        {}, (),
    ),
    "alpha vantage's answer": (
        "x.json",
        json.dumps({"Meta Data": {"1. Information": "x"}, "Time Series (60min)": {
            f"{t:%Y-%m-%d %H:%M:%S}": dict(zip(("1. open", "2. high", "3. low", "4. close", "5. volume"), map(str, row),
                                               strict=True)) for t, *row in ROWS[::-1]}}),
        {}, ("newest first",),
    ),
    "pandas' to_json by rows": ("x.json", EXPECTED.reset_index().to_json(orient="records", date_format="iso"), {}, ()),
    "pandas' to_json by columns": ("x.json", EXPECTED.to_json(date_format="iso"), {}, ()),
    "pandas' to_json split": ("x.json", EXPECTED.to_json(orient="split", date_format="iso"), {}, ()),
    "one row a line": (
        "x.jsonl", EXPECTED.reset_index().to_json(orient="records", lines=True, date_format="iso"), {}, (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_text_of_a_kind_reads_to_the_same_bars(tmp_path, name):
    file, written, options, words = TEXTS[name]
    path = tmp_path / file
    path.write_text(written)
    bars, notes = read_file(path, timeframe="1h", **options)
    pd.testing.assert_frame_equal(bars[OHLCV], EXPECTED, check_freq=False)
    for word in words:
        assert word in " ".join(notes)


def test_frames_with_levels_read_to_the_same_bars(tmp_path):
    many = pd.concat({"SPY": EXPECTED, "QQQ": EXPECTED * 2}, names=["symbol"])
    many.loc[["SPY"]].to_parquet(tmp_path / "one.parquet")
    many.loc[["SPY"]].swaplevel().rename_axis([None, None]).to_parquet(tmp_path / "unnamed.parquet")
    many.to_parquet(tmp_path / "many.parquet")
    pd.concat({"SPY": EXPECTED, "QQQ": EXPECTED * 2}, axis=1).to_parquet(tmp_path / "ticker.parquet")
    pd.concat({"SPY": EXPECTED}, axis=1).swaplevel(axis=1).to_parquet(tmp_path / "field.parquet")
    EXPECTED.reset_index(names="date").to_feather(tmp_path / "freqtrade.feather")
    for name in ("one", "unnamed", "many", "ticker", "field"):
        bars, _ = read_file(tmp_path / f"{name}.parquet", symbol="SPY")
        pd.testing.assert_frame_equal(bars[OHLCV], EXPECTED, check_freq=False)
    pd.testing.assert_frame_equal(read_file(tmp_path / "freqtrade.feather")[0], EXPECTED, check_freq=False)
    for name in ("many", "ticker"):
        with pytest.raises(BadFile, match=r"holds 2 .*say which"):
            read_file(tmp_path / f"{name}.parquet")


def test_zip_of_one_file_reads_and_any_other_is_refused(tmp_path):
    for inner, content in (("x.csv", text("{s}," + PLAIN, HEAD)), ("x.json", TEXTS["ccxt"][1])):
        with zipfile.ZipFile(tmp_path / "good.zip", "w") as packed:
            packed.writestr(inner, content)
            packed.writestr("status.txt" if inner == "x.csv" else "__MACOSX/x.csv", "a report")
        pd.testing.assert_frame_equal(read_file(tmp_path / "good.zip")[0], EXPECTED, check_freq=False)
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as packed:
        packed.writestr("a.csv", "x")
        packed.writestr("b.csv", "y")
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as packed:
        packed.writestr("a.xlsx", "x")
    (tmp_path / "torn.zip").write_bytes((tmp_path / "good.zip").read_bytes()[:60])
    for name, words in {"two": r"found 2 \(a.csv, b.csv\)", "none": "found 0", "torn": "cannot be unpacked"}.items():
        with pytest.raises(BadFile, match=words):
            read_file(tmp_path / f"{name}.zip")


CANDLES = "{t:%Y-%m-%d %H:%M};94.000;94.100;93.900;94.050;1"
REFUSED = {  # name: (file name, text, options, words of the one sentence)
    "thousands or decimals, comma": ("x.csv", german(text(CANDLES, SEMICOLONS)), {}, "'94,000' may be 94000 or 94.000"),
    "thousands or decimals, point": (
        "x.csv", text(CANDLES, SEMICOLONS), {}, "pass --decimal ',' (decimal=',') for 94000",
    ),
    "thousands in quotes": ("x.csv", text('{s},"1,000","1,000","1,000","1,000",5', HEAD), {}, "may be 1000 or 1.000"),
    "both meanings": (
        "x.csv", text("{s};1,5;1,5;1,5;1,5;7.7", SEMICOLONS), {}, "'7.7' has the decimals behind the point and '1,5'",
    ),
    "thousands of two digits": ("x.csv", text("{s};1,5;1,5;1,5;1,5;1.00.000", SEMICOLONS), {}, "'1.00.000' at row 0"),
    "no header, perhaps an adjusted close": (
        "x.csv", text("{t:%Y-%m-%d},{o},{h},{l},{c},9.9,{v}"), {}, "7 columns are in no known order",
    ),
    "no header by semicolons": ("x.csv", "20240130;1;2;3\n", {}, "such as time;open;high;low;close;volume"),
    "unknown header by tabs": ("x.csv", "p\tq\tr\ts\tu\n1\t2\t3\t4\t5\n", {}, "such as time\topen\thigh"),
    "header and candles parted otherwise": (
        "x.csv", text("{s};1;1;1;1", HEAD), {}, "into 6 names, the candles by ';' into 5",
    ),
    "another header in the middle": (
        "x.csv", text("{s}," + PLAIN, HEAD) + text("{s}," + PLAIN, HEAD.replace("low,close", "close,low")), {},
        "another header stands in line 5",
    ),
    "rows of other lengths after a header again": (
        "x.csv", text("{s},1,1,1,1,1", HEAD) + HEAD + "\n1,2,3,4,5,6,7,8\n", {}, "Expected 6 fields in line 6, saw 8",
    ),
    "two tickers": (
        "x.csv", text("{t}" + ",1" * 10, f"Ticker,{TICKERS}", f"Price,{FIELDS},{FIELDS}"), {}, "(SPY, QQQ)",
    ),
    "truefx": ("x.csv", "EUR/USD,20240102 00:00:00.123,1.1,1.2\n" * 3, {}, "holds quotes (ticks: bid and ask)"),
    "dukascopy's ticks": ("x.csv", "Gmt time,Ask,Bid,AskVolume,BidVolume\n01.02.2024,1,1,1,1\n", {}, "holds quotes"),
    "binance's trades": ("x.csv", "id,price,qty,time\n1,94000.1,0.1,1706652000000\n", {}, "holds single trades"),
    "counted rows and no times": ("x.csv", ",open,high,low,close\n0,1,1,1,1\n", {}, "no column for 'time'"),
    "no json": ("x.json", "{", {}, "cannot be read as JSON"),
    "json without candles": ("x.json", '{"error": "unknown symbol"}', {}, "expected one list of candles"),
    "json of two series": ("x.json", json.dumps({"a": [[1, 2, 3, 4, 5]], "b": [[1, 2, 3, 4, 5]]}), {}, "found 2"),
    "json of ragged rows": ("x.json", "[[1706652000, 1, 1, 1, 1, 1], [1706655600, 1]]", {}, "row 1 holds 2 values"),
    "json of strange rows": ("x.json", "[[1706652000, 1, 1, 1, 1, 1, 1, 1, 1, 1]]", {}, "in no known order"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_file_that_leaves_doubt_is_refused_in_one_sentence(tmp_path, name):
    file, written, options, words = REFUSED[name]
    (tmp_path / file).write_text(written)
    with pytest.raises(BadFile) as caught:
        read_file(tmp_path / file, **options)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "decimal", "first"),
    [("x.csv", ".", 94.0), ("x.csv", ",", 94_000.0), ("USDJPY.csv", None, 94.0), ("DAT_ASCII_XAGUSD.csv", ".", 94.0)],
)
def test_decimal_may_be_told_and_a_symbol_of_three_decimals_decides(tmp_path, file, decimal, first):
    (tmp_path / file).write_text(text(CANDLES, SEMICOLONS))
    assert read_file(tmp_path / file, decimal=decimal)[0]["open"].iloc[0] == first
    with pytest.raises(BadConfig, match="unknown decimal"):
        read_file(tmp_path / file, decimal=";")


def test_exports_without_header_write_points_even_with_three_decimals(tmp_path):
    (tmp_path / "x.csv").write_text(text("{t:%Y%m%d %H%M%S};147.500;147.512;147.490;147.501;0"))
    assert read_file(tmp_path / "x.csv")[0]["open"].iloc[0] == 147.5
    (tmp_path / "y.csv").write_text(
        text("{t:%Y.%m.%d}\t{t:%H:%M:%S}\t147.500\t147.512\t147.490\t147.501\t5",
             "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>")
    )  # fmt: skip
    assert read_file(tmp_path / "y.csv")[0]["high"].iloc[0] == 147.512


@pytest.mark.parametrize(
    ("file", "columns", "volume", "word"),
    [
        ("x.csv", ("Volume USDT",), 0, "may be turnover"),
        ("x.csv", ("Volume MA",), 0, "set to 0"),
        ("x.csv", ("volume_ema20",), 0, "set to 0"),
        ("x.csv", ("Volume Average", "vol avg"), 0, "set to 0"),
        ("x.csv", ("Volume ABC", "Volume DEF"), 20, "by its ratio"),
        ("DEFABC.csv", ("Volume ABC", "Volume DEF"), 20, "Volume is Volume DEF"),
    ],
)
def test_volume_is_no_average_and_no_turnover(tmp_path, file, columns, volume, word):
    cells = (2000, 20) if len(columns) > 1 else (2000,)
    line = "{s},100,100,100,100," + ",".join(map(str, cells))
    (tmp_path / file).write_text(text(line, ",".join(("time,open,high,low,close", *columns))))
    bars, notes = read_file(tmp_path / file)
    assert bars["volume"].eq(volume).all() and word in " ".join(notes)
