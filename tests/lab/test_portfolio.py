"""One clock and one account: a portfolio of one is a replay, sees no future, and never takes more room than it has."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from smclab import portfolio, tapes
from smclab.account import Account
from smclab.candles import COLUMNS, BadConfig
from smclab.execution import BACKTRADER_OCO, STRICT, Costs, Rules, intent_table
from smclab.instruments import instrument
from smclab.policy import Policy, PortfolioGate
from smclab.portfolio import Market, replay_portfolio
from smclab.replay import replay
from smclab.risk import size
from smclab.ticket import Ticket

ACCOUNT = Account(equity=10_000.0)
COSTS = Costs(spread_price=0.0001, slippage_price=0.00002, commission_per_unit=0.00003)
WIDE = {
    "max_positions": 10**6, "max_open_risk_pct": 1e9, "max_correlated_risk_pct": 1e9, "max_var_pct": 1e9,
    "daily_loss_limit_pct": 1e9,
}  # fmt: skip
FREE = Policy(portfolio_gate=PortfolioGate(**WIDE))
TIGHT = Policy(portfolio_gate=PortfolioGate(max_positions=2, daily_loss_limit_pct=1.0))
HISTORY = Policy(
    portfolio_gate=PortfolioGate(
        **WIDE | {"min_var_days": 3, "max_var_pct": 2.0, "max_correlated_risk_pct": 0.7, "correlation_above": 0.1}
    )
)
TABLES = ("trades", "orders", "fills", "journal", "equity")
# What only the end of a tape says.
AT_THE_END = ("open_at_end", "no_next_bar", "still_waiting")


def flips(bars: pd.DataFrame, seed: int, every: int = 7) -> pd.DataFrame:
    """Coin flips: market, limit and stop entries, some in two legs, some that only trail."""
    rng, rows = np.random.default_rng(seed), []
    reach = float((bars["high"] - bars["low"]).mean())
    for n in range(5, len(bars) - 1, every):
        side, close = int(rng.choice([-1, 1])), float(bars["close"].iloc[n])
        kind = str(rng.choice(["market", "limit", "stop"], p=[0.5, 0.3, 0.2]))
        entry = close + side * reach * {"market": 0.0, "limit": -0.5, "stop": 0.5}[kind]
        row = {"decision_bar": n, "side": side, "entry_type": kind, "entry_price": entry, "expiry_bar": n + 12}
        row |= {"stop_price": entry - side * 2 * reach, "setup_id": f"{seed}-{n}", "time_limit_bars": 40}
        draw = rng.random()
        if draw < 0.2:
            row |= {"trail_type": "close", "trail_price": 2 * reach}
        else:
            row |= {"target_price": entry + side * 3 * reach}
        if draw > 0.7:
            row |= {"fraction": 0.5, "target2_price": entry + side * 6 * reach, "stop2_price": row["stop_price"]}
            row |= {"trail2_type": "extreme", "trail2_price": 2 * reach}
        rows.append(row)
    return intent_table(rows)


def market(symbol: str, seed: int, n: int = 900, **shape) -> Market:
    bars = tapes.market(n, seed=seed, **shape)
    return Market(bars, flips(bars, seed), replace(instrument("EURUSD"), symbol=symbol), COSTS)


def workspace(n: int = 900) -> dict[str, Market]:
    return {"AAA": market("AAA", 1, n), "BBB": market("BBB", 2, n, week="24/7"), "CCC": market("CCC", 3, n)}


def mixed_desk() -> dict[str, Market]:
    long_bars = market("CCC", 3, 60, timeframe="4h")
    return {**workspace(), "CCC": replace(long_bars, intents=flips(long_bars.bars, 3, every=3), timeframe="4h")}


def alone(m: Market, account: Account = ACCOUNT, rules: Rules = STRICT):
    return replay(m.bars, m.intents, instrument=m.instrument, account=account, costs=m.costs, rules=rules)


def differing(one, other) -> list[str]:
    return [name for name in TABLES if not getattr(one, name).equals(getattr(other, name))]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rules", [STRICT, BACKTRADER_OCO, Rules(tie="target", volume_share_pct=5.0, cooldown_bars=0)])
def test_one_symbol_with_caps_wide_open_is_the_replay_bit_for_bit(seed, rules):
    m = market("AAA", seed, 1500)
    whole = replay_portfolio({"AAA": m}, ACCOUNT, FREE, rules=rules)
    expected = alone(m, rules=rules)
    assert len(expected.trades) > 50
    assert differing(whole.ledgers["AAA"], expected) == []
    assert whole.equity.equals(expected.equity) and whole.ledgers["AAA"].hash() == expected.hash()
    assert whole.refusals.empty


def test_two_symbols_that_never_meet_are_two_replays_in_a_row():
    one, two = market("AAA", 5, 600), market("BBB", 6, 600, start="2024-03-01")
    one = replace(one, intents=one.intents[one.intents["decision_bar"] < 500])  # the first ends flat
    whole = replay_portfolio({"BBB": two, "AAA": one}, ACCOUNT, FREE)
    first = alone(one)
    second = alone(two, replace(ACCOUNT, equity=float(first.equity["equity"].iloc[-1])))
    assert differing(whole.ledgers["AAA"], first) == differing(whole.ledgers["BBB"], second) == []
    assert whole.equity.equals(pd.concat([first.equity, second.equity]))


def rows_until(table: pd.DataFrame, reason: str, time: str, until: pd.Timestamp) -> pd.DataFrame:
    """Rows of bars that had closed by then, without what only the end of a tape says."""
    return table[~table[reason].isin(AT_THE_END) & (table[time] < until)].reset_index(drop=True)


def cut(markets: dict, now: pd.Timestamp, rng=None) -> dict:
    """The tapes with the bars that had closed by `now`; with `rng` another future follows."""
    out = {}
    for symbol, m in markets.items():
        n = int((m.bars.index + pd.Timedelta(m.timeframe or "15min") <= now).sum())
        bars, intents = m.bars.iloc[:n], m.intents[m.intents["decision_bar"] < n]
        if rng is not None:
            future = m.bars.iloc[n:]
            shift = future[list(COLUMNS[:4])] + np.round(np.cumsum(rng.normal(0, 1e-4, len(future))), 5)[:, None]
            bars = pd.concat([bars, future.assign(**shift)])
        out[symbol] = replace(m, bars=bars, intents=intents)
    return out


def sees_the_future(markets: dict, play, cuts: int = 5) -> str:
    """Where a portfolio did something that it could not have known to do; empty when it did not."""
    rng, whole = np.random.default_rng(0), play(markets)
    for now in sorted(rng.choice(whole.equity.index[100:], cuts, replace=False)):
        now = pd.Timestamp(now).tz_localize("UTC") if pd.Timestamp(now).tzinfo is None else pd.Timestamp(now)
        for name, futures in (("cut", None), ("future changed", rng)):
            part = play(cut(markets, now, futures))
            for symbol, m in markets.items():
                until = now - pd.Timedelta(m.timeframe or "15min") + pd.Timedelta("1ns")
                for table, reason, time in (("orders", "reason", "time"), ("trades", "exit_reason", "exit_time")):
                    a, b = (getattr(x.ledgers[symbol], table) for x in (whole, part))
                    if not rows_until(a, reason, time, until).equals(rows_until(b, reason, time, until)):
                        return f"{name} at {now}: {table} of {symbol}"
            n = int((whole.equity.index <= now).sum()) - 1
            if not whole.equity.iloc[:n].equals(part.equity.iloc[:n]):
                return f"{name} at {now}: equity"
    return ""


@pytest.mark.parametrize("policy", [FREE, TIGHT], ids=["free", "tight"])
@pytest.mark.parametrize("desk_of", [workspace, mixed_desk], ids=["15m", "15m and 4h"])
def test_a_portfolio_sees_no_future(policy, desk_of):
    assert sees_the_future(desk_of(), partial(replay_portfolio, account=ACCOUNT, policy=policy)) == ""


def test_a_bar_that_ends_before_its_time_is_caught(monkeypatch):
    """The planted cheat: every bar is over as soon as it opens."""
    honest = portfolio._closing
    monkeypatch.setattr(portfolio, "_closing", lambda m: (honest(m)[0], honest(m)[0] + 1))
    assert sees_the_future(mixed_desk(), partial(replay_portfolio, account=ACCOUNT, policy=TIGHT)) != ""


def test_returns_of_days_to_come_are_caught(monkeypatch):
    """The planted cheat: daily returns of the whole tape, whatever the time."""
    play = partial(replay_portfolio, account=ACCOUNT, policy=HISTORY)
    assert {"var", "correlated_risk"} <= set(play(workspace(1500)).refusals["reason"])
    assert sees_the_future(workspace(1500), play) == ""
    monkeypatch.setattr(portfolio.ReturnHistory, "at", lambda self, now: self.table)
    assert sees_the_future(workspace(1500), play) != ""


def test_a_long_bar_tells_nobody_how_it_ends_before_it_has():
    """AAA's 4-hour bar wins; BBB sizes inside it on what was there before, and after it on what was won."""
    long_bars = pd.DataFrame(
        {"open": 1.0, "high": [1.001, 1.03, 1.001, 1.001], "low": 0.999, "close": 1.0, "volume": 1.0},
        index=pd.date_range("2024-01-02", periods=4, freq="4h", tz="UTC", name="time").as_unit("ns"),
    )
    quiet = tapes.market(60, seed=1, timeframe="15m", start="2024-01-02")
    quiet.loc[:, ["open", "high", "low", "close"]] = 1.1
    wish = {"side": 1, "entry_price": 1.0, "stop_price": 0.98, "target_price": 1.02, "risk_pct": 1.0, "decision_bar": 0}
    small = {**wish, "entry_price": 1.1, "stop_price": 1.09, "target_price": 1.2, "time_limit_bars": 1}
    inside, after = {**small, "decision_bar": 25}, {**small, "decision_bar": 33}
    profile = replace(instrument("EURUSD"), max_leverage=100.0)
    markets = {
        "AAA": Market(long_bars, intent_table([wish]), replace(profile, symbol="AAA"), Costs(), "4h"),
        "BBB": Market(quiet, intent_table([inside, after]), replace(profile, symbol="BBB"), Costs()),
    }
    whole = replay_portfolio(markets, replace(ACCOUNT, equity=1e6), FREE)
    assert whole.ledgers["BBB"].trades["size"].tolist() == [1_000_000.0, 1_010_000.0]


