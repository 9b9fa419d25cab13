"""What the stored live decisions of a series would have earned."""

from __future__ import annotations

import pandas as pd

from smcdesk.project.config import load_config
from smcdesk.scanning.workspace import Workspace
from smclab.execution import intents
from smclab.replay import replay


def paper_trades(workspace: Workspace, env: str, symbol: str, timeframe: str) -> pd.DataFrame | None:
    "What the stored live decisions of a series earned, filled as the replay fills them; None without any."
    made = workspace.store.decisions(instrument=symbol, timeframe=timeframe, policy_hash=workspace.policy_hash)
    made = [d for d in made if d.setup_id]
    first = {d.setup_id: d for d in sorted(made, key=lambda d: -d.time)}
    if not any(d.outcome == "live" for d in first.values()):
        return None
    world, bars = workspace.configs[symbol], workspace.history.bars(workspace.provider_name, symbol, timeframe)
    how = load_config(env).parameters["orders"]
    sent = intents(first.values(), bars, looks=made, **how)
    ledger = replay(
        bars, sent, instrument=world.instrument, account=world.account, costs=world.costs, rules=workspace.rules,
        max_risk_pct=world.policy.in_force.risk.max_risk_pct,
    )  # fmt: skip
    return ledger.closed.assign(symbol=symbol, timeframe=timeframe)
