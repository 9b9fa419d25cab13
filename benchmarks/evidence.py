"""What the decision rooms make of real markets: `python benchmarks/evidence.py [SHARED]` rewrites `benchmarks/evidence.md`.

SHARED is the folder of development data (../shared beside the project when left out). Nothing of it is copied: the
page holds counts and figures only.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from smcdesk.decisions.context import tape_context
from smcdesk.decisions.inputs import spread_by_bar, trading_costs
from smcdesk.marketdata.quality import verdicts
from smcdesk.pipelines.sweep import waiting
from smcdesk.project.config import load_config
from smcdesk.research import sweep
from smcdesk.research import tape as research_tape
from smclab.account import Account
from smclab.candles import BadConfig, check
from smclab.decision import decide_all
from smclab.execution import Costs
from smclab.gates import GATES, Context, gate_table
from smclab.instruments import instrument
from smclab.labels import barrier_outcomes
from smclab.news import NewsCalendar
from smclab.policy import Policy, preset
from smclab.reader import read
from smclab.setups import SetupConfig, candidates, warmup_bars
from smclab.timeframes import Config
from smclab.walkforward import study

FOLDER = Path(__file__).resolve().parent
TAPES = {  # name: symbol, candles, spread
    "XAUUSD 15m": ("XAUUSD", "fx/XAUUSD_15m", "fx_spread/XAUUSD_15m_spread"),
    "XAUUSD 5m": ("XAUUSD", "fx/XAUUSD_5m", "fx_spread/XAUUSD_5m_spread"),
    "EURUSD 15m": ("EURUSD", "fx/EURUSD_15m", "fx_spread/EURUSD_15m_spread"),
    "BTCUSDT 15m": ("BTCUSDT", "crypto/BTCUSDT_15m", None),
    "SOLUSDT 15m": ("SOLUSDT", "crypto/SOLUSDT_15m", None),
}
ROAD = ("XAUUSD 15m", "EURUSD 15m", "BTCUSDT 15m", "SOLUSDT 15m")
POLICY = preset("a_plus_and_a_live")
BANDS = (0, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 101)


def table(rows: list[dict]) -> str:
    """Rows as a Markdown table."""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return "\n".join([*lines, *("| " + " | ".join(str(r[n]) for n in names) + " |" for r in rows)]) + "\n"


def share(part: int, whole: int) -> str:
    """A share with its sample."""
    return f"{100 * part / whole:.1f} % of {whole:,}" if whole else "n = 0"


def tape(shared: Path, candles: str) -> pd.DataFrame:
    """Checked bars of one file; bars the checks refuse are left out and counted."""
    raw = pd.read_parquet(shared / "data" / f"{candles}.parquet")
    bars = raw.set_index(pd.DatetimeIndex(raw.pop("ts"), name="time"))
    return check(bars[["open", "high", "low", "close", "volume"]].astype("float64"))


def decided(shared: Path, news: NewsCalendar, symbol: str, candles: str, spread: str | None):
    """Candidates, decisions and the gates' answers of one tape."""
    bars, profile = tape(shared, candles), instrument(symbol)
    reading = read(bars, instrument=profile)
    judged = verdicts(bars, profile)
    context = Context(profile, Account(10_000.0), profile.typical_spread, news=news, quality=judged)
    paid = None
    if spread:
        quoted = pd.read_parquet(shared / "data" / f"{spread}.parquet").set_index("ts").iloc[:, 0]
        paid = quoted.reindex(bars.index).fillna(profile.typical_spread).astype("float64")
    found = candidates(reading, profile)
    decisions = decide_all(reading, context, POLICY, spread_price=paid)
    at = None if paid is None else paid.iloc[found["known_bar"]].to_numpy()
    return bars, found, decisions, gate_table(found, context, POLICY, spread_price=at)


def summary(name: str, bars: pd.DataFrame, found: pd.DataFrame, decisions) -> dict:
    """The head row of one tape."""
    outcome = pd.Series([d.outcome for d in decisions], dtype="str").value_counts()
    grade = pd.Series([d.grade for d in decisions], dtype="str").value_counts()
    years = (bars.index[-1] - bars.index[0]).days / 365.25
    row = {"tape": name, "bars": f"{len(bars):,}", "years": f"{years:.1f}", "candidates": len(found)}
    row |= {mode: int((found["mode"] == mode).sum()) for mode in ("candle_close", "limit")}
    row |= {g: int(grade.get(g, 0)) for g in ("A+", "A", "B", "NO_TRADE")}
    return row | {o: int(outcome.get(o, 0)) for o in ("live", "shadow", "none")}


