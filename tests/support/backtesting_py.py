"""backtesting.py's answer to orders: a script for an interpreter that has the package, which nothing here imports.

stdin: JSON list of games (see `backtesting_games.game`). stdout: JSON list, per game its version, equity and trades.
"""

import json
import sys


def play(game: dict) -> dict:
    """One tape of orders through the real package."""
    import backtesting
    import pandas as pd

    bars = pd.DataFrame(game["bars"], columns=["Open", "High", "Low", "Close"], dtype="float64")

    class Player(backtesting.Strategy):
        """Sends every order at the close of its bar, takes back what has waited long enough, keeps time limits."""

        def init(self):
            self.rows = {row["id"]: row for row in game["orders"]}
            self.due = {}
            for row in game["orders"]:
                self.due.setdefault(row["decision_bar"], []).append(row)

        def next(self):
            bar = len(self.data) - 1
            for order in self.orders:
                if not order.is_contingent and self.rows[order.tag]["last_bar"] <= bar:
                    order.cancel()
            for trade in self.trades:
                if bar + 1 - trade.entry_bar >= self.rows[trade.tag]["time_limit_bars"]:
                    trade.close()
            for row in self.due.get(bar, ()):
                level = {} if row["entry_type"] == "market" else {row["entry_type"]: row["entry_price"]}
                send = self.buy if row["side"] > 0 else self.sell
                send(size=row["size"], sl=row["stop_price"], tp=row["target_price"], tag=row["id"], **level)

    test = backtesting.Backtest(
        bars, Player, cash=game["equity"], commission=game["commission"], margin=0.001, finalize_trades=True
    )
    stats = test.run()
    columns = ["Tag", "Size", "EntryBar", "EntryPrice", "ExitBar", "ExitPrice", "PnL"]
    trades = [
        [cell.item() if hasattr(cell, "item") else cell for cell in row] for row in stats._trades[columns].to_numpy()
    ]
    return {"version": backtesting.__version__, "equity": float(stats["Equity Final [$]"]), "trades": trades}


if __name__ == "__main__":
    json.dump([play(game) for game in json.load(sys.stdin)], sys.stdout)
