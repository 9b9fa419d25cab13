"""Files of economic calendars."""

import json

import pandas as pd

EVENTS = pd.DataFrame({
    "ts": pd.to_datetime(["2024-03-08 13:30", "2024-03-06 15:00", "2024-03-12 12:30"], utc=True),
    "currency": ["USD", "CAD", "USD"],
    "impact": ["high", "High", "medium"],
    "event": ["Nonfarm Payrolls", "BoC Interest Rate Decision", "Business Inventories"],
})  # fmt: skip
WEEK = [
    {"title": "CPI y/y", "country": "EUR", "date": "2024-03-11T05:00:00-04:00", "impact": "High", "forecast": ""},
    {"title": "Bank Holiday", "country": "JPY", "date": "2024-03-10T20:00:00-04:00", "impact": "Holiday"},
]


def written(folder, name, table=EVENTS):
    """A calendar file of the kind its name says."""
    path = folder / name
    if path.suffix == ".json":
        path.write_text(json.dumps(table))
    else:
        table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    return path
