"""The pictures a run and its report share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from smclab import charts
from smclab.reading import Reading
from smclab.replay import Ledger


def window(bars: pd.DataFrame, ledger: Ledger, n_bars: int) -> tuple[int, int]:
    "Positions of `n_bars` bars that end soon after the last closed trade, or with the tape."
    last = int(ledger.closed["exit_bar"].iloc[-1]) if len(ledger.closed) else len(bars) - 1
    stop = min(last + n_bars // 4, len(bars))
    return max(stop - n_bars, 0), stop


def structure(reading: Reading, ledger: Ledger, provenance: Mapping[str, Any], n_bars: int):
    "Candles with swings, breaks, gaps and trades around the last closed trade."
    start, stop = window(reading.bars, ledger, n_bars)
    return charts.plot(reading.bars, reading, ledger, start=start, stop=stop, title=provenance["symbol"])


def equity(ledger: Ledger):
    "Equity and its drawdown."
    return charts.equity(ledger)


def distributions(labels: pd.DataFrame, thresholds: Mapping[str, float]):
    "How score and confidence are spread over live, shadow and none, with the scores from which a grade is given."
    from matplotlib.figure import Figure

    look, colours = (
        charts.PAPER,
        {"live": charts.PAPER.up, "shadow": charts.PAPER.candle_down, "none": charts.PAPER.grid},
    )
    figure = Figure(figsize=(look.width_in, 3.6), dpi=look.dpi, facecolor=look.paper)
    for ax, name in zip(figure.subplots(1, 2, sharey=True), ("score", "confidence"), strict=True):
        parts = {k: labels.loc[labels["outcome_class"] == k, name].dropna().to_numpy(float) for k in colours}
        n = sum(map(len, parts.values()))
        legend = [f"{k}, n = {len(part):,}" for k, part in parts.items()]
        style = {"edgecolor": look.candle_edge, "lw": 0.5}
        ax.hist(
            list(parts.values()),
            bins=range(0, 105, 5),
            stacked=True,
            color=list(colours.values()),
            label=legend,
            **style,
        )
        for grade, x in thresholds.items() if name == "score" else ():
            ax.axvline(x, color=look.down, lw=0.9, ls=(0, (3, 2)))
            ax.annotate(grade, (x, 1), xycoords=("data", "axes fraction"), xytext=(3, -10), textcoords="offset points",
                        color=look.down, fontsize=9)  # fmt: skip
        ax.set_title(f"{name}, n = {n:,}", loc="left", fontsize=11, fontweight="bold", color=look.ink)
        ax.set_xlim(0, 100)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(length=0, labelsize=9, labelcolor=look.quiet)
        ax.grid(True, axis="y", color=look.grid, lw=0.8)
        ax.set_axisbelow(True)
        ax.yaxis.get_major_locator().set_params(integer=True)
        ax.legend(frameon=False, fontsize=9, loc="upper left", labelcolor=look.ink)
    figure.tight_layout()
    return figure
