"""Every symbol's orders in; what they become on one clock and out of one account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from kedro.pipeline import Pipeline, node

from smcdesk import figures
from smcdesk.decisions.inputs import fill_rules
from smcdesk.pipelines.namespace import namespaced
from smcdesk.pipelines.replay import metrics, order_nodes
from smclab import portfolio
from smclab.account import Account
from smclab.execution import Costs
from smclab.instruments import Instrument
from smclab.policy import Policy
from smclab.portfolio import Market, Portfolio, replay_portfolio

NAME = "portfolio"  # of the namespace, and of the folders its results are in


def market(bars: pd.DataFrame, intents: pd.DataFrame, instrument: Instrument, costs: Costs) -> Market:
    "One symbol's bars, orders and costs, as the portfolio replay takes them."
    return Market(bars, intents, instrument, costs)


def shared(account: Account, policy: Policy, rules: Mapping[str, Any], *markets: Market) -> Portfolio:
    "All symbols' orders, in order of time, each sized and limited by the account as the others have left it."
    by_symbol = {one.instrument.symbol: one for one in markets}
    return replay_portfolio(by_symbol, account, policy, rules=fill_rules(rules, policy))


def tables(portfolio: Portfolio) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    "Trades, orders, equity and refusals of all symbols."
    return portfolio.trades, portfolio.orders, portfolio.equity, portfolio.refusals


def create_pipeline(symbols: Iterable[str]) -> Pipeline:
    "Readings of all symbols to one ledger, and what it is worth."
    symbols = list(symbols)
    own = ["entry_bars", "intents", "instrument", "costs"]
    one = node(market, own, "market_of_portfolio", name="market_of_portfolio")
    each = [namespaced(s, [*order_nodes(s), one]) for s in symbols]
    inputs = ["account", "policy", "params:rules", *(f"{s}.market_of_portfolio" for s in symbols)]
    counted = ["shared", "params:scorecard.n_boot", "params:seed"]
    nodes = [
        node(Account.from_dict, "params:account", "account", name="account"),
        node(Policy.from_dict, "params:policy", "policy", name="policy"),
        node(shared, inputs, "shared", name="replay"),
        node(tables, "shared", ["trades", "orders", "equity", "refusals"], name="tables"),
        node(portfolio.portfolio_scorecard, counted, "scorecard", name="scorecard"),
        node(portfolio.by_symbol, counted, "by_symbol", name="by_symbol"),
        node(portfolio.refusal_counts, "shared", "refused", name="refused"),
        node(metrics, "scorecard", "metrics", name="metrics"),
        node(figures.portfolio_equity, "shared", "equity_chart", name="equity_chart"),
    ]
    joined = namespaced(NAME, nodes, inputs={f"{s}.market_of_portfolio" for s in symbols})
    return sum(each, joined)