def outcomes(name: str, bars: pd.DataFrame, found: pd.DataFrame, decisions, symbol: str) -> dict:
    """What the full stop and target came to by grade: mean net R, its 95 % interval, the sample."""
    profile, planned = instrument(symbol), {d.setup_id: d for d in decisions if d.ticket is not None}
    rows = found[found["setup_id"].isin(planned)].reset_index(drop=True)
    tickets = [planned[i].ticket for i in rows["setup_id"]]
    names = ("entry_price", "stop_price", "target_price", "entry_type", "expiry_bars")
    rows = rows.assign(**{n: [getattr(t, n) for t in tickets] for n in names})
    costs = Costs(spread_price=profile.typical_spread)
    lived = barrier_outcomes(bars, rows, costs=costs, tick=profile.tick)["actual_rr"].to_numpy()
    grades = np.array([planned[i].grade for i in rows["setup_id"]])
    out = {"tape": name}
    for grade in ("A+", "A", "B", "NO_TRADE"):
        r = lived[(grades == grade) & np.isfinite(lived)]
        half = 1.96 * r.std(ddof=1) / np.sqrt(len(r)) if len(r) > 1 else np.nan
        out[grade] = f"{r.mean():+.2f} ± {half:.2f} R, n = {len(r)}" if len(r) > 1 else f"n = {len(r)}"
    return out


def gold_caps(shared: Path) -> list[dict]:
    """How many gold setups each stop cap refuses, per year."""
    bars = tape(shared, "fx/XAUUSD_15m")
    profile = instrument("XAUUSD")
    reading = read(bars, instrument=profile)
    found = candidates(reading, profile)
    context = Context(profile, Account(10_000.0), profile.typical_spread)
    years, rows = found["time"].dt.year.to_numpy(), []
    caps = {"450 points": 0.0, "max(450 points, 0.15 %), the default": 0.15, "max(450 points, 0.3 %)": 0.3}
    policies = {
        name: Policy.from_dict({"risk": {"xau_sl_caps": [120.0, 450.0], "xau_max_stop_pct": pct}})
        for name, pct in caps.items()
    }
    answers = {name: gate_table(found, context, p)["stop_cap"].to_numpy() for name, p in policies.items()}
    for year in np.unique(years):
        now = years == year
        price = bars["close"][bars.index.year == year].mean()
        refused = {name: share(int((~ok[now]).sum()), int(now.sum())) for name, ok in answers.items()}
        rows.append({"year": year, "mean price": f"{price:,.0f}", **refused})
    return rows


def road(shared: Path, symbol: str, candles: str, spread: str | None, conf: dict) -> research_tape.ResearchTape:
    """One tape as conf/base has it: costs by asset class, data judged bar by bar, limits reviewed."""
    bars, profile, policy = tape(shared, candles), instrument(symbol), Policy.from_dict(conf["policy"])
    costs, account = trading_costs(profile, conf["costs"], "bid"), Account.from_dict(conf["account"])
    config = Config.from_dict(conf["reading"])
    context = tape_context(bars, bars, profile, account, costs, None, policy, config, conf["regime"])
    quoted = pd.read_parquet(shared / "data" / f"{spread}.parquet").set_index("ts").iloc[:, 0] if spread else None
    paid = spread_by_bar(bars, bars, quoted, costs)
    reading = read(bars, config, instrument=profile, timeframes=tuple(conf["timeframes"]))
    setups = SetupConfig.from_dict({**conf["setups"], "htf": conf["confluence"]["htf"]})
    found = candidates(reading, profile, setups)
    reviews = waiting(reading, profile, setups)
    settings, first = (conf["policy"], conf["rules"], conf["orders"]), warmup_bars(reading, setups)
    return research_tape.ResearchTape(bars, found, context, costs, paid, *settings, reviews, first)


def interval(row, digits: int = 2, unit: str = "") -> str:
    """A figure with its interval."""
    around = "" if pd.isna(row["low"]) else f" ({row['low']:+.{digits}f} to {row['high']:+.{digits}f})"
    return f"{row['value']:+.{digits}f}{around}{unit}" if pd.notna(row["value"]) else "none"


def earned(name: str, tape: research_tape.ResearchTape, n_boot: int, seed: int) -> dict:
    """What conf's own policy earned, after costs."""
    ledger = research_tape.play(tape, {})
    card = research_tape.card(tape, ledger, n_boot=n_boot, seed=seed)
    return {
        "tape": name, "trades": f"{card.loc['trades_n', 'value']:,.0f}",
        "expectancy, R (95 %)": interval(card.loc["expectancy_r"]), "costs, R per trade": interval(card.loc["costs_r"]),
        "costs paid, % of first equity": f"{100 * card.loc['costs', 'value'] / ledger.start_equity:.1f}",
        "return, % (95 %)": interval(card.loc["total_return_pct"], 1), "Sharpe a year (95 %)": interval(card.loc["sharpe_annual"]),
        "deepest fall, %": f"{card.loc['max_drawdown_pct', 'value']:.1f}",
    }  # fmt: skip


