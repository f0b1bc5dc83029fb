"""Who counted the liquidations of the night of 10 October 2025, what does each count, and what did it print?

The printed figures stand once, beside their sources, in the embedded scenario of four venues; this file says
what each of them is a count of.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

_FILE = "oct-10-four-venues.toml"

NIGHTS = ("2025-10-10",)


@dataclass(frozen=True)
class Count:
    """One count of the night.

    subject : how it is called. who : whose count. counted : what, sides, coins, venues. from_minute,
    to_minute : window, minutes after 00:00 UTC of the night's day; None where it is not printed.
    adl : is auto-deleveraging in it; feed : how complete what it is made of is. published : ids of the
    figures that make it up. why : why it differs from the others. lake : what of the lake holds the same.
    """

    subject: str
    who: str
    counted: str
    from_minute: int | None
    to_minute: int | None
    adl: str
    feed: str
    published: tuple[str, ...]
    why: str
    lake: str = ""


COUNTS = (
    Count(
        "coinglass 24h", "CoinGlass", "longs and shorts of all its coins and venues, 24 h", None, None,
        "not said", "inherited from the venues' feeds, Binance and OKX at most one event a second and symbol",
        ("total-coinglass",),
        "widest set of venues; a floor where feeds are throttled, yet twice the chain's count of Hyperliquid",
    ),
    Count(
        "coinglass hyperliquid", "CoinGlass", "Hyperliquid's part of it, 24 h", None, None, "not said",
        "said to be all fills", ("hl-coinglass",),
        "24 h against the 12 minutes of the chain count; which fills are counted is not published",
    ),
    Count(
        "coinglass bybit", "CoinGlass", "Bybit's part of it, 24 h", None, None, "not said",
        "all orders, since February 2025", ("bybit-coinglass",), "one venue with a full feed",
    ),
    Count(
        "coinglass binance", "CoinGlass",
        "Binance's part of it, 24 h; the lake: BTC, ETH, SOL, XRP of the UTC day",
        0, 24 * 60, "no", "throttled: at most one order a second and symbol", ("binance-coinglass",),
        "a floor: in the worst seconds one of many orders is shown; the lake has four coins of all",
        "binance",
    ),
    Count(
        "amberdata 14h", "Amberdata",
        "longs and shorts of Amberdata's venues, 13:00 to 03:00 UTC", 13 * 60, 27 * 60,
        "not said", "not said", ("total-amberdata",),
        "fewer venues than CoinGlass and 14 h instead of 24; the list of venues is not printed",
    ),
    Count(
        "amberdata cascade", "Amberdata", "the same, 20:50 to 21:30 UTC alone", 20 * 60 + 50, 21 * 60 + 30,
        "not said", "not said", ("phase-cascade",), "a part of the 14 h",
    ),
    Count(
        "amberdata minute", "Amberdata",
        "the same, the minute of 21:15 UTC alone", 21 * 60 + 15, 21 * 60 + 16,
        "not said", "not said", ("peak-minute",), "a part of the 14 h; in this minute the chain count begins",
    ),
    Count(
        "hyperliquid chain", "HyperMultiAssetedADL, from the chain",
        "liquidation fills of all coins, 63,637 fills, 21:15 to 21:27 UTC", 21 * 60 + 15, 21 * 60 + 27, "no",
        "all fills; the file begins at 21:15:03, in the middle of the cascade", ("hl-chain",),
        "every fill, but 12 minutes: what fell before 21:15 and after 21:27 is not in it", "hyperliquid",
    ),
    Count(
        "hyperliquid adl", "HyperReplay, from the chain",
        "positions closed by auto-deleveraging, 34,983 fills, 21:15 to 21:27 UTC",
        21 * 60 + 15, 21 * 60 + 27, "it is ADL alone", "all fills", ("adl-total",),
        "not liquidations but their other side: such fills fall in seconds with as many liquidation fills",
        "adl",
    ),
    Count(
        "hyperliquid both", "sum made by readers", "liquidation fills and ADL together, 98,620 fills",
        21 * 60 + 15, 21 * 60 + 27, "added", "all fills", ("hl-chain", "adl-total"),
        "counts one closing twice where ADL took the other side of a liquidation",
    ),
)  # fmt: skip
"""In the order of the table; a sum over them means nothing."""


@dataclass(frozen=True)
class Published:
    """A printed figure: its value [USD or count] and where it stands."""

    value: float
    source: str


@lru_cache(maxsize=1)
def published() -> dict[str, Published]:
    """Printed figures by id, as the embedded scenario has them."""
    text = (resources.files("deleverage.scenarios") / _FILE).read_text(encoding="utf-8")
    document = tomllib.loads(text)
    sources = document["sources"]
    found = {}
    for row in document["published"]:
        found[row["id"]] = Published(float(row["value"]), str(sources[row["source"]]))
    return found
