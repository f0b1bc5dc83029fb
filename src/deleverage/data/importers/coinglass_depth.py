"""Displayed depth within ±1 % of mid on Binance, bar by bar, futures and spot.

The vendor's `range` is 1 (percent) and its exchange Binance unless asked otherwise
(docs.coinglass.com, order book); the gap between the mean ask and the mean bid, 0.87 %, agrees. A bar is
stamped with its opening and its value is of that moment, except the newest: that bar is unfinished and its
value is of the fetch. Which of the two holds for a file is told by the price that the row implies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import Defect, Importer, Loaded, SourceFile, has_columns, refusal
from deleverage.data.importers.coinglass_alone import one_venue
from deleverage.data.importers.coinglass_folder import Folder, coin_in_name, folder_of, other_day
from deleverage.data.importers.content import read_parquet
from deleverage.data.importers.layout import Layout, layout_of
from deleverage.data.importers.rows import numbered
from deleverage.errors import SchemaError, UnitError

if TYPE_CHECKING:
    import polars as pl

_SIDES = ("bids_usd", "bids_quantity", "asks_usd", "asks_quantity")
_PLAIN = (*_SIDES, "time")
_AGGREGATED = (*(f"aggregated_{name}" for name in _SIDES), "time")
_RANGE_BPS = 100.0
_NAME = re.compile(r"api_(futures|spot)_orderbook_(?:aggregated_)?ask_bids_history(?:_[A-Z0-9]+)?\.parquet")
_NAMES = {
    part: re.compile(rf"api_(futures|spot)_orderbook_{part}ask_bids_history.*\.parquet")
    for part in ("", "aggregated_")
}
_SAME_PRICE = 0.03  # a coin's price in the charts and the price its depth implies differ by less


def recognise(layout: Layout) -> bool:
    """A Parquet file with USD and coins on both sides and a time: one contract, bars of four hours."""
    return has_columns(layout, "parquet", _PLAIN)


def recognise_aggregated(layout: Layout) -> bool:
    """The same with 'aggregated_' before the names: the venue's contracts together, bars of eight hours."""
    return has_columns(layout, "parquet", _AGGREGATED)


def load(source: SourceFile) -> Loaded:
    """Depth history to settled bars, and the newest bar at the moment of the fetch."""
    import polars as pl

    match = _NAME.fullmatch(source.name)
    if match is None:
        return Loaded(skipped="depth, and the name does not say futures or spot like the vendor's own")
    frame = _read(source)
    folder = folder_of(source)
    coin = _coin(source, frame, folder)
    if coin is None:
        return Loaded(skipped="depth, and neither its name nor a price beside it says of which coin")
    frame = frame.with_columns(pl.lit(coin).alias("coin"))
    checks.price(frame, source, "_mid")
    settled, newest, defects = _split(frame, folder, coin)
    rows = pl.concat([settled.with_columns(pl.lit("bar").alias("taken")), newest])
    if folder is not None:
        defects += other_day(source, folder)
    if recognise_aggregated(layout_of(source)):
        defects += one_venue(source, frame, coin)
    return Loaded([("depth", _depth(rows, source, "perp" if match[1] == "futures" else "spot"))], defects)


def _read(source: SourceFile) -> pl.DataFrame:
    """Rows with the four quantities, 'time_ns' and the mid [USD/coin] that they imply."""
    import polars as pl

    columns = _PLAIN if recognise(layout_of(source)) else _AGGREGATED
    frame = numbered(read_parquet(source, list(columns)))
    for name in columns:
        if not frame.schema[name].is_numeric() or frame[name].null_count():
            raise refusal(
                SchemaError,
                source,
                column=name,
                expected="a number in every row",
                found=f"{frame.schema[name]} with {frame[name].null_count()} empty rows",
                todo="give the vendor's own file",
            )
    for name in columns[:4]:
        checks.require(
            frame,
            pl.col(name) > 0,
            source,
            column=name,
            expected="a depth above 0",
            todo="leave out rows that were not observed; depth has no sign",
            kind=UnitError,
        )
    frame = frame.rename(dict(zip(columns[:4], _SIDES, strict=True))).with_columns(
        *(pl.col(name).cast(pl.Float64) for name in _SIDES)
    )
    frame = checks.with_time_ns(frame, source, "time", "milliseconds")
    checks.increasing(frame, source, "time")
    bid, ask = pl.col("bids_usd") / pl.col("bids_quantity"), pl.col("asks_usd") / pl.col("asks_quantity")
    frame = frame.with_columns(bid.alias("_bid"), ask.alias("_ask"), (bid * ask).sqrt().alias("_mid"))
    checks.require(
        frame,
        (pl.col("_ask") / pl.col("_bid")).is_between(1.0, 1.03),
        source,
        column="_ask",
        expected="a mean ask above the mean bid by at most 3 % (USD over coins on each side)",
        todo="give USD and coins of the same orders within 1 % of mid",
        kind=UnitError,
    )
    return frame


