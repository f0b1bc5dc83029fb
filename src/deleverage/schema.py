"""Columns, types, units and keys of every table that crosses a room.

One declaration a table; `conform` is the only gate. Times are event times, int64 nanoseconds UTC.
A value that was not observed is null, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deleverage.errors import SchemaError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Column:
    """One column: its polars type by name, its unit and what it means."""

    name: str
    dtype: str
    unit: str
    meaning: str
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """One table: columns in order, and the columns whose values together occur once."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    meaning: str

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)


def _c(name: str, dtype: str, unit: str, meaning: str, nullable: bool = False) -> Column:
    return Column(name, dtype, unit, meaning, nullable)


# A table is read as rows, one column a line.
# fmt: off
_TIME = _c("time_ns", "Int64", "ns UTC", "event time; for a bar, its opening")
_VENUE = _c("venue", "String", "", "venue in lower case, 'binance'")
_COIN = _c("coin", "String", "", "base asset, 'BTC'")
_KIND = _c("kind", "String", "", "'perp', 'spot' or 'future'")
_SYMBOL = _c("symbol", "String", "", "the venue's own name of the contract, 'BTCUSDT'")
_SOURCE = _c("source", "String", "", "dataset and file inside the imported folder, with '/'")

# --- the lake: the world as it was observed -----------------------------------------------------

CANDLES = Table(
    "candles",
    (
        _TIME, _VENUE, _KIND, _COIN, _SYMBOL,
        _c("interval_s", "Int64", "s", "length of the bar"),
        _c("open", "Float64", "USD/coin", "first trade"),
        _c("high", "Float64", "USD/coin", "highest trade"),
        _c("low", "Float64", "USD/coin", "lowest trade"),
        _c("close", "Float64", "USD/coin", "last trade"),
        _c("volume_coins", "Float64", "coins", "traded", True),
        _c("taker_buy_coins", "Float64", "coins", "traded by buying takers", True),
        _c("trades", "Int64", "count", "number of trades", True),
        _SOURCE,
    ),
    ("time_ns", "venue", "kind", "symbol", "interval_s"),
    "price bars of perpetuals and spot",
)

OPEN_INTEREST = Table(
    "open_interest",
    (
        _TIME, _VENUE, _COIN,
        _c("scope", "String", "", "'all': every contract of the venue on that coin"),
        _c("coins", "Float64", "coins", "open contracts, one side counted; USD divided by the vendor's price", True),
        _c("usd", "Float64", "USD", "open contracts at the price of the row"),
        _c("price", "Float64", "USD/coin", "price the vendor used", True),
        _SOURCE,
    ),
    ("time_ns", "venue", "coin", "scope"),
    "open interest by venue over time",
)

DEPTH = Table(
    "depth",
    (
        _TIME, _VENUE, _KIND, _COIN,
        _c("range_bps", "Float64", "bp", "distance from mid up to which orders are summed"),
        _c("taken", "String", "", "'bar': value of the bar's opening; 'fetch': newest bar, value and time of the fetch"),
        _c("bid_usd", "Float64", "USD", "resting bids inside the range"),
        _c("bid_coins", "Float64", "coins", "the same in coins"),
        _c("ask_usd", "Float64", "USD", "resting offers inside the range"),
        _c("ask_coins", "Float64", "coins", "the same in coins"),
        _SOURCE,
    ),
    ("time_ns", "venue", "kind", "coin", "range_bps", "taken"),
    "displayed depth in a band about mid",
)

FUNDING = Table(
    "funding",
    (
        _TIME, _VENUE, _COIN, _SYMBOL,
        _c("interval_s", "Int64", "s", "length of the funding interval"),
        _c("rate", "Float64", "share per interval", "settled rate; > 0 means longs pay"),
        _SOURCE,
    ),
    ("time_ns", "venue", "symbol"),
    "settled funding rates",
)

SNAPSHOTS = Table(
    "snapshots",
    (
        _TIME, _VENUE, _COIN, _SYMBOL, _KIND,
        _c("price", "Float64", "USD/coin", "last price", True),
        _c("index_price", "Float64", "USD/coin", "venue index", True),
        _c("open_interest_coins", "Float64", "coins", "one side counted", True),
        _c("open_interest_usd", "Float64", "USD", "at the price of the row", True),
        _c("funding_rate", "Float64", "share per interval", "running prediction; > 0 means longs pay", True),
        _c("volume_usd_24h", "Float64", "USD", "traded in 24 h", True),
        _c("long_liquidations_usd_24h", "Float64", "USD", "longs closed by force in 24 h (columns already unswapped)", True),
        _c("short_liquidations_usd_24h", "Float64", "USD", "shorts closed by force in 24 h", True),
        _SOURCE,
    ),
    ("time_ns", "venue", "symbol"),
    "state of every contract of a coin at one moment",
)

