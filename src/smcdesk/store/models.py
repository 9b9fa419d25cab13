"""The tables. Times are whole nanoseconds since 1970 UTC, prices and ratios doubles, JSON text in one spelling."""

from __future__ import annotations

import json
from typing import Annotated, Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    MetaData,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

GRADES = ("A+", "A", "B", "NO_TRADE")
OUTCOME_CLASSES = ("live", "shadow", "none")
OUTCOMES = ("target", "stop", "time", "never_filled")
ENTRY_TYPES = ("market", "limit")
STATUSES = ("new", "amended", "cancelled")
MESSAGE_KINDS = ("signal", "failure", "digest", "quality")
DELIVERIES = ("queued", "sent", "failed", "expired")
SLOT_STATUSES = ("running", "ok", "failed", "skipped")

RESTORE = "restore the store from a backup, or drop the rows with smcdesk store forget"


class StoreDamaged(ValueError):
    "A stored row is not what was written: stop, and restore the store from a backup, or forget the row."


class Nanoseconds(TypeDecorator):
    "A moment, ns since 1970 UTC. An integer in every dialect: SQLite and PostgreSQL both change what they call times."

    impl = BigInteger
    cache_ok = True


class Json(TypeDecorator):
    "A plain value as canonical JSON text: the same value is the same text in every dialect and in every export."

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect) -> str | None:
        return None if value is None else canonical(value)

    def process_result_value(self, value: str | None, dialect) -> Any:
        try:
            return None if value is None else json.loads(value)
        except (ValueError, TypeError) as error:
            raise StoreDamaged(f"the store holds a text that is not the JSON that was written: {RESTORE}") from error


def canonical(value: Any) -> str:
    "A plain value as JSON: keys sorted, no blanks, no NaN."
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _one_of(column: str, words: tuple[str, ...]) -> CheckConstraint:
    "A constraint that a column holds one of some words, or nothing."
    return CheckConstraint(f"{column} IN ({', '.join(repr(w) for w in words)})", name=f"{column}_known")


def _word(words: tuple[str, ...], **options):
    "A column that holds one of some words; the border names the nearest one."
    return mapped_column(info={"choices": words}, **options)


Ns = Annotated[int, mapped_column(Nanoseconds)]
NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}


class Base(DeclarativeBase):
    "What all tables share: the types of their columns, and names for their constraints, so a migration can find them."

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {str: Text(), int: BigInteger(), float: Double(), dict: Json(), list: Json()}  # noqa: RUF012


class InstrumentRow(Base):
    "A profile as it was when rows were written with it; a changed profile is a new row."

    __tablename__ = "instruments"

    symbol: Mapped[str] = mapped_column(primary_key=True)
    profile_hash: Mapped[str] = mapped_column(primary_key=True)  # Instrument.hash
    asset_class: Mapped[str]
    quote_currency: Mapped[str]
    profile: Mapped[dict]  # every field
    recorded_at: Mapped[Ns]  # by the Desk's clock; never compared


class DecisionRow(Base):
    "One `smclab.decision.Decision`: its headline in columns, the rest of it as JSON, its verdicts as child rows."

    __tablename__ = "decisions"
    __table_args__ = (
        _one_of("outcome", OUTCOME_CLASSES),
        Index(None, "time"),
        Index(None, "setup_id"),
        Index(None, "instrument", "time"),
    )

    decision_id: Mapped[str] = mapped_column(primary_key=True)  # store.decision_id
    content_hash: Mapped[str]  # Decision.hash: what was decided
    setup_id: Mapped[str]  # "" when there was no candidate
    instrument: Mapped[str]
    timeframe: Mapped[str]
    time: Mapped[Ns]  # open label of the bar at whose close it was decided
    outcome: Mapped[str] = _word(OUTCOME_CLASSES)
    grade: Mapped[str | None]
    score: Mapped[float | None]  # 0 to 100
    confidence: Mapped[float | None]  # 0 to 100
    confidence_kind: Mapped[str | None]
    why: Mapped[str]
    next: Mapped[str]
    policy_hash: Mapped[str]
    record: Mapped[dict]  # Decision.to_dict without its verdicts
    recorded_at: Mapped[Ns]


