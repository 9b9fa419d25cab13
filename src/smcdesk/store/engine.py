"""Which database, and how to talk to it: one writer at a time, SQLite and PostgreSQL alike."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, InterfaceError, OperationalError

from smcdesk.project import paths
from smcdesk.project.config import load_config
from smcdesk.project.redaction import has_password, masked, masked_url
from smcdesk.store.models import RESTORE, StoreDamaged
from smclab.candles import BadConfig, nearest

URL_VARIABLE = "SMCDESK_STORE_URL"
WAIT_S = 30  # for another writer
_CONNECT_S = 10
_WRITER_LOCK = 7_304_209_115_620_001  # any number, the same for all writers of a database
_EXAMPLES = "sqlite:////folder/store.db or postgresql://user@host:5432/database"
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


class StoreDown(ConnectionError):
    "The database cannot be used at this moment: wait and try again; nothing was written."


def store_url(env: str | None = None) -> str:
    "The store of an environment: `SMCDESK_STORE_URL`, else what conf says."
    if url := os.environ.get(URL_VARIABLE):
        return url
    url = load_config(env).store["url"]
    if has_password(url):
        raise BadConfig(f"store.url in conf holds a password: move the whole URL to the variable {URL_VARIABLE}")
    return url


def checked(
    url: str | URL,  # as the user wrote it
) -> URL:  # with its driver; SQLite files by their absolute path
    "The URL, or `BadConfig` that says what is wrong with it."
    try:
        found = make_url(url)
    except ArgumentError:
        path = isinstance(url, str) and ":" not in url and url.strip()
        hint = f"; did you mean 'sqlite:///{url}'?" if path else ""
        raise BadConfig(f"the store's URL must be like {_EXAMPLES}; found {_masked(str(url))!r}{hint}") from None
    except ValueError as error:  # a port that is no number
        raise BadConfig(f"the store's URL is malformed ({masked(str(error))}); expected {_EXAMPLES}") from None
    if found.drivername not in _DRIVERS:
        schemes = ("sqlite", "postgresql")
        near = nearest(found.drivername, schemes)
        raise BadConfig(f"the store knows no database {found.drivername!r}{near} (known: {', '.join(schemes)})")
    found = found.set(drivername=_DRIVERS[found.drivername])
    if not found.database or found.database == ":memory:":
        what = "a file: a store in memory is gone when the process ends" if is_sqlite(found) else "the database"
        raise BadConfig(f"the store's URL must name {what}, such as {_EXAMPLES}; found {shown(found)!r}")
    if is_sqlite(found):
        if unknown := sorted(set(found.query) - {"timeout"}):  # the driver would put them into the file's name
            raise BadConfig(
                f"the store's URL has the parameter {masked(unknown[0])!r}, and a SQLite file has none: expected "
                "sqlite:////folder/store.db"
            )
        return found.set(database=(paths.root() / Path(found.database).expanduser()).as_posix())
    return found


def is_sqlite(url: URL) -> bool:
    "Whether the store is a file."
    return url.get_backend_name() == "sqlite"


def shown(url: URL) -> str:
    "The URL as messages may show it."
    return masked_url(url.render_as_string(hide_password=True))


def _masked(text: str) -> str:
    "A text that may be a URL, without what may be its user and password."
    return masked(f"…@{text.rpartition('@')[2]}" if "@" in text else text)


def engine(url: URL) -> Engine:
    "An engine for the URL. SQLite: every transaction is begun by us, so that it really is one."
    if not is_sqlite(url):
        wait = {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_S}
        try:
            return create_engine(url, pool_pre_ping=True, connect_args={"application_name": "smcdesk", **wait})
        except ModuleNotFoundError as error:
            raise BadConfig(f"{shown(url)} needs PostgreSQL's driver: pip install 'smclab[postgres]'") from error
    created = create_engine(url, connect_args={"timeout": WAIT_S})

    @event.listens_for(created, "connect")
    def _connected(connection, _) -> None:
        connection.isolation_level = None  # the driver's own habit of beginning late is switched off
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(created, "begin")
    def _begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return created


@contextmanager
def translate_errors(url: URL) -> Iterator[None]:
    "Database errors as `StoreDown`, `StoreDamaged` or `BadConfig`, in a sentence."
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        reason = masked(" ".join(str(getattr(error, "orig", error)).split()))
        if "file is not a database" in reason:
            raise BadConfig(f"the store's file {url.database} is not an SQLite database: name another one") from error
        if "invalid connection option" in reason:
            raise BadConfig(f"the store's URL {shown(url)} cannot be used: {reason}") from error
        if "malformed" in reason or "Could not decode to UTF-8" in reason:
            raise StoreDamaged(f"the store {shown(url)} is damaged ({reason[:160]}): {RESTORE}") from error
        if isinstance(error, IntegrityError):
            raise BadConfig(f"the store refuses a row ({reason}): nothing was written") from error
        if not isinstance(error, OperationalError | InterfaceError | sqlite3.OperationalError):
            raise
        raise StoreDown(
            f"the store {shown(url)} cannot be used now ({reason}): nothing was written, wait and try again, "
            f"or check its URL ({URL_VARIABLE}, or store.url in conf)"
        ) from error


@contextmanager
def reading(database: Engine) -> Iterator[Connection]:
    "A transaction that sees one moment and writes nothing."
    level = {} if is_sqlite(database.url) else {"isolation_level": "REPEATABLE READ"}
    with (
        translate_errors(database.url),
        database.connect().execution_options(**level) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def writing(database: Engine) -> Iterator[Connection]:
    "A transaction that writes all or nothing; other writers wait for its end."
    with (
        translate_errors(database.url),
        database.connect().execution_options(writes=True) as connection,
        connection.begin(),
    ):
        if not is_sqlite(database.url):
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{WAIT_S}s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")
        yield connection