TIERS = Table(
    "tiers",
    (
        _TIME, _VENUE, _SYMBOL,
        _c("tier", "Int64", "", "1, 2, ..."),
        _c("floor_usd", "Float64", "USD", "notional from which the tier holds"),
        _c("cap_usd", "Float64", "USD", "notional up to which it holds; null where it has no end", True),
        _c("rate_ppm", "Int64", "ppm", "maintenance margin rate, rounded"),
        _c("rate_num", "Int64", "", "the rate exactly: rate_num / rate_den (1/30 is no decimal)"),
        _c("rate_den", "Int64", "", ""),
        _c("max_leverage", "Float64", "x", "largest leverage setting in the tier"),
        _c("deduction_usd", "Float64", "USD", "maintenance amount ('cum') of the tier, from floors and rates"),
        _SOURCE,
    ),
    ("time_ns", "venue", "symbol", "tier"),
    "maintenance margin tiers as of a date",
)

ADL_TOTALS = Table(
    "adl_totals",
    (
        _TIME, _VENUE, _COIN,
        _c("end_ns", "Int64", "ns UTC", "end of the window that is summed"),
        _c("coins", "Float64", "coins", "closed by auto-deleveraging", True),
        _c("usd", "Float64", "USD", "the same at the fill prices"),
        _c("fills", "Int64", "count", "number of fills"),
        _SOURCE,
    ),
    ("time_ns", "venue", "coin"),
    "auto-deleveraging summed over a window",
)

LAKE_TABLES: dict[str, Table] = {
    table.name: table for table in (CANDLES, OPEN_INTEREST, DEPTH, FUNDING, SNAPSHOTS, TIERS, ADL_TOTALS)
}

# --- an answer: what `run` leaves behind ---------------------------------------------------------

_SEED = _c("seed", "Int64", "", "number of the draw")
_MARKET = _c("market", "String", "", "'BTC', 'ETH', ...")
_VARIANT = _c("variant", "String", "", "'factual', 'no_liquidations' (sold evenly over six hours), 'news_only'")

MINUTES = Table(
    "minutes",
    (
        _VARIANT, _SEED, _MARKET, _TIME,
        _c("open", "Float64", "USD/coin", "perpetual mid at the minute's start"),
        _c("high", "Float64", "USD/coin", "highest mid"),
        _c("low", "Float64", "USD/coin", "lowest mid"),
        _c("close", "Float64", "USD/coin", "mid at the minute's end"),
        _c("mark", "Float64", "USD/coin", "mark price at the minute's end"),
        _c("index", "Float64", "USD/coin", "index price at the minute's end"),
        _c("liquidated_long_usd", "Float64", "USD", "longs closed by force, at mark"),
        _c("liquidated_short_usd", "Float64", "USD", "shorts closed by force, at mark"),
        _c("liquidated_long_coins", "Float64", "coins", "the same in coins"),
        _c("liquidated_short_coins", "Float64", "coins", "the same in coins"),
        _c("book_coins", "Float64", "coins", "of the forced coins, filled in the book"),
        _c("takeover_coins", "Float64", "coins", "of the forced coins, taken over by the insurance fund"),
        _c("adl_coins", "Float64", "coins", "of the forced coins, closed against winners"),
        _c("stop_coins", "Float64", "coins", "voluntary stops executed"),
        _c("depth_bid_usd", "Float64", "USD", "displayed bids within 1 % of mid at the minute's end"),
        _c("depth_ask_usd", "Float64", "USD", "displayed offers within 1 % of mid at the minute's end"),
        _c("spread_bps", "Float64", "bp", "quoted spread at the minute's end"),
        _c("open_interest_coins", "Float64", "coins", "one side counted, at the minute's end"),
        _c("fund_usd", "Float64", "USD", "equity of the insurance fund behind the market, at mark"),
    ),
    ("variant", "seed", "market", "time_ns"),
    "what happened minute by minute, one row per draw",
)

