"""How many coins are in circulation, by whose count and of when?

Fixed and approximate: enough to weigh coins against each other, not to follow what is issued or burnt. A coin
that is lost counts as circulating, and publishers differ in what they take for locked.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Supply:
    """A stated circulating supply.

    coins : so many. within : how far it may be off in October and November 2025, as a share: what was issued
    or burnt between those months and the statement, and what publishers differ by. source, of : who states it
    and of when.
    """

    coins: float
    within: float
    source: str
    of: str


_TABLE = "MEXC news 331214, a table of supplies"
_DECEMBER = "December 2025"

SUPPLIES: dict[str, Supply] = {
    "BTC": Supply(19.95e6, 0.002, _TABLE, _DECEMBER),
    "ETH": Supply(120.69e6, 0.005, _TABLE, _DECEMBER),
    # 139 m before the burn of late October, 137.7 m after it
    "BNB": Supply(137.73e6, 0.012, _TABLE, _DECEMBER),
    "XRP": Supply(60.33e9, 0.01, _TABLE, _DECEMBER),
    "SOL": Supply(559.77e6, 0.03, _TABLE, _DECEMBER),
    "ADA": Supply(35.89e9, 0.01, _TABLE, _DECEMBER),
    "DOGE": Supply(150.88e9, 0.01, "bitdegree.org, Dogecoin's price history", "2025, day not stated"),
    # no dated page was at hand: publishers had 0.68 to 0.70 bn in autumn 2025
    "LINK": Supply(0.69e9, 0.03, "approximate, no dated source", "autumn 2025"),
}
"""By coin. Typed in November 2026."""


def said(coin: str) -> str:
    """'19.95 m BTC (December 2025, MEXC ..., ±0.2 %)'."""
    supply = SUPPLIES[coin]
    size, unit = (supply.coins / 1e9, "bn") if supply.coins >= 1e9 else (supply.coins / 1e6, "m")
    return f"{size:.4g} {unit} {coin} ({supply.of}; {supply.source}; within {supply.within:.1%})"
