"""What a venue's rule book says about margin: tiers, fees, windows, each dated and sourced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from deleverage.errors import RulesError


@dataclass(frozen=True)
class MarginTier:
    """One notional bracket.

    Parameters
    ----------
    cap_usd : notional up to which the tier holds [USD]; the last tier's cap also bounds a position.
    rate : maintenance margin rate [share of notional], an exact fraction.
    max_leverage : largest leverage setting [x].
    """

    cap_usd: int
    rate: Fraction
    max_leverage: int


@dataclass(frozen=True)
class TierTable:
    """Margin tiers of one contract, increasing in cap and rate, with their deductions."""

    symbol: str
    tiers: tuple[MarginTier, ...]
    source: str

    def __post_init__(self) -> None:
        """Refuse tiers that do not increase.

        Raises
        ------
        RulesError
            no tier at all, or a cap or rate that does not increase.
        """
        if not self.tiers:
            raise RulesError(
                f"{self.symbol}: expected at least one margin tier, found none", symbol=self.symbol
            )
        for number, (low, high) in enumerate(zip(self.tiers, self.tiers[1:], strict=False), start=2):
            if high.cap_usd <= low.cap_usd or high.rate <= low.rate:
                raise RulesError(
                    f"{self.symbol}: margin tiers must increase in cap and rate; tier {number} has cap "
                    f"{high.cap_usd} and rate {float(high.rate)} after {low.cap_usd} and {float(low.rate)}",
                    hint="check the order and the units of the tier table",
                    symbol=self.symbol,
                    tier=number,
                )
        for number, tier in enumerate(self.tiers, start=1):
            if not 0 < tier.rate < 1 or tier.cap_usd <= 0 or tier.max_leverage < 1:
                raise RulesError(
                    f"{self.symbol}: tier {number} needs 0 < rate < 1, cap > 0 and "
                    f"leverage of at least 1; found "
                    f"rate {float(tier.rate)}, cap {tier.cap_usd}, leverage {tier.max_leverage}",
                    symbol=self.symbol,
                    tier=number,
                )

    @property
    def deductions_usd(self) -> tuple[Fraction, ...]:
        """Amount to take off so that the margin is continuous.

        Cum_k = cum_{k-1} + floor_k (rate_k − rate_{k-1}).
        """
        sums = [Fraction(0)]
        for low, high in zip(self.tiers, self.tiers[1:], strict=False):
            sums.append(sums[-1] + low.cap_usd * (high.rate - low.rate))
        return tuple(sums)


@dataclass(frozen=True)
class VenueRules:
    """The rule set of one venue as it stood on a date.

    Parameters
    ----------
    mark_window_s : length of the moving average of (mid − index) in the mark price [s].
    funding_interval_h : time between funding payments [h].
    funding_clamp : bound of (interest − premium) in the funding formula [share].
    interest : interest rate per 8 h [share].
    """

    venue: str
    valid_from: date
    mark_window_s: int
    funding_interval_h: int
    funding_clamp: Fraction
    interest: Fraction
    tiers: dict[str, TierTable]
    source: str

    def tier_table(self, symbol: str) -> TierTable:
        """Tiers of a contract.

        Raises
        ------
        RulesError
            the rule set does not know the contract.
        """
        if symbol not in self.tiers:
            raise RulesError(
                f"{self.venue}: expected one of {sorted(self.tiers)}, found symbol '{symbol}'",
                hint="import the venue's tier file, or choose another symbol",
                venue=self.venue,
                symbol=symbol,
            )
        return self.tiers[symbol]
