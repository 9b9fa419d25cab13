"""Rows of one bar stand in the fixed order of the definitions, and none speaks of a later one."""

import pytest
from read_tapes import BUSY, NAMES, tape

from smclab.reader import Reader
from smclab.tapes import market

# ATR; period and session roll; life of zones; penetration and reclaim; new gap; break, its block, its gaps; swings and
# pools; range
ZONE_LIFE = ("touched", "mid", "filled", "inverted", "inverse_failed", "broken", "breaker_touched", "breaker_failed")


def stage(family, kind, source):
    """Where section 1.5 of the definitions puts an event."""
    match family:
        case "displacement":
            return 0
        case "period" | "session":
            return 1
        case "pool":
            if kind in ("opened", "expired") and source > 0:
                return 2
            return 8 if kind in ("opened", "joined") else 4
        case "gap" | "order_block" if kind in (*ZONE_LIFE, "expired"):
            return 3
        case "gap":
            return 5 if kind == "born" else 7
        case "structure":
            return 6
        case "order_block":
            return 6.5
        case "swing":
            return 7.5
        case "range":
            return 9


PARENTS = {"structure": "swing"}  # of all other families it is the family itself


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_a_bar_follow_the_order_of_the_definitions(name):
    reading = tape(name)
    log, order = reading.events, [reading.timeframe, *reading.above]
    rows = zip(
        log["known_close"], log["timeframe"], log["known_bar"], log["family"], log["kind"], log["source"], strict=True
    )
    places = [(close, order.index(tf), bar, stage(f, k, s)) for close, tf, bar, f, k, s in rows]
    assert places == sorted(places)
    assert len({p[3] for p in places}) >= 10


@pytest.mark.parametrize("name", NAMES)
def test_no_row_speaks_of_a_later_one(name):
    log, seen, spoken = tape(name).events, set(), 0
    for e in log.to_dict("records"):
        tf, family = e["timeframe"], e["family"]
        if e["parent_id"] >= 0:
            owner = "structure" if e["kind"] == "mss" else PARENTS.get(family, family)
            assert (tf, owner, e["parent_id"]) in seen, e
            spoken += 1
        if e["leg_break_id"] >= 0:
            assert (tf, "structure", int(e["leg_break_id"])) in seen, e
            spoken += 1
        seen.add((tf, family, e["event_id"]))
    assert spoken > 1000


def test_ids_of_a_family_rise_down_the_log():
    for (tf, family), rows in tape("made up").events.groupby(["timeframe", "family"], observed=True):
        assert rows["event_id"].tolist() == list(range(len(rows))), (tf, family)


def test_events_of_a_push_come_in_the_order_of_the_log():
    bars = market(2500, seed=7)
    log = tape("made up").events
    reader = Reader(BUSY, instrument="EURUSD", timeframe="15m").extend(bars.iloc[:2000])
    pushed = [e for bar in bars.iloc[2000:].itertuples() for e in reader.push(bar)]
    later = log[log["known_at"] >= bars.index[2000]]
    expected = list(zip(later["timeframe"], later["family"], later["event_id"], later["kind"], strict=True))
    assert [(e.timeframe, e.family, e.event_id, e.kind) for e in pushed] == expected
