"""Does the model help on real markets? `python benchmarks/model_evidence.py [SHARED]` rewrites `benchmarks/model_evidence.md`.

SHARED is the folder of development data (../shared beside the project when left out). Nothing of it is copied: the page
holds figures only. Kept below "Read" is what a person wrote about them.
"""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from smcdesk.decisions.inputs import regime_series, round_trip_cost
from smcdesk.decisions.records import decision_log
from smcdesk.marketdata.quality import verdicts
from smcdesk.modelling.trading_value import TradingTest, trading_value
from smcdesk.pipelines.model import setup_labels
from smclab.account import Account
from smclab.audit import audit, changed_by_cut
from smclab.candles import check
from smclab.decision import decide_all
from smclab.execution import Costs, Rules
from smclab.features import features
from smclab.gates import Context
from smclab.instruments import instrument
from smclab.learner import ModelConfig, fit
from smclab.news import NewsCalendar
from smclab.policy import preset
from smclab.promotion import promotion
from smclab.reader import read
from smclab.regime import RegimeConfig
from smclab.setups import candidates

FOLDER = Path(__file__).resolve().parent
TAPES = {  # name: symbol, candles, spread
    "XAUUSD 15m": ("XAUUSD", "fx/XAUUSD_15m", "fx_spread/XAUUSD_15m_spread"),
    "EURUSD 15m": ("EURUSD", "fx/EURUSD_15m", "fx_spread/EURUSD_15m_spread"),
    "BTCUSDT 15m": ("BTCUSDT", "crypto/BTCUSDT_15m", None),
    "SOLUSDT 15m": ("SOLUSDT", "crypto/SOLUSDT_15m", None),
}
POLICY = preset("a_plus_and_a_live")
EMBARGO_NS = 24 * 15 * 60 * 10**9
CONFIG = ModelConfig(embargo_ns=EMBARGO_NS, jobs=2, min_rows=150)
ORDERS = {"modes": ["candle_close", "limit"], "legs": False, "zone_exit": False}


def table(rows: list[dict]) -> str:
    """Rows as a Markdown table."""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return "\n".join([*lines, *("| " + " | ".join(str(r[n]) for n in names) + " |" for r in rows)]) + "\n"


def within(r, name: str, digits: int = 3) -> str:
    """A figure with its interval."""
    return f"{r[name]:.{digits}f} [{r[f'{name}_low']:.{digits}f}, {r[f'{name}_high']:.{digits}f}]"


def result_row(r) -> dict:
    """What one way to act earned."""
    has_trades, spans = np.isfinite(r["expectancy_r"]), np.isfinite(r["low"])
    earned = f"{r['expectancy_r']:+.3f} R" + (f" [{r['low']:+.3f}, {r['high']:+.3f}]" if spans else "")
    return {
        "setups": int(r["setups_n"]), "live": int(r["live_n"]), "trades": int(r["trades_n"]),
        "won": f"{r['win_rate_pct']:.0f} %" if has_trades else "none", "expectancy": earned if has_trades else "none",
        "total": f"{r['total_r']:+.1f} R", "costs per trade": f"{r['costs_r']:.1f} R" if has_trades else "none",
    }  # fmt: skip


def tape(shared: Path, candles: str) -> pd.DataFrame:
    """Checked bars of one file."""
    raw = pd.read_parquet(shared / "data" / f"{candles}.parquet")
    bars = raw.set_index(pd.DatetimeIndex(raw.pop("ts"), name="time"))
    return check(bars[["open", "high", "low", "close", "volume"]].astype("float64"))


def inputs_of(shared: Path, news: NewsCalendar, symbol: str, candles: str, spread: str | None):
    """Reading, candidates, context, spread and costs of one tape."""
    bars, profile = tape(shared, candles), instrument(symbol)
    costs = Costs(
        spread_price=profile.typical_spread,
        slippage_price=0.25 * profile.typical_spread,
        commission_pct=0.05 if profile.asset_class == "crypto" else 0.0,
    )
    paid = pd.Series(profile.typical_spread, bars.index)
    if spread:
        quoted = pd.read_parquet(shared / "data" / f"{spread}.parquet").set_index("ts").iloc[:, 0]
        paid = quoted.reindex(bars.index).fillna(profile.typical_spread).astype("float64")
    regime = regime_series(bars, {"method": "rule", "rule": RegimeConfig().to_dict(), "hmm": {}})
    context = Context(
        profile, Account(10_000.0), costs.spread_price, **round_trip_cost(costs), news=news,
        quality=verdicts(bars, profile), regimes=regime,
    )  # fmt: skip
    return read(bars, instrument=profile), context, paid, costs


