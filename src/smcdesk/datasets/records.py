"""Records of frames, and values that outlive a run, as datasets."""

from __future__ import annotations

import dataclasses
import json
import typing
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, MemoryDataset
from kedro.utils import load_obj

from smcdesk.project.files import atomic_folder, recover_folder
from smclab.candles import BadConfig


class PersistentMemoryDataset(MemoryDataset):
    "A value that outlives its run."

    def _release(self) -> None:
        "Keep the value: it is read after the run."


class RecordFolder(AbstractDataset):
    "A dataclass whose frames become parquet files and whose other fields become one JSON file, written whole."

    def __init__(self, filepath: str, of: str, metadata: dict | None = None):
        self._filepath, self._of, self.metadata = PurePosixPath(filepath), of, metadata

    def save(self, data: Any) -> None:
        "Every frame as parquet, the rest as record.json."
        plain = {}
        with atomic_folder(str(self._filepath)) as folder:
            for field in dataclasses.fields(data):
                value = getattr(data, field.name)
                if isinstance(value, pd.DataFrame):
                    value.to_parquet(folder / f"{field.name}.parquet", compression="zstd")
                else:
                    plain[field.name] = value
            text = json.dumps(plain, indent=2, default=_plain)
            (folder / "record.json").write_text(text, encoding="utf-8")

    def load(self) -> Any:
        "The record as it was saved."
        cls, folder = load_obj(self._of), Path(self._filepath)
        recover_folder(folder)
        hints = typing.get_type_hints(cls)
        values = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        values = {name: _typed(value, hints.get(name)) for name, value in values.items()}
        frames = {p.stem: pd.read_parquet(p) for p in folder.glob("*.parquet")}
        if missing := [f.name for f in dataclasses.fields(cls) if f.name not in values | frames and _required(f)]:
            raise BadConfig(
                f"{folder} was written by an earlier version and lacks {', '.join(missing)}: run its pipeline "
                "again, as smcdesk replay does"
            )
        return cls(**values, **frames)

    def _exists(self) -> bool:
        recover_folder(Path(self._filepath))
        return (Path(self._filepath) / "record.json").exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "of": self._of}


def _required(field: dataclasses.Field) -> bool:
    "Whether a record cannot be made without a field."
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _plain(value: Any) -> Any:
    "A value JSON does not know, as one it does."
    if dataclasses.is_dataclass(value):
        return dataclasses.asdict(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a record cannot keep {type(value).__name__}")


def _typed(value: Any, hint: Any) -> Any:
    "A value read from JSON, as its field's type."
    if isinstance(value, list) and (typing.get_origin(hint) or hint) is tuple:
        return tuple(value)
    if isinstance(value, dict) and dataclasses.is_dataclass(hint):
        return hint.from_dict(value) if hasattr(hint, "from_dict") else hint(**value)
    return value
