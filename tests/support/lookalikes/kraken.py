"""Kraken's public REST API.

OHLC: https://docs.kraken.com/api-reference/market-data/get-ohlc-data: rows of time (s), open, high, low, close, vwap,
volume, count; "the last entry in the OHLC array is for the current, not-yet-committed timeframe, and will always be
present, regardless of the value of since"; "returns up to 720 of the most recent entries (older data cannot be
retrieved, regardless of the value of since)". AssetPairs, Ticker, Assets: same reference, get-tradable-asset-pairs,
get-ticker-information, get-asset-info, in the shapes ccxt 4.5.90 quotes in kraken.py. Errors are 200 with `error`:
https://docs.kraken.com/api/docs/guides/spot-errors (EQuery:Unknown asset pair, EAPI:Rate limit exceeded,
EService:Unavailable).
"""

from lookalikes import Answer, Venue, as_json, numbers

PAIR = {
    "altname": "XBTUSD", "wsname": "XBT/USD", "aclass_base": "currency", "base": "XXBT", "aclass_quote": "currency",
    "quote": "ZUSD", "lot": "unit", "pair_decimals": 1, "lot_decimals": 8, "lot_multiplier": 1, "leverage_buy": [],
    "leverage_sell": [], "fees": [[0, 0.26]], "fees_maker": [[0, 0.16]], "fee_volume_currency": "ZUSD",
    "margin_call": 80, "margin_stop": 40, "ordermin": "0.0001", "status": "online",
}  # fmt: skip
KEEPS = 720  # entries

refusal = as_json({"error": ["EQuery:Unknown asset pair"]})
limited = as_json({"error": ["EAPI:Rate limit exceeded"]})
unavailable = as_json({"error": ["EService:Unavailable"]})


def answer(venue: Venue, path: str, query: dict, headers: dict) -> Answer:
    "What Kraken would say."
    name = path.rsplit("/", 1)[-1]
    if name == "AssetPairs":
        return as_json({"error": [], "result": {"XXBTZUSD": PAIR}})
    if name == "Assets":
        asset = {"aclass": "currency", "altname": "XBT", "decimals": 10, "display_decimals": 5, "status": "enabled"}
        return as_json({"error": [], "result": {"XXBT": asset, "ZUSD": {**asset, "altname": "USD"}}})
    if query.get("pair") != "XXBTZUSD":
        return refusal
    if name == "Ticker":
        last = venue.bars["close"].iloc[-1]
        bid, ask = [f"{last - 0.5:.1f}", "1", "1.000"], [f"{last + 0.5:.1f}", "1", "1.000"]
        two = ["1.0", "2.0"]
        ticker = {"a": ask, "b": bid, "c": [f"{last:.1f}", "0.1"], "v": two, "p": two, "t": [1, 2], "l": two, "h": two}
        return as_json({"error": [], "result": {"XXBTZUSD": {**ticker, "o": "1.0"}}})
    since = int(query.get("since", 0))
    rows = [
        [t, *(f"{x:.5f}" for x in (o, h, l, c, (h + l) / 2)), f"{v:.8f}", 5]
        for t, o, h, l, c, v in list(numbers(venue.bars))[-KEEPS:]
    ]
    page = [row for row in rows[:-1] if row[0] > since] + rows[-1:]
    return as_json({"error": [], "result": {"XXBTZUSD": page, "last": rows[-2][0]}})
