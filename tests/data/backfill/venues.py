"""Five venues' REST interfaces over one made-up market: their paths, page sizes, orders and edges.

Bars every minute, open interest every five, settlements every eight hours (every hour on Hyperliquid and
Deribit), trades at drawn times with several in one millisecond. Shapes by hand, after the venues'
documentation.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from deleverage.data.backfill.days import start_ns
from tests.data.backfill.serving import Server

MINUTE, HOUR = 60_000, 3_600_000
Params = dict[str, str]


@dataclass
class Market:
    """What happened; ``start`` and ``end`` in ms."""

    start: int
    end: int
    trades: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, first: date, days: int, trades: int = 2_500) -> Market:
        """Some days from ``first`` on."""
        start = start_ns(first) // 1_000_000
        end = start + days * 86_400_000
        dice = random.Random(7)
        times = sorted(dice.randrange(start, end) for _ in range(trades))
        times[100:104] = [times[100]] * 4
        forced = {5: "T", 6: "M", 7: "MT"}
        return cls(
            start,
            end,
            [
                {"id": 5_000 + n, "time": t, "side": "buy" if n % 3 else "sell", "forced": forced.get(n, "")}
                for n, t in enumerate(times)
            ],
        )

    def steps(self, step: int, low: int, high: int) -> list[int]:
        """Multiples of ``step`` with low ≤ t ≤ high that are in the market."""
        first = max(-(-low // step) * step, self.start)
        return list(range(first, min(high + 1, self.end), step))


def price(time: int) -> float:
    """A price for a time."""
    return 100_000 + (time // MINUTE) % 997


def binance(server: Server, market: Market) -> None:
    """Oldest first, both edges included. Coin-margined sizes are contracts: 100 dollars of BTC, 10 of BNB."""

    def klines(_: str, q: Params, __: Any) -> Any:
        step = {"1m": MINUTE, "1h": HOUR}[q["interval"]]
        rows = market.steps(step, int(q["startTime"]), int(q["endTime"]))[: int(q["limit"])]
        return [
            [
                t,
                f"{price(t)}",
                f"{price(t) + 2}",
                f"{price(t) - 2}",
                f"{price(t) + 1}",
                "10.5",
                t + step - 1,
                "1050000",
                42,
                "4.5",
                "450000",
                "0",
            ]
            for t in rows
        ]

    def funding(_: str, q: Params, __: Any) -> Any:
        rows = market.steps(8 * HOUR, int(q["startTime"]), int(q["endTime"]))[: int(q["limit"])]
        return [
            {"symbol": q["symbol"], "fundingTime": t + 4, "fundingRate": "0.00010000", "markPrice": "1"}
            for t in rows
        ]

    def interest(_: str, q: Params, __: Any) -> Any:
        rows = market.steps(5 * MINUTE, int(q["startTime"]), int(q["endTime"]))[-int(q["limit"]) :]
        return [
            {
                "symbol": q["symbol"],
                "sumOpenInterest": "80000.5",
                "sumOpenInterestValue": "8000000000",
                "timestamp": t,
            }
            for t in rows
        ]

    def coin_klines(path: str, q: Params, posted: Any) -> Any:
        assert int(q["endTime"]) - int(q["startTime"]) <= 200 * 24 * HOUR
        bars = klines(path, q, posted)  # contracts, and coins two fields on
        return [[*bar[:5], "1050", bar[6], "10.5", bar[8], "450", "4.5", "0"] for bar in bars]

    def history(path: str, q: Params, posted: Any) -> Any:
        if "pair" not in q:
            return interest(path, q, posted)
        assert (q["pair"], q["contractType"]) == ("BTCUSD", "PERPETUAL") and "symbol" not in q
        return [
            {
                "pair": q["pair"],
                "contractType": "PERPETUAL",
                "sumOpenInterest": "8000000",
                "sumOpenInterestValue": "8000.00000000",
                "timestamp": one["timestamp"],
            }
            for one in interest(path, {**q, "symbol": ""}, posted)
        ]

    def listed(_: str, __: Params, ___: Any) -> Any:
        kind = {"contractType": "PERPETUAL", "contractStatus": "TRADING"}
        return {
            "symbols": [
                {"symbol": f"{coin}USD_PERP", "baseAsset": coin, "contractSize": size, **kind}
                for coin, size in (("BTC", 100), ("BNB", 10))
            ]
        }

    def coin_trades(path: str, q: Params, posted: Any) -> Any:
        return [{**row, "q": "3"} for row in trades(path, q, posted)]

    def trades(_: str, q: Params, __: Any) -> Any:
        rows = market.trades
        if "fromId" in q:
            rows = [row for row in rows if row["id"] >= int(q["fromId"])]
        else:
            rows = [row for row in rows if int(q["startTime"]) <= row["time"] <= int(q["endTime"])]
        return [
            {
                "a": r["id"],
                "p": "100000.5",
                "q": "0.25",
                "f": 1,
                "l": 1,
                "T": r["time"],
                "m": r["side"] == "sell",
            }
            for r in rows[: int(q["limit"])]
        ]

    server.answers |= {
        "/fapi/v1/klines": klines,
        "/fapi/v1/fundingRate": funding,
        "/futures/data/openInterestHist": history,
        "/fapi/v1/aggTrades": trades,
        "/dapi/v1/klines": coin_klines,
        "/dapi/v1/fundingRate": funding,
        "/dapi/v1/aggTrades": coin_trades,
        "/dapi/v1/exchangeInfo": listed,
        "/api/v3/klines": klines,
    }


def bybit(server: Server, market: Market) -> None:
    """Newest first, both edges included, the newest rows where there are too many."""

    def ok(rows: list[Any]) -> Any:
        return {"retCode": 0, "retMsg": "OK", "result": {"list": rows}, "retExtInfo": {}, "time": 1}

    def newest(rows: list[int], q: Params, most: int) -> list[int]:
        return rows[::-1][: min(int(q["limit"]), most)]

    def klines(path: str, q: Params, _: Any) -> Any:
        step = {"1": MINUTE, "5": 5 * MINUTE, "60": HOUR}[q["interval"]]
        rows = newest(market.steps(step, int(q["start"]), int(q["end"])), q, 1000)
        bars = [
            [str(t), f"{price(t)}", f"{price(t) + 2}", f"{price(t) - 2}", f"{price(t) + 1}"] for t in rows
        ]
        return ok(bars if "mark-price" in path else [[*bar, "10.5", "1050000"] for bar in bars])

    def funding(_: str, q: Params, __: Any) -> Any:
        rows = newest(market.steps(8 * HOUR, int(q["startTime"]), int(q["endTime"])), q, 200)
        return ok(
            [{"symbol": q["symbol"], "fundingRate": "-0.0002", "fundingRateTimestamp": str(t)} for t in rows]
        )

    def interest(_: str, q: Params, __: Any) -> Any:
        rows = newest(market.steps(5 * MINUTE, int(q["startTime"]), int(q["endTime"])), q, 200)
        return ok(
            [
                {"openInterest": "1000000" if q["category"] == "inverse" else "50000.5", "timestamp": str(t)}
                for t in rows
            ]
        )

    server.answers |= {
        "/v5/market/kline": klines,
        "/v5/market/mark-price-kline": klines,
        "/v5/market/funding/history": funding,
        "/v5/market/open-interest": interest,
    }


def okx(server: Server, market: Market) -> None:
    """Newest first, edges excluded, 100 rows at most; sizes are contracts of 0.01 coins."""

    def ok(rows: list[Any]) -> Any:
        return {"code": "0", "msg": "", "data": rows[:100]}

    def klines(_: str, q: Params, __: Any) -> Any:
        step = {"1m": MINUTE, "1H": HOUR}[q["bar"]]
        rows = market.steps(step, int(q["before"]) + 1, int(q["after"]) - 1)[::-1]
        return ok(
            [
                [
                    str(t),
                    f"{price(t)}",
                    f"{price(t) + 2}",
                    f"{price(t) - 2}",
                    f"{price(t) + 1}",
                    "1050",
                    "10.5",
                    "1050000",
                    "1" if t + step < market.end else "0",
                ]
                for t in rows
            ]
        )

    def funding(_: str, q: Params, __: Any) -> Any:
        rows = market.steps(8 * HOUR, int(q["before"]) + 1, int(q["after"]) - 1)[::-1]
        return ok(
            [
                {
                    "instId": q["instId"],
                    "fundingRate": "0.0009",
                    "realizedRate": "0.0001",
                    "fundingTime": str(t),
                }
                for t in rows
            ]
        )

    def interest(_: str, q: Params, __: Any) -> Any:
        rows = market.steps(5 * MINUTE, int(q["begin"]), int(q["end"]))[::-1]
        return ok([[str(t), "8000050", "80000.5", "8000000000"] for t in rows])

    def trades(_: str, q: Params, __: Any) -> Any:
        rows = [r for r in market.trades if (r["time"] if q["type"] == "2" else r["id"]) < int(q["after"])]
        return ok(
            [
                {
                    "instId": q["instId"],
                    "side": r["side"],
                    "sz": "25",
                    "px": "100000.5",
                    "tradeId": str(r["id"]),
                    "ts": str(r["time"]),
                }
                for r in rows[::-1]
            ]
        )

    def instruments(_: str, q: Params, __: Any) -> Any:
        inverse = "-USD-" in q["instId"]
        return ok(
            [
                {
                    "instId": q["instId"],
                    "ctVal": "100" if inverse else "0.01",
                    "ctMult": "1",
                    "ctType": "inverse" if inverse else "linear",
                }
            ]
        )

    server.answers |= {
        "/api/v5/market/history-candles": klines,
        "/api/v5/public/funding-rate-history": funding,
        "/api/v5/rubik/stat/contracts/open-interest-history": interest,
        "/api/v5/market/history-trades": trades,
        "/api/v5/public/instruments": instruments,
    }


def hyperliquid(server: Server, market: Market) -> None:
    """Oldest first, both edges included; 5,000 bars and 500 settlements at most."""

    def info(_: str, __: Params, posted: Any) -> Any:
        if posted["type"] == "candleSnapshot":
            asked = posted["req"]
            step = {"1m": MINUTE, "1h": HOUR}[asked["interval"]]
            rows = market.steps(step, asked["startTime"], asked["endTime"])[-5000:]
            return [
                {"t": t, "T": t + step - 1, "s": asked["coin"], "i": asked["interval"], "n": 42, "v": "10.5"}
                | {"o": f"{price(t)}", "h": f"{price(t) + 2}", "l": f"{price(t) - 2}", "c": f"{price(t) + 1}"}
                for t in rows
            ]
        rows = market.steps(HOUR, posted["startTime"], posted["endTime"])[:500]
        return [
            {"coin": posted["coin"], "fundingRate": "0.0000125", "premium": "0", "time": t + 37} for t in rows
        ]

    server.answers["/info"] = info


def deribit(server: Server, market: Market) -> None:
    """Oldest first where asked so, both edges included; sizes of inverse contracts are dollars."""

    def ok(result: Any) -> Any:
        return {"jsonrpc": "2.0", "result": result, "usIn": 1, "usOut": 2, "usDiff": 1, "testnet": False}

    def klines(_: str, q: Params, __: Any) -> Any:
        step = {"1": MINUTE, "60": HOUR}[q["resolution"]]
        rows = market.steps(step, int(q["start_timestamp"]), int(q["end_timestamp"]))
        prices = [price(t) for t in rows]
        columns = {"open": 0, "high": 2, "low": -2, "close": 1}
        return ok(
            {
                "ticks": rows,
                **{name: [one + off for one in prices] for name, off in columns.items()},
                "volume": [10.5] * len(rows),
                "cost": [1_050_000.0] * len(rows),
                "status": "ok" if rows else "no_data",
            }
        )

    def funding(_: str, q: Params, __: Any) -> Any:
        rows = market.steps(HOUR, int(q["start_timestamp"]), int(q["end_timestamp"]))[-744:]
        return ok(
            [{"timestamp": t, "interest_1h": 1.25e-5, "interest_8h": 1e-4, "index_price": 1.0} for t in rows]
        )

    def trades(_: str, q: Params, __: Any) -> Any:
        rows = market.trades
        if "start_seq" in q:
            rows = [row for row in rows if row["id"] >= int(q["start_seq"])]
        else:
            low, high = int(q["start_timestamp"]), int(q["end_timestamp"])
            rows = [row for row in rows if low <= row["time"] <= high]
        page = rows[: int(q["count"])]
        return ok(
            {
                "trades": [
                    {
                        "trade_seq": r["id"],
                        "trade_id": f"T{r['id']}",
                        "timestamp": r["time"],
                        "price": 100_000.0,
                    }
                    | {"amount": 500.0, "direction": r["side"], "instrument_name": q["instrument_name"]}
                    | ({"liquidation": r["forced"]} if r["forced"] else {})
                    for r in page
                ],
                "has_more": len(rows) > len(page),
            }
        )

    server.answers |= {
        "/api/v2/public/get_tradingview_chart_data": klines,
        "/api/v2/public/get_funding_rate_history": funding,
        "/api/v2/public/get_last_trades_by_instrument": trades,
        "/api/v2/public/get_last_trades_by_instrument_and_time": trades,
    }


ALL = {"binance-rest": binance, "bybit": bybit, "okx": okx, "hyperliquid": hyperliquid, "deribit": deribit}
SYMBOLS = {
    "binance-rest": "BTCUSDT",
    "bybit": "BTCUSDT",
    "okx": "BTC-USDT-SWAP",
    "hyperliquid": "BTC",
    "deribit": "BTC-PERPETUAL",
}
