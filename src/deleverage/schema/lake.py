"""Columns, types, units and keys of the lake's tables: the world as it was observed.

`time_ns` is the event time; for a bar, its opening. `received_ns` is when this machine received the row, null for
rows that were read from files. A value that was not observed is null, never zero.
"""

from __future__ import annotations

from deleverage.schema.table import Table
from deleverage.schema.table import column as _c

# A table is read as rows, one column a line.
# fmt: off
TIME = _c("time_ns", "Int64", "ns UTC", "event time; for a bar, its opening")
RECEIVED = _c("received_ns", "Int64", "ns UTC", "when it was received, by the receiver's clock; null where a file does not say", True)
VENUE = _c("venue", "String", "", "venue in lower case, 'binance'")
COIN = _c("coin", "String", "", "base asset, 'BTC'")
KIND = _c("kind", "String", "", "'perp', 'spot' or 'future'")
SYMBOL = _c("symbol", "String", "", "the venue's own name of the contract, 'BTCUSDT'")
PUBLISHER = _c("publisher", "String", "", "who publishes the series, 'alternative.me'")
ACCOUNT = _c("account", "String", "", "the account's address or number")
STREAM = _c("stream", "String", "", "what the venue was asked for, 'trades', 'forceOrder'")
SOURCE = _c("source", "String", "", "dataset and file inside the imported folder, with '/'; or the feed")

LAKE_CANDLES = Table(
    "candles",
    (
        TIME, RECEIVED, VENUE, KIND, COIN, SYMBOL,
        _c("interval_s", "Int64", "s", "length of the bar"),
        _c("open", "Float64", "USD/coin", "first trade"),
        _c("high", "Float64", "USD/coin", "highest trade"),
        _c("low", "Float64", "USD/coin", "lowest trade"),
        _c("close", "Float64", "USD/coin", "last trade"),
        _c("volume_coins", "Float64", "coins", "traded", True),
        _c("taker_buy_coins", "Float64", "coins", "traded by buying takers", True),
        _c("trades", "Int64", "count", "number of trades", True),
        SOURCE,
    ),
    ("time_ns", "venue", "kind", "symbol", "interval_s"),
    "price bars of perpetuals and spot",
)

OPEN_INTEREST = Table(
    "open_interest",
    (
        TIME, RECEIVED, VENUE, COIN,
        _c("scope", "String", "", "'all': every contract of the venue on that coin; else the venue's name of the one contract"),
        _c("coins", "Float64", "coins", "open contracts, one side counted; USD divided by the vendor's price", True),
        _c("usd", "Float64", "USD", "open contracts at the price of the row"),
        _c("price", "Float64", "USD/coin", "price the vendor used", True),
        SOURCE,
    ),
    ("time_ns", "venue", "coin", "scope"),
    "open interest by venue over time",
)

DEPTH = Table(
    "depth",
    (
        TIME, RECEIVED, VENUE, KIND, COIN,
        _c("range_bps", "Float64", "bp", "distance from mid up to which orders are summed"),
        _c("taken", "String", "", "'bar': value of the bar's opening; 'fetch': newest bar, value and time of the fetch; 'live': a collected book"),
        _c("bid_usd", "Float64", "USD", "resting bids inside the range; null where the book does not reach so far", True),
        _c("bid_coins", "Float64", "coins", "the same in coins", True),
        _c("ask_usd", "Float64", "USD", "resting offers inside the range; null where the book does not reach so far", True),
        _c("ask_coins", "Float64", "coins", "the same in coins", True),
        SOURCE,
    ),
    ("time_ns", "venue", "kind", "coin", "range_bps", "taken"),
    "displayed depth in a band about mid",
)

FUNDING = Table(
    "funding",
    (
        TIME, RECEIVED, VENUE, COIN, SYMBOL,
        _c("interval_s", "Int64", "s", "length of the funding interval"),
        _c("rate", "Float64", "share per interval", "settled rate; > 0 means longs pay"),
        SOURCE,
    ),
    ("time_ns", "venue", "symbol"),
    "settled funding rates",
)

