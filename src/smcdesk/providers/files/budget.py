"""What a file may need in memory, worked out from its size, rows and columns before anything is decoded."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from smcdesk.providers.files.errors import BadFile

COLUMNS_MAX = 10_000  # of a file: five hundred tickers side by side have 3,000
FOOTER_MAX = 64 * 2**20  # bytes of a parquet file's own description: ten thousand columns have about 10 MB
CELL_BYTES = 24  # of a decoded number, with the copies made on the way
TEXT_CELL_BYTES = 100  # of a decoded text
CANDLE_BYTES = 3_500  # of a candle that is read: what the detectors remember of it, and its events and columns
TEXT_COPIES = 6  # a text file, decoded, parted, and its cells
JSON_COPIES = 12  # numbers as Python's own objects
_GB = 1e9


@dataclass(frozen=True)
class Budget:
    "How much memory reading a file may take."

    max_gb: float = 8.0  # conf's files.max_gb, GB of 10^9 bytes
    candle_bytes: int = CANDLE_BYTES  # what is done with each candle afterwards; 0: nothing

    def check_rows(
        self,
        where: str,  # the file's name
        rows: int,
        columns: int,
        texts: int = 0,  # columns of text among them
    ) -> None:
        "Refuse a table of so many rows and columns, when it needs more than there is."
        self.check_columns(where, columns)
        cells = (columns - texts) * CELL_BYTES + texts * TEXT_CELL_BYTES
        self._check(where, f"{rows:,} rows x {columns:,} columns", rows * (cells + self.candle_bytes))

    def check_columns(self, where: str, columns: int) -> None:
        "Refuse a table too wide to be one of candles."
        if columns > COLUMNS_MAX:
            raise BadFile(
                f"{where} has {columns:,} columns, expected at most {COLUMNS_MAX:,}: keep time, open, high, low, close "
                "and volume"
            )

    def check_text(
        self,
        where: str,
        data: bytes,  # unpacked
        json: bool = False,
    ) -> None:
        "Refuse a text of so many lines and characters, when it needs more than there is."
        head = data[: 1 << 22].replace(b"\0", b"").split(b"\n", 20)[:20]
        self.check_columns(where, 0 if json else 1 + max(max(line.count(c) for c in b",;\t|") for line in head))
        lines = max(data.count(b"\n"), data.count(b"\r"))
        rows = max(lines, data.count(b"[") + data.count(b"{")) if json else lines
        need = len(data) * (JSON_COPIES if json else TEXT_COPIES) + rows * self.candle_bytes
        self._check(where, f"{rows:,} lines, {len(data) / 1e6:,.0f} MB of text", need)

    @property
    def text_max(self) -> int:  # bytes
        "The longest text that can be within the budget: more of a packed file is not unpacked."
        return int(self.max_gb * _GB / TEXT_COPIES)

    def refusal(self, where: str, what: str, need: float) -> BadFile:
        "The error for a file that needs too much; need: bytes."
        return BadFile(
            f"{where}: {what} would take about {need / _GB:,.1f} GB of memory, expected at most {self.max_gb:g} GB: "
            "split the file into spans of time and read them one by one, or raise files.max_gb in globals.yml"
        )

    def _check(self, where: str, what: str, need: float) -> None:
        if need > self.max_gb * _GB:
            raise self.refusal(where, what, need)


DEFAULT = Budget()


def check_parquet(path: Path, budget: Budget) -> None:
    "Refuse a parquet file by its footer, before any of its pages is decoded; one that is none is left to the reader."
    import pyarrow as pa
    import pyarrow.parquet as pq

    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 8, 0))
        tail = file.read(8)
    if tail[4:] == b"PAR1" and (footer := struct.unpack("<I", tail[:4])[0]) > FOOTER_MAX:
        raise BadFile(
            f"{path.name} describes itself in {footer / 1e6:,.0f} MB, expected at most {FOOTER_MAX / 1e6:,.0f} MB: it "
            "has too many columns or parts"
        )
    try:
        found = pq.read_metadata(path)
        kinds = [found.schema.column(k).physical_type for k in range(min(found.num_columns, COLUMNS_MAX))]
    except (pa.ArrowException, OSError):
        return
    budget.check_rows(path.name, found.num_rows, found.num_columns, kinds.count("BYTE_ARRAY"))
    size = sum(found.row_group(k).total_byte_size for k in range(found.num_row_groups))
    if size > budget.max_gb * _GB:
        raise budget.refusal(path.name, f"{found.num_rows:,} rows x {found.num_columns:,} columns", size)


def check_feather(path: Path, budget: Budget) -> None:
    "Refuse a feather file by the lengths its parts state, before any is unpacked; what is none is left to the reader."
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as file:
            fields = pa.ipc.open_file(file).schema.types
            file.seek(8)
            rows = sum(_batch_rows(file))
    except (pa.ArrowException, OSError, struct.error, ValueError):
        return
    texts = sum(pa.types.is_string(kind) or pa.types.is_large_string(kind) for kind in fields)
    budget.check_rows(path.name, rows, len(fields), texts)


def _batch_rows(file) -> Iterator[int]:
    "The rows of each record batch, from the messages' heads alone."
    import pyarrow as pa

    for message in pa.ipc.MessageReader.open_stream(file):
        if message.type == "record batch":
            yield _length(message.metadata.to_pybytes())


def _length(message: bytes) -> int:
    "The first field of a record batch's flatbuffer: its rows (org.apache.arrow.flatbuf.Message, header, length)."
    header = _field(message, struct.unpack_from("<I", message)[0], 2)
    batch = header + struct.unpack_from("<I", message, header)[0]
    place = _field(message, batch, 0)
    return struct.unpack_from("<q", message, place)[0] if place else 0


def _field(data: bytes, table: int, number: int) -> int:  # 0: the field is left out
    "Where a table of a flatbuffer holds one of its fields."
    names = table - struct.unpack_from("<i", data, table)[0]
    if 4 + 2 * number >= struct.unpack_from("<H", data, names)[0]:
        return 0
    offset = struct.unpack_from("<H", data, names + 4 + 2 * number)[0]
    return table + offset if offset else 0
