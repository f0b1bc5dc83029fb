"""What of a recorded gap can still be had, and from which interface of whom?

By the venues' documentation as read in November 2026. What cannot be had is named with its reason: a gap that
nothing is done about is said, not passed over.
"""

from __future__ import annotations

from dataclasses import dataclass

from deleverage.data.backfill.gaps import REASON

_BOOKS = "no venue keeps books of the past"
_MARKS = "venues keep mark prices as bars only, not by the second"
_NEWEST = "gives only its newest trades"


@dataclass(frozen=True)
class Past:
    """An interface that still has a stream.

    Parameters
    ----------
    source : whose interface, as in `backfill --sources`, or 'bitmex'.
    kind : what it is asked for.
    table : where its rows go.
    numbered : the venue numbers its trades without holes, so that what is missing can be counted.
    sums : the venue's stream adds up trades that the interface gives one by one.
    coarser : the interface has longer steps than the stream.
    """

    source: str
    kind: str
    table: str
    numbered: bool = False
    sums: bool = False
    coarser: bool = False


def _interest(source: str) -> Past:
    return Past(source, "open_interest", "open_interest", coarser=True)


def _funding(source: str) -> Past:
    return Past(source, "funding", "funding")


PAST: dict[tuple[str, str], Past | str] = {
    ("binance", "trades"): Past("binance-rest", "trades", "trades", numbered=True),
    ("bybit", "trades"): f"Bybit {_NEWEST}, at most 1,000",
    ("okx", "trades"): Past("okx", "trades", "trades", sums=True),
    ("hyperliquid", "trades"): f"Hyperliquid {_NEWEST}",
    ("bitmex", "trades"): Past("bitmex", "trades", "trades"),
    ("binance", "liquidations"): "Binance has no liquidations of the past, and its feed is a sample",
    ("bybit", "liquidations"): "Bybit has no liquidations of the past",
    ("okx", "liquidations"): "OKX has taken its liquidations of the past away, and its feed is a sample",
    ("hyperliquid", "liquidations"): "Hyperliquid has no feed of liquidations, now or of the past",
    ("bitmex", "liquidations"): "BitMEX gives only the forced orders that rest now",
    ("binance", "open_interest"): _interest("binance-rest"),
    ("bybit", "open_interest"): _interest("bybit"),
    ("okx", "open_interest"): _interest("okx"),
    ("hyperliquid", "open_interest"): "Hyperliquid keeps no open interest of the past",
    ("bitmex", "open_interest"): "BitMEX keeps no open interest of the past",
    ("binance", "funding"): _funding("binance-rest"),
    ("bybit", "funding"): _funding("bybit"),
    ("okx", "funding"): _funding("okx"),
    ("hyperliquid", "funding"): _funding("hyperliquid"),
    ("bitmex", "funding"): _funding("bitmex"),
}


def past_of(venue: str, stream: str, reason: str) -> Past | str:
    """The interface that still has a gap, or why there is none."""
    if reason == REASON:
        return "the source was asked for it, and did not have it"
    if stream in ("depth", "payloads"):
        return _BOOKS if stream == "depth" else "a message that was not kept cannot be asked for again"
    if stream == "marks":
        return _MARKS
    return PAST.get((venue, stream), f"nothing is known that has the stream '{stream}' of {venue}")
