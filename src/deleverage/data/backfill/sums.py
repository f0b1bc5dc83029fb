"""Which single trades are in the lake already, as a part of a sum?

OKX's stream sends what one order took at one price as one trade, with the number of the last; its REST
interface gives each trade alone ("Trades channel", "Get trades history", read 2026-11). A collected trade of
number n and c coins stands for the trades n, n-1, ... of one side and price whose coins add up to c. To take
those again would count them twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_CLOSE = 1e-9


def without_summed(fetched: pl.DataFrame, collected: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Fetched trades that no collected one stands for, and how many sums do not come out.

    Of a sum that does not come out everything that may belong to it is left out: a trade is rather missing
    than there twice.

    Parameters
    ----------
    fetched : single trades of one contract, with `trade_id`, `side`, `price` and `coins`.
    collected : trades of the stream.
    """
    import polars as pl

    columns = ("trade_id", "side", "price", "coins")
    single = sorted((int(n), s, p, c) for n, s, p, c in fetched.select(columns).iter_rows())
    place = {row[0]: at for at, row in enumerate(single)}
    sums = {int(n): c for n, c in collected.select("trade_id", "coins").iter_rows()}
    covered: set[int] = set()
    odd = 0
    for number, coins in sums.items():
        at = place.get(number)
        if at is None:
            continue
        _, side, price, _ = single[at]
        total = 0.0
        while at >= 0 and total < coins * (1 - _CLOSE):
            one = single[at]
            if one[1:3] != (side, price) or (one[0] != number and one[0] in sums):
                break
            covered.add(one[0])
            total += one[3]
            at -= 1
        odd += abs(total - coins) > _CLOSE * coins
    return fetched.filter(~pl.col("trade_id").cast(pl.Int64).is_in(sorted(covered))), odd
