"""What leverage did a contract's margin tiers allow, and which adverse move ends it?

Linear contracts, isolated margin. A tier holds above its floor and up to its cap. With entry P0, notional N,
leverage L, maintenance rate m and deduction c ('cum') of the tier, a long is closed by force where

    N/L + N (P/P0 − 1) = m N P/P0 − c        so   P/P0 = (1 − 1/L − c/N) / (1 − m).

Fees, funding and the notional's own fall into a lower tier are left out: they are `venues/`, to the cent.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from deleverage.measure.asof import AsOf


@dataclass(frozen=True)
class Tier:
    """One tier: (floor_usd, cap_usd], cap None without end; rate a share; deduction [USD]."""

    floor_usd: float
    cap_usd: float | None
    rate: float
    max_leverage: float
    deduction_usd: float


@dataclass(frozen=True)
class TierSet:
    """The tiers of a contract as of a day."""

    venue: str
    symbol: str
    time_ns: int
    tiers: tuple[Tier, ...]

    @property
    def max_leverage(self) -> float:
        """The largest setting of all tiers."""
        return max(tier.max_leverage for tier in self.tiers)

    def at(self, notional_usd: float) -> Tier | None:
        """The tier of a notional > 0; None where it is larger than the last tier."""
        for tier in self.tiers:
            if notional_usd > tier.floor_usd and (tier.cap_usd is None or notional_usd <= tier.cap_usd):
                return tier
        return None

    def largest_notional(self, leverage: float) -> float | None:
        """The notional up to which a setting is allowed [USD]; None where it never is, inf without end."""
        caps = [
            float("inf") if tier.cap_usd is None else tier.cap_usd
            for tier in self.tiers
            if tier.max_leverage >= leverage
        ]
        return max(caps, default=None)

    def move(self, leverage: float, notional_usd: float) -> float | None:
        """The fall that ends an isolated long of that setting and notional, as a share > 0; None if not
        allowed.
        """
        tier = self.at(notional_usd)
        if tier is None or tier.max_leverage < leverage:
            return None
        ratio = (1 - 1 / leverage - tier.deduction_usd / notional_usd) / (1 - tier.rate)
        return 1 - ratio

    def move_range(self, leverage: float) -> tuple[float, float, float] | None:
        """Move of the smallest position, least and largest move of all that are allowed; None if none is.

        Inside a tier the move rises or falls with the notional all the way, so its ends suffice.
        """
        first = self.tiers[0]
        if first.max_leverage < leverage:
            return None
        moves = []
        for tier in self.tiers:
            if tier.max_leverage < leverage:
                continue
            cap = 2 * tier.floor_usd + 1.0 if tier.cap_usd is None else tier.cap_usd
            # just above the floor: at a floor itself the lower tier holds, and both give the same margin
            for notional in (max(tier.floor_usd * (1 + 1e-9), 1.0), cap):
                found = self.move(leverage, notional)
                if found is not None:
                    moves.append(found)
        return (moves[0], min(moves), max(moves)) if moves else None

    def leverage_ended_by(self, move: float) -> float:
        """The setting of the smallest position that a fall of ``move`` (share) just ends, allowed or not."""
        first = self.tiers[0]
        return 1 / (1 - (1 - move) * (1 - first.rate))


def latest_tiers(asof: AsOf, venue: str, symbol: str) -> TierSet | None:
    """The latest set that was known; None where there is none."""
    rows = asof.table("tiers", venue=venue, symbol=symbol)
    if rows.is_empty():
        return None
    newest = int(rows["time_ns"].max())  # type: ignore[arg-type]
    rows = rows.filter(pl.col("time_ns") == newest).sort("tier")
    return TierSet(
        venue,
        symbol,
        newest,
        tuple(
            Tier(
                row["floor_usd"],
                row["cap_usd"],
                row["rate_num"] / row["rate_den"],
                row["max_leverage"],
                row["deduction_usd"],
            )
            for row in rows.iter_rows(named=True)
        ),
    )
