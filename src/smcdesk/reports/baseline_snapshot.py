"""The baseline report: ledgers frozen under a name, and whether today's replays still give the same."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from smcdesk import tracking
from smcdesk.datasets.catalog import load_catalog
from smcdesk.decisions.config import load_policy
from smcdesk.project import logs, paths
from smcdesk.project.config import check_symbol, load_config
from smcdesk.reports import replay_report
from smcdesk.reports.text import parameter_table, with_interval
from smcdesk.store import Store
from smclab.candles import BadConfig, fingerprint

KIND = "ledgers"  # of these figures; a rollout's have another
CARD = ("trades_n", "win_rate_pct", "expectancy_r", "total_return_pct", "sharpe_annual", "max_drawdown_pct", "costs")
SAME = {  # what must be the same -> in words
    "data_fingerprint": "candles", "decisions_hash": "decisions", "ledger_hash": "ledger",
}  # fmt: skip
VERSIONS = {"git_commit": "commit", "git_diff_hash": "uncommitted changes", "versions": "library versions"}
COLUMNS = ["symbol", "figure", "frozen", "now", "remark"]


@dataclass(frozen=True)
class BaselineReport:
    "Today's figures, and the frozen ones they are compared with."

    env: str
    name: str
    policy_hash: str
    now: dict[str, Any]  # today's figures, as they would be frozen
    until: pd.Timestamp  # the last bar they include
    frozen: dict[str, Any] | None  # Store.baseline; None: nothing has that name yet
    frozen_now: bool = False  # whether this run froze it
    returns: dict[str, pd.Series] | None = None  # daily, by symbol


def load(
    env: str = "base",
    *,
    name: str = "v1",  # of the baseline
    symbols: str = "",  # with commas between; "": every symbol of conf that was replayed
    freeze: bool = False,  # freeze today's figures under the name, unless it is taken
    note: str = "",
) -> BaselineReport:
    "The ledgers of an environment beside those frozen under a name; what is frozen is never changed."
    logs.quiet_libraries()
    catalog, policy = load_catalog(env), load_policy(env).hash()
    parts = {symbol: _symbol(catalog, symbol) for symbol in _chosen(symbols, env)}
    until = max(last for _, _, last in parts.values())
    now = {"kind": KIND, **_versions(), "symbols": {symbol: own for symbol, (own, _, _) in parts.items()}}
    now["n"] = sum(sum(own["decisions"].values()) for own in now["symbols"].values())
    with Store(env=env) as store:
        if store.revision() is None:
            store.upgrade()
        names = set(store.baselines()["name"])
        frozen_now = freeze and name not in names
        if frozen_now:
            store.snapshot(name, now, policy_hash=policy, time=until, note=note)
        frozen = store.baseline(name) if frozen_now or name in names else None
    if frozen and frozen["figures"].get("kind") != KIND:
        raise BadConfig(
            f"baseline {name!r} was frozen from a rollout: read it by rollout_report, or choose another name"
        )
    returns = {symbol: daily for symbol, (_, daily, _) in parts.items()}
    return BaselineReport(env, name, policy, now, until, frozen, frozen_now, returns)


def _chosen(symbols: str, env: str) -> list[str]:
    "The requested symbols, each with a ledger; without a request, every symbol of conf that has one."
    configured, replayed = load_config(env).parameters["symbols"], replay_report.replayed()
    requested = [check_symbol(s.strip(), configured) for s in symbols.split(",") if s.strip()]
    found = [s for s in requested or configured if s in replayed]
    if missing := [s for s in requested if s not in replayed] or ([] if found else list(configured)):
        raise BadConfig(
            f"nothing was replayed for {', '.join(missing)}: run smcdesk replay --symbol {missing[0]} -e {env}"
        )
    return found


def _versions() -> dict[str, str]:
    "The commit, uncommitted changes and library versions of this process."
    head, dirty = tracking.commit(paths.root())
    changes = tracking.diff_hash(paths.root()) if dirty else ""
    return {"git_commit": head, "git_diff_hash": changes, "versions": tracking.versions()}


def _symbol(catalog, symbol: str) -> tuple[dict[str, Any], pd.Series, pd.Timestamp]:  # figures, daily returns, last bar
    "Figures of one symbol's last replay."
    ledger, card = catalog.load(f"{symbol}.ledger"), catalog.load(f"{symbol}.scorecard")
    log, bars = catalog.load(f"{symbol}.decision_log"), catalog.load(f"{symbol}.bars")
    rows = log[["setup_id", "outcome", "grade", "gate"]].astype(str).to_csv(index=False)
    own = {
        "data_fingerprint": fingerprint(bars), "decisions_hash": hashlib.sha256(rows.encode()).hexdigest()[:16],
        "ledger_hash": ledger.hash()[:16], "bars_n": len(bars), "since": f"{bars.index[0]:%Y-%m-%d}",
        "until": f"{bars.index[-1]:%Y-%m-%d}",
        "decisions": {w: int((log["outcome"] == w).sum()) for w in ("live", "shadow", "none")},
        "card": {k: {c: _plain(card.loc[k, c]) for c in ("value", "low", "high", "n")} for k in CARD},
    }  # fmt: skip
    return own, catalog.load(f"{symbol}.daily_returns")["daily_return"], bars.index[-1]


def _plain(x: Any) -> Any:
    "A value as JSON stores it; None where it is missing or infinite."
    x = x.item() if hasattr(x, "item") else x
    return None if isinstance(x, float) and not math.isfinite(x) else x


# Tables and sentences


def resolved(report: BaselineReport) -> pd.DataFrame:
    "What the parameters were resolved to."
    rows = {
        "environment": report.env, "baseline": report.name, "policy": report.policy_hash,
        "symbols": ", ".join(report.now["symbols"]), "decisions": f"{report.now['n']:,}",
        "last bar (UTC)": f"{report.until:%Y-%m-%d %H:%M}", "frozen": _when(report) if report.frozen else "not yet",
    }  # fmt: skip
    return parameter_table(rows)


def _when(report: BaselineReport) -> str:
    "When the baseline was frozen, and its last bar."
    recorded, last_bar = (pd.Timestamp(report.frozen[k], tz="UTC") for k in ("recorded_at", "time"))
    return f"{recorded:%Y-%m-%d %H:%M} UTC, bars to {last_bar:%Y-%m-%d %H:%M}"


def differences(report: BaselineReport) -> dict[str, list[str]]:  # symbol -> what differs, in words; none: identical
    "What differs from the frozen figures: candles, decisions, ledger."
    then = report.frozen["figures"]["symbols"] if report.frozen else {}
    found = {}
    for symbol in dict.fromkeys((*then, *report.now["symbols"])):
        a, b = then.get(symbol), report.now["symbols"].get(symbol)
        if a is None or b is None:
            found[symbol] = ["not in the baseline" if a is None else "not replayed now"]
        else:
            found[symbol] = [word for key, word in SAME.items() if a[key] != b[key]]
    return found


def verdict(report: BaselineReport) -> str:
    "How many symbols still give the frozen result, and what differs on the others."
    if report.frozen is None:
        return f"Nothing is frozen as **{report.name}** yet: run this report with `-p freeze=true`."
    if report.frozen_now:
        return f"**{report.name}** is frozen now: {report.now['n']:,} decisions on {', '.join(report.now['symbols'])}."
    found = differences(report)
    same = [symbol for symbol, what in found.items() if not what]
    text = f"{len(same)} of {len(found)} symbols are identical to **{report.name}**, ledger and all."
    text += "".join(f" {symbol} differs: {', '.join(what)}." for symbol, what in found.items() if what)
    if report.frozen["policy_hash"] != report.policy_hash:
        text += f" The policy is another one: {report.frozen['policy_hash']} then, {report.policy_hash} now."
    return text


def overview(report: BaselineReport) -> pd.DataFrame:
    "Each symbol today: its candles, its decisions, its ledger, and whether that is the frozen one."
    found = differences(report) if report.frozen else {}
    rows = {
        symbol: {
            "bars": f"{t['bars_n']:,}", "from": t["since"], "to": t["until"],
            **{word: f"{n:,}" for word, n in t["decisions"].items()}, "candles": t["data_fingerprint"],
            "ledger": t["ledger_hash"],
            "baseline": ", ".join(found[symbol]) or "identical" if symbol in found else "not frozen",
        }
        for symbol, t in report.now["symbols"].items()
    }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")


def figures(report: BaselineReport) -> pd.DataFrame:
    "The scorecard of each symbol now, with 95 % intervals and samples."
    rows = {}
    for symbol, own in report.now["symbols"].items():
        rows[symbol] = {name: _figure(row) for name, row in own["card"].items()}
    return pd.DataFrame.from_dict(rows, orient="index").T


def _figure(row: dict[str, Any]) -> str:
    "A figure with its interval and sample size; a count alone."
    if row["value"] is None or row["value"] == row["n"]:
        return "none" if row["value"] is None else f"{row['n']:,}"
    return f"{with_interval(row['value'], row['low'], row['high'])}, n = {row['n']:,}"


def changes(report: BaselineReport) -> pd.DataFrame:  # COLUMNS; no rows where all is the same
    "Every figure that differs from the frozen one."
    then = report.frozen["figures"]["symbols"] if report.frozen else {}
    rows = []
    for symbol in [k for k in then if k in report.now["symbols"]]:
        a, b = then[symbol]["card"], report.now["symbols"][symbol]["card"]
        for name in [k for k in CARD if a[k] != b[k]]:
            rows.append([symbol, name, _figure(a[name]), _figure(b[name]), "apart" if _apart(a[name], b[name]) else ""])
    return pd.DataFrame(rows or [["none"] * 4 + ["nothing differs"]], columns=COLUMNS)


def _apart(a: dict[str, Any], b: dict[str, Any]) -> bool:
    "Whether two intervals do not touch."
    if None in (a["low"], b["low"]) or min(a["n"], b["n"]) < replay_report.FEW:
        return False
    return a["low"] > b["high"] or a["high"] < b["low"]


def version_changes(report: BaselineReport) -> list[str]:
    "Commit, uncommitted changes and library versions that differ from the frozen ones, one sentence each."
    if report.frozen is None:
        return ["There is nothing to compare with."]
    pairs = {word: (report.frozen["figures"][key], report.now[key]) for key, word in VERSIONS.items()}
    changed = [f"{word}: {_brief(a)} then, {_brief(b)} now." for word, (a, b) in pairs.items() if a != b]
    return changed or ["Commit, uncommitted changes and library versions are what they were."]


def _brief(value: str) -> str:
    "The first digits of a hash, or versions in a row."
    if value.startswith("{"):
        return ", ".join(f"{k} {v}" for k, v in json.loads(value).items())
    return value[:12] or "none"


def summary(report: BaselineReport) -> dict[str, Any]:
    "The row stored with the report."
    found = differences(report) if report.frozen else {}
    return {
        "env": report.env, "baseline": report.name, "policy_hash": report.policy_hash,
        "symbols_n": len(report.now["symbols"]), "decisions_n": report.now["n"], "frozen": report.frozen is not None,
        "identical_n": sum(not what for what in found.values()), "sentence": verdict(report).replace("**", ""),
    }  # fmt: skip
