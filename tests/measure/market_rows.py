"""Small hand-made tables of the lake for the tests of market-state measures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from deleverage.data.known import known_from
from deleverage.errors import DeleverageError
from deleverage.measure.asof import Frames
from deleverage.measure.measure import Measure, Measured, time_ns
from deleverage.schema import LAKE_TABLES

HOUR = 3_600 * 1_000_000_000
DAY = 24 * HOUR


def at(text: str) -> int:
    """A moment in nanoseconds UTC."""
    return time_ns(text)


def table(name: str, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of a table; what is not given is null, and texts are empty."""
    columns = LAKE_TABLES[name].columns
    schema = {column.name: getattr(pl, column.dtype) for column in columns}
    filled = [
        {column.name: row.get(column.name, "" if column.dtype == "String" else None) for column in columns}
        for row in rows
    ]
    return pl.DataFrame(filled, schema=schema)


def known(frames: Mapping[str, pl.DataFrame], moment: int) -> dict[str, pl.DataFrame]:
    """The rows of every table that were known at a moment."""
    return {name: frame.filter(known_from(name) <= moment) for name, frame in frames.items()}


def outcome(measure: Measure, frames: Mapping[str, pl.DataFrame], moment: int, given: Any) -> Any:
    """What a measure says: its tables, or the text of its error."""
    try:
        found: Measured = measure.at(Frames(frames), moment, given)
    except DeleverageError as error:
        return type(error).__name__, str(error)
    return found.readings.rows(), found.series.rows(), [str(one) for one in found.missing]


def assert_no_look_ahead(
    measure: Measure, frames: Mapping[str, pl.DataFrame], start: int, end: int, given: Any = None
) -> None:
    """At 20 moments, the whole history and what was known of it give the same, some of it an answer."""
    rng = np.random.Generator(np.random.PCG64(5))
    answers = 0
    for moment in sorted(int(one) for one in rng.integers(start, end, 20)):
        whole = outcome(measure, frames, moment, given)
        assert whole == outcome(measure, known(frames, moment), moment, given)
        answers += len(whole) == 3
    assert answers >= 10


def tier(symbol: str, day: int, number: int, floor: float, cap: float | None, ppm: int, most: float,
         deduction: float) -> dict[str, Any]:  # fmt: skip
    """One margin tier of Binance."""
    return {
        "time_ns": day, "venue": "binance", "symbol": symbol, "tier": number, "floor_usd": floor,
        "cap_usd": cap, "rate_ppm": ppm, "rate_num": ppm, "rate_den": 1_000_000, "max_leverage": most,
        "deduction_usd": deduction, "source": "tiers/made.json",
    }  # fmt: skip


def contracts(
    moment: int, coin: str, price: float, usd: list[float | None], long: float = 0.0, short: float = 0.0
) -> list[dict[str, Any]]:
    """A vendor's list: one perpetual on each of len(usd) venues, liquidations on the first."""
    return [
        {
            "time_ns": moment, "venue": f"venue{k}", "coin": coin, "symbol": f"{coin}USDT", "kind": "perp",
            "price": price, "open_interest_usd": one, "volume_usd_24h": 10.0,
            "long_liquidations_usd_24h": long if k == 0 else 0.0,
            "short_liquidations_usd_24h": short if k == 0 else 0.0, "source": "made/list.parquet",
        }
        for k, one in enumerate(usd)
    ]  # fmt: skip


def depth(
    moment: int, bid: float, ask: float = 100e6, distance: float = 100.0, **more: Any
) -> dict[str, Any]:
    """One sample of a book at binance."""
    return {
        "time_ns": moment, "venue": "binance", "kind": "perp", "coin": "BTC", "range_bps": distance,
        "taken": "bar", "bid_usd": bid, "bid_coins": bid / 1e5, "ask_usd": ask, "ask_coins": ask / 1e5,
        "source": "made/depth.parquet",
    } | more  # fmt: skip
