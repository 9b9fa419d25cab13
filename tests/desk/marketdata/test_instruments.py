"""An instrument is a shipped profile, changed by conf."""

import pytest

from smcdesk.marketdata.instruments import configured_instrument
from smclab.candles import BadConfig


def test_conf_changes_a_shipped_profile_and_misspells_none():
    changed = configured_instrument(
        "XAUUSD", {"GOLD": {"max_leverage": 50, "killzone_windows": ["ny 07:00-10:00 UTC"]}}, "GOLD"
    )
    assert (changed.symbol, changed.max_leverage, changed.killzone_windows) == ("GOLD", 50.0, ("ny 07:00-10:00 UTC",))
    assert (
        configured_instrument("XAUUSD", {}, "GOLD").tick
        == configured_instrument("XAUUSD", {"GOLD": None}, "GOLD").tick
        == changed.tick
    )
    with pytest.raises(BadConfig, match="did you mean 'max_leverage'"):
        configured_instrument("XAUUSD", {"GOLD": {"max_leverge": 50}}, "GOLD")
