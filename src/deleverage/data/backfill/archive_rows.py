"""What do the CSVs of Binance's public archive say, as rows of the lake?

Layouts: github.com/binance/binance-public-data (read 2026-11). Files of some years have a header and others
have none; spot files give microseconds since 2025-01-01, all others milliseconds. Rows that repeat are taken
once; two rows of one key that differ refuse the file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deleverage.data.backfill.csv_block import ROW, Block, read, refused
from deleverage.data.importers import checks
from deleverage.data.importers.base import SourceFile
from deleverage.errors import InputError, SourceChanged

if TYPE_CHECKING:
    import polars as pl

_KLINE = dict(
    zip(
        (
            *("open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume"),
            *("count", "taker_buy_volume", "taker_buy_quote_volume", "ignore"),
        ),
        ("Int64", *["Float64"] * 5, "Int64", "Float64", "Int64", *["Float64"] * 3),
        strict=True,
    )
)
_RATIOS = {
    "count_toptrader_long_short_ratio": "top_accounts_long_short_ratio",
    "sum_toptrader_long_short_ratio": "top_positions_long_short_ratio",
    "count_long_short_ratio": "accounts_long_short_ratio",
    "sum_taker_long_short_vol_ratio": "taker_buy_sell_ratio",
}
_METRICS = {
    "create_time": "String",
    "symbol": "String",
    "sum_open_interest": "Float64",
    "sum_open_interest_value": "Float64",
    **dict.fromkeys(_RATIOS, "Float64"),
}
_FUNDING = {"calc_time": "Int64", "funding_interval_hours": "Int64", "last_funding_rate": "Float64"}
_TRADES = {
    "agg_trade_id": "Int64",
    "price": "Float64",
    "quantity": "Float64",
    "first_trade_id": "Int64",
    "last_trade_id": "Int64",
    "transact_time": "Int64",
    "is_buyer_maker": "Boolean",
}
_DEPTH = {"timestamp": "String", "percentage": "Float64", "depth": "Float64", "notional": "Float64"}
_LIQUIDATIONS = {
    "time": "Int64",
    "side": "String",
    "order_type": "String",
    "time_in_force": "String",
    "original_quantity": "Float64",
    "price": "Float64",
    "average_price": "Float64",
    "order_status": "String",
    "last_fill_quantity": "Float64",
    "accumulated_fill_quantity": "Float64",
}
QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD")
METRICS_S = 300
_SECOND_NS = 1_000_000_000
_SETTLE_JITTER_NS = 2_000_000_000  # settlements are stamped up to a second beside the full hour


@dataclass(frozen=True)
class Series:
    """What a file is of."""

    kind: str
    market: str
    symbol: str
    interval_s: int = 0

    @property
    def by_coin(self) -> bool:
        """Whether the contract is margined in the coin, so that sizes are contracts of dollars."""
        return self.market == "futures/cm"

    @property
    def contract(self) -> str:
        """'spot', 'perp' or 'future'."""
        if self.market == "spot":
            return "spot"
        tail = self.symbol.rpartition("_")[2]
        return "future" if "_" in self.symbol and tail.isdigit() else "perp"

    @property
    def coin(self) -> str:
        """Base asset of the symbol."""
        pair = self.symbol.partition("_")[0]
        # Coin-margined ones are in dollars: BNBUSD_PERP is BNB in USD, not BN in BUSD.
        for quote in ("USD",) if self.by_coin else QUOTES:
            if pair.endswith(quote) and len(pair) > len(quote):
                return pair[: -len(quote)]
        raise InputError(
            f"{self.symbol}: expected a symbol in {list(QUOTES)}, found another",
            hint="Give a market that is quoted in dollars.",
        )


@dataclass
class Rows:
    """Rows by table, and what was wrong with the file and how it was handled."""

    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def rows_of(series: Series, block: Block) -> Rows:
    """Rows of a block of the file of a series.

    Raises
    ------
    SourceChanged
        the block is not as documented.
    """
    try:
        return _PARSERS[series.kind](series, block)
    except InputError as error:  # of the checks: whoever asked is not to blame for the source's file
        raise SourceChanged(error.message, hint=error.hint, file=block.label) from error


def _klines(series: Series, block: Block) -> Rows:
    import polars as pl

    frame, notes = tidy(read(block, _KLINE), ["open_time"], block)
    if frame.is_empty():
        return Rows({}, notes)
    source = _file(block)
    unit = _unit(frame, "open_time", block)
    length = series.interval_s * _SECOND_NS // checks.PER_UNIT_NS[unit]
    frame = checks.with_time_ns(frame, source, "open_time", unit)
    checks.require(
        frame,
        (pl.col("close_time") - pl.col("open_time") == length - 1)
        & (pl.col("open_time") % length == _monday(series.interval_s, checks.PER_UNIT_NS[unit])),
        source,
        column="close_time",
        expected=f"a bar of {series.interval_s} s in {unit} that opens on a whole multiple of it",
        todo="if it stays so, the source has changed",
    )
    # Of coin-margined contracts the volume is contracts, and where others have dollars there are coins.
    coins = "quote_volume" if series.by_coin else "volume"
    frame = _base(frame, series).with_columns(
        pl.lit(series.interval_s, dtype=pl.Int64).alias("interval_s"),
        pl.col(coins).alias("volume_coins"),
        pl.col(f"taker_buy_{coins}").alias("taker_buy_coins"),
        pl.col("count").alias("trades"),
    )
    names = ["time_ns", "venue", "kind", "coin", "symbol", "interval_s", "open", "high", "low", "close"]
    frame = frame.select(ROW, *names, "volume_coins", "taker_buy_coins", "trades")
    checks.bars(frame, source)
    return Rows({"candles": frame.drop(ROW)}, notes)


def _metrics(series: Series, block: Block) -> Rows:
    import polars as pl

    frame, notes = tidy(read(block, _METRICS, tuple(_RATIOS)), ["create_time"], block)
    frame = _base(_moments(frame, "create_time", block), series)
    other = frame.filter(pl.col("symbol") != pl.col("_symbol"))
    if other.height:
        raise refused(block, int(other[ROW][0]), "symbol", series.symbol, f"'{other['_symbol'][0]}'")
    empty = frame.filter((pl.col("sum_open_interest") <= 0) | (pl.col("sum_open_interest_value") <= 0)).height
    if empty:
        notes.append(f"{empty} rows state an open interest of zero: not observed, left out")
    coins, usd = pl.col("sum_open_interest"), pl.col("sum_open_interest_value")
    interest = frame.filter((coins > 0) & (usd > 0)).select(
        "time_ns",
        "venue",
        "coin",
        pl.col("symbol").alias("scope"),
        coins.alias("coins"),
        usd.alias("usd"),
        (usd / coins).alias("price"),
    )
    ratios = frame.select("time_ns", "venue", "symbol", *_RATIOS).unpivot(
        list(_RATIOS), index=["time_ns", "venue", "symbol"], variable_name="name", value_name="value"
    )
    indicators = ratios.filter(pl.col("value").is_not_null()).select(
        "time_ns",
        pl.lit("binance").alias("publisher"),
        pl.col("name").replace_strict(_RATIOS, return_dtype=pl.String),
        "venue",
        "symbol",
        pl.lit(METRICS_S, dtype=pl.Int64).alias("interval_s"),
        "value",
        pl.lit("ratio").alias("unit"),
    )
    return Rows({"open_interest": interest, "indicators": indicators}, notes)


def _funding(series: Series, block: Block) -> Rows:
    import polars as pl

    frame, notes = tidy(read(block, _FUNDING), ["calc_time"], block)
    source = _file(block)
    if frame.is_empty():
        return Rows({}, notes)
    frame = _base(checks.with_time_ns(frame, source, "calc_time", "milliseconds"), series)
    frame = frame.with_columns(settled_ns(pl.col("time_ns")))
    checks.increasing(frame, source, "calc_time")
    checks.funding_rates(frame, source, "last_funding_rate", by="symbol")
    checks.require(
        frame,
        pl.col("funding_interval_hours").is_in([1, 2, 4, 8]),
        source,
        column="funding_interval_hours",
        expected="an interval of 1, 2, 4 or 8 hours",
        todo="if it stays so, the source has changed",
    )
    return Rows(
        {
            "funding": frame.select(
                "time_ns",
                "venue",
                "coin",
                "symbol",
                (pl.col("funding_interval_hours") * 3600).alias("interval_s"),
                pl.col("last_funding_rate").alias("rate"),
            )
        },
        notes,
    )


def _trades(series: Series, block: Block) -> Rows:
    import polars as pl

    # Spot files have one field more, and no header.
    columns = {**_TRADES, "best_match": "Boolean"} if series.market == "spot" else _TRADES
    frame, notes = tidy(read(block, columns), ["agg_trade_id"], block)
    if frame.is_empty():
        return Rows({}, notes)
    source = _file(block)
    frame = checks.with_time_ns(frame, source, "transact_time", _unit(frame, "transact_time", block))
    holes = int((frame["agg_trade_id"].diff().drop_nulls() - 1).sum())
    if holes:
        notes.append(f"{holes} trades are missing by their numbers")
    frame = _base(frame, series)
    checks.price(frame, source, "price")
    checks.require(
        frame,
        pl.col("quantity") > 0,
        source,
        column="quantity",
        expected="a quantity above 0",
        todo="if it stays so, the source has changed",
    )
    if series.by_coin:
        usd = pl.col("quantity") * contract_usd(series.coin)
        coins = usd / pl.col("price")
    else:
        coins, usd = pl.col("quantity"), pl.col("quantity") * pl.col("price")
    return Rows(
        {
            "trades": frame.select(
                "time_ns",
                "venue",
                "kind",
                "coin",
                "symbol",
                aggregated_id(pl.col("agg_trade_id")).alias("trade_id"),
                # The buyer's order was in the book: the taker sold.
                pl.when("is_buyer_maker").then(pl.lit("sell")).otherwise(pl.lit("buy")).alias("side"),
                "price",
                coins.alias("coins"),
                usd.alias("usd"),
                pl.lit(None, dtype=pl.Boolean).alias("liquidation"),
            )
        },
        notes,
    )


def _depth(series: Series, block: Block) -> Rows:
    import polars as pl

    frame, notes = tidy(read(block, _DEPTH), ["timestamp", "percentage"], block)
    frame = _base(_moments(frame, "timestamp", block), series)
    frame = frame.with_columns((pl.col("percentage").abs() * 100).round(6).alias("range_bps"))
    keys = ["time_ns", "venue", "kind", "coin", "range_bps"]
    sides = {
        side: frame.filter(keep).select(
            *keys, pl.col("notional").alias(f"{side}_usd"), pl.col("depth").alias(f"{side}_coins")
        )
        for side, keep in (("bid", pl.col("percentage") < 0), ("ask", pl.col("percentage") > 0))
    }
    both = sides["bid"].join(sides["ask"], on=keys, how="inner")
    alone = sides["bid"].height + sides["ask"].height - 2 * both.height
    if alone:
        notes.append(f"{alone} rows have one side of the book only: left out")
    return Rows(
        {
            "depth": both.select(
                *keys, pl.lit("fetch").alias("taken"), "bid_usd", "bid_coins", "ask_usd", "ask_coins"
            )
        },
        notes,
    )


def _liquidations(series: Series, block: Block) -> Rows:
    import polars as pl

    frame = read(block, _LIQUIDATIONS)
    twice = frame.height - frame.unique(subset=list(_LIQUIDATIONS)).height
    frame = frame.unique(subset=list(_LIQUIDATIONS), keep="first", maintain_order=True)
    notes = [f"{twice} rows repeat another one: taken once"] if twice else []
    if frame.is_empty():
        return Rows({}, notes)
    source = _file(block)
    frame = _base(checks.with_time_ns(frame, source, "time", "milliseconds"), series)
    sides = frame.filter(~pl.col("side").is_in(["BUY", "SELL"]))
    if sides.height:
        raise refused(block, int(sides[ROW][0]), "side", "BUY or SELL", f"'{sides['side'][0]}'")
    # A zero price means that nothing was filled: not observed.
    filled = pl.when(pl.col("average_price") > 0).then(pl.col("average_price")).otherwise(None)
    order = pl.when(pl.col("price") > 0).then(pl.col("price")).otherwise(None)
    size = pl.col("accumulated_fill_quantity")
    frame = frame.with_columns(
        filled.alias("_fill"), order.alias("_order"), pl.coalesce(filled, order).alias("_at")
    )
    unpriced = frame.filter(pl.col("_at").is_null() | (size <= 0)).height
    if unpriced:
        notes.append(f"{unpriced} rows have no price or no fill: left out")
    frame = frame.filter(pl.col("_at").is_not_null() & (size > 0))
    if series.by_coin:
        contract = contract_usd(series.coin)
        coins, usd = size * contract / pl.col("_at"), size * contract
        notes.append(f"sizes are contracts of {contract:g} USD: converted to coins")
    else:
        coins, usd = size, size * pl.col("_at")
    ids = [_hash(row) for row in frame.select(list(_LIQUIDATIONS)).iter_rows()]
    rows = frame.with_columns(
        coins.alias("coins"), usd.alias("usd"), pl.Series("event_id", ids, dtype=pl.String)
    )
    return Rows(
        {
            "liquidations": rows.select(
                *("time_ns", "venue", "kind", "coin", "symbol", "event_id"),
                # The forced order sells what a long held.
                pl.when(pl.col("side") == "SELL")
                .then(pl.lit("long"))
                .otherwise(pl.lit("short"))
                .alias("side"),
                "coins",
                pl.col("_fill").alias("price"),
                pl.col("_order").alias("order_price"),
                "usd",
                pl.when(pl.col("_fill").is_null())
                .then(pl.lit("order"))
                .otherwise(pl.lit("fill"))
                .alias("usd_at"),
                pl.lit("liquidationSnapshot").alias("feed"),
            )
        },
        notes,
    )


_PARSERS = {
    "klines": _klines,
    "metrics": _metrics,
    "funding": _funding,
    "trades": _trades,
    "depth": _depth,
    "liquidations": _liquidations,
}


def contract_usd(coin: str) -> float:
    """Face value of a coin-margined contract [USD]: 100 for BTC, 10 for every other (Binance, contract
    list).
    """
    return 100.0 if coin == "BTC" else 10.0


def aggregated_id(number: pl.Expr) -> pl.Expr:
    """'a123' for an aggregate of trades: single trades are numbered apart, and are called by their number."""
    import polars as pl

    return pl.lit("a") + number.cast(pl.String)


def settled_ns(time: pl.Expr) -> pl.Expr:
    """The full hour that a settlement belongs to, where its stamp is within 2 s of one."""
    import polars as pl

    hour = 3600 * _SECOND_NS
    nearest = (time + hour // 2) // hour * hour
    return pl.when((time - nearest).abs() <= _SETTLE_JITTER_NS).then(nearest).otherwise(time).alias("time_ns")


def tidy(frame: pl.DataFrame, key: list[str], block: Block) -> tuple[pl.DataFrame, list[str]]:
    """Rows once each and in the order of ``key``; what was done is said. Different rows of one key refuse the
    file.
    """
    values = [name for name in frame.columns if name != ROW]
    once = frame.unique(subset=values, keep="first", maintain_order=True)
    notes = []
    if once.height < frame.height:
        notes.append(f"{frame.height - once.height} rows repeat another one: taken once")
    ordered = once.sort(key, maintain_order=True)
    if not ordered[ROW].is_sorted():
        notes.append("rows were not in order: sorted")
    twice = ordered.filter(ordered.select(key).is_duplicated())
    if twice.height:
        raise refused(
            block,
            int(twice[ROW][1]),
            key[0],
            "one row of each key",
            f"two for {twice[key[0]][0]} that differ",
        )
    return ordered, notes


def _base(frame: pl.DataFrame, series: Series) -> pl.DataFrame:
    import polars as pl

    if "symbol" in frame.columns:
        frame = frame.rename({"symbol": "_symbol"})
    return frame.with_columns(
        pl.lit("binance").alias("venue"),
        pl.lit(series.contract).alias("kind"),
        pl.lit(series.coin).alias("coin"),
        pl.lit(series.symbol).alias("symbol"),
    )


def _moments(frame: pl.DataFrame, column: str, block: Block) -> pl.DataFrame:
    """'time_ns' out of '2025-10-10 00:05:00' (UTC); files of the first years have the date alone."""
    import polars as pl

    text = pl.col(column)
    moment = pl.coalesce(
        text.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="ns"),
        text.str.to_datetime("%Y-%m-%d", strict=False, time_unit="ns", exact=True),
    )
    frame = frame.with_columns(moment.cast(pl.Int64).alias("time_ns"))
    bad = frame.filter(
        pl.col("time_ns").is_null() | ~pl.col("time_ns").is_between(checks.FIRST_NS, checks.LAST_NS)
    )
    if bad.height:
        raise refused(
            block, int(bad[ROW][0]), column, "a time like 2025-10-10 00:05:00", f"'{bad[column][0]}'"
        )
    return frame


def _unit(frame: pl.DataFrame, column: str, block: Block) -> str:
    digits = len(str(frame[column][0]))
    unit = {13: "milliseconds", 16: "microseconds"}.get(digits)
    if unit is None:
        raise refused(
            block,
            int(frame[ROW][0]),
            column,
            "milliseconds (13 digits) or microseconds (16 digits) since 1970",
            str(frame[column][0]),
        )
    return unit


def _monday(interval_s: int, per_unit_ns: int) -> int:
    """Remainder of an opening time: weeks open on Mondays, and 1970 began on a Thursday."""
    return 4 * 86_400 * _SECOND_NS // per_unit_ns if interval_s == 7 * 86_400 else 0


def _hash(row: tuple[object, ...]) -> str:
    return hashlib.sha256("|".join(str(value) for value in row).encode()).hexdigest()[:24]


def _file(block: Block) -> SourceFile:
    return SourceFile(Path(block.label), block.label)