def test_every_size_is_measured_on_the_shared_equity_of_its_instant():
    markets = workspace(1500)
    whole = replay_portfolio(markets, ACCOUNT, FREE)
    found = whole.equity["equity"].shift(1, fill_value=ACCOUNT.equity)
    filled = whole.orders.query("status == 'filled' and order_id.str.endswith(':entry') and order_type == 'market'")
    assert len(filled) > 100
    for order in filled.itertuples():
        m = markets[order.symbol]
        row = m.intents.set_index("intent_id").loc[order.intent_id]
        stop = round(row.stop_price / m.instrument.tick) / round(1 / m.instrument.tick)
        fill = m.bars["open"].loc[order.time] + (COSTS.ask_offset if row.side > 0 else COSTS.bid_offset)
        fill += row.side * COSTS.slippage_price
        ticket = Ticket(row.side, row.entry_price, stop, 2.0, abs(row.entry_price - stop), 0.0, row.risk_pct)
        units, _ = size(
            ticket, replace(ACCOUNT, equity=float(found.loc[order.time])), m.instrument, FREE, fill_price=fill
        )
        assert order.size == units


def test_caps_hold_at_every_instant_and_every_refusal_is_an_order():
    markets = workspace(1500)
    whole = replay_portfolio(
        markets, ACCOUNT, replace(TIGHT, portfolio_gate=replace(FREE.portfolio_gate, max_positions=2))
    )
    sides = pd.DataFrame({s: ledger.journal["side"] != 0 for s, ledger in whole.ledgers.items()})
    assert int(sides.sort_index().ffill().fillna(False).astype(bool).sum(axis=1).max()) == 2
    assert set(whole.refusals["reason"]) == {"max_positions"}
    tight = replay_portfolio(markets, ACCOUNT, TIGHT)
    assert set(tight.refusals["reason"]) == {"max_positions", "daily_loss"}
    for p in (whole, tight):
        matched = p.orders.merge(p.refusals, on=["symbol", "intent_id", "time", "reason"])
        assert (
            len(matched) == len(p.refusals) and (matched["status"] == "refused").all() and (matched["size"] == 0).all()
        )
        requested = p.orders[p.orders["order_id"].str.endswith(":entry")].groupby("symbol").size()
        assert requested.to_dict() == {s: len(m.intents) for s, m in markets.items()}  # every intent has its answer


