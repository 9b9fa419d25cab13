"""Live and paper scans: new candles in; decisions, signals, alerts and outcomes in the store out.

May import decisions, notifications, market data, the store and what lies below. Never Kedro, research or orders.
"""
