"""At which mark of one market does a cross account become liquidatable, its other markets' marks held?

Symbols: W wallet [uusd], q size [lots, long > 0], m mark [ticks], v ``tick_lot_uusd`` [uusd per tick and
lot], C signed cost [uusd]; sums run over the account's positions, of which two may be legs of one market
(hedge mode).

    equity      E = W + Σ (q·m·v − C)
    maintenance M = Σ M(|q|·m·v)            each leg owes its own, rounded up: `margin.maintenance_margin`
    health      H = E − M                   liquidatable when H < 0

The prices are found by bisection on H itself, in integers, so that nothing has to be known about tiers: as
the mark moves, every position of the market may change tier on the way. With positions on one side of the
market H is monotone in its mark. With legs on both sides it is concave (a margin only ever grows faster), so
the account may be liquidatable below one mark and above another: the search goes outwards from the top of H.
Rounding can shift a leg's margin by one uusd; where the legs cancel so well that a tick is worth less than
that, H of neighbouring marks may differ by so much from a concave line.

Source: Binance, "How to calculate the liquidation price of USD-M futures" (cross margin, one-way and hedge
mode), whose closed form per tier is `reference/margin.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deleverage.errors import InputError
from deleverage.units import MAX_UUSD
from deleverage.venues.margin import NEVER_TICKS, TIERS_MAX, Tiers, maintenance_margin


@dataclass(frozen=True)
class Position:
    """One position, or one leg of a hedge.

    Parameters
    ----------
    market : row of the market in the tier record, and its place in marks and units.
    size : lots, long > 0; not 0.
    cost : what was paid for it [uusd]; < 0 for a short.
    """

    market: int
    size: int
    cost: int


@dataclass(frozen=True)
class Account:
    """A cross account: one wallet [uusd] behind all positions."""

    wallet: int
    positions: tuple[Position, ...]

    def __post_init__(self) -> None:
        """Refuse a position of no size: it would have no side.

        Raises
        ------
        InputError
            a size of 0.
        """
        for number, position in enumerate(self.positions, start=1):
            if position.size == 0:
                raise InputError(
                    f"position {number}: expected a size other than 0 lots, found 0",
                    hint="leave the position out",
                    position=number,
                )


@dataclass(frozen=True)
class Marks:
    """Where the markets stand: mark [ticks] and ``tick_lot_uusd`` by market, and the tiers of all."""

    mark: Sequence[int]
    tick_lot_uusd: Sequence[int]
    tiers: Tiers


@dataclass(frozen=True)
class LiquidationRange:
    """Liquidatable at marks m ≤ ``below`` and at marks m ≥ ``above`` [ticks], healthy between them.

    ``below`` is −1 where no mark is low enough; ``above`` is `NEVER_TICKS` where none is high enough.
    An account that no mark of the market makes healthy has ``below`` = `NEVER_TICKS`.
    """

    below: int
    above: int

    def holds(self, mark: int) -> bool:
        """True when the account is liquidatable at the mark."""
        return mark <= self.below or mark >= self.above


def equity(account: Account, marks: Marks) -> int:
    """E [uusd] of the account."""
    values = (
        p.size * marks.mark[p.market] * marks.tick_lot_uusd[p.market] - p.cost for p in account.positions
    )
    return account.wallet + sum(values)


def maintenance(account: Account, marks: Marks) -> int:
    """M [uusd] of the account: the sum over its positions, each rounded up."""
    return sum(_owed(p, marks.mark[p.market], marks) for p in account.positions)


def _owed(position: Position, mark: int, marks: Marks) -> int:
    """M [uusd] of one position at a mark."""
    notional = abs(position.size) * mark * marks.tick_lot_uusd[position.market]
    # As plain Python the kernel gives a scalar of numpy, whose products wrap.
    return int(maintenance_margin(notional, position.market, marks.tiers))


def health(account: Account, marks: Marks) -> int:
    """H = E − M [uusd]; the account is liquidatable when it is below 0."""
    return equity(account, marks) - maintenance(account, marks)


def liquidation_range(account: Account, market: int, marks: Marks) -> LiquidationRange:
    """Marks of one market at which the account is liquidatable, the other markets' marks held.

    Marks are searched from 0 up to where a notional no longer fits into the integers (`MAX_UUSD`).
    """
    here = [p for p in account.positions if p.market == market]
    others = Account(account.wallet, tuple(p for p in account.positions if p.market != market))
    rest = health(others, marks)
    unit = marks.tick_lot_uusd[market]

    def h(mark: int) -> int:
        found = rest
        for p in here:
            found += p.size * mark * unit - p.cost - _owed(p, mark, marks)
        return found

    if not here:
        return LiquidationRange(NEVER_TICKS if rest < 0 else -1, NEVER_TICKS)
    last = MAX_UUSD // (max(abs(p.size) for p in here) * unit)
    if all(p.size > 0 for p in here):
        top = last
    elif all(p.size < 0 for p in here):
        top = 0
    else:
        top = max(_corners(here, market, unit, marks.tiers, last), key=h)
    if h(top) < 0:
        return LiquidationRange(NEVER_TICKS, 0)
    below = -1 if h(0) >= 0 else _last_below_zero(h, 0, top)
    above = NEVER_TICKS if h(last) >= 0 else _last_below_zero(h, last, top)
    return LiquidationRange(below, above)


def bankruptcy_mark(account: Account, market: int, marks: Marks) -> int:
    """Mark [ticks] of one market at which equity is 0, the others held.

    Rounded so that equity is at least 0: up for a net long, down for a net short, and never below 0. A market
    without a net position moves nothing: `NEVER_TICKS`.
    """
    net = sum(p.size for p in account.positions if p.market == market) * marks.tick_lot_uusd[market]
    if net == 0:
        return NEVER_TICKS
    without = equity(account, marks) - net * marks.mark[market]
    price = -(without // net) if net > 0 else without // -net
    return max(price, 0)


def _corners(legs: list[Position], market: int, unit: int, tiers: Tiers, last: int) -> list[int]:
    """Marks around every tier edge of every leg, and the ends: the top of a concave H is one of them."""
    found = {0, last}
    for leg in legs:
        for k in range(min(int(tiers.last[market]), TIERS_MAX)):
            edge = int(tiers.cap_uusd[market, k]) // (abs(leg.size) * unit)
            found |= {min(edge, last), min(edge + 1, last)}
    return sorted(found)


def _last_below_zero(h: Callable[[int], int], under: int, healthy: int) -> int:
    """Of two marks, H < 0 at the first and ≥ 0 at the second: the nearest to the second with H < 0."""
    while abs(healthy - under) > 1:
        middle = (under + healthy) // 2
        if h(middle) < 0:
            under = middle
        else:
            healthy = middle
    return under
