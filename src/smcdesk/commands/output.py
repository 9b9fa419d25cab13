"""Where a command writes a table: a path that can be written, in the kind its ending names."""

from __future__ import annotations

from pathlib import Path

ENDINGS = (".parquet", ".pq", ".csv")


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
