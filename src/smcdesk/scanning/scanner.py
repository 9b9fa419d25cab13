"""Live and paper scans: the candles since the last scan are read, decided and stored, with the clock of the decision.

A scan may be run again at any time. Which bars were looked at, when, and by what (configuration, account, calendar,
model) stands in a journal before anything is decided; the same bar is therefore decided once, and a scan that was
interrupted decides it again by the moment of its first entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd

from smcdesk.decisions.config import AccountSnapshot, CalendarSnapshot, DecisionBasis, DecisionConfig
from smcdesk.decisions.context import bar_context, bar_facts, with_live_model_scores
from smcdesk.decisions.records import label_rows
from smcdesk.decisions.series import SeriesReader
from smcdesk.marketdata.months import DamagedFile
from smcdesk.scanning.signals import first_evaluations, signal_versions
from smcdesk.scanning.summary import ScanResult, moment_ns, summarize
from smcdesk.scanning.workspace import Workspace, spread_of, update_history
from smcdesk.store.journal import ScanEntry, ScanJournal, series, series_key
from smclab.account import Account
from smclab.candles import BadConfig
from smclab.decision import Decision
from smclab.gates import Context
from smclab.reader import ReadingNow


@dataclass(frozen=True)
class DecidedBar:
    "What was decided at one bar."

    entry: ScanEntry  # closed
    decisions: tuple[Decision, ...]
    labels: pd.DataFrame  # columns of setup_labels, one row per decision


def scan(
    workspace: Workspace,
    symbols: Iterable[str],
    timeframes: Iterable[str],
    slot: str,  # names the scan: run again, nothing is decided twice
) -> ScanResult:
    "Fetch, read and decide every series, and store what was decided."
    now, journal = workspace.clock(), workspace.journal
    pairs = [(s, tf) for s in symbols for tf in timeframes]
    last_bars = journal.last_bars(workspace.policy_hash)
    for pair in pairs:
        _check_owner(workspace, *pair, last_bars)
    names = {pair: series(workspace.provider_name, *pair) for pair in pairs}
    updates = {names[pair]: update_history(workspace, *pair, now) for pair in pairs}
    spreads = {s: spread_of(workspace, s) for s in dict.fromkeys(s for s, _ in pairs)}
    waiting = []
    for symbol, tf in pairs:
        name, reader, basis = names[symbol, tf], workspace.reader(symbol, tf), workspace.basis(symbol, tf)
        fetched_by = updates[name][0]
        try:
            bars = _bars_to_decide(workspace, reader, symbol, last_bars.get(name), fetched_by)
        except DamagedFile as error:  # the other series are decided; this one when its candles have been fetched again
            updates[name] = (fetched_by, f"history damaged: {error}")
            continue
        workspace.put_away(reader)
        for k, ns in enumerate(bars.index.asi8.tolist()):
            entry = ScanEntry(
                name, basis.config.policy.hash(), ns, basis.config.config_hash, basis.account.account_hash,
                basis.calendar.calendar_hash, basis.model_version, slot, moment_ns(now), fetched_by.value,
                spreads[symbol],
            )  # fmt: skip
            waiting.append((reader, basis, bars.iloc[[k]], entry))
    entries = journal.open_entries([entry for *_, entry in waiting], _contents(b for _, b, *_ in waiting))
    done = []
    for (reader, basis, bar, _), entry in zip(waiting, entries, strict=True):
        done.append(_decide_bar(workspace, reader, basis, bar, entry))
        workspace.put_away(reader)
    _persist(workspace, done)
    journal.record_problems(slot, moment_ns(now), {name: text for name, (_, text) in updates.items() if text})
    for symbol, tf in pairs:
        workspace.reader(symbol, tf).save()
    return summarize(workspace, symbols, timeframes, slot)


def _check_owner(workspace: Workspace, symbol: str, timeframe: str, last_bars: Mapping[str, int]) -> None:
    "A market is decided from one source of candles, and by scans alone; anything else would contradict itself later."
    own = series(workspace.provider_name, symbol, timeframe)
    if own in last_bars:
        return
    others = [name for name in last_bars if series_key(name)[1:] == (symbol, timeframe)]
    if others:
        raise BadConfig(
            f"{symbol} {timeframe} is scanned from {series_key(others[0])[0]} in this environment, not from "
            f"{workspace.provider_name}: keep to one source, or scan the other in another environment"
        )
    policy = workspace.configs[symbol].policy.hash()
    if workspace.store.newest(policy, symbol, timeframe) is not None:
        raise BadConfig(
            f"{workspace.store!r} keeps decisions of {symbol} {timeframe} by policy {policy} that no scan made (kedro "
            f"run did): scan in another environment, or drop them with smcdesk store forget {policy} {symbol}"
        )


def _bars_to_decide(
    workspace: Workspace,
    reader: SeriesReader,
    symbol: str,
    last: int | None,  # open label of the newest decided bar, ns UTC; None: nothing was decided yet
    fetched_by: pd.Timestamp,
) -> pd.DataFrame:
    "The candles that are to be decided; the reader is brought to the candle before them."
    bars, n = workspace.unread_bars(reader, symbol, fetched_by)
    decided = bars.index[:0] if last is None else bars.index[bars.index <= pd.Timestamp(last, tz="UTC")]
    new = len(bars) - 1 if last is None else len(decided)  # the newest candle is the first that is ever decided
    too_far = new < 0 or (last is not None and (reader.last_ns or 0) > last)
    if reader.n and (too_far or reader.n + len(bars) != n):  # or a hole before what was read has been filled
        reader.restart()
        return _bars_to_decide(workspace, reader, symbol, last, fetched_by)
    reader.extend(bars.iloc[: max(new, 0)])
    return bars.iloc[max(new, 0) :]


def _contents(bases: Iterable[DecisionBasis]) -> dict[str, list[dict]]:
    "The configurations, accounts and calendars that entries name by their hashes, each once."
    config, account, calendar = {}, {}, {}
    for basis in bases:
        config.setdefault(basis.config.config_hash, basis.config)
        account.setdefault(basis.account.account_hash, basis.account)
        calendar.setdefault(basis.calendar.calendar_hash, basis.calendar)
    return {
        "config_hash": [c.to_dict() for c in config.values()],
        "account_hash": [a.account.to_dict() for a in account.values()],
        "calendar_hash": [c.to_dict() for name, c in calendar.items() if name is not None],
    }


def recorded_basis(journal: ScanJournal, entry: ScanEntry) -> DecisionBasis:
    "What an entry was decided by, as it was written down."
    account = Account.from_dict(journal.content("account_hash", entry.account_hash))
    calendar = None if entry.calendar_hash is None else journal.content("calendar_hash", entry.calendar_hash)
    return DecisionBasis(
        DecisionConfig.from_dict(journal.content("config_hash", entry.config_hash)),
        AccountSnapshot(account), CalendarSnapshot.from_dict(calendar), entry.model_version,
    )  # fmt: skip


def _is_basis_of(basis: DecisionBasis, entry: ScanEntry) -> bool:
    "Whether an entry was opened by this very basis."
    own = (basis.config.config_hash, basis.account.account_hash, basis.calendar.calendar_hash, basis.model_version)
    return own == (entry.config_hash, entry.account_hash, entry.calendar_hash, entry.model_version)


def _decide_bar(
    workspace: Workspace, reader: SeriesReader, basis: DecisionBasis, bar: pd.DataFrame, entry: ScanEntry
) -> DecidedBar:
    "Read one more candle and decide at its close, by the clock and the basis of its first entry."
    reader.extend(bar)
    if not _is_basis_of(basis, entry):  # opened before something changed, and interrupted
        basis = recorded_basis(workspace.journal, entry)
    if basis.config.config_hash != reader.config.config_hash:
        bars = reader.reading.bars
        reader = SeriesReader(basis.config, reader.timeframe)
        reader.extend(bars)
    decisions, found, context = reader.decide(partial(_context_for, workspace, reader, basis, entry))
    labels = pd.DataFrame()
    if decisions:
        spread = pd.Series(entry.spread_price, index=bar.index)
        labels = label_rows(decisions, found, context, spread)
        labels = labels[[not d.ended for d in decisions]]  # where a wait is over there is nothing left to become of it
    return DecidedBar(entry.closed(decisions), decisions, labels)


def _context_for(
    workspace: Workspace,
    reader: SeriesReader,
    basis: DecisionBasis,
    entry: ScanEntry,
    at: ReadingNow,
    setups: set[str],
) -> Context:
    "The context of an entry's decisions."
    facts = bar_facts(at, basis.config, reader.data_quality())
    context = bar_context(basis, int(at.times[at.bar]), entry.decided_at, entry.spread_price, **facts)
    if basis.config.model_use == "none":
        return context
    spreads = partial(workspace.journal.spreads, entry.series, entry.policy_hash)
    return with_live_model_scores(context, at.reading, setups, basis, spreads, workspace.headlines)


def _persist(workspace: Workspace, done: list[DecidedBar]) -> None:
    "Store all decisions and close their journal entries, in one transaction."
    decisions = [d for bar in done for d in bar.decisions]
    with workspace.store.transaction() as one:
        if decisions:
            owners = {d.instrument: workspace.configs[d.instrument].instrument for d in decisions}
            one.record_instruments(owners.values())
            one.record_decisions(decisions)
            if labels := [bar.labels for bar in done if len(bar.labels)]:
                one.record_labels(first_evaluations(one, pd.concat(labels)))
            one.record_signals(signal_versions(one, decisions))  # after the labels: they know each setup's first moment
        ScanJournal(one).close_entries(bar.entry for bar in done)
