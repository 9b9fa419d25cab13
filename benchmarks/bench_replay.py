"""How long replaying takes, alone and beside others: `python benchmarks/bench_replay.py [--road] [--peers PYTHON]`.

One run, one table: the same orders on the same bars, so the ratios may be quoted. Our figures are CPU time of the
process, warm, the least of several runs; the peers' too, once each. backtrader comes with the extra `dev`;
backtesting.py 0.6.6 and vectorbt are measured where `--peers` names an interpreter that has them and numpy and pandas.
`--road` walks a million bars from the reader to the ledger; with MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 in
the environment the C library keeps the tables' memory between runs, as a service would. `--quick` leaves everybody else out.
"""

import argparse
import itertools
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import pandas as pd

from smcdesk.research.tape import ResearchTape, live_tickets
from smclab.account import Account
from smclab.execution import BACKTRADER_OCO, Costs, intent_table, intents
from smclab.gates import Context
from smclab.instruments import instrument
from smclab.parity import verify
from smclab.policy import preset
from smclab.reader import read
from smclab.replay import prepare, replay
from smclab.setups import candidates, warmup_bars
from smclab.sweep import search, sweep
from smclab.tapes import market

EURUSD, ACCOUNT, FREE = instrument("EURUSD"), Account(equity=10_000.0), Costs()
GAME = {"account": ACCOUNT, "costs": FREE}
DESK = {"instrument": EURUSD, **GAME}
UNITS = 1000
FIRST_CALL = """
import time
import numpy as np
import pandas as pd
from smclab import Account, instrument
from smclab.execution import Costs, intent_table
from smclab.replay import replay
from smclab.sweep import sweep
from smclab.tapes import market
bars = market(2_000, seed=1)
row = {"decision_bar": 100, "side": 1, "entry_price": bars.close.iloc[100], "stop_price": bars.close.iloc[100] - 0.001}
desk = {"instrument": instrument("EURUSD"), "account": Account(equity=10_000.0), "costs": Costs()}
replay(bars, intent_table([row]), **desk)
print(time.process_time())
sweep(bars, intent_table([row]), pd.DataFrame({"stop_scale": [1.0, 2.0]}), **desk)
print(time.process_time())
"""
MEMORY = """
import numpy, pandas, numba
def peak():
    line = next(x for x in open("/proc/self/status") if x.startswith("VmHWM"))
    print(int(line.split()[1]) / 1024)
peak()
import smclab.sweep
peak()
from bench_replay import GAME, EURUSD, coin_flips, grid, prepare, search
from smclab.tapes import market
bars = market(20_000, seed=1)
tape = prepare(bars, coin_flips(bars, 20), EURUSD)
search(tape, grid().iloc[:1], **GAME)
peak()
search(tape, grid(), **GAME)
peak()
"""
BACKTESTING = """
import sys, time, warnings
import numpy as np, pandas as pd
from backtesting import Backtest, Strategy
warnings.simplefilter("ignore")
held = np.load(sys.argv[1])
bars = pd.DataFrame(held["bars"], columns=["Open", "High", "Low", "Close", "Volume"], index=pd.to_datetime(held["ns"]))

class Flips(Strategy):
    def init(self):
        pass
    def next(self):
        i = due.get(len(self.data) - 1)
        if i is not None and not self.position:
            (self.buy if i[1] > 0 else self.sell)(size=1000, sl=i[2], tp=i[3])

for part in (bars.iloc[:2000], bars):
    due = {int(i[0]): i for i in held["orders"] if i[0] < len(part)}
    start = time.process_time()
    done = Backtest(part, Flips, cash=1e6, margin=0.01).run()
    took = time.process_time() - start
print(took, done["# Trades"])
"""
VECTORBT = """
import sys, time, warnings
import numpy as np, pandas as pd
import vectorbt as vbt
warnings.simplefilter("ignore")
held = np.load(sys.argv[1])
bars = pd.DataFrame(held["bars"], columns=["open", "high", "low", "close", "volume"], index=pd.to_datetime(held["ns"]))
at, side = held["orders"][:, 0].astype(int), held["orders"][:, 1]
enter, short = np.zeros(len(bars), bool), np.zeros(len(bars), bool)
enter[at[side > 0] + 1], short[at[side < 0] + 1] = True, True
best = []
for _ in range(5):
    start = time.process_time()
    done = vbt.Portfolio.from_signals(
        bars["close"], entries=enter, short_entries=short, price=bars["open"], open=bars["open"], high=bars["high"],
        low=bars["low"], sl_stop=0.0015 / 1.1, tp_stop=0.0030 / 1.1, size=1000, init_cash=1e6, accumulate=False,
        upon_opposite_entry="ignore", freq="15min")
    values = done.trades.records, done.value(), done.total_return(), done.max_drawdown(), done.sharpe_ratio(), \
        done.trades.win_rate(), done.trades.profit_factor(), done.trades.expectancy()
    best.append(time.process_time() - start)
print(min(best), len(values[0]))
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


def cpu_ms(work, repeat: int = 9) -> float:
    """The least CPU milliseconds of `work()`, warm."""
    work()
    return min(once_s(work)[0] for _ in range(repeat)) * 1e3


def once_s(work) -> tuple[float, object]:
    """CPU seconds of one call, and what it returned."""
    start = time.process_time()
    done = work()
    return time.process_time() - start, done


def wall_ms(work, repeat: int = 9) -> float:
    """The least milliseconds of `work()` on the clock of the wall, warm."""
    work()
    took = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return min(took) * 1e3


def all_of_a_run(tape) -> tuple:
    """Trades, equity and figures of one play."""
    done = tape.run(**GAME)
    return done.trades, done.equity, done.figures


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
    """Print our figures; returns the CPU seconds of trades, equity and metrics of one run."""
    bars, short = market(100_000, seed=1), market(20_000, seed=1)
    orders, few = coin_flips(bars, 40), coin_flips(short, 20)
    tape = prepare(bars, orders, EURUSD)
    ready = cpu_ms(lambda: all_of_a_run(tape))
    print(f"100,000 bars, {len(orders):,} intents, {len(replay(bars, orders, **DESK).trades):,} trades; CPU ms")
    print(f"  PreparedTape.run: the kernel alone                      {cpu_ms(lambda: tape.run(**GAME)):8.2f}")
    print(f"  PreparedTape.run with trades, equity and figures, tape {ready:8.2f}")
    cold = cpu_ms(lambda: all_of_a_run(prepare(bars, orders, EURUSD)))
    print(f"  the same from bars and intents, nothing ready           {cold:8.2f}")
    print(
        f"  replay: every table, from bars and intents              {cpu_ms(lambda: replay(bars, orders, **DESK)):8.2f}"
    )
    few_tape = prepare(short, few, EURUSD)

    def all_combinations():
        return search(few_tape, grid(), **GAME)

    print(
        f"200 combinations x 20,000 bars, CPU ms of all threads     {cpu_ms(all_combinations):8.1f}, wall {wall_ms(all_combinations):.1f} ms"
    )
    print(
        f"  from bars and intents                                   {cpu_ms(lambda: sweep(short, few, grid(), **DESK)):8.1f}"
    )
    base, imported, one, many = process(MEMORY)
    print(
        f"  peak MiB: numpy, pandas, numba {base:.0f}; smclab {imported:.0f}; one combination {one:.0f}; all 200 {many:.0f}"
    )
    walk = cpu_ms(lambda: search(tape, grid(), **GAME), 3)
    print(f"200 combinations x 100,000 bars, the matrix of a walk-forward {walk:6.0f} ms CPU")
    first, second = process(FIRST_CALL)
    print(f"first replay in a new process, imports included, CPU      {first:8.2f} s, first sweep {second:.2f} s")
    return ready / 1e3


def with_peer(python: str, script: str, tape: str) -> list[str]:
    """What a peer's script prints about the job, or why it does not run."""
    done = subprocess.run([python, "-c", script, tape], capture_output=True, text=True, check=False)
    return done.stdout.split() or ["", (done.stderr.strip().splitlines() or ["nothing was printed"])[-1]]


