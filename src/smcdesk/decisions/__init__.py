"""The one place where conf becomes a decision's configuration, and a bar its context and its decision.

May import market data, models, the store, `project` and the Lab. Never Kedro, a notebook or a plot; scans, research and
orders all decide through here.
"""
