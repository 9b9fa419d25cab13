"""A scan decides every candle once, by the clock of its first look, and as the replay of the whole tape does."""

from __future__ import annotations

import errno
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from virtual import SYMBOL, Clock, House, made_up_model, moment, tape

from smcdesk import digest, outbox, registry, scan
from smcdesk.lane import Lane
from smcdesk.quality import verdicts
from smcdesk.review import review
from smcdesk.store import engine
from smcdesk.world import World, worlds
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


def look(desks, desk, k: int, tfs=("15m",), after_s: float = 10.0, slot: str = ""):
    "The scan at the close of the k-th candle after the start."
    index = desks.provider._tapes[SYMBOL].index
    desks.clock.true = (index[START + k] + pd.Timedelta(minutes=15, seconds=after_s)).to_pydatetime()
    return scan.scan(desk, [SYMBOL], tfs, slot or f"slot{k}")


@pytest.fixture(scope="module")
def played(bars, tmp_path_factory):
    "Forty closes, the process restarted twice, with 15-minute and hourly candles."
    desks = House(tmp_path_factory.mktemp("played"), bars, Clock(bars.index[START].to_pydatetime()))
    desk = desks.desk()
    found = []
    for k in range(40):
        desk = desks.desk() if k in (14, 27) else desk
        found.append(look(desks, desk, k, ("15m", "1h")))
    scan.outcomes(desk, [SYMBOL], ["15m", "1h"])
    return desks, desk, found


def test_scan_of_a_tape_with_restarts_decides_what_its_replay_decides(played):
    _, desk, found = played
    again = review(desk, *FOREVER)
    assert (again.looks_n, len(again.explained)) == (51, 0) and again.decisions_n > 100
    assert again.defects.empty, again.defects.to_string()
    assert sum(len(s.decisions) for s in found) == again.decisions_n
    assert "live and replay are equal" in again.sentence


def test_scan_asked_again_in_its_slot_changes_nothing(played):
    desks, desk, found = played
    before = [desk.store.counts(), len(desk.store.signals()), desk.journal.looks()]
    desks.clock.true += timedelta(minutes=3)
    for warm in (desk, desks.desk()):
        again = scan.scan(warm, [SYMBOL], ["15m", "1h"], "slot39")
        assert again.decisions == found[-1].decisions and again.now == found[-1].now
        pd.testing.assert_frame_equal(again.new, found[-1].new)
    assert [desk.store.counts(), len(desk.store.signals()), desk.journal.looks()] == before


def test_scan_labels_each_setup_once_and_signals_hold_until_they_expire(played):
    _, desk, found = played
    labels, signals = desk.store.labels(), desk.store.signals()
    assert not labels.duplicated(["setup_id", "policy_hash"]).any() and labels["outcome"].notna().any()
    assert set(signals["setup_id"]) <= set(labels["setup_id"])
    for row in signals[signals["status"] == "new"].itertuples():
        told = next(s for s in found if row.setup_id in set(s.new["setup_id"]))
        assert row.setup_id in set(told.signals["setup_id"]) or row.expires_at <= told.now
        assert row.setup_id not in set(desk.store.signals(at=row.expires_at)["setup_id"])


def test_review_of_a_reader_that_began_later_lists_the_differences(bars, tmp_path):
    desks = House(tmp_path, bars, Clock(bars.index[START].to_pydatetime()))

    class Sliding(Lane):  # the offender: forgets the beginning of its tape
        def extend(self, more):
            kept = pd.concat([self.reading.bars, more]).iloc[-400:] if self.n else more.iloc[-400:]
            self.restart()
            super().extend(kept)

    desk = desks.desk()
    for k in range(16):
        look(desks, desk, k)
        desk.lanes = {key: _slid(lane, Sliding) for key, lane in desk.lanes.items()}
    assert len(review(desk, *FOREVER).defects)


def _slid(lane, kind):
    made = kind(lane.world, lane.timeframe)
    made.extend(lane.reading.bars)
    return made


