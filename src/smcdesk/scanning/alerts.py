"""Messages about a scan's new signals, into the outbox."""

from __future__ import annotations

from dataclasses import replace

from smcdesk.notifications import messages
from smcdesk.notifications.outbox import enqueue
from smcdesk.scanning.signals import RANK
from smcdesk.scanning.summary import ScanResult
from smcdesk.scanning.workspace import Workspace


def enqueue_alerts(
    workspace: Workspace,
    found: ScanResult,
    least: str = "live",  # live; shadow: what is only watched too
) -> int:  # how many messages were new
    "Put a slot's new signals, and those that ended, into the outbox; a second call puts nothing."
    by_setup = {d.setup_id: d for d in found.decisions}
    new = 0
    for row in found.new.itertuples():
        if RANK[row.outcome_class] < RANK[least]:
            continue
        d = by_setup[row.setup_id]
        if d.ticket is None:  # the end of a signal whose plan is gone: the message carries the plan it had
            before = workspace.store.decisions(setup_id=row.setup_id, policy_hash=row.policy_hash)[0]
            d = replace(before, why=d.why, next=d.next, time=d.time, outcome=d.outcome)
        message = messages.signal_message(d, version=row.version, status=row.status, expires_ns=row.expires_at.value)
        new += enqueue(workspace.store, **message)
    return new
