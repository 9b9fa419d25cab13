"""First tables: instruments, decisions with their verdicts, signals, labels, baselines.

A migration never changes once it has run anywhere, so this one spells its types itself: moments are BigInteger,
JSON is Text.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _text(*names: str, needed: bool = True) -> list[sa.Column]:
    "Columns of words, or of JSON."
    return [sa.Column(name, sa.Text(), nullable=not needed) for name in names]


def _whole(*names: str, needed: bool = True) -> list[sa.Column]:
    "Columns of whole numbers, or of moments."
    return [sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=not needed) for name in names]


def _number(*names: str, needed: bool = True) -> list[sa.Column]:
    "Columns of doubles."
    return [sa.Column(name, sa.Double(), nullable=not needed) for name in names]


def _table(name: str, *parts, key: tuple[str, ...], checks: dict[str, str] | None = None) -> None:
    "A table with its key and its checks, named as the models name them."
    rules = [sa.CheckConstraint(rule, name=op.f(f"ck_{name}_{what}")) for what, rule in (checks or {}).items()]
    op.create_table(name, *parts, sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")), *rules)


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


CLASSES = "IN ('live', 'shadow', 'none')"


def upgrade() -> None:
    "From nothing."
    _table(
        "instruments",
        *_text("symbol", "profile_hash", "asset_class", "quote_currency", "profile"),
        *_whole("recorded_at"),
        key=("symbol", "profile_hash"),
    )
    _table(
        "decisions",
        *_text("decision_id", "content_hash", "setup_id", "instrument", "timeframe"),
        *_whole("time"),
        *_text("outcome"),
        *_text("grade", needed=False),
        *_number("score", "confidence", needed=False),
        *_text("confidence_kind", needed=False),
        *_text("why", "next", "policy_hash", "record"),
        *_whole("recorded_at"),
        key=("decision_id",),
        checks={"outcome_known": f"outcome {CLASSES}"},
    )
    for columns in (("time",), ("setup_id",), ("instrument", "time")):
        _index("decisions", *columns)
    _table(
        "verdicts",
        *_text("decision_id"),
        *_whole("position"),
        *_text("gate"),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("enforced", sa.Boolean(), nullable=False),
        *_text("reason", "evidence", "next"),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decisions.decision_id"], name=op.f("fk_verdicts_decision_id"), ondelete="CASCADE"
        ),
        key=("decision_id", "position"),
    )
    _index("verdicts", "gate")
    _table(
        "signals",
        *_text("setup_id", "policy_hash"),
        *_whole("version"),
        *_text("status", "outcome_class", "instrument", "timeframe", "mode"),
        *_whole("side", "time", "expires_at"),
        *_number("entry_price", "stop_price", "target_price"),
        *_number("risk_pct", needed=False),
        *_text("grade", needed=False),
        *_number("score", "confidence", needed=False),
        *_text("confidence_kind", "reason", needed=False),
        *_whole("recorded_at"),
        key=("setup_id", "policy_hash", "version"),
        checks={
            "outcome_class_known": f"outcome_class {CLASSES}",
            "status_known": "status IN ('new', 'amended', 'cancelled')",
            "version_counts_from_1": "version >= 1",
            "side_known": "side IN (-1, 1)",
            "expires_after_time": "expires_at > time",
        },
    )
    for columns in (("expires_at",), ("instrument", "time")):
        _index("signals", *columns)
    _table(
        "setup_labels",
        *_text("setup_id", "policy_hash", "version", "instrument", "timeframe", "mode"),
        *_whole("side", needed=False),
        *_whole("time"),
        *_text("grade", needed=False),
        *_number("score", "confidence", needed=False),
        *_text("confidence_kind", needed=False),
        *_text("outcome_class", "verdicts"),
        *_number("sweep_quality", "fvg_quality", "poi_quality", needed=False),
        *_text("session", "regime", needed=False),
        *_number("entry_spread_price", "stop_distance_price", needed=False),
        *_whole("recorded_at"),
        *_text("outcome", needed=False),
        *_whole("outcome_known_at", needed=False),
        *_number("actual_rr", "mae_r", "mfe_r", needed=False),
        *_whole("time_in_trade_bars", needed=False),
        key=("setup_id", "policy_hash"),
        checks={
            "grade_known": "grade IN ('A+', 'A', 'B', 'NO_TRADE')",
            "outcome_class_known": f"outcome_class {CLASSES}",
            "outcome_known": "outcome IN ('target', 'stop', 'time', 'never_filled')",
            "outcome_has_its_moment": "(outcome IS NULL) = (outcome_known_at IS NULL)",
            "outcome_is_later": "outcome_known_at > time",
            "side_known": "side IN (-1, 1)",
        },
    )
    for column in ("instrument", "grade", "session", "regime", "time"):
        _index("setup_labels", column)
    _table(
        "baseline_snapshots",
        *_text("name", "policy_hash"),
        *_whole("time"),
        *_text("figures", "note"),
        *_whole("recorded_at"),
        key=("name",),
    )


def downgrade() -> None:
    "To nothing: a table takes its indexes with it."
    for table in ("baseline_snapshots", "setup_labels", "signals", "verdicts", "decisions", "instruments"):
        op.drop_table(table)