def test_review_of_a_decision_that_was_changed_names_it(played):
    _, desk, _ = played
    rows = "SELECT decision_id, record FROM decisions ORDER BY time LIMIT 1"
    with engine.writing(desk.store._engine) as c:
        name, record = c.exec_driver_sql(rows).one()
        c.exec_driver_sql(
            "UPDATE decisions SET record = ? WHERE decision_id = ?", (record.replace('"score":', '"score":1'), name)
        )
    found = review(desk, *FOREVER).defects
    with engine.writing(desk.store._engine) as c:
        c.exec_driver_sql("UPDATE decisions SET record = ? WHERE decision_id = ?", (record, name))
    assert len(found) >= 1 and found["what"].str.contains("score: stored").all()
    assert review(desk, *FOREVER).defects.empty


def test_scan_after_the_provider_was_down_refuses_the_candles_that_are_old_by_then(desks):
    desk = desks.desk()
    for k in range(20):
        desks.provider.down = 6 <= k < 14
        found = look(desks, desk, k)
        assert ("line is dead" in found.series["met"][0]) == desks.provider.down
        assert desks.provider.down == (not found.series["bars_n"][0])
    late = [d for d in desk.store.decisions() if d.verdicts[0].evidence["bars_late"] > 3]
    assert late and all(d.outcome != "live" and "late" in d.verdicts[0].reason for d in late)
    again = review(desk, *FOREVER)
    assert again.looks_n == 20 and again.defects.empty


def test_scan_of_a_hole_that_is_filled_later_reads_the_tape_anew_and_says_so(bars, tmp_path):
    holed = bars.drop(bars.index[START + 4 : START + 7])
    desks = House(tmp_path, holed, Clock(bars.index[START].to_pydatetime()))
    desk = desks.desk()
    for k in range(14):
        desks.clock.true = (bars.index[START + k] + pd.Timedelta(minutes=15, seconds=10)).to_pydatetime()
        if k == 9:
            missing = bars.iloc[START + 4 : START + 7]
            desk.history.merge("recorded", SYMBOL, "15m", missing, desks.clock.true - timedelta(seconds=1))
        scan.scan(desk, [SYMBOL], ["15m"], f"slot{k}")
    again = review(desk, *FOREVER)
    assert again.looks_n == 11 and again.decisions_n and again.defects.empty, again.defects.to_string()
    assert len(again.explained) == 3 and "later bar was decided" in again.explained["what"][0]


def _first_with_decisions(bars) -> int:
    "The first candle after the start that has candidates."
    world = worlds("test")["MADEUP"]
    reader = Reader(world.config, instrument=world.instrument, timeframes=world.above, timeframe="15m")
    reader.extend(bars.iloc[START - 1499 : START + 1])
    for k in range(1, 90):
        reader.extend(bars.iloc[[START + k]])
        if len(evaluations_at(reader.now(), world.instrument, world.setups)["time"]) > 1:
            return k
    raise AssertionError("this tape has no candidates after its start")