def _coin(source: SourceFile, frame: pl.DataFrame, folder: Folder | None) -> str | None:
    """The coin by name, checked against the charts' prices; without one in the name, by those alone."""
    named = coin_in_name(source.name)
    if folder is None:
        return named
    mids = dict(frame.select("time_ns", "_mid").iter_rows())
    fits = [coin for coin, prices in folder.prices.items() if _agree(mids, prices)]
    if named is None:
        return fits[0] if len(fits) == 1 else None
    if named in folder.prices and named not in fits:
        raise refusal(
            UnitError,
            source,
            column="bids_usd",
            expected=f"USD over coins near the price of {named}",
            found=f"{frame['_mid'][-1]:g} in the newest row",
            todo="give USD and coins of the coin in the name",
        )
    return named


def _agree(mids: dict[int, float], prices: dict[int, float]) -> bool:
    ratios = sorted(mids[t] / price for t, price in prices.items() if t in mids)
    return bool(ratios) and abs(ratios[len(ratios) // 2] - 1) < _SAME_PRICE


@dataclass(frozen=True)
class _Bars:
    """Length of the bars and their opening times, oldest first [ns]."""

    step: int
    opens: list[int]


def _split(
    frame: pl.DataFrame, folder: Folder | None, coin: str
) -> tuple[pl.DataFrame, pl.DataFrame, list[Defect]]:
    """Settled bars; the newest bar if its value is of the fetch; what was left out and why.

    The vendor goes on revising a bar while it is open and in the bar after it: a bar counts as settled when a
    whole bar has passed since its end.
    """
    import polars as pl

    opens = frame["time_ns"].to_list()
    bars = _Bars(min((b - a for a, b in pairwise(opens)), default=0), opens)
    nothing = frame.head(0).with_columns(pl.lit("fetch").alias("taken"))
    if folder is None:
        left = "the two newest bars may be unfinished, and no chart beside the file says when it was fetched"
        return frame.head(-2), nothing, [Defect("bars-unsettled", left, "those two left out", 2)]
    settled = frame.filter(pl.col("time_ns") + 2 * bars.step <= folder.fetched_ns)
    unsettled = frame.height - settled.height
    last = frame.tail(1)
    if opens[-1] + bars.step <= folder.fetched_ns or coin not in folder.prices:
        return settled, nothing, _left_out(unsettled)
    if not _of_the_fetch(last["_mid"][0], folder, coin, opens[-1]):
        return settled, nothing, _left_out(unsettled)
    newest = last.with_columns(
        pl.lit(folder.stamp_ns, dtype=pl.Int64).alias("time_ns"), pl.lit("fetch").alias("taken")
    )
    moved = Defect(
        "bar-of-the-fetch",
        "the newest bar is unfinished: stamped with its opening, but its price is that of the fetch",
        "stamped with the fetch, up to the minute (taken = 'fetch')",
    )
    return settled, newest, [moved, *_left_out(unsettled - 1)]


def _of_the_fetch(mid: float, folder: Folder, coin: str, opened_ns: int) -> bool:
    """Whether the row's price is nearer to the one at the fetch than to the one at its opening."""
    at_open = folder.prices[coin].get(opened_ns)
    if at_open is None:
        return False
    return abs(mid / folder.price_at_fetch(coin) - 1) < abs(mid / at_open - 1)


def _left_out(bars: int) -> list[Defect]:
    if bars <= 0:
        return []
    return [
        Defect(
            "bars-unsettled",
            "the newest bars are provisional: later files of the vendor give other values",
            "left out",
            bars,
        )
    ]


def _depth(rows: pl.DataFrame, source: SourceFile, kind: str) -> pl.DataFrame:
    import polars as pl

    return rows.select(
        "time_ns",
        pl.lit("binance").alias("venue"),
        pl.lit(kind).alias("kind"),
        "coin",
        pl.lit(_RANGE_BPS).alias("range_bps"),
        "taken",
        pl.col("bids_usd").alias("bid_usd"),
        pl.col("bids_quantity").alias("bid_coins"),
        pl.col("asks_usd").alias("ask_usd"),
        pl.col("asks_quantity").alias("ask_coins"),
        pl.lit(source.label).alias("source"),
    )


DEPTH = Importer(
    "coinglass-depth", 1, "displayed depth within 1 % of mid", _PLAIN, _NAMES[""], recognise, load
)
AGGREGATED = Importer(
    "coinglass-depth-aggregated",
    1,
    "displayed depth within 1 % of mid, aggregated",
    _AGGREGATED,
    _NAMES["aggregated_"],
    recognise_aggregated,
    load,
)
