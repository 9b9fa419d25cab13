"""The dataset of decisions knows its environment's store."""

import pytest

from smcdesk.project.config import load_config


@pytest.mark.parametrize("env", ["base", "test", "paper", "live"])
def test_every_environment_has_its_own_store_and_its_datasets_know_it(house, env):
    conf = load_config(env)
    assert conf.catalog["{symbol}.evaluated"]["env"] == env
    assert conf.store["rewrite"] is (env in ("base", "test"))