SNAPSHOTS = Table(
    "snapshots",
    (
        TIME, RECEIVED, VENUE, COIN, SYMBOL, KIND,
        _c("price", "Float64", "USD/coin", "last price", True),
        _c("index_price", "Float64", "USD/coin", "venue index", True),
        _c("open_interest_coins", "Float64", "coins", "one side counted", True),
        _c("open_interest_usd", "Float64", "USD", "at the price of the row", True),
        _c("funding_rate", "Float64", "share per interval", "running prediction; > 0 means longs pay", True),
        _c("volume_usd_24h", "Float64", "USD", "traded in 24 h", True),
        _c("long_liquidations_usd_24h", "Float64", "USD", "longs closed by force in 24 h (columns already unswapped)", True),
        _c("short_liquidations_usd_24h", "Float64", "USD", "shorts closed by force in 24 h", True),
        SOURCE,
    ),
    ("time_ns", "venue", "symbol"),
    "state of every contract of a coin at one moment",
)

TIERS = Table(
    "tiers",
    (
        TIME, RECEIVED, VENUE, SYMBOL,
        _c("tier", "Int64", "", "1, 2, ..."),
        _c("floor_usd", "Float64", "USD", "notional from which the tier holds"),
        _c("cap_usd", "Float64", "USD", "notional up to which it holds; null where it has no end", True),
        _c("rate_ppm", "Int64", "ppm", "maintenance margin rate, rounded"),
        _c("rate_num", "Int64", "", "the rate exactly: rate_num / rate_den (1/30 is no decimal)"),
        _c("rate_den", "Int64", "", ""),
        _c("max_leverage", "Float64", "x", "largest leverage setting in the tier"),
        _c("deduction_usd", "Float64", "USD", "maintenance amount ('cum') of the tier, from floors and rates"),
        SOURCE,
    ),
    ("time_ns", "venue", "symbol", "tier"),
    "maintenance margin tiers as of a date",
)

ADL_TOTALS = Table(
    "adl_totals",
    (
        TIME, RECEIVED, VENUE, COIN,
        _c("end_ns", "Int64", "ns UTC", "end of the window that is summed"),
        _c("coins", "Float64", "coins", "closed by auto-deleveraging", True),
        _c("usd", "Float64", "USD", "the same at the fill prices"),
        _c("fills", "Int64", "count", "number of fills"),
        SOURCE,
    ),
    ("time_ns", "venue", "coin"),
    "auto-deleveraging summed over a window",
)

TRADES = Table(
    "trades",
    (
        TIME, RECEIVED, VENUE, KIND, COIN, SYMBOL,
        _c("trade_id", "String", "", "the venue's number of the trade"),
        _c("side", "String", "", "the taker's: 'buy' or 'sell'"),
        _c("price", "Float64", "USD/coin", "as the venue gives it"),
        _c("coins", "Float64", "coins", "> 0; contracts are already converted"),
        _c("usd", "Float64", "USD", "coins at the price"),
        _c("liquidation", "Boolean", "", "whether the venue marks it as forced; null where it does not say", True),
        SOURCE,
    ),
    ("venue", "symbol", "trade_id", "time_ns"),
    "single trades",
)

LIQUIDATIONS = Table(
    "liquidations",
    (
        TIME, RECEIVED, VENUE, KIND, COIN, SYMBOL,
        _c("event_id", "String", "", "the venue's number of the event, or a hash of its content"),
        _c("side", "String", "", "which position was closed: 'long' or 'short'"),
        _c("coins", "Float64", "coins", "closed by this event"),
        _c("price", "Float64", "USD/coin", "average of its fills", True),
        _c("order_price", "Float64", "USD/coin", "limit of the forced order, mostly the bankruptcy price", True),
        _c("usd", "Float64", "USD", "coins at the fill price; at the order's where no fill is known"),
        _c("usd_at", "String", "", "which of the two: 'fill' or 'order'"),
        _c("feed", "String", "", "'forceOrder', 'allLiquidation', 'liquidation-orders', 'userFills', 'onchain', 'aggregate'"),
        SOURCE,
    ),
    ("venue", "symbol", "time_ns", "event_id"),
    "single forced closings, as far as the feed shows them",
)

