"""The pictures a run and its report share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from smclab import charts
from smclab.decision import Decision
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


def trade(reading: Reading, ledger: Ledger, title: str, start: int, stop: int):
    "One trade among the bars around it: entry, exits, zones and pools as they were known at the last bar drawn."
    layers = ("structure", "gaps", "pools")
    return charts.plot(reading.bars, reading, ledger, layers=layers, start=start, stop=stop, title=title)


def candidate(reading: Reading, decision: Decision, n_bars: int):
    "A setup among the bars before it, as they were known at its close, with its plan."
    stop = int(reading.bars.index.searchsorted(pd.Timestamp(decision.time, tz="UTC"), side="right"))
    layers, look = ("structure", "gaps", "pools"), charts.PAPER
    side = "long" if decision.side > 0 else "short"
    title = f"{decision.instrument} {decision.timeframe} {side} {decision.grade or ''} {decision.outcome}"
    figure = charts.plot(
        reading.bars, reading, layers=layers, start=max(stop - n_bars, 0), stop=stop, title=" ".join(title.split())
    )
    ax, t = figure.axes[0], decision.ticket
    if t is None:
        return figure
    plan = {"entry": (t.entry_price, look.ink), "stop": (t.stop_price, look.down), "target": (t.target_price, look.up)}
    low, high = ax.get_ylim()
    room = 0.04 * (high - low)
    ax.set_ylim(min(low, *(p - room for p, _ in plan.values())), max(high, *(p + room for p, _ in plan.values())))
    for name, (price, colour) in plan.items():
        ax.axhline(price, color=colour, lw=1.1, ls=(0, (6, 3)), zorder=7)
        ax.annotate(
            f"{name} {price:.10g}", (0, price), xycoords=("axes fraction", "data"), xytext=(4, 3), fontsize=9,
            textcoords="offset points", color=colour, fontweight="bold", zorder=8, annotation_clip=False,
            bbox={"boxstyle": "square,pad=0.15", "fc": look.paper, "ec": "none", "alpha": 0.8},
        )  # fmt: skip
    return figure


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


def _figure(height_in: float):
    "An empty figure with one plain pair of axes."
    from matplotlib.figure import Figure

    look = charts.PAPER
    figure = Figure(figsize=(look.width_in, height_in), dpi=look.dpi, facecolor=look.paper)
    ax = figure.subplots()
    ax.spines[["top", "right", "left", "bottom"]].set_visible(False)
    ax.tick_params(length=0, labelsize=9, labelcolor=look.quiet)
    return figure, ax


def heat_map(grid: pd.DataFrame):
    "The Sharpe ratio over the first two parameters that vary, the mean over all others."
    figure, ax = _figure(4.6)
    look, levels = charts.PAPER, list(grid.columns[: grid.columns.get_loc("trades_n")])
    varied = [name for name in levels if grid[name].nunique() > 1] or levels
    first, second = (varied * 2)[:2]
    rest = [name for name in varied if name not in (first, second)]
    if first == second:
        table = grid.groupby(first, sort=False)["sharpe_annual"].mean().to_frame("").T
    else:
        table = grid.pivot_table("sharpe_annual", second, first, aggfunc="mean", sort=False, dropna=False)
    values = table.to_numpy(float)
    most = max(float(np.nanmax(np.abs(values), initial=0.0)), 1e-9)
    ax.imshow(np.ma.masked_invalid(values), cmap=_colormap(), vmin=-most, vmax=most, aspect="auto")
    for (y, x), value in np.ndenumerate(values):
        text = "none" if np.isnan(value) else f"{value:.2f}"
        ax.text(x, y, text, ha="center", va="center", fontsize=10, color=look.ink)
    ax.set_xticks(range(len(table.columns)), [str(c) for c in table.columns])
    ax.set_yticks(range(len(table.index)), [str(i) for i in table.index])
    ax.set_xlabel(first, color=look.ink)
    ax.set_ylabel("" if first == second else second, color=look.ink)
    over = f", mean over {', '.join(rest)}" if rest else ""
    title = f"Sharpe ratio per year after costs{over}, {len(grid):,} combinations"
    ax.set_title(title, loc="left", fontsize=11, fontweight="bold", color=look.ink)
    figure.tight_layout()
    return figure


def _colormap():
    "From the colour of losses through paper to that of gains."
    from matplotlib.colors import LinearSegmentedColormap

    look = charts.PAPER
    return LinearSegmentedColormap.from_list("money", [look.down, "#ffffff", look.up])


LINES = ("#0b7a75", "#c2502e", "#3b5b92", "#b08a1e", "#7a4b8c", "#5a8f3c", "#8b98a5", "#22303c")  # distinct in grey too


def curves(
    returns: Mapping[str, pd.Series],  # name -> daily simple returns
    title: str,
    edges: Iterable[pd.Timestamp] = (),  # days at which something begins anew
):
    "Growth of several tapes on one axis, each named at its end."
    figure, ax = _figure(5.2)
    look, ends = charts.PAPER, []
    for k, (name, daily) in enumerate(returns.items()):
        grown = 100 * (np.cumprod(1 + daily.fillna(0.0).to_numpy()) - 1)
        colour, dash = LINES[k % len(LINES)], "-" if k < len(LINES) else (0, (4, 2))
        ax.plot(daily.index, grown, color=colour, lw=1.4, ls=dash, label=name)
        ends.append((float(grown[-1]) if len(grown) else 0.0, name, colour))
    ax.axhline(0, color=look.quiet, lw=0.9, ls=(0, (1, 2)))
    for day in edges:
        ax.axvline(day, color=look.quiet, lw=0.7, ls=(0, (2, 3)))
    ax.grid(True, axis="y", color=look.grid, lw=0.8)
    ax.set_axisbelow(True)
    ax.yaxis.set_major_formatter(lambda v, _: f"{v:+.3g} %")
    ax.set_title(title, loc="left", fontsize=11, fontweight="bold", color=look.ink)
    if len(ends) > 1:
        order = sorted(range(len(ends)), key=lambda k: -ends[k][0])
        lines = [ax.get_lines()[k] for k in order]
        labels = [f"{ends[k][1]}  {ends[k][0]:+.2f} %" for k in order]
        ax.legend(lines, labels, frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.autofmt_xdate(rotation=0, ha="center")
    figure.tight_layout()
    return figure


def trials(table: pd.DataFrame):
    "What every trial of a search came to, in order, and the best so far."
    figure, ax = _figure(3.8)
    look, value = charts.PAPER, table["value"].to_numpy(float)
    best = np.fmax.accumulate(value) if len(value) else value
    ax.scatter(table["trial"], value, s=22, color=look.candle_down, label="trial")
    ax.step(table["trial"], best, where="post", color=look.up, lw=1.4, label="best so far")
    ax.axhline(0, color=look.quiet, lw=0.9, ls=(0, (1, 2)))
    ax.grid(True, axis="y", color=look.grid, lw=0.8)
    ax.set_axisbelow(True)
    ax.xaxis.get_major_locator().set_params(integer=True)
    title = f"What {len(table)} trials came to before the holdout; {int(np.isnan(value).sum())} were given up"
    ax.set_title(title, loc="left", fontsize=11, fontweight="bold", color=look.ink)
    ax.legend(frameon=False, fontsize=9, labelcolor=look.ink, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.tight_layout()
    return figure


def portfolio_equity(portfolio):
    "The equity of one account for all symbols, and what each symbol's closed trades added, on one axis."
    start, trades = portfolio.start_equity, portfolio.trades
    figure, ax = _figure(5.2)
    look, whole = charts.PAPER, 100 * (portfolio.equity["equity"] / start - 1)
    lines = ax.plot(whole.index, whole, color=look.ink, lw=1.8)
    labels = [f"all  {whole.iloc[-1]:+.2f} %"]
    for k, symbol in enumerate(portfolio.ledgers):
        own = trades[trades["symbol"] == symbol]
        added = 100 * own["pnl"].cumsum() / start
        ends = [0.0, *added, added.iloc[-1] if len(added) else 0.0]
        when = [whole.index[0], *own["exit_time"], whole.index[-1]]
        lines += ax.step(when, ends, where="post", color=LINES[k % len(LINES)], lw=1.2)
        labels.append(f"{symbol}  {ends[-1]:+.2f} %, n = {own['intent_id'].nunique():,}")
    ax.axhline(0, color=look.quiet, lw=0.9, ls=(0, (1, 2)))
    ax.grid(True, axis="y", color=look.grid, lw=0.8)
    ax.set_axisbelow(True)
    ax.yaxis.set_major_formatter(lambda v, _: f"{v:+.3g} %")
    title = f"One account for {len(portfolio.ledgers)} symbols, % of the first equity, after costs"
    ax.set_title(title, loc="left", fontsize=11, fontweight="bold", color=look.ink)
    ax.legend(lines, labels, frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.autofmt_xdate(rotation=0, ha="center")
    figure.tight_layout()
    return figure


def walkforward_equity(returns: pd.DataFrame, windows: pd.DataFrame):
    "What following the choices earned on the test days, with the first day of every window."
    daily = returns["daily_return"]
    title = f"Walk-forward: {len(windows)} choices played from flat on {len(daily):,} test days, after costs"
    return curves({"test days": daily}, title, pd.DatetimeIndex(windows["test_from"]))


def stability(windows: pd.DataFrame):
    "Sharpe ratio of every window's choice on its training days and on its test days."
    figure, ax = _figure(3.8)
    look, x = charts.PAPER, np.arange(len(windows))
    parts = {"train": (look.candle_down, -0.2), "test": (look.up, 0.2)}
    for name, (colour, shift) in parts.items():
        heights = windows[f"{name}_sharpe_annual"].to_numpy(float)
        colours = colour if name == "train" else [look.up if h > 0 else look.down for h in heights]
        ax.bar(x + shift, heights, 0.38, color=colours, label=f"{name}, mean {np.nanmean(heights):.2f}")
    ax.axhline(0, color=look.quiet, lw=0.9)
    ax.set_xticks(x, [f"{day:%d %b %Y}" for day in pd.DatetimeIndex(windows["test_from"])], rotation=30, ha="right")
    ax.grid(True, axis="y", color=look.grid, lw=0.8)
    ax.set_axisbelow(True)
    title = "Sharpe ratio per year of each window's choice: before it was made, and after"
    ax.set_title(title, loc="left", fontsize=11, fontweight="bold", color=look.ink)
    ax.legend(frameon=False, fontsize=9, labelcolor=look.ink, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.tight_layout()
    return figure


def _quiet(ax, title: str):
    "A plain pair of axes with a title and a grid."
    look = charts.PAPER
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(length=0, labelsize=9, labelcolor=look.quiet)
    ax.grid(True, color=look.grid, lw=0.8)
    ax.set_axisbelow(True)
    ax.set_title(title, loc="left", fontsize=11, fontweight="bold", color=look.ink)


def _two_axes(height_in: float):
    "A figure with two pairs of axes side by side."
    from matplotlib.figure import Figure

    look = charts.PAPER
    figure = Figure(figsize=(look.width_in, height_in), dpi=look.dpi, facecolor=look.paper)
    return figure, figure.subplots(1, 2)


def _empty(ax, text: str = "nothing was learned"):
    "Write on axes why there is nothing to draw."
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes, color=charts.PAPER.quiet)


def calibration(training):
    "Predicted against realised frequency, before and after calibration, out of fold."
    figure, both = _two_axes(3.8)
    table, look = training.calibration, charts.PAPER
    most = min(1.0, float(table[["p_mean", "high"]].to_numpy().max()) * 1.05) if len(table) else 1.0
    for ax, when in zip(both, ("before", "after"), strict=True):
        part = table[table["when"] == when] if len(table) else table
        _quiet(ax, f"{when} calibration, n = {int(part['n'].sum()) if len(part) else 0:,}")
        ax.plot([0, most], [0, most], color=look.quiet, lw=0.9, ls=(0, (3, 2)))
        if len(part):
            reach = [part["won"] - part["low"], part["high"] - part["won"]]
            ax.errorbar(
                part["p_mean"], part["won"], reach, fmt="o", ms=4, color=LINES[0], ecolor=LINES[0], elinewidth=0.9
            )
        else:
            _empty(ax)
        ax.set(xlim=(0, most), ylim=(0, most))
        ax.set_xlabel("probability said", fontsize=9, color=look.ink)
        ax.set_ylabel("share that reached the target first", fontsize=9, color=look.ink)
    figure.tight_layout()
    return figure


def importance(training, n: int = 15):
    "The features the loss rises most without, with their spread over the folds."
    figure, ax = _figure(4.6)
    table = training.importance.head(n).iloc[::-1]
    _quiet(ax, "rise of the log loss when a feature is shuffled, nats per row, mean and spread over the folds")
    if not len(table):
        _empty(ax)
        return figure
    colours = [LINES[0] if value > 0 else LINES[6] for value in table["loss_rise"]]
    ax.barh(table.index, table["loss_rise"], xerr=table["spread"], color=colours, ecolor=charts.PAPER.quiet, height=0.6)
    ax.axvline(0, color=charts.PAPER.ink, lw=0.8)
    figure.tight_layout()
    return figure


def learning(training):
    "Loss by the number of training rows, on the rows trained on and on later ones; and the target rate by quarter."
    figure, (left, right) = _two_axes(3.8)
    look, curve, rates = charts.PAPER, training.curve, training.rates
    _quiet(left, "log loss by training rows")
    _quiet(right, "target first, by quarter")
    if len(curve):
        mean = curve.groupby("share")[["train_n", "train_loss", "test_loss"]].mean()
        for name, colour in (("train_loss", LINES[6]), ("test_loss", LINES[0])):
            left.plot(mean["train_n"], mean[name], marker="o", ms=4, color=colour, label=name.replace("_loss", ""))
        if "base_rate" in training.figures.index:
            base = training.figures["log_loss"]["base_rate"]
            left.axhline(base, color=look.down, lw=0.9, ls=(0, (3, 2)), label="base rate")
        left.legend(frameon=False, fontsize=9, labelcolor=look.ink)
        left.set_xlabel("rows, mean over the folds", fontsize=9, color=look.ink)
    else:
        _empty(left)
    if len(rates):
        reach = [rates["won"] - rates["low"], rates["high"] - rates["won"]]
        right.errorbar(range(len(rates)), rates["won"], reach, fmt="o", ms=4, color=LINES[2], elinewidth=0.9)
        step = max(1, len(rates) // 6)
        right.set_xticks(range(0, len(rates), step), rates["period"].iloc[::step])
        right.set_ylim(bottom=0)
    else:
        _empty(right)
    figure.tight_layout()
    return figure