DRAWS = Table(
    "draws",
    (
        _SEED,
        _c("point", "Int64", "", "number of the prior point; seeds that share it share all priors"),
        _MARKET,
        _c("shock", "Float64", "share", "news fall drawn from the prior, > 0 down"),
        _c("fuel", "Float64", "share", "share of long open interest liquidated by a fall of 13 %"),
        _c("hidden_depth", "Float64", "x", "hidden and refilled coins per displayed coin, plus one"),
        _c("start", "Float64", "USD/coin", "mid at the start"),
        _c("trough", "Float64", "USD/coin", "lowest mid"),
        _c("trough_after_s", "Int64", "s", "time to it from the start"),
        _c("end", "Float64", "USD/coin", "mid at the end"),
        _c("drop", "Float64", "share", "1 - trough / start"),
        _c("recovered_share", "Float64", "share", "(end - trough) / (start - trough)"),
        _c("open_interest_before_coins", "Float64", "coins", ""),
        _c("open_interest_after_coins", "Float64", "coins", ""),
        _c("liquidated_long_usd", "Float64", "USD", "at mark"),
        _c("liquidated_short_usd", "Float64", "USD", "at mark"),
        _c("book_usd", "Float64", "USD", "of the forced notional, filled in the book"),
        _c("takeover_usd", "Float64", "USD", "of the forced notional, taken over"),
        _c("adl_usd", "Float64", "USD", "of the forced notional, closed against winners"),
        _c("deficit_usd", "Float64", "USD", "loss beyond bankruptcy prices"),
        _c("liquidated_accounts", "Int64", "count", "distinct accounts closed by force in this market"),
    ),
    ("seed", "market"),
    "one row per draw and market of the factual ensemble",
)

VALUES = Table(
    "values",
    (
        _SEED, _MARKET,
        _c("subset", "Int64", "", "bit i is set when mechanism i is on"),
        _c("mechanisms", "String", "", "names that are on, joined by '+', 'none' for news alone"),
        _c("simulated", "Boolean", "", "false where a mechanism that was never consulted makes the value equal"),
        _c("drop", "Float64", "share", "fall of the mid to its trough"),
    ),
    ("seed", "market", "subset"),
    "the value of every subset of mechanisms, v(S)",
)

SHARES = Table(
    "shares",
    (
        _MARKET,
        _c("row", "String", "", "'news', a mechanism, or 'mechanical'"),
        _c("mean", "Float64", "share", "share of the drop: ratio of means over seeds"),
        _c("se", "Float64", "share", "Monte Carlo standard error"),
        _c("first_in", "Float64", "share", "share when switched on first", True),
        _c("last_in", "Float64", "share", "share when switched on last", True),
        _c("prior_p05", "Float64", "share", "5 % point over the priors", True),
        _c("prior_p95", "Float64", "share", "95 % point over the priors", True),
    ),
    ("market", "row"),
    "Shapley shares of the drop",
)

SHARE_BY_SHOCK = Table(
    "share_by_shock",
    (
        _MARKET,
        _c("shock", "Float64", "share", "news shock that every draw is given"),
        _c("drop", "Float64", "share", "mean drop of the draws"),
        _c("share", "Float64", "share", "mechanical share (all mechanical ones as one player), ratio of means"),
        _c("se", "Float64", "share", "standard error over the draws, scatter of the priors included"),
        _c("seeds", "Int64", "count", "draws"),
    ),
    ("market", "shock"),
    "mechanical share as a curve over the news shock",
)

TIPPING = Table(
    "tipping",
    (
        _c("depth", "Float64", "x", "multiple of the scenario's depth"),
        _SEED, _MARKET,
        _c("drop", "Float64", "share", "factual drop at that depth"),
    ),
    ("depth", "seed", "market"),
    "the factual ensemble at several depths",
)

MAP = Table(
    "map",
    (
        _MARKET,
        _c("fall", "Float64", "share", "fall of the mark from the start: 0.01 is -1 %"),
        _c("liquidated_coins_p50", "Float64", "coins", "coins forced out down to that fall, cumulative"),
        _c("liquidated_coins_p05", "Float64", "coins", ""),
        _c("liquidated_coins_p95", "Float64", "coins", ""),
        _c("book_coins", "Float64", "coins", "coins the displayed book absorbs down to that fall, hidden ones included (median prior)"),
        _c("n_p05", "Float64", "", "branching ratio n(x)"),
        _c("n_p50", "Float64", "", ""),
        _c("n_p95", "Float64", "", ""),
    ),
    ("market", "fall"),
    "liquidation map against the book at the start",
)

