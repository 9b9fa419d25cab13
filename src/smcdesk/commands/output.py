"""How a command shows rows, as a table or as JSON, and where it writes them: a path whose ending names their kind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Rows as JSON instead of a table: times in ISO, nothing cut.")]
ENDINGS = (".parquet", ".pq", ".csv")


def show_json(value: Any) -> None:
    "A value as one JSON document on stdout; a time is ISO text, what is not a number is null."
    typer.echo(json.dumps(_plain(value), ensure_ascii=False, indent=2))


def _plain(value: Any) -> Any:
    "A value as JSON has it."
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if value is None or value != value:
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    return value if isinstance(value, bool | int | float | str) else str(value)


def show_rows(
    rows: Iterable[Mapping[str, Any]],  # of the same keys
    as_json: bool,
    *,
    empty: str = "",  # said in place of a table without rows
    wide: int = 0,  # columns of the screen a table takes at least
) -> None:
    "Rows as a table whose head is their keys, or as a JSON list."
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    if as_json:  # every time is UTC, and its text says so
        show_json([{k.removesuffix(" (UTC)").replace(" ", "_"): v for k, v in row.items()} for row in rows])
        return
    if not rows:
        if empty:
            typer.echo(empty)
        return
    table = Table(*(str(name).replace("_", " ") for name in rows[0]), box=None)
    for row in rows:
        table.add_row(*(value if isinstance(value, Text) else Text(_cell(value)) for value in row.values()))
    out = Console()
    out.width = max(out.width, wide)
    out.print(table)


def _cell(value: Any) -> str:
    "A value in a table: minutes for times, thousands apart, nothing for none."
    if value is None or value != value:
        return ""
    if hasattr(value, "isoformat"):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def check_output(
    path: Path,  # where a table shall go
    option: str,  # that named it, for the message
    source: Path | None = None,  # the file that is read, never to be written over
) -> Path:  # the same
    "Refuse a folder, an ending that names no kind of table, a place that cannot be written, and the source itself."
    from smclab.candles import BadConfig, nearest

    if path.is_dir():
        raise BadConfig(f"{option} {path} is a folder: name a file in it, such as {path / 'events.parquet'}")
    if path.suffix.lower() not in ENDINGS:
        raise BadConfig(
            f"{option} {path}: expected a file ending in {' or '.join(ENDINGS)}, found {path.suffix or 'no ending'!r}"
            f"{nearest(path.suffix, ENDINGS)}"
        )
    if source is not None and path.exists() and path.resolve() == source.resolve():
        raise BadConfig(f"{option} {path} is the file that is read: name another")
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise BadConfig(f"{option} {path}: {folder} is a file, no folder")
    return path


def write_table(table, path: Path, option: str) -> None:
    "Write a table completely or not at all: CSV with times in UTC as ISO 8601, else parquet."
    from smcdesk.project.files import atomic_file
    from smclab.candles import BadConfig

    try:
        with atomic_file(path) as part:
            if path.suffix.lower() == ".csv":
                table.to_csv(part, index=table.index.name is not None)
            else:
                table.to_parquet(part, compression="zstd")
    except OSError as error:
        raise BadConfig(f"{option} {path} cannot be written: {error.strerror or error}") from error
