"""The scan journal and the slot log, which were SQLite files of their own, as tables."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _texts(*names: str, nullable: bool = False) -> list[sa.Column]:
    "Columns of text."
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def _numbers(*names: str, nullable: bool = False) -> list[sa.Column]:
    "Columns of whole numbers and moments."
    return [sa.Column(name, sa.BigInteger(), nullable=nullable) for name in names]


CONTENTS = {
    "decision_configs": "config_hash", "account_snapshots": "account_hash", "news_calendars": "calendar_hash",
}  # fmt: skip


def upgrade() -> None:
    "Seven tables more."
    for table, key in CONTENTS.items():
        op.create_table(
            table,
            *_texts(key, "content"),
            *_numbers("recorded_at"),
            sa.PrimaryKeyConstraint(key, name=op.f(f"pk_{table}")),
        )
    op.create_table(
        "scan_entries",
        *_texts("series", "policy_hash"),
        *_numbers("time"),
        *_texts("config_hash", "account_hash"),
        *_texts("calendar_hash", "model_version", nullable=True),
        *_texts("slot"),
        *_numbers("decided_at", "fetched_by"),
        sa.Column("spread_price", sa.Double(), nullable=False),
        *_numbers("decisions_n", nullable=True),
        *_texts("decisions_hash", nullable=True),
        *_numbers("recorded_at"),
        sa.PrimaryKeyConstraint("series", "policy_hash", "time", name=op.f("pk_scan_entries")),
        *(
            sa.ForeignKeyConstraint([key], [f"{table}.{key}"], name=op.f(f"fk_scan_entries_{key}"))
            for table, key in CONTENTS.items()
        ),
        sa.CheckConstraint(
            "(decisions_n IS NULL) = (decisions_hash IS NULL)", name=op.f("ck_scan_entries_decided_has_its_hash")
        ),
    )
    op.create_index(op.f("ix_scan_entries_slot"), "scan_entries", ["slot"])
    op.create_index(op.f("ix_scan_entries_policy_hash_time"), "scan_entries", ["policy_hash", "time"])
    op.create_table(
        "scan_problems",
        *_texts("slot", "series"),
        *_numbers("time"),
        *_texts("problem"),
        *_numbers("recorded_at"),
        sa.PrimaryKeyConstraint("slot", "series", name=op.f("pk_scan_problems")),
    )
    op.create_table(
        "slots",
        *_texts("job"),
        *_numbers("time"),
        *_texts("status", "reason"),
        *_numbers("tries", "started_at"),
        *_numbers("ended_at", nullable=True),
        sa.PrimaryKeyConstraint("job", "time", name=op.f("pk_slots")),
        sa.CheckConstraint("status IN ('running', 'ok', 'failed', 'skipped')", name=op.f("ck_slots_status_known")),
    )
    op.create_index(op.f("ix_slots_time"), "slots", ["time"])
    op.create_table(
        "jobs", *_texts("job"), *_numbers("settled_until"), sa.PrimaryKeyConstraint("job", name=op.f("pk_jobs"))
    )


def downgrade() -> None:
    "Without them."
    for table in ("jobs", "slots", "scan_problems", "scan_entries", *CONTENTS):
        op.drop_table(table)
