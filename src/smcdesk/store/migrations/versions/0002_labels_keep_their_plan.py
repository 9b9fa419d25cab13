"""Labels keep the plan they judge, so that the outcome job needs nothing but later bars."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PLAN = {
    "entry_type": sa.Text(), "entry_price": sa.Double(), "stop_price": sa.Double(), "target_price": sa.Double(),
    "expiry_bars": sa.BigInteger(), "time_limit_bars": sa.BigInteger(),
}  # fmt: skip


def upgrade() -> None:
    "Six columns more; labels from before have no plan, and the outcome job passes over them."
    for name, kind in PLAN.items():
        op.add_column("setup_labels", sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    "Without them."
    for name in reversed(PLAN):
        op.drop_column("setup_labels", name)