LIQUIDATION_TOTALS = Table(
    "liquidation_totals",
    (
        TIME, RECEIVED,
        _c("venue", "String", "", "venue in lower case; 'all' is the publisher's sum"),
        COIN,
        _c("interval_s", "Int64", "s", "length of the window that is summed"),
        _c("side", "String", "", "which positions were closed: 'long' or 'short'"),
        _c("usd", "Float64", "USD", "closed by force"),
        _c("publisher", "String", "", "who counted, or which feed was summed"),
        SOURCE,
    ),
    ("time_ns", "venue", "coin", "interval_s", "side", "publisher"),
    "forced closings summed over a window, as published",
)

MARKS = Table(
    "marks",
    (
        TIME, RECEIVED, VENUE, COIN, SYMBOL,
        _c("mark_price", "Float64", "USD/coin", "the venue's margin price", True),
        _c("index_price", "Float64", "USD/coin", "the venue's index", True),
        _c("last_price", "Float64", "USD/coin", "last trade", True),
        _c("funding_rate", "Float64", "share per interval", "running prediction; > 0 means longs pay", True),
        _c("next_funding_ns", "Int64", "ns UTC", "when funding is settled next", True),
        SOURCE,
    ),
    ("time_ns", "venue", "symbol"),
    "mark, index and last price with the running funding rate",
)

BOOKS = Table(
    "books",
    (
        TIME, RECEIVED, VENUE, KIND, COIN, SYMBOL,
        _c("side", "String", "", "'bid' or 'ask'"),
        _c("level", "Int64", "", "1 is the best"),
        _c("price", "Float64", "USD/coin", "as the venue gives it"),
        _c("coins", "Float64", "coins", "resting at that price"),
        _c("update_id", "Int64", "", "the venue's number of the book's state", True),
        SOURCE,
    ),
    ("time_ns", "venue", "kind", "symbol", "side", "level"),
    "snapshots of the order book, one row a level",
)

BEST_QUOTES = Table(
    "best_quotes",
    (
        TIME, RECEIVED, VENUE, KIND, COIN, SYMBOL,
        _c("bid_price", "Float64", "USD/coin", "best bid"),
        _c("bid_coins", "Float64", "coins", "resting at it"),
        _c("ask_price", "Float64", "USD/coin", "best offer"),
        _c("ask_coins", "Float64", "coins", "resting at it"),
        _c("update_id", "Int64", "", "the venue's number of the book's state"),
        SOURCE,
    ),
    ("time_ns", "venue", "kind", "symbol", "update_id"),
    "best bid and offer at every change",
)

FLOWS = Table(
    "flows",
    (
        _c("time_ns", "Int64", "ns UTC", "00:00 UTC of the date that the publisher gives"),
        RECEIVED, PUBLISHER, COIN,
        _c("fund", "String", "", "the fund's ticker; 'total' is the publisher's sum"),
        _c("usd", "Float64", "USD", "> 0 flows into the fund"),
        SOURCE,
    ),
    ("time_ns", "publisher", "coin", "fund"),
    "daily flows of exchange-traded funds",
)

SENTIMENT = Table(
    "sentiment",
    (
        TIME, RECEIVED, PUBLISHER,
        _c("value", "Int64", "", "0 (extreme fear) to 100 (extreme greed)"),
        _c("class", "String", "", "the publisher's word for it", True),
        SOURCE,
    ),
    ("time_ns", "publisher"),
    "Fear & Greed and the like",
)

MACRO = Table(
    "macro",
    (
        _c("time_ns", "Int64", "ns UTC", "00:00 UTC of the session's date; for shorter bars, the opening"),
        RECEIVED, PUBLISHER,
        _c("symbol", "String", "", "the publisher's name of the series, 'GC=F', 'GLD'"),
        _c("interval_s", "Int64", "s", "length of the bar"),
        _c("open", "Float64", "", "in the row's unit", True),
        _c("high", "Float64", "", "in the row's unit", True),
        _c("low", "Float64", "", "in the row's unit", True),
        _c("close", "Float64", "", "in the row's unit"),
        _c("volume", "Float64", "", "as the publisher counts it", True),
        _c("unit", "String", "", "of the prices, 'USD/oz', 'USD', 'points'"),
        SOURCE,
    ),
    ("time_ns", "publisher", "symbol", "interval_s"),
    "gold, indices and other series from outside",
)

