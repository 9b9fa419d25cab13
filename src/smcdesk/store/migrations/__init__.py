"""Alembic's scripts: the database's tables, version by version.

May import SQLAlchemy, Alembic and, in `env` alone, the tables of today (`store.models`). Never in a version's script:
it says what the tables were on its day.
"""
