"""ForexFactory's calendar of the week: https://nfs.faireconomy.media/ff_calendar_thisweek.json.

A JSON list of title, country (a currency), date (with its offset), impact (High, Medium, Low, Holiday), forecast and
previous. Too many requests are answered with a page that says "Request Denied", or with 429.
"""

from lookalikes import Answer, Venue, as_json

WEEK = [
    {"title": title, "country": country, "date": date, "impact": impact, "forecast": "", "previous": ""}
    for title, country, date, impact in (
        ("Bank Holiday", "CAD", "2026-09-27T20:00:00-04:00", "Holiday"),
        ("Cash Rate", "AUD", "2026-09-29T00:30:00-04:00", "High"),
        ("JOLTS Job Openings", "USD", "2026-09-29T10:00:00-04:00", "Medium"),
        ("Non-Farm Employment Change", "USD", "2026-10-02T08:30:00-04:00", "High"),
    )
]

denied = (200, {"Content-Type": "text/html"}, b"<html><title>Request Denied</title></html>")
limited = (429, {"Content-Type": "text/html", "Retry-After": "7200"}, b"Too Many Requests")


def answer(venue: Venue, path: str, query: dict, headers: dict) -> Answer:
    "This week."
    return as_json(WEEK) if path == "/ff_calendar_thisweek.json" else (404, {}, b"")
