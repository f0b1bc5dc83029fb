"""Are positions liquidated where the venues' formulas say, and is equity = maintenance there? LIQ-1.

Three things are asked of the program: its exact fractions and its integer kernels against printed prices;
the calculator against the formulas typed here from the notes; and, over accounts in every tier of a real
table, the identity that defines the price, equity(P) = maintenance(P) in the tier that P falls into.

    linear       P = (E·q − C) ÷ (q(1 − r)) for a long                      C margin, r maintenance rate
    Hyperliquid  P = price − s·available ÷ size ÷ (1 − l·s)                 l = 1 ÷ maintenance leverage
    inverse      P = N(1 + s·r) ÷ (N/E + s·C)                               N contracts in USD, C in coins

The notes print the inverse formula for a long; a short is its mirror.

Source: design notes, `science.md` §7; Binance "How to calculate the liquidation price", Hyperliquid docs
"Liquidations".
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from itertools import product

from deleverage.venues import binance, hyperliquid, inverse, linear
from deleverage.venues.calculator.assess import Assessment, assess
from deleverage.venues.calculator.position import MarginMode, Position, Side
from deleverage.venues.inverse_margin import trigger_price
from deleverage.venues.linear import Leg
from deleverage.venues.margin import health_single, liquidation_price, tiers_record
from deleverage.venues.rules import MarginTier, TierTable, VenueRules
from verify.verdict import Verdict

F = Fraction
PRINTED = "design notes §7"
DAY = date(2025, 10, 10)
DIGITS = 10**9


def flat(rate: Fraction) -> TierTable:
    """One tier for every size."""
    return TierTable("FLAT", (MarginTier(10**12, rate, 100),), "one rate for every size")


def printed() -> Iterator[tuple[str, float, float, float, str]]:
    """(what, printed, found, tolerance, note) of the figures of the notes; prices in USD."""
    ten = Leg(1, F(1), F(100), F(1, 80))
    yield "linear long 10x at 100, 1.25 %", 91.1392, float(linear.liquidation_price(F(10), [ten])), 5e-5, ""
    ticks = liquidation_price(10 * DIGITS, 1, 100 * DIGITS, 1, 0, tiers_record([flat(F(1, 80))]))
    yield "the same by the integer kernel", 91.1392, ticks / DIGITS, 5e-5, ""
    entry, lever, rate = F(50_000), 20, F(1, 200)
    for side, name, coin_margined, usd_margined in (
        (1, "long", 47_857.14, 47_738.69),
        (-1, "short", 52_368.42, 52_238.81),
    ):
        size = F(100_000)  # USD; the price does not depend on it
        legs = [Leg(side, size, entry, rate)]
        found = inverse.liquidation_price(size / entry / lever, legs)
        if found is None:
            raise ArithmeticError(f"expected a price of the inverse {name}, found none")
        yield f"inverse {name} 20x at 50,000, 0.5 %", coin_margined, float(found), 5e-3, ""
        # Coins in satoshi, ticks of 10⁻³ USD: one lot is the whole position.
        unit = int(size * 10**8 * 1000)
        worth = int(size / entry * 10**8)
        ticks = trigger_price(
            worth // lever, side, -side * worth, 1, unit, 0, tiers_record([flat(rate)], [1])
        )
        yield f"inverse {name} by the integer kernel", coin_margined, ticks / 1000, 6e-3, ""
        linear_leg = Leg(side, F(1), entry, rate)
        found = linear.liquidation_price(entry / lever, [linear_leg])
        yield f"linear {name} 20x at 50,000, 0.5 %", usd_margined, float(found), 5e-3, ""


def accounts(rules: VenueRules, symbol: str, price: Fraction) -> Iterator[Assessment]:
    """Positions of both sides in every tier, near its cap and well inside, at three leverages."""
    table = rules.tier_table(symbol)
    floor = F(0)
    for tier in table.tiers:
        cap = min(F(tier.cap_usd), floor * 4 + 10**7)
        for part, share, side in product((F(1, 10), F(99, 100)), (F(1), F(1, 2), F(1, 4)), Side):
            notional = floor + (cap - floor) * part
            leverage = max(F(1), tier.max_leverage * share)
            yield assess(
                rules,
                Position(
                    symbol, side, price, notional / price, price, leverage=leverage, mode=MarginMode.ISOLATED
                ),
            )
        floor = F(tier.cap_usd)


def gap_at_price(found: Assessment) -> Fraction | None:
    """|equity − maintenance| ÷ notional at the liquidation price, by definition; None without a price."""
    price, position = found.liquidation_price, found.position
    if price is None or price <= 0:
        return None
    equity = found.backing + position.side.sign * position.size_coins * (price - position.entry)
    notional = position.size_coins * price
    return abs(equity - found.rules.tier_table(found.symbol).maintenance_margin(notional)) / notional


def by_binance(found: Assessment) -> Fraction:
    """The venue's formula in the tier of the price: (WB + cum − s·q·EP) ÷ (q·(MMR − s))."""
    table, position = found.rules.tier_table(found.symbol), found.position
    tier = (found.liquidation_tier or 1) - 1
    sign, size = position.side.sign, position.size_coins
    top = found.backing + table.deductions_usd[tier] - sign * size * position.entry
    return top / (size * (table.tiers[tier].rate - sign))


