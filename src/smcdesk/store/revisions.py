"""The database's shape, version by version; Alembic walks between them."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from smclab.candles import BadConfig, nearest


def _config(connection: Connection | None = None) -> Config:
    "Alembic's settings, without an alembic.ini."
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def head() -> str:
    "The newest revision this program knows."
    return ScriptDirectory.from_config(_config()).get_current_head()


def current(connection: Connection) -> str | None:
    "The revision the database is at; None when it has no tables yet."
    return MigrationContext.configure(connection).get_current_revision()


def check_revision(to: str) -> list[str]:  # every revision, the oldest first
    "`BadConfig` unless there is such a revision; `head` and `base` are one."
    revisions = [r.revision for r in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]
    if to not in ("head", "base", *revisions):
        raise BadConfig(
            f"the store has no revision {to!r}{nearest(to, revisions)} (known: base, {', '.join(revisions)}, head)"
        )
    return revisions


def move(
    connection: Connection,  # in a writing transaction
    to: str,  # a revision, "head", or "base" for nothing at all
):
    "Walk the database up or down to a revision, all steps or none."
    revisions = check_revision(to)
    stands_at = current(connection)
    if stands_at is not None and stands_at not in revisions:
        raise BadConfig(f"the store is at revision {stands_at!r}, which this program does not know: update the program")
    goal = {"head": len(revisions), "base": 0}.get(to) if to in ("head", "base") else revisions.index(to) + 1
    walk = command.upgrade if goal >= (revisions.index(stands_at) + 1 if stands_at else 0) else command.downgrade
    try:
        walk(_config(connection), to)
    except CommandError as error:
        raise BadConfig(f"the store's migrations cannot be walked: {error}") from error
