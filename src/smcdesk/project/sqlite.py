"""A transaction on an SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def transaction(
    path: Path,  # an SQLite file
) -> Iterator[sqlite3.Connection]:
    "A transaction on a connection to the file: all of it or nothing; other writers wait for its end."
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as c:
        c.execute("PRAGMA journal_mode = WAL")
        c.execute("PRAGMA synchronous = FULL")
        c.execute("BEGIN IMMEDIATE")
        try:
            yield c
        except BaseException:
            if c.in_transaction:
                c.execute("ROLLBACK")
            raise
        if c.in_transaction:
            c.execute("COMMIT")
