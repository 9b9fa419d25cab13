"""The regime never knows the future, and a policy may ask for more by it."""

import dataclasses

import pandas as pd
import pytest
from learning import ANY, synthetic_tape

from smclab.decision import decide, decide_all
from smclab.policy import REGIMES, Policy, preset
from smclab.regime import hmm_regimes, regimes


@pytest.fixture(scope="module")
def tape():
    return synthetic_tape()


@pytest.mark.parametrize("stop", [1_200, 1_900, 2_650])
def test_regime_when_the_future_is_cut_stays(tape, stop):
    bars = tape[0].bars
    pd.testing.assert_frame_equal(regimes(bars.iloc[:stop]), regimes(bars).iloc[:stop])


def test_regime_by_smoothing_is_caught_by_the_cut(tape):
    """A planted cheat: the word is the most common one of the bars around."""
    bars = tape[0].bars

    def smoothed(part):
        code = regimes(part).regime.map({w: i for i, w in enumerate(("", *REGIMES))})
        return code.rolling(25, center=True, min_periods=1).median()

    whole, cut = smoothed(bars), smoothed(bars.iloc[:1_000])
    assert not cut.equals(whole.iloc[:1_000])


def test_regime_by_filter_when_the_future_is_cut_stays(tape):
    from smclab.regime import HmmConfig

    bars, how = tape[0].bars.iloc[:1_500], HmmConfig(fit_bars=300, refit_bars=600, n_iter=2)
    whole = hmm_regimes(bars, hmm=how)
    pd.testing.assert_frame_equal(hmm_regimes(bars.iloc[:1_201], hmm=how), whole.iloc[:1_201])
    assert set(whole.regime) > {""}


def test_policy_without_regimes_decides_as_if_there_were_none(tape):
    reading, _, context = tape
    for policy in (
        preset("v1"),
        Policy(),
        Policy.from_dict({"preset": "v1", "by_regime": {"enabled": True, "range_add_rr": 2}}),
    ):
        decided = decide_all(reading, context, policy, setups=ANY)
        blind = decide_all(reading, dataclasses.replace(context, regimes=None), policy, setups=ANY)
        assert len(decided) > 20
        for a, b in zip(decided, blind, strict=True):
            assert (a.outcome, a.ticket, a.confidence) == (b.outcome, b.ticket, b.confidence)
            assert [v.passed for v in a.verdicts] == [v.passed for v in b.verdicts]


def test_policy_with_regimes_asks_for_more_where_it_says_so(tape):
    reading, _, context = tape
    policy = Policy.from_dict({"by_regime": {"enabled": True, "range_add_rr": 1.5}})
    plain, strict = (decide_all(reading, context, p, setups=ANY) for p in (Policy(), policy))
    words = {d.setup_id: d.verdicts[1].evidence.get("regime", "") for d in strict}
    assert set(words.values()) >= {"range", "trend"}
    for a, b in zip(plain, strict, strict=True):
        more = 1.5 if words[b.setup_id] in ("range", "") else 0.0
        assert b.verdicts[9].evidence["min_rr"] == pytest.approx(a.verdicts[9].evidence["min_rr"] + more)


def test_decide_at_one_bar_knows_the_regime_the_tape_knows(tape):
    reading, found, context = tape
    policy = Policy.from_dict({"by_regime": {"enabled": True, "trend_add_rr": 0.5}})
    bulk = {(d.setup_id, d.time): d for d in decide_all(reading, context, policy, setups=ANY, pending=True)}
    at = reading.at(pd.Timestamp(found["time"].iloc[-1]))
    for d in decide(at, context, policy, setups=ANY):
        assert d.hash() == bulk[d.setup_id, d.time].hash()