def by_hyperliquid(found: Assessment) -> Fraction:
    """The venue's formula, for a price in the first tier, which has no deduction."""
    table, position = found.rules.tier_table(found.symbol), found.position
    rate, sign = table.tiers[0].rate, position.side.sign
    available = found.backing - rate * position.size_coins * position.entry
    return position.entry - sign * available / position.size_coins / (1 - rate * sign)


def kernel_misses(found: list[Assessment]) -> int:
    """Positions whose kernel price is not the first whole tick at which health is below zero.

    In ticks of a cent and lots of 10⁻³ coins: one tick a lot is 10 uusd.
    """
    record = tiers_record([found[0].rules.tier_table(found[0].symbol)])
    missed = 0
    for one in found:
        position = one.position
        lots = position.side.sign * round(position.size_coins * 1000)
        cost, wallet = int(lots * position.entry * 1000), int(one.backing * 10**6)
        ticks = liquidation_price(wallet, lots, cost, 10, 0, record)
        next_ticks = ticks + (1 if lots > 0 else -1)
        below = health_single(wallet, lots, cost, ticks, 10, 0, record) < 0 if ticks >= 0 else True
        healthy = health_single(wallet, lots, cost, next_ticks, 10, 0, record) >= 0
        missed += not (below and healthy)
    return missed


def verdicts() -> list[Verdict]:
    """Printed prices; the identity and the venues' formulas over every tier; the kernels' ticks."""
    rows = [
        Verdict("LIQ-1", what, expected, measured, tolerance, "USD", PRINTED, note)
        for what, expected, measured, tolerance, note in printed()
    ]
    price = F(115_000)
    binance_rules, hyperliquid_rules = binance.rules_at(DAY), hyperliquid.rules_at(DAY)
    on_binance = list(accounts(binance_rules, "BTCUSDT", price))
    on_hyperliquid = list(accounts(hyperliquid_rules, "BTC", price))
    for name, found in (("Binance BTCUSDT", on_binance), ("Hyperliquid BTC", on_hyperliquid)):
        gaps = [gap for one in found if (gap := gap_at_price(one)) is not None]
        tiers = len({one.liquidation_tier for one in found})
        rows.append(
            Verdict(
                "LIQ-1",
                f"{name}: largest |equity − maintenance| ÷ notional at P",
                0.0,
                float(max(gaps)),
                1e-9,
                "1",
                "definition of the liquidation price",
                f"{len(gaps)} positions, prices in {tiers} tiers",
            )
        )
    priced = [one for one in on_binance if one.liquidation_price]
    first = [one for one in on_hyperliquid if one.liquidation_price and one.liquidation_tier == one.tier == 1]
    for name, positions, formula in (
        ("Binance formula, every tier", priced, by_binance),
        ("Hyperliquid formula, first tier", first, by_hyperliquid),
    ):
        worst = max(abs(formula(one) / (one.liquidation_price or 1) - 1) for one in positions)
        rows.append(
            Verdict(
                "LIQ-1",
                f"{name}: largest relative gap",
                0.0,
                float(worst),
                1e-9,
                "1",
                PRINTED,
                f"{len(positions)} positions",
            )
        )
    rows.append(
        Verdict(
            "LIQ-1",
            "positions whose tick is not the first with health < 0",
            0.0,
            float(kernel_misses(priced)),
            0.0,
            "positions",
            "definition of the liquidation price",
            f"of {len(priced)} on Binance",
        )
    )
    return rows
