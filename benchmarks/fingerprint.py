"""Fingerprints of everything the Lab makes of a tape: a restructuring that changes nothing changes none of them.

    python benchmarks/fingerprint.py --compare benchmarks/fingerprints.json            every tape of ../shared
    python benchmarks/fingerprint.py --sample --compare benchmarks/fingerprints.json   the small tapes alone, seconds
    python benchmarks/fingerprint.py --write benchmarks/fingerprints.json              after a change that was meant

The small tapes are the repo's own sample and made-up ones; they are printed to nine digits before they are hashed, so
that another processor's sine does not matter. Tapes of ../shared are hashed exactly, bit by bit.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from smclab import tapes
from smclab.account import Account
from smclab.candles import BadConfig, check, quality_known, resample
from smclab.decision import Decision, decide, decide_all, from_dict
from smclab.execution import PRESETS as FILL_RULES
from smclab.execution import Costs, Rules, intents
from smclab.features import FeatureConfig, features
from smclab.gates import Context, gate_table
from smclab.instruments import SYMBOLS, Instrument, instrument
from smclab.labels import barrier_outcomes
from smclab.news import NewsCalendar
from smclab.policy import PRESETS as POLICIES
from smclab.policy import Policy, preset
from smclab.portfolio import Market, replay_portfolio
from smclab.reader import Reader
from smclab.reading import Reading
from smclab.regime import HmmConfig, hmm_regimes, regimes
from smclab.replay import Ledger, replay
from smclab.scorecard import by, scorecard
from smclab.setups import SetupConfig, candidates
from smclab.stream import Stream
from smclab.sweep import ambiguity_bounds, sweep
from smclab.timeframes import Config
from smclab.walkforward import study

# --- the Lab's names: every call of the library stands in this part ---


def read_tape(bars: pd.DataFrame, profile: Instrument) -> tuple[Reader, Reading]:
    "A tape, read."
    reader = Reader(instrument=profile).extend(bars)
    return reader, reader.reading


def tape_things(t: BarTape, reader: Reader, reading: Reading) -> dict[str, Any]:
    "What is made of a whole tape, by name."
    again = Reader.from_bytes(reader.to_bytes())
    return {
        "bars": reading.bars, "quality": quality_known(t.bars, week=t.profile.week),
        "events": reading.events, "columns": reading.columns, "reader": FileBytes(reader.to_bytes()),
        "reader loaded": again.reading.columns.tail(500), "candidates": candidates(reading, t.profile),
        "evaluations": candidates(reading, t.profile, pending=True), "regime": regimes(t.bars),
    }  # fmt: skip


def policies() -> dict[str, Policy]:
    "The presets, the default, and one that trades much."
    often = {"preset": "v1", "stop_cap": {"instrument_cap": False, "max_stop_atr": 8.0}, "risk": {"min_rr_b": 1.0}}
    return {name: preset(name) for name in POLICIES} | {"default": Policy(), "often": Policy.from_dict(often)}


def surroundings(t: BarTape) -> Context:
    "The context all decisions of a tape are made in."
    words = regimes(t.bars)["regime"]
    words = words.set_axis(words.index + t.step)
    judged = quality_known(t.bars, week=t.profile.week)
    judged = judged.set_axis(judged.index + t.step)
    return Context(
        t.profile, Account(10_000.0), t.profile.typical_spread, news=t.news, quality=judged, regimes=words,
        cost_price=t.profile.typical_spread / 2, cost_pct=0.1 if t.profile.asset_class == "crypto" else 0.0,
    )  # fmt: skip


def decision_things(t: BarTape, reader: Reader, reading: Reading) -> tuple[dict[str, Any], tuple[Decision, ...]]:
    "What is decided on a tape, by name; the decisions of the policy that trades much."
    context, found, out = surroundings(t), candidates(reading, t.profile), {}
    at = None if t.spread is None else t.spread.iloc[found["known_bar"]].to_numpy()
    for name, policy in policies().items():
        decisions = decide_all(reading, context, policy, spread_price=t.spread)
        out[f"decisions {name}"] = [d.hash() for d in decisions]
        out[f"gates {name}"] = gate_table(found, context, policy, spread_price=at)
        sent = intents(decisions, t.bars, modes=("candle_close", "limit"), policy=policy)
        out[f"ledger {name}"] = replay(t.bars, sent, **game(t.profile)).hash()
    traded = decisions
    out["explained"] = [d.explain() for d in decisions]
    out["decisions from JSON"] = [from_dict(json.loads(json.dumps(d.to_dict()))).hash() for d in decisions]
    some = reading.bars.index[np.linspace(0, len(reading.bars) - 1, t.bars_single).astype(int)]
    out["decisions by bar"] = [d.hash() for b in some for d in decide(reading.at(b), context, preset("v1"))]
    out["decisions live"] = [d.hash() for d in pushed(t, context)]
    out["labels"] = labels(t, found, traded)
    out["features"] = features(
        reading, found, instrument=t.profile, news=t.news, regime=context.regimes,
        spread_price=t.profile.typical_spread if t.spread is None else t.spread,
    )  # fmt: skip
    if not t.digits:  # its fit goes by the linear algebra of the machine
        out["regime hmm"] = hmm_regimes(t.bars, hmm=HmmConfig(fit_bars=1_000, refit_bars=5_000, n_iter=10))["regime"]
    return out, traded


def pushed(t: BarTape, context: Context) -> list[Decision]:
    "The decisions of the last bars of a tape, read one by one."
    stream = Stream(Reader(instrument=t.profile), context, preset("v1"))
    stream.extend(t.bars.iloc[: -t.bars_single])
    return [d for bar in t.bars.iloc[-t.bars_single :].itertuples() for d in stream.push(*ns_and_prices(bar))[0]]


def labels(t: BarTape, found: pd.DataFrame, decisions: tuple[Decision, ...]) -> pd.DataFrame:
    "What became of every plan."
    plans = {d.setup_id: d.ticket for d in decisions if d.ticket is not None}
    rows = found[found["setup_id"].isin(plans)].reset_index(drop=True)
    columns = ("entry_price", "stop_price", "target_price", "entry_type", "expiry_bars")
    rows = rows.assign(**{name: [getattr(plans[i], name) for i in rows["setup_id"]] for name in columns})
    return barrier_outcomes(t.bars, rows, costs=costs_of(t.profile), tick=t.profile.tick)


def game(profile: Instrument) -> dict[str, Any]:
    "What every replay of a tape is given."
    return {"instrument": profile, "account": Account(10_000.0), "costs": costs_of(profile)}


def costs_of(profile: Instrument) -> Costs:
    "What trading costs here."
    commission = 0.05 if profile.asset_class == "crypto" else 0.0
    return Costs(profile.typical_spread, profile.typical_spread / 4, commission_pct=commission)


def trade_things(t: BarTape, reading: Reading, traded: tuple[Decision, ...]) -> tuple[dict[str, Any], pd.DataFrame]:
    "What trading a tape comes to, by name, and the intents behind it."
    policy, profile = policies()["often"], t.profile
    later = decide_all(reading, surroundings(t), policy, spread_price=t.spread, pending=True)
    modes = ("candle_close", "limit")
    sent = {
        "close": intents(traded, t.bars), "both": intents(traded, t.bars, modes=modes),
        "legs": intents(traded, t.bars, modes=modes, legs=True, zone_exit=True, reviews=later),
    }  # fmt: skip
    rules = {f"rules {name}": r for name, r in FILL_RULES.items()}
    rules |= {f"tie {tie}": Rules(tie=tie) for tie in ("stop", "target", "path", "nearest")}
    rules |= {"volume": Rules(volume_share_pct=1.0, end_of_data="close")}
    ledgers = {name: replay(t.bars, sent["legs"], rules=r, **game(profile)) for name, r in rules.items()}
    ledgers |= {f"intents {name}": replay(t.bars, table, **game(profile)) for name, table in sent.items()}
    out: dict[str, Any] = {"decisions again": [d.hash() for d in later]}
    out |= {f"intents {name}": table for name, table in sent.items()}
    out |= {f"ledger {name}": ledger.hash() for name, ledger in ledgers.items()}
    whole = ledgers["intents legs"]
    out |= {f"ledger {name}": table for name, table in ledger_tables(whole).items()}
    out["honesty"] = ambiguity_bounds(t.bars, sent["both"], **game(profile))
    day = {"zone": profile.zone, "roll_hour": profile.roll_hour}
    out["scorecard"] = scorecard(whole, t.bars, n_boot=200, seed=3, **day)
    out["scorecard by side"] = by(whole, "side", n_boot=200, seed=3)
    grid = pd.MultiIndex.from_product([(0.8, 1.0, 1.4), (1.0, 2.0, 3.0), (24, 96)])
    grid = grid.to_frame(index=False).set_axis(["stop_scale", "target_r", "time_limit_bars"], axis=1)
    figures, daily = sweep(t.bars, sent["both"], grid, **game(profile))
    out |= {"sweep": figures, "sweep daily": daily} | walked(daily, grid)
    return out, sent["both"]


def walked(daily: pd.DataFrame, grid: pd.DataFrame) -> dict[str, Any]:
    "A study of the sweep, or why there is none."
    table = daily.set_axis(pd.MultiIndex.from_frame(grid), axis=0)
    try:
        s = study(
            table, {"n_windows": 4, "n_blocks": 8, "choose": "plateau"}, longest_trade_days=2.0, n_boot=200, seed=3
        )
    except BadConfig as error:
        return {"study": str(error)}
    return {"study": s.summary, "study windows": s.windows, "study paths": s.paths, "study days": s.out_of_sample}


def ledger_tables(ledger: Ledger) -> dict[str, pd.DataFrame]:
    "The tables of a ledger."
    return {name: getattr(ledger, name) for name in ("trades", "orders", "fills", "journal", "equity")}


def portfolio_things(pairs: list[tuple[BarTape, pd.DataFrame]], digits: int | None) -> dict[str, Any]:
    "What several tapes come to in one account, by name."
    markets = {t.profile.symbol: Market(t.bars, sent, t.profile, costs_of(t.profile)) for t, sent in pairs}
    gated = Policy.from_dict({"preset": "v1", "portfolio_gate": {"enabled": True}})
    both = replay_portfolio(markets, Account(10_000.0), gated)
    out: dict[str, Any] = {f"ledger {symbol}": ledger.hash() for symbol, ledger in both.ledgers.items()}
    out |= ledger_tables(both) | {"refusals": both.refusals}
    return {name: digest(value, digits) for name, value in out.items()}


def setting_things() -> dict[str, Any]:
    "Every settings object's own hash and plain values."
    named = {"reading": Config(), "setups": SetupConfig(), "features": FeatureConfig(), "rules": Rules()}
    named |= {f"policy {name}": policy for name, policy in policies().items()}
    named |= {f"instrument {name}": instrument(name) for name in SYMBOLS}
    return {name: [one.hash(), json.dumps(one.to_dict(), sort_keys=True)] for name, one in named.items()}


def small_tapes() -> dict[str, BarTape]:
    "The repo's own sample and two made-up markets."
    sample = table_of(pd.read_parquet(ROOT / "data/01_raw/sample/EURUSD_1h.parquet")).iloc[-4_000:]
    fx = tapes.market(3_000, seed=6)
    coin = tapes.market(3_000, seed=9, price=40_000.0, tick=0.01, week="24/7")
    one = {"digits": 9, "bars_single": 60}
    spread = pd.Series(np.where(np.arange(len(fx)) % 7, 0.00008, 0.0003), fx.index)
    return {
        "sample EURUSD_1h": tape_of(sample, instrument("EURUSD"), **one),
        "made-up EURUSD_15m": tape_of(fx, instrument("EURUSD"), spread=spread, **one),
        "made-up BTCUSDT_15m": tape_of(coin, instrument("BTCUSDT"), **one),
        "made-up BTCUSDT_1h": tape_of(resample(coin, "1h"), instrument("BTCUSDT"), **one),
    }


def tape_of(bars: pd.DataFrame, profile: Instrument, **more) -> BarTape:
    "A tape of checked bars."
    return BarTape(check(bars), profile, **more)


def profile_of(symbol: str) -> Instrument:
    "A symbol's profile; a share that has none of its own is a share."
    return instrument(symbol) if symbol in SYMBOLS else replace(instrument("default_equity"), symbol=symbol)


def calendar(folder: Path) -> NewsCalendar:
    "The news of the shared folder."
    frame = pd.read_parquet(folder / "news" / "high_impact_2022_2025.parquet")
    return NewsCalendar.from_frame(frame, fetched_at=pd.Timestamp("2025-12-31", tz="UTC"))


# --- hashes ---


@dataclass(frozen=True)
class FileBytes:
    "The bytes of an npz file."

    content: bytes


def _plain(values: pd.Series | pd.Index, digits: int | None) -> bytes:
    "A column's values as bytes: exact, or numbers to some digits."
    if isinstance(values.dtype, pd.CategoricalDtype):
        return "\x1f".join([*map(str, values.array.categories), "", *map(str, values)]).encode()
    if values.dtype.kind == "M":
        return pd.DatetimeIndex(values).as_unit("ns").asi8.tobytes()
    if values.dtype.kind in "iub":
        return values.to_numpy().tobytes()
    if values.dtype.kind == "f" and digits is None:
        x = values.to_numpy(np.float64)
        return np.where(np.isnan(x), np.nan, x).tobytes()  # a NaN is a NaN, whatever its sign
    if values.dtype.kind == "f":
        return "\x1f".join(f"{x + 0.0:.{digits}g}" for x in values.tolist()).encode()
    return "\x1f".join(f"{x:.{digits or 17}g}" if isinstance(x, float) else str(x) for x in values).encode()


def digest(value: Any, digits: int | None = None) -> str:  # 16 hex digits
    "The fingerprint of a table, a file's bytes, or plain values."
    h = hashlib.sha256()
    if isinstance(value, FileBytes):  # what is in the file, whatever compressed it
        with zipfile.ZipFile(io.BytesIO(value.content)) as archive:
            for name in archive.namelist():
                h.update(name.encode() + archive.read(name))
    elif isinstance(value, pd.DataFrame | pd.Series):
        table = value.to_frame("value") if isinstance(value, pd.Series) else value
        levels = [table.index.get_level_values(k) for k in range(table.index.nlevels)]
        parts = [(f"index {level.name}", level) for level in levels]
        parts += [(str(name), table.iloc[:, k]) for k, name in enumerate(table.columns)]
        for name, part in parts:
            h.update(f"\x1e{name}\x1f{part.dtype}\x1f".encode() + _plain(part, digits))
    else:
        h.update(json.dumps(value).encode())
    return h.hexdigest()[:16]


# --- tapes ---


ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("SMCLAB_SHARED", ROOT.parent / "shared")) / "data"
CLIP = 20_000  # bars from which on only the newest are decided and traded: enough of them, soon enough
KINDS = {  # the file's stem: its symbol
    "crypto": {"BTCUSDT_15m": "BTCUSDT", "SOLUSDT_15m": "SOLUSDT", "BTCUSDT_5m_2024": "BTCUSDT",
               "SOLUSDT_5m_2024": "SOLUSDT"},
    "equities": {"SPY_1d": "SPY", "AAPL_1h": "AAPL"},
    "equities_daily": {"SP500_1d": ""},  # long: every 30th of its symbols
    "fx": {"EURUSD_15m": "EURUSD", "XAUUSD_15m": "XAUUSD", "EURUSD_15m_smclib": "EURUSD", "XAUUSD_1h_oanda": "XAUUSD",
           "XAUUSD_5m": "XAUUSD"},
}  # fmt: skip
SKIPPED = {
    "ticks": "ticks and the candles made of them: two days at most, shorter than the warm-up",
    "wire": "messages of brokers, no candles",
    "news": "no candles; the calendar that stands beside every tape's decisions",
    "fx_spread": "no candles; the spread of the fx tape of the same name",
}
TOGETHER = {"crypto": ("BTCUSDT_15m", "SOLUSDT_15m"), "fx": ("EURUSD_15m", "XAUUSD_15m")}  # in one account
QUICK = ("crypto", "SOLUSDT_15m", 6_000)  # the shared tape of the test suite: its newest bars
EVERY = 30  # of the daily shares


@dataclass(frozen=True)
class BarTape:
    "Checked bars, whose they are, and what stands beside them."

    bars: pd.DataFrame
    profile: Instrument
    spread: pd.Series | None = None  # ask minus bid by bar
    news: NewsCalendar | None = None
    digits: int | None = None  # of numbers in hashes; None: exact
    bars_single: int = 200  # bars that are decided one by one

    @property
    def step(self) -> pd.Timedelta:
        return pd.Series(self.bars.index).diff().mode()[0]

    def newest(self, n: int) -> BarTape:
        "The last bars."
        spread = None if self.spread is None else self.spread.iloc[-n:]
        return replace(self, bars=self.bars.iloc[-n:], spread=spread)


def table_of(raw: pd.DataFrame) -> pd.DataFrame:
    "A file's rows as candles by time."
    raw = raw.set_index(pd.DatetimeIndex(raw["ts"], name="time"))
    return raw[["open", "high", "low", "close", "volume"]].astype("float64")


def shared_tapes(folder: Path, kind: str, stem: str, news: NewsCalendar | None = None) -> dict[str, BarTape]:
    "The tapes of one file."
    raw, symbol = pd.read_parquet(folder / kind / f"{stem}.parquet"), KINDS[kind][stem]
    if not symbol:
        some = sorted(raw["symbol"].unique())[::EVERY]
        return {
            f"{kind}/{stem}/{s}": tape_of(table_of(raw[raw["symbol"] == s]), profile_of(s), news=news) for s in some
        }
    t = tape_of(table_of(raw), profile_of(symbol), news=news)
    quotes = folder / "fx_spread" / f"{stem}_spread.parquet"
    if quotes.exists():
        paid = pd.read_parquet(quotes).set_index("ts")["spread"]
    elif "ask_close" in raw:
        paid = (raw["ask_close"] - raw["close"]).set_axis(pd.DatetimeIndex(raw["ts"]))
    else:
        return {f"{kind}/{stem}": t}
    paid = paid.reindex(t.bars.index).fillna(t.profile.typical_spread).clip(lower=0.0).astype("float64")
    return {f"{kind}/{stem}": replace(t, spread=paid)}


def ns_and_prices(bar: Any) -> tuple:
    "A row of bars as a reader takes it."
    return bar.Index.value, bar.open, bar.high, bar.low, bar.close, bar.volume


# --- fingerprints ---


def of_tape(t: BarTape) -> tuple[dict[str, str], tuple[BarTape, pd.DataFrame]]:
    "Every fingerprint of a tape; the bars that were traded and their intents."
    reader, reading = read_tape(t.bars, t.profile)
    out = {"n": str(len(t.bars))}
    out |= {name: digest(value, t.digits) for name, value in tape_things(t, reader, reading).items()}
    if len(t.bars) > CLIP:
        t = t.newest(CLIP)
        reader, reading = read_tape(t.bars, t.profile)
    decided, traded = decision_things(t, reader, reading)
    more, sent = trade_things(t, reading, traded)
    return out | {name: digest(value, t.digits) for name, value in (decided | more).items()}, (t, sent)


def of_kind(kind: str, folder: Path) -> dict[str, dict[str, str]]:
    "Every fingerprint of one folder of tapes."
    out, played = {}, {}
    news = calendar(folder) if (folder / "news").exists() else None
    for stem in KINDS[kind]:
        for name, t in shared_tapes(folder, kind, stem, news).items():
            began = time.perf_counter()
            out[name], played[stem] = of_tape(t)
            print(f"{name}: {len(t.bars):,} bars, {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)
    if kind in TOGETHER:
        out[f"{kind}/portfolio"] = portfolio_things([played[stem] for stem in TOGETHER[kind]], None)
    return out


def of_shared(folder: Path) -> dict[str, dict[str, str]]:
    "Every fingerprint of the shared folder, each of its folders in a process of its own."
    out = {}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for part in pool.map(of_kind, KINDS, [folder] * len(KINDS)):
            out |= part
    return out


def of_sample(small: dict[str, BarTape] | None = None) -> dict[str, dict[str, str]]:
    "Every fingerprint of the small tapes."
    small = small or small_tapes()
    out, played = {}, []
    for name, t in small.items():
        out[name], pair = of_tape(t)
        played.append(pair)
    first = {t.profile.symbol: (t, sent) for t, sent in reversed(played)}
    out["portfolio"] = portfolio_things(list(first.values()), 9)
    return out | {"settings": {name: digest(value) for name, value in setting_things().items()}}


def of_quick(folder: Path) -> dict[str, str]:
    "The fingerprints of one shared tape, clipped, to nine digits."
    kind, stem, n = QUICK
    t = shared_tapes(folder, kind, stem, calendar(folder))[f"{kind}/{stem}"]
    return of_tape(replace(t.newest(n), digits=9, bars_single=60))[0]


def differences(old: dict, new: dict, where: str = "") -> list[str]:
    "One line for everything that is not the same."
    out = []
    for name in dict.fromkeys([*old, *new]):
        a, b, place = old.get(name, "nothing"), new.get(name, "nothing"), f"{where}{name}"
        if isinstance(a, dict) and isinstance(b, dict):
            out += differences(a, b, f"{place}: ")
        elif a != b:
            out.append(
                f"{place}: {'a tape' if isinstance(a, dict) else a} became {'a tape' if isinstance(b, dict) else b}"
            )
    return out


def main() -> int:
    "Make, compare, write."
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", action="store_true", help="the small tapes alone")
    parser.add_argument("--shared", type=Path, default=SHARED, help="the folder of development data")
    parser.add_argument("--compare", type=Path, help="print what differs from this file; exit 1 if anything does")
    parser.add_argument("--write", type=Path, help="write the fingerprints to this file")
    args = parser.parse_args()
    house = Path(tapes.__file__).parents[2]  # of the library that is imported, which PYTHONPATH may say
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=house
    ).stdout
    began, found = time.perf_counter(), {"sample": of_sample()}
    if not args.sample and not args.shared.exists():
        print(f"there is no {args.shared}: only the small tapes are read", file=sys.stderr)
    elif not args.sample:
        found |= {"quick": of_quick(args.shared), "shared": of_shared(args.shared)}
        for name, why in SKIPPED.items():
            print(f"{name} skipped: {why}", file=sys.stderr)
    print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr)
    if args.write:
        head = {"commit": commit.strip(), "clip_bars": CLIP, "skipped": SKIPPED}
        args.write.write_text(json.dumps(head | found, indent=1) + "\n")
    if args.compare:
        old = json.loads(args.compare.read_text())
        lines = [x for part in found for x in differences(old.get(part, {}), found[part], f"{part}: ")]
        n = sum(len(things) if isinstance(things, dict) else 1 for part in found.values() for things in part.values())
        print("\n".join([*lines, f"{len(lines)} of {n} differ from {old['commit']}"]))
        return int(bool(lines))
    if not args.write:
        print(json.dumps({"commit": commit.strip()} | found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
