"""Binance's public spot REST API.

binance/binance-spot-api-docs@5edf082 rest-api.md: `GET /api/v3/klines` (limit default 500, max 1000; rows as in its
example), `GET /api/v3/exchangeInfo`, `GET /api/v3/ticker/24hr`; errors.md: -1121 "Invalid symbol."; limits: "A
Retry-After header is sent with a 418 or 429 responses and will give the number of seconds required to wait".
"""

from lookalikes import Answer, Venue, as_json, numbers

SYMBOL = {
    "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "baseAssetPrecision": 8, "quoteAsset": "USDT",
    "quotePrecision": 8, "quoteAssetPrecision": 8, "baseCommissionPrecision": 8, "quoteCommissionPrecision": 8,
    "orderTypes": ["LIMIT", "MARKET"], "icebergAllowed": True, "ocoAllowed": True, "isSpotTradingAllowed": True,
    "isMarginTradingAllowed": False, "filters": [], "permissions": [], "permissionSets": [["SPOT"]],
}  # fmt: skip
MAX = 1000

refusal = as_json({"code": -1121, "msg": "Invalid symbol."}, 400)
limited = as_json({"code": -1003, "msg": "Too much request weight used."}, 429, **{"Retry-After": "7"})
unavailable = (503, {"Content-Type": "text/html"}, b"<html>Service Unavailable</html>")


def answer(venue: Venue, path: str, query: dict, headers: dict) -> Answer:
    "What Binance would say."
    if path == "/api/v3/exchangeInfo":
        body = {"timezone": "UTC", "serverTime": 1565246363776, "rateLimits": [], "exchangeFilters": []}
        return as_json({**body, "symbols": [SYMBOL]})
    if query.get("symbol") != "BTCUSDT":
        return refusal
    if path == "/api/v3/ticker/24hr":
        last = venue.bars["close"].iloc[-1]
        body = {"symbol": "BTCUSDT", "bidPrice": f"{last - 0.5:.8f}", "askPrice": f"{last + 0.5:.8f}"}
        return as_json({**body, "lastPrice": f"{last:.8f}", "closeTime": int(venue.bars.index[-1].timestamp() * 1000)})
    step_ms = int((venue.bars.index[1] - venue.bars.index[0]).total_seconds() * 1000)
    start, end = int(query.get("startTime", 0)), int(query.get("endTime", 2**60))
    rows = [
        [
            t * 1000, *(f"{x:.8f}" for x in (o, h, l, c, v)), t * 1000 + step_ms - 1, "2434.19055334", 308,
            "1756.87402397", "28.46694368", "0",
        ]
        for t, o, h, l, c, v in numbers(venue.bars)
        if start <= t * 1000 <= end
    ]  # fmt: skip
    return as_json(rows[: min(MAX, int(query.get("limit", 500)))])
