"""Parameters that one run has otherwise than conf: `--set policy.risk.stop_atr=2`, `--policy shadow`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any

import yaml

from smcdesk.decisions.inputs import fill_rules, higher_timeframes, setup_config
from smcdesk.project.config import load_config
from smclab.account import Account
from smclab.candles import BadConfig, nearest
from smclab.policy import Policy, preset
from smclab.timeframes import Config

OF_CONF = ("symbols", "profiles")  # what a market is: not of one run
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", list: "a list such as [1, 2]"}


def overrides(
    pairs: Iterable[str],  # key=value, keys as in conf's parameters with dots between
    policy: str | None = None,  # a preset; conf's other lines of the policy are laid on it
    env: str | None = None,
) -> dict[str, Any]:  # runtime parameters, nested as conf is
    "What the pairs say, each value in the type that conf has there; unknown keys are refused with the nearest."
    changes: dict[str, Any] = {}
    if policy is not None:
        preset(policy)
        changes = {"policy": {"preset": policy}}
    tree = _settable(merged(load_config(env).parameters, changes))
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign or not name.strip():
            raise BadConfig(f"--set {pair}: expected key=value, such as --set policy.risk.stop_atr=2")
        keys = _keys(tree, name.strip())
        value: Any = _typed(name.strip(), text.strip(), _at(tree, keys))
        for key in reversed(keys):
            value = {key: value}
        changes = merged(changes, value)
    if changes:
        _check(merged(load_config(env).parameters, changes))
    return changes


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    "Two nested mappings as one, block by block; what `over` says counts."
    both = {k: merged(base[k], v) if isinstance(v, Mapping) and isinstance(base.get(k), Mapping) else v
            for k, v in over.items()}  # fmt: skip
    return {**base, **both}


def _settable(parameters: Mapping[str, Any]) -> dict[str, Any]:
    "Conf's parameters with what the Lab's settings have beside what conf writes; what a market is stands in conf."
    p = {name: value for name, value in parameters.items() if name not in OF_CONF}
    p["policy"] = {**Policy.from_dict(p["policy"]).to_dict(), "preset": p["policy"].get("preset", "")}
    p["reading"] = merged(Config.from_dict(p["reading"]).to_dict(), p["reading"])
    setups = setup_config(p["setups"], p["confluence"]["htf"]).to_dict()
    p["setups"] = {k: v for k, v in setups.items() if k != "htf"}
    return p


def _leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[str]:
    "The dotted name of every value."
    for key, value in tree.items():
        name = f"{path}{key}"
        yield from _leaves(value, f"{name}.") if isinstance(value, Mapping) and value else [name]


def _keys(tree: Mapping[str, Any], name: str) -> list[str]:
    "The keys that lead to a value by its dotted name; a key may hold dots itself."
    for key, value in tree.items():
        if name == key and not isinstance(value, Mapping):
            return [key]
        if isinstance(value, Mapping) and name.startswith(f"{key}."):
            rest = name[len(key) + 1 :]
            if any(leaf == rest for leaf in _leaves(value)):
                return [key, *_keys(value, rest)]
    raise BadConfig(_unknown(tree, name))


def _unknown(tree: Mapping[str, Any], name: str) -> str:
    "Why a name cannot be set: it is a block, a symbol's, or there is none; with the nearest that can."
    leaves = list(_leaves(tree))
    if inside := [leaf for leaf in leaves if leaf.startswith(f"{name}.")]:
        return f"--set {name}: that is a block of settings: name one of them, such as {inside[0]}"
    if (head := name.partition(".")[0]) in OF_CONF:
        return f"--set {name}: {head} are the same in every run: change conf, or smcdesk symbols add FILE"
    same_end = [leaf for leaf in leaves if leaf.endswith(f".{name.rpartition('.')[2]}")]
    hint = f"; did you mean {same_end[0]!r}?" if len(same_end) == 1 else nearest(name, leaves)
    return f"--set {name}: conf has no such parameter{hint}"


def _at(tree: Mapping[str, Any], keys: list[str]) -> Any:
    "The value at the end of some keys."
    found: Any = tree
    for key in keys:
        found = found[key]
    return found


def _typed(name: str, text: str, now: Any) -> Any:
    "The text in the type of the value that is there now; where that is null, as YAML reads it."
    kind = list if isinstance(now, list | tuple) else type(now)
    value: Any = None
    if kind is bool:
        value = _TRUTH.get(text.lower())
    elif kind is int:
        value = int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else None
    elif kind is float:
        value = float(text) if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", text) else None
        value = value if value is not None and isfinite(value) else None
    elif kind is str:
        return text
    else:
        value = _yaml(text)
        if kind is not list:
            return value
        value = value if isinstance(value, list) else None
    if value is None:
        raise BadConfig(f"--set {name}: expected {_KINDS[kind]} (it is {str(now)[:60]} now), found {text!r}")
    return value


def _yaml(text: str) -> Any:
    "The text as YAML; itself where it is none."
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _check(parameters: Mapping[str, Any]) -> None:
    "Refuse what the Lab's settings would refuse, before anything runs."
    p = parameters
    policy = Policy.from_dict(p["policy"])
    Config.from_dict(p["reading"])
    setup_config(p["setups"], p["confluence"]["htf"])
    higher_timeframes(p["timeframes"], p["confluence"]["htf"])
    Account.from_dict(p["account"])
    fill_rules(p["rules"], policy)