MARKET_CAPS = Table(
    "market_caps",
    (
        TIME, RECEIVED, PUBLISHER,
        _c("coin", "String", "", "base asset; 'total' is the whole market"),
        _c("usd", "Float64", "USD", "market capitalisation"),
        _c("volume_usd_24h", "Float64", "USD", "traded in 24 h", True),
        _c("supply_coins", "Float64", "coins", "coins in circulation", True),
        SOURCE,
    ),
    ("time_ns", "publisher", "coin"),
    "market capitalisation",
)

HOLDINGS = Table(
    "holdings",
    (
        TIME, RECEIVED, VENUE, ACCOUNT, COIN, SYMBOL,
        _c("coins", "Float64", "coins", "size of the position, long > 0"),
        _c("entry_price", "Float64", "USD/coin", "average price of the open size", True),
        _c("leverage", "Float64", "x", "the account's leverage setting", True),
        _c("notional_usd", "Float64", "USD", "abs(coins) at the mark price", True),
        _c("unrealised_pnl_usd", "Float64", "USD", "at the mark price", True),
        _c("liquidation_price", "Float64", "USD/coin", "as the venue shows it", True),
        _c("account_value_usd", "Float64", "USD", "equity of the account", True),
        SOURCE,
    ),
    ("time_ns", "venue", "account", "symbol"),
    "positions seen on chain",
)

ADL_EVENTS = Table(
    "adl_events",
    (
        TIME, RECEIVED, VENUE,
        _c("account", "String", "", "account that was closed", True),
        COIN,
        _c("coins", "Float64", "coins", "of the position closed, long > 0", True),
        _c("usd", "Float64", "USD", "at the fill price"),
        _c("entry_price", "Float64", "USD/coin", "average price of the position", True),
        _c("pnl_usd", "Float64", "USD", "booked by the closing", True),
        _c("fills", "Int64", "count", "number of fills", True),
        _c("event_id", "String", "", "the venue's number of the event, or a hash of its content"),
        SOURCE,
    ),
    ("venue", "coin", "time_ns", "event_id"),
    "single positions closed by auto-deleveraging",
)

INDICATORS = Table(
    "indicators",
    (
        TIME, RECEIVED, PUBLISHER,
        _c("name", "String", "", "'long_short_account_ratio', 'basis', 'taker_buy_usd', 'mvrv', ..."),
        _c("venue", "String", "", "venue in lower case; '' where it is of none"),
        _c("symbol", "String", "", "contract or coin; '' where it is of none"),
        _c("interval_s", "Int64", "s", "length of the window; 0 for a moment"),
        _c("value", "Float64", "", "in the row's unit"),
        _c("unit", "String", "", "of the value, 'share', 'USD', 'ratio'"),
        SOURCE,
    ),
    ("time_ns", "publisher", "name", "venue", "symbol", "interval_s"),
    "published series that have no table of their own",
)

REVISIONS = Table(
    "revisions",
    (
        _c("time_ns", "Int64", "ns UTC", "date of the value that was changed"),
        _c("received_ns", "Int64", "ns UTC", "when this machine received the changed value", True),
        _c("table", "String", "", "where the first value stands, and stays"),
        PUBLISHER,
        _c("series", "String", "", "the rest of that row's key, joined by '/': 'BTC/IBIT'"),
        _c("column", "String", "", "what was changed"),
        _c("revision", "Int64", "", "1 for its first change, 2 for the next, ..."),
        _c("before", "Float64", "", "value until then; null where there was none", True),
        _c("value", "Float64", "", "value from then on; null where it was withdrawn", True),
        SOURCE,
    ),
    ("time_ns", "table", "publisher", "series", "column", "revision"),
    "past values that a publisher changed later; the table holds the first ones",
)

