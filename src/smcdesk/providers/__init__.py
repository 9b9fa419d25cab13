"""Where candles, quotes, calendars and headlines come from: one file per source, one protocol for all of them.

May import `project` and the Lab. Never the store, the history or anything above: a provider answers requests and stores
nothing.
"""

from smcdesk.providers.factory import KINDS, provider
from smcdesk.providers.protocol import BadAnswer, Provider, ProviderDown, ProviderRefused, Quote

__all__ = ["KINDS", "BadAnswer", "Provider", "ProviderDown", "ProviderRefused", "Quote", "provider"]