def walked(name: str, tape: research_tape.ResearchTape, conf: dict) -> dict:
    """What choosing from conf's grid by the past came to."""
    grid = sweep.sweep(tape, sweep.grid(conf["sweep"]["space"]), engine="serial")
    how = {"longest_trade_days": grid.longest_trade_days, "n_boot": conf["scorecard"]["n_boot"], "seed": conf["seed"]}
    try:
        summary = study(grid.whole, conf["walkforward"], **how).summary
    except BadConfig as error:
        return {"tape": name, "combinations": len(grid.combinations), "best Sharpe": f"not possible: {error}"}
    value = summary["value"]
    return {
        "tape": name, "combinations": len(grid.combinations), "best Sharpe": f"{value['best_sharpe_annual']:+.2f}",
        "deflated": f"{value['deflated_sharpe_pct']:.0f} %", "PBO": f"{value['overfit_probability_pct']:.0f} %",
        "windows": f"{value['windows_n']:.0f}", "Sharpe on the test days (95 %)": interval(summary.loc["test_sharpe_annual"]),
        "% a year on them (95 %)": interval(summary.loc["test_return_pct_year"], 1),
        "place of the choice": f"{value['test_place_pct']:.0f} %",
    }  # fmt: skip


def whole_road(shared: Path) -> str:
    """The section on what the whole road earns."""
    conf = load_config("base").parameters
    whole, chosen = [], []
    for name in ROAD:
        one = road(shared, *TAPES[name], conf)
        whole.append(earned(name, one, conf["scorecard"]["n_boot"], conf["seed"]))
        chosen.append(walked(name, one, conf))
        print(name, "done", flush=True)
    filled = [{k: row.get(k, "") for k in chosen[0]} for row in chosen]
    return (
        "## What the whole road earns\n\nRead, found, decided, replayed: policy `v1` and everything else as conf/base "
        "says it, both ways in, legs and zone exits, limits taken back when a gate turns. Costs by asset class: the "
        "typical spread, slippage, and for crypto 0.05 % of the traded value per side.\n\n"
        f"{table(whole)}\nChoosing from conf's grid by the past, judged on what followed. Deflated: the chance that the "
        "best is above the luck of so many tries. PBO: the share of halvings in which the best of one half was in the "
        f"lower half of the other. Place: where the choice ranked on the test days; 50 % is blind.\n\n{table(filled)}\n"
    )


def main(shared: Path):
    """Write the page."""
    frame = pd.read_parquet(shared / "data" / "news" / "high_impact_2022_2025.parquet")
    news = NewsCalendar.from_frame(frame, fetched_at=pd.Timestamp("2025-12-31", tz="UTC"))
    heads, gates, scores, tops, ends = [], [], [], [], []
    for name, where in TAPES.items():
        bars, found, decisions, answers = decided(shared, news, *where)
        heads.append(summary(name, bars, found, decisions))
        ends.append(outcomes(name, bars, found, decisions, where[0]))
        settings = [g for g in GATES if g in answers]
        gates.append({"tape": name, "n": len(found)} | {
            g: f"{100 * answers[g].mean():.0f} %" if len(found) else "-" for g in settings
        })  # fmt: skip
        counts = np.histogram(found["score"], BANDS)[0]
        bands = [f"{a}-{b}" for a, b in zip(BANDS[:-1], (*BANDS[1:-1], 100), strict=True)]
        scores.append({"tape": name} | dict(zip(bands, counts.tolist(), strict=True)))
        first = [next((v.gate for v in d.verdicts if v.refuses), "") for d in decisions]
        order = pd.Series(first, dtype="str").replace("", "nothing").value_counts()
        tops.append({"tape": name, "first enforced refusal": ", ".join(f"{g} {n}" for g, n in order.items())})
    text = (FOLDER / "evidence.md").read_text() if (FOLDER / "evidence.md").exists() else ""
    opinion = text.split(READ, 1)[1] if READ in text else ""
    (FOLDER / "evidence.md").write_text(
        f'# What the decision rooms make of real markets\n\n`{COMMAND}` writes everything above "Read". Policy '
        f"`a_plus_and_a_live`, default setups, spread as recorded where the file has it, data judged bar by bar.\n\n"
        f"## Candidates, grades, outcomes\n\n{table(heads)}\n## Score\n\nCandidates by score band.\n\n{table(scores)}\n"
        f"## Gates passed\n\nEvery gate is asked about every candidate, whatever the others say.\n\n{table(gates)}\n"
        f"## What refused first\n\n{table(tops)}\n"
        f"## What became of them\n\nEvery setup with a stop and a target, traded or not, by the grade it had: net R of its "
        f"full-size stop and target with a 96-bar limit, after the typical spread. Limits that never filled are left "
        f"out; setups overlap in time, so the intervals are too narrow.\n\n{table(ends)}\n"
        f"## Gold's stop cap\n\nShare of setups refused by each cap.\n\n{table(gold_caps(shared))}\n"
        f"{whole_road(shared)}{READ}{opinion}"
    )


COMMAND, READ = "python benchmarks/evidence.py", "## Read\n"
if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER.parent.parent / "shared")
