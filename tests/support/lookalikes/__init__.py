"""Servers on loopback that answer like a venue does, by its documentation, and stumble when they are told to.

They are transcriptions, not recordings: what is tested against them is tested against the documents they cite, never
against a live venue.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pandas as pd

Answer = tuple[int, dict[str, str], bytes]


def as_json(body: Any, status: int = 200, **headers: str) -> Answer:
    "An answer of JSON."
    return status, {"Content-Type": "application/json", **headers}, json.dumps(body).encode()


@dataclass
class Venue:
    "What a look-alike knows, and the faults it shall show; each fault is used once, in order."

    bars: pd.DataFrame  # by open time; the last is the one still open
    answer: Callable[[Venue, str, dict[str, str], dict[str, str]], Answer]
    faults: list[Any] = field(default_factory=list)  # an Answer, "hang", "drop", or None for none
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)  # paths and queries so far
    only: str = ""  # faults hit the requests whose path holds this
    url: str = ""
    date: pd.Timestamp | None = None  # the server's clock, as its Date header tells it; None: this machine's
    free: threading.Event = field(default_factory=threading.Event)  # ends what hangs


@contextmanager
def running(venue: Venue) -> Iterator[Venue]:
    "The venue on a free loopback port."

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            venue.requests.append((parts.path, query))
            fault = venue.faults.pop(0) if venue.faults and venue.only in parts.path else None
            if fault == "hang":
                venue.free.wait(10)
                fault = "drop"
            if fault == "drop":
                self.close_connection = True
                return
            status, headers, body = fault or venue.answer(venue, parts.path, query, dict(self.headers))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp=None):
            return super().date_time_string(venue.date.timestamp() if venue.date is not None else timestamp)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    venue.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield venue
    finally:
        venue.free.set()
        server.shutdown()
        server.server_close()
        thread.join()


def numbers(bars: pd.DataFrame) -> Iterator[tuple[int, float, float, float, float, float]]:
    "Unix seconds, open, high, low, close, volume of each bar."
    for time, row in zip(bars.index, bars.itertuples(index=False), strict=True):
        yield int(time.timestamp()), row.open, row.high, row.low, row.close, row.volume
