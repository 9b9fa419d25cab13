"""Alembic's scripts: the database's shape, version by version."""
