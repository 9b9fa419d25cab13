"""A target is the nearest opposing pool that pays; a pool that pays too little is a refusal, no pool is no plan."""

import numpy as np
import pytest
from read_tapes import tape

from smclab.account import Account
from smclab.decision import decide_all, decide_table
from smclab.gates import Context
from smclab.instruments import instrument
from smclab.policy import Policy
from smclab.setups import SetupConfig, candidates
from smclab.ticket import RR_DUST, plan_all

ANY = SetupConfig(sweep_sources=("external", "equal", "swing"), confirm="any", zones=("gap", "order_block", "breaker"))
V1 = Policy.from_dict({"preset": "v1", "stop_cap": {"instrument_cap": False, "max_stop_atr": 50.0}})
CONTEXT = Context(instrument("EURUSD"), Account(100_000.0), 0.00008)


@pytest.fixture(scope="module")
def found():
    return candidates(tape("made up"), "EURUSD", ANY)


@pytest.fixture(scope="module")
def open_pools():
    """By bar, the unswept pools of each side: from the log, plainly."""
    reading, pools, out, rows = tape("made up"), {}, [], None
    rows = iter([*reading.of("pool").to_dict("records"), None])
    e = next(rows)
    for t in range(reading.n):
        while e is not None and e["known_bar"] == t:
            if e["kind"] == "opened":
                pools[e["event_id"]] = (e["side"], e["level"])
            elif e["kind"] == "joined":
                pools[e["parent_id"]] = (e["side"], e["level"])
            elif e["kind"] in ("swept", "run", "expired"):
                del pools[e["parent_id"]]
            e = next(rows)
        out.append(set(pools.values()))
    return out


def ahead(open_pools, row):
    """The opposing pools beyond a candidate's entry, nearest first."""
    way = (p for side, p in open_pools[row.known_bar] if side == row.side and row.side * (p - row.entry_price) > 0)
    return sorted(way, key=lambda p: row.side * p)


def test_candidates_list_every_opposing_pool_beyond_the_entry(found, open_pools):
    listed = [f"pool_{k}" for k in range(1, 13)]
    for row in found.itertuples():
        pools = [*(getattr(row, name) for name in listed), *row.pools_other]
        assert sorted((p for p in pools if p == p), key=lambda p: row.side * p) == ahead(open_pools, row)
    assert found["pools_other"].map(len).max() > 12


@pytest.mark.parametrize("need", [1.0, 2.0, 12.0])
def test_target_is_the_nearest_pool_that_pays_however_many_are_nearer(found, open_pools, need):
    policy = Policy.from_dict({**V1.to_dict(), "risk": V1.to_dict()["risk"] | {"min_rr_b": need}})
    plans = plan_all(found, CONTEXT.instrument, policy, spread_price=CONTEXT.spread_price)
    for k, row in enumerate(found.itertuples()):
        distance = plans["stop_distance"][k]
        pays = {}
        for p in ahead(open_pools, row):
            pays[p] = (row.side * (p - row.entry_price) - 0.00008) / (distance + 0.00008)
        good = [p for p, rr in pays.items() if rr >= need - RR_DUST]
        expected = good[0] if good else max(pays, key=pays.get, default=np.nan)
        np.testing.assert_allclose(plans["target_price"][k], expected, atol=1e-9)
    assert np.isfinite(plans["target_price"]).any()


def test_outcome_is_shadow_where_pools_pay_too_little_and_none_without_a_pool(found, open_pools):
    decisions = decide_all(tape("made up"), CONTEXT, V1, setups=ANY)
    warm = [d for d in decisions if d.verdicts[0].passed and d.verdicts[8].passed]
    rows = found.set_index("setup_id")
    seen = {"shadow": 0, "none": 0}
    for d in warm:
        if d.verdicts[9].passed:
            continue
        some = ahead(open_pools, rows.loc[d.setup_id])
        words = "no opposing pool beyond the entry pays more" if some else "no opposing pool lies beyond the entry"
        assert (d.outcome, words in d.verdicts[9].reason) == ("shadow" if some else "none", True)
        assert (d.ticket is not None) == bool(some)
        seen[d.outcome] += 1
    assert seen["shadow"] > 0
    table = decide_table(found, CONTEXT, V1)
    assert {d.setup_id for d in decisions if d.outcome == "live"} <= set(found["setup_id"][table.live])


def test_a_table_stored_before_the_other_pools_were_listed_is_planned_as_then(found):
    old = found.drop(columns="pools_other")
    plans = plan_all(old, CONTEXT.instrument, V1, spread_price=CONTEXT.spread_price)
    new = plan_all(found, CONTEXT.instrument, V1, spread_price=CONTEXT.spread_price)
    same = plans["rr_net"] >= 2.0
    assert same.any()
    np.testing.assert_array_equal(plans["target_price"][same], new["target_price"][same])
