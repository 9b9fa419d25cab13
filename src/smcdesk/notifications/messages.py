"""The wording of messages: each function returns the keyword arguments of `outbox.enqueue`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from smcdesk.project.redaction import one_line
from smclab.candles import BadConfig, timeframe_ns
from smclab.decision import Decision

_SIDE = {1: "long", -1: "short"}
_WORD = {"new": "", "amended": "CHANGED ", "cancelled": "CANCELLED "}


def signal_message(
    decision: Decision,  # one with a ticket
    *,
    version: int = 1,  # of the signal, as the store counts them
    status: str = "new",  # new, amended, cancelled
    expires_ns: int | None = None,  # where an instrument's closing hours move it; None: in bars, as the decision has it
) -> dict[str, Any]:
    "The alert for one setup: what to do, why, what next, until when. It is not sent once that is over."
    d, t = decision, decision.ticket
    if t is None or d.side not in _SIDE:
        raise BadConfig(f"a signal needs a plan; decision {d.setup_id or 'without a setup'} has none ({d.why})")
    side, until = _SIDE[d.side], expires_ns if expires_ns is not None else d.expires_ns
    head = (f"{_WORD[status]}{d.instrument} {d.timeframe}", side, f"@ {t.entry_price:.10g}", d.grade or "")
    lines = [
        f"{d.instrument} {d.timeframe} {side}, {d.outcome}" + (f", grade {d.grade}" if d.grade else ""),
        f"Entry   {t.entry_price:.10g} ({t.entry_type})",
        f"Stop    {t.stop_price:.10g} (1 R = {t.stop_distance:.10g})",
        f"Target  {t.target_price:.10g}",
        f"RR      {t.rr_net:.2f} net of costs",
        f"WHY     {d.why}",
        f"NEXT    {d.next}",
        f"Expires {_utc(until)}",
        f"Known   {_utc(d.time + timeframe_ns(d.timeframe))}",
        *(f"WARNING {w}" for w in d.warnings),
    ]
    key = f"signal/{d.setup_id}/{d.policy_hash}/{version}"
    message = {"kind": "signal", "key": key, "subject": " ".join(x for x in head if x), "text": "\n".join(lines)}
    return message | {"when_ns": d.time + timeframe_ns(d.timeframe), "expires_ns": until}


def failure_message(
    report: str,
    slot: str,
    error: str,
    when_ns: int,
    *,
    params: Mapping[str, Any] | None = None,
    where: str = "",  # the page or the log to look at
) -> dict[str, Any]:
    "The alert for a report that failed; the same slot failing again in another way is another message."
    first = one_line(error) or "no reason was given"
    word = hashlib.sha256(first.encode()).hexdigest()[:8]
    lines = [f"Report {report}, slot {slot}, failed at {_utc(when_ns)}.", f"ERROR   {first}"]
    lines += [f"WITH    {one_line(', '.join(f'{k}={v}' for k, v in params.items()))}"] if params else []
    lines += [f"LOOK    {where}"] if where else []
    message = {"kind": "failure", "key": f"failure/{report}/{slot}/{when_ns}/{word}", "when_ns": when_ns}
    return message | {"subject": f"FAILED {report} {slot}"[:300], "text": "\n".join(lines)}


def digest_message(
    day: str,  # the day or the end of the period, e.g. "2024-03-08"
    sections: Mapping[str, Iterable[str]],  # title -> lines, in order
    when_ns: int,
    *,
    summary: str = "",  # one sentence; also the subject
) -> dict[str, Any]:
    "The digest of a day: a sentence, then a title and its lines for each section; an empty one says so."
    blocks = [summary] if summary else []
    for title, lines in sections.items():
        blocks.append(
            "\n".join([title.upper(), *(f"- {' '.join(line.splitlines())}" for line in (*lines,) or ("nothing",))])
        )
    subject = f"Digest {day}" + (f": {summary}" if summary else "")
    message = {"kind": "digest", "key": f"digest/{day}", "when_ns": when_ns, "text": "\n\n".join(blocks) or "nothing"}
    return message | {"subject": " ".join(subject.split())[:300]}


def _utc(ns: int) -> str:
    "A time as a reader sees it."
    return f"{pd.Timestamp(ns, tz='UTC'):%Y-%m-%d %H:%M} UTC"
