"""A scan decides every candle once, by the clock of its first look, and as the replay of the whole tape does."""

from __future__ import annotations

import errno
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from virtual import SYMBOL, Clock, House, moment, synthetic_model, tape

from smcdesk.decisions.config import (
    AccountSnapshot,
    CalendarSnapshot,
    DecisionConfig,
    load_account,
    load_decision_configs,
)
from smcdesk.decisions.series import SeriesReader
from smcdesk.marketdata.quality import verdicts
from smcdesk.modelling import registry
from smcdesk.notifications import outbox
from smcdesk.reports import daily_digest, weekly_review
from smcdesk.reports.period import period_of
from smcdesk.scanning import alerts, outcomes, scanner
from smcdesk.scanning.parity_review import review
from smcdesk.store import engine
from smcdesk.store.journal import ScanJournal
from smclab.candles import BadConfig
from smclab.features import features
from smclab.news import NewsCalendar
from smclab.reader import Reader, read
from smclab.setups import candidates, evaluations_at

FOREVER = (0, 2**62)
START = 2440  # the bar at whose close the first scan is made


@pytest.fixture(scope="module")
def bars(house):
    return tape()


@pytest.fixture
def desks(bars, tmp_path):
    return House(tmp_path, bars, Clock(bars.index[START].to_pydatetime()))


def look(desks, workspace, k: int, tfs=("15m",), after_s: float = 10.0, slot: str = ""):
    "The scan at the close of the k-th candle after the start."
    index = desks.provider._tapes[SYMBOL].index
    desks.clock.true = (index[START + k] + pd.Timedelta(minutes=15, seconds=after_s)).to_pydatetime()
    return scanner.scan(workspace, [SYMBOL], tfs, slot or f"slot{k}")


@pytest.fixture(scope="module")
def played(bars, tmp_path_factory):
    "Forty closes, the process restarted twice, with 15-minute and hourly candles."
    desks = House(tmp_path_factory.mktemp("played"), bars, Clock(bars.index[START].to_pydatetime()))
    workspace = desks.workspace()
    found = []
    for k in range(40):
        workspace = desks.workspace() if k in (14, 27) else workspace
        found.append(look(desks, workspace, k, ("15m", "1h")))
    outcomes.fill_outcomes(workspace, [SYMBOL], ["15m", "1h"])
    return desks, workspace, found


def test_scan_of_a_tape_with_restarts_decides_what_its_replay_decides(played):
    _, workspace, found = played
    again = review(workspace, *FOREVER)
    assert (again.bars_n, len(again.late_bars)) == (51, 0) and again.decisions_n > 100
    assert again.defects.empty, again.defects.to_string()
    assert sum(len(s.decisions) for s in found) == again.decisions_n
    assert "live and replay are equal" in again.sentence


def test_scan_asked_again_in_its_slot_changes_nothing(played):
    desks, workspace, found = played
    before = [workspace.store.counts(), len(workspace.store.signals()), workspace.journal.entries()]
    desks.clock.true += timedelta(minutes=3)
    for warm in (workspace, desks.workspace()):
        again = scanner.scan(warm, [SYMBOL], ["15m", "1h"], "slot39")
        assert again.decisions == found[-1].decisions and again.now == found[-1].now
        pd.testing.assert_frame_equal(again.new, found[-1].new)
    assert [workspace.store.counts(), len(workspace.store.signals()), workspace.journal.entries()] == before


def test_scan_labels_each_setup_once_and_signals_hold_until_they_expire(played):
    _, workspace, found = played
    labels, signals = workspace.store.labels(), workspace.store.signals()
    assert not labels.duplicated(["setup_id", "policy_hash"]).any() and labels["outcome"].notna().any()
    assert set(signals["setup_id"]) <= set(labels["setup_id"])
    for row in signals[signals["status"] == "new"].itertuples():
        told = next(s for s in found if row.setup_id in set(s.new["setup_id"]))
        assert row.setup_id in set(told.signals["setup_id"]) or row.expires_at <= told.now
        assert row.setup_id not in set(workspace.store.signals(at=row.expires_at)["setup_id"])


def test_review_of_a_reader_that_began_later_lists_the_differences(bars, tmp_path):
    desks = House(tmp_path, bars, Clock(bars.index[START].to_pydatetime()))

    class Sliding(SeriesReader):  # the offender: forgets the beginning of its tape
        def extend(self, more):
            kept = pd.concat([self.reading.bars, more]).iloc[-400:] if self.n else more.iloc[-400:]
            self.restart()
            super().extend(kept)

    workspace = desks.workspace()
    for k in range(16):
        look(desks, workspace, k)
        workspace.readers = {key: _slid(reader, Sliding) for key, reader in workspace.readers.items()}
    assert len(review(workspace, *FOREVER).defects)


