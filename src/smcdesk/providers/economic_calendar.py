"""Economic events from a file: a dump of a calendar (CSV or parquet), or ForexFactory's week as JSON.

A calendar is only as good as what it covers. A dump covers the days from its first row to its last, a week its own
seven days in New York. A file does not carry when it was fetched, and its time stamp on disk is that of the last copy:
unless `refresh` wrote it down or the caller knows, it is taken to be as old as its first day, which live trading calls
stale.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from smcdesk.project.files import atomic_file, write_text
from smcdesk.providers.caller import retry_after_s
from smcdesk.providers.protocol import BadAnswer, Clock, ProviderDown, moment, now
from smclab.candles import BadConfig, nearest
from smclab.news import NewsCalendar

COLUMNS = ("ts", "currency", "impact", "event")
IMPACTS = ("high", "medium", "low", "none", "holiday")
WEEK_ZONE = "America/New_York"  # ForexFactory's weeks run from Sunday to Saturday there
EVERY = pd.Timedelta("1h")  # the site bans those who ask more often
TIMEOUT_S = 15.0
_ENDINGS = (".parquet", ".csv", ".json")
_SPELLINGS = {"ts": ("ts", "time", "date"), "currency": ("currency", "country"), "event": ("event", "title")}


def read_events(
    path: Path | str,  # .parquet, .csv (ts, currency, impact, event) or .json (ForexFactory's week)
) -> pd.DataFrame:  # ts datetime64[ns, UTC], currency, impact (lower case), event; in order of ts
    "Every event of a file, whatever its impact."
    path = _existing(Path(path))
    raw = _raw(path)
    found = {name: raw[_column(path, raw, name)].reset_index(drop=True) for name in COLUMNS}
    if raw.empty:
        raise BadConfig(f"{path.name} holds no events: there is no telling a quiet week from a broken download")
    table = pd.DataFrame({"ts": _moments(path, found["ts"]), **{k: _words(path, k, found[k]) for k in COLUMNS[1:]}})
    table["currency"], table["impact"] = table["currency"].str.upper(), table["impact"].str.lower()
    unknown = ~table["impact"].isin(IMPACTS)
    if unknown.any():
        n = int(unknown.idxmax())
        word = found["impact"][n]
        raise BadConfig(
            f"{path.name}, row {n}: impact must be one of {', '.join(IMPACTS)}; found {word!r}{nearest(word, IMPACTS)}"
        )
    return table.sort_values("ts", kind="stable", ignore_index=True)


def read_calendar(
    path: Path | str,
    *,
    fetched_at: str | pd.Timestamp | None = None,  # with its zone; None: not known, so as old as its first day
) -> NewsCalendar:
    "The high-impact events of a file, with the span it covers."
    path = Path(path)
    events = read_events(path)
    covered = None
    if path.suffix.lower() == ".json":
        covered = _week(path, events["ts"])
    calendar = NewsCalendar.from_frame(events, fetched_at=0, covered_until=covered and covered[1])
    begin = calendar.covered_from_ns if covered is None else covered[0].value
    return replace(calendar, covered_from_ns=begin, fetched_at_ns=begin if fetched_at is None else _fetched(fetched_at))


def calendar(
    settings: Mapping[str, Any],  # conf's news: path, fetched_at, url
    root: Path,  # what a relative path starts from
) -> NewsCalendar | None:  # None when conf names no file, or the file is not there
    "The calendar conf names."
    keys = ("path", "fetched_at", "url")
    for key in settings:
        if key not in keys:
            raise BadConfig(f"news.{key}: no such key{nearest(key, keys)} (known: {', '.join(keys)})")
    path = settings.get("path")
    if not path or not (root / path).exists():
        return None
    return read_calendar(root / path, fetched_at=settings.get("fetched_at") or _noted(root / path))


# --- fetched


def refresh(
    settings: Mapping[str, Any],  # conf's news: path, url
    root: Path,  # what a relative path starts from
    *,
    clock: Clock | None = None,
) -> str:  # what was done, in a sentence
    "Get the week's calendar, once an hour at most; what is there stays when the answer is no calendar."
    path, url = settings.get("path"), settings.get("url")
    if not path or not url or Path(path).suffix != ".json":
        raise BadConfig(
            "news: to fetch a calendar, say url and a path ending in .json in globals.yml, e.g. "
            "data/01_raw/news/week.json"
        )
    path, present = root / path, moment((clock or now)())
    note = _note(path)
    wait = moment(note["not_before"]) - present if "not_before" in note else pd.Timedelta(0)
    if pd.Timedelta(0) < wait <= max(EVERY, pd.Timedelta(seconds=note.get("asked_s", 0))):
        minutes = wait.total_seconds() / 60
        return f"the calendar was asked for at {note['tried_at'][:16]}Z: not again for {minutes:.0f} min"
    _write_note(path, note | {"tried_at": present.isoformat(), "not_before": (present + EVERY).isoformat()})
    try:
        body = _week_from(url)
    except ProviderDown as error:
        if (error.retry_after_s or 0) > EVERY.total_seconds():
            later = present + pd.Timedelta(seconds=error.retry_after_s)
            _write_note(path, _note(path) | {"not_before": later.isoformat(), "asked_s": error.retry_after_s})
        raise
    with atomic_file(path) as part:
        part.write_bytes(body)
        try:
            events = len(read_events(part))
            read_calendar(part)
        except BadConfig as error:
            raise BadAnswer(f"{url} sent no calendar ({error})") from error
    fetched = {"fetched_at": present.isoformat(), "sha256": hashlib.sha256(body).hexdigest()}
    _write_note(path, _note(path) | fetched)
    return f"{events} events fetched from {url} into {path}"


def _week_from(url: str) -> bytes:
    "The body of one request; it is never tried again here."
    import httpx2

    try:
        answer = httpx2.get(url, timeout=TIMEOUT_S, follow_redirects=True)
    except httpx2.TransportError as error:
        raise ProviderDown(f"{url} cannot be reached: {error}") from error
    if answer.status_code != 200:
        wait_s = retry_after_s(answer.headers.get("Retry-After"))
        raise ProviderDown(f"{url} answered {answer.status_code}", wait_s)
    return answer.content


def _note_path(path: Path) -> Path:
    "The note beside a calendar: when it was fetched, and when that was last tried."
    return path.with_name(path.name + ".fetched")


def _note(path: Path) -> dict[str, Any]:
    "The note of the last fetch; empty where it is missing or broken."
    try:
        found = json.loads(_note_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_note(path: Path, note: Mapping[str, Any]) -> None:
    write_text(_note_path(path), json.dumps(note, indent=1))


def _noted(path: Path) -> str | None:
    "When the file was fetched; None where another file lies in its place."
    note = _note(path)
    same = note.get("sha256") == hashlib.sha256(path.read_bytes()).hexdigest()
    return note.get("fetched_at") if same else None


# --- files


def _existing(path: Path) -> Path:
    "The path, when it is a file of a known kind."
    if path.suffix.lower() not in _ENDINGS:
        raise BadConfig(
            f"{path.name}: expected a calendar ending in {' '.join(_ENDINGS)}{nearest(path.suffix, _ENDINGS)}"
        )
    if not path.is_file():
        names = sorted(p.name for p in path.parent.iterdir() if p.is_file()) if path.parent.is_dir() else []
        raise BadConfig(f"there is no calendar {path.name} in {path.parent}{nearest(path.name, names)}")
    return path


def _raw(path: Path) -> pd.DataFrame:
    "The cells of a file as they are."
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        if path.suffix.lower() == ".csv":
            return pd.read_csv(path, dtype="str", keep_default_na=False)
        rows = json.loads(path.read_text(encoding="utf-8"))
    except Exception as error:  # pyarrow, pandas and json raise many kinds
        raise BadConfig(f"{path.name} cannot be read as {path.suffix[1:]}: {str(error).splitlines()[0]}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadConfig(f"{path.name}: expected a JSON list of events, each with title, country, date and impact")
    return pd.DataFrame(rows, columns=None if rows else [*COLUMNS])


def _column(path: Path, raw: pd.DataFrame, name: str) -> str:
    "The column that holds `name`, under whichever of its spellings."
    spellings = _SPELLINGS.get(name, (name,))
    plain = {str(c).strip().lower(): c for c in raw.columns}
    for word in spellings:
        if word in plain:
            return plain[word]
    hint = next(filter(None, (nearest(word, list(raw.columns)) for word in spellings)), "")
    raise BadConfig(
        f"{path.name}: a calendar needs a column {' or '.join(spellings)}, found "
        f"{', '.join(map(str, raw.columns))}{hint}"
    )


def _moments(path: Path, given: pd.Series) -> pd.DatetimeIndex:
    "Times as UTC; one that is no date or has no zone is refused by its row."
    if isinstance(given.dtype, pd.DatetimeTZDtype) and given.notna().all():
        return pd.DatetimeIndex(given.dt.tz_convert("UTC")).as_unit("ns")
    return pd.DatetimeIndex([_moment(path, n, x) for n, x in enumerate(given)]).as_unit("ns")


def _moment(path: Path, n: int, x: Any) -> pd.Timestamp:
    "One time as UTC."
    try:
        moment = pd.Timestamp(x)
    except (ValueError, TypeError):
        moment = pd.NaT
    if moment is pd.NaT:
        raise BadConfig(f"{path.name}, row {n}: expected a date and time such as 2024-03-08T13:30:00Z; found {x!r}")
    if moment.tzinfo is None:
        raise BadConfig(f"{path.name}, row {n}: {x!r} says no zone: expected UTC or an offset, 2024-03-08T13:30:00Z")
    return moment.tz_convert("UTC")


def _words(path: Path, name: str, given: pd.Series) -> pd.Series:
    "A column of texts; an empty one is refused by its row."
    words = given.astype("str").fillna("").str.strip()
    if words.eq("").any():
        raise BadConfig(f"{path.name}, row {int(words.eq('').idxmax())}: {name} is empty")
    return words


def _week(path: Path, times: pd.Series) -> tuple[pd.Timestamp, pd.Timestamp]:  # first and last moment, UTC
    "The week all events lie in."
    local = times.dt.tz_convert(WEEK_ZONE)
    sunday = local.min().normalize() - pd.DateOffset(days=(local.min().day_of_week + 1) % 7)
    end = sunday + pd.DateOffset(days=7)
    if local.max() >= end:
        raise BadConfig(
            f"{path.name}: expected one week of events, found {local.min():%Y-%m-%d} to {local.max():%Y-%m-%d}: keep "
            f"each week in its own file, or give the whole as a dump (.csv, .parquet)"
        )
    return sunday.tz_convert("UTC").as_unit("ns"), (end.tz_convert("UTC") - pd.Timedelta(1, "ns")).as_unit("ns")


def _fetched(value: str | pd.Timestamp) -> int:
    "When the file was fetched, ns UTC."
    try:
        moment = pd.Timestamp(value)
    except (ValueError, TypeError):
        moment = pd.NaT
    if moment is pd.NaT or moment.tzinfo is None:
        raise BadConfig(f"news.fetched_at must be a moment with its zone such as 2024-03-08T06:00:00Z; found {value!r}")
    return moment.as_unit("ns").value
