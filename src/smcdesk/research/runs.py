"""Chosen combinations and folds of a study as MLflow runs nested in its own."""

from __future__ import annotations

import json
import math
from typing import Any

from smcdesk import figures
from smcdesk.tracking import client, write

_INHERITED = ("git_", "config_hash", "seed", "data_fingerprint.", "versions", "env", "kedro_stages")


def log_nested_run(
    parent: str,  # id of the study's run
    chosen: Any,  # a smcdesk.research.sweep.SelectedRun
    kind: str,  # "combination" or "fold"
) -> str:  # the new run's id
    "One chosen combination or fold as a finished run under its study."
    from mlflow.entities import Metric, Param, RunTag

    c, symbol = client(), chosen.symbol
    study = c.get_run(parent)
    inherited = {k: v for k, v in study.data.tags.items() if k.startswith(_INHERITED)}
    tags = inherited | {
        "mlflow.parentRunId": parent, "mlflow.runName": f"{symbol} {chosen.name}", "study.kind": kind,
        "study.fold": str(chosen.fold), "study.bars": json.dumps(chosen.bars), "symbol": symbol,
        "study.combination": json.dumps(chosen.combination), f"policy_hash.{symbol}": chosen.policy_hash,
        f"ledger_hash.{symbol}": chosen.ledger.hash(),
    }  # fmt: skip
    run_id = c.create_run(study.info.experiment_id, tags=tags).info.run_id
    metrics = {f"{symbol}.{k}": float(v) for k, v in chosen.scorecard["value"].items()}
    metrics |= {f"{symbol}.{k}": float(v) for k, v in chosen.metrics.items()}
    c.log_batch(
        run_id,
        metrics=[Metric(k, v, 0, 0) for k, v in metrics.items() if math.isfinite(v)],
        params=[Param(k, str(v)) for k, v in chosen.combination.items()],
        tags=[RunTag("study.words", chosen.name)],
    )
    files = {
        "ledger/trades.parquet": chosen.ledger.trades, "ledger/orders.parquet": chosen.ledger.orders,
        "ledger/equity.parquet": chosen.ledger.equity, "scorecard.csv": chosen.scorecard.to_csv(),
        "daily_returns.parquet": chosen.daily_returns.to_frame(), "equity.png": figures.equity(chosen.ledger),
    }  # fmt: skip
    write(run_id, files, symbol)
    c.set_terminated(run_id)
    return run_id