def peers(ours: float, python: str | None):
    """Print what the others take for the first job."""
    bars = market(100_000, seed=1)
    orders = coin_flips(bars, 40)
    with tempfile.TemporaryDirectory() as folder:
        tape = os.path.join(folder, "job.npz")
        columns = ["decision_bar", "side", "stop_price", "target_price"]
        job = {"bars": bars[["open", "high", "low", "close", "volume"]], "orders": orders[columns].to_numpy(float)}
        np.savez(tape, ns=bars.index.as_unit("ns").asi8, **job)
        for name, script in (("backtesting.py", BACKTESTING), ("vectorbt", VECTORBT)):
            took, printed = with_peer(python, script, tape) if python else ("", "no --peers interpreter")
            text = (
                f"{float(took):.4f} s CPU, {printed} trades, {float(took) / ours:,.0f} x"
                if took
                else f"not measured: {printed}"
            )
            print(f"{name}: {text}")
    took, _done = once_s(lambda: with_backtrader(bars, orders))
    print(f"backtrader with PandasData: {took:.1f} s CPU, {took / ours:,.0f} x")
    ledger = replay(bars, orders, rules=BACKTRADER_OCO, **DESK)
    took, printed = once_s(lambda: verify(ledger, bars, orders, instrument=EURUSD, costs=FREE))
    print(f"backtrader with our feed and orders: {took:.1f} s CPU, {printed}")


