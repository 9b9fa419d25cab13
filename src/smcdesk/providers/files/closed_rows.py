"""The rows of candles that have closed, where a file says which have."""

from __future__ import annotations

import numpy as np
import pandas as pd

from smcdesk.providers.files.columns import plain_name
from smcdesk.providers.files.errors import BadFile

# Venues' flags: OKX confirm, OANDA complete, Binance's k.x (is this kline closed).
CLOSED = ("confirm", "confirmed", "complete", "completed", "iscomplete", "closed", "isclosed", "barclosed", "isfinal",
          "final", "finished", "isconfirmed", "x")  # fmt: skip
FORMING = ("forming", "isforming", "partial", "ispartial", "incomplete", "isopen", "inprogress", "unfinished")
_YES, _NO = ("1", "true", "yes", "y", "t"), ("0", "false", "no", "n", "f")


def closed_rows(
    table: pd.DataFrame, where: str
) -> tuple[pd.DataFrame, str | None, list[str]]:  # closed rows without the flag; its name; notes
    "The rows that have closed by the file's own flag; those still forming are dropped with a note."
    for k, name in enumerate(table.columns):
        plain = plain_name(name)
        if plain not in (*CLOSED, *FORMING):
            continue
        flag = table.iloc[:, k].astype(str).str.strip().str.lower().str.replace(r"\.0+$", "", regex=True)
        if not flag.isin((*_YES, *_NO)).all():
            continue
        closed = flag.isin(_YES if plain in CLOSED else _NO).to_numpy()
        rest = table.loc[:, np.arange(len(table.columns)) != k]
        if closed.all():
            return rest, str(name), []
        written = str(table.iloc[:, k][~closed].iloc[0])
        if not closed.any():
            raise BadFile(f"{where}: no candle has closed: {name} is {written} in all {len(table)} rows")
        n = int((~closed).sum())
        row = int(np.flatnonzero(~closed)[0])
        are = "is" if n == 1 else "are"
        note = (
            f"{n} {'row' if n == 1 else 'rows'} with {name} = {written} {are} still forming: dropped (row {row}"
            f"{' and later' if n > 1 else ''})."
        )
        return rest[closed].reset_index(drop=True), str(name), [note]
    return table, None, []
