"""How good candles are: what the Lab measures bar by bar, and what only the Desk can know.

The Lab's `quality` sees one tape. The Desk also knows the market's calendar, the present moment, and sometimes a second
source; it finds what is wrong with a file as a whole: another clock than it says, daily candles among hourly ones,
stamps off the grid, an hour told twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from smcdesk.marketdata.calendars import EXCHANGE, NEW_YORK, ExpectedTimes, expected_open_times, session_offsets
from smcdesk.marketdata.history import NO_HOLES, holes
from smcdesk.providers.clocks import weekly_clock
from smcdesk.providers.protocol import moment
from smclab import candles
from smclab.candles import COLUMNS, BadBars, BadConfig, check, infer_timeframe, quality, quality_known, timeframe_ns
from smclab.instruments import Instrument

VERDICTS = ("ok", "degraded", "bad")
ANY = 1e-12  # a limit that one case reaches
# From which share of bars, %, a finding makes the verdict degraded, and bad; the Lab's own limits where it has one.
LIMITS_PCT = candles.LIMITS_PCT | {
    "impossible": (ANY, 1), "off grid": (ANY, 1), "daily candles": (ANY, 1), "told twice": (ANY, 1),
    "no volume": (5, 50),
}  # fmt: skip
LATE_BARS = (2, 12)  # candles that should have come by now
STRAY_PCT = 2  # of bars outside an exchange's longest day, before its clock is in doubt
DAY = pd.Timedelta("1D")
FINDINGS = ("kind", "level", "n", "share_pct", "first", "sentence")


@dataclass(frozen=True, eq=False)
class Inspection:
    "What is wrong with candles, and how much that matters."

    symbol: str
    timeframe: str
    bars: int
    first: pd.Timestamp
    last: pd.Timestamp
    verdict: str  # ok, degraded, bad
    findings: pd.DataFrame  # kind, level (ok, degraded, bad), n, share_pct, first (time or NaT), sentence
    gaps: pd.DataFrame  # start, end, missing_bars: against the market's calendar

    @property
    def reasons(self) -> tuple[str, ...]:
        "Why the verdict is not ok."
        return tuple(self.findings.loc[self.findings["level"] != "ok", "sentence"])


def inspect(
    bars: pd.DataFrame,  # (n, OHLCV) closed bars as they came
    instrument: Instrument,
    *,
    timeframe: str | None = None,  # None: inferred
    now: Any = None,  # a moment: how late the last candle is; None: not asked
) -> Inspection:
    "Everything that can be told of one source's candles."
    good, impossible = check(bars, symbol=instrument.symbol, on_bad="quarantine")
    timeframe = timeframe or infer_timeframe(good)
    tape = quality(good, timeframe=None, week=instrument.week, symbol=instrument.symbol)
    gaps = _gaps(good, instrument, timeframe) if timeframe_ns(timeframe) <= DAY.value else tape.gaps
    wrong = f"rows no candle can be: {', '.join(sorted(set(impossible['rule'])))}"
    n = len(good)
    found = [
        _finding("impossible", impossible.index, wrong, len(impossible), len(bars)),
        _finding("stale", tape.stale.index, "bars repeat the four prices before them", len(tape.stale), n),
        _finding("flat", tape.flat.index, "bars without range", len(tape.flat), n),
        _finding("spikes", tape.spikes.index, "lonely wicks", len(tape.spikes) * (len(tape.spikes) > 1), n),
        *_of_the_market(good, instrument, timeframe, gaps),
    ]
    if now is not None:
        found += _late(good.index[-1], moment(now), instrument, timeframe)
    table = pd.DataFrame([row for row in found if row["n"]], columns=list(FINDINGS))
    worst = max((VERDICTS.index(level) for level in table["level"]), default=0)
    return Inspection(
        instrument.symbol, timeframe, len(good), good.index[0], good.index[-1], VERDICTS[worst], table, gaps
    )


# --- the verdict decisions are made by


WEEKS_BACK = 6  # and as many candles as are enough where candles are long
ENOUGH = 700
FEWEST = 100  # candles, before anything is said of a tape as a whole
SATURDAY_NS = 2 * DAY.value  # the first of the epoch
WEEK_NS = 7 * DAY.value


def verdicts(
    bars: pd.DataFrame,  # (n, OHLCV) checked bars
    instrument: Instrument,
    timeframe: str | None = None,  # None: inferred
) -> pd.Series:  # ok, degraded or bad, by the instant from which it is known: each bar's close
    """The quality of the data as it was known at every close: the worse of two verdicts.

    The Lab's `quality_known` judges the last candles at every bar. Once a week, on Saturday 00:00 UTC, the six weeks
    before are inspected as a file is, by the market's calendar and clock; what is found holds until the next Saturday.
    """
    timeframe = timeframe or infer_timeframe(bars)
    by_bar = quality_known(bars, timeframe=timeframe, week=instrument.week)
    closes = bars.index.as_unit("ns").asi8 + timeframe_ns(timeframe)
    weeks, which = np.unique(week_of(closes), return_inverse=True)
    found = [VERDICTS.index(weekly_verdict(bars, instrument, timeframe, week)) for week in weeks.tolist()]
    worse = np.maximum(by_bar.map(VERDICTS.index).to_numpy(), np.array(found, np.int64)[which])
    closed = pd.DatetimeIndex(closes, tz="UTC")
    return pd.Series(np.array(VERDICTS, dtype=object)[worse], closed, dtype="str")


def week_of(
    close_ns,  # ns UTC, a number or an array
):  # weeks since the epoch's first Saturday, likewise
    "Whose Saturday's inspection holds at an instant."
    return (close_ns - SATURDAY_NS) // WEEK_NS


def weekly_verdict(bars: pd.DataFrame, instrument: Instrument, timeframe: str, week: int) -> str:
    """What the inspection of one Saturday said of candles that had closed by then.

    What the Lab judges at every bar is left to it.
    """
    step, moment_ns = timeframe_ns(timeframe), SATURDAY_NS + week * WEEK_NS
    first = moment_ns - WEEKS_BACK * WEEK_NS - ENOUGH * step
    lo, hi = bars.index.as_unit("ns").asi8.searchsorted([first, moment_ns - step + 1])
    if hi - lo < FEWEST:
        return "ok"
    seen = bars.iloc[lo:hi]
    gaps = _gaps(seen, instrument, timeframe) if step <= DAY.value else NO_HOLES
    found = _of_the_market(seen, instrument, timeframe, gaps)
    return max((row["level"] for row in found), key=VERDICTS.index)


def verdict(
    bars: pd.DataFrame,  # (n, OHLCV) checked bars up to the decision
    instrument: Instrument,
    timeframe: str,
    inspected: str | None = None,  # what `weekly` said last; None: it is asked
) -> str:  # ok, degraded or bad
    "The last word of `verdicts`, from the candles it looks back on."
    back = pd.Timedelta(WEEKS_BACK * WEEK_NS + ENOUGH * timeframe_ns(timeframe))
    recent = bars[bars.index >= bars.index[-1] - back]
    by_bar = quality_known(recent, timeframe=timeframe, week=instrument.week).iloc[-1]
    if inspected is None:
        close_ns = bars.index[-1].as_unit("ns").value + timeframe_ns(timeframe)
        inspected = weekly_verdict(bars, instrument, timeframe, week_of(close_ns))
    return max(str(by_bar), inspected, key=VERDICTS.index)


# --- what an inspection finds


def _of_the_market(
    bars: pd.DataFrame, instrument: Instrument, timeframe: str, gaps: pd.DataFrame
) -> list[dict[str, Any]]:
    "What the Lab cannot judge bar by bar, because it hangs on the market's calendar or on the tape as a whole."
    step, n, missing = timeframe_ns(timeframe), len(bars), int(gaps["missing_bars"].sum())
    at = {
        "off grid": (_off_grid(bars.index, step, instrument.week), f"bars do not open on the {timeframe} grid"),
        "told twice": (_duplicates(bars, step), "bars repeat the hour before"),
        "daily candles": (_daily(bars, step), f"daily candles among those of {timeframe}"),
    }
    if instrument.asset_class in ("crypto", "equity"):
        at["no volume"] = (bars.index[(bars["volume"] == 0).to_numpy()], "bars without volume")
    return [
        _finding("missing", gaps["start"], "bars missing", missing, n + missing),
        *(_finding(kind, times, words, len(times), n) for kind, (times, words) in at.items()),
        *_clock(bars.index, step, instrument),
    ]


def _finding(kind: str, at: Any, words: str, n: int, of: int) -> dict[str, Any]:
    "What is wrong with some bars, its level by their share."
    share_pct = 100 * n / max(of, 1)
    first = pd.DatetimeIndex(at)[0] if len(at) else pd.NaT
    since = f", the first at {first:%Y-%m-%d %H:%M}Z" if n else ""
    level = VERDICTS[sum(share_pct >= bound for bound in LIMITS_PCT[kind])]
    return dict(
        zip(FINDINGS, (kind, level, n, share_pct, first, f"{n:,} {words} ({share_pct:.3g} %){since}"), strict=True)
    )


def _fact(kind: str, sentence: str, level: int, n: int = 1) -> dict[str, Any]:
    "What is wrong with the tape as a whole."
    return dict(zip(FINDINGS, (kind, VERDICTS[level], n, 100.0, pd.NaT, sentence), strict=True))


def _gaps(bars: pd.DataFrame, instrument: Instrument, timeframe: str) -> pd.DataFrame:
    "The holes, by the market's calendar."
    should = expected_open_times(instrument)
    return holes(bars.index, timeframe, _adapted_calendar(should, bars.index) if instrument.week == "fx" else should)


def _adapted_calendar(should: ExpectedTimes, seen: pd.DatetimeIndex) -> ExpectedTimes:
    "The calendar without the hours of the week at which this tape never has a candle: brokers close as they please."
    minutes = np.unique(_minute_of_week(seen))

    def times(start: pd.Timestamp, end: pd.Timestamp, timeframe: str) -> pd.DatetimeIndex:
        found = should(start, end, timeframe)
        return found[np.isin(_minute_of_week(found), minutes)]

    return times if seen[-1] - seen[0] > 2 * pd.Timedelta(WEEK_NS) else should


def _minute_of_week(times: pd.DatetimeIndex) -> np.ndarray:
    "On New York's clock, by which brokers keep their hours."
    local = times.tz_convert(NEW_YORK)
    return np.asarray((local.day_of_week * 24 + local.hour) * 60 + local.minute)


def _off_grid(times: pd.DatetimeIndex, step: int, week: str) -> pd.DatetimeIndex:
    "Bars that open beside the grid the others stand on; where a market never pauses, the grid begins at midnight."
    if step > timeframe_ns("1h"):
        return times[:0]
    phase = times.asi8 % step
    values, counts = np.unique(phase, return_counts=True)
    usual = values[counts.argmax()] if week == "sessions" else 0
    return times[phase != usual]


def _duplicates(bars: pd.DataFrame, step: int) -> pd.DatetimeIndex:
    "Bars of runs that equal those an hour before: a change of clocks that was written down twice."
    lag = int(timeframe_ns("1h") // step)
    if lag < 2 or len(bars) <= lag:
        return bars.index[:0]
    values = bars[["open", "high", "low", "close"]].to_numpy()
    moved = (values[lag:, 1] != values[lag:, 2]) & (values[lag:] == values[:-lag]).all(axis=1)
    run = np.cumsum(np.r_[True, moved[1:] != moved[:-1]]) - 1
    long = np.bincount(run)[run] >= min(lag, 4)
    return bars.index[lag:][moved & long]


def _daily(bars: pd.DataFrame, step: int) -> pd.DatetimeIndex:
    "Daily candles that stand in a file of shorter ones: beside the day's own, or instead of them."
    if step >= DAY.value // 2:
        return bars.index[:0]
    times = bars.index
    alone = np.diff(times.asi8) >= DAY.value * 0.9
    run = np.cumsum(np.r_[True, alone[1:] != alone[:-1]]) - 1 if len(alone) else np.zeros(0, int)
    instead = times[:-1][alone & (np.bincount(run)[run] >= 5)] if len(alone) else times[:0]
    return instead.union(_whole_days(bars)).sort_values()


def _whole_days(bars: pd.DataFrame) -> pd.DatetimeIndex:
    "Bars that reach as far as all others of the 24 hours after them, to the same close; or before, from the same open."
    high, low, close = (bars[name].to_numpy() for name in ("high", "low", "close"))
    times, open_ = bars.index.asi8, bars["open"].to_numpy()
    usual = pd.Series(high - low).rolling(200, min_periods=20).median().bfill().to_numpy()
    found = []
    for i in np.flatnonzero(high - low > 3 * usual):
        near = usual[i] / 20
        after = np.arange(i + 1, times.searchsorted(times[i] + DAY.value))
        before = np.arange(times.searchsorted(times[i] - DAY.value, side="right"), i)
        for others, end in ((after, close), (before, open_)):
            if len(others) < 4:
                continue
            same = abs(high[others].max() - high[i]) <= near and abs(low[others].min() - low[i]) <= near
            if same and abs(end[others[-1 if end is close else 0]] - end[i]) <= near:
                found.append(i)
                break
    return bars.index[found]


def _clock(times: pd.DatetimeIndex, step: int, instrument: Instrument) -> list[dict[str, Any]]:
    "Whether the market opens and closes when it should, by the clock the times are said to be on."
    if step > timeframe_ns("1h"):
        return []
    if instrument.week == "fx":
        table = weekly_clock(times.tz_localize(None), step)
        best, weeks = table.iloc[0], int(table["weeks"].iloc[0])
        own = int(table[(table["clock"] == "UTC") & (table["label"] == "open")]["fits"].iloc[0])
        if weeks < 4 or best["fits"] < 2 * weeks / 3 or best["fits"] - own < 2:
            return []
        label = "" if best["label"] == "open" else ", bars named by their close"
        words = f"the week opens and closes as on {best['clock']}{label} ({best['fits']} of {weeks} weeks, UTC {own})"
        return [_fact("clock", words, 2)]
    if instrument.week == "sessions":
        hour = np.asarray(times.tz_convert(NEW_YORK).hour)
        stray = 100 * np.mean((hour < 4) | (hour >= 20)) if instrument.exchange == EXCHANGE else 0.0
        early, late = session_offsets(times, step, instrument.exchange)
        both = early * late > 0 and min(abs(early), abs(late)) >= step and abs(early - late) <= step
        shift = late if both else 0  # what is early at one end and late at the other is trading before and after hours
        if shift or stray > STRAY_PCT:
            hours = f"the days stand {shift / 3.6e12:+g} h beside {instrument.exchange}'s" if shift else ""
            words = hours or f"{stray:.0f} % of bars are outside 04:00-20:00 New York"
            return [_fact("clock", words, 2)]
    return []


def _late(last: pd.Timestamp, now: pd.Timestamp, instrument: Instrument, timeframe: str) -> list[dict[str, Any]]:
    "Candles that should be there by now."
    step = pd.Timedelta(timeframe_ns(timeframe), "ns")
    if step > DAY or now - step <= last:
        return []
    should = expected_open_times(instrument)(last, now - step, timeframe)
    n = int((should > last).sum())
    level = sum(n >= bound for bound in LATE_BARS)
    words = f"the last candle opened at {last:%Y-%m-%d %H:%M}Z: {n:,} more should be there by now"
    return [_fact("late", words, level, n)]


# --- two sources


@dataclass(frozen=True, eq=False)
class CrossCheck:
    "Two sources of one market, bar by bar."

    n: int  # bars both have
    differ_n: int  # of them, those that differ by more than was allowed
    differ_pct: float
    shift: pd.Timedelta  # by which the second is late (its bars stand so much behind the first's)
    correlation: float  # of close-to-close changes at that shift
    unshifted: float  # at none
    only_first_n: int  # bars within the common span that the second lacks
    only_second_n: int
    worst: pd.DataFrame  # the ten that differ most: first's and second's close, atr (multiple)
    verdict: str  # ok, degraded, bad

    @property
    def sentence(self) -> str:
        "The result in one sentence."
        hours = self.shift / pd.Timedelta("1h")
        shift = f"; the second stands {abs(hours):g} h {'behind' if hours > 0 else 'ahead'}" if hours else ""
        differ = f"{self.differ_n:,} of {self.n:,} bars differ ({self.differ_pct:.3g} %)"
        return f"{differ}, changes correlate {self.correlation:.3f}{shift}"


def cross_check(
    first: pd.DataFrame,  # checked bars
    second: pd.DataFrame,  # checked bars of another source
    instrument: Instrument,
    *,
    timeframe: str | None = None,  # None: inferred from the first
    allowed_atr: float = 0.25,  # difference of any price, in ATR14 of the first; two ticks are always allowed
    max_shift_h: float = 24.0,  # how far a shift is looked for
) -> CrossCheck:
    "Whether two sources tell the same market, at the same time."
    step = timeframe_ns(timeframe or infer_timeframe(first))
    both = first.index.intersection(second.index)
    shift, best, none = _shift(first["close"], second["close"], step, max_shift_h)
    if len(both) < 2:
        raise BadBars(f"{instrument.symbol}: the two sources have {len(both)} bars in common, expected two or more")
    a, b = first.loc[both], second.loc[both]
    atr = _atr(first).loc[both].to_numpy()
    apart = np.abs(a[list(COLUMNS[:4])].to_numpy() - b[list(COLUMNS[:4])].to_numpy()).max(axis=1)
    differ = apart > np.maximum(allowed_atr * atr, 2 * instrument.tick)
    pct = 100 * differ.mean()
    level = 2 if shift else int(pct >= 1) + int(pct >= 10)
    worst = pd.DataFrame({"first": a["close"], "second": b["close"], "atr": apart / atr}).nlargest(10, "atr")
    low, high = max(first.index[0], second.index[0]), min(first.index[-1], second.index[-1])
    only = [int(((x >= low) & (x <= high)).sum()) - len(both) for x in (first.index, second.index)]
    return CrossCheck(
        len(both), int(differ.sum()), pct, pd.Timedelta(shift * step, "ns"), best, none, *only, worst, VERDICTS[level]
    )


def _atr(bars: pd.DataFrame) -> pd.Series:
    "The mean true range of 14 bars, price."
    before = bars["close"].shift().fillna(bars["open"])
    true = np.maximum(bars["high"], before) - np.minimum(bars["low"], before)
    return true.rolling(14, min_periods=1).mean().clip(lower=1e-12)


def _shift(first: pd.Series, second: pd.Series, step: int, max_shift_h: float) -> tuple[int, float, float]:
    "The shift in bars at which the changes of two series agree best, their correlation there, and at none."
    low, high = (f(first.index.asi8[i], second.index.asi8[i]) for f, i in ((min, 0), (max, -1)))
    if (high - low) // step > 5_000_000:
        raise BadConfig("the two sources lie too far apart to be compared")
    grid = [np.full(int((high - low) // step) + 1, np.nan) for _ in range(2)]
    for values, series in zip(grid, (first, second), strict=True):
        change = np.r_[np.nan, np.diff(np.log(series.to_numpy()))]
        change[np.r_[True, np.diff(series.index.asi8) != step]] = np.nan  # changes over holes say little
        values[(series.index.asi8 - low) // step] = change
    far = int(max_shift_h * 3.6e12 // step)
    found = {k: _correlation(*_moved(*grid, k)) for k in range(-far, far + 1)}
    best = max(found, key=lambda k: (found[k], -abs(k)))
    clear = found[best] > 0.5 and found[best] > found[0] + 0.2
    return (best if clear else 0), found[best if clear else 0], found[0]


def _moved(a: np.ndarray, b: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    "The parts of a and b that lie over each other when b is brought k places forward."
    return (a[: len(a) - k], b[k:]) if k >= 0 else (a[-k:], b[:k])


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    "Pearson's, over the places both know; 0 where they hardly meet."
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 30 or not (a[both].std() and b[both].std()):
        return 0.0
    return float(np.corrcoef(a[both], b[both])[0, 1])
