"""Do the files of an import agree, within a factor of five, on what a coin cost on a day?

One file cannot tell cents from dollars for a coin that nobody knows; two files can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deleverage.errors import UnitError

if TYPE_CHECKING:
    import polars as pl

    from deleverage.data.lake import Lake

FACTOR = 5.0
_DAY_NS = 86_400_000_000_000
_PRICE = {"candles": "close", "open_interest": "price", "snapshots": "price"}


class Witnesses:
    """The median price of every coin, day and file that was read [USD/coin]."""

    def __init__(self) -> None:
        self._seen: list[pl.DataFrame] = []

    def hear(self, table: str, frame: pl.DataFrame) -> None:
        """Take the prices of a frame, if its table has any."""
        if table in _PRICE and frame.height:
            self._seen.append(_medians(frame, _PRICE[table]))

    def recall(self, lake: Lake) -> None:
        """Take the prices that are in the lake already, on the days that were heard."""
        if not self._seen:
            return
        import polars as pl

        days = pl.concat([frame.select("day") for frame in self._seen])["day"]
        low, high = days.min(), days.max()
        if not isinstance(low, int) or not isinstance(high, int):
            return
        for table, column in _PRICE.items():
            rows = lake.read(table, start_ns=low * _DAY_NS, end_ns=(high + 1) * _DAY_NS)
            if rows.height:
                self._seen.append(_medians(rows, column))

    def agree(self) -> None:
        """Refuse the file that is furthest from the middle of the others, where it is beyond the factor."""
        import polars as pl

        if not self._seen:
            return
        every = pl.concat(self._seen).unique(
            subset=["coin", "day", "source"], keep="first", maintain_order=True
        )
        if every.is_empty():
            return
        middle = pl.col("usd").median().over("coin", "day")
        off = every.with_columns(middle.alias("middle")).with_columns(
            (pl.col("usd") / pl.col("middle")).log().abs().alias("off")
        )
        worst = off.sort("off", descending=True).head(1).row(0, named=True)
        same = every.filter((pl.col("coin") == worst["coin"]) & (pl.col("day") == worst["day"])).sort("usd")
        low, high = same.row(0, named=True), same.row(-1, named=True)
        if high["usd"] > FACTOR * low["usd"]:
            other = low if worst["source"] == high["source"] else high
            raise UnitError(
                f"{worst['source']}: expected a price of {worst['coin']} within a factor of {FACTOR:g} "
                f"of the other files, found {worst['usd']:g} where {other['source']} has {other['usd']:g}",
                hint="give every price in USD per coin",
                file=worst["source"],
                coin=worst["coin"],
            )


def _medians(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    import polars as pl

    return (
        frame.filter(pl.col(column).is_not_null())
        .group_by("coin", (pl.col("time_ns") // _DAY_NS).alias("day"), "source")
        .agg(pl.col(column).median().alias("usd"))
    )