def test_the_order_of_the_mapping_does_not_matter():
    markets = workspace()
    one, other = (replay_portfolio(m, ACCOUNT, TIGHT) for m in (markets, dict(reversed(markets.items()))))
    assert list(one.ledgers) == list(other.ledgers) == ["AAA", "BBB", "CCC"]
    assert one.equity.equals(other.equity) and one.orders.equals(other.orders)


def test_shared_equity_is_the_sum_of_every_trade_at_every_instant():
    yen = tapes.market(900, seed=4, price=150.0, tick=0.001)
    terms = Costs(spread_price=0.01, commission_per_unit=0.00003)
    markets = workspace() | {"USDJPY": Market(yen, flips(yen, 4), instrument("USDJPY"), terms)}
    whole = replay_portfolio(markets, replace(ACCOUNT, rates=(("JPY", 1 / 150),)), FREE)
    total = pd.Series(ACCOUNT.equity, whole.equity.index)
    for t in whole.trades.itertuples():
        m, worth = markets[t.symbol], 1 / 150 if t.symbol == "USDJPY" else 1.0
        mark = m.bars["close"] + (m.costs.bid_offset if t.side > 0 else m.costs.ask_offset)
        won = worth * t.side * t.size * (mark - t.entry_price) - t.size * m.costs.commission_per_unit
        if t.exit_reason != "open_at_end":
            won.iloc[t.exit_bar :] = t.pnl
        won.iloc[: t.entry_bar] = 0.0
        total += won.reindex(total.index, method="ffill").fillna(0.0)
    assert len(whole.trades) > 200
    np.testing.assert_allclose(whole.equity["equity"], total, rtol=1e-9)


