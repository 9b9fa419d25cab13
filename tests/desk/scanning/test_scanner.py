"""A scan decides every candle once, by the clock of its first look, and as the replay of the whole tape does."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest
from scan_play import FOREVER, START, scan_close
from virtual import SYMBOL, Clock, House

from smcdesk.notifications import outbox
from smcdesk.reports import daily_digest, weekly_review
from smcdesk.reports.period import period_of
from smcdesk.scanning import alerts, outcomes, scanner
from smcdesk.scanning.parity_review import review
from smcdesk.store import engine


@pytest.fixture(scope="module")
def played(bars, tmp_path_factory):
    "Forty closes, the process restarted twice, two timeframes, the readers in files as of many series."
    market = House(tmp_path_factory.mktemp("played"), bars, Clock(bars.index[START].to_pydatetime()))
    workspace = market.workspace()
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("smcdesk.scanning.workspace.IN_MEMORY", 0)
        for k in range(40):
            workspace = market.workspace() if k in (14, 27) else workspace
            found.append(scan_close(market, workspace, k, ("15m", "1h")))
    assert all(reader.in_file for reader in workspace.readers.values())
    outcomes.fill_outcomes(workspace, [SYMBOL], ["15m", "1h"])
    return market, workspace, found


def test_scan_of_a_tape_with_restarts_decides_what_its_replay_decides(played):
    _, workspace, found = played
    again = review(workspace, *FOREVER)
    assert (again.bars_n, len(again.late_bars)) == (51, 0) and again.decisions_n > 100
    assert again.defects.empty, again.defects.to_string()
    assert sum(len(s.decisions) for s in found) == again.decisions_n
    assert "live and replay are equal" in again.sentence


def test_scan_asked_again_in_its_slot_changes_nothing(played):
    market, workspace, found = played
    before = [workspace.store.counts(), len(workspace.store.signals()), workspace.journal.entries()]
    market.clock.true += timedelta(minutes=3)
    for warm in (workspace, market.workspace()):
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
        scanned = next(s for s in found if row.setup_id in set(s.new["setup_id"]))
        assert row.setup_id in set(scanned.signals["setup_id"]) or row.expires_at <= scanned.now
        assert row.setup_id not in set(workspace.store.signals(at=row.expires_at)["setup_id"])


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


def test_alert_twice_puts_one_message_into_the_outbox(played):
    _, workspace, found = played
    scanned = next(s for s in found if len(s.new))
    n = alerts.enqueue_alerts(workspace, scanned)
    assert n >= 1 and alerts.enqueue_alerts(workspace, scanned) == 0
    text = outbox.listing(workspace.store, kind="signal")
    assert len(text) == n and SYMBOL in text["subject"].iloc[0]


def test_digest_of_a_stretch_counts_what_was_told_in_it(played, house):
    _, workspace, found = played
    since, until = found[0].now.floor("h"), found[-1].now.ceil("h")
    period = period_of(workspace, "test", ("15m", "1h"), since, until)
    new = pd.concat([s.new for s in found])
    assert len(period.signals) == len(new) and len(period.outcomes) == int(
        workspace.store.labels()["outcome"].notna().sum()
    )
    assert f"{int((new['status'] == 'new').sum())} signals" in daily_digest.verdict(period)
    parity = review(workspace, since.value, until.value)
    week = weekly_review.verdict(weekly_review.WeeklyReview(period, None, parity, weekly_review.missed_slots(period)))
    assert "live and replay are equal" in week
    assert set(daily_digest.data(period)["verdict"]) <= {"ok", "degraded"}
    assert "put into the outbox" in daily_digest.notify(period, True) and "already" in daily_digest.notify(period, True)
