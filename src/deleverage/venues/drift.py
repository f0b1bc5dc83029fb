"""What are the rules of Drift v2, and what do its liquidation formulas give in its own integers?

Prices are in 10⁻⁶ USD, quote amounts (shortages, losses) in 10⁻⁶ USDC, base in 10⁻⁹ coins, spot tokens in
10^−decimals of the token, margin ratios and weights in 10⁻⁴, fees and multipliers in 10⁻⁶. Every division is
rounded down unless the line above it says otherwise.

A liquidator takes over a part of the position at the oracle price less (for a short: plus) a fee. Margin is
reckoned at the oracle price, so that closing b coins frees b·p·(ratio − fee). What a bankrupt account cannot
pay after the insurance fund is shared by all positions of the market.

Source: drift-labs/protocol-v2 at commit 0ae3e3b1, programs/drift/src/math/liquidation.rs and its tests.
Calculator grade: the market does not run this venue. Its margin ratios are accounts on the chain that
governance sets; none were in a source that could be read, so that callers pass them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from deleverage.errors import InputError
from deleverage.venues.rules import (
    AdlPrice,
    AdlTrigger,
    Contract,
    Fees,
    Funding,
    Grade,
    Mark,
    MarkRule,
    OrderLimit,
    Slice,
    Takeover,
    Trigger,
    VenueRules,
    Waterfall,
    rules_on,
)

PRICE_UNIT = 1_000_000
QUOTE_UNIT = 1_000_000
BASE_UNIT = 1_000_000_000
MARGIN_UNIT = 10_000
WEIGHT_UNIT = 10_000
FEE_UNIT = 1_000_000
INTEREST_UNIT = 10_000_000_000
FUNDING_UNIT = 1_000_000_000
QUOTE_DECIMALS = 6

_SOURCE = "drift-labs/protocol-v2 at commit 0ae3e3b1, programs/drift/src/math/liquidation.rs and its tests"
_FUNDING_SOURCE = (
    "Drift, page on funding rates: each hour 1/24 of (mark − oracle)/oracle, both as means of an hour; "
    "clamped at 0.125 % an hour in contract tiers A and B"
)

FEE_SHARE = Fraction(19, 20)
"""Share of what margin can bear that the insurance fund takes as its fee: below 1, so that the fee does not
make an account bankrupt."""
DUST_UUSD = 1_000_000
"""A deposit worth less than this more than what is taken is taken whole [10⁻⁶ USD]."""

VERSIONS = (
    VenueRules(
        venue="drift",
        product="v2 perpetuals",
        grade=Grade.CALCULATOR,
        contract=Contract.LINEAR,
        valid_from=date(2025, 1, 1),
        tiers={},
        mark=Mark(MarkRule.ORACLE, window_s=0),
        funding=Funding(
            interval_h=1,
            interest=Fraction(0),
            clamp=Fraction(0),
            cap=Fraction(125, 100_000),
            rate_of_8h=False,
        ),
        fees=Fees(taker=Fraction(10, 10_000), liquidation=Fraction(0)),
        # The nearest of the policies: liquidators step in for as much as restores the margin.
        waterfall=Waterfall(
            trigger=Trigger.ORACLE,
            order_limit=OrderLimit.NONE,
            slice=Slice.SHARE_A_STEP,
            takeover=Takeover.NONE,
            adl_trigger=AdlTrigger.EQUITY_NEGATIVE,
            adl_price=AdlPrice.ORACLE,
        ),
        sources={
            "tiers": "none: margin ratios are set on the chain and stand in no source that could be read",
            "mark": f"{_SOURCE}: margin at the oracle price",
            "funding": _FUNDING_SOURCE,
            "fees": "Drift, page on fees and rebates: 10 bp a taker; markets set those of liquidations",
            "waterfall": f"{_SOURCE}; a loss is shared through the funding index, which no policy here says",
        },
    ),
)
"""Newest first; the first one that is not later than the date holds. The first day is assumed."""


def rules_at(day: date) -> VenueRules:
    """Rule set in force on a day (UTC).

    Raises
    ------
    RulesError
        no rule set is known for so early a day.
    """
    return rules_on(VERSIONS, day)


def _ten_to(power: int) -> int:
    """10^power, and 1 for a negative power."""
    return int(10 ** max(power, 0))


def _not_negative(**amounts: int) -> None:
    for name, amount in amounts.items():
        if amount < 0:
            raise InputError(f"{name}: expected an amount of at least 0, found {amount}")


# --- perpetuals -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PerpTerms:
    """What decides a liquidation in one market: ratio [10⁻⁴], fees [10⁻⁶], prices [10⁻⁶ USD].

    Parameters
    ----------
    margin_ratio : maintenance margin ÷ notional.
    liquidator_fee, fund_fee : shares of notional that the liquidator and the insurance fund get.
    oracle, quote_oracle : price of the coin in the quote asset, and of the quote asset.
    """

    margin_ratio: int
    liquidator_fee: int
    fund_fee: int
    oracle: int
    quote_oracle: int = PRICE_UNIT

    @property
    def spare(self) -> int:
        """Margin ratio less the liquidator's fee [10⁻⁶]: what closing frees of notional, before the fund."""
        return self.margin_ratio * (FEE_UNIT // MARGIN_UNIT) - self.liquidator_fee

    @property
    def price(self) -> int:
        """Price of the coin in USD [10⁻⁶]."""
        return self.oracle * self.quote_oracle // PRICE_UNIT

    @property
    def freed_by_a_coin(self) -> int:
        """Margin that closing one coin frees [10⁻⁶ USD]: floor(p·spare) − floor(oracle·fund fee)."""
        return self.price * self.spare // FEE_UNIT - self.oracle * self.fund_fee // FEE_UNIT


def base_to_cover(shortage: int, terms: PerpTerms) -> int:
    """Base [10⁻⁹ coins] whose takeover restores the margin requirement exactly, rounded down.

        b = shortage / (oracle·quote oracle·(ratio − fee) − oracle·fund fee)

    Raises
    ------
    InputError
        closing frees no margin (no price, or fees as large as the ratio): then no part restores it, and the
        venue takes the whole position.
    """
    _not_negative(shortage=shortage)
    if terms.oracle <= 0 or terms.spare <= 0 or terms.freed_by_a_coin <= 0:
        raise InputError(
            f"expected a margin ratio above the fees and a price above 0, found ratio {terms.margin_ratio} "
            f"e-4, fees {terms.liquidator_fee} and {terms.fund_fee} e-6, price {terms.oracle} e-6: closing "
            "frees nothing",
            hint="no part of the position restores its margin; the venue takes all of it",
        )
    # quote·10⁹ / price is base; down, so that never more is taken than the shortage asks for.
    return shortage * BASE_UNIT // terms.freed_by_a_coin


def liquidation_size(position: int, shortage: int, terms: PerpTerms, step: int = 1) -> int:
    """Base [10⁻⁹ coins, ≥ 0] that a liquidator takes of a position of either sign.

    Enough for the shortage, rounded up to the market's step; the whole position where that is not enough, or
    where closing frees nothing.
    """
    size = abs(position)
    if terms.oracle <= 0 or terms.spare <= 0 or terms.freed_by_a_coin <= 0:
        return size
    # Up to a step: the account must not stay below its requirement.
    return min(size, -(-base_to_cover(shortage, terms) // step) * step)


def perp_fund_fee(shortage: int, position: int, terms: PerpTerms, largest: int) -> int:
    """Insurance fund's fee of a liquidation [10⁻⁶ of notional]: what the margin of the position can bear.

        min(largest, 0.95·max(0, ratio − liquidator's fee − shortage / (base·price)))

    0 where the shortage is beyond the margin, or where there is no price, position or margin.
    """
    _not_negative(shortage=shortage, largest=largest)
    if terms.oracle <= 0 or terms.price <= 0 or terms.spare <= 0 or position == 0:
        return 0
    # Two divisions, each down: first by the base, then by the price.
    missing = shortage * BASE_UNIT // abs(position) * PRICE_UNIT // terms.price
    bearable = max(0, terms.spare - missing) * FEE_SHARE.numerator // FEE_SHARE.denominator
    return min(largest, bearable)


def funding_delta_for_loss(loss: int, long: int, short: int) -> int:
    """Jump of the cumulative funding rate [10⁻⁹ quote per coin] that makes all positions share a loss.

        ceil(|loss| / (|long| + |short|)) in 10⁻⁶ quote per coin, times 1,000

    ``loss`` [10⁻⁶ USDC], ``long`` and ``short`` the market's base [10⁻⁹ coins] of any sign. Both sides pay:
    the venue adds the jump to the index of longs and takes it off that of shorts.

    Raises
    ------
    InputError
        nobody holds a position.
    """
    holders = abs(long) + abs(short)
    if holders == 0:
        raise InputError("expected a market in which somebody holds a position, found none to share a loss")
    # Up: what is collected covers the loss.
    return -(-abs(loss) * BASE_UNIT // holders) * (FUNDING_UNIT // QUOTE_UNIT)


# --- borrowed tokens --------------------------------------------------------------------------------


@dataclass(frozen=True)
class SpotTerms:
    """A deposit (asset) that pays for a borrow (liability): weights [10⁻⁴], multipliers [10⁻⁶].

    The liquidator gets the asset at its multiplier (≥ 1) and repays the liability at its own (≤ 1).
    """

    asset_weight: int
    asset_multiplier: int
    liability_weight: int
    liability_multiplier: int
    liability_price: int
    liability_decimals: int = 9
    fund_fee: int = 0


def liability_to_cover(shortage: int, terms: SpotTerms) -> int:
    """Borrow [10^−decimals tokens] whose repayment restores the margin requirement, rounded down.

        t = shortage / (p·(lw − aw·am / lm) − p·fund fee·lw)

    lw, aw weights, am, lm multipliers; weights carry one more digit, the quotient aw·am / lm is rounded down.

    Raises
    ------
    InputError
        repaying frees nothing: the asset is worth as much margin as the liability costs.
    """
    _not_negative(shortage=shortage)
    weight = terms.liability_weight * 10
    worth = terms.asset_weight * 10 * terms.asset_multiplier // terms.liability_multiplier
    price = terms.liability_price
    # The fund's part is rounded down before it is weighed.
    freed = price * (weight - worth) - price * terms.fund_fee // FEE_UNIT * weight
    if terms.asset_weight >= terms.liability_weight or freed <= 0:
        raise InputError(
            f"expected a liability that weighs more than the asset and the fees, found weights "
            f"{terms.liability_weight} and {terms.asset_weight} e-4 at {price} e-6: repaying frees nothing",
            hint="no part of the borrow restores its margin; the venue repays all of it",
        )
    scale = terms.liability_decimals - QUOTE_DECIMALS
    amount = shortage * _ten_to(scale) * PRICE_UNIT * WEIGHT_UNIT * 10 // freed
    return amount // _ten_to(-scale)


def liability_for_asset(
    asset: int,
    asset_multiplier: int,
    asset_decimals: int,
    asset_price: int,
    liability_multiplier: int,
    liability_decimals: int,
    liability_price: int,
) -> int:
    """Borrow [10^−decimals tokens] that an amount of the asset repays: asset·p_a·lm / (p_l·am), rounded up.

    Up, so that the account never gives the asset for less than it repays.
    """
    _not_negative(asset=asset)
    scale = liability_decimals - asset_decimals
    worth = asset * _ten_to(scale) * asset_price * liability_multiplier
    # Up twice: by the prices, then by the decimals.
    amount = -(-worth // (liability_price * asset_multiplier))
    return -(-amount // _ten_to(-scale))


def asset_for_liability(
    liability: int,
    liability_multiplier: int,
    liability_decimals: int,
    liability_price: int,
    asset_multiplier: int,
    asset_decimals: int,
    asset_price: int,
    deposit: int | None = None,
) -> int:
    """Asset [10^−decimals tokens] that pays for a repaid borrow: liability·p_l·am / (p_a·lm), rounded down.

    With the ``deposit`` that the account has of it: all of that where the two are less than a dollar apart,
    so that no dust stays.
    """
    _not_negative(liability=liability)
    scale = asset_decimals - liability_decimals
    worth = liability * _ten_to(scale) * liability_price * asset_multiplier
    # Down twice: by the prices, then by the decimals.
    amount = worth // (asset_price * liability_multiplier) // _ten_to(-scale)
    if deposit is None:
        return amount
    apart = abs(amount - deposit) * asset_price // _ten_to(asset_decimals)
    return deposit if apart < DUST_UUSD else amount


def spot_fund_fee(shortage: int, amount: int, terms: SpotTerms, largest: int) -> int:
    """Insurance fund's fee of a repaid borrow [10⁻⁶], of ``amount`` tokens borrowed.

        min(largest, max(0, lw − aw·am / lm − shortage / (amount·p)) / lw)

    0 where there is no borrow or price, or where repaying frees nothing.
    """
    _not_negative(shortage=shortage, amount=amount, largest=largest)
    unusable = not (terms.liability_price and amount and terms.liability_multiplier)
    if unusable or terms.asset_weight >= terms.liability_weight:
        return 0
    scale = FEE_UNIT // WEIGHT_UNIT
    weight = terms.liability_weight * scale
    worth = terms.asset_weight * scale * terms.asset_multiplier // terms.liability_multiplier
    # Two divisions, each down: first by the amount, then by the price.
    missing = shortage * FEE_UNIT * _ten_to(terms.liability_decimals) // amount // terms.liability_price
    return min(largest, max(0, max(0, weight - worth) - missing) * FEE_UNIT // weight)


def interest_delta_for_loss(loss: int, deposits: int, cumulative_interest: int) -> int:
    """What the cumulative deposit interest [10⁻¹⁰] falls by, so that depositors share an unpaid borrow.

    ceil(interest·loss / deposits), loss and deposits in the same unit; 0 where there are no deposits.
    """
    _not_negative(loss=loss, deposits=deposits)
    if deposits == 0:
        return 0
    # Up: the depositors carry the whole loss.
    return -(-cumulative_interest * loss // deposits)
