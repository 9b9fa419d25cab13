"""Where a symbol's candles come from: conf's entry, or a file the user names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from smcdesk.marketdata.instruments import configured_instrument
from smcdesk.marketdata.profile_fit import misfit_sentence, tight_stop_sentence
from smcdesk.project.config import load_config
from smcdesk.providers.files import Budget, Explanation, first_look, read_file, same_symbol, symbol_from, symbol_in
from smcdesk.providers.files.symbols import COINS, CURRENCIES
from smcdesk.providers.files.text import existing
from smclab.candles import BadBars, BadConfig, jump_sentences, nearest, quality
from smclab.instruments import SYMBOLS, Instrument, instrument


@dataclass(frozen=True)
class RawCandles:
    "A candle history as it was found, not yet checked."

    symbol: str
    bars: pd.DataFrame
    notes: tuple[str, ...]  # sentences: where from, how the file was understood


class SymbolConfig(BaseModel):
    "A symbol's entry in conf."

    model_config = ConfigDict(extra="forbid", frozen=True)

    instrument: str  # a profile's name
    source: str | None = None  # a file, from the project's top folder
    zone: str | None = None  # IANA name or a fixed offset such as UTC-5, where the file does not say
    day_first: bool | None = None  # for dates such as 01.02.2017; None: decided by the whole file
    label: Literal["open", "close"] | None = None  # what the file's times name; None: decided by the whole file
    decimal: Literal[".", ","] | None = None  # what stands before the file's decimals, where its numbers read both ways
    bars_side: Literal["bid", "mid", "ask"] = "bid"  # which price the candles show
    spread: str | None = None  # a parquet or CSV of ts and spread by bar, price; None: conf's costs


def symbol_config(
    symbol: str,  # for the message
    values: Mapping[str, Any],  # conf's entry
) -> SymbolConfig:
    "A symbol's entry, checked; `BadConfig` names the wrong key and the nearest right one."
    try:
        return SymbolConfig(**values)
    except ValidationError as e:
        first = e.errors()[0]
        key = ".".join(map(str, first["loc"]))
        hint = nearest(key, list(SymbolConfig.model_fields)) if first["type"] == "extra_forbidden" else ""
        raise BadConfig(f"symbols.{symbol}.{key}: {first['msg'].lower()}{hint}") from None


def file_budget(env: str | None = None) -> Budget:
    "How much memory a file of candles may take, by conf."
    found = (load_config(env).globals.get("files") or {}).get("max_gb", Budget.max_gb)
    if isinstance(found, bool) or not isinstance(found, int | float) or not found > 0:
        raise BadConfig(f"globals.yml: files.max_gb must be a number of GB above 0, found {found!r}")
    return Budget(float(found))


def from_file(
    path: Path,  # the user's candle file
    *,
    symbol: str | None = None,  # None: read from the file's symbol column, else its name
    profile: str | None = None,  # instrument profile; None: the symbol's own
    bars_side: str | None = None,  # None: bid for currencies and metals, mid elsewhere
    env: str | None = None,  # whose changes to profiles count
    **reading: Any,  # how the file is read where it does not say: zone, day_first, label
) -> tuple[str, dict[str, Any]]:  # the symbol, and its entry as conf would write it
    "A conf entry for a file that conf does not know; a file that cannot be read is refused before anything starts."
    steps = Explanation()
    bars, _ = read_file(path, symbol=symbol, also=profile, steps=steps, budget=file_budget(env), **reading)
    symbol = symbol or own_symbol(path, steps.symbol)
    if not symbol:
        raise BadConfig(f"cannot tell the symbol from the file name {path.name!r}: say it with --symbol")
    if not re.fullmatch(r"[A-Za-z0-9_]+", symbol):
        raise BadConfig(f"symbol {symbol!r} must be letters, digits and _ only")
    market = file_instrument(symbol, profile, env)
    if sentence := misfit(market, profile or symbol, bars):
        raise BadConfig(sentence)
    side = bars_side or ("bid" if market.asset_class in ("fx", "metal") else "mid")
    entry = {"instrument": profile or symbol, "source": str(path.resolve()), "bars_side": side}
    reading = {name: value for name, value in reading.items() if value is not None or name == "zone"}
    unset = {"decimal", "day_first", "label"} - set(reading)
    return symbol, symbol_config(symbol, entry | reading).model_dump(exclude=unset)


def own_symbol(path: Path, written: str | None) -> str | None:
    "The symbol a file gives itself, in its symbol column or its name; two that contradict are refused."
    named = symbol_from(path)
    if written is None:
        return named
    if named and not same_symbol(written, named):
        raise BadConfig(
            f"{path.name} is named after {named}, but its symbol column says {written}: say which with --symbol"
        )
    return named or symbol_in(written) or written


def explained(
    path: Path,
    *,
    symbol: str | None = None,
    profile: str | None = None,  # instrument profile; None: the symbol's own
    **reading: Any,  # zone, decimal, day_first, label
) -> list[str]:  # lines
    "How a file is understood, as far as it can be read, and what a run on it would be refused for."
    existing(Path(path).expanduser())
    steps = Explanation()
    try:
        bars, _ = read_file(path, symbol=symbol, also=profile, steps=steps, budget=file_budget(), **reading)
        symbol = symbol or own_symbol(path, steps.symbol)
        steps.market = f"{symbol or 'no symbol: name one with --symbol'}"
        if symbol or profile:
            market = file_instrument(symbol or profile, profile)
            steps.market += f", profile {profile or symbol} ({market.asset_class})"
            steps.notes += profile_notes(market, profile or symbol, bars)
    except (BadBars, BadConfig) as error:
        steps.refused = str(error)
    first = first_look(path, symbol) if steps.table is None else []
    return [str(path), *first, *steps.lines()]


def file_instrument(
    symbol: str,
    profile: str | None,  # None: the symbol's own
    env: str | None = None,
) -> Instrument:  # with conf's changes
    "The instrument of a file's symbol; an unknown symbol is asked for its profile, never taken for a look-alike."
    name = profile or symbol
    if profile is None and symbol not in SYMBOLS and symbol_in(symbol) == symbol:
        raise BadConfig(
            f"unknown symbol {symbol}: there is no profile of it; name one with --instrument, e.g. --instrument "
            f"{_likely_default(symbol)} (profiles: {', '.join(SYMBOLS)}, default_fx, default_metal, default_crypto, "
            "default_equity)"
        )
    instrument(name)
    return configured_instrument(name, load_config(env).parameters["profiles"], symbol)


def _likely_default(symbol: str) -> str:
    "The default profile of a symbol's kind."
    if re.search(rf"({COINS})$", symbol) or re.match(r"(BTC|XBT|ETH|SOL|XRP|ADA|DOGE|LTC|BNB|AVAX|LINK|DOT)", symbol):
        return "default_crypto"
    if re.match(r"XA[UG]|XP[TD]", symbol):
        return "default_metal"
    return "default_fx" if re.fullmatch(rf"({CURRENCIES}){{2}}", symbol) else "default_equity"


def misfit(market: Instrument, profile: str, bars: pd.DataFrame) -> str:
    "Why a default profile cannot be that of the market with these bars; empty where it can, or is not a default."
    return misfit_sentence(market, profile, market.symbol, bars) if profile.startswith("default_") else ""


def price_findings(
    bars: pd.DataFrame,  # (n, OHLCV) checked bars, two or more
    market: Instrument | None,  # None: of an unknown week
) -> tuple[str, ...]:  # empty where the Lab's verdict is ok
    "What a verdict that is not ok says of candles: every later figure, such as the ATR, has them in it."
    found = quality(bars, week=market.week if market else "24/7", symbol=market.symbol if market else "?")
    reasons = found.reasons if market else jump_sentences(found.jumps)
    if found.verdict == "ok" or not reasons:
        return ()
    return (f"Quality {found.verdict}, and every later figure is made of it: {'; '.join(reasons)}.",)


def profile_notes(market: Instrument, profile: str, bars: pd.DataFrame) -> tuple[str, ...]:
    "What a report says of a default profile that does not fit, or leaves few entries."
    if not profile.startswith("default_"):
        return ()
    words = misfit(market, profile, bars) or tight_stop_sentence(market, profile, market.symbol, bars)
    return (words[0].upper() + words[1:],) if words else ()
