"""What are the rules of dYdX v4, and what do its formulas give in whole quantums?

Symbols: Q quote balance, q_i signed size [coins, long > 0], p_i oracle price [USD per coin]. Money is in
quote quantums, 10⁻⁶ USDC, which is our uusd.

    net notional      N_i = trunc(q_i·p_i)                      towards zero
    net collateral    C = Q + Σ N_i                             (venue: TNC)
    maintenance       M_i = ceil(ceil(|N_i|·initial)·fraction)  (venue: MMR), M = Σ M_i (TMMR)
    liquidatable      M > 0 and C < M

Source of the formulas and of every rounding: dydxprotocol/v4-chain at commit 84d4664b (2026-03-05),
protocol/x/clob/keeper/liquidations.go, deleveraging.go and protocol/x/perpetuals, with the tests beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import ceil, floor, trunc

from deleverage.errors import InputError
from deleverage.units import PPM, UUSD_PER_USD
from deleverage.venues.rules import (
    AdlPrice,
    AdlRank,
    AdlTrigger,
    Contract,
    Fees,
    Funding,
    Grade,
    MarginTier,
    Mark,
    MarkRule,
    OrderLimit,
    Slice,
    Takeover,
    TierTable,
    Trigger,
    VenueRules,
    Waterfall,
    rules_on,
)

_CHAIN = "dydxprotocol/v4-chain at commit 84d4664b (2026-03-05)"
_TIER_SOURCE = (
    f"{_CHAIN}, liquidity tiers of protocol/testing/genesis.sh; governance may have set others, and the "
    "first day on which these held is assumed"
)
_LIQUIDATION_SOURCE = (
    f"{_CHAIN}, liquidations_config of protocol/testing/genesis.sh: fee at most 1.5 %, 10 % of a position "
    "and at least 1,000 USDC an order, 100,000 USDC and 1,000,000 USDC of insurance loss per subaccount and "
    "block, spread 150 % of maintenance margin; fee and spread also in the venue's help pages on "
    "liquidations and contract losses"
)
_FUNDING_SOURCE = (
    f"{_CHAIN}, x/perpetuals: rate per 8 h settled each hour, |F| ≤ 600 % · (initial − maintenance)"
)

NO_CAP_USD = 1_000_000_000_000
"""Margin rates of dYdX do not depend on the size of a position; a tier must have some end."""
INSURANCE_LOSS_A_BLOCK_USD = 1_000_000
"""Largest loss of the insurance fund per subaccount and block [USD]."""
FUNDING_CLAMP_PPM = 6_000_000
"""Largest |funding rate per 8 h| ÷ (initial − maintenance) [ppm]."""
_FUNDING_PERIOD_S = 8 * 3600


@dataclass(frozen=True)
class LiquidityTier:
    """Margin rates of a class of markets [ppm], and the open interest between which the initial rate rises.

    ``lower_usd`` and ``upper_usd`` : open notional at which the initial margin begins to rise, and is 100 %;
    an upper one of 0 means that it never rises.
    """

    name: str
    initial_ppm: int
    fraction_ppm: int
    lower_usd: int = 0
    upper_usd: int = 0

    @property
    def maintenance(self) -> Fraction:
        """Maintenance margin ÷ notional, before rounding."""
        return Fraction(self.initial_ppm * self.fraction_ppm, PPM * PPM)


LIQUIDITY_TIERS = {
    tier.name: tier
    for tier in (
        LiquidityTier("Large-Cap", 20_000, 600_000),
        LiquidityTier("Mid-Cap", 50_000, 600_000, 40_000_000, 100_000_000),
        LiquidityTier("Small-Cap", 100_000, 500_000, 20_000_000, 50_000_000),
        LiquidityTier("Long-Tail", 200_000, 500_000, 5_000_000, 10_000_000),
        LiquidityTier("Isolated", 50_000, 600_000, 500_000, 1_000_000),
        LiquidityTier("FX", 10_000, 500_000),
        LiquidityTier("Safety", 1_000_000, 200_000),
    )
}
"""By name, of the genesis file of that commit."""

MARKETS = {"BTC-USD": "Large-Cap", "ETH-USD": "Large-Cap", "SOL-USD": "Mid-Cap"}
"""Liquidity tier of the main markets, of the same file."""


def _table(symbol: str, tier: LiquidityTier) -> TierTable:
    return TierTable(
        symbol, (MarginTier(NO_CAP_USD, tier.maintenance, PPM // tier.initial_ppm),), _TIER_SOURCE
    )


VERSIONS = (
    VenueRules(
        venue="dydx",
        product="v4 perpetuals",
        grade=Grade.ENGINE,
        contract=Contract.LINEAR,
        valid_from=date(2025, 1, 1),
        tiers={symbol: _table(symbol, LIQUIDITY_TIERS[name]) for symbol, name in MARKETS.items()},
        mark=Mark(MarkRule.ORACLE, window_s=0),
        # A rate per 8 h, paid by the hour on the oracle price. No interest: default_funding_ppm is 0. The cap
        # is that of Large-Cap, 600 % · (2 % − 1.2 %) per 8 h, for one of its eight payments.
        funding=Funding(interval_h=1, interest=Fraction(0), clamp=Fraction(0), cap=Fraction(6, 1_000)),
        # The taker's fee is that of the first tier; what a liquidation costs at most goes to the fund.
        fees=Fees(taker=Fraction(500, PPM), liquidation=Fraction(15_000, PPM)),
        waterfall=Waterfall(
            trigger=Trigger.ORACLE,
            order_limit=OrderLimit.FILLABLE,
            slice=Slice.SHARE_A_STEP,
            # The fund settles the difference of each fill to the bankruptcy price; it takes no contracts.
            takeover=Takeover.NONE,
            adl_trigger=AdlTrigger.NOTHING_FILLED,
            adl_rank=AdlRank.RANDOM_START,
            adl_price=AdlPrice.BANKRUPTCY,  # the oracle's in a final settlement
            slice_share=Fraction(1, 10),
            slice_minimum_usd=1_000,
            slice_maximum_usd=100_000,
            keeps_margin=True,
            bankruptcy_adjustment=Fraction(1),
            spread_to_maintenance=Fraction(3, 2),
        ),
        sources={
            "tiers": _TIER_SOURCE,
            "mark": f"{_CHAIN}, margin and liquidations at the oracle price",
            "funding": _FUNDING_SOURCE,
            "fees": f"{_CHAIN}, fee tier 1 and {_LIQUIDATION_SOURCE}",
            "waterfall": _LIQUIDATION_SOURCE,
        },
    ),
)
"""Newest first; the first one that is not later than the date holds."""


def rules_at(day: date) -> VenueRules:
    """Rule set in force on a day (UTC).

    Raises
    ------
    RulesError
        no rule set is known for so early a day.
    """
    return rules_on(VERSIONS, day)


# --- margin -----------------------------------------------------------------------------------------


def base_to_quote(quantums: int, resolution: int, price: int, exponent: int) -> int:
    """Base quantums [10^resolution coins] at an oracle price [10^exponent USD] in quote quantums.

    q·p·10^(resolution + exponent + 6), truncated towards zero.
    """
    power = resolution + exponent + 6
    product = quantums * price
    # Towards zero, whatever the sign.
    return product * 10**power if power >= 0 else trunc(Fraction(product, 10**-power))


def notional(size: Fraction, price: Fraction) -> int:
    """N [quote quantums] of a signed size [coins] at a price [USD]: trunc(q·p·10⁶), sign of the size."""
    return trunc(size * price * UUSD_PER_USD)


def margin(notional_uusd: int, initial: Fraction, fraction: Fraction = Fraction(1)) -> int:
    """Maintenance margin [quote quantums] of a notional of either sign: ceil(ceil(|N|·initial)·fraction).

    Rounded up twice, against the account; with ``fraction`` 1 it is the margin of one rate.
    """
    return ceil(ceil(abs(notional_uusd) * initial) * fraction)


@dataclass(frozen=True)
class Position:
    """Signed size [coins], oracle price [USD], initial rate and maintenance fraction [shares]."""

    size: Fraction
    price: Fraction
    initial: Fraction
    fraction: Fraction = Fraction(1)

    @property
    def notional(self) -> int:
        """N_i [quote quantums], signed."""
        return notional(self.size, self.price)

    @property
    def maintenance_margin(self) -> int:
        """M_i [quote quantums]."""
        return margin(self.notional, self.initial, self.fraction)

    def resized(self, size: Fraction) -> Position:
        """The same market with another size."""
        return Position(size, self.price, self.initial, self.fraction)


@dataclass(frozen=True)
class Subaccount:
    """Quote balance Q [quote quantums, either sign] and positions by market."""

    quote: int
    positions: Mapping[str, Position]

    @property
    def net_collateral(self) -> int:
        """C [quote quantums]."""
        return self.quote + sum(position.notional for position in self.positions.values())

    @property
    def maintenance_margin(self) -> int:
        """M [quote quantums]."""
        return sum(position.maintenance_margin for position in self.positions.values())

    @property
    def is_liquidatable(self) -> bool:
        """True when M > 0 and C < M: an account exactly at its margin is safe."""
        return self.net_collateral < self.maintenance_margin != 0

    def position(self, market: str) -> Position:
        """The open position of a market.

        Raises
        ------
        InputError
            the account has none there.
        """
        position = self.positions.get(market)
        if position is None or position.size == 0:
            raise InputError(
                f"expected a market with an open position ({', '.join(self.positions) or 'there is none'}), "
                f"found '{market}'"
            )
        return position


def _needs_margin(account: Subaccount) -> int:
    owed = account.maintenance_margin
    if owed == 0:
        raise InputError("expected an account with some maintenance margin, found 0")
    return owed


# --- liquidation ------------------------------------------------------------------------------------


def bankruptcy_quote(account: Subaccount, market: str, delta: Fraction) -> int:
    """Quote [quote quantums, received > 0] for which closing ``delta`` [coins, signed] uses up its margin.

        −ΔN − floor(C·|ΔM| / M)

    with ΔN, ΔM the changes of the position's notional and margin. The division is the only rounding; down
    here means up in the result: a close at this price asks nothing of the insurance fund. Closing the only
    position leaves exactly 0.

    Raises
    ------
    InputError
        ``delta`` does not make the position smaller, or the account owes no margin.
    """
    before = account.position(market)
    if before.size * delta >= 0 or abs(delta) > abs(before.size):
        raise InputError(
            f"expected a change that closes at most the position of {float(before.size):g} {market}, "
            f"found {float(delta):g}"
        )
    after = before.resized(before.size + delta)
    change = after.notional - before.notional
    freed = before.maintenance_margin - after.maintenance_margin
    # Down, also for negative collateral.
    return -change - account.net_collateral * freed // _needs_margin(account)


def fillable_price(
    account: Subaccount, market: str, bankruptcy_adjustment: Fraction, spread_to_maintenance: Fraction
) -> Fraction:
    """Worst price [USD] at which a liquidation order of the market may fill, before it is put on a tick.

        p_f = (N_i − A·S·M_i) / q_i,   A = clamp(B·(1 − C / M), 0, 1)

    B ``bankruptcy_adjustment``, S ``spread_to_maintenance``. On the side of the oracle that hurts the
    account: below it for a long, above it for a short, the further the less is left. Not rounded.

    Raises
    ------
    InputError
        no such position, no margin owed, or a spread that would make the price negative.
    """
    position = account.position(market)
    rating = bankruptcy_adjustment * (1 - Fraction(account.net_collateral, _needs_margin(account)))
    rating = max(Fraction(0), min(Fraction(1), rating))
    spread = rating * spread_to_maintenance * position.maintenance_margin
    price = (position.notional - spread) / position.size / UUSD_PER_USD
    if price < 0:
        raise InputError(f"expected a spread below the position's value, found a price of {float(price):g}")
    return price


def on_tick(price: Fraction, tick: Fraction, *, closes_long: bool) -> Fraction:
    """A fillable price [USD] on a tick: up when it closes a long, down for a short; at least a tick."""
    # Towards the oracle, so that an order is never worse than its exact limit.
    ticks = ceil(price / tick) if closes_long else floor(price / tick)
    return max(1, ticks) * tick


def fill_quote(delta: Fraction, price: Fraction) -> int:
    """Quote [quote quantums] of a fill that changes the position by ``delta`` [coins]: received if sold."""
    # The amount is truncated before it gets its sign.
    amount = trunc(abs(delta) * price * UUSD_PER_USD)
    return -amount if delta > 0 else amount


def insurance_fund_delta(quote: int, bankruptcy: int, largest_fee: Fraction) -> int:
    """What the insurance fund gets [quote quantums, paid by it < 0] for a fill at ``quote``.

    raw = quote − bankruptcy quote; raw where raw ≤ 0, else min(raw, floor(|quote|·largest fee)): the
    account keeps what is above the fee.
    """
    raw = quote - bankruptcy
    if raw <= 0:
        return raw
    # Down, for the account.
    return min(raw, floor(abs(quote) * largest_fee))


def largest_order(
    position: Position, step: Fraction, waterfall: Waterfall, closed_in_block: int = 0
) -> Fraction:
    """Coins, > 0, that one liquidation order may close in a block.

    Of the position at most max(minimum, share), and of the account at most the maximum per block less what
    was closed before [quote quantums]. The whole position where the limits reach it, or where it is at most
    a step.
    """
    value = abs(position.notional)
    smallest = min(waterfall.slice_minimum_usd * UUSD_PER_USD, value)
    limit = max(smallest, floor(value * waterfall.slice_share))
    if waterfall.slice_maximum_usd:
        limit = min(limit, waterfall.slice_maximum_usd * UUSD_PER_USD - closed_in_block)
    size = abs(position.size)
    if value <= limit or size <= step:
        return size
    # Down to whole steps, then at least one of them.
    coins = floor(Fraction(limit, UUSD_PER_USD) / position.price / step) * step
    return min(max(coins, step), size)


# --- initial margin and funding ---------------------------------------------------------------------


def initial_margin_ppm(base_ppm: int, lower: int, upper: int, open_notional: int) -> int:
    """Initial margin rate [ppm] at an open interest; ``lower``, ``upper`` and it in the same unit.

    base + floor((10⁶ − base)·(OI − lower) / (upper − lower)) between the caps, the base below, 10⁶ from the
    upper one on; an ``upper`` of 0 switches the rise off. Rounded down.
    """
    if upper == 0 or open_notional <= lower:
        return base_ppm
    if open_notional >= upper:
        return PPM
    return base_ppm + (PPM - base_ppm) * (open_notional - lower) // (upper - lower)


def initial_margin(notional_uusd: int, rate_ppm: int) -> int:
    """Initial margin [quote quantums]: ceil(|N|·rate), against the account."""
    return -(-abs(notional_uusd) * rate_ppm // PPM)


def funding_cap_ppm(clamp_ppm: int, initial_ppm: int, fraction_ppm: int) -> int:
    """Largest |funding rate per 8 h| [ppm]: floor(clamp·(initial − floor(initial·fraction)))."""
    maintenance = initial_ppm * fraction_ppm // PPM
    return clamp_ppm * (initial_ppm - maintenance) // PPM


def funding_index_delta(rate_8h_ppm: int, seconds: int, resolution: int, price: int, exponent: int) -> int:
    """Change of a market's funding index [10⁻⁶ quote quantums per base quantum] over a time.

    rate·dt / 8 h · price, multiplied first; truncated towards zero at the price, then at the period.
    """
    scaled = base_to_quote(rate_8h_ppm * seconds, resolution, price, exponent)
    return trunc(Fraction(scaled, _FUNDING_PERIOD_S))


def funding_settlement_ppm(index_now: int, index_position: int, quantums: int) -> int:
    """What a position receives [10⁻⁶ quote quantums]: −(index now − index of the position)·size.

    A long pays when the index has risen.
    """
    return -(index_now - index_position) * quantums
