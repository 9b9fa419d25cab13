"""Headlines from a file, CSV or JSON, and what any other source of headlines has to offer.

A headline is known from the moment it was published, or delivered where the file has that moment (`known_at`). A
source of your own (a news service, an archive) is a class with a `name` and the method of `HeadlineSource`: its table
goes to `smclab.sentiment.Sentiment.from_frame` as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from smclab.candles import BadConfig, nearest
from smclab.sentiment import Sentiment, SentimentConfig

ENDINGS = (".csv", ".json", ".jsonl")
KEYS = ("path", "half_life_hours", "window_hours")


@runtime_checkable
class HeadlineSource(Protocol):
    "A source of headlines."

    name: str

    def headlines(self) -> pd.DataFrame:
        "Every headline it has, in any order: published or known_at; text or score; optionally currency or symbol."


@dataclass(frozen=True)
class FileHeadlines:
    "The headlines of one file."

    path: Path

    @property
    def name(self) -> str:
        "The file's own name."
        return self.path.name

    def headlines(self) -> pd.DataFrame:
        "The rows of the file, each once."
        return read_headlines(self.path)


def read_headlines(
    path: Path | str,  # .csv, .json (a list of objects) or .jsonl (one object a line)
) -> pd.DataFrame:  # the columns it has, by their names in small letters; the same row twice is one
    "The headlines of a file as they are written."
    path = _existing(Path(path))
    frame = _cells(path)
    frame.columns = [str(c).strip().lower() for c in frame.columns]
    return frame.loc[~frame.astype("str").duplicated()].reset_index(drop=True)


def scored_headlines(
    source: HeadlineSource,
    config: SentimentConfig | None = None,
) -> Sentiment:
    "The headlines of a source, scored and in order of time."
    try:
        return Sentiment.from_frame(source.headlines(), config)
    except BadConfig as error:
        raise BadConfig(f"{source.name}: {error}") from error


def sentiment(
    settings: Mapping[str, Any],  # conf's headlines: path, half_life_hours, window_hours
    root: Path,  # what a relative path starts from
) -> Sentiment | None:  # None when conf names no file, or the file is not there
    "The headlines conf names."
    for key in settings:
        if key not in KEYS:
            raise BadConfig(f"headlines.{key}: no such key{nearest(key, KEYS)} (known: {', '.join(KEYS)})")
    config = SentimentConfig.from_dict({k: v for k, v in settings.items() if k != "path"})
    path = settings.get("path")
    if not path or not (root / path).exists():
        return None
    return scored_headlines(FileHeadlines(root / path), config)


def _existing(path: Path) -> Path:
    "The path, when it is a file of a known kind."
    if path.suffix.lower() not in ENDINGS:
        raise BadConfig(f"{path.name}: expected headlines ending in {' '.join(ENDINGS)}{nearest(path.suffix, ENDINGS)}")
    if not path.is_file():
        names = sorted(p.name for p in path.parent.iterdir() if p.is_file()) if path.parent.is_dir() else []
        raise BadConfig(f"there are no headlines {path.name} in {path.parent}{nearest(path.name, names)}")
    return path


def _cells(path: Path) -> pd.DataFrame:
    "The cells of a file as they are."
    try:
        if path.suffix.lower() == ".csv":
            return pd.read_csv(path, dtype="str", keep_default_na=False)
        text = path.read_text(encoding="utf-8")
        by_line = path.suffix.lower() == ".jsonl"
        rows = [json.loads(line) for line in text.splitlines() if line.strip()] if by_line else json.loads(text)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise BadConfig(f"{path.name} cannot be read as {path.suffix[1:]}: {str(error).splitlines()[0]}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadConfig(f"{path.name}: expected a list of headlines, each an object with published and text or score")
    return pd.DataFrame(rows, columns=None if rows else ["published", "text"])
