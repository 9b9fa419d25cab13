"""What decisions depend on besides candles and the clock: the static part, the account, the calendar, the model.

The static part, `DecisionConfig`, changes when conf does; the others change with every fill and every fetch. Each is
written down by a hash of its own beside every bar a scan looks at, and parsed again from there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import fields as fields_of
from functools import cached_property
from typing import Any

from smcdesk.decisions.inputs import fill_rules, higher_timeframes, setup_config, trading_costs
from smcdesk.marketdata.instruments import configured_instrument
from smcdesk.modelling import registry
from smcdesk.project import paths
from smcdesk.project.config import check_symbol, load_config
from smcdesk.providers.economic_calendar import calendar
from smcdesk.store.journal import content_hash
from smclab.account import Account
from smclab.execution import Costs, Rules
from smclab.instruments import Instrument
from smclab.news import NewsCalendar
from smclab.policy import Policy
from smclab.settings import Settings
from smclab.setups import SetupConfig
from smclab.timeframes import Config

FORMAT = 2  # of what `DecisionConfig.to_dict` gives; 1 held the account and the calendar too


@dataclass(frozen=True)
class DecisionConfig:
    "The static part of what a symbol's decisions depend on."

    instrument: Instrument
    policy: Policy
    reader: Config
    timeframes: tuple[str, ...]  # read above the series' own
    setups: SetupConfig
    costs: Costs
    regime: Mapping[str, Any]  # how it is worked out, as conf says
    model_use: str = "none"  # conf's model.use

    def to_dict(self) -> dict[str, Any]:
        "Plain values, which `from_dict` parses again."
        return json.loads(self._text)

    @cached_property
    def _text(self) -> str:
        "The plain values as JSON: a scan of 500 symbols writes each down at every bar."
        values = {f.name: getattr(self, f.name) for f in fields_of(self)}
        plain = {k: v.hashed_dict() if isinstance(v, Settings) else v for k, v in values.items()}
        return json.dumps({"format": FORMAT, **plain})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DecisionConfig:
        "The configuration of `to_dict`'s values."
        kinds = {"instrument": Instrument, "policy": Policy, "reader": Config, "setups": SetupConfig, "costs": Costs}
        fields = {k: kinds[k].from_dict(v) if k in kinds else v for k, v in values.items() if k != "format"}
        return cls(**{**fields, "timeframes": tuple(values["timeframes"])})

    @cached_property
    def config_hash(self) -> str:  # 16 hex digits
        "A fingerprint of every value."
        return content_hash(self.to_dict())

    @cached_property
    def reader_hash(self) -> str:  # 16 hex digits
        "A fingerprint of what a reader depends on: its configuration, its timeframes and its instrument."
        text = json.dumps([self.reader.hash(), self.timeframes, self.instrument.to_dict()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class AccountSnapshot:
    "The account at the moment of a decision."

    account: Account

    @cached_property
    def account_hash(self) -> str:  # 16 hex digits
        "A fingerprint of every value."
        return content_hash(self.account.to_dict())


@dataclass(frozen=True)
class CalendarSnapshot:
    "The economic calendar at the moment of a decision."

    news: NewsCalendar | None  # None: there is none

    def to_dict(self) -> dict[str, Any] | None:
        "Plain values; None without a calendar."
        if self.news is None:
            return None
        fields = {f.name: getattr(self.news, f.name) for f in fields_of(self.news) if f.name != "_found"}
        return json.loads(json.dumps(fields))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> CalendarSnapshot:
        "The calendar of `to_dict`'s values."
        if values is None:
            return cls(None)
        return cls(NewsCalendar(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}))

    @cached_property
    def calendar_hash(self) -> str | None:  # 16 hex digits; None without a calendar
        "A fingerprint of every value."
        return None if self.news is None else content_hash(self.to_dict())


@dataclass(frozen=True)
class DecisionBasis:
    "Everything one series' decision depends on besides its candles and the clock."

    config: DecisionConfig
    account: AccountSnapshot
    calendar: CalendarSnapshot
    model_version: str | None = None  # of the champion to ask; "": there is none; None: conf asks for none


def load_decision_configs(
    env: str | None = None,
    symbols: Iterable[str] = (),  # none: every symbol of conf
) -> dict[str, DecisionConfig]:  # by symbol
    "The decision configuration of symbols, from conf."
    p = load_config(env).parameters
    names = [check_symbol(s, p["symbols"]) for s in symbols] or list(p["symbols"])
    policy, reader, htf = load_policy(env), Config.from_dict(p["reading"]), p["confluence"]["htf"]
    timeframes, setups = higher_timeframes(p["timeframes"], htf), setup_config(p["setups"], htf)
    configs = {}
    for name in names:
        entry = p["symbols"][name]
        own = configured_instrument(entry["instrument"], p["profiles"], name)
        costs = trading_costs(own, p["costs"], entry.get("bars_side", "bid"))
        use = p["model"]["use"]
        configs[name] = DecisionConfig(own, policy, reader, timeframes, setups, costs, p["regime"], use)
    return configs


def load_policy(env: str | None = None) -> Policy:
    "The policy conf names."
    return Policy.from_dict(load_config(env).parameters["policy"])


def load_account(env: str | None = None) -> AccountSnapshot:
    "The account conf names."
    return AccountSnapshot(Account.from_dict(load_config(env).parameters["account"]))


def load_calendar(env: str | None = None) -> CalendarSnapshot:
    "The economic calendar conf names, as it lies on disk now."
    catalog = load_config(env).catalog
    return CalendarSnapshot(calendar(catalog["news"]["news"], paths.root()) if "news" in catalog else None)


def champion_versions(configs: Mapping[str, DecisionConfig]) -> dict[str, dict[str, str]]:  # symbol -> timeframe -> it
    "The present champions of the symbols whose decisions use one."
    return {name: registry.champions(name) for name, config in configs.items() if config.model_use == registry.CHAMPION}


def load_fill_rules(env: str | None, policy: Policy) -> Rules:
    "The fill rules by which outcomes are worked out."
    return fill_rules(load_config(env).parameters["rules"], policy)
