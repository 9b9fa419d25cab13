"""Candles of every market: stored history, feeds that stand in for each other, trading hours, quality.

May import providers, `project` and the Lab. Never decisions, the store or Kedro.
"""
