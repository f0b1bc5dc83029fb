"""Columns, types, units and keys of the tables that `run` leaves behind."""

from __future__ import annotations

from dataclasses import replace

from deleverage.schema.lake import LAKE_CANDLES, TIME
from deleverage.schema.table import Table
from deleverage.schema.table import column as _c

# A table is read as rows, one column a line.
# fmt: off
_SEED = _c("seed", "Int64", "", "number of the draw")
_MARKET = _c("market", "String", "", "'BTC', 'ETH', ...")
_VARIANT = _c("variant", "String", "", "'factual', 'no_liquidations' (sold evenly over six hours), 'news_only'")

MINUTES = Table(
    "minutes",
    (
        _VARIANT, _SEED, _MARKET, TIME,
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

CANDLES = replace(
    LAKE_CANDLES, columns=tuple(one for one in LAKE_CANDLES.columns if one.name != "received_ns")
)
"""Real bars beside the simulated ones: those of the lake, without the time at which they were received."""

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
