"""The Desk's database: instruments, decisions, signals, labels, messages, baselines, the scan journal, the slot log.

May import `project` and the Lab. Never providers, market data, tracking or anything above.
"""

from smcdesk.store.decisions import decision_id
from smcdesk.store.engine import StoreDown, store_url
from smcdesk.store.models import StoreDamaged
from smcdesk.store.rows import Contradiction
from smcdesk.store.store import Store

__all__ = ["Contradiction", "Store", "StoreDamaged", "StoreDown", "decision_id", "store_url"]
