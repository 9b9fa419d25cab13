"""`smcdesk read`: how a file is understood, where results go, and files whose symbol or profile cannot be."""

import pandas as pd
import pytest
from command import smcdesk

from smclab.tapes import market


@pytest.fixture(scope="module")
def candles(house):
    "A folder of candle files."
    folder = house / "cases"
    folder.mkdir()
    bars = market(400, seed=3)
    for name, factor, digits in (("EURUSDT", 1.0, 5), ("DOGEUSDT", 0.1, 5), ("EURJPY", 140.0, 3), ("GBPCHF", 1.0, 5)):
        prices = (bars[["open", "high", "low", "close"]] * factor).round(digits)
        prices.assign(volume=bars["volume"]).reset_index().to_csv(folder / f"{name}_15m.csv", index=False)
    spy = bars.assign(ticker="SPY").reset_index()
    spy.to_csv(folder / "prices.csv", index=False)
    spy.rename(columns={"open": "opne"}).to_csv(folder / "broken.csv", index=False)
    return folder


@pytest.mark.parametrize("command", [("demo", "--data"), ("read",)])
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("EURUSDT_15m.csv",), "--instrument default_crypto"),
        (("DOGEUSDT_15m.csv", "--instrument", "default_crypto"), "DOGEUSDT: {tick: 0.00001"),
        (("EURJPY_15m.csv", "--instrument", "default_fx"), "--instrument USDJPY"),
        (("prices.csv", "--symbol", "EURUSD"), "the column ticker says SPY"),
    ],
)
def test_symbol_or_profile_that_cannot_be_is_refused_before_anything(candles, house, command, words, sentence):
    before = sorted(p for p in house.rglob("*") if "mlruns" not in p.parts)
    code, out, err = smcdesk(*command, candles / words[0], *words[1:])
    assert code == 2 and out == "" and sentence in err and len(err.strip().splitlines()) == 1, err
    assert sorted(p for p in house.rglob("*") if "mlruns" not in p.parts) == before


def test_explain_says_what_was_taken_for_what_and_writes_nothing(candles, house):
    before = sorted(house.rglob("*"))
    code, out, _ = smcdesk("read", candles / "prices.csv", "--explain")
    assert code == 0 and sorted(house.rglob("*")) == before
    for words in ("time: time", "ticker: symbol (SPY)", "separator  comma", "decimals   point", "zone       UTC (",
                  "labels     open", "timeframe  15m", "first rows (open time, UTC)", "symbol     SPY"):  # fmt: skip
        assert words in out, out
    code, out, _ = smcdesk("read", candles / "broken.csv", "--explain")
    assert code == 0 and "refused" in out and "did you mean 'opne'?" in out and "ticker: symbol (SPY)" in out
    code, out, _ = smcdesk("read", candles / "EURUSDT_15m.csv", "--explain")
    assert code == 0 and "--instrument default_crypto" in out and "first rows" in out
    assert smcdesk("read", candles / "nothing.csv", "--explain")[0] == 2


@pytest.mark.parametrize(
    ("out", "sentence"),
    [("{folder}", "is a folder"), ("/proc/x", "found 'no ending'"), ("/proc/x.parquet", "cannot be written"),
     ("{folder}/ev.xlsx", "expected a file ending in"), ("{folder}/prices.csv", "is the file that is read"),
     ("{folder}/prices.csv/ev.csv", "is a file, no folder")],
)  # fmt: skip
def test_place_that_cannot_hold_results_is_one_sentence(candles, out, sentence):
    code, _, err = smcdesk("read", candles / "prices.csv", "-o", out.format(folder=candles))
    assert code == 2 and sentence in err and "Traceback" not in err, err


def test_csv_is_written_as_csv(candles, tmp_path):
    assert smcdesk("read", candles / "prices.csv", "-o", tmp_path / "ev.csv", "-c", tmp_path / "c.csv")[0] == 0
    assert "known_at" in pd.read_csv(tmp_path / "ev.csv").columns and len(pd.read_csv(tmp_path / "c.csv")) == 400
