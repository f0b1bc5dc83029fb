"""Which unit and which venues do CoinGlass's open-interest histories by margin type count?

Neither is written in the files. The pairs of the same snapshot tell: the newest open interest by margin
type, summed
over all venues and over Binance alone, in coins and in USD. The files agree with Binance; the ones
margined in
stablecoins count coins, the ones margined in coins USD.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deleverage.data.importers.base import Defect, SourceFile

if TYPE_CHECKING:
    import polars as pl

_NEAR = 1.35  # a bar, and rounding of the vendor's sums, lie between the two figures
_STABLE = ("/USDT", "/USDC", "/FDUSD")


def margin_types(
    source: SourceFile, frame: pl.DataFrame, part: str, coin: str
) -> tuple[str, str, str, list[Defect]]:
    """Name, unit and venue of a history by margin type, and what to report."""
    margin = "coin_margined" if part.startswith("coin") else "stablecoin_margined"
    last = float(frame["close"][-1])
    best = min(_candidates(source, margin, coin), key=lambda one: _apart(one[2], last), default=None)
    if best is None or _apart(best[2], last) > _NEAR:
        return (
            margin,
            "not stated",
            "",
            [
                Defect(
                    "margin-type-unclear",
                    "open interest by margin type states neither unit nor venue",
                    "kept with the unit 'not stated'",
                )
            ],
        )
    venue, unit, value = best
    defects = []
    if venue == "binance":
        defects.append(
            Defect(
                "margin-type-binance-only",
                "open interest by margin type says 'aggregated' and is Binance's alone",
                "stored as Binance's",
                example=f"{coin} {margin}: {last:,.0f} against {value:,.0f} of Binance's pairs",
            )
        )
    if unit == "coins":
        defects.append(
            Defect(
                "open-interest-in-coins",
                "open interest margined in stablecoins counts coins, its neighbours USD",
                "the unit of the rows is coins",
                example=f"{coin}: {last:,.0f}",
            )
        )
    return margin, unit, venue, defects


def _apart(one: float, other: float) -> float:
    return max(one, other) / min(one, other) if one > 0 and other > 0 else float("inf")


def _candidates(source: SourceFile, margin: str, coin: str) -> list[tuple[str, str, float]]:
    """(venue, unit, newest open interest) of the pairs beside the file."""
    import polars as pl

    pairs = source.path.parent.parent / "market" / f"api_futures_pairs_markets_{coin}.parquet"
    if source.member or not pairs.is_file():
        return []
    columns = ["exchange_name", "symbol", "open_interest_quantity", "open_interest_usd"]
    try:
        frame = pl.read_parquet(pairs, columns=columns)
    except (pl.exceptions.PolarsError, OSError):
        return []  # its own import says what is wrong with it
    stable = pl.any_horizontal(pl.col("symbol").str.ends_with(end) for end in _STABLE)
    chosen = frame.filter(stable if margin.startswith("stable") else ~stable)
    binance = chosen.filter(pl.col("exchange_name") == "Binance")
    return [
        (venue, unit, float(rows[column].sum()))
        for venue, rows in (("binance", binance), ("all", chosen))
        for unit, column in (("coins", "open_interest_quantity"), ("USD", "open_interest_usd"))
    ]
