"""Two sources for one market: who answers, when they change, and what the journal says."""

import numpy as np
import pandas as pd
import pytest
from tapes import BTC, Flaky

from smcdesk.marketdata.calendars import expected_open_times
from smcdesk.marketdata.failover import FailoverProvider, Hysteresis, changes
from smcdesk.providers import ProviderDown
from smcdesk.providers.recorded import RecordedProvider


def test_failover_has_hysteresis_and_a_journal(tmp_path):
    now, a, b = [0.0], Flaky("a"), Flaky("b")
    both = FailoverProvider(
        a, b, hysteresis=Hysteresis(down_after=2, up_after=2, probe_s=100), journal=tmp_path / "failover.jsonl",
        clock=lambda: pd.Timestamp(now[0], unit="s", tz="UTC"), monotonic=lambda: now[0],
    )  # fmt: skip

    def ask():
        return both.latest("BTC", "15m", 1)

    assert ask() == "a" and both.name == "a+b"
    a.up = False
    assert ask() == "b" and both.active is a  # one stumble is answered, and changes nothing
    a.up = True
    assert ask() == "a"
    a.up = False
    assert [ask(), ask()] == ["b", "b"] and both.active is b
    a.up, calls = True, a.calls
    assert [ask(), ask()] == ["b", "b"] and a.calls == calls  # left alone until it is time to try
    now[0] = 100
    assert ask() == "a" and both.active is b  # one good answer is not enough
    now[0] = 150
    assert ask() == "b"
    now[0] = 200
    assert ask() == "a" and both.active is a and both.served_by == "a"
    changed = changes(tmp_path / "failover.jsonl")
    assert list(zip(changed["from"], changed["to"], strict=True)) == [("a", "b"), ("b", "a")]
    assert changed["time"].iloc[1] == pd.Timestamp(200, unit="s", tz="UTC")
    a.up = b.up = False
    with pytest.raises(ProviderDown, match=r"neither a .* nor b"):
        ask()


def test_a_source_that_stands_still_is_left_for_one_that_goes_on(tape):
    now = [tape.index[2000]]
    still, on = (
        RecordedProvider({"BTC": bars}, name=name, clock=lambda: now[0]) for name, bars in (("a", tape), ("b", tape))
    )
    both = FailoverProvider(
        still, on, clock=lambda: now[0], monotonic=lambda: 0.0, expected=lambda s: expected_open_times(BTC)
    )
    assert both.latest("BTC", "15m", 2).index[-1] == tape.index[1999] and both.served_by == "a"
    still._tapes = {"BTC": tape.iloc[:1996]}
    still._resampled.clear()
    assert both.latest("BTC", "15m", 2).index[-1] == tape.index[1999] and both.served_by == "b"
    assert len(both.history("BTC", "15m", tape.index[1997])) == 3 and both.active is on
    on._tapes = still._tapes
    on._resampled.clear()
    again = FailoverProvider(
        still, on, clock=lambda: now[0], monotonic=lambda: 0.0, expected=lambda s: expected_open_times(BTC)
    )
    assert again.latest("BTC", "15m", 2).index[-1] == tape.index[1995] and again.served_by == "a"  # both stand still


def test_flapping_changes_sides_far_less_often_than_it_flaps(tmp_path):
    now, a = [0.0], Flaky("a")
    both = FailoverProvider(a, Flaky("b"), journal=tmp_path / "j", monotonic=lambda: now[0])
    rng = np.random.default_rng(0)
    for k in range(2000):
        now[0], a.up = 60.0 * k, rng.random() < 0.5
        both.latest("BTC", "15m", 1)
    assert len(changes(tmp_path / "j")) < 2000 / 20
