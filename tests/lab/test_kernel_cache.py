"""Where neither the package's folder nor the user's cache can be written, kernels are stored in a temporary folder."""

from pathlib import Path

import pytest
from numba import config, njit
from numba.core import caching

from smclab import candles, classifier, events, labels, matching, regime, tapes


def test_kernels_find_a_place_where_nothing_can_be_written(monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", "")
    monkeypatch.setattr(candles, "_own_cache", [])
    only = [locator for locator in caching.CacheImpl._locator_classes if "UserProvided" in locator.__name__]
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", only)
    with pytest.raises(RuntimeError, match="no locator available"):
        njit(cache=True)(candles.nearest)
    with pytest.warns(UserWarning, match="neither the package's folder nor the user's cache can be written") as found:
        candles.settle_kernel_cache()
        candles.settle_kernel_cache()
    assert len(found) == 1 and Path(config.CACHE_DIR).is_dir()
    njit(cache=True)(candles.nearest)


@pytest.mark.parametrize("room", [classifier, events, labels, matching, regime, tapes], ids=lambda room: room.__name__)
def test_every_room_that_compiles_asks_for_a_place_first(room):
    words = Path(room.__file__).read_text(encoding="utf-8")
    own, first = words.find("settle_kernel_cache()"), words.find("njit(")
    assert 0 < own < first or "from .execution import" in words  # which reads the events before
