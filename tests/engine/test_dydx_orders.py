"""dYdX's liquidation orders in the market: the exact fillable price, and a cap on losses that never binds."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy as np

from deleverage.engine.ledger import equity, margin_owed
from deleverage.engine.liquidate import order_limit, order_lots
from deleverage.engine.setup import RulesSpec
from deleverage.engine.simulate import prepare_world
from deleverage.engine.state import HOLDER
from deleverage.venues import dydx
from deleverage.venues.catalogue import rules_at
from deleverage.venues.margin import MARKETS_MAX
from tests.engine.both import move_mark
from tests.engine.ordinary import ordinary

WATERFALL = rules_at("dydx", date(2025, 11, 10)).waterfall
TICK = Fraction(1, 10)
LOT = Fraction(1, 1000)


def test_limits_are_the_exact_fillable_prices_to_a_tick() -> None:
    case = ordinary(1, rules=RulesSpec(waterfall=WATERFALL))
    s = prepare_world(case.world).setting
    table = case.tables[0]
    looked_at = within = 0
    for mark in (700_003, 880_001, 935_557, 1_040_009, 1_200_011):
        move_mark(s, 0, mark)
        for row in np.flatnonzero((s.role == HOLDER) & (s.size[:, 0] != 0)).tolist():
            worth, owed = int(equity(s, row)), int(margin_owed(s, row))
            if worth >= owed:
                continue
            size = int(s.size[row, 0])
            # The tiers of the test, as one rate: what this position owes.
            notional = abs(size) * mark * 100
            rate = table.maintenance_margin(Fraction(notional, 10**6)) * 10**6 / notional
            position = dydx.Position(size * LOT, mark * TICK, rate)
            account = dydx.Subaccount(int(s.wallet[row]) - int(s.cost[row, 0]), {"M": position})
            assert account.net_collateral == worth
            exact = dydx.fillable_price(
                account, "M", WATERFALL.bankruptcy_adjustment, WATERFALL.spread_to_maintenance
            )
            found = int(order_limit(s, row, 0, worth, owed, 0)) * TICK
            apart = (found - exact) * (1 if size > 0 else -1)
            assert -TICK / 100 < apart < TICK  # towards the oracle, but for a micro-dollar of rounded margin
            looked_at += 1
            within += worth >= 0
    assert looked_at > 300
    assert 10 < within < looked_at  # below and above an equity of zero


def test_no_order_of_a_block_can_cost_the_fund_its_cap() -> None:
    # While equity is not negative, an order loses at most the spread beyond the oracle: S·M of its part.
    # The largest margin rate is that of the safety tier, 100 % · 20 %; an order is at most $100,000 a block.
    # 1.5 · 20 % · $100,000 = $30,000, in all 16 markets $480,000, below the cap of $1,000,000 an account.
    worst_rate = max(tier.maintenance for tier in dydx.LIQUIDITY_TIERS.values())
    largest = WATERFALL.spread_to_maintenance * worst_rate * WATERFALL.slice_maximum_usd
    assert largest == 30_000
    assert largest * MARKETS_MAX < dydx.INSURANCE_LOSS_A_BLOCK_USD
    case = ordinary(1, rules=RulesSpec(waterfall=WATERFALL))
    s = prepare_world(case.world).setting
    row = int(np.argmax(s.size[:, 0] * (s.role == HOLDER)))
    lots = int(order_lots(s, row, 0, 0, 1))
    dollars = lots * int(s.live.unit[0]) / 10**6
    assert 99_000 < dollars <= 100_000 < int(s.size[row, 0]) * int(s.live.unit[0]) / 10**6 / 10
