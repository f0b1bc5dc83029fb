"""Binance's public archive beside bars: metrics, banded depth, funding by contract, trades and aggregated
trades.

github.com/binance/binance-public-data: daily or monthly CSV files, alone or zipped. Futures have a header
since
2022, spot none; spot times are in microseconds since 2025. The contract is in the file's name only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import (
    ROW,
    Defect,
    Importer,
    Loaded,
    SourceFile,
    has_columns,
    only_columns,
)
from deleverage.data.importers.csv_text import read_csv
from deleverage.data.importers.layout import Layout, is_epoch, layout_of
from deleverage.data.importers.multi_venue import on_the_hour
from deleverage.data.importers.rows import indicators, moments
from deleverage.data.importers.symbols import coin_of, kind_of
from deleverage.errors import SchemaError, UnitError

if TYPE_CHECKING:
    pass

_WHEN = r"-\d{4}-\d{2}(?:-\d{2})?\.csv(?:\.gz)?"
_METRICS = {
    "create_time": "String",
    "symbol": "String",
    "sum_open_interest": "Float64",
    "sum_open_interest_value": "Float64",
    "count_toptrader_long_short_ratio": "Float64?",
    "sum_toptrader_long_short_ratio": "Float64?",
    "count_long_short_ratio": "Float64?",
    "sum_taker_long_short_vol_ratio": "Float64?",
}
_DEPTH = {"timestamp": "String", "percentage": "Float64", "depth": "Float64", "notional": "Float64"}
_FUNDING = {"calc_time": "Int64", "funding_interval_hours": "Int64", "last_funding_rate": "Float64"}
_TRADES = {
    "id": "Int64",
    "price": "Float64",
    "qty": "Float64",
    "quote_qty": "Float64",
    "time": "Int64",
    "is_buyer_maker": "Boolean",
}
_AGGREGATED = {
    "agg_trade_id": "Int64",
    "price": "Float64",
    "quantity": "Float64",
    "first_trade_id": "Int64",
    "last_trade_id": "Int64",
    "transact_time": "Int64",
    "is_buyer_maker": "Boolean",
}
_BEST = {"is_best_match": "Boolean"}  # one more column on spot, which has no header
_METRICS_NAME = re.compile(r"([A-Z0-9_]+)-metrics" + _WHEN)
_DEPTH_NAME = re.compile(r"([A-Z0-9_]+)-bookDepth" + _WHEN)
_FUNDING_NAME = re.compile(r"([A-Z0-9_]+)-fundingRate" + _WHEN)
_TRADES_NAME = re.compile(r"([A-Z0-9_]+)-trades" + _WHEN)
_AGGREGATED_NAME = re.compile(r"([A-Z0-9_]+)-aggTrades" + _WHEN)
_TIME = "%Y-%m-%d %H:%M:%S"
_METRICS_S = 300


def recognise_metrics(layout: Layout) -> bool:
    """A CSV with Binance's names of open interest and its ratios."""
    return has_columns(layout, "csv", tuple(_METRICS))


def load_metrics(source: SourceFile) -> Loaded:
    """Open interest by contract every five minutes, and ratios of accounts and takers."""
    import polars as pl

    frame = moments(read_csv(source, _METRICS), source, "create_time", _TIME)
    checks.increasing(frame, source, "create_time", by=("symbol",))
    for name in ("sum_open_interest", "sum_open_interest_value"):
        checks.not_negative(frame, source, name)
    symbols = frame["symbol"].unique().to_list()
    coins = {symbol: coin_of(source, symbol) for symbol in symbols}
    frame = frame.with_columns(pl.col("symbol").replace_strict(coins, return_dtype=pl.String).alias("coin"))
    seen = frame.filter(
        (pl.col("sum_open_interest") > 0) & (pl.col("sum_open_interest_value") > 0)
    ).with_columns((pl.col("sum_open_interest_value") / pl.col("sum_open_interest")).alias("_price"))
    checks.price(seen, source, "_price")
    rows = seen.select(
        ROW,
        "time_ns",
        pl.lit("binance").alias("venue"),
        "coin",
        pl.col("symbol").alias("scope"),
        pl.col("sum_open_interest").alias("coins"),
        pl.col("sum_open_interest_value").alias("usd"),
        pl.col("_price").alias("price"),
    )
    values = {
        "top_accounts_long_short_ratio": (pl.col("count_toptrader_long_short_ratio"), "ratio"),
        "top_positions_long_short_ratio": (pl.col("sum_toptrader_long_short_ratio"), "ratio"),
        "accounts_long_short_ratio": (pl.col("count_long_short_ratio"), "ratio"),
        "taker_buy_sell_ratio": (pl.col("sum_taker_long_short_vol_ratio"), "ratio"),
    }
    ratios = indicators(
        frame, "binance", values, interval_s=_METRICS_S, venue="binance", symbol=pl.col("symbol")
    )
    defects = []
    if zeros := frame.height - seen.height:
        defects.append(
            Defect("zero-open-interest", "an open interest of exactly 0", "left out as not observed", zeros)
        )
    return Loaded([("open_interest", rows), ratios], defects)


