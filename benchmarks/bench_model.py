"""What a model costs: the default search, and one setup at a time from Python.

    python benchmarks/bench_model.py [--setups 5000] [--features 60] [--no-fit]

CPU seconds: the search's are those of this process and of its two workers together, so half of the workers' is what two free
cores need; scoring is this process's own, the minimum of several runs.
"""

import argparse
import resource
import time

import numpy as np
import pandas as pd

from smcdesk.modelling.registry import Champion, scorer
from smclab.classifier import KINDS, Model
from smclab.features import features
from smclab.instruments import instrument
from smclab.learner import ModelConfig, _fitted, fit
from smclab.reader import read
from smclab.regime import regimes
from smclab.setups import candidates
from smclab.tapes import market


def synthetic(n: int, k: int):
    """Setups six hours apart with labels of up to a day, two of their features weakly telling."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, k))
    won = (rng.random(n) < 1 / (1 + np.exp(0.8 - 0.4 * x[:, 0] + 0.3 * x[:, 1]))).astype(float)
    x[rng.random((n, k)) < 0.03] = np.nan
    start = np.arange(n) * 6 * 3_600 * 10**9
    table = pd.DataFrame(x, columns=[f"f{i}" for i in range(k)], index=[f"s{i}" for i in range(n)])
    return table, won, start, start + rng.integers(0, 86_400 * 10**9, n)


def search(n: int, k: int):
    """The default search with two workers."""
    own, wall, before = time.process_time(), time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    learned = fit(*synthetic(n, k), score=np.zeros(n), config=ModelConfig(jobs=2))
    own, wall = time.process_time() - own, time.perf_counter() - wall
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    workers = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"search, {n:,} setups, {k} features: {own:.0f} s here + {workers:.0f} s in two workers = {own + workers / 2:.0f} s on two "
        f"free cores (target 120); {wall:.0f} s on the clock of this machine as it was; {learned.verdict}"
    )


def best(job, repeat: int, times: int) -> float:
    """CPU seconds of one call, the least of several runs."""
    job()
    spent = []
    for _ in range(repeat):
        began = time.process_time()
        for _ in range(times):
            job()
        spent.append((time.process_time() - began) / times)
    return min(spent)


def one_setup():
    """One candidate's score from Python, features excluded and included."""
    bars, owner = market(20_000, seed=8), instrument("EURUSD")
    reading = read(bars, instrument=owner)
    found, words = candidates(reading, owner), regimes(bars).regime
    words = words.set_axis(bars.index + pd.Timedelta(minutes=15))
    inputs = {"instrument": owner, "spread_price": 0.00008, "regime": words}
    spent = best(lambda: features(reading, found, **inputs), 3, 1)
    table = features(reading, found, **inputs)
    print(f"features of {len(found):,} setups on {len(bars):,} bars: {spent * 1e3:.0f} ms")
    rng = np.random.default_rng(0)
    y, row = (rng.random(len(found)) < 0.4).astype(float), found.iloc[[-1]]
    at = reading.at(pd.Timestamp(row["time"].iloc[0]))
    values = table.iloc[[-1]].to_numpy()
    oof = pd.DataFrame({"p": rng.random(3_000), "percentile": 50.0})
    for kind in KINDS:
        flat = _fitted(kind, {}, table.to_numpy(), y, 0)
        model = Model(tuple(table.columns), flat, {"slope": 1.0, "shift": 0.0}, oof, 0)
        alone = best(lambda m=model: m.percentile(m.probability(values)), 5, 200)
        stands, name = Champion("x", "1", model), {"setup_id": row["setup_id"].iloc[0]}
        whole = best(lambda c=stands, n=name: scorer(c, row, features(at, row, **inputs))(n), 5, 20)
        print(
            f"one setup, {kind}: {alone * 1e6:.0f} us from its features, {whole * 1e3:.2f} ms with them (target 2 ms)"
        )


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--setups", type=int, default=5_000)
    ask.add_argument("--features", type=int, default=60)
    ask.add_argument("--no-fit", action="store_true")
    args = ask.parse_args()
    one_setup()
    if not args.no_fit:
        search(args.setups, args.features)


if __name__ == "__main__":
    main()
