"""What Alembic runs: the migrations, on the connection and in the transaction it was handed."""

from alembic import context

from smcdesk.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters a table by making it anew
    transactional_ddl=True,  # both databases can take back a half-made table
)
with context.begin_transaction():
    context.run_migrations()