GAPS = Table(
    "gaps",
    (
        _c("time_ns", "Int64", "ns UTC", "start: last moment up to which nothing is missing"),
        _c("end_ns", "Int64", "ns UTC", "end: first moment from which nothing is missing again"),
        RECEIVED, VENUE, STREAM,
        _c("symbol", "String", "", "contract; '' means every one of the stream"),
        _c("reason", "String", "", "'disconnected', 'sequence', 'malformed', 'overflow', 'backfill-missing', ..."),
        _c("events_lost", "Int64", "count", "how many are missing; null where that is not known", True),
        SOURCE,
    ),
    ("time_ns", "venue", "stream", "symbol", "reason"),
    "stretches that were not observed",
)

FILLS = Table(
    "fills",
    (
        _c("time_ns", "Int64", "ns UTC", "start of the gap; with venue, stream, symbol and reason its key in `gaps`"),
        _c("end_ns", "Int64", "ns UTC", "end of the gap"),
        _c("received_ns", "Int64", "ns UTC", "when the venue had answered", True),
        VENUE, STREAM,
        _c("symbol", "String", "", "of the gap: contract; '' means every one of the stream"),
        _c("reason", "String", "", "of the gap"),
        _c("contract", "String", "", "the contract that was asked for"),
        _c("attempt", "Int64", "", "1 for the first time it was asked for, 2 for the next, ..."),
        _c("state", "String", "", "'closed'; 'coarser': all that the venue keeps is there, at longer steps; 'open'"),
        _c("contracts", "Int64", "count", "how many contracts the gap is of; it is closed when each of them is"),
        _c("rows", "Int64", "count", "fetched rows that the lake holds inside the gap"),
        _c("events_missing", "Int64", "count", "how many are still missing; null where that is not known", True),
        SOURCE,
    ),
    ("time_ns", "venue", "stream", "symbol", "reason", "contract", "attempt"),
    "gaps that were asked for afterwards, and what came of it; the last attempt counts",
)

PAYLOADS = Table(
    "payloads",
    (
        _c("time_ns", "Int64", "ns UTC", "event time; the receive time where the message has none"),
        RECEIVED, VENUE, STREAM,
        _c("sequence", "Int64", "", "number of the message within its connection"),
        _c("connection", "String", "", "name of the connection"),
        _c("payload", "Binary", "", "the message's bytes, as `encoding` says"),
        _c("encoding", "String", "", "'zstd' or 'plain'"),
        _c("parser", "String", "", "'name/version' of the parser that read it"),
        _c("rows", "Int64", "count", "rows that it gave; null where it could not be parsed", True),
        _c("error", "String", "", "why it could not be parsed", True),
        SOURCE,
    ),
    ("venue", "stream", "connection", "sequence"),
    "raw messages, so that a parser's mistake can be repaired",
)

LAKE_TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        LAKE_CANDLES,
        TRADES,
        LIQUIDATIONS,
        LIQUIDATION_TOTALS,
        OPEN_INTEREST,
        FUNDING,
        MARKS,
        BOOKS,
        BEST_QUOTES,
        DEPTH,
        SNAPSHOTS,
        TIERS,
        HOLDINGS,
        ADL_EVENTS,
        ADL_TOTALS,
        FLOWS,
        SENTIMENT,
        MACRO,
        MARKET_CAPS,
        INDICATORS,
        REVISIONS,
        GAPS,
        FILLS,
        PAYLOADS,
    )
}

_FINDING = (
    _c("check", "String", "", "'files', 'gaps', 'duplicates', 'clock', 'units', 'values', 'books' or 'bars'"),
    _c("table", "String", "", "table of the lake"),
    _c("venue", "String", "", "venue or publisher; '' where it is of none"),
    _c("symbol", "String", "", "contract, coin or series; '' where it is of none"),
    _c("time_ns", "Int64", "ns UTC", "first row that is meant"),
    _c("end_ns", "Int64", "ns UTC", "last row that is meant"),
    _c("severity", "String", "", "'error' or 'warning'"),
    _c("expected", "String", "", "what should be there"),
    _c("found", "String", "", "what is there"),
    _c("todo", "String", "", "what to do about it"),
)
FINDINGS = Table(
    "findings",
    _FINDING,
    tuple(one.name for one in _FINDING),
    "what `lake check` finds; an answer, not stored",
)
# fmt: on