def cut_rows(reading, found, values: pd.DataFrame, context: Context, paid, n: int = 6) -> tuple[int, int]:
    """Rows made again from tapes that end with them: how many, and how many of their values differ."""
    rng, bad = np.random.default_rng(0), 0
    picked = found.iloc[np.sort(rng.choice(len(found), n, replace=False))]
    for at in range(n):
        row = picked.iloc[[at]]
        short = read(reading.bars.iloc[: int(row["known_bar"].iloc[0]) + 1], instrument=context.instrument)
        given = {
            "instrument": context.instrument,
            "news": context.news,
            "spread_price": paid,
            "regime": context.regimes,
        }
        again = features(short, row, **given)
        bad += int(changed_by_cut(values, again).sum())
    return n, bad


def studied(shared: Path, news: NewsCalendar, name: str) -> dict:
    """Everything about one tape."""
    began = time.process_time()
    reading, context, paid, costs = inputs_of(shared, news, *TAPES[name])
    found = candidates(reading, context.instrument)
    decisions = decide_all(reading, context, POLICY, spread_price=paid)
    rules = Rules(cooldown_bars=POLICY.cooldown_bars)
    labels = setup_labels(reading.bars, found, decision_log(decisions), context.instrument, POLICY, costs, rules)
    rows = found.set_index("setup_id").loc[labels["setup_id"]].reset_index()
    given = {"instrument": context.instrument, "news": news, "spread_price": paid, "regime": context.regimes}
    values = features(reading, rows, **given)
    spans = (labels["outcome"], labels["known_close"], labels["end_time"])
    learned = fit(values, *spans, score=labels["score"], config=CONFIG)
    leaks = audit(values, *spans, config=CONFIG)
    trial = TradingTest(reading, reading.bars, context, POLICY, None, paid, ORDERS, costs, rules)
    acted = trading_value(trial, learned.oof, rows.set_index("setup_id")["score"])
    return {
        "learned": learned, "leaks": leaks, "acted": acted, "cut": cut_rows(reading, rows, values, context, paid),
        "promotion": promotion(learned.oof, None, CONFIG), "n": len(found), "labels": labels, "k": values.shape[1],
        "regimes": rows_by_regime(context, labels, rows), "cpu": time.process_time() - began,
    }  # fmt: skip


def rows_by_regime(context: Context, labels: pd.DataFrame, rows: pd.DataFrame) -> dict:
    """Mean net R of the full stop and target by regime at the trigger."""
    from smclab.gates import regime_at

    word = regime_at(rows["known_close"], context)["regime"]
    r = labels["actual_rr"].to_numpy()
    out = {}
    for name in ("trend", "range", "volatile"):
        x = r[(word == name) & np.isfinite(r)]
        half = 1.96 * x.std(ddof=1) / np.sqrt(len(x)) if len(x) > 1 else np.nan
        out[name] = f"{x.mean():+.2f} ± {half:.2f} R, n = {len(x)}" if len(x) > 1 else f"n = {len(x)}"
    return out


def main(shared: Path):
    """Write the page."""
    frame = pd.read_parquet(shared / "data" / "news" / "high_impact_2022_2025.parquet")
    news = NewsCalendar.from_frame(frame, fetched_at=pd.Timestamp("2025-12-31", tz="UTC"))
    done = {}
    for name in TAPES:
        done[name] = studied(shared, news, name)
        print(name, done[name]["learned"].verdict, f"{done[name]['cpu']:.0f} s", flush=True)
        write(done)