def _slid(reader, kind):
    slid = kind(reader.config, reader.timeframe)
    slid.extend(reader.reading.bars)
    return slid


def test_review_of_a_decision_that_was_changed_names_it(played):
    _, workspace, _ = played
    rows = "SELECT decision_id, record FROM decisions ORDER BY time LIMIT 1"
    with engine.writing(workspace.store._engine) as c:
        name, record = c.exec_driver_sql(rows).one()
        c.exec_driver_sql(
            "UPDATE decisions SET record = ? WHERE decision_id = ?", (record.replace('"score":', '"score":1'), name)
        )
    found = review(workspace, *FOREVER).defects
    with engine.writing(workspace.store._engine) as c:
        c.exec_driver_sql("UPDATE decisions SET record = ? WHERE decision_id = ?", (record, name))
    assert len(found) >= 1 and found["what"].str.contains("score: stored").all()
    assert review(workspace, *FOREVER).defects.empty


def test_scan_after_the_provider_was_down_refuses_the_candles_that_are_old_by_then(desks):
    workspace = desks.workspace()
    for k in range(20):
        desks.provider.down = 6 <= k < 14
        found = look(desks, workspace, k)
        assert ("line is dead" in found.series["problem"][0]) == desks.provider.down
        assert desks.provider.down == (not found.series["bars_n"][0])
    late = [d for d in workspace.store.decisions() if d.verdicts[0].evidence["bars_late"] > 3]
    assert late and all(d.outcome != "live" and "late" in d.verdicts[0].reason for d in late)
    again = review(workspace, *FOREVER)
    assert again.bars_n == 20 and again.defects.empty


def test_scan_of_a_hole_that_is_filled_later_reads_the_tape_anew_and_says_so(bars, tmp_path):
    holed = bars.drop(bars.index[START + 4 : START + 7])
    desks = House(tmp_path, holed, Clock(bars.index[START].to_pydatetime()))
    workspace = desks.workspace()
    for k in range(14):
        desks.clock.true = (bars.index[START + k] + pd.Timedelta(minutes=15, seconds=10)).to_pydatetime()
        if k == 9:
            missing = bars.iloc[START + 4 : START + 7]
            workspace.history.merge("recorded", SYMBOL, "15m", missing, desks.clock.true - timedelta(seconds=1))
        scanner.scan(workspace, [SYMBOL], ["15m"], f"slot{k}")
    again = review(workspace, *FOREVER)
    assert again.bars_n == 11 and again.decisions_n and again.defects.empty, again.defects.to_string()
    assert len(again.late_bars) == 3 and "later bar was decided" in again.late_bars["what"][0]


def _first_with_decisions(bars) -> int:
    "The first candle after the start that has candidates."
    config = load_decision_configs("test")["MADEUP"]
    reader = Reader(config.reader, instrument=config.instrument, timeframes=config.timeframes, timeframe="15m")
    reader.extend(bars.iloc[START - 1499 : START + 1])
    for k in range(1, 90):
        reader.extend(bars.iloc[[START + k]])
        if len(evaluations_at(reader.now(), config.instrument, config.setups)["time"]) > 1:
            return k
    raise AssertionError("this tape has no candidates after its start")


