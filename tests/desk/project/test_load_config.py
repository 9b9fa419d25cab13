"""Conf as one object an environment: parsed once, parsed again when it changed, and nobody's copy is another's."""

import pytest

from smcdesk.project import config
from smcdesk.project.config import load_config
from smcdesk.project.loader import ProjectConfigLoader
from smclab.candles import BadConfig


@pytest.fixture
def parses(house, monkeypatch):
    "Which parts were parsed, in order; nothing is loaded yet."
    parsed, parse = [], ProjectConfigLoader.__getitem__
    monkeypatch.setattr(config, "_loaded", {})
    monkeypatch.setattr(ProjectConfigLoader, "__getitem__", lambda self, key: parsed.append(key) or parse(self, key))
    return parsed


def counted(parses, kind):
    return [k for k in parses if k == kind]


def test_each_part_is_parsed_once_however_often_it_is_read(parses):
    for _ in range(3):
        conf = load_config("test")
        assert conf.parameters["seed"] == 7 and "MADEUP" in conf.globals["symbols"]
    assert len(counted(parses, "parameters")) == 1 and not counted(parses, "store")
    assert load_config("test") is load_config("test") and load_config(None) is load_config("base") is load_config("")


def test_every_part_can_be_read_in_every_environment(parses):
    for env in ("base", "test", "paper", "live"):
        conf = load_config(env)
        parts = ("parameters", "catalog", "globals", "providers", "store", "notify", "schedule")
        assert all(isinstance(getattr(conf, part), dict) and getattr(conf, part) for part in parts)


def test_a_copy_is_handed_out(parses):
    first = load_config("test").parameters
    first["symbols"].clear()
    first["seed"] = 99
    again = load_config("test").parameters
    assert again["seed"] == 7 and "MADEUP" in again["symbols"]


def test_a_changed_file_is_seen(house, parses):
    page = house / "conf/test/parameters.yml"
    before = page.read_text()
    assert load_config("test").parameters["seed"] == 7
    page.write_text(before.replace("seed: 7 ", "seed: 4711 "))
    try:
        assert load_config("test").parameters["seed"] == 4711
    finally:
        page.write_text(before)
    assert load_config("test").parameters["seed"] == 7 and len(counted(parses, "parameters")) == 3


def test_a_new_file_is_seen(house, parses):
    zone = load_config("test").schedule["zone"]
    page = house / "conf/test/schedule.yml"
    page.write_text("zone: Asia/Tokyo\n")
    try:
        assert load_config("test").schedule["zone"] == "Asia/Tokyo"
    finally:
        page.unlink()
    assert load_config("test").schedule["zone"] == zone


def test_a_changed_variable_is_seen(parses, monkeypatch, tmp_path):
    monkeypatch.setenv("SMCLAB_MLFLOW_URI", "sqlite:///one.db")
    one = load_config("test")
    monkeypatch.setenv("SMCLAB_MLFLOW_URI", "sqlite:///two.db")
    assert load_config("test") is not one
    monkeypatch.setenv("UNRELATED", "x")
    assert load_config("test") is load_config("test")


def test_runtime_parameters_are_merged_and_kept_apart(parses):
    other = load_config("test", {"policy": {"risk": {"stop_atr": 2.0}}}).parameters
    assert other["policy"]["risk"]["stop_atr"] == 2.0 and other["policy"]["risk"]["risk_pct"] == 0.5
    assert load_config("test").parameters["policy"]["risk"]["stop_atr"] == 1.2


def test_each_environment_has_its_own_values(parses):
    assert load_config("test").store["url"].endswith("store_test.db")
    assert load_config("paper").store["url"].endswith("store_paper.db")
    assert load_config("test").store["url"].endswith("store_test.db")


def test_an_unknown_environment_is_refused_with_the_nearest(parses):
    with pytest.raises(BadConfig, match="did you mean 'paper'"):
        load_config("papier")
