"""Small files and answers made by hand, after the documented layouts."""

from __future__ import annotations

from datetime import date, timedelta

from deleverage.data.backfill.days import DAY_NS, start_ns

UM = "data/futures/um"
KLINE_HEAD = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore\n"
)
METRICS_HEAD = (
    "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
    "sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio\n"
)


def klines(
    day: date,
    *,
    days: int = 1,
    step_s: int = 3600,
    header: bool = True,
    micro: bool = False,
    skip: tuple[int, ...] = (),
) -> str:
    """Bars of some days; those whose number is in ``skip`` are not there."""
    unit = 1_000 if micro else 1_000_000  # ns
    lines = []
    for number in range(days * 86_400 // step_s):
        if number in skip:
            continue
        opened = (start_ns(day) + number * step_s * 1_000_000_000) // unit
        closed = opened + step_s * 1_000_000_000 // unit - 1
        price = 100_000 + number
        lines.append(
            f"{opened},{price},{price + 5},{price - 5},{price + 1},10.5,{closed},1050000,42,4.5,450000,0"
        )
    return (KLINE_HEAD if header else "") + "\n".join(lines) + "\n"


def metrics(day: date, *, at_end: bool = True, skip: tuple[int, ...] = (), symbol: str = "BTCUSDT") -> str:
    """Five-minute rows of a day, stamped at the end of each window or at its start."""
    lines = []
    for number in range(288):
        if number in skip:
            continue
        seconds = (number + int(at_end)) * 300
        moment = day + timedelta(days=seconds // 86_400)
        clock = seconds % 86_400
        stamp = f"{moment} {clock // 3600:02d}:{clock // 60 % 60:02d}:00"
        lines.append(f"{stamp},{symbol},{80_000 + number}.5,{8_000_000_000 + number},1.5,1.2,,0.9")
    return METRICS_HEAD + "\n".join(lines) + "\n"


def funding(first: date, days: int, *, hours: int = 8, jitter_ms: int = 3) -> str:
    """Settlements as monthly files have them."""
    lines = ["calc_time,funding_interval_hours,last_funding_rate"]
    for number in range(days * 24 // hours):
        time = start_ns(first) // 1_000_000 + number * hours * 3_600_000 + jitter_ms
        lines.append(f"{time},{hours},0.0001")
    return "\n".join(lines) + "\n"


def trades(day: date, count: int, *, first_id: int = 1000) -> str:
    """Aggregate trades spread over a day."""
    lines = ["agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"]
    for number in range(count):
        time = (start_ns(day) + number * (DAY_NS // count)) // 1_000_000
        maker = "true" if number % 2 else "false"
        lines.append(f"{first_id + number},100000.5,0.25,{number},{number},{time},{maker}")
    return "\n".join(lines) + "\n"


def depth(day: date) -> str:
    """Two snapshots of the book in two bands."""
    lines = ["timestamp,percentage,depth,notional"]
    for clock in ("00:00:09", "00:00:39"):
        for percent in (-2, -1, 1, 2):
            lines.append(f"{day} {clock},{percent},{100 * abs(percent)}.5,{10_000_000 * abs(percent)}")
    return "\n".join(lines) + "\n"


LIQUIDATION_HEAD = (
    "time,side,order_type,time_in_force,original_quantity,price,average_price,order_status,"
    "last_fill_quantity,accumulated_fill_quantity\n"
)


def liquidations(day: date) -> str:
    """Three forced orders of a coin-margined contract, the last one twice."""
    time = start_ns(day) // 1_000_000
    rows = [
        f"{time + 1000},SELL,LIMIT,IOC,50,69000,70000,FILLED,50,50",
        f"{time + 2000},BUY,LIMIT,IOC,14,71000,70000,FILLED,7,14",
        f"{time + 2000},BUY,LIMIT,IOC,14,71000,70000,FILLED,7,14",
    ]
    return LIQUIDATION_HEAD + "\n".join(rows) + "\n"
