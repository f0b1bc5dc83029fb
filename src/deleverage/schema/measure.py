"""What measures give back: tables made from the lake's, never stored in it."""

from __future__ import annotations

from deleverage.schema.table import Table
from deleverage.schema.table import column as _c

# A table is read as rows, one column a line.
# fmt: off
LIQUIDATION_ESTIMATES = Table(
    "liquidation_estimates",
    (
        _c("time_ns", "Int64", "ns UTC", "start of the stretch"),
        _c("end_ns", "Int64", "ns UTC", "its end; nothing later was looked at"),
        _c("venue", "String", "", "venue in lower case; 'all' for a vendor's sum"),
        _c("coin", "String", "", "base asset, 'BTC'"),
        _c("side", "String", "", "which positions were closed: 'long', 'short', or 'both' for their sum"),
        _c("feed", "String", "", "the feed that was counted, or the vendor"),
        _c("publishes", "String", "", "'all', 'throttled', 'inherited' or 'unknown', by `lake feeds`"),
        _c("rule", "String", "", "which event of a window a throttled feed shows: 'first', 'latest', 'largest', 'any'; '' for others"),
        _c("shown", "Int64", "count", "published events, each once", True),
        _c("shown_usd", "Float64", "USD", "their sum", True),
        _c("shown_coins", "Float64", "coins", "their sum", True),
        _c("occupied_share", "Float64", "share", "windows with a published event; for 'first', time in which none could be shown. Mean over the symbols that showed any", True),
        _c("count_low", "Float64", "count", "5 % point of the true number", True),
        _c("count", "Float64", "count", "50 % point; null where nothing bounds it from above", True),
        _c("count_high", "Float64", "count", "95 % point; null where not identified", True),
        _c("usd_low", "Float64", "USD", "5 % point of the true sum", True),
        _c("usd", "Float64", "USD", "50 % point", True),
        _c("usd_high", "Float64", "USD", "95 % point", True),
        _c("coins_low", "Float64", "coins", "5 % point, at the mean price of what was shown", True),
        _c("coins", "Float64", "coins", "50 % point", True),
        _c("coins_high", "Float64", "coins", "95 % point", True),
        _c("burst_mean", "Float64", "count", "events of a burst, median of the draws", True),
        _c("bursts_from", "String", "", "who says so: 'full feeds', 'prior', '' where nothing is hidden"),
        _c("upper_from", "String", "", "what bounds the sum from above: 'feed', 'trades', 'open interest', '' for nothing"),
        _c("oi_fall_coins", "Float64", "coins", "fall of the venue's open interest over the stretch; < 0 where it rose", True),
    ),
    ("time_ns", "end_ns", "venue", "coin", "side", "feed"),
    "liquidations as published, and the true total behind them with a 90 % band",
)
READINGS = Table(
    "readings",
    (
        _c("measure", "String", "", "name of the measure, 'drawdown'"),
        _c("name", "String", "", "which of its figures, 'from_high'"),
        _c("subject", "String", "", "what it is of: 'BTC', 'BTC and GC=F', 'all'"),
        _c("value", "Float64", "", "in the row's unit; null where it could not be measured, and `note` says why", True),
        _c("low", "Float64", "", "lower end of the interval; null where there is none", True),
        _c("high", "Float64", "", "upper end", True),
        _c("interval", "String", "", "what the ends are, '90 % block bootstrap'; '' where there is none"),
        _c("unit", "String", "", "of value, low and high: 'share', 'USD', 'coins', 'days', 'date' (days since 1970-01-01), ..."),
        _c("from_ns", "Int64", "ns UTC", "start of the observations that were used", True),
        _c("to_ns", "Int64", "ns UTC", "their end; never later than the moment that was asked for", True),
        _c("by", "String", "", "by whose count: venue, vendor or publisher, and what they count"),
        _c("data", "String", "", "tables and series of the lake that were used"),
        _c("note", "String", "", "what must be known to read it; '' for nothing"),
    ),
    ("measure", "name", "subject"),
    "figures of a measure as of one moment, one row a figure",
)

SERIES = Table(
    "series",
    (
        _c("measure", "String", "", "name of the measure"),
        _c("name", "String", "", "which of its series, 'close'"),
        _c("subject", "String", "", "what it is of"),
        _c("time_ns", "Int64", "ns UTC", "moment of the point; for a stretch, its start"),
        _c("value", "Float64", "", "in the row's unit; null where it was not observed", True),
        _c("low", "Float64", "", "lower end of its interval", True),
        _c("high", "Float64", "", "upper end", True),
        _c("unit", "String", "", "of value, low and high"),
    ),
    ("measure", "name", "subject", "time_ns"),
    "what a measure's figure is drawn from, one row a point",
)
# fmt: on

MEASURE_TABLES: dict[str, Table] = {table.name: table for table in (LIQUIDATION_ESTIMATES, READINGS, SERIES)}
