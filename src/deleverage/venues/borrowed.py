"""Which margin tiers stand in for a table that nobody could read? Binance's, said so in every source.

No table of Bybit, OKX or Gate for October 2025 was found. Their contracts on the main coins are charged here
by Binance's table of 2025-10-09, with the largest leverage cut to what the venue is known to offer. A
table of the venue's own replaces it: `deleverage rules import`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from deleverage.venues import binance
from deleverage.venues.rules import TierTable

_DAY = date(2025, 10, 10)


def source(venue: str, largest: int) -> str:
    """What a rule set with borrowed tiers says about them."""
    return (
        f"assumed: borrowed from Binance USD-M (its table of 2025-10-09), leverage cut to {largest}x; no "
        f"table of {venue} of October 2025 was found"
    )


def tiers(venue: str, symbols: Mapping[str, str], largest: int) -> dict[str, TierTable]:
    """Binance's tables under another venue's names.

    Parameters
    ----------
    symbols : the venue's symbol by Binance's.
    largest : largest leverage setting of the venue [x].
    """
    tables = binance.rules_at(_DAY).tiers
    return {
        ours: TierTable(
            ours,
            tuple(
                replace(tier, max_leverage=min(tier.max_leverage, largest)) for tier in tables[theirs].tiers
            ),
            source(venue, largest),
            # Borrowed, so that any table of the venue's own counts as newer.
            date.min,
        )
        for theirs, ours in symbols.items()
    }