def recognise_depth(layout: Layout) -> bool:
    """A CSV with depth in percent about mid."""
    return only_columns(layout, "csv", tuple(_DEPTH))


def load_depth(source: SourceFile) -> Loaded:
    """Displayed depth within each percentage of mid; below 0 are bids, above 0 offers, each summed from
    mid.
    """
    import polars as pl

    match = _DEPTH_NAME.fullmatch(source.name)
    if match is None:
        return Loaded(
            skipped="banded depth, and the name does not say the contract like BTCUSDT-bookDepth-2025-10-10"
        )
    frame = moments(read_csv(source, _DEPTH), source, "timestamp", _TIME)
    for name in ("depth", "notional"):
        checks.not_negative(frame, source, name)
    checks.require(
        frame,
        (pl.col("percentage") != 0) & (pl.col("percentage").abs() <= 50),
        source,
        column="percentage",
        expected="a percentage about mid, not 0, at most 50",
        todo="give the venue's own file",
        kind=UnitError,
    )
    again = frame.select("time_ns", "percentage").is_duplicated()
    checks.require(
        frame.with_columns(again.alias("_again")),
        ~pl.col("_again"),
        source,
        column="percentage",
        expected="each percentage once a moment",
        todo="leave out repeated rows",
    )
    priced = frame.filter((pl.col("depth") > 0) & (pl.col("notional") > 0)).with_columns(
        (pl.col("notional") / pl.col("depth")).alias("_price"),
        pl.lit(coin_of(source, match[1])).alias("coin"),
    )
    checks.price(priced, source, "_price")
    sides = [
        priced.filter(pl.col("percentage") < 0 if side == "bid" else pl.col("percentage") > 0).select(
            "time_ns",
            "coin",
            (pl.col("percentage").abs() * 100).alias("range_bps"),
            pl.col("notional").alias(f"{side}_usd"),
            pl.col("depth").alias(f"{side}_coins"),
        )
        for side in ("bid", "ask")
    ]
    both = sides[0].join(sides[1], on=["time_ns", "coin", "range_bps"], how="inner")
    rows = both.select(
        "time_ns",
        pl.lit("binance").alias("venue"),
        pl.lit(kind_of(source) or "perp").alias("kind"),
        "coin",
        "range_bps",
        pl.lit("fetch").alias("taken"),
        "bid_usd",
        "bid_coins",
        "ask_usd",
        "ask_coins",
    )
    defects = []
    if alone := max(sides[0].height, sides[1].height) - both.height:
        defects.append(Defect("depth-one-sided", "a band with one side only", "left out", alone))
    return Loaded([("depth", rows)], defects)


def recognise_funding(layout: Layout) -> bool:
    """A CSV with Binance's own names of the funding columns, and no contract."""
    return only_columns(layout, "csv", tuple(_FUNDING))


def load_funding(source: SourceFile) -> Loaded:
    """Settled rates of one contract."""
    import polars as pl

    match = _FUNDING_NAME.fullmatch(source.name)
    if match is None:
        return Loaded(
            skipped="funding, and the name does not say the contract like BTCUSDT-fundingRate-2025-10"
        )
    frame = read_csv(source, _FUNDING).with_columns(pl.lit(match[1]).alias("symbol"))
    frame = checks.with_time_ns(frame, source, "calc_time", "milliseconds")
    frame, defects = on_the_hour(frame)
    checks.increasing(frame, source, "calc_time")
    checks.funding_rates(frame, source, "last_funding_rate", by="symbol")
    checks.require(
        frame,
        pl.col("funding_interval_hours").is_in([1, 2, 4, 8]),
        source,
        column="funding_interval_hours",
        expected="an interval of 1, 2, 4 or 8 hours",
        todo="give the interval in hours",
        kind=UnitError,
    )
    rows = frame.select(
        ROW,
        "time_ns",
        pl.lit("binance").alias("venue"),
        pl.lit(coin_of(source, match[1])).alias("coin"),
        "symbol",
        (pl.col("funding_interval_hours") * 3600).alias("interval_s"),
        pl.col("last_funding_rate").alias("rate"),
    )
    return Loaded([("funding", rows)], defects)


