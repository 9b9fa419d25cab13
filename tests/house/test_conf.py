"""Conf and code agree: every parameter is used, every entry belongs to a pipeline, values build what they configure."""

import pytest
from kedro.pipeline import Pipeline

from smcdesk.marketdata import sources
from smcdesk.project.config import load_config
from smclab.candles import BadConfig

ENVS = ("base", "test", "paper", "live")


def leaves(values, path=""):
    """Every plain value's dotted name."""
    for key, value in values.items():
        name = f"{path}.{key}".lstrip(".")
        yield from leaves(value, name) if isinstance(value, dict) else [name]


def graph(parameters):
    from smcdesk import pipeline_registry

    pipeline_registry.select_symbols(parameters["symbols"])
    return sum(pipeline_registry.register_pipelines().values(), Pipeline([]))


def unused(parameters):
    """Parameters no node takes; a symbol's file is read by its dataset, `send` and the portfolio's symbols by hooks."""
    taken = [n.removeprefix("params:") for n in graph(parameters).inputs() if n.startswith("params:")]
    files = {f"symbols.{s}.{key}" for s in parameters["symbols"] for key in ("source", "zone", "spread")}
    read = (*taken, *files, "send", "portfolio.symbols")
    return [n for n in leaves(parameters) if not any(n == r or n.startswith(f"{r}.") for r in read)]


def orphans(parameters, catalog):
    """Catalog entries that no pipeline reads or writes."""
    names = graph(parameters).datasets()
    symbols = list(parameters["symbols"])
    return [entry for entry in catalog if not {entry.format(symbol=s) for s in symbols} & names]


@pytest.mark.parametrize("env", ENVS)
def test_every_parameter_is_used_and_every_catalog_entry_belongs_to_a_pipeline(house, env):
    conf = load_config(env)
    assert unused(conf.parameters) == []
    assert orphans(conf.parameters, conf.catalog) == []


def test_a_stray_parameter_and_a_stray_entry_are_noticed(house):
    conf = load_config("test")
    parameters = {**conf.parameters, "charts": {"n_bars": 1, "colour": "red"}}
    assert unused(parameters) == ["charts.colour"]
    assert orphans(parameters, {**conf.catalog, "{symbol}.dreams": {}}) == ["{symbol}.dreams"]


@pytest.mark.parametrize("env", ENVS)
def test_conf_values_build_what_they_configure(house, env):
    from smcdesk.decisions.inputs import fill_rules, trading_costs
    from smclab.account import Account
    from smclab.instruments import instrument
    from smclab.policy import Policy
    from smclab.setups import SetupConfig
    from smclab.timeframes import Config

    p = load_config(env).parameters
    Config.from_dict(p["reading"]), SetupConfig.from_dict(p["setups"]), Account.from_dict(p["account"])
    fill_rules(p["rules"], Policy.from_dict(p["policy"]))
    for symbol, entry in p["symbols"].items():
        found = sources.symbol_config(symbol, entry)
        trading_costs(instrument(found.instrument), p["costs"], found.bars_side)
    for profile in ("default_fx", "default_metal", "default_crypto", "default_equity"):
        assert trading_costs(instrument(profile), p["costs"], "bid").spread_price > 0
    with pytest.raises(BadConfig, match=r"costs\.fx has no setting 'comission_pct'; did you mean 'commission_pct'"):
        trading_costs(instrument("EURUSD"), {"fx": {**p["costs"]["fx"], "comission_pct": 0.9}}, "bid")
    assert p["send"] is False