def test_an_account_that_has_lost_everything_is_refused_and_the_clock_goes_on():
    markets = workspace()
    long = replay_portfolio(markets, ACCOUNT, FREE).ledgers["AAA"].trades.query("side > 0 and bars_held > 3").iloc[0]
    bars = markets["AAA"].bars.copy()
    bars.iloc[long["entry_bar"] + 1 :, :4] = 0.00001  # gone overnight, far beyond the stop
    whole = replay_portfolio(markets | {"AAA": replace(markets["AAA"], bars=bars)}, ACCOUNT, FREE)
    after = whole.orders[whole.orders["time"] > bars.index[long["entry_bar"] + 1]]
    assert whole.equity["equity"].iloc[-1] < 0 and "no_equity" in set(after["reason"])
    assert after.query("status == 'filled' and order_type == 'market' and order_id.str.endswith(':entry')").empty


@pytest.mark.parametrize("sizing", [{"risk_pct": 1.0}, {"capital_pct": 40.0, "leverage": 20.0}])
def test_leverage_is_the_accounts_and_not_each_trades(sizing):
    """Three wishes of eight times the equity each, with room for ten in all."""
    quiet = tapes.market(60, seed=1, start="2024-01-02")
    quiet.loc[:, list(COLUMNS[:4])] = 1.0
    wish = {"side": 1, "entry_price": 1.0, "stop_price": 0.99875, "target_price": 1.1, "decision_bar": 5, **sizing}
    profile = replace(instrument("EURUSD"), max_leverage=10.0)
    markets = {
        s: Market(quiet, intent_table([{**wish, "setup_id": s}]), replace(profile, symbol=s), Costs())
        for s in ("AAA", "BBB", "CCC")
    }
    whole = replay_portfolio(markets, replace(ACCOUNT, equity=1e5), FREE)
    entries = whole.orders[whole.orders["order_id"].str.endswith(":entry")]
    assert entries["size"].tolist() == [800_000.0, 200_000.0, 0.0]
    assert entries["reason"].tolist() == ["", "capped_by_leverage", "leverage"]
    rich = replace(ACCOUNT, equity=1e5)
    alone_each = [
        replay(m.bars, m.intents, instrument=m.instrument, account=rich, costs=m.costs) for m in markets.values()
    ]
    assert [ledger.trades["size"].tolist() for ledger in alone_each] == [[800_000.0]] * 3


def test_a_portfolio_does_not_look_inside_its_bars():
    with pytest.raises(BadConfig, match="replay each symbol alone"):
        replay_portfolio(workspace(200), ACCOUNT, FREE, rules=Rules(tie="sub_bar"))
