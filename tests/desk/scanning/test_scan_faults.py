"""A scan after a fault: provider down, holes, a kill, a full disk, an unreadable reader."""

from __future__ import annotations

import errno
from datetime import timedelta

import pandas as pd
import pytest
from scan_play import FOREVER, START, first_with_decisions, scan_close
from virtual import SYMBOL, Clock, House, moment

from smcdesk.decisions.config import (
    CalendarSnapshot,
)
from smcdesk.decisions.series import SeriesReader
from smcdesk.scanning import scanner
from smcdesk.scanning.parity_review import review
from smcdesk.store.journal import ScanJournal


def test_review_of_a_reader_that_began_later_lists_the_differences(bars, tmp_path):
    market = House(tmp_path, bars, Clock(bars.index[START].to_pydatetime()))

    class Sliding(SeriesReader):  # the offender: forgets the beginning of its tape
        def extend(self, more):
            window = pd.concat([self.reading.bars, more]).iloc[-400:] if self.n else more.iloc[-400:]
            self.restart()
            super().extend(window)

    workspace = market.workspace()
    for k in range(16):
        scan_close(market, workspace, k)
        workspace.readers = {key: _slid(reader, Sliding) for key, reader in workspace.readers.items()}
    assert len(review(workspace, *FOREVER).defects)


def _slid(reader, kind):
    slid = kind(reader.config, reader.timeframe)
    slid.extend(reader.reading.bars)
    return slid


def test_scan_after_the_provider_was_down_refuses_the_candles_that_are_old_by_then(market):
    workspace = market.workspace()
    for k in range(20):
        market.provider.down = 6 <= k < 14
        found = scan_close(market, workspace, k)
        assert ("line is dead" in found.series["problem"][0]) == market.provider.down
        assert market.provider.down == (not found.series["bars_n"][0])
    late = [d for d in workspace.store.decisions() if d.verdicts[0].evidence["bars_late"] > 3]
    assert late and all(d.outcome != "live" and "late" in d.verdicts[0].reason for d in late)
    again = review(workspace, *FOREVER)
    assert again.bars_n == 20 and again.defects.empty


def test_scan_of_a_hole_that_is_filled_later_reads_the_tape_anew_and_says_so(bars, tmp_path):
    holed = bars.drop(bars.index[START + 4 : START + 7])
    market = House(tmp_path, holed, Clock(bars.index[START].to_pydatetime()))
    workspace = market.workspace()
    for k in range(14):
        market.clock.true = (bars.index[START + k] + pd.Timedelta(minutes=15, seconds=10)).to_pydatetime()
        if k == 9:
            missing = bars.iloc[START + 4 : START + 7]
            workspace.history.merge("recorded", SYMBOL, "15m", missing, market.clock.true - timedelta(seconds=1))
        scanner.scan(workspace, [SYMBOL], ["15m"], f"slot{k}")
    again = review(workspace, *FOREVER)
    assert again.bars_n == 11 and again.decisions_n and again.defects.empty, again.defects.to_string()
    assert len(again.late_bars) == 3 and "later bar was decided" in again.late_bars["what"][0]


@pytest.mark.parametrize("where", ["before the store", "in the store"])
def test_scan_that_was_killed_is_finished_by_the_clock_of_its_first_look(bars, market, monkeypatch, where):
    last = first_with_decisions(bars)
    workspace = market.workspace()
    scan_close(market, workspace, last - 1)
    with monkeypatch.context() as patch:
        inside = where == "in the store"
        target, name = (ScanJournal, "close_entries") if inside else (workspace.store, "transaction")
        patch.setattr(target, name, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            scan_close(market, workspace, last)
    assert not [d for d in workspace.store.decisions() if d.time == workspace.journal.entries()[-1].time]
    first = workspace.clock()
    found = scan_close(market, market.workspace(), last, after_s=700, slot=f"slot{last}")
    assert found.decisions and found.now == pd.Timestamp(first)
    assert all(d.verdicts[0].evidence["bars_late"] < 0.1 for d in found.decisions)
    assert review(market.workspace(), *FOREVER).defects.empty


@pytest.mark.parametrize(
    "place", ["smcdesk.marketdata.months.atomic_file", "smcdesk.store.journal.ScanJournal.open_entries"]
)
def test_scan_on_a_full_disk_fails_and_the_next_one_makes_up_for_it(market, monkeypatch, place):
    workspace = market.workspace()
    scan_close(market, workspace, 0)
    with monkeypatch.context() as patch:
        patch.setattr(place, lambda *_, **__: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
        with pytest.raises(OSError, match="No space left"):
            scan_close(market, workspace, 1)
    scan_close(market, workspace, 1, after_s=70)
    scan_close(market, workspace, 2)
    again = review(workspace, *FOREVER)
    assert again.bars_n == 3 and again.defects.empty


def test_reader_saved_and_loaded_decides_what_one_that_stayed_decides(bars, market):
    workspace = market.workspace()
    scan_close(market, workspace, 0)
    reader = workspace.reader(SYMBOL, "15m")
    reader.save(every=1)
    assert list(reader.file.parent.iterdir()) == [reader.file]
    fresh = market.workspace()
    taken = fresh.reader(SYMBOL, "15m")
    assert taken.n == reader.n == 1500
    for k in range(1, 10):
        scan_close(market, fresh, k)
    assert review(fresh, *FOREVER).defects.empty
    reader.file.write_bytes(b"not a reader")
    assert market.workspace().reader(SYMBOL, "15m").n == 0


@pytest.mark.parametrize(("age_h", "message"), [(1, "nearest event"), (30, "30.0 h old")])
def test_scan_with_a_stale_calendar_says_so(bars, tmp_path, age_h, message):
    k = first_with_decisions(bars)
    close = bars.index[START + k] + pd.Timedelta(minutes=15)
    fetched = (close - pd.Timedelta(hours=age_h)).value
    event = (close + pd.Timedelta(hours=9)).value
    news = {"times": [event], "currencies": ["USD"], "titles": ["NFP"], "covered_from_ns": bars.index[0].value,
            "covered_until_ns": bars.index[-1].value, "fetched_at_ns": fetched}  # fmt: skip
    market = House(tmp_path, bars, Clock(moment(2024, 1, 1)))
    market.calendar = CalendarSnapshot.from_dict(news)
    workspace = market.workspace()
    scan_close(market, workspace, k - 1)
    verdict = scan_close(market, workspace, k, after_s=0).decisions[0].verdicts[3]
    assert verdict.gate == "news" and message in verdict.reason
    assert review(workspace, *FOREVER).defects.empty
