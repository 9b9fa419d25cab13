"""Tracked runs side by side: ranked, drawn on one axis, and which differences are larger than chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from smcdesk.project import logs
from smcdesk.tracking import column, daily_returns_of, finished_runs, frame, run_by_id
from smclab.candles import BadConfig, nearest
from smclab.scorecard import days_per_year, sharpes

FEW_DAYS = 60  # common days under which nothing is compared
SURE = 0.05  # how often chance alone may be called a difference, over all pairs together
RANKED = (
    "sharpe_annual", "total_return_pct", "expectancy_r", "profit_factor", "win_rate_pct", "max_drawdown_pct",
    "trades_n",
)  # fmt: skip


# The runs


@dataclass(frozen=True, eq=False)
class Comparison:
    "Runs of one symbol that can be compared."

    symbol: str
    env: str
    rank_by: str
    table: pd.DataFrame  # ranked: label (A is the first), run_id, what, days_n, and RANKED
    returns: pd.DataFrame  # (days all runs have, runs) daily simple returns, columns: label
    tests: pd.DataFrame  # `differences`
    left_out: tuple[str, ...]  # sentences


def _picked(runs: pd.DataFrame, study: str, ids: list[str], symbol: str, env: str, newest: int) -> pd.DataFrame:
    "The runs to compare: a study's combinations, those named, or the newest."
    if study:
        run_by_id(runs, study)
        own = column(runs, "tags.mlflow.parentRunId") == study
        return runs[own & (column(runs, "tags.study.kind") == "combination")].iloc[::-1]
    if ids:
        for run_id in ids:
            run_by_id(runs, run_id)
        return runs.set_index("run_id", drop=False).loc[ids].reset_index(drop=True)
    of_symbol = column(runs, "tags.symbol").astype(str).str.split(",").map(lambda names: symbol in names)
    many = ("sweep", "tune", "portfolio")  # their own days are those of several combinations or symbols
    whole = column(runs, "tags.study.kind").isna() & ~column(runs, "tags.study").isin(many)
    return runs[of_symbol & whole & (column(runs, "tags.env") == env)].head(newest)


def _labels(runs: pd.DataFrame) -> dict[str, str]:
    "By run id what a run is: a combination in words, else its kind and up to three parameters that differ within it."
    described, kinds = column(runs, "tags.study.words"), column(runs, "tags.study").fillna("replay")
    found = dict(zip(runs["run_id"], described, strict=True))
    for kind, alike in runs[described.isna()].groupby(kinds[described.isna()]):
        params = [c for c in alike if c.startswith("params.") and not c.startswith("params.work")]
        differ = [c for c in params if alike[c].nunique() > 1][:3]
        for _, run in alike.iterrows():
            found[run["run_id"]] = ", ".join([kind, *(f"{c.split('.')[-1]} {run[c]}" for c in differ)])
    return found


def _outcome_hash(run: pd.Series, symbol: str) -> Any:
    "The hash of a run's ledger, or of a walk-forward's folds."
    kind = "folds" if run.get("tags.study") == "walkforward" else "ledger"
    return run.get(f"tags.{kind}_hash.{symbol}")


def _on_common_days(table: pd.DataFrame, common: pd.DataFrame) -> pd.DataFrame:
    "The ranking, its figures of returns computed on the common days where runs cover other days or stored none."
    same = (table["days_n"] == len(common)).all() and table["sharpe_annual"].notna().all()
    if len(common) < 2 or same:
        return table
    x = common[list(table["run_id"])].to_numpy(float).T
    grown = np.cumprod(1 + x, axis=1)
    peak = np.maximum.accumulate(np.maximum(grown, 1.0), axis=1)
    return table.assign(
        sharpe_annual=sharpes(x) * _year(common) ** 0.5,
        total_return_pct=100 * (grown[:, -1] - 1),
        max_drawdown_pct=100 * (1 - grown / peak).max(axis=1),
    )


def _row(run: pd.Series, symbol: str) -> dict[str, Any]:
    "One run of the ranking."
    return {"run_id": run["run_id"]} | {k: run.get(f"metrics.{symbol}.{k}", np.nan) for k in RANKED}


def load(
    symbol: str,
    env: str,
    *,
    study: str = "",  # a sweep's run id: its kept combinations
    runs: str = "",  # run ids with commas between
    newest: int = 8,  # how many, when neither is given
    rank_by: str = "sharpe_annual",
    n_boot: int = 2000,
    seed: int = 0,
) -> Comparison:
    "The runs, ranked and tested against each other on the days all of them have."
    if rank_by not in RANKED:
        raise BadConfig(f"rank_by must be one of {', '.join(RANKED)}, found {rank_by!r}{nearest(rank_by, RANKED)}")
    logs.quiet_libraries()
    rows, returns, left_out, seen = [], {}, [], {}
    ids = [word.strip() for word in runs.split(",") if word.strip()]
    picked = _picked(finished_runs(), study, ids, symbol, env, newest)
    what = _labels(picked)
    for _, run in picked.iterrows():
        daily = daily_returns_of(run["run_id"], symbol)
        if daily is None:
            left_out.append(f"Run {run['run_id'][:6]} kept no daily returns of {symbol}.")
            continue
        row, outcome = _row(run, symbol), _outcome_hash(run, symbol)
        row |= {"what": what[run["run_id"]], "days_n": len(daily)}
        if isinstance(outcome, str) and outcome in seen:
            left_out.append(f"Run {run['run_id'][:6]}, {row['what']}, has the same ledger as {seen[outcome]}.")
            continue
        seen[outcome] = run["run_id"][:6]
        rows.append(row)
        returns[run["run_id"]] = daily
    if not rows:
        raise BadConfig(f"no run of {symbol} in {env} keeps daily returns yet: run smcdesk sweep --env {env} first")
    common, rising = pd.DataFrame(returns).dropna(), rank_by == "max_drawdown_pct"
    table = _on_common_days(pd.DataFrame(rows), common)
    table = table.sort_values(rank_by, ascending=rising, kind="stable", ignore_index=True)
    table = table[["run_id", "what", "days_n", *RANKED]]
    table.insert(0, "label", [_label(k) for k in range(len(table))])
    common = common[list(table["run_id"])].set_axis(table["label"], axis=1)
    tests = differences(common, year=_year(common), n_boot=n_boot, seed=seed)
    return Comparison(symbol, env, rank_by, table, common, tests, tuple(left_out))


def _label(k: int) -> str:
    "A to Z, then AA."
    return chr(65 + k) if k < 26 else _label(k // 26 - 1) + _label(k % 26)


def _year(returns: pd.DataFrame) -> float:
    "Trading days per year of the common days."
    return days_per_year(returns.index.tz_localize("UTC")) if len(returns) else np.nan


# Chance


def resampled_means(
    x: np.ndarray,  # (days, series)
    n_boot: int,
    seed: int,
    block: int,  # days that are drawn together
) -> np.ndarray:  # (n_boot, series)
    "Means of resamples of whole blocks of days, the same days for every series, around the end to the beginning."
    n, rng = len(x), np.random.default_rng(seed)
    padded = np.vstack([x, x[: block - 1]])
    sums = np.vstack([np.zeros(x.shape[1]), np.cumsum(padded, axis=0)])
    blocks = (sums[block:] - sums[:-block])[:n]  # the sum of the block that begins on each day
    rest = n % block
    short = (np.vstack([sums, sums[-1:]])[rest:][:n] - sums[:n]) if rest else None
    out = np.empty((n_boot, x.shape[1]))
    for k in range(n_boot):
        total = blocks[rng.integers(n, size=n // block)].sum(axis=0)
        out[k] = (total + (short[rng.integers(n)] if rest else 0.0)) / n
    return out


def differences(
    returns: pd.DataFrame,  # (days, runs) daily simple returns on the same days
    *,
    year: float,  # trading days per year
    n_boot: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:  # one row per pair, the surest first; least: what would have been larger than chance
    "Whether mean daily returns differ by more than chance: a paired block bootstrap, Romano-Wolf step-down."
    names = ["better", "worse", "difference_pct_year", "low", "high", "least_pct_year", "p_single", "p", "larger"]
    if len(returns) < FEW_DAYS or returns.shape[1] < 2:
        return pd.DataFrame(columns=names)
    x = returns.to_numpy(float)
    pairs = [(i, j) if x[:, i].mean() >= x[:, j].mean() else (j, i) for i, j in combinations(range(x.shape[1]), 2)]
    one, other = np.array(pairs).T
    drawn = resampled_means(x, n_boot, seed, max(1, round(len(x) ** (1 / 3))))
    found, drawn = (x[:, one] - x[:, other]).mean(axis=0), drawn[:, one] - drawn[:, other]
    spread = drawn.std(axis=0, ddof=1)
    moves = spread > 1e-15
    scale, sure = np.where(moves, spread, 1.0), np.where(found > 1e-15, np.inf, 0.0)  # the same distance every day
    t, chance = np.where(moves, found / scale, sure), np.where(moves, np.abs(drawn - found) / scale, 0.0)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    p, pct = step_down(t, chance), 100 * year
    columns = {
        "better": returns.columns[one], "worse": returns.columns[other], "difference_pct_year": found * pct,
        "low": low * pct, "high": high * pct,
        "least_pct_year": np.quantile(chance.max(axis=1), 1 - SURE) * spread * pct,
        "p_single": (1 + (chance >= t).sum(axis=0)) / (n_boot + 1), "p": p, "larger": p < SURE,
    }  # fmt: skip
    return pd.DataFrame(columns).sort_values("p", kind="stable", ignore_index=True)


def step_down(
    t: np.ndarray,  # (tests,) what was found, in standard errors
    chance: np.ndarray,  # (n_boot, tests) the same under chance alone, absolute
) -> np.ndarray:  # (tests,) p values, corrected for the number of tests
    "Romano and Wolf's step-down: each test against the largest of itself and all that are weaker."
    order = np.argsort(-t, kind="stable")
    weaker = np.maximum.accumulate(chance[:, order][:, ::-1], axis=1)[:, ::-1]
    p = (1 + (weaker >= t[order]).sum(axis=0)) / (len(chance) + 1)
    out = np.empty(len(t))
    out[order] = np.maximum.accumulate(p)
    return out


# The grid behind the runs


def _studies(c: Comparison, study: str) -> Iterator[str]:
    "Ids of the studies the shown runs belong to, and of the newest walk-forward of the same candles."
    runs = finished_runs()
    mine = runs[runs["run_id"].isin(c.table["run_id"])]
    yield from dict.fromkeys([*([study] if study else []), *column(mine, "tags.mlflow.parentRunId").dropna()])
    walks = runs[(column(runs, "tags.study") == "walkforward")]
    same = column(walks, f"tags.data_fingerprint.{c.symbol}").isin(column(mine, f"tags.data_fingerprint.{c.symbol}"))
    yield from walks[same]["run_id"].head(1)


def grid(c: Comparison, study: str) -> pd.DataFrame | None:
    "The grid behind the runs; None where none of them comes from one."
    found = (frame(run_id, c.symbol, "grid.parquet") for run_id in dict.fromkeys(_studies(c, study)))
    return next((table for table in found if table is not None), None)


def windows(c: Comparison, study: str) -> pd.DataFrame | None:
    "The newest walk-forward's windows on the same candles; None where there is none."
    found = (frame(run_id, c.symbol, "windows.parquet") for run_id in dict.fromkeys(_studies(c, study)))
    return next((table for table in found if table is not None), None)


def parameters(grid: pd.DataFrame) -> list[str]:
    "A grid's parameters."
    return list(grid.columns[: grid.columns.get_loc("trades_n")])


def choice_columns(windows: pd.DataFrame) -> list[str]:
    "The parameters of a table of windows: what follows its own figures."
    return list(windows.columns[windows.columns.get_loc("neighbours_sharpe_annual") + 1 :])
