"""Fetching what is missing, once, and going on where a fetch broke off."""

from shutil import rmtree

import pandas as pd
import pytest
from tapes import KEY, after, same

from smcdesk.marketdata import sync
from smcdesk.providers import ProviderDown
from smcdesk.providers.recorded import RecordedProvider
from smclab.candles import BadConfig


def test_fetch_asks_only_for_what_is_missing(history, tape):
    now = [tape.index[3000]]
    source, requests = RecordedProvider({"BTC": tape}, name="venue", clock=lambda: now[0]), []
    history_, source.history = source.history, lambda *a: requests.append(a[2:]) or history_(*a)

    def get(start, **options):
        requests.clear()
        return sync.sync_history(source, "BTC", "15m", start, history=history, clock=lambda: now[0], **options)

    assert get(tape.index[1000]).added_n == 2000 and len(requests) == 1
    now[0] = tape.index[3100]
    assert get(tape.index[1000]).added_n == 100 and requests[0][0] >= tape.index[2995]
    assert get(tape.index[500]).added_n == 500 and len(requests) == 2
    same(history.bars("venue", "BTC", "15m"), tape.iloc[500:3100])
    rmtree(history.folder("venue", "BTC", "15m"))
    history.merge("venue", "BTC", "15m", tape.iloc[500:3100].drop(tape.index[1500:1520]), now[0])
    history.record_request("venue", "BTC", "15m", tape.index[500])
    assert get(tape.index[500]).gaps["missing_bars"].tolist() == [20]
    done = get(tape.index[500], backfill=True)
    assert done.added_n == 20 and not len(done.gaps)
    same(history.bars("venue", "BTC", "15m"), tape.iloc[500:3100])


def test_a_fetch_that_broke_off_goes_on_where_it_was(history, tape):
    source = RecordedProvider({"BTC": tape}, name="venue", clock=lambda: after(tape))
    whole, left = source.history, [2]

    def breaks(*request):
        left[0] -= 1
        if left[0] < 0:
            raise ProviderDown("venue is down")
        return whole(*request)

    source.history = breaks
    options = {"history": history, "clock": lambda: after(tape)}
    with pytest.raises(ProviderDown):
        sync.sync_history(source, "BTC", "15m", tape.index[0], **options)
    assert history.manifest("venue", "BTC", "15m")["n"] == 2 * sync.CHUNK_BARS
    source.history = whole
    assert sync.sync_history(source, "BTC", "15m", tape.index[0], **options).added_n == 6000 - 2 * sync.CHUNK_BARS
    same(history.bars("venue", "BTC", "15m"), tape)


def test_a_busy_series_is_one_sentence(history, tape, monkeypatch):
    from filelock import FileLock

    from smcdesk.marketdata import series_folder as module

    history.merge(*KEY, tape, after(tape))
    monkeypatch.setattr(module, "LOCK_WAIT_S", 0)
    with FileLock(history.folder(*KEY) / ".lock"), pytest.raises(ProviderDown, match="another process"):
        history.merge(*KEY, tape, after(tape))


def test_a_source_without_a_past_is_asked_for_it_once(history, tape):
    late = tape.iloc[3000:]
    source = RecordedProvider({"BTC": late}, name="venue", clock=lambda: after(tape))
    done = sync.sync_history(source, "BTC", "15m", tape.index[0], history=history, clock=lambda: after(tape))
    assert done.notes == (f"venue has nothing before {late.index[0]:%Y-%m-%d %H:%M}Z.",)
    again = sync.sync_history(source, "BTC", "15m", tape.index[0], history=history, clock=lambda: after(tape))
    assert again.added_n == 0 and not again.notes


def test_since_is_a_span_or_a_date():
    now = pd.Timestamp("2024-03-31T12:00Z")
    assert sync.since("1mo", now) == pd.Timestamp("2024-02-29T12:00Z")
    assert sync.since("90d", now) == now - pd.Timedelta("90D")
    assert sync.since("2024-01-05", now) == pd.Timestamp("2024-01-05T00:00Z")
    with pytest.raises(BadConfig, match="6mo"):
        sync.since("long ago", now)