LEDGER_FLOW = Table(
    "ledger_flow",
    (
        _c("payer", "String", "", "party that lost"),
        _c("receiver", "String", "", "party that gained"),
        _c("usd", "Float64", "USD", "mean over seeds, >= 0"),
    ),
    ("payer", "receiver"),
    "who paid whom over the run",
)

FIGURES = Table(
    "figures",
    (
        _c("key", "String", "", "path in the scenario"),
        _c("value", "String", "", "value, or the prior as text"),
        _c("unit", "String", "", ""),
        _c("mark", "String", "", "'observed', 'assumed', 'fitted' or 'set by user'"),
        _c("source", "String", "", "where it comes from"),
    ),
    ("key",),
    "every figure of the scenario with its mark and source",
)

PUBLISHED = Table(
    "published",
    (
        _c("id", "String", "", ""),
        _c("text", "String", "", "the figure in words"),
        _c("by_whose_count", "String", "", ""),
        _c("venue_set", "String", "", ""),
        _c("published", "Float64", "", "stated value", True),
        _c("unit", "String", "", "'USD', 'USD/coin', 'coins', 'share', 's' or a text"),
        _c("p05", "Float64", "", "simulated", True),
        _c("p50", "Float64", "", "simulated", True),
        _c("p95", "Float64", "", "simulated", True),
        _c("verdict", "String", "", "'inside', 'outside', 'different venue set', 'not simulated'"),
        _c("used_to_fit", "Boolean", "", ""),
        _c("source", "String", "", ""),
    ),
    ("id",),
    "published figures of the night beside the simulated ones",
)

ANSWER_TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        MINUTES,
        DRAWS,
        VALUES,
        SHARES,
        SHARE_BY_SHOCK,
        TIPPING,
        MAP,
        LEDGER_FLOW,
        FIGURES,
        PUBLISHED,
        CANDLES,
    )
}

# fmt: on


def empty(table: Table) -> pl.DataFrame:
    """A frame with the table's columns and no rows."""
    import polars as pl

    return pl.DataFrame(schema={column.name: getattr(pl, column.dtype) for column in table.columns})


def conform(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Return ``frame`` with the declared columns in the declared order, or say what is wrong.

    Integers are widened to the declared type; nothing else is converted.

    Raises
    ------
    SchemaError
        a column is missing, unknown, of another type, or null or not finite where it may not be, or a key repeats.
    """
    import polars as pl

    missing = [name for name in table.names if name not in frame.columns]
    unknown = [name for name in frame.columns if name not in table.names]
    if missing or unknown:
        raise SchemaError(
            f"table '{table.name}' needs columns {list(table.names)}; missing {missing}, not known {unknown}",
            table=table.name,
        )
    casts = []
    for column in table.columns:
        expected = getattr(pl, column.dtype)
        found = frame.schema[column.name]
        if found == expected:
            casts.append(pl.col(column.name))
        elif (found.is_integer() and expected in (pl.Int64, pl.Float64)) or found == pl.Null:
            casts.append(pl.col(column.name).cast(expected))
        else:
            raise SchemaError(
                f"column '{column.name}' of table '{table.name}' must be {column.dtype}, found {found}",
                table=table.name,
                column=column.name,
            )
    try:
        result = frame.select(casts)
    except pl.exceptions.InvalidOperationError as error:  # an integer beyond int64
        raise SchemaError(f"table '{table.name}': {error}", table=table.name) from error
    for column in table.columns:
        values = result[column.name]
        if column.dtype == "Float64" and bool(values.is_nan().any() or values.is_infinite().any()):
            raise SchemaError(
                f"column '{column.name}' of table '{table.name}' holds a value that is not finite; "
                "an unobserved value is null",
                table=table.name,
                column=column.name,
            )
        if not column.nullable and values.null_count():
            raise SchemaError(
                f"column '{column.name}' of table '{table.name}' may not be null; {values.null_count()} rows are",
                table=table.name,
                column=column.name,
            )
    if table.key and result.height and result.select(table.key).is_duplicated().any():
        raise SchemaError(f"table '{table.name}': rows repeat the key {list(table.key)}", table=table.name)
    return result
