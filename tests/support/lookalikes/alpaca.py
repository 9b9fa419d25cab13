"""Alpaca's market data API.

alpacahq/alpaca-docs@0ca0212 content/api-references/market-data-api/stock-pricing-data/historical.md: Multi Bars
(`GET /v2/stocks/bars`: limit 1-10000, page_token, next_page_token; bars with t, o, h, l, c, v, n, vw), 400, 403, 422,
429; the same shape under /v1beta3/crypto/us for crypto; latest quotes with t, ap, bp. Bars end in the one still open.
"""

import pandas as pd

from lookalikes import Answer, Venue, as_json, numbers

PAGE = 400  # the server may give fewer than `limit`; a small page makes paging visible

refusal = as_json({"message": "invalid symbol: BTC USDT"}, 400)
forbidden = as_json({"message": "forbidden."}, 403)
limited = as_json({"message": "too many requests."}, 429, **{"Retry-After": "7"})
unavailable = (503, {"Content-Type": "text/html"}, b"<html>Service Unavailable</html>")


def answer(venue: Venue, path: str, query: dict, headers: dict) -> Answer:
    "What Alpaca would say."
    stocks = path.startswith("/v2/stocks/")
    if stocks and not (headers.get("APCA-API-KEY-ID") == "key" and headers.get("APCA-API-SECRET-KEY") == "secret"):
        return forbidden
    symbol, listed = query.get("symbols", ""), "SPY" if stocks else "BTC/USD"
    if " " in symbol:
        return refusal
    if path.endswith("/quotes/latest") or path.endswith("/latest/quotes"):
        last = venue.bars["close"].iloc[-1]
        quote = {"t": venue.bars.index[-1].isoformat(), "ap": last + 0.5, "as": 1, "bp": last - 0.5, "bs": 2}
        return as_json({"quotes": {symbol: quote} if symbol == listed else {}})
    if symbol != listed:
        return as_json({"bars": {}, "next_page_token": None})
    start, end = pd.Timestamp(query["start"]), pd.Timestamp(query["end"])
    rows = [
        {"t": pd.Timestamp(t, unit="s").strftime("%Y-%m-%dT%H:%M:%SZ"), "o": o, "h": h, "l": l, "c": c, "v": v, "n": 9}
        for t, o, h, l, c, v in numbers(venue.bars[(venue.bars.index >= start) & (venue.bars.index <= end)])
    ]
    first = int(query.get("page_token", 0))
    following = str(first + PAGE) if first + PAGE < len(rows) else None
    return as_json({"bars": {symbol: rows[first : first + PAGE]}, "next_page_token": following})