@pytest.mark.parametrize("where", ["before the store", "after the store"])
def test_scan_that_was_killed_is_finished_by_the_clock_of_its_first_look(bars, desks, monkeypatch, where):
    last = _first_with_decisions(bars)
    desk = desks.desk()
    look(desks, desk, last - 1)
    with monkeypatch.context() as patch:
        target, name = (desk.journal, "done") if where == "after the store" else (desk.store, "transaction")
        patch.setattr(target, name, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            look(desks, desk, last)
    first = desk.clock()
    found = look(desks, desks.desk(), last, after_s=700, slot=f"slot{last}")
    assert found.decisions and found.now == pd.Timestamp(first)
    assert all(d.verdicts[0].evidence["bars_late"] < 0.1 for d in found.decisions)
    assert review(desks.desk(), *FOREVER).defects.empty


@pytest.mark.parametrize("place", ["smcdesk.history.whole_file", "smcdesk.journal.Journal.begin"])
def test_scan_on_a_full_disk_fails_and_the_next_one_makes_up_for_it(desks, monkeypatch, place):
    desk = desks.desk()
    look(desks, desk, 0)
    with monkeypatch.context() as patch:
        patch.setattr(place, lambda *_, **__: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
        with pytest.raises(OSError, match="No space left"):
            look(desks, desk, 1)
    look(desks, desk, 1, after_s=70)
    look(desks, desk, 2)
    again = review(desk, *FOREVER)
    assert again.looks_n == 3 and again.defects.empty


def test_lane_put_away_and_taken_up_decides_what_one_that_stayed_decides(bars, desks):
    desk = desks.desk()
    look(desks, desk, 0)
    lane = desk.lane(SYMBOL, "15m")
    lane.save(every=1)
    assert list(lane.file.parent.iterdir()) == [lane.file]
    fresh = desks.desk()
    taken = fresh.lane(SYMBOL, "15m")
    assert taken.n == lane.n == 1500
    for k in range(1, 10):
        look(desks, fresh, k)
    assert review(fresh, *FOREVER).defects.empty
    lane.file.write_bytes(b"not a reader")
    assert desks.desk().lane(SYMBOL, "15m").n == 0


def test_quality_of_a_lane_is_that_of_the_whole_tape(bars):
    world = worlds("test")["MADEUP"]
    rng = np.random.default_rng(5)
    holed = bars.drop(bars.index[np.sort(rng.choice(np.arange(100, 2600), 40, replace=False))])
    holed.iloc[2000:2020, :4] = holed["close"].iloc[1999]
    known = verdicts(holed, world.instrument, "15m")
    assert known.nunique() > 1
    lane = Lane(replace(world, above=()), "15m")
    for n in (50, 700, 1500, 1990, 2005, 2040, 2500, len(holed)):
        lane.extend(holed.iloc[lane.n : n])
        assert lane.data_quality() == known.iloc[n - 1], n


def test_world_written_down_is_the_same_world(house):
    world = worlds("test")["MADEUP"]
    news = NewsCalendar((10**18, 10**18 + 5), ("USD", "EUR"), ("NFP", "CPI"), 10**18 - 9, 10**18 + 9, 10**18)
    for one in (world, replace(world, news=news)):
        again = World.from_dict(one.to_dict())
        assert again == one and again.name == one.name
    assert world.name != replace(world, news=news).name


@pytest.mark.parametrize(("age_h", "said"), [(1, "nearest event"), (30, "30.0 h old")])
def test_scan_with_a_stale_calendar_says_so(bars, tmp_path, age_h, said):
    k = _first_with_decisions(bars)
    close = bars.index[START + k] + pd.Timedelta(minutes=15)
    fetched = (close - pd.Timedelta(hours=age_h)).value
    event = (close + pd.Timedelta(hours=9)).value
    news = {"times": [event], "currencies": ["USD"], "titles": ["NFP"], "covered_from_ns": bars.index[0].value,
            "covered_until_ns": bars.index[-1].value, "fetched_at_ns": fetched}  # fmt: skip
    desks = House(tmp_path, bars, Clock(moment(2024, 1, 1)), news=news)
    desk = desks.desk()
    look(desks, desk, k - 1)
    verdict = look(desks, desk, k, after_s=0).decisions[0].verdicts[3]
    assert verdict.gate == "news" and said in verdict.reason
    assert review(desk, *FOREVER).defects.empty


@pytest.fixture
def champion(bars, monkeypatch):
    "A model in the registry's place, trained before the first look."
    owner = worlds("test")[SYMBOL].instrument
    reading = read(bars, instrument=owner)
    found = candidates(reading, owner)
    model = made_up_model(found, features(reading, found, instrument=owner), bars.index[START - 200])
    asked = []
    monkeypatch.setattr(registry, "loaded", lambda name, version: asked.append((name, version)) or models[version])
    models = {"3": registry.Champion("smclab-MADEUP-15m", "3", model)}
    return models, asked


def test_scan_with_a_champion_goes_by_what_it_said_when_the_setup_was_new(bars, tmp_path, champion):
    models, asked = champion
    desks = House(tmp_path, bars, Clock(moment(2024, 1, 1)), use="champion", champions={"15m": "3"})
    desk, k = desks.desk(), _first_with_decisions(bars)
    for n in range(k - 1, k + 25):
        desk = desks.desk() if n == k + 9 else desk
        look(desks, desk, n)
    assert set(asked) == {("smclab-MADEUP-15m", "3")}
    told = pd.DataFrame([(d.setup_id, d.confidence, d.confidence_kind) for d in desk.store.decisions() if d.setup_id])
    told.columns = ["setup", "confidence", "kind"]
    assert set(told["kind"]) == {"model"} and told["setup"].duplicated().any()
    assert (told.groupby("setup")["confidence"].nunique() == 1).all() and told["confidence"].nunique() > 1
    assert review(desk, *FOREVER).defects.empty
    flat = models["3"].model.flat | {"bias": 9.0}
    models["3"] = replace(models["3"], model=replace(models["3"].model, flat=flat))
    assert len(review(desk, *FOREVER).defects)


def test_scan_without_the_champion_conf_asks_for_says_so(bars, tmp_path):
    desks = House(tmp_path, bars, Clock(moment(2024, 1, 1)), use="champion")
    desk, k = desks.desk(), _first_with_decisions(bars)
    look(desks, desk, k - 1)
    d = look(desks, desk, k).decisions[0]
    assert d.confidence_kind == "score" and "has no champion" in d.warnings[0]
    assert review(desk, *FOREVER).defects.empty


def test_scan_of_a_market_that_others_decide_is_refused(bars, tmp_path):
    desks = House(tmp_path, bars, Clock(moment(2024, 1, 1)))
    desk, k = desks.desk(), _first_with_decisions(bars)
    look(desks, desk, k - 1), look(desks, desk, k)
    with pytest.raises(BadConfig, match="MADEUP 15m is scanned from recorded in this environment, not from kraken"):
        scan.scan(desks.desk(provider_name="kraken"), [SYMBOL], ["15m"], "other")
    assert desk.journal.forget(SYMBOL, desk.policy_hash) == 2
    with pytest.raises(BadConfig, match=r"no scan made .* smcdesk store forget"):
        look(desks, desks.desk(), k + 1)


def test_run_over_what_scans_decided_is_refused_and_nothing_is_forgotten(bars, tmp_path, house, monkeypatch):
    from smcdesk.datasets import DecisionStore
    from smcdesk.evaluated import Evaluated

    desks = House(tmp_path, bars, Clock(moment(2024, 1, 1)))
    desk, k = desks.desk(), _first_with_decisions(bars)
    look(desks, desk, k - 1), look(desks, desk, k)
    monkeypatch.setattr("smcdesk.journal.journal_of", lambda env: desk.journal.path)
    made = tuple(d for d in desk.store.decisions() if d.setup_id)
    again = Evaluated(desk.worlds[SYMBOL].instrument, desk.policy_hash, made, pd.DataFrame(), pd.DataFrame())
    with pytest.raises(DatasetError, match="MADEUP 15m is decided by scans in environment test"):
        DecisionStore(SYMBOL, "test").save(again)
    assert not (house / "data" / "07_model_output" / "store_test.db").exists()


def test_alert_twice_puts_one_message_into_the_outbox(played):
    _, desk, found = played
    told = next(s for s in found if len(s.new))
    n = scan.alert(desk, told)
    assert n >= 1 and scan.alert(desk, told) == 0
    text = outbox.listing(desk.store, kind="signal")
    assert len(text) == n and SYMBOL in text["subject"].iloc[0]


def test_digest_of_a_stretch_counts_what_was_told_in_it(played, house):
    _, desk, found = played
    since, until = found[0].now.floor("h"), found[-1].now.ceil("h")
    told = digest.span(desk, "test", ("15m", "1h"), since, until)
    new = pd.concat([s.new for s in found])
    assert len(told.signals) == len(new) and len(told.outcomes) == int(desk.store.labels()["outcome"].notna().sum())
    assert f"{int((new['status'] == 'new').sum())} signals" in digest.verdict(told)
    week = digest.week_verdict(digest.Week(told, None, review(desk, since.value, until.value), digest.missed(told)))
    assert "live and replay are equal" in week
    assert set(digest.data(told)["verdict"]) <= {"ok", "degraded"}
    assert "put into the outbox" in digest.send(told, True) and "already" in digest.send(told, True)
