"""Alias: models registered before the move name this module in their pickles."""

from smcdesk.modelling.serving import ServedModel as Served

__all__ = ["Served"]