class VerdictRow(Base):
    "One gate's answer within a decision."

    __tablename__ = "verdicts"
    __table_args__ = (Index(None, "gate"),)

    decision_id: Mapped[str] = mapped_column(ForeignKey("decisions.decision_id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 1 for the first gate
    gate: Mapped[str]
    passed: Mapped[bool]
    enforced: Mapped[bool]
    reason: Mapped[str]
    evidence: Mapped[dict]
    next: Mapped[str]


class SignalRow(Base):
    "One version of a setup's signal to a trader or a broker, and until when it holds."

    __tablename__ = "signals"
    __table_args__ = (
        _one_of("outcome_class", OUTCOME_CLASSES),
        _one_of("status", STATUSES),
        CheckConstraint("version >= 1", name="version_counts_from_1"),
        CheckConstraint("side IN (-1, 1)", name="side_known"),
        CheckConstraint("expires_at > time", name="expires_after_time"),
        Index(None, "expires_at"),
        Index(None, "instrument", "time"),
    )

    setup_id: Mapped[str] = mapped_column(primary_key=True)
    policy_hash: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 1, 2, …: later ones replace earlier
    status: Mapped[str] = _word(STATUSES)
    outcome_class: Mapped[str] = _word(OUTCOME_CLASSES)
    instrument: Mapped[str]
    timeframe: Mapped[str]
    mode: Mapped[str]
    side: Mapped[int]  # +1 long, -1 short
    time: Mapped[Ns]  # open label of the bar at whose close this version became known
    expires_at: Mapped[Ns]  # the first moment at which it no longer holds
    entry_price: Mapped[float]
    stop_price: Mapped[float]
    target_price: Mapped[float]
    risk_pct: Mapped[float | None]
    grade: Mapped[str | None] = _word(GRADES)
    score: Mapped[float | None]
    confidence: Mapped[float | None]
    confidence_kind: Mapped[str | None]
    reason: Mapped[str | None]
    recorded_at: Mapped[Ns]


class LabelRow(Base):
    "One evaluated setup, executed or not; the last group of columns is filled later, once, by the outcome job."

    __tablename__ = "setup_labels"
    __table_args__ = (
        _one_of("grade", GRADES),
        _one_of("outcome_class", OUTCOME_CLASSES),
        _one_of("outcome", OUTCOMES),
        CheckConstraint("(outcome IS NULL) = (outcome_known_at IS NULL)", name="outcome_has_its_moment"),
        CheckConstraint("outcome_known_at > time", name="outcome_is_later"),
        CheckConstraint("side IN (-1, 1)", name="side_known"),
        *(Index(None, c) for c in ("instrument", "grade", "session", "regime", "time")),
    )

    setup_id: Mapped[str] = mapped_column(primary_key=True)
    policy_hash: Mapped[str] = mapped_column(primary_key=True)  # two policies judge one setup twice
    version: Mapped[str]  # of the setup's definition
    instrument: Mapped[str]
    timeframe: Mapped[str]
    mode: Mapped[str]
    side: Mapped[int | None]  # +1 long, -1 short
    time: Mapped[Ns]  # open label of the bar at whose close it was evaluated
    grade: Mapped[str | None] = _word(GRADES)
    score: Mapped[float | None]  # 0 to 100
    confidence: Mapped[float | None]  # 0 to 100
    confidence_kind: Mapped[str | None]
    outcome_class: Mapped[str] = _word(OUTCOME_CLASSES)
    verdicts: Mapped[list]  # every gate's answer, in order
    sweep_quality: Mapped[float | None]
    fvg_quality: Mapped[float | None]
    poi_quality: Mapped[float | None]
    session: Mapped[str | None]
    regime: Mapped[str | None]
    entry_spread_price: Mapped[float | None]  # ask minus bid at entry, price
    stop_distance_price: Mapped[float | None]  # 1 R, price
    entry_type: Mapped[str | None] = _word(ENTRY_TYPES)
    entry_price: Mapped[float | None]
    stop_price: Mapped[float | None]
    target_price: Mapped[float | None]
    expiry_bars: Mapped[int | None]  # bars after the label's own in which the entry may fill
    time_limit_bars: Mapped[int | None]  # bars after the entry's
    recorded_at: Mapped[Ns]

    outcome: Mapped[str | None] = _word(OUTCOMES)
    outcome_known_at: Mapped[Ns | None]  # open label of the bar at whose close it became knowable
    actual_rr: Mapped[float | None]  # R
    mae_r: Mapped[float | None]  # R, the farthest against it, >= 0
    mfe_r: Mapped[float | None]  # R, the farthest in favour, >= 0
    time_in_trade_bars: Mapped[int | None]


OUTCOME_COLUMNS = (
    "outcome",
    "outcome_known_at",
    "actual_rr",
    "mae_r",
    "mfe_r",
    "time_in_trade_bars",
)  # what fill_outcomes fills


class BaselineRow(Base):
    "Figures frozen under a name, for later rollouts to be measured against."

    __tablename__ = "baseline_snapshots"

    name: Mapped[str] = mapped_column(primary_key=True)
    policy_hash: Mapped[str]
    time: Mapped[Ns]  # what was known by this moment is in the figures
    figures: Mapped[dict]
    note: Mapped[str]
    recorded_at: Mapped[Ns]


class MessageRow(Base):
    "One message to people, as it was put into the outbox; what became of it is in `deliveries`."

    __tablename__ = "messages"
    __table_args__ = (_one_of("kind", MESSAGE_KINDS), Index(None, "time"))

    key: Mapped[str] = mapped_column(primary_key=True)  # the caller's: the same key is the same message
    kind: Mapped[str] = _word(MESSAGE_KINDS)
    time: Mapped[Ns]  # when what it tells happened
    expires_at: Mapped[Ns | None]  # the first moment at which it is not worth sending; None: always worth it
    channel: Mapped[str]  # the one it must take; "" leaves it to conf
    subject: Mapped[str]  # one line
    text: Mapped[str]
    recorded_at: Mapped[Ns]


class DeliveryRow(Base):
    "One message on one channel: how far it got."

    __tablename__ = "deliveries"
    __table_args__ = (
        _one_of("status", DELIVERIES),
        CheckConstraint("(status = 'sent') = (sent_at IS NOT NULL)", name="sent_has_its_moment"),
        Index(None, "status"),
        Index(None, "attempted_at"),
    )

    key: Mapped[str] = mapped_column(ForeignKey("messages.key", ondelete="CASCADE"), primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)  # "" for a message that expired before it had one
    status: Mapped[str] = _word(DELIVERIES)
    attempts: Mapped[int]
    parts_sent: Mapped[int]  # of a text that is longer than the channel takes at once
    attempted_at: Mapped[Ns | None]  # the newest attempt's start
    next_attempt_at: Mapped[Ns]  # not before
    holds_channel: Mapped[bool]  # whether the whole channel waits until then
    sent_at: Mapped[Ns | None]
    error: Mapped[str]  # of the newest attempt, one line; "" when there was none


class DecisionConfigRow(Base):
    "What decisions depend on that does not change from bar to bar; found again by its hash."

    __tablename__ = "decision_configs"

    config_hash: Mapped[str] = mapped_column(primary_key=True)  # of `content`
    content: Mapped[dict]
    recorded_at: Mapped[Ns]


class AccountRow(Base):
    "An account as decisions saw it."

    __tablename__ = "account_snapshots"

    account_hash: Mapped[str] = mapped_column(primary_key=True)  # of `content`
    content: Mapped[dict]
    recorded_at: Mapped[Ns]


class CalendarRow(Base):
    "An economic calendar as decisions saw it."

    __tablename__ = "news_calendars"

    calendar_hash: Mapped[str] = mapped_column(primary_key=True)  # of `content`
    content: Mapped[dict]
    recorded_at: Mapped[Ns]


class ScanEntryRow(Base):
    "One bar that a scan looked at, written before it is decided; how many decisions it had is filled in with these."

    __tablename__ = "scan_entries"
    __table_args__ = (
        CheckConstraint("(decisions_n IS NULL) = (decisions_hash IS NULL)", name="decided_has_its_hash"),
        Index(None, "slot"),
        Index(None, "policy_hash", "time"),
    )

    series: Mapped[str] = mapped_column(primary_key=True)  # provider/symbol/timeframe
    policy_hash: Mapped[str] = mapped_column(primary_key=True)
    time: Mapped[Ns] = mapped_column(primary_key=True)  # open label of the bar
    config_hash: Mapped[str] = mapped_column(ForeignKey("decision_configs.config_hash"))
    account_hash: Mapped[str] = mapped_column(ForeignKey("account_snapshots.account_hash"))
    calendar_hash: Mapped[str | None] = mapped_column(ForeignKey("news_calendars.calendar_hash"))
    model_version: Mapped[str | None]  # of the champion; "" where there was none; None where conf asks for none
    slot: Mapped[str]  # of the scan that looked first
    decided_at: Mapped[Ns]  # the clock of the decision
    fetched_by: Mapped[Ns]  # candles fetched later were not read
    spread_price: Mapped[float]
    decisions_n: Mapped[int | None]  # None: not decided yet
    decisions_hash: Mapped[str | None]  # of their hashes, in order
    recorded_at: Mapped[Ns]


class ScanProblemRow(Base):
    "What kept a slot's scan from the newest candles of a series."

    __tablename__ = "scan_problems"

    slot: Mapped[str] = mapped_column(primary_key=True)
    series: Mapped[str] = mapped_column(primary_key=True)
    time: Mapped[Ns]  # the clock of the scan
    problem: Mapped[str]
    recorded_at: Mapped[Ns]


class SlotRow(Base):
    "One slot of the timetable: begun, ended, skipped."

    __tablename__ = "slots"
    __table_args__ = (_one_of("status", SLOT_STATUSES), Index(None, "time"))

    job: Mapped[str] = mapped_column(primary_key=True)
    time: Mapped[Ns] = mapped_column(primary_key=True)  # names the slot
    status: Mapped[str] = _word(SLOT_STATUSES)
    reason: Mapped[str]  # "" where there is none
    tries: Mapped[int]
    started_at: Mapped[Ns]
    ended_at: Mapped[Ns | None]


class JobRow(Base):
    "Until when the slots of a job are settled."

    __tablename__ = "jobs"

    job: Mapped[str] = mapped_column(primary_key=True)
    settled_until: Mapped[Ns]