def clocks() -> tuple[float, float, float]:
    """User and system seconds of this process, and the wall's."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime, spent.ru_stime, time.perf_counter()


def road(n: int):
    """Print where the time goes from a million bars to a ledger, with warm kernels."""
    policy, costs = preset("v1"), Costs(spread_price=0.00008)
    context = Context(EURUSD, ACCOUNT, spread_price=0.00008)

    def walk(bars: pd.DataFrame) -> list[tuple]:
        laps = [("", *clocks())]
        reading = read(bars, timeframes=("1h", "4h"), instrument="EURUSD")
        laps.append(("read: the kernels, events and columns as tables", *clocks()))
        found = candidates(reading, EURUSD)
        laps.append((f"candidates: {len(found):,}", *clocks()))
        paid, first = pd.Series(0.00008, bars.index), warmup_bars(reading)
        tape = ResearchTape(bars, found, context, costs, paid, policy.to_dict(), {}, warmup_bars=first)
        live = live_tickets(tape, policy)
        laps.append((f"decide in bulk: {len(live):,} live", *clocks()))
        orders = intents(live, bars, policy=policy)
        laps.append(("intents", *clocks()))
        ready = prepare(bars, orders, EURUSD)
        laps.append(("prepare", *clocks()))
        done = ready.run(account=ACCOUNT, costs=costs)
        results = done.trades, done.equity, done.figures
        laps.append((f"run, with trades, equity and figures: {len(results[0]):,} trades", *clocks()))
        return [(after[0], *np.subtract(after[1:], before[1:])) for before, after in itertools.pairwise(laps)]

    walk(market(20_000, seed=2))
    bars = market(n, seed=2)
    best = min((walk(bars) for _ in range(3)), key=lambda laps: sum(lap[1] + lap[2] for lap in laps))
    print(f"{f'the whole road, {n:,} bars, the best of three, s':62s}    user  system    wall")
    for what, *spent in [*best, ("together", *np.sum([lap[1:] for lap in best], axis=0))]:
        print(f"  {what:60s}" + "".join(f"{x:8.3f}" for x in spent))


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true", help="no peers")
    options.add_argument("--peers", metavar="PYTHON", help="an interpreter with backtesting.py and vectorbt")
    options.add_argument("--road", type=int, nargs="?", const=1_000_000, metavar="BARS", help="only the whole road")
    chosen = options.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}\n")
    if chosen.road:
        road(chosen.road)
    else:
        ours = own()
        if not chosen.quick:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                peers(ours, chosen.peers)
    print(f"\npeak memory of this run: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


if __name__ == "__main__":
    main()
