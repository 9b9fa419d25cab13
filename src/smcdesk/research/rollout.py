"""What a policy let through and what it refused, from the store's labels: the figures a rollout is decided by."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from smcdesk.decisions.config import load_decision_configs
from smcdesk.store import Store
from smcdesk.store import engine as engines
from smcdesk.store.models import GRADES, OUTCOME_CLASSES
from smclab.candles import BadConfig, nearest

FEW = 30  # closed setups under which nothing is concluded
CLOSED = ("target", "stop", "time")  # outcomes that have a result in R
STAGES = {"A+ only": ("A+",), "A+ and A": ("A+", "A"), "A alone": ("A",)}  # the steps of a rollout, and what one adds
UNSAID = {"session": "outside", "grade": "no grade", "regime": "not said"}  # how a group without a name is called
ALWAYS = {"grade": GRADES}  # groups that are shown also when they are empty
N_BOOT, SEED = 2000, 0


@dataclass(frozen=True)
class Rollout:
    "One policy's evaluated setups, and what they are measured against."

    env: str
    store: str  # its URL, without a password
    policy_hash: str
    policies: dict[str, int]  # every policy in the store with its number of setups
    labels: pd.DataFrame  # store.labels of the policy
    min_confidence: dict[str, float]  # by grade, from conf's policy
    thresholds: dict[str, float]  # score from which a grade is given, from conf's policy
    baseline: dict[str, Any] | None  # Store.baseline


def load(
    env: str = "base",
    *,
    policy: str = "",  # a policy's hash, or the beginning of one; "": conf's own
    instrument: str = "",  # "": all
    baseline: str = "",  # the name of frozen figures; "": none
) -> Rollout:
    "A policy's labels from the store of an environment."
    configs = load_decision_configs(env)
    own = next(iter(configs.values())).policy  # the same for every symbol
    grades = own.grade_execution
    with Store(env=env) as store:
        if store.revision() is None:
            raise BadConfig(f"nothing has been decided in {env} yet: run kedro run --pipelines decide --env {env}")
        counts = store.counts()
        policies = Counter()
        for (one, _), (_, n) in counts.items():
            policies[one] += n
        chosen = _policy(policy, policies) if policy else own.hash()
        instruments = sorted({*configs, *(name for _, name in counts)})
        if instrument and instrument not in instruments:
            raise BadConfig(
                f"no setups of {instrument!r}{nearest(instrument, instruments)} (known: {', '.join(instruments)})"
            )
        labels = store.labels(policy_hash=chosen, **({"instrument": instrument} if instrument else {}))
        frozen = store.baseline(baseline) if baseline else None
        where = engines.shown(store.url)
    if frozen and "classes" not in frozen["figures"]:
        raise BadConfig(f"baseline {baseline!r} is of ledgers: read it by baseline_snapshot, or choose another name")
    return Rollout(
        env, where, chosen, dict(policies), labels,
        {"A+": grades.min_confidence_a_plus, "A": grades.min_confidence_a},
        {"A+": grades.a_plus, "A": grades.a, "B": grades.b}, frozen,
    )  # fmt: skip


def stored_counts(
    store: Store,
    policy: str,  # a hash, or the beginning of one
    instrument: str,
) -> tuple[str, int, int]:  # the whole hash, how many decisions, how many labels
    "What the store keeps of a policy on an instrument; an unknown one is refused with the nearest."
    counts = store.counts()
    chosen = _policy(policy, {one for one, _ in counts})
    own = {name: n for (one, name), n in counts.items() if one == chosen}
    if instrument not in own:
        names = ", ".join(own)
        raise BadConfig(f"policy {chosen} has nothing on {instrument!r}{nearest(instrument, own)} (known: {names})")
    return chosen, *own[instrument]


def _policy(beginning: str, hashes: Iterable[str]) -> str:
    "The policy whose hash begins so."
    found = [h for h in hashes if h.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    what = "no policy" if not found else "more than one policy"
    raise BadConfig(
        f"the store has {what} {beginning!r}{nearest(beginning, list(hashes))} (known: {', '.join(hashes) or 'none'})"
    )


# --- small figures


def share(
    k: int,  # how many of them
    n: int,  # of how many
) -> dict[str, float]:  # pct, low, high (95 %, Wilson); NaN where n is 0
    "A share in percent with its interval."
    if n == 0:
        return dict.fromkeys(("pct", "low", "high"), math.nan)
    z, p = 1.959963984540054, k / n
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (100 * (centre + s * half) / (1 + z * z / n) for s in (-1, 1))
    return {"pct": 100 * p, "low": min(max(low, 0.0), 100 * p), "high": max(min(high, 100.0), 100 * p)}


def mean_r(
    x: np.ndarray,  # results, R
) -> dict[str, float]:  # mean, low, high (95 %, percentile bootstrap); NaN where there are too few
    "The mean result with its interval; setups that overlap in time make it too narrow."
    if len(x) == 0:
        return dict.fromkeys(("mean", "low", "high"), math.nan)
    if len(x) == 1:
        return {"mean": float(x[0]), "low": math.nan, "high": math.nan}
    rng, step = np.random.default_rng(SEED), max(1, 2_000_000 // len(x))
    sizes = [min(step, N_BOOT - i) for i in range(0, N_BOOT, step)]
    means = np.concatenate([x[rng.integers(0, len(x), (k, len(x)))].mean(axis=1) for k in sizes])
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": float(x.mean()), "low": float(low), "high": float(high)}


def _worth(part: pd.DataFrame) -> dict[str, float]:
    "The outcomes of some setups, counted, with their mean result."
    closed = part[part["outcome"].isin(CLOSED)]
    won = share(int((closed["actual_rr"] > 0).sum()), len(closed))
    r = mean_r(closed["actual_rr"].to_numpy(float))
    unfilled, waiting = part["outcome"] == "never_filled", part["outcome"].isna() & part["entry_price"].notna()
    return {
        "never_filled_n": int(unfilled.sum()), "waiting_n": int(waiting.sum()),
        "closed_n": len(closed), **{f"win_{k}": v for k, v in won.items()}, **{f"r_{k}": v for k, v in r.items()},
    }  # fmt: skip


# --- tables


def verdict_rows(labels: pd.DataFrame) -> pd.DataFrame:  # setup (position in labels), position, gate, passed, …, reason
    "Every gate's answer about every setup."
    columns = ("gate", "passed", "enforced", "reason")
    rows = [
        (n, position, *(v[k] for k in columns), v["evidence"].get("gains") is not False)
        for n, verdicts in enumerate(labels["verdicts"])
        for position, v in enumerate(verdicts, 1)
    ]
    table = pd.DataFrame(rows, columns=["setup", "position", *columns, "gains"])
    return table.astype({"passed": bool, "enforced": bool, "gains": bool, "setup": "int64", "position": "int64"})


def refusals(labels: pd.DataFrame) -> pd.DataFrame:  # one row per setup with one: setup, position, gate, reason
    "The first enforced refusal of every setup that has one: its headline."
    answers = verdict_rows(labels)
    return answers[~answers["passed"] & answers["enforced"]].groupby("setup", as_index=False).first()


def outcome_counts(labels: pd.DataFrame) -> pd.DataFrame:
    "Live, shadow and none, and what became of each."
    parts = {word: labels[labels["outcome_class"] == word] for word in OUTCOME_CLASSES}
    rows = {k: {"n": len(part), **_shares(len(part), len(labels)), **_worth(part)} for k, part in parts.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def _shares(k: int, n: int) -> dict[str, float]:
    "A share under the names of a table."
    return {f"share_{name}": v for name, v in share(k, n).items()}


def gates(labels: pd.DataFrame) -> pd.DataFrame:
    "How often each gate was evaluated, passed, and was the first to refuse."
    answers, first = verdict_rows(labels), refusals(labels)["gate"].value_counts()
    rows = {}
    for gate in answers.groupby("gate")["position"].min().sort_values(kind="stable").index:
        own = answers[answers["gate"] == gate]
        passed = int(own["passed"].sum())
        rows[gate] = {"n": len(own), "enforced_n": int(own["enforced"].sum()), "passed_n": passed}
        rows[gate] |= {f"pass_{k}": v for k, v in share(passed, len(own)).items()} | {
            "first_n": int(first.get(gate, 0))
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def reasons(labels: pd.DataFrame) -> pd.DataFrame:  # gate, n, share of all setups, the newest example
    "Why setups were refused, the most frequent first."
    first = refusals(labels)
    rows = [
        {"gate": gate, "n": len(part), **_shares(len(part), len(labels)), "example": part["reason"].iloc[-1]}
        for gate, part in first.groupby("gate", sort=False)
    ]
    table = pd.DataFrame(rows, columns=["gate", "n", "share_pct", "share_low", "share_high", "example"])
    return table.sort_values(["n", "gate"], ascending=[False, True], ignore_index=True)


def groups(
    labels: pd.DataFrame,
    by: str,  # instrument, session, grade, regime, mode
) -> pd.DataFrame:
    "What was let through and what it was worth, group by group."
    name = labels[by].astype("str").replace("", np.nan).fillna(UNSAID.get(by, "none"))
    rows = {}
    for key in dict.fromkeys((*ALWAYS.get(by, ()), *sorted(name.unique()))):
        part = labels[name == key]
        counts = {f"{word}_n": int((part["outcome_class"] == word).sum()) for word in OUTCOME_CLASSES}
        allowed = share(counts["live_n"], len(part))
        rows[key] = {"n": len(part), **counts, **{f"allow_{k}": v for k, v in allowed.items()}, **_worth(part)}
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table if rows else pd.DataFrame(columns=["n"])


def rollout_stages(
    labels: pd.DataFrame,
    min_confidence: Mapping[str, float],  # by grade
) -> pd.DataFrame:  # one row per stage: what it would have let through, and its worth
    "Each step of a rollout on the same setups: those that only the question of their grade kept from being live."
    answers = verdict_rows(labels)
    only_grade = (answers["gate"] == "grade") & answers["gains"]  # that gate also refuses what a model expects to lose
    other = answers[~answers["passed"] & answers["enforced"] & ~only_grade]
    free = (
        ~pd.Series(range(len(labels))).isin(other["setup"]).to_numpy() & (labels["outcome_class"] != "none").to_numpy()
    )
    sure = labels["confidence"].to_numpy(float) >= labels["grade"].map(min_confidence).to_numpy(float)
    rows = {}
    for name, wanted in STAGES.items():
        part = labels[free & sure & labels["grade"].isin(wanted).to_numpy()]
        rows[name] = {"n": len(part), **_worth(part)}
    return pd.DataFrame.from_dict(rows, orient="index").assign(say=[_say(row) for row in rows.values()])


def _say(row: Mapping[str, float]) -> str:
    "The conclusion of a stage's figures, in words."
    if row["closed_n"] < FEW:
        return f"not enough: {row['closed_n']:,} closed, at least {FEW} are needed"
    if row["r_low"] > 0:
        return "go: the interval lies above zero"
    if row["r_high"] < 0:
        return "no go: the interval lies below zero"
    return "not proven: the interval includes zero"


def next_step(table: pd.DataFrame) -> str:  # table from `stages`
    "Whether to go from A+ only to A+ and A, in one sentence."
    first, added = (table.loc[name, "say"].split(":")[0] for name in ("A+ only", "A alone"))
    a_plus, a = (int(table.loc[name, "closed_n"]) for name in ("A+ only", "A alone"))
    n = f"{a_plus:,} closed A+ and {a:,} closed A setups"
    if added == "go" and first == "go":
        return f"**Go**: A+ and A, each by itself, earned more than nothing in {n}."
    if "no go" in (first, added):
        return f"**No go**: {'A+' if first == 'no go' else 'A'} lost, and more than chance explains ({n})."
    return f"**Stay**: the figures do not carry the step ({n}; A+: {first}, A: {added})."


# --- frozen figures


def figures(
    labels: pd.DataFrame,
    min_confidence: Mapping[str, float],
) -> dict[str, Any]:  # plain values; None where there is none
    "Everything the report shows, as a baseline keeps it."
    tables = {
        "classes": outcome_counts(labels), "gates": gates(labels), "stages": rollout_stages(labels, min_confidence),
        **{by: groups(labels, by) for by in ("instrument", "session", "grade")},
    }  # fmt: skip
    plain = {name: _plain(table.to_dict("index")) for name, table in tables.items()}
    return {"n": len(labels), "since": _day(labels["time"].min()), "until": _day(labels["time"].max()), **plain}


def _plain(x: Any) -> Any:
    "A value as JSON keeps it."
    if isinstance(x, dict):
        return {str(k): _plain(v) for k, v in x.items()}
    if isinstance(x, float | np.floating):
        return float(x) if math.isfinite(x) else None
    return x.item() if hasattr(x, "item") else x


def _day(moment: pd.Timestamp) -> str | None:
    "A day, or nothing."
    return None if moment is pd.NaT else f"{moment:%Y-%m-%d}"


def freeze(
    store: Store,
    name: str,  # what later rollouts will call it
    rollout: Rollout,
    note: str = "",
) -> int:  # 1, or 0 when the same figures had that name already
    "Freeze a rollout's figures, as of the last thing they know."
    labels = rollout.labels
    if labels.empty:
        raise BadConfig(f"policy {rollout.policy_hash} has no setups in the store: there is nothing to freeze")
    moment = max(labels["time"].max(), labels["outcome_known_at"].max())
    now = figures(labels, rollout.min_confidence)
    return store.snapshot(name, now, policy_hash=rollout.policy_hash, time=moment, note=note)


def compare(
    now: Mapping[str, Any],  # from `figures`
    then: Mapping[str, Any],  # a baseline's figures
) -> pd.DataFrame:  # figure, then, then_n, now, now_n, change, apart
    "Now against a baseline; `apart` says that both have enough setups and their 95 % intervals do not touch."
    a, b = _key_figures(now), _key_figures(then)
    rows = []
    for name in dict.fromkeys((*a, *b)):
        mine, theirs = a.get(name, _NOTHING), b.get(name, _NOTHING)
        enough = min(mine["n"], theirs["n"]) >= FEW
        apart = enough and (mine["low"] > theirs["high"] or mine["high"] < theirs["low"])
        rows.append({
            "figure": name, "then": theirs["value"], "then_n": theirs["n"], "now": mine["value"], "now_n": mine["n"],
            "change": mine["value"] - theirs["value"], "apart": apart,
        })  # fmt: skip
    return pd.DataFrame(rows, columns=["figure", "then", "then_n", "now", "now_n", "change", "apart"])


_NOTHING = {"value": math.nan, "low": math.nan, "high": math.nan, "n": 0}


def changes(s: Rollout) -> pd.DataFrame:  # as `compare`; no rows without a baseline
    "The rollout against its baseline."
    if s.baseline is None:
        return pd.DataFrame(columns=["figure", "then", "then_n", "now", "now_n", "change", "apart"])
    return compare(figures(s.labels, s.min_confidence), s.baseline["figures"])


def _key_figures(values: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    "The figures two rollouts are compared by."
    found = {"live, % of all": _figure(values["classes"]["live"], "share", values["n"])}
    found |= {f"{gate}: passed, %": _figure(row, "pass", row["n"]) for gate, row in values["gates"].items()}
    for word in ("live", "shadow"):
        row = values["classes"][word]
        found[f"{word}: won, %"] = _figure(row, "win", row["closed_n"])
        found[f"{word}: result, R"] = _figure(row, "r", row["closed_n"])
    for name, row in values["stages"].items():
        found[f"{name}: result, R"] = _figure(row, "r", row["closed_n"])
    return found


def _figure(row: Mapping[str, Any], what: str, n: int) -> dict[str, float]:
    "One figure of a table's row with its interval."
    value = row["r_mean"] if what == "r" else row[f"{what}_pct"]
    figure = {"value": value, "low": row[f"{what}_low"], "high": row[f"{what}_high"]}
    return {k: math.nan if v is None else v for k, v in figure.items()} | {"n": n}
