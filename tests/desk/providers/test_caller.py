"""The breaker and the pace of requests."""

import pytest

from smcdesk.providers import ProviderDown
from smcdesk.providers.caller import CircuitBreaker, TokenBucket


def test_breaker_rests_longer_each_time_and_recovers():
    now = [0.0]
    b = CircuitBreaker(2, 10.0, lambda: now[0])
    b.failed()
    assert b.state == "closed"
    b.failed()
    for rest_s in (10, 20, 40, 80, 160, 160):
        assert b.state == "open"
        with pytest.raises(ProviderDown) as error:
            b.check("venue")
        assert error.value.retry_after_s == pytest.approx(rest_s)
        now[0] += rest_s
        assert b.state == "half-open"
        b.check("venue")
        b.failed()
    now[0] += 160
    b.worked()
    assert b.state == "closed"


def test_pace_lets_ten_go_and_then_spreads_the_rest():
    now, slept = [0.0], []

    def sleep(s):
        slept.append(s)
        now[0] += s

    pace = TokenBucket(60, lambda: now[0], sleep)
    for _ in range(30):
        pace.take()
    assert len(slept) == 20 and now[0] == pytest.approx(20)