@pytest.mark.parametrize("where", ["before the store", "in the store"])
def test_scan_that_was_killed_is_finished_by_the_clock_of_its_first_look(bars, desks, monkeypatch, where):
    last = _first_with_decisions(bars)
    workspace = desks.workspace()
    look(desks, workspace, last - 1)
    with monkeypatch.context() as patch:
        inside = where == "in the store"
        target, name = (ScanJournal, "close_entries") if inside else (workspace.store, "transaction")
        patch.setattr(target, name, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            look(desks, workspace, last)
    assert not [d for d in workspace.store.decisions() if d.time == workspace.journal.entries()[-1].time]
    first = workspace.clock()
    found = look(desks, desks.workspace(), last, after_s=700, slot=f"slot{last}")
    assert found.decisions and found.now == pd.Timestamp(first)
    assert all(d.verdicts[0].evidence["bars_late"] < 0.1 for d in found.decisions)
    assert review(desks.workspace(), *FOREVER).defects.empty


@pytest.mark.parametrize(
    "place", ["smcdesk.marketdata.history.atomic_file", "smcdesk.store.journal.ScanJournal.open_entries"]
)
def test_scan_on_a_full_disk_fails_and_the_next_one_makes_up_for_it(desks, monkeypatch, place):
    workspace = desks.workspace()
    look(desks, workspace, 0)
    with monkeypatch.context() as patch:
        patch.setattr(place, lambda *_, **__: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
        with pytest.raises(OSError, match="No space left"):
            look(desks, workspace, 1)
    look(desks, workspace, 1, after_s=70)
    look(desks, workspace, 2)
    again = review(workspace, *FOREVER)
    assert again.bars_n == 3 and again.defects.empty


def test_lane_put_away_and_taken_up_decides_what_one_that_stayed_decides(bars, desks):
    workspace = desks.workspace()
    look(desks, workspace, 0)
    reader = workspace.reader(SYMBOL, "15m")
    reader.save(every=1)
    assert list(reader.file.parent.iterdir()) == [reader.file]
    fresh = desks.workspace()
    taken = fresh.reader(SYMBOL, "15m")
    assert taken.n == reader.n == 1500
    for k in range(1, 10):
        look(desks, fresh, k)
    assert review(fresh, *FOREVER).defects.empty
    reader.file.write_bytes(b"not a reader")
    assert desks.workspace().reader(SYMBOL, "15m").n == 0


def test_quality_of_a_lane_is_that_of_the_whole_tape(bars):
    config = load_decision_configs("test")["MADEUP"]
    rng = np.random.default_rng(5)
    holed = bars.drop(bars.index[np.sort(rng.choice(np.arange(100, 2600), 40, replace=False))])
    holed.iloc[2000:2020, :4] = holed["close"].iloc[1999]
    whole = verdicts(holed, config.instrument, "15m")
    assert whole.nunique() > 1
    reader = SeriesReader(replace(config, timeframes=()), "15m")
    for n in (50, 700, 1500, 1990, 2005, 2040, 2500, len(holed)):
        reader.extend(holed.iloc[reader.n : n])
        assert reader.data_quality() == whole.iloc[n - 1], n


def test_what_a_decision_hangs_on_is_written_down_and_parsed(house):
    config, account = load_decision_configs("test")["MADEUP"], load_account("test")
    news = NewsCalendar((10**18, 10**18 + 5), ("USD", "EUR"), ("NFP", "CPI"), 10**18 - 9, 10**18 + 9, 10**18)
    again = DecisionConfig.from_dict(config.to_dict())
    assert again == config and again.config_hash == config.config_hash and config.to_dict()["format"] == 2
    assert replace(config, model_use="champion").config_hash != config.config_hash
    richer = AccountSnapshot(replace(account.account, equity=account.account.equity + 1))
    assert richer.account_hash != account.account_hash
    for calendar in (CalendarSnapshot(None), CalendarSnapshot(news)):
        parsed = CalendarSnapshot.from_dict(calendar.to_dict())
        assert parsed == calendar and parsed.calendar_hash == calendar.calendar_hash


@pytest.mark.parametrize(("age_h", "said"), [(1, "nearest event"), (30, "30.0 h old")])
def test_scan_with_a_stale_calendar_says_so(bars, tmp_path, age_h, said):
    k = _first_with_decisions(bars)
    close = bars.index[START + k] + pd.Timedelta(minutes=15)
    fetched = (close - pd.Timedelta(hours=age_h)).value
    event = (close + pd.Timedelta(hours=9)).value
    news = {"times": [event], "currencies": ["USD"], "titles": ["NFP"], "covered_from_ns": bars.index[0].value,
            "covered_until_ns": bars.index[-1].value, "fetched_at_ns": fetched}  # fmt: skip
    desks = House(tmp_path, bars, Clock(moment(2024, 1, 1)))
    desks.calendar = CalendarSnapshot.from_dict(news)
    workspace = desks.workspace()
    look(desks, workspace, k - 1)
    verdict = look(desks, workspace, k, after_s=0).decisions[0].verdicts[3]
    assert verdict.gate == "news" and said in verdict.reason
    assert review(workspace, *FOREVER).defects.empty


@pytest.fixture
def champion(bars, monkeypatch):
    "A model in the registry's place, trained before the first look."
    owner = load_decision_configs("test")[SYMBOL].instrument
    reading = read(bars, instrument=owner)
    found = candidates(reading, owner)
    model = synthetic_model(found, features(reading, found, instrument=owner), bars.index[START - 200])
    asked = []
    monkeypatch.setattr(registry, "loaded", lambda name, version: asked.append((name, version)) or models[version])
    models = {"3": registry.Champion("smclab-MADEUP-15m", "3", model)}
    return models, asked


def test_scan_with_a_champion_goes_by_what_it_said_when_the_setup_was_new(bars, tmp_path, champion):
    models, asked = champion
    desks = House(tmp_path, bars, Clock(moment(2024, 1, 1)), model_use="champion")
    desks.champions = {SYMBOL: {"15m": "3"}}
    workspace, k = desks.workspace(), _first_with_decisions(bars)
    for n in range(k - 1, k + 25):
        workspace = desks.workspace() if n == k + 9 else workspace
        look(desks, workspace, n)
    assert set(asked) == {("smclab-MADEUP-15m", "3")}
    told = pd.DataFrame(
        [(d.setup_id, d.confidence, d.confidence_kind) for d in workspace.store.decisions() if d.setup_id]
    )
    told.columns = ["setup", "confidence", "kind"]
    assert set(told["kind"]) == {"model"} and told["setup"].duplicated().any()
    assert (told.groupby("setup")["confidence"].nunique() == 1).all() and told["confidence"].nunique() > 1
    assert review(workspace, *FOREVER).defects.empty
    flat = models["3"].model.flat | {"bias": 9.0}
    models["3"] = replace(models["3"], model=replace(models["3"].model, flat=flat))
    assert len(review(workspace, *FOREVER).defects)


def test_scan_without_the_champion_conf_asks_for_says_so(bars, tmp_path):
    desks = House(tmp_path, bars, Clock(moment(2024, 1, 1)), model_use="champion")
    workspace, k = desks.workspace(), _first_with_decisions(bars)
    look(desks, workspace, k - 1)
    d = look(desks, workspace, k).decisions[0]
    assert d.confidence_kind == "score" and "has no champion" in d.warnings[0]
    assert review(workspace, *FOREVER).defects.empty


def test_scan_of_a_market_that_others_decide_is_refused(bars, tmp_path):
    desks = House(tmp_path, bars, Clock(moment(2024, 1, 1)))
    workspace, k = desks.workspace(), _first_with_decisions(bars)
    look(desks, workspace, k - 1), look(desks, workspace, k)
    with pytest.raises(BadConfig, match="MADEUP 15m is scanned from recorded in this environment, not from kraken"):
        scanner.scan(desks.workspace(provider_name="kraken"), [SYMBOL], ["15m"], "other")
    assert workspace.journal.forget(SYMBOL, workspace.policy_hash) == 2
    with pytest.raises(BadConfig, match=r"no scan made .* smcdesk store forget"):
        look(desks, desks.workspace(), k + 1)


def test_run_over_what_scans_decided_is_refused_and_nothing_is_forgotten(bars, tmp_path, house, monkeypatch):
    from smcdesk.datasets.store import DecisionStore
    from smcdesk.decisions.records import EvaluatedTape

    desks = House(tmp_path, bars, Clock(moment(2024, 1, 1)))
    workspace, k = desks.workspace(), _first_with_decisions(bars)
    look(desks, workspace, k - 1), look(desks, workspace, k)
    monkeypatch.setenv("SMCDESK_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    before = workspace.store.counts()
    decisions = tuple(d for d in workspace.store.decisions() if d.setup_id)
    again = EvaluatedTape(
        workspace.configs[SYMBOL].instrument, workspace.policy_hash, decisions, pd.DataFrame(), pd.DataFrame()
    )
    with pytest.raises(DatasetError, match="MADEUP 15m is decided by scans in environment test"):
        DecisionStore(SYMBOL, "test").save(again)
    assert workspace.store.counts() == before


def test_alert_twice_puts_one_message_into_the_outbox(played):
    _, workspace, found = played
    told = next(s for s in found if len(s.new))
    n = alerts.enqueue_alerts(workspace, told)
    assert n >= 1 and alerts.enqueue_alerts(workspace, told) == 0
    text = outbox.listing(workspace.store, kind="signal")
    assert len(text) == n and SYMBOL in text["subject"].iloc[0]


def test_digest_of_a_stretch_counts_what_was_told_in_it(played, house):
    _, workspace, found = played
    since, until = found[0].now.floor("h"), found[-1].now.ceil("h")
    told = period_of(workspace, "test", ("15m", "1h"), since, until)
    new = pd.concat([s.new for s in found])
    assert len(told.signals) == len(new) and len(told.outcomes) == int(
        workspace.store.labels()["outcome"].notna().sum()
    )
    assert f"{int((new['status'] == 'new').sum())} signals" in daily_digest.verdict(told)
    parity = review(workspace, since.value, until.value)
    week = weekly_review.verdict(weekly_review.WeeklyReview(told, None, parity, weekly_review.missed_slots(told)))
    assert "live and replay are equal" in week
    assert set(daily_digest.data(told)["verdict"]) <= {"ok", "degraded"}
    assert "put into the outbox" in daily_digest.send(told, True) and "already" in daily_digest.send(told, True)