def write(done: dict):
    """The page, from what is done so far."""
    heads, names, cuts, money, moods, whys = [], [], [], [], [], []
    for name, d in done.items():
        o, labels = d["learned"].oof, d["labels"]
        heads.append({
            "tape": name, "setups": d["n"], "with a ticket": len(labels), "finished": int(labels["outcome"].notna().sum()),
            "target first": f"{100 * labels['outcome'].mean():.1f} %", "out of fold": int(o["outcome"].notna().sum()),
            "features": d["k"], "flagged by the audit": int(d["leaks"]["flagged"].sum()),
            "best alone": f"{d['leaks'].iloc[0].name} {d['leaks']['auc'].max():.3f}",
            "changed by a cut": f"{d['cut'][1]} values of {d['cut'][0]} rows", "stability": f"{d['learned'].stability:+.2f}".replace("+nan", "none"),
        })  # fmt: skip
        for who, r in d["learned"].figures.iterrows():
            names.append({"tape": name, "model": who, "n": int(r["n"]), "log loss": within(r, "log_loss", 4),
                          "Brier": within(r, "brier", 4), "AUC": within(r, "auc"),
                          "skill": f"{100 * r['skill']:+.2f} % [{100 * r['skill_low']:+.2f}, {100 * r['skill_high']:+.2f}]"})  # fmt: skip
        for _, r in d["learned"].folds.iterrows():
            cuts.append({"tape": name, "fold": r["fold"], "from": f"{r['test_from']:%Y-%m-%d}", "to": f"{r['test_to']:%Y-%m-%d}",
                         "train": r["train_n"], "purged": r["purged_n"], "test": r["test_n"], "won before": f"{100 * r['base_rate_train']:.1f} %",
                         "won": f"{100 * r['base_rate_test']:.1f} %", "kind": r["kind"], "AUC": within(r, "auc"),
                         "skill": f"{100 * r['skill']:+.2f} % [{100 * r['skill_low']:+.2f}, {100 * r['skill_high']:+.2f}]"})  # fmt: skip
        for way, r in d["acted"].iterrows():
            money.append({"tape": name, "way": way, **result_row(r)})
        moods.append({"tape": name, **d["regimes"]})
        top = ", ".join(
            f"{f} {r.loss_rise:+.4f} ({r.folds_above_zero:.0%} of folds)"
            for f, r in d["learned"].importance.head(5).iterrows()
        )
        whys.append(
            {"tape": name, "verdict": d["learned"].verdict, "promotion": d["promotion"].reason, "most important": top}
        )
    page = FOLDER / "model_evidence.md"
    text = page.read_text() if page.exists() else ""
    opinion = text.split(READ, 1)[1] if READ in text else ""
    page.write_text(
        f'# Does the model help on real markets?\n\n`{COMMAND}` writes everything above "Read". Policy `a_plus_and_a_live`, default '
        f"setups and default search (logistic, forest, boosted; {CONFIG.n_iter} settings each on {CONFIG.n_inner} purged folds inside), "
        f"judged on {CONFIG.n_outer} folds that walk forward, embargo 24 bars. Intervals are 95 %, by runs of {CONFIG.boot_block} "
        f"neighbouring setups. Every out-of-fold row was predicted by a model that had seen finished, earlier rows only.\n\n"
        f"## Rows\n\n{table(heads)}\n## Model against baselines\n\nAll out-of-fold rows. `selected` is the whole procedure, the choice "
        f"of the kind included; skill is 1 minus log loss over the base rate's.\n\n{table(names)}\n## Folds\n\nOf `selected`.\n\n{table(cuts)}\n"
        f"## Acting on it\n\nThe same tape replayed after spread, slippage and commission, full size to stop or target, on out-of-fold setups with at "
        f"least 50 before them. *Best by score* and *by model*: percentile among earlier setups of 60 or more, by model also an "
        f"expectancy of 0 R or more.\n\n{table(money)}\n## Regimes\n\nNet R of the full stop and target by the regime at the trigger, all setups.\n\n"
        f"{table(moods)}\n## Verdicts\n\n{table(whys)}\n{READ}{opinion}"
    )


COMMAND, READ = "python benchmarks/model_evidence.py", "## Read\n"
if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER.parent.parent / "shared")
