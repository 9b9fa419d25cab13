"""Structural parameters searched: each trial reads the market again, and the end of the tape is kept for the choice."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from smcdesk.research import sweep, workers
from smcdesk.research import tape as research_tape
from smcdesk.research.sweep import SelectedRun
from smcdesk.research.tape import Combination, ResearchTape
from smclab.candles import BadConfig, fingerprint, nearest
from smclab.reader import read
from smclab.scorecard import deflated_sharpe, figure, moments, probabilistic_sharpe, sharpes, trading_days
from smclab.settings import Settings, setting
from smclab.setups import SetupConfig, candidates, warmup_bars
from smclab.timeframes import Config

KINDS = ("reading", "setups")  # what a structural path begins with
SAMPLERS = ("tpe", "random")
OBJECTIVES = ("fold_sharpe", "expectancy_r_low")
SPAN = {"low", "high", "step", "log"}
TRIAL_FIGURES = (
    "trades_n", "expectancy_r", "expectancy_r_low", "sharpe_annual", "fold_sharpe_annual", "sharpe_daily", "skew",
    "kurtosis",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class TuneConfig(Settings):
    "How structural parameters are searched and judged."

    n_trials: int = setting(40, ge=2, unit="trials")
    sampler: str = setting("tpe", choices=SAMPLERS)
    objective: str = setting("fold_sharpe", choices=OBJECTIVES)  # the median fold's Sharpe; expectancy's lower bound
    min_trades: int = setting(30, ge=1, unit="trades")  # before the holdout; a trial with fewer is given up
    n_folds: int = setting(4, ge=1, unit="folds")  # the days before the holdout, in order, all weighing the same
    holdout_frac: float = setting(0.3, gt=0.0, le=0.9)  # the last share of the days, which no trial sees


@dataclasses.dataclass(frozen=True, eq=False)
class TunableTape:
    "A tape, and how conf reads it and finds setups on it."

    tape: ResearchTape
    reading: Mapping[str, Any]  # as conf has it
    setups: Mapping[str, Any]  # with the higher timeframe
    timeframes: tuple[str, ...]

    def changed(self, combination: Combination) -> tuple[Config, SetupConfig]:
        "How a combination reads and finds."
        conf: dict[str, Any] = {"reading": self.reading, "setups": self.setups}
        for path, value in combination.items():
            conf = research_tape.with_value(conf, path.split("."), value)
        return Config.from_dict(conf["reading"]), SetupConfig.from_dict(conf["setups"])

    def read(self, combination: Combination, stop: int) -> ResearchTape:
        "The first `stop` bars read and searched again; nothing behind them is looked at."
        config, setups = self.changed(combination)
        part, owner = self.tape.between(0, stop), self.tape.context.instrument
        seen = read(part.bars, config, instrument=owner, timeframes=self.timeframes)
        later = candidates(seen, owner, setups, pending=True)
        reviews = None if self.tape.reviews is None else later[later["mode"] == "limit"]
        found = candidates(seen, owner, setups)
        return dataclasses.replace(part, candidates=found, reviews=reviews, warmup_bars=warmup_bars(seen, setups))


# The space


def check_space(
    space: Mapping[str, Any],  # dotted path under reading or setups -> values, or {low, high, step, log}
    market: TunableTape,
) -> None:
    "`BadConfig` for a path, a span or a value that cannot be tried, before any trial."
    if not space:
        raise BadConfig("tune.space is empty: say what to try, such as reading.structure.left: {low: 3, high: 8}")
    for path, span in space.items():
        kind, _, rest = path.partition(".")
        if kind not in KINDS or not rest:
            raise BadConfig(f"tune.space: {path!r} is not structural; begin with {'., '.join(KINDS)}., or use sweep")
        for value in _ends(path, span):
            market.changed({path: value})


def _ends(path: str, span: Any) -> list[Any]:
    "The values of a span to be checked before any trial: all of a list, both ends of a range."
    if isinstance(span, list):
        plain = all(isinstance(v, int | float | str | bool) for v in span)
        if plain and len({repr(v) for v in span}) == len(span) > 0:
            return span
        raise BadConfig(f"tune.space.{path} must be a list of different numbers or words, found {span!r}")
    if not isinstance(span, Mapping) or not {"low", "high"} <= span.keys():
        raise BadConfig(f"tune.space.{path} must be a list, or {{low, high, step, log}}; found {span!r}")
    for name in span.keys() - SPAN:
        raise BadConfig(f"tune.space.{path} has no {name!r}{nearest(name, list(SPAN))} Known: low, high, step, log.")
    if not span["low"] < span["high"]:
        raise BadConfig(f"tune.space.{path}: low must be below high, found {span['low']!r} and {span['high']!r}")
    return [span["low"], span["high"]]


def _suggested(trial, space: Mapping[str, Any]) -> Combination:
    "The next combination to try, drawn by the sampler."
    found = {}
    for path, span in space.items():
        if isinstance(span, list):
            found[path] = trial.suggest_categorical(path, span)
            continue
        whole = isinstance(span["low"], int) and isinstance(span["high"], int)
        ask, step = (trial.suggest_int, 1) if whole else (trial.suggest_float, None)
        found[path] = ask(path, span["low"], span["high"], step=span.get("step", step), log=span.get("log", False))
    return found


# One trial


def holdout_bar(tape: ResearchTape, config: TuneConfig) -> int:
    "The first bar of the days that are kept for the end."
    days = trading_days(tape.bars.index, **tape.day)
    first = days.unique()[math.floor(days.nunique() * (1 - config.holdout_frac))]
    return int(days.searchsorted(first))


def score_days(tape: ResearchTape, config: TuneConfig, n_boot: int, seed: int) -> dict[str, float]:  # TRIAL_FIGURES
    "The figures of a tape played by conf's own policy, whole and fold by fold."
    ledger = research_tape.play(tape, {})
    daily, card = (
        research_tape.daily(tape, ledger).to_numpy(float),
        research_tape.card(tape, ledger, n_boot=n_boot, seed=seed),
    )
    if not np.isfinite(daily).all():
        raise BadConfig("the account was ruined")
    year = research_tape.year(tape) ** 0.5
    parts = [float(sharpes(part[None])[0]) * year for part in np.array_split(daily, config.n_folds)]
    value, (sharpe, skew, kurtosis) = card["value"], moments(daily)
    return {
        "trades_n": float(value["trades_n"]), "expectancy_r": float(value["expectancy_r"]),
        "expectancy_r_low": float(card.loc["expectancy_r", "low"]), "sharpe_annual": float(value["sharpe_annual"]),
        "fold_sharpe_annual": float(np.median(parts)), "sharpe_daily": sharpe, "skew": skew, "kurtosis": kurtosis,
    }  # fmt: skip


def _score(figures: Mapping[str, float], config: TuneConfig) -> tuple[float | None, str]:
    "The figure a trial is chosen by, or why it has none."
    if figures["trades_n"] < config.min_trades:
        return None, f"{figures['trades_n']:.0f} trades, at least {config.min_trades} asked"
    value = figures["fold_sharpe_annual" if config.objective == "fold_sharpe" else "expectancy_r_low"]
    return (value, "") if math.isfinite(value) else (None, f"{config.objective} has no value")


# The search


@dataclasses.dataclass(frozen=True, eq=False)
class Tuned:
    "A search done: every trial, the choice, and what it is worth on days nobody chose by."

    trials: pd.DataFrame  # one row per trial: parameters, TRIAL_FIGURES, value, why (it has none)
    combination: Combination  # the choice; empty where no trial had a value
    runs: list[SelectedRun]  # conf's own structure and the choice, on the holdout
    summary: pd.DataFrame  # per figure: value, low, high, n, unit, note

    def hash(self) -> str:  # 64 hex digits
        "sha256 over every trial and the ledgers of the holdout."
        rows = [[format(v, ".12g") if isinstance(v, float) else str(v) for v in r] for r in self.trials.to_numpy()]
        text = json.dumps([rows, self.combination, sweep.result_hash(self.runs)], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def _optuna():
    "The Optuna module, its log at warnings."
    try:
        import optuna
    except ImportError:
        raise BadConfig("tuning needs Optuna: install smclab[optuna]") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _search_name(market: TunableTape, space: Mapping[str, Any], config: TuneConfig, n_boot: int, seed: int) -> str:
    "The name of a search: the same space, settings and tape have the same, and go on where they stopped."
    tape = market.tape
    search = {k: v for k, v in config.to_dict().items() if k != "n_trials"}
    inputs = [
        space, search, n_boot, seed, fingerprint(tape.bars), tape.policy, tape.rules, tape.orders, tape.costs.to_dict(),
        market.reading, market.setups, market.timeframes, tape.context.account.to_dict(),
        pd.util.hash_array(tape.spread_price.to_numpy(float)).tolist(), repr(tape.context.news),
    ]  # fmt: skip
    return f"{tape.symbol} {hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()[:16]}"


def _sampler(optuna, config: TuneConfig, seed: int):
    "A sampler that has drawn nothing yet: a search that is taken up again goes on as if it had never stopped."
    if config.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=10)


def _finished_trials(
    market: TunableTape, space: Mapping[str, Any], config: TuneConfig, *, n_boot: int, seed: int, storage
) -> Iterator[Any]:
    "Every finished trial, those of an earlier run first."
    optuna = _optuna()
    states = optuna.trial.TrialState
    name = _search_name(market, space, config, n_boot, seed)
    search = optuna.create_study(direction="maximize", storage=storage, study_name=name, load_if_exists=True)
    done = [t for t in search.get_trials(deepcopy=False) if t.state in (states.COMPLETE, states.PRUNED)]
    for t in search.get_trials(deepcopy=False, states=(states.RUNNING,)):
        search.tell(t.number, state=states.FAIL)  # it was running when its process ended
    yield from done[: config.n_trials]
    stop = holdout_bar(market.tape, config)
    for n in range(len(done), config.n_trials):
        search.sampler = _sampler(optuna, config, seed + n)
        trial = search.ask()
        combination = _suggested(trial, space)
        try:
            figures = score_days(market.read(combination, stop), config, n_boot, seed)
            value, why = _score(figures, config)
        except BadConfig as error:  # values that do not go together
            figures, value, why = {}, None, str(error)
        trial.set_user_attr("told", figures)  # the name under which older studies have stored them
        trial.set_user_attr("why", why)
        yield search.tell(trial, value, state=states.PRUNED if value is None else states.COMPLETE)


def _table(trials: list, space: Mapping[str, Any]) -> pd.DataFrame:
    "One row per trial; numbers that are not known are NaN."
    rows = [
        {path: t.params.get(path) for path in space}
        | {name: t.user_attrs["told"].get(name, math.nan) for name in TRIAL_FIGURES}
        | {"value": math.nan if t.value is None else t.value, "why": t.user_attrs["why"]}
        for t in trials
    ]
    return pd.DataFrame(rows).rename_axis("trial")


def _on_holdout(market: TunableTape, combination: Combination, start: int, n_boot: int, seed: int) -> SelectedRun:
    "A structure on the holdout, from flat; the days before it are only read."
    n = len(market.tape.bars)
    part = market.read(combination, n).between(start, n)
    ledger = research_tape.play(part, {})
    card, daily = research_tape.card(part, ledger, n_boot=n_boot, seed=seed), research_tape.daily(part, ledger)
    policy, _, _ = research_tape.settings(market.tape, {})
    name = f"{sweep.label(combination)}, holdout"
    return SelectedRun(name, part.symbol, combination, ledger, card, daily, policy.hash(), bars=(start, n))


def tune(
    market: TunableTape,
    space: Mapping[str, Any],
    config: TuneConfig,
    *,
    n_boot: int,  # resamples behind each interval
    seed: int,
    tried_before: int = 0,  # trials of other searches that were given up; luck is counted over all of them
    storage=None,  # where Optuna keeps its trials; None: nowhere
) -> Tuned:
    "The best structure of a search, by days before the holdout; then, once, what it does on the holdout."
    check_space(space, market)
    found = _finished_trials(market, space, config, n_boot=n_boot, seed=seed, storage=storage)
    trials = _table(list(workers.with_progress(f"{market.tape.symbol} trials", found, config.n_trials)), space)
    start = holdout_bar(market.tape, config)
    best = {} if trials["value"].isna().all() else {p: _plain(trials.loc[trials["value"].idxmax(), p]) for p in space}
    runs = [_on_holdout(market, c, start, n_boot, seed) for c in ([{}, best] if best else [{}])]
    return Tuned(trials, best, runs, _summary(trials, runs, market.tape, start, config, tried_before))


def _plain(value: Any) -> Any:
    "A value as conf has it."
    return value.item() if isinstance(value, np.generic) else value


def _summary(
    trials: pd.DataFrame, runs: list[SelectedRun], tape: ResearchTape, start: int, config: TuneConfig, tried_before: int
) -> pd.DataFrame:
    "The search in a few figures."
    tried, n_in = len(trials) + tried_before, trading_days(tape.bars.index[:start], **tape.day).nunique()
    rows = {
        "trials_n": figure(len(trials), len(trials), "trials"),
        "given_up_n": figure(trials["value"].isna().sum(), len(trials), "trials without a value"),
    }
    for name, run in zip(("conf", "chosen"), runs, strict=False):
        rows |= _holdout_rows(name, run)
    if len(runs) > 1:
        best, spread = trials.loc[trials["value"].idxmax()], float(trials["sharpe_daily"].std(ddof=1))
        rows["chosen_value"] = figure(best["value"], n_in, config.objective, "chosen by it: not to be believed")
        rows |= _selection_bias(runs[1], best, n_in, tried, spread if spread == spread else 0.0)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("figure")


def _holdout_rows(name: str, run: SelectedRun) -> dict[str, dict]:
    "A structure's own figures on the holdout."
    names = ("trades_n", "expectancy_r", "sharpe_annual", "total_return_pct", "max_drawdown_pct", "costs_r")
    return {f"{name}_holdout_{k}": run.scorecard.loc[k].to_dict() for k in names}


def _selection_bias(
    chosen: SelectedRun, best: Mapping[str, float], n_in: int, tried: int, spread: float
) -> dict[str, dict]:
    "The chance that the chosen trial is better than luck, before and on the holdout."
    after = dict(zip(("sharpe", "skew", "kurtosis"), moments(chosen.daily_returns), strict=True))
    before = {"sharpe": best["sharpe_daily"], "skew": best["skew"], "kurtosis": best["kurtosis"]}
    n, trials, luck = len(chosen.daily_returns), {"n_trials": tried, "trial_std": spread}, f"the luck of {tried} tries"
    return {
        "chosen_deflated_sharpe_pct": _chance(deflated_sharpe(n=n_in, **before, **trials), n_in, luck),
        "chosen_holdout_probabilistic_sharpe_pct": _chance(probabilistic_sharpe(n=n, **after), n, "0"),
        "chosen_holdout_deflated_sharpe_pct": _chance(deflated_sharpe(n=n, **after, **trials), n, luck),
    }


def _chance(probability: float, n: int, above: str) -> dict:
    "A probability as a figure."
    return figure(100 * probability, n, f"% chance that it is above {above}")


def verdict(tuned: Tuned) -> str:
    "The search in one sentence."
    n, rows = len(tuned.trials), tuned.summary
    if not tuned.combination:
        return f"{n} trials, none of them with enough trades: nothing was chosen."
    own, best = (_worth(rows.loc[f"{name}_holdout_expectancy_r"]) for name in ("conf", "chosen"))
    return (
        f"{n} trials chose {sweep.label(tuned.combination)}. On the holdout it earned {best} a trade, conf's own "
        f"structure {own}; {rows.loc['chosen_holdout_probabilistic_sharpe_pct', 'value']:.0f} % chance that its Sharpe "
        f"ratio is above zero, {rows.loc['chosen_deflated_sharpe_pct', 'value']:.0f} % that the search found more than "
        f"luck."
    )


def _worth(row: Mapping[str, Any]) -> str:
    "Expectancy with its interval."
    if not math.isfinite(row["value"]):
        return "nothing (n = 0)"
    return f"{row['value']:+.2f} R ({row['low']:+.2f} to {row['high']:+.2f}, n = {row['n']:,})"
