"""A challenger from a tape's setups: learned, audited, held against the champion, traded in a replay."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from smcdesk.modelling.registry import Champion, ModelCandidate, model_name, scorer
from smcdesk.modelling.trading_value import TradingTest, trading_value
from smclab.audit import audit, drift
from smclab.candles import BadConfig, infer_timeframe, timeframe_ns
from smclab.features import DICTIONARY
from smclab.learner import Learned, ModelConfig, fit, shortage
from smclab.promotion import promotion

RECENT = 0.2  # share of the rows whose features are held against the earlier ones


@dataclass(frozen=True)
class Training:
    "The figures of a training, without the model; frames are empty where nothing could be learned."

    name: str  # the registered model's
    sentence: str
    decision: dict  # of the Promotion; {} where nothing was learned
    config: dict
    rows_n: int  # setups with a ticket
    finished_n: int  # of them with an outcome
    features_n: int
    kind: str = ""
    params: dict = field(default_factory=dict)
    stability: float | None = None
    champion: str = ""  # the version it was judged against
    drift_words: str = ""  # what was held against what
    figures: pd.DataFrame = field(default_factory=pd.DataFrame)
    folds: pd.DataFrame = field(default_factory=pd.DataFrame)
    calibration: pd.DataFrame = field(default_factory=pd.DataFrame)
    importance: pd.DataFrame = field(default_factory=pd.DataFrame)
    curve: pd.DataFrame = field(default_factory=pd.DataFrame)
    oof: pd.DataFrame = field(default_factory=pd.DataFrame)
    leaks: pd.DataFrame = field(default_factory=pd.DataFrame)
    drift: pd.DataFrame = field(default_factory=pd.DataFrame)
    rates: pd.DataFrame = field(default_factory=pd.DataFrame)
    acted: pd.DataFrame = field(default_factory=pd.DataFrame)


def model_config(search: Mapping[str, Any], embargo_bars: int, timeframe: str, n_boot: int, seed: int) -> ModelConfig:
    "Conf's search as the learner takes it; embargo, resamples and seed stand elsewhere in conf."
    for name in ("embargo_ns", "n_boot", "seed"):
        if name in search:
            where = {"embargo_ns": "model.embargo_bars", "n_boot": "scorecard.n_boot", "seed": "seed"}[name]
            raise BadConfig(f"model.search.{name} stands in conf as {where}")
    rest = {"embargo_ns": embargo_bars * timeframe_ns(timeframe), "n_boot": n_boot, "seed": seed}
    return ModelConfig.from_dict({**search, **rest})


def train_challenger(
    table: pd.DataFrame,  # features of every candidate, by setup id
    candidates: pd.DataFrame,
    labels: pd.DataFrame,  # of the candidates with a ticket
    find: Callable[[str], Champion | None],
    trial: TradingTest,
    config: ModelConfig,
) -> tuple[
    tuple[ModelCandidate, ...], Training
]:  # what goes into the registry, if anything, and the figures of its training
    "Fit a model, audit its features, compare it with the champion, and trade it in a replay."
    name = model_name(trial.context.instrument.symbol, infer_timeframe(trial.bars))
    rows = table.loc[labels["setup_id"]]
    outcome, spans = labels["outcome"], (labels["known_close"], labels["end_time"])
    common = {
        "name": name, "config": config.to_dict(), "rows_n": len(rows), "finished_n": int(outcome.notna().sum()),
        "features_n": rows.shape[1],
    }  # fmt: skip
    if why := shortage(outcome, config):
        return (), Training(sentence=f"Too little to learn from: {why}.", decision={}, **common)
    learned = fit(rows, outcome, *spans, score=labels["score"], config=config)
    standing = find(name)
    theirs = None if standing is None else probabilities_of(standing, candidates, table)
    won = promotion(learned.oof, theirs, config)
    version = "" if standing is None else standing.version
    words, before, after = _two_times(rows, labels, standing)
    return (ModelCandidate(name, learned, won, version),), Training(
        sentence=f"{learned.verdict} {won.reason[0].upper()}{won.reason[1:]}.",
        decision=_finite(dataclasses.asdict(won)),
        **common, kind=learned.model.kind, params=learned.model.params, champion=version, drift_words=words,
        stability=learned.stability if math.isfinite(learned.stability) else None, **_tables(learned),
        leaks=audit(rows, outcome, *spans, config=config), drift=drift(before, after), rates=rates(labels),
        acted=trading_value(trial, learned.oof, labels.set_index("setup_id")["score"]),
    )  # fmt: skip


def _tables(learned: Learned) -> dict[str, pd.DataFrame]:
    "The learner's tables."
    names = ("figures", "folds", "calibration", "importance", "curve", "oof")
    return {name: getattr(learned, name) for name in names}


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    "What is not a number becomes None."
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def probabilities_of(found: Champion, candidates: pd.DataFrame, table: pd.DataFrame) -> pd.Series:  # p by setup id
    "The champion's probabilities: out of fold for its training rows, predicted after; with other features only those."
    missing = [name for name in found.model.features if name not in table]
    judged = found.model.oof["p"]
    if missing:
        return judged
    later = scorer(found, candidates, table.loc[candidates["setup_id"]]).answers
    fresh = pd.Series({k: p for k, (p, _) in later.items() if k not in judged.index}, dtype="float64")
    return pd.concat([judged, fresh])


def _two_times(rows: pd.DataFrame, labels: pd.DataFrame, standing: Champion | None) -> tuple:
    "(words, earlier rows, later rows): before and after the champion's training, else the first and the last rows."
    if standing is not None:
        later = pd.DatetimeIndex(labels["known_close"]).as_unit("ns").asi8 > standing.model.until_ns
        if later.sum() >= 30 and (~later).sum() >= 30:
            words = f"{int(later.sum())} setups since version {standing.version} was trained, against those before"
            return words, rows[~later], rows[later]
    cut = int(len(rows) * (1 - RECENT))
    return f"the latest {len(rows) - cut} setups against the {cut} before", rows.iloc[:cut], rows.iloc[cut:]


def rates(labels: pd.DataFrame) -> pd.DataFrame:  # per period: n, won, low, high (Wilson's 95 % interval)
    "How often the target came first, by quarter of the year."
    done = labels[labels["outcome"].notna()]
    quarter = pd.DatetimeIndex(done["known_close"]).tz_localize(None).to_period("Q").astype(str)
    rows, z = [], 1.96
    for period, part in done.groupby(quarter, sort=True):
        n, won = len(part), part["outcome"].mean()
        mid, wide = won + z * z / (2 * n), z * math.sqrt(won * (1 - won) / n + z * z / (4 * n * n))
        low, high = ((mid + sign * wide) / (1 + z * z / n) for sign in (-1, 1))
        rows.append({"period": str(period), "n": n, "won": won, "low": low, "high": high})
    return pd.DataFrame(rows, columns=["period", "n", "won", "low", "high"])


def metrics(training: Training) -> dict[str, dict[str, float]]:
    "The training's figures as MLflow metrics."
    values = {"rows_n": training.rows_n, "finished_n": training.finished_n, "features_n": training.features_n}
    for name, row in training.figures.iterrows():
        values |= {f"{name}.{k}": v for k, v in row.items()}
    for way, row in training.acted.iterrows():
        short = way.replace(" ", "_").translate({ord(c): None for c in "(),"})
        values |= {f"acting.{short}.{k}": row[k] for k in ("trades_n", "expectancy_r", "low", "high", "total_r")}
    values |= {k: training.decision[k] for k in ("margin", "low", "high") if training.decision.get(k) is not None}
    return {k: {"value": float(v), "step": 0} for k, v in values.items() if np.isfinite(v)}


def dictionary(columns: list[str]) -> str:
    "What each feature means, as JSON."
    entries = {f.name: f._asdict() for f in DICTIONARY}
    return json.dumps([entries[name] for name in columns], indent=1)
