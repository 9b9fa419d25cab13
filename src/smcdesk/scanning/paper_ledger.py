"""What the stored live decisions of a series would have earned."""

from __future__ import annotations

import pandas as pd

from smcdesk.project.config import load_config
from smcdesk.scanning.workspace import Workspace
from smclab.execution import intents
from smclab.replay import replay


def paper_trades(workspace: Workspace, env: str, symbol: str, timeframe: str) -> pd.DataFrame | None:
    "Closed trades of a series' live decisions, filled as the replay fills them; None where nothing was live."
    stored = workspace.store.decisions(instrument=symbol, timeframe=timeframe, policy_hash=workspace.policy_hash)
    stored = [d for d in stored if d.setup_id]
    first = {d.setup_id: d for d in sorted(stored, key=lambda d: -d.time)}
    if not any(d.outcome == "live" for d in first.values()):
        return None
    config = workspace.configs[symbol]
    bars = workspace.history.bars(workspace.provider_name, symbol, timeframe)
    orders = intents(first.values(), bars, reviews=stored, **load_config(env).parameters["orders"])
    ledger = replay(
        bars, orders, instrument=config.instrument, account=workspace.account.account, costs=config.costs,
        rules=workspace.rules, max_risk_pct=config.policy.in_force.risk.max_risk_pct,
    )  # fmt: skip
    return ledger.closed.assign(symbol=symbol, timeframe=timeframe)
