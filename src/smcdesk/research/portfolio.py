"""What a shared replay came to, whole and by symbol, and what the portfolio refused."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from smclab.portfolio import Portfolio
from smclab.scorecard import by, scorecard


def card(portfolio: Portfolio, n_boot: int, seed: int) -> pd.DataFrame:
    "The scorecard of the whole purse; bars are the instants of the shared clock, days are UTC."
    clock = portfolio.equity.index
    bars = {f"{end}_bar": clock.searchsorted(portfolio.trades[f"{end}_time"]) for end in ("entry", "exit")}
    whole = {"trades": portfolio.trades.assign(**bars), "equity": portfolio.equity}
    told = SimpleNamespace(**whole, start_equity=portfolio.start_equity)
    return scorecard(told, portfolio.equity, n_boot=n_boot, seed=seed)


def by_symbol(portfolio: Portfolio, n_boot: int, seed: int) -> pd.DataFrame:
    "What each symbol added, with the orders it sent and those the portfolio did not carry."
    told = by(portfolio, "symbol", n_boot=n_boot, seed=seed).reindex(list(portfolio.ledgers)).rename_axis("symbol")
    sent = {s: int(led.orders["order_id"].str.endswith(":entry").sum()) for s, led in portfolio.ledgers.items()}
    no = portfolio.refusals["symbol"].value_counts()
    counts = {"trades_n": told["trades_n"].fillna(0).astype(int), "pnl": told["pnl"].fillna(0.0)}
    return told.assign(**counts, entries_n=pd.Series(sent), refused_n=[int(no.get(s, 0)) for s in told.index])


def refused(portfolio: Portfolio) -> pd.DataFrame:  # symbol, reason, n, and the newest sentence
    "Why the portfolio said no, by symbol."
    parts = portfolio.refusals.groupby(["symbol", "reason"], sort=True)
    rows = [[*key, len(part), part["text"].iloc[-1]] for key, part in parts]
    return pd.DataFrame(rows, columns=["symbol", "reason", "n", "example"])
