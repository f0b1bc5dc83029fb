"""Hand-made files in the layouts of the real ones: a few rows each, with round figures."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

MINUTE_HEADER = "open_time,open,high,low,close,volume,count,taker_buy_volume"
T0_MS = 1_760_126_400_000  # 2025-10-10 20:00 UTC
HOUR_MS = 3_600_000
NS = 1_000_000_000


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * NS


def commits(lake: Path) -> list[str]:
    """Every commit of every table of a lake: the same list means that nothing was written."""
    return sorted(path.relative_to(lake).as_posix() for path in lake.glob("*/_delta_log/*.json"))


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def minute_rows(count: int = 3, start_ms: int = T0_MS) -> list[str]:
    return [
        f"{start_ms + 60_000 * i},116000.0,116100.0,115900.0,116050.0,10.500,100,4.250" for i in range(count)
    ]


def minutes(folder: Path, rows: Iterable[str] | None = None, header: str = MINUTE_HEADER) -> Path:
    lines = [header, *(minute_rows() if rows is None else rows)]
    return put(folder / "perp_1m" / "BTCUSDT-perp-1m-2025-10-10.csv", "\n".join(lines) + "\n")


def klines(
    folder: Path, *, unit: int = 1000, place: str = "binance_spot", count: int = 3, symbol: str = "BTCUSDT"
) -> Path:
    """Bars of 5 minutes; ``unit`` is units per millisecond (1000: microseconds, 1: milliseconds)."""
    step = 300_000 * unit
    opens = [T0_MS * unit + step * i for i in range(count)]
    prices = "117000.0,117100.0,116900.0,117050.0,5.0"
    rows = [f"{time},{prices},{time + step - 1},585000.0,10,2.0,234000.0,0" for time in opens]
    return put(folder / place / f"{symbol}-5m-2025-10.csv", "\n".join(rows) + "\n")


def spot_hourly(folder: Path, coin: str = "BTC", price: float = 116_000.0) -> Path:
    rows = [f"2025-10-10 {20 + i}:00:00+00:00,{price},{price},{price},{price},7.5" for i in range(3)]
    text = "timestamp,open,high,low,close,volume\n" + "\n".join(rows) + "\n"
    return put(folder / "binance_spot_1h" / f"{coin}_USDT_1h.csv", text)


def venue_candles(
    folder: Path, venues: tuple[str, ...] = ("binance", "okx"), coins: tuple[str, ...] = ("BTC",)
) -> Path:
    price = {"BTC": 116_000.0, "ETH": 4_000.0, "DOGE": 0.25, "HYPE": 40.0, "SOL": 205.0}
    rows = [
        {
            "timestamp": datetime(2025, 10, 10, 20 + hour, tzinfo=UTC),
            "venue": venue,
            "coin": coin,
            "o": price[coin],
            "h": price[coin],
            "l": price[coin],
            "c": price[coin],
            "v": 1000.0,
        }
        for venue in venues
        for coin in coins
        for hour in range(2)
    ]
    return parquet(folder / "multi" / "candles.parquet", pl.DataFrame(rows))


def venue_funding(folder: Path, rates: tuple[float, ...] = (0.0001, 0.00012, 0.00009)) -> Path:
    rows = [
        {
            "timestamp": datetime(2025, 10, 10, 8 * i, 0, 0, 14_000, tzinfo=UTC),
            "venue": "binance",
            "coin": "BTC",
            "funding_rate": rate,
        }
        for i, rate in enumerate(rates)
    ]
    return parquet(folder / "multi" / "funding_rates.parquet", pl.DataFrame(rows))


def settled_funding(folder: Path, rates: tuple[str, ...] = ("0.00010000", "0.00001013")) -> Path:
    rows = [f"BTCUSDT,{1_760_083_200_003 + 28_800_000 * i},8,{rate}" for i, rate in enumerate(rates)]
    path = folder / "funding" / "funding_all.csv.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "symbol,calc_time,funding_interval_hours,last_funding_rate\n" + "\n".join(rows) + "\n"
    path.write_bytes(gzip.compress(text.encode()))
    return path


def parquet(path: Path, frame: pl.DataFrame) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path)
    return path


def chart(
    folder: Path, coin: str = "BTC", price: float = 116_000.0, day: str = "20251010", later_ms: int = 0
) -> Path:
    """Open interest on the four-hour grid, and the moment of the fetch, 19:59:30."""
    stamps = [later_ms + T0_MS - back for back in (8 * HOUR_MS, 4 * HOUR_MS, 30_000)]
    frame = pl.DataFrame(
        {
            "timestamp": stamps,
            "price": [price * 1.03, price * 1.02, price],
            "BINANCE": [price * 100, price * 110, price * 120],
            "CRYPTO.COM": [price * 10, None, 0.0],
        }
    )
    name = f"api_futures_openInterest_exchange_history_chart_{coin}.parquet"
    return parquet(folder / day / "futures" / "open_interest" / name, frame)


def pairs(folder: Path, day: str = "20251010", **changes: object) -> Path:
    row: dict[str, object] = {
        "instrument_id": "BTCUSDT",
        "exchange_name": "Binance",
        "symbol": "BTC/USDT",
        "current_price": 116_000.0,
        "index_price": 116_040.0,
        "volume_usd": 2e10,
        "open_interest_quantity": 90_000.0,
        "open_interest_usd": 1.044e10,
        "long_liquidation_usd_24h": 1e6,
        "short_liquidation_usd_24h": 9e6,
        "funding_rate": 0.01,
    } | changes
    dated = row | {"instrument_id": "BTCUSDT_251226", "funding_rate": None, "open_interest_quantity": 0.0}
    folder = folder / day / "futures" / "market"
    return parquet(folder / "api_futures_pairs_markets_BTC.parquet", pl.DataFrame([row, dated]))


def depth(
    folder: Path,
    prices: tuple[float, ...],
    *,
    name: str,
    hours: int = 4,
    prefix: str = "",
    day: str = "20251010",
    coins: float = 1000.0,
    later_ms: int = 0,
) -> Path:
    """Depth bars whose last opens at 16:00; bids stand 0.4 % below and asks 0.4 % above each price."""
    last = later_ms + T0_MS - 4 * HOUR_MS
    frame = pl.DataFrame(
        {
            f"{prefix}bids_usd": [coins * price * 0.996 for price in prices],
            f"{prefix}bids_quantity": [coins] * len(prices),
            f"{prefix}asks_usd": [coins * price * 1.004 for price in prices],
            f"{prefix}asks_quantity": [coins] * len(prices),
            "time": [last - hours * HOUR_MS * back for back in reversed(range(len(prices)))],
        }
    )
    return parquet(folder / day / "futures" / "order_book" / name, frame)


def tier(
    number: int, floor: float, cap: float, rate: float, leverage: float, cum: float
) -> dict[str, object]:
    return {
        "tier": float(number),
        "minNotional": floor,
        "maxNotional": cap,
        "maintenanceMarginRate": rate,
        "maxLeverage": leverage,
        "info": {
            "notionalCap": str(cap),
            "notionalFloor": str(floor),
            "maintMarginRatio": str(rate),
            "cum": str(cum),
        },
    }


def tiers(
    folder: Path,
    second: dict[str, object] | None = None,
    name: str = "binance_leverage_tiers_2025-10-09.json",
) -> Path:
    rows = [
        tier(1, 0.0, 300_000.0, 0.004, 150.0, 0.0),
        second or tier(2, 300_000.0, 800_000.0, 0.005, 100.0, 300.0),
    ]
    return put(folder / "tiers" / name, json.dumps({"BTC/USDT:USDT": rows, "ETH/BTC:BTC": rows}))


def adl(folder: Path) -> Path:
    folder = folder / "adl"
    put(folder / "cascade_timing_results.json", '{"event_start": "2025-10-10T21:15:03.127372+00:00"}')
    put(folder / "realtime_analysis_summary.json", '{"analysis_end": "2025-10-10T17:27:00"}')
    header = "ticker,net_volume,net_notional_usd,total_pnl,num_adl_events,avg_price"
    text = f"{header}\nBTC,10.0,1100000.0,5.0,3,110000.0\n"
    return put(folder / "adl_net_volume_full_12min.csv", text)


def whole_folder(folder: Path) -> Path:
    """One small file of every family."""
    minutes(folder)
    klines(folder)
    spot_hourly(folder)
    venue_candles(folder)
    settled_funding(folder)
    chart(folder)
    pairs(folder)
    depth(folder, (118_000.0, 118_300.0, 118_320.0), name="api_futures_orderbook_ask_bids_history.parquet")
    tiers(folder)
    adl(folder)
    put(folder / "README.md", "words\n")
    put(folder / "other.csv", "a,b\n1,2\n")
    return folder
