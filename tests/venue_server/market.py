"""What happens on the venues that the server plays: prices, books, trades, liquidations; and the truth of it.

Nothing here knows our adapters: amounts are kept as whole lots, and each venue's speaker turns them into its
own words. The truth is stated apart, in coins and dollars, so that a mistake of units in an adapter shows.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

MS = 1_000_000


@dataclass
class Truth:
    """One row that an event must become: which table, and the values that the lake must hold."""

    table: str
    values: dict[str, Any]


@dataclass
class Event:
    """One message of a stream, before it is sent to whoever subscribed ``channel``."""

    venue: str
    channel: str
    stream: str
    symbol: str
    time_ns: int
    text: str
    truths: list[Truth] = field(default_factory=list)
    delivered: bool = False
    fault: str = ""
    """What was done to it instead of delivering it."""
    sent_ns: int = 0


@dataclass
class Contract:
    """A contract: its lots in the venue's units, and what a lot is.

    ``lot_coins`` coins of a lot for linear contracts; ``lot_usd`` dollars of a lot for inverse ones.
    """

    symbol: str
    coin: str
    mid: int
    """Middle of the book in ticks of 0.1 dollars."""
    lot_coins: float = 0.001
    lot_usd: float = 0.0
    levels: int = 40
    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    update: int = 1_000
    trade: int = 5_000
    interest: int = 9_000_000

    def amounts(self, lots: int, ticks: int) -> tuple[float, float]:
        """Coins and dollars of ``lots`` at a price in ticks."""
        price = ticks / 10
        if self.lot_usd:
            return lots * self.lot_usd / price, lots * self.lot_usd
        return lots * self.lot_coins, lots * self.lot_coins * price

    def fill(self, draws: random.Random) -> None:
        """A first book."""
        for depth in range(1, self.levels + 1):
            self.bids[self.mid - depth] = draws.randint(1, 5_000)
            self.asks[self.mid + depth] = draws.randint(1, 5_000)

    def move(self, draws: random.Random) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The book a moment later: changed levels of both sides as ticks and lots, 0 lots where one is
        gone."""
        self.mid += draws.choice((-2, -1, 0, 0, 1, 2))
        self.update += 1
        changes: list[list[tuple[int, int]]] = [[], []]
        for side, (levels, sign) in enumerate(((self.bids, -1), (self.asks, 1))):
            wanted = {self.mid + sign * depth for depth in range(1, self.levels + 1)}
            for tick in [tick for tick in levels if tick not in wanted]:
                del levels[tick]
                changes[side].append((tick, 0))
            touched = draws.sample(sorted(wanted), 2)
            for tick in sorted(wanted):
                if tick not in levels or tick in touched:
                    levels[tick] = draws.randint(1, 5_000)
                    changes[side].append((tick, levels[tick]))
        return changes[0], changes[1]

    def top(self, levels: int) -> list[tuple[str, int, float, float]]:
        """Side, level, price and coins of the best levels."""
        found = []
        for side, ordered in (
            ("bid", sorted(self.bids.items(), reverse=True)),
            ("ask", sorted(self.asks.items())),
        ):
            for level, (tick, lots) in enumerate(ordered[:levels], 1):
                found.append((side, level, tick / 10, self.amounts(lots, tick)[0]))
        return found


def price(ticks: int) -> str:
    """A price as venues write it."""
    return f"{ticks / 10:.1f}"


def trade_truth(contract: Contract, trade_id: str, time_ns: int, side: str, ticks: int, lots: int) -> Truth:
    """The row of `trades` that a trade must become."""
    coins, usd = contract.amounts(lots, ticks)
    return Truth(
        "trades",
        {
            "symbol": contract.symbol,
            "trade_id": trade_id,
            "time_ns": time_ns,
            "side": side,
            "price": ticks / 10,
            "coins": coins,
            "usd": usd,
        },
    )


def forced_truth(
    contract: Contract,
    time_ns: int | None,
    side: str,
    lots: int,
    *,
    fill: int | None,
    order: int | None,
    event_id: str | None = None,
) -> Truth:
    """The row of `liquidations` that a forced closing must become; None where the venue does not say."""
    at = fill if fill is not None else order
    assert at is not None
    coins, usd = contract.amounts(lots, at)
    return Truth(
        "liquidations",
        {
            "symbol": contract.symbol,
            "event_id": event_id,
            "time_ns": time_ns,
            "side": side,
            "coins": coins,
            "price": None if fill is None else fill / 10,
            "order_price": None if order is None else order / 10,
            "usd": usd,
            "usd_at": "order" if fill is None else "fill",
        },
    )
