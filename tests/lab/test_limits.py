"""A limit order waits until it is filled; setups, replay, simulator, sweep and labels say the same of it."""

import numpy as np
import pandas as pd
import pytest

from smclab.account import Account
from smclab.decision import decide_all
from smclab.execution import Costs, intent_table, intents
from smclab.gates import Context
from smclab.instruments import instrument
from smclab.labels import barrier_outcomes
from smclab.policy import Policy
from smclab.reader import read
from smclab.replay import Simulator, replay
from smclab.setups import SetupConfig, candidates
from smclab.sweep import sweep
from smclab.tapes import market

OFTEN = Policy.from_dict({"preset": "v1", "stop_cap": {"instrument_cap": False, "max_stop_atr": 8.0},
                          "risk": {"min_rr_b": 1.0}})  # fmt: skip
SETUPS = SetupConfig(confirm="any", zones=("gap", "order_block", "breaker"), volatility_bars=100)


def game(profile, spread: float) -> dict:
    "What a replay is given beside bars and intents; the account refuses nothing."
    return {"instrument": profile, "account": Account(equity=1e6), "costs": Costs(spread_price=spread),
            "max_risk_pct": 100.0}  # fmt: skip


def pound(*lows: float) -> pd.DataFrame:
    "Bid candles of the pound, quarter hours that open and close at 1.29150."
    time = pd.date_range("2024-03-13 08:00", periods=len(lows), freq="15min", tz="UTC", name="time").as_unit("ns")
    rows = [(1.29150, 1.29160, low, 1.29150, 1.0) for low in lows]
    return pd.DataFrame(rows, columns=["open", "high", "low", "close", "volume"], index=time)


def test_pound_that_nears_its_limit_is_bought_four_hours_later():
    spread, calm = 0.00012, 1.29140
    bars = pound(calm, 1.29121, *[calm] * 15, 1.29110, calm)  # an ask of 1.29133, and at bar 17 one of 1.29122
    order = {"decision_bar": 0, "side": 1, "entry_type": "limit", "entry_price": 1.29123, "stop_price": 1.29023,
             "target_price": 1.29500, "expiry_bar": 48, "zone_low": 1.29073, "zone_high": 1.29136}  # fmt: skip
    sent, terms = intent_table([order]), game(instrument("GBPUSD"), spread)
    ledger = replay(bars, sent, **terms)
    assert ledger.trades[["entry_bar", "entry_price"]].values.tolist() == [[17, 1.29123]]
    live = Simulator(**terms).extend(bars.iloc[:1])
    pushed = [live.push(ns, *row, intents=sent if t == 1 else None)
              for t, (ns, row) in enumerate(zip(bars.index.asi8, bars.to_numpy(), strict=True)) if t]  # fmt: skip
    assert [t for t, orders in enumerate(pushed, 1) if orders] == [17] and live.ledger().hash() == ledger.hash()
    label = barrier_outcomes(pound(*bars["low"], *[calm] * 3), sent.rename(columns={"decision_bar": "known_bar"}),
                             costs=terms["costs"], tick=0.00001, time_limit_bars=2)  # fmt: skip
    assert label[["reason", "entry_bar", "end_bar"]].values.tolist() == [["time", 17, 19]]
    short, missed = ({**order, **{"expiry_bar": last}} for last in (17, 16))
    assert [len(replay(bars, intent_table([o]), **terms).trades) for o in (short, missed)] == [1, 0]
    grid = pd.DataFrame({"time_limit_bars": [1, 1]})
    assert sweep(bars, sent, grid, **terms)[0]["trades_n"].tolist() == [1, 1]


@pytest.fixture(scope="module", params=[("EURUSD", 1.10, 0.00001, 4), ("XAUUSD", 2400.0, 0.01, 5)])
def tape(request):
    symbol, price, tick, seed = request.param
    bars, profile = market(2500, seed=seed, price=price, tick=tick), instrument(symbol)
    reading = read(bars, instrument=profile, timeframes=("1h", "4h"))
    context = Context(profile, Account(equity=1e6), profile.typical_spread)
    return bars, profile, reading, decide_all(reading, context, OFTEN, setups=SETUPS, pending=True)


