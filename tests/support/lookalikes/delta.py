"""Delta Exchange India's public REST API.

https://docs.delta.exchange (delta-exchange/slate): `GET /v2/history/candles` with resolution, symbol, start and end in
seconds, "only upto 2000 candles maximum in a response"; `GET /v2/tickers/{symbol}`; source/includes:
_response_formats.md (success, result, error.code), _rate_limits.md (429 with X-RATE-LIMIT-RESET, "time left in
milliseconds"). The documents name no error for candles of an unknown symbol: `invalid_contract` is the code that ccxt
knows for one elsewhere.
"""

from lookalikes import Answer, Venue, as_json, numbers

MAX = 2000

refusal = as_json({"success": False, "error": {"code": "invalid_contract"}}, 400)
limited = as_json({"success": False, "error": {"code": "too_many_requests"}}, 429, **{"X-RATE-LIMIT-RESET": "7000"})
unavailable = (503, {"Content-Type": "text/html"}, b"<html>Service Unavailable</html>")


def answer(venue: Venue, path: str, query: dict, headers: dict) -> Answer:
    "What Delta would say."
    if path.startswith("/v2/tickers/"):
        if not path.endswith("/BTCUSD"):
            return refusal
        last = venue.bars["close"].iloc[-1]
        quotes = {"ask_size": "965", "best_ask": f"{last + 0.5}", "best_bid": f"{last - 0.5}", "bid_size": "196"}
        at = int(venue.bars.index[-1].timestamp() * 1e6)
        return as_json({"success": True, "result": {"symbol": "BTCUSD", "timestamp": at, "quotes": quotes}})
    if path != "/v2/history/candles" or query.get("symbol") != "BTCUSD":
        return refusal
    start, end = int(query["start"]), int(query["end"])
    names = ("time", "open", "high", "low", "close", "volume")
    rows = [dict(zip(names, row, strict=True)) for row in numbers(venue.bars) if start <= row[0] <= end]
    return as_json({"success": True, "result": rows[::-1][:MAX]})  # newest first: the documents promise no order
