"""Parameters of one run: typed as conf has them, and refused with the nearest where there are none."""

import pytest

from smcdesk.decisions.overrides import merged, overrides
from smclab.candles import BadConfig


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ("policy.risk.stop_atr=2", {"policy": {"risk": {"stop_atr": 2.0}}}),
        ("policy.by_regime.enabled=yes", {"policy": {"by_regime": {"enabled": True}}}),  # conf does not write it
        ("seed=3", {"seed": 3}),
        ("confluence.ltf=4h", {"confluence": {"ltf": "4h"}}),
        ("timeframes=[1h, 4h]", {"timeframes": ["1h", "4h"]}),
        ("sweep.space.policy.risk.stop_atr=[1.5]", {"sweep": {"space": {"policy.risk.stop_atr": [1.5]}}}),
        ("tune.space.reading.gap.min_size.step=1e-1", {"tune": {"space": {"reading.gap.min_size": {"step": 0.1}}}}),
    ],
)
def test_value_has_the_type_conf_has_there(pair, expected):
    assert overrides([pair]) == expected


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        ("policy.risk.stop_art=2", "did you mean 'policy.risk.stop_atr'?"),
        ("stop_atr=2", "did you mean 'policy.risk.stop_atr'?"),
        ("policy.risk=2", "a block of settings: name one of them, such as policy.risk."),
        ("policy.risk.stop_atr=wide", "expected a number (it is 1.2 now), found 'wide'"),
        ("policy.risk.stop_atr=nan", "expected a number"),
        ("seed=1.5", "expected a whole number"),
        ("timeframes=1h", "expected a list"),
        ("policy.risk.risk_pct=5", "risk_pct must be <= max_risk_pct (1.0); found 5.0"),
        ("reading.structure.left=0", "left must be >= 1 bars"),
        ("policy.preset=shadwo", "did you mean 'shadow'?"),
        ("symbols.EURUSD.zone=UTC", "smcdesk symbols add FILE"),
        ("profiles.EURUSD.tick=1", "change conf"),
        ("policy.risk.stop_atr", "expected key=value"),
    ],
)
def test_wrong_pair_is_refused_in_a_sentence(pair, sentence):
    with pytest.raises(BadConfig) as refused:
        overrides([pair])
    assert sentence in str(refused.value)


def test_policy_is_a_preset_under_confs_other_lines():
    assert overrides([], "shadow") == {"policy": {"preset": "shadow"}}
    assert overrides(["policy.preset=owner"], "shadow") == {"policy": {"preset": "owner"}}
    with pytest.raises(BadConfig, match="did you mean 'shadow'"):
        overrides([], "shadwo")
    assert overrides([]) == {}


def test_merged_keeps_what_the_other_does_not_name():
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}, "e": {"f": 5}}) == {
        "a": {"b": 1, "c": 4}, "d": 3, "e": {"f": 5},
    }  # fmt: skip
