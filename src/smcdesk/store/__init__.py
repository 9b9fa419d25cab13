"""What the Desk remembers: instruments, decisions, signals, labels and frozen baselines, in one database."""

from smcdesk.store.decisions import decision_id
from smcdesk.store.engine import StoreDown, store_url
from smcdesk.store.rows import Contradiction
from smcdesk.store.store import Store

__all__ = ["Contradiction", "Store", "StoreDown", "decision_id", "store_url"]
