"""How long replaying takes, alone and beside backtesting.py and backtrader: `python benchmarks/bench_replay.py`.

One run, one table: the same orders on the same bars, so the ratios may be quoted. backtrader comes with the extra `dev`;
backtesting.py 0.6.6 is measured where it is installed (`pip install backtesting==0.6.6`). `--quick` leaves the peers out.
"""

import argparse
import importlib.util
import itertools
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd

from smclab.execution import BACKTRADER_OCO, Costs, intent_table
from smclab.instruments import instrument
from smclab.parity import verify
from smclab.replay import replay, sweep
from smclab.risk import Account
from smclab.tapes import market

EURUSD, PURSE, FREE = instrument("EURUSD"), Account(equity=10_000.0), Costs()
DESK = {"instrument": EURUSD, "account": PURSE, "costs": FREE}
UNITS = 1000
FIRST_CALL = """
import time
start = time.perf_counter()
import numpy as np
import pandas as pd
from smclab import Account, instrument
from smclab.execution import Costs, intent_table
from smclab.replay import replay, sweep
from smclab.tapes import market
bars = market(2_000, seed=1)
row = {"decision_bar": 100, "side": 1, "entry_price": bars.close.iloc[100], "stop_price": bars.close.iloc[100] - 0.001}
desk = {"instrument": instrument("EURUSD"), "account": Account(equity=10_000.0), "costs": Costs()}
replay(bars, intent_table([row]), **desk)
print(time.perf_counter() - start)
sweep(bars, intent_table([row]), pd.DataFrame({"stop_scale": [1.0, 2.0]}), **desk)
print(time.perf_counter() - start)
"""
MEMORY = """
import resource
from bench_replay import DESK, coin_flips, grid, sweep
from smclab.tapes import market
bars = market(20_000, seed=1)
orders = coin_flips(bars, 20)
sweep(bars, orders, grid(), **DESK)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def coin_flips(bars: pd.DataFrame, every: int) -> pd.DataFrame:
    """An intent without sense every so many bars: stop 15 pips away, target 30."""
    at = np.arange(20, len(bars) - 1, every)
    side = np.where(np.random.default_rng(0).random(len(at)) < 0.5, 1, -1)
    close = bars["close"].to_numpy()[at]
    rows = zip(at.tolist(), side.tolist(), close, close - side * 0.0015, close + side * 0.0030, strict=True)
    names = ("decision_bar", "side", "entry_price", "stop_price", "target_price")
    return intent_table(dict(zip(names, row, strict=True), setup_id=str(row[0])) for row in rows)


def grid() -> pd.DataFrame:
    """Two hundred combinations of a stop and a target."""
    pairs = itertools.product(np.linspace(0.5, 2, 20), np.linspace(1, 3, 10))
    return pd.DataFrame(pairs, columns=["stop_scale", "target_r"])


def median_s(work, repeat: int = 7) -> float:
    """Median seconds of `work()`, warm."""
    work()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def once_s(work) -> tuple[float, object]:
    """Seconds of one call, and what it returned."""
    start = time.perf_counter()
    done = work()
    return time.perf_counter() - start, done


def with_backtesting(bars: pd.DataFrame, orders: pd.DataFrame):
    """The same orders through backtesting.py; returns its statistics."""
    from backtesting import Backtest, Strategy

    due = {i.decision_bar: i for i in orders.itertuples()}

    class Flips(Strategy):
        def init(self):
            pass

        def next(self):
            i = due.get(len(self.data) - 1)
            if i is not None and not self.position:
                (self.buy if i.side > 0 else self.sell)(size=UNITS, sl=i.stop_price, tp=i.target_price)

    tape = bars.rename(columns=str.title).set_axis(bars.index.tz_localize(None))
    return Backtest(tape, Flips, cash=1e6, margin=0.01).run()


def with_backtrader(bars: pd.DataFrame, orders: pd.DataFrame):
    """The same orders through backtrader as its manual has it: PandasData and brackets; returns the strategy."""
    import backtrader as bt

    due = {i.decision_bar: i for i in orders.itertuples()}

    class Flips(bt.Strategy):
        def next(self):
            i = due.get(len(self.data) - 1)
            if i is not None and not self.position:
                send = self.buy_bracket if i.side > 0 else self.sell_bracket
                send(size=UNITS, exectype=bt.Order.Market, stopprice=i.stop_price, limitprice=i.target_price)

    cerebro = bt.Cerebro()
    cerebro.broker.set_cash(1e6)
    cerebro.adddata(bt.feeds.PandasData(dataname=bars.set_axis(bars.index.tz_localize(None))))
    cerebro.addstrategy(Flips)
    cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
    cerebro.addanalyzer(bt.analyzers.SharpeRatio, _name="sharpe")
    return cerebro.run()[0]


def process(script: str) -> list[float]:
    """What a new Python process prints."""
    path = os.pathsep.join([os.path.dirname(os.path.abspath(__file__)), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    return [float(word) for word in done.stdout.split()]


def own() -> float:
    """Print our figures; returns the seconds of trades, equity and metrics of one run."""
    bars, short = market(100_000, seed=1), market(20_000, seed=1)
    orders, few, one = coin_flips(bars, 40), coin_flips(short, 20), grid().iloc[:1]
    tables = median_s(lambda: replay(bars, orders, **DESK))
    figures = median_s(lambda: sweep(bars, orders, one, **DESK))
    trades = len(replay(bars, orders, **DESK).trades)
    print(f"100,000 bars, {len(orders):,} intents, {trades:,} trades")
    print(f"  trades, equity and metrics, as figures (sweep of one)   {figures * 1e3:8.1f} ms")
    print(f"  every table of the ledger (replay)                      {tables * 1e3:8.1f} ms")
    many = median_s(lambda: sweep(short, few, grid(), **DESK))
    print(f"200 combinations x 20,000 bars                            {many * 1e3:8.1f} ms")
    print(f"  peak memory of a process that does only that            {process(MEMORY)[0]:8.0f} MiB")
    walk = median_s(lambda: sweep(bars, orders, grid(), **DESK), 3)
    print(f"200 combinations x 100,000 bars, the matrix of a walk-forward {walk:6.2f} s")
    first, second = process(FIRST_CALL)
    print(f"first replay in a new process, imports included           {first:8.2f} s, first sweep {second:.2f} s")
    return figures


def peers(ours: float):
    """Print what the others take for the first job."""
    bars = market(100_000, seed=1)
    orders = coin_flips(bars, 40)
    if importlib.util.find_spec("backtesting"):
        with_backtesting(bars.iloc[:2000], coin_flips(bars.iloc[:2000], 40))
        took, stats = once_s(lambda: with_backtesting(bars, orders))
        print(f"backtesting.py, {stats['# Trades']:,} trades: {took:.2f} s, {took / ours:,.0f} x")
    else:
        print("backtesting.py is not installed")
    took, _done = once_s(lambda: with_backtrader(bars, orders))
    print(f"backtrader with PandasData: {took:.1f} s, {took / ours:,.0f} x")
    ledger = replay(bars, orders, rules=BACKTRADER_OCO, **DESK)
    took, said = once_s(lambda: verify(ledger, bars, orders, instrument=EURUSD, costs=FREE))
    print(f"backtrader with our feed and player: {took:.1f} s, {said}")


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true", help="no peers")
    quick = options.parse_args().quick
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}\n")
    ours = own()
    if not quick:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peers(ours)
    print(f"\npeak memory of this run: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


if __name__ == "__main__":
    main()
