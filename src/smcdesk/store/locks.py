"""Locks of a database: one process upgrades it at a time, and one holds a name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock
from filelock import Timeout as LockTimeout
from sqlalchemy import Engine

from smcdesk.store import engine as engines
from smclab.candles import BadConfig


@contextmanager
def upgrade_lock(database: Engine) -> Iterator[None]:
    "SQLite: create the file's folder and set its log mode, one process at a time. PostgreSQL: its transactions do."
    if not engines.is_sqlite(database.url):
        yield
        return
    file = Path(database.url.database)
    lock = FileLock(file.with_name(f".{file.name}.lock"), timeout=engines.WAIT_S)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except LockTimeout as error:
        raise engines.StoreDown(f"the store {file} is being upgraded by another process: wait and try again") from error
    except OSError as error:
        raise BadConfig(f"the store {file} cannot be made there: {error}") from error
    try:
        with engines.translate_errors(database.url), closing(database.raw_connection()) as raw:
            raw.execute("PRAGMA journal_mode = WAL")  # readers do not wait for the writer
        yield
    finally:
        lock.release()


@contextmanager
def named_lock(database: Engine, name: str) -> Iterator[bool]:  # False: another process holds it
    "Hold a lock of the database by its name, without waiting for it; it ends with the process that holds it."
    held = _file_lock(database, name) if engines.is_sqlite(database.url) else _advisory_lock(database, name)
    with held as mine:
        yield mine


@contextmanager
def _file_lock(database: Engine, name: str) -> Iterator[bool]:
    "A lock file beside the database."
    file = Path(database.url.database)
    lock = FileLock(file.with_name(f".{file.name}.{name}.lock"))
    try:
        lock.acquire(timeout=0)
    except LockTimeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


@contextmanager
def _advisory_lock(database: Engine, name: str) -> Iterator[bool]:
    "PostgreSQL's advisory lock, held by a connection of its own."
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with engines.translate_errors(database.url), database.connect() as connection:
        mine = connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({number})").scalar_one()
        connection.commit()
        try:
            yield mine
        finally:
            if mine:
                connection.exec_driver_sql(f"SELECT pg_advisory_unlock({number})")
                connection.commit()
