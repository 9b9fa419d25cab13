"""An outbox: messages to people, and what became of each on each channel."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    "Two tables more."
    op.create_table(
        "messages",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("key", "kind")),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("channel", "subject", "text")),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_messages")),
        sa.CheckConstraint("kind IN ('signal', 'failure', 'digest', 'quality')", name=op.f("ck_messages_kind_known")),
    )
    op.create_index(op.f("ix_messages_time"), "messages", ["time"])
    op.create_table(
        "deliveries",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("key", "channel", "status")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("attempts", "parts_sent")),
        sa.Column("attempted_at", sa.BigInteger(), nullable=True),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=False),
        sa.Column("holds_channel", sa.Boolean(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", "channel", name=op.f("pk_deliveries")),
        sa.ForeignKeyConstraint(["key"], ["messages.key"], name=op.f("fk_deliveries_key"), ondelete="CASCADE"),
        sa.CheckConstraint(
            "status IN ('queued', 'sent', 'failed', 'expired')", name=op.f("ck_deliveries_status_known")
        ),
        sa.CheckConstraint("(status = 'sent') = (sent_at IS NOT NULL)", name=op.f("ck_deliveries_sent_has_its_moment")),
    )
    for column in ("status", "attempted_at"):
        op.create_index(op.f(f"ix_deliveries_{column}"), "deliveries", [column])


def downgrade() -> None:
    "Without them."
    op.drop_table("deliveries")
    op.drop_table("messages")