def recognise_trades(layout: Layout) -> bool:
    """Single trades: futures by their header, spot by seven fields that begin with a number and end with
    two truths.
    """
    if only_columns(layout, "csv", tuple(_TRADES)):
        return True
    return _headless(layout, 7, 4) or _headless(layout, 6, 4)


def recognise_aggregated(layout: Layout) -> bool:
    """Aggregated trades: futures by their header, spot by eight fields."""
    if only_columns(layout, "csv", tuple(_AGGREGATED)):
        return True
    return _headless(layout, 8, 5) or _headless(layout, 7, 5)


def _headless(layout: Layout, fields: int, time: int) -> bool:
    """Numbers with an epoch at that place and truths behind it."""
    cells = layout.names
    return (
        layout.kind == "numbers"
        and len(cells) == fields
        and is_epoch(cells[time])
        and all(cell.lower() in ("true", "false") for cell in cells[time + 1 :])
    )


def load_trades(source: SourceFile) -> Loaded:
    """Single trades; the buyer as maker means that the taker sold."""
    return _trades(source, _TRADES, _TRADES_NAME, identity="id", coins="qty", time="time")


def load_aggregated(source: SourceFile) -> Loaded:
    """Trades of one order at one price, together."""
    return _trades(
        source, _AGGREGATED, _AGGREGATED_NAME, identity="agg_trade_id", coins="quantity", time="transact_time"
    )


def _trades(
    source: SourceFile,
    columns: dict[str, str],
    name: re.Pattern[str],
    *,
    identity: str,
    coins: str,
    time: str,
) -> Loaded:
    import polars as pl

    match, kind = name.fullmatch(source.name), kind_of(source)
    if match is None:
        return Loaded(
            skipped="trades, and the name does not say the contract like BTCUSDT-trades-2025-10-10.csv"
        )
    if kind is None:
        return Loaded(
            skipped="trades, and no folder in their path says 'spot' or 'futures': put them below one"
        )
    layout = layout_of(source)
    header = layout.kind == "csv"
    if not header and len(layout.names) > len(columns):
        columns = {**columns, **_BEST}
    frame = read_csv(source, columns, header=header)
    frame = checks.with_time_ns(frame, source, time, checks.unit_of(frame, source, time))
    coin = coin_of(source, match[1])
    frame = frame.with_columns(pl.lit(coin).alias("coin"))
    checks.price(frame, source, "price")
    checks.require(
        frame, pl.col(coins) > 0, source, column=coins, expected="a size above 0", todo="sizes have no sign"
    )
    checks.require(
        frame.with_columns(pl.col(identity).diff().alias("_step")),
        pl.col("_step") > 0,
        source,
        column=identity,
        expected="numbers that increase without repeating",
        todo="give the venue's own file",
        kind=SchemaError,
    )
    defects = []
    lost = int((frame[identity].diff().drop_nulls() - 1).sum())
    if lost:
        defects.append(
            Defect("trades-missing", "numbers of trades that are not there", "left as a hole", lost)
        )
    prefix = "" if identity == "id" else "a"
    rows = frame.select(
        ROW,
        "time_ns",
        pl.lit("binance").alias("venue"),
        pl.lit(kind).alias("kind"),
        "coin",
        pl.lit(match[1]).alias("symbol"),
        (pl.lit(prefix) + pl.col(identity).cast(pl.String)).alias("trade_id"),
        pl.when(pl.col("is_buyer_maker")).then(pl.lit("sell")).otherwise(pl.lit("buy")).alias("side"),
        "price",
        pl.col(coins).alias("coins"),
        (pl.col("price") * pl.col(coins)).alias("usd"),
        pl.lit(None, dtype=pl.Boolean).alias("liquidation"),
    )
    return Loaded([("trades", rows)], defects)


ARCHIVE = (
    Importer(
        "binance-metrics",
        1,
        "Binance's metrics",
        tuple(_METRICS),
        _METRICS_NAME,
        recognise_metrics,
        load_metrics,
    ),
    Importer(
        "binance-book-depth",
        1,
        "Binance's banded depth",
        tuple(_DEPTH),
        _DEPTH_NAME,
        recognise_depth,
        load_depth,
    ),
    Importer(
        "binance-funding",
        1,
        "settled funding of a contract",
        tuple(_FUNDING),
        _FUNDING_NAME,
        recognise_funding,
        load_funding,
    ),
    Importer(
        "binance-trades", 1, "Binance's trades", tuple(_TRADES), _TRADES_NAME, recognise_trades, load_trades
    ),
    Importer(
        "binance-aggregated-trades",
        1,
        "Binance's aggregated trades",
        tuple(_AGGREGATED),
        _AGGREGATED_NAME,
        recognise_aggregated,
        load_aggregated,
    ),
)
