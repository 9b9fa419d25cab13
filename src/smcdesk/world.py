"""What a series' decisions hang on besides its candles and the clock: written down, and made again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from dataclasses import fields as fields_of
from functools import cached_property
from typing import Any

from smcdesk import project, registry
from smcdesk.pipelines.data import traded
from smcdesk.pipelines.decide import (
    higher_timeframes,
    setup_config,
    trading_costs,
    trading_rules,
)
from smclab.account import Account
from smclab.execution import Costs, Rules
from smclab.instruments import Instrument
from smclab.news import NewsCalendar
from smclab.policy import Policy
from smclab.reading import Config
from smclab.setups import SetupConfig


@dataclass(frozen=True)
class World:
    "Everything a series' decisions hang on besides its candles and the clock."

    instrument: Instrument
    account: Account
    policy: Policy
    config: Config
    above: tuple[str, ...]  # timeframes read above the series' own
    setups: SetupConfig
    costs: Costs
    news: NewsCalendar | None
    regime: Mapping[str, Any]  # how it is told, as conf says
    use: str = "none"  # conf's model.use
    champions: Mapping[str, str] = field(default_factory=dict)  # timeframe -> version, where one is used

    def to_dict(self) -> dict[str, Any]:
        "Plain values, from which the world can be made again."
        said = {f.name: getattr(self, f.name) for f in fields_of(self)}
        plain = {k: v.to_dict() if hasattr(v, "to_dict") else v for k, v in said.items()}
        if self.news is not None:
            plain["news"] = {f.name: getattr(self.news, f.name) for f in fields_of(self.news) if f.name != "_found"}
        return json.loads(json.dumps(plain))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> World:
        "The world that was written down."
        kinds = {"instrument": Instrument, "account": Account, "policy": Policy, "config": Config,
                 "setups": SetupConfig, "costs": Costs}  # fmt: skip
        known = {k: kinds[k].from_dict(v) if k in kinds else v for k, v in values.items()}
        news = values["news"] and NewsCalendar(**{k: _tupled(v) for k, v in values["news"].items()})
        return cls(**{**known, "above": tuple(values["above"]), "news": news or None})

    @cached_property
    def name(self) -> str:  # 16 hex digits
        "A fingerprint of every value."
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def reader_name(self) -> str:  # 16 hex digits
        "A fingerprint of what a reader hangs on: its configuration, its timeframes and its instrument."
        text = json.dumps([self.config.hash(), self.above, self.instrument.to_dict()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _tupled(x: Any) -> Any:
    "A list of JSON as the tuple it was."
    return tuple(x) if isinstance(x, list) else x


def worlds(
    env: str | None = None,
    symbols: Iterable[str] = (),  # none: every symbol of conf
) -> dict[str, World]:  # by symbol
    "What conf says about symbols."
    from smcdesk.providers.news import calendar

    said = project.config(env)
    p, catalog = said["parameters"], said["catalog"]
    names = [project.check_symbol(s, p["symbols"]) for s in symbols] or list(p["symbols"])
    news = calendar(catalog["news"]["news"], project.root()) if "news" in catalog else None
    policy, account = Policy.from_dict(p["policy"]), Account.from_dict(p["account"])
    config, htf = Config.from_dict(p["reading"]), p["confluence"]["htf"]
    above, setups = higher_timeframes(p["timeframes"], htf), setup_config(p["setups"], htf)
    made = {}
    for name in names:
        entry = p["symbols"][name]
        own = traded(entry["instrument"], p["profiles"], name)
        costs = trading_costs(own, p["costs"], entry.get("bars_side", "bid"))
        use = p["model"]["use"]
        found = registry.champions(name) if use == registry.CHAMPION else {}
        made[name] = World(own, account, policy, config, above, setups, costs, news, p["regime"], use, found)
    return made


def rules(env: str | None, policy: Policy) -> Rules:
    "How outcomes are told."
    return trading_rules(project.parameters(env)["rules"], policy)
