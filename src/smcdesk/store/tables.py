"""The tables as SQLAlchemy writes statements about them, and what names a row of each."""

from __future__ import annotations

from sqlalchemy import Table

from smcdesk.store.models import BaselineRow, DecisionRow, InstrumentRow, LabelRow, MessageRow, SignalRow, VerdictRow

DECISIONS, VERDICTS, LABELS = DecisionRow.__table__, VerdictRow.__table__, LabelRow.__table__
SIGNALS, INSTRUMENTS, BASELINES = SignalRow.__table__, InstrumentRow.__table__, BaselineRow.__table__
MESSAGES = MessageRow.__table__


def key_of(table: Table) -> tuple[str, ...]:
    "The columns of the primary key."
    return tuple(c.name for c in table.primary_key.columns)
