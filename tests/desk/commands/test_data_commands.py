"""`smcdesk fetch`, `quality`, `providers`, `news` against a venue on this machine."""

import pandas as pd
import pytest
from lookalikes import Venue, binance, running
from tapes import Flaky, crypto, same
from typer.testing import CliRunner

from smcdesk.marketdata import feeds, sync
from smclab.candles import BadConfig


@pytest.fixture(scope="module")
def tape():
    return crypto()


def edited(house, name, change):
    path = house / "conf/base" / name
    path.write_text(change(path.read_text()))


def test_fetch_quality_and_a_run_use_the_same_candles(house, tape, monkeypatch):
    from smcdesk.__main__ import app
    from smcdesk.datasets.catalog import load_catalog
    from smcdesk.providers import protocol

    now = tape.index[-1] + pd.Timedelta("7min")
    for module in (protocol, sync):
        monkeypatch.setattr(module, "now", lambda: now)
    run = CliRunner()
    with running(Venue(tape, binance.answer)) as venue:
        local = f"exchange: binance\n    base_url: {venue.url}\n    rate_limit_ms: 0"
        edited(house, "providers.yml", lambda text: text.replace("exchange: binance", local))
        done = run.invoke(app, ["fetch", "BTCUSDT", "--since", "40d"])
        assert done.exit_code == 0, done.output
        assert "bars new" in done.output and "no holes" in done.output and "history:binance/15m" in done.output
        wrong = run.invoke(app, ["fetch", "BTCUSD", "--provider", "binance"])
        assert wrong.exit_code == 2 and "did you mean 'BTC/USDT'" in wrong.output
        venue.faults = [binance.unavailable] * 20
        monkeypatch.setattr("time.sleep", lambda s: None)
        down = run.invoke(app, ["fetch", "BTCUSDT"])
        assert down.exit_code == 1 and "--provider kraken" in down.output and len(down.output.splitlines()) <= 3
    entry = "symbols:\n  BTCUSDT: {instrument: BTCUSDT, source: history:binance/15m, bars_side: mid}\n"
    edited(house, "globals.yml", lambda text: text.replace("symbols:\n", entry, 1))
    candles = load_catalog().load("BTCUSDT.candles")
    start = now - pd.Timedelta("40D")
    same(candles.bars, tape[(tape.index >= start) & (tape.index < tape.index[-1])])
    assert "binance" in candles.notes[0]
    inspected = run.invoke(app, ["quality", "BTCUSDT"])
    assert inspected.exit_code == 0 and "ok." in inspected.output, inspected.output
    assert "as it was known at each bar: ok 100 %" in inspected.output
    with monkeypatch.context() as later:
        later.setattr("smcdesk.providers.protocol.now", lambda: now + pd.Timedelta("3D"))
        old = run.invoke(app, ["quality", "BTCUSDT"])
        assert old.exit_code == 0 and "degraded." in old.output, old.output
        assert "288 more should be there by" in old.output, old.output
        assert run.invoke(app, ["quality", "BTCUSDT", "--late"]).exit_code == 1
    source = f"history:binance/15m@{now.isoformat()}"
    same(feeds.stored_candles("BTCUSDT", source, feeds.history())[0], candles.bars)
    with pytest.raises(BadConfig, match="had been fetched"):
        feeds.stored_candles("BTCUSDT", f"history:binance/15m@{start.isoformat()}", feeds.history())
    shifted = candles.bars.set_axis(candles.bars.index - pd.Timedelta("1h"))
    feeds.history().merge("delta", "BTCUSDT", "15m", shifted, now)
    apart = run.invoke(app, ["quality", "BTCUSDT", "--against", "delta"])
    assert apart.exit_code == 1 and "against delta: bad" in apart.output and "1 h ahead" in apart.output, apart.output
    pair = feeds.FeedRouter(clock=lambda: now).of("BTCUSDT")
    pair.first, pair.second = Flaky("binance"), Flaky("kraken")
    pair.active = pair.first
    pair.first.up = False
    assert [pair.latest("BTCUSDT", "15m", 1) for _ in range(2)] == ["kraken", "kraken"]
    shown = run.invoke(app, ["providers"])
    assert shown.exit_code == 0 and "BTCUSDT 15m" in shown.output and "from binance to kraken" in shown.output
    assert "globals.yml names none" in run.invoke(app, ["news"]).output
    nothing = run.invoke(app, ["quality", "BTCUSDT", "--provider", "kraken"])
    assert nothing.exit_code == 2 and "smcdesk fetch BTCUSDT --provider kraken" in nothing.output