@pytest.mark.parametrize("spreads", [0, 1, 4])
def test_labels_and_replay_agree_on_what_filled(tape, spreads):
    bars, profile, _, reviews = tape
    first = {d.setup_id: d for d in reversed(reviews)}
    sent = intents(first.values(), bars, modes=("limit",), reviews=reviews)
    terms = game(profile, spreads * profile.typical_spread)
    labels = barrier_outcomes(bars, sent.rename(columns={"decision_bar": "known_bar"}), costs=terms["costs"],
                              tick=profile.tick)  # fmt: skip
    ledgers = [replay(bars, sent.iloc[[k]], **terms) for k in range(len(sent))]
    ours = labels["entry_bar"].where(labels["reason"] != "open", np.nan)
    for ledger, label, entry in zip(ledgers, labels.itertuples(), ours, strict=True):
        done = ledger.closed["entry_bar"].tolist()
        assert done == ([] if label.reason in ("open", "never_filled") else [entry])
        assert label.reason == "open" or (len(ledger.trades) == 0) == (label.reason == "never_filled")
    filled = labels[~labels["reason"].isin(["open", "never_filled"])]
    assert len(filled) > 15 and (labels["reason"] == "never_filled").sum() > 5


def plain_fill(bars, order, last, spread, tick):
    "The bar of a fill by `last`, looked for bar by bar in plain Python; None when there was none."
    for t in range(order.decision_bar + 1, min(last + 1, len(bars))):
        bar = bars.iloc[t]
        if order.side > 0 and round((order.entry_price - bar.low - spread) / tick, 6) >= 1:
            return t
        if order.side < 0 and round((bar.high - order.entry_price) / tick, 6) >= 1:
            return t
    return None


def test_limit_ends_by_a_look_that_says_so_and_by_nothing_else(tape):
    bars, profile, _, reviews = tape
    spread, times = 4 * profile.typical_spread, bars.index.asi8
    first = {d.setup_id: d for d in reversed(reviews)}
    sent = intents(first.values(), bars, modes=("limit",), reviews=reviews)
    no = {}
    for d in reviews:
        if d.outcome != "live":
            no.setdefault(d.setup_id, int(np.searchsorted(times, d.time)))
    assert {d.verdicts[0].evidence["ends"] for d in reviews if d.ended} == {"zone_over", "superseded", "expired"}
    neared = 0
    for k, order in enumerate(sent.itertuples()):
        last = min(no.get(order.setup_id, len(bars)), order.decision_bar + OFTEN.limit_expiry_bars)
        found = replay(bars, sent.iloc[[k]], **game(profile, spread)).trades["entry_bar"].tolist()
        refused = profile.tick / 2 > order.side * (bars["open"].iloc[order.decision_bar + 1] - order.stop_price)
        wanted = None if refused else plain_fill(bars, order, last, spread, profile.tick)
        assert found == [] if wanted is None else found == [wanted]
        near = bars["low"] if order.side > 0 else -bars["high"]
        waited = near.iloc[order.decision_bar + 1 : wanted or last + 1]
        neared += wanted is not None and (waited <= order.side * order.entry_price).any()
    assert neared > 5  # they would have been dropped where price came near


def test_setup_is_looked_at_on_every_bar_until_it_is_filled_or_over(tape):
    bars, profile, reading, _ = tape
    table = candidates(reading, profile, SETUPS, pending=True).query("mode == 'limit'")
    low, high = bars["low"].to_numpy() + profile.typical_spread, bars["high"].to_numpy()
    neared = 0
    for _, rows in table.groupby("setup_id"):
        rests, over = rows[rows["ends"] == ""], rows[rows["ends"] != ""]
        entry, side, start = rests[["entry_price", "side", "known_bar"]].iloc[0]
        seen = rests["known_bar"].tolist()
        assert seen == list(range(int(start), int(start) + len(seen)))
        past = side * (entry - (low if side > 0 else high))
        assert (past[seen[1:]] < 0.99 * profile.tick).all()
        after = seen[-1] + 1
        assert after == len(bars) or past[after] > 0.99 * profile.tick or over["known_bar"].tolist() == [after]
        neared += (side * (entry - (low - profile.typical_spread if side > 0 else high))[seen[1:]] >= 0).any()
    assert neared > 3
