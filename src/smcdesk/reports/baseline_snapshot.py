"""Ledgers frozen under a name: what a policy decided and earned on each symbol, and whether it still does."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from smcdesk import tracking
from smcdesk.datasets.catalog import load_catalog
from smcdesk.project import logs, paths
from smcdesk.project.config import check_symbol, load_config
from smcdesk.reports import replay_report
from smcdesk.store import Store
from smclab.candles import BadConfig, fingerprint
from smclab.policy import Policy

KIND = "ledgers"  # tells these figures from a rollout's
CARD = ("trades_n", "win_rate_pct", "expectancy_r", "total_return_pct", "sharpe_annual", "max_drawdown_pct", "costs")
SAME = {  # what must be the same -> in words
    "data_fingerprint": "candles", "decisions_hash": "decisions", "ledger_hash": "ledger",
}  # fmt: skip
GIVEN = {"git_commit": "commit", "git_diff_hash": "uncommitted changes", "versions": "library versions"}
COLUMNS = ["symbol", "figure", "frozen", "now", "remark"]


@dataclass(frozen=True)
class BaselineReport:
    "The present, and the frozen figures it is held against."

    env: str
    name: str
    policy_hash: str
    now: dict[str, Any]  # figures, as they would be frozen
    until: pd.Timestamp  # the last bar they know
    frozen: dict[str, Any] | None  # Store.baseline; None: nothing has that name yet
    made_now: bool = False  # whether this run froze it
    returns: dict[str, pd.Series] | None = None  # daily, by symbol


def load(
    env: str = "base",
    *,
    name: str = "v1",  # of the baseline
    symbols: str = "",  # with commas between; "": every symbol of conf that was replayed
    freeze: bool = False,  # give the name to the present where nothing has it yet
    note: str = "",
) -> BaselineReport:
    "The ledgers of an environment beside those frozen under a name; what is frozen is never changed."
    logs.quiet_libraries()
    catalog, policy = load_catalog(env), Policy.from_dict(load_config(env).parameters["policy"]).hash()
    parts = {symbol: _symbol(catalog, symbol) for symbol in _chosen(symbols, env)}
    until = max(last for _, _, last in parts.values())
    now = {"kind": KIND, **_made(), "symbols": {symbol: told for symbol, (told, _, _) in parts.items()}}
    now["n"] = sum(sum(told["decisions"].values()) for told in now["symbols"].values())
    with Store(env=env) as store:
        if store.revision() is None:
            store.upgrade()
        known = set(store.baselines()["name"])
        fresh = freeze and name not in known
        if fresh:
            store.snapshot(name, now, policy_hash=policy, time=until, note=note)
        frozen = store.baseline(name) if fresh or name in known else None
    if frozen and frozen["figures"].get("kind") != KIND:
        raise BadConfig(
            f"baseline {name!r} was frozen from a rollout: read it by rollout_report, or choose another name"
        )
    returns = {symbol: daily for symbol, (_, daily, _) in parts.items()}
    return BaselineReport(env, name, policy, now, until, frozen, fresh, returns)


def _chosen(said: str, env: str) -> list[str]:
    "The symbols asked for, each with a ledger."
    known, replayed = load_config(env).parameters["symbols"], replay_report.replayed()
    asked = [check_symbol(s.strip(), known) for s in said.split(",") if s.strip()]
    found = [s for s in asked or known if s in replayed]
    if missing := [s for s in asked if s not in replayed] or ([] if found else list(known)):
        raise BadConfig(
            f"nothing was replayed for {', '.join(missing)}: run smcdesk replay --symbol {missing[0]} -e {env}"
        )
    return found


def _made() -> dict[str, str]:
    "What figures are made with here and now."
    head, dirty = tracking.commit(paths.root())
    changes = tracking.diff_hash(paths.root()) if dirty else ""
    return {"git_commit": head, "git_diff_hash": changes, "versions": tracking.versions()}


def _symbol(catalog, symbol: str) -> tuple[dict[str, Any], pd.Series, pd.Timestamp]:  # figures, daily returns, last bar
    "What one symbol's last replay left."
    ledger, card = catalog.load(f"{symbol}.ledger"), catalog.load(f"{symbol}.scorecard")
    log, bars = catalog.load(f"{symbol}.decision_log"), catalog.load(f"{symbol}.bars")
    rows = log[["setup_id", "outcome", "grade", "gate"]].astype(str).to_csv(index=False)
    told = {
        "data_fingerprint": fingerprint(bars), "decisions_hash": hashlib.sha256(rows.encode()).hexdigest()[:16],
        "ledger_hash": ledger.hash()[:16], "bars_n": len(bars), "since": f"{bars.index[0]:%Y-%m-%d}",
        "until": f"{bars.index[-1]:%Y-%m-%d}",
        "decisions": {w: int((log["outcome"] == w).sum()) for w in ("live", "shadow", "none")},
        "card": {k: {c: _plain(card.loc[k, c]) for c in ("value", "low", "high", "n")} for k in CARD},
    }  # fmt: skip
    return told, catalog.load(f"{symbol}.daily_returns")["daily_return"], bars.index[-1]


def _plain(x: Any) -> Any:
    "A value as JSON keeps it; none where there is none."
    x = x.item() if hasattr(x, "item") else x
    return None if isinstance(x, float) and not math.isfinite(x) else x


# What a report shows


def resolved(s: BaselineReport) -> pd.DataFrame:
    "What the parameters turned out to mean."
    rows = {
        "environment": s.env, "baseline": s.name, "policy": s.policy_hash, "symbols": ", ".join(s.now["symbols"]),
        "decisions": f"{s.now['n']:,}", "last bar (UTC)": f"{s.until:%Y-%m-%d %H:%M}",
        "frozen": _when(s) if s.frozen else "not yet",
    }  # fmt: skip
    return pd.DataFrame({"": rows})


def _when(s: BaselineReport) -> str:
    "When the baseline was frozen, and what it knew."
    recorded, known = (pd.Timestamp(s.frozen[k], tz="UTC") for k in ("recorded_at", "time"))
    return f"{recorded:%Y-%m-%d %H:%M} UTC, bars to {known:%Y-%m-%d %H:%M}"


def differences(s: BaselineReport) -> dict[str, list[str]]:  # symbol -> what differs, in words; none: identical
    "What differs from the frozen symbols."
    then = s.frozen["figures"]["symbols"] if s.frozen else {}
    found = {}
    for symbol in dict.fromkeys((*then, *s.now["symbols"])):
        a, b = then.get(symbol), s.now["symbols"].get(symbol)
        if a is None or b is None:
            found[symbol] = ["not in the baseline" if a is None else "not replayed now"]
        else:
            found[symbol] = [word for key, word in SAME.items() if a[key] != b[key]]
    return found


def verdict(s: BaselineReport) -> str:
    "Whether the present is the past, in a sentence or two."
    if s.frozen is None:
        return f"Nothing is frozen as **{s.name}** yet: run this report with `-p freeze=true`."
    if s.made_now:
        return f"**{s.name}** is frozen now: {s.now['n']:,} decisions on {', '.join(s.now['symbols'])}."
    found = differences(s)
    same = [symbol for symbol, what in found.items() if not what]
    told = f"{len(same)} of {len(found)} symbols are identical to **{s.name}**, ledger and all."
    told += "".join(f" {symbol} differs: {', '.join(what)}." for symbol, what in found.items() if what)
    if s.frozen["policy_hash"] != s.policy_hash:
        told += f" The policy is another one: {s.frozen['policy_hash']} then, {s.policy_hash} now."
    return told


def overview(s: BaselineReport) -> pd.DataFrame:
    "Each symbol now: its tape, what was decided, which ledger came of it, and whether it is the frozen one."
    found = differences(s) if s.frozen else {}
    rows = {
        symbol: {
            "bars": f"{t['bars_n']:,}", "from": t["since"], "to": t["until"],
            **{word: f"{n:,}" for word, n in t["decisions"].items()}, "candles": t["data_fingerprint"],
            "ledger": t["ledger_hash"],
            "baseline": ", ".join(found[symbol]) or "identical" if symbol in found else "not frozen",
        }
        for symbol, t in s.now["symbols"].items()
    }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")


def figures(s: BaselineReport) -> pd.DataFrame:
    "The scorecard of each symbol now, with 95 % intervals and samples."
    rows = {}
    for symbol, told in s.now["symbols"].items():
        rows[symbol] = {k: _shown(v) for k, v in told["card"].items()}
    return pd.DataFrame.from_dict(rows, orient="index").T


def _shown(row: dict[str, Any]) -> str:
    "A figure with its interval."
    if row["value"] is None:
        return "none"
    if row["value"] == row["n"]:
        return f"{row['n']:,}"
    around = "" if row["low"] is None else f" ({row['low']:,.2f} … {row['high']:,.2f})"
    return f"{row['value']:,.2f}{around}, n = {row['n']:,}"


def changes(s: BaselineReport) -> pd.DataFrame:  # COLUMNS; no rows where all is the same
    "Every figure that is not what it was."
    then = s.frozen["figures"]["symbols"] if s.frozen else {}
    rows = []
    for symbol in [k for k in then if k in s.now["symbols"]]:
        a, b = then[symbol]["card"], s.now["symbols"][symbol]["card"]
        for name in [k for k in CARD if a[k] != b[k]]:
            rows.append([symbol, name, _shown(a[name]), _shown(b[name]), "apart" if _apart(a[name], b[name]) else ""])
    return pd.DataFrame(rows or [["none"] * 4 + ["nothing differs"]], columns=COLUMNS)


def _apart(a: dict[str, Any], b: dict[str, Any]) -> bool:
    "Whether two intervals do not touch."
    if None in (a["low"], b["low"]) or min(a["n"], b["n"]) < replay_report.FEW:
        return False
    return a["low"] > b["high"] or a["high"] < b["low"]


def given(s: BaselineReport) -> list[str]:
    "What the figures were made with that is otherwise today, one sentence each."
    if s.frozen is None:
        return ["There is nothing to compare with."]
    pairs = {word: (s.frozen["figures"][key], s.now[key]) for key, word in GIVEN.items()}
    said = [f"{word}: {_brief(a)} then, {_brief(b)} now." for word, (a, b) in pairs.items() if a != b]
    return said or ["Commit, uncommitted changes and library versions are what they were."]


def _brief(value: str) -> str:
    "A hash cut, versions in a row."
    if value.startswith("{"):
        return ", ".join(f"{k} {v}" for k, v in json.loads(value).items())
    return value[:12] or "none"


def summary(s: BaselineReport) -> dict[str, Any]:
    "The report in one row."
    found = differences(s) if s.frozen else {}
    return {
        "env": s.env, "baseline": s.name, "policy_hash": s.policy_hash, "symbols_n": len(s.now["symbols"]),
        "decisions_n": s.now["n"], "frozen": s.frozen is not None,
        "identical_n": sum(not what for what in found.values()), "sentence": verdict(s).replace("**", ""),
    }  # fmt: skip
