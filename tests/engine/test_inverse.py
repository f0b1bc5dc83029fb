"""Contracts settled in the coin: one liquidation by hand, the limit of small moves, and whose money it is."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil

import numpy as np
import pytest

from deleverage.engine.behaviour import coin_gap
from deleverage.engine.funding import pay_funding
from deleverage.engine.ledger import equity, pay
from deleverage.engine.setup import (
    BookSpec,
    FundSpec,
    MarketSpec,
    PartiesSpec,
    RulesSpec,
    VenueSpec,
    build_world,
)
from deleverage.engine.simulate import Run, prepare_world, simulate
from deleverage.engine.state import ARBITRAGEUR
from deleverage.errors import InputError, LedgerError, Status
from deleverage.units import Int64s
from deleverage.venues.inverse_margin import closing_price, trigger_price
from tests.engine.both import Stepper, move_mark
from tests.engine.ordinary import INVERSE, PRIOR, SPEC, STEPS, ordinary
from tests.engine.test_properties import deeper, with_bystanders
from tests.strategies import Case

COIN = 10**11
"""Units of money in one coin: at 100,000 USD a unit is 10⁻⁶ USD."""

CALM = replace(PRIOR, fuel=0.0, short_fuel=0.0, stop_share=0.0)


def with_two(case: Case, lots: int, long_coins: Fraction) -> Case:
    """The market with one more long, entered at mark with so many coins, and the short on its other side."""
    world = with_bystanders(case.world, [int(long_coins * COIN), 50 * COIN])
    size, cost = world.size.copy(), world.cost.copy()
    size[-2:, 0] = (lots, -lots)
    cost[-2:, 0] = (-lots * 10**8, lots * 10**8)  # a contract of $100 at 100,000 USD: 0.001 coin
    return replace(case, world=replace(world, size=size, cost=cost))


def test_one_long_is_liquidated_to_the_unit_as_by_hand() -> None:
    # 1,000 contracts of $100 at 100,000 are worth 1 coin; with a wallet of 0.1 coin that is a leverage of 10.
    # Coins: equity(p) = 0.1 + 1 − 100,000/p, margin(p) = 0.4 % of 100,000/p.
    # Health is 0 at p = 100,400/1.1 = 91,272.73 USD, equity at 100,000/1.1 = 90,909.09 USD.
    case = ordinary(1, spec=INVERSE, shock=0.0, prior=CALM, rules=RulesSpec(trigger_last=True))
    unit = int(case.world.markets.inverse_unit[0])
    assert unit == 100 * 10 * COIN  # $100 at a price of $0.1
    assert trigger_price(COIN // 10, 1_000, -COIN, 0, unit, 0, case.world.tiers) == 912_727
    assert closing_price(COIN // 10, 1_000, -COIN, 0, unit) == 909_091

    case = with_two(case, 1_000, Fraction(1, 10))
    case.fair[:] = 912_800
    case.fair[4:] = 912_000
    markets = deeper(case.world.markets, 1e15)  # everybody trades at the price itself
    markets.half_spread[:] = 0.0
    markets.arbitrage_cap_lots[:] = 0
    kernel = Stepper(replace(case, world=replace(case.world, markets=markets)))
    s, row = kernel.setting, case.world.uid.shape[0] - 2
    for fair in case.fair[:4]:
        assert kernel.step(fair) == Status.OK
    assert not s.closed[row]
    # 91,280 USD: 1.1 coins are $100,408, $8 more than contracts and margin (a unit a lot is rounding).
    assert int(equity(s, row)) - 1_000 * abs(int(s.live.unit[0])) * 4 // 1_000 == pytest.approx(
        COIN * 8 / 91_280, abs=2_000
    )
    assert kernel.step(case.fair[4]) == Status.OK
    assert s.closed[row]
    # Sold at 91,200: $100 are 109,649,122.8 units of 10⁻¹¹ coin, rounded up against the seller.
    paid = 1_000 * 109_649_123
    fee = ceil(Fraction(paid) * Fraction(125, 10_000))
    left = COIN // 10 + COIN - paid
    assert left == 350_877_000  # 0.00350877 coin
    assert left * 91_200 / COIN == pytest.approx(320.0, abs=0.01)  # $: 1.1 · 91,200 − 100,000
    assert fee > left  # 1.25 % of 1.096 coins: the clearance fee takes all that is left
    assert int(s.wallet[row]) == 0
    assert int(s.tally.fees_uusd) == pytest.approx(320_000_000, abs=1_000)
    assert int(s.tally.forced_uusd[0, 0]) == 1_000 * 100 * 10**6
    assert int(s.tally.deficit_uusd[0]) == 0


def test_a_short_whose_coins_cover_it_is_never_liquidated() -> None:
    unit = 100 * 10 * COIN
    world = ordinary(1, spec=INVERSE).world
    # 1 coin sold at 100,000 against 1 coin: equity is 100,000/p coins, which no rise brings to zero.
    assert trigger_price(COIN, -1_000, COIN, 0, unit, 0, world.tiers) == 1 << 60
    # With half a coin: 0.5 − 1 + 100,000/p = 0 at 200,000 USD, and with 0.4 % of margin at 199,200 USD.
    assert trigger_price(COIN // 2, -1_000, COIN, 0, unit, 0, world.tiers) == 1_992_001
    assert closing_price(COIN // 2, -1_000, COIN, 0, unit) == 2_000_000


def shocked(spec: MarketSpec, shock: float) -> Run:
    """A market after a fall of a size, without noise of its own, so that only the shock differs."""
    case = ordinary(3, spec=spec, shock=shock)
    t = np.clip(np.arange(1, STEPS + 1) / 60.0, 0.0, 1.0)
    start = int(case.world.markets.start_fair_ticks[0])
    path = np.rint(start * (1.0 - shock * t)).astype(np.int64)[:, None]
    return simulate(prepare_world(case.world), path, case.params, record_path=True)


def test_a_small_shock_moves_an_inverse_and_a_linear_market_of_one_size_alike() -> None:
    apart = {}
    for shock in (0.08, 0.04, 0.02):
        linear, inverse = shocked(SPEC, shock), shocked(INVERSE, shock)
        assert (linear.world.size == inverse.world.size).all()
        start = int(linear.tally.start_mid[0])
        fall = start - int(linear.path.min())
        news = start * shock
        assert fall > 1.02 * news  # liquidations have a part in it
        apart[shock] = float(np.abs(linear.path - inverse.path).max()) / fall
    # Half the shock, half the difference: 1.1, 0.5 and 0.3 % of the fall.
    assert apart[0.02] < 0.005
    assert apart[0.04] < 0.7 * apart[0.08]
    assert apart[0.02] < 0.7 * apart[0.04]


def test_gains_in_coins_are_those_in_dollars_at_first_order() -> None:
    world = ordinary(1, spec=INVERSE, prior=CALM).world
    s = prepare_world(world).setting
    row = int(np.argmax(world.size[:, 0]))
    before = int(equity(s, row))
    mark = int(s.live.mark[0])
    ratios = []
    for ticks in (100_000, 10_000, 1_000):  # falls of 10, 1 and 0.1 %
        move_mark(s, 0, mark - ticks)
        coins = (int(equity(s, row)) - before) / COIN
        dollars = -int(world.size[row, 0]) * 100 * ticks / mark
        ratios.append(coins * (mark - ticks) / 10 / dollars)
    # Exactly: 100/p − 100/p₀ coins at p are 100·(p₀ − p)/p₀ dollars. Only the coins before are worth less.
    assert ratios == pytest.approx([1.0, 1.0, 1.0], rel=1e-5)


def test_arbitrageurs_of_an_inverse_venue_start_neutral_and_stay_so_without_trades() -> None:
    world = ordinary(1, spec=INVERSE, prior=CALM).world
    s = prepare_world(world).setting
    assert not world.spot_lots.any()
    rows = np.flatnonzero(world.role == ARBITRAGEUR)
    assert (world.size[rows, 0] < 0).all()
    for mark in (600_000, 1_000_000, 1_900_000):
        move_mark(s, 0, mark)
        for a, row in enumerate(rows.tolist()):
            assert coin_gap(s, a, 0) == 0
            dollars = int(equity(s, row)) * mark / 10 / COIN
            assert dollars == pytest.approx(-int(world.size[row, 0]) * 100, rel=1e-6)


def test_longs_pay_funding_in_coins_when_the_rate_is_positive() -> None:
    s = prepare_world(ordinary(1, spec=INVERSE, prior=CALM).world).setting
    before = s.wallet.copy()
    s.live.premium_sum[0] = 2_000_000  # 0.2 % above the index
    s.live.premium_count[0] = 1
    pay_funding(s, 0)
    rate = int(s.live.funding_ppb[0])
    assert rate > 0
    change = s.wallet - before
    holders = s.size[:, 0] != 0
    assert (change[holders & (s.size[:, 0] > 0)] < 0).all()
    assert (change[holders & (s.size[:, 0] < 0)] > 0).all()
    assert change.sum() == 0
    row = int(np.argmax(s.size[:, 0]))
    coins = int(s.size[row, 0]) * abs(int(s.live.unit[0]))
    assert change[row] == -ceil(Fraction(coins * rate, 10**9))


def two_venues(one: MarketSpec, other: MarketSpec) -> Case:
    """The ordinary coin at two venues."""
    parties = PartiesSpec()
    world = build_world(
        [
            replace(spec, name=f"M{v}", coin=spec.coin or "M", venue=f"V{v}", fund=f"F{v}")
            for v, spec in enumerate((one, other))
        ],
        BookSpec(), parties, [FundSpec("F0", 1e9), FundSpec("F1", 1e9)], RulesSpec(), PRIOR,
        steps=30, start_s=3600, rng=np.random.default_rng(1),
        venues=[VenueSpec(f"V{v}", parties, PRIOR) for v in range(2)],
    )  # fmt: skip
    fair: Int64s = np.full((30, 2), int(one.start_index * 10), dtype=np.int64)
    return Case(world, [one.tiers, other.tiers], fair, 1)


@pytest.mark.parametrize("known", [True, False], ids=["by its deltas", "by a recount"])
def test_money_that_leaks_to_another_venue_is_noticed_though_the_sum_is_right(known: bool) -> None:
    case = two_venues(SPEC, INVERSE).with_params(check=0 if known else 1)
    kernel = Stepper(case)
    s = kernel.setting
    assert kernel.step(case.fair[0]) == Status.OK
    here, there = (int(np.flatnonzero(s.venue == v)[0]) for v in range(2))
    if known:
        pay(s, here, -1)
        pay(s, there, 1)
    else:
        s.wallet[here] -= 1
        s.wallet[there] += 1
    assert kernel.step(case.fair[1]) == Status.NOT_CONSERVED
    assert s.tally.moved_uusd[:2].tolist() == ([-1, 1] if known else [0, 0])
    assert s.tally.residual_uusd == (0 if known else 2)


def test_a_leak_ends_a_run_with_the_ledgers_error(monkeypatch: pytest.MonkeyPatch) -> None:
    case = two_venues(SPEC, INVERSE)
    prepared = prepare_world(case.world)
    prepared.deposits[0] += 1
    prepared.deposits[1] -= 1
    with pytest.raises(LedgerError, match="residual 2 uusd"):
        simulate(prepared, case.fair, case.params)


def test_markets_of_one_venue_settle_in_one_asset() -> None:
    def build(*specs: MarketSpec) -> None:
        build_world(
            [replace(spec, name=f"M{k}", coin=spec.coin or "M", venue="V") for k, spec in enumerate(specs)],
            BookSpec(), PartiesSpec(), [FundSpec("F", 1e9)], RulesSpec(), PRIOR,
            steps=30, start_s=3600, rng=np.random.default_rng(1),
        )  # fmt: skip

    build(INVERSE, INVERSE)
    with pytest.raises(
        InputError, match=r"venue 'V'.*one asset, found \['M0'\] in USD and \['M1'\] in the coin"
    ):
        build(SPEC, INVERSE)
    with pytest.raises(InputError, match=r"one asset, found \['M0', 'M1'\] in \['ETH', 'M'\]"):
        build(INVERSE, replace(INVERSE, coin="ETH"))
    with pytest.raises(InputError, match="a whole number between 1"):
        build(replace(INVERSE, contract_usd=Fraction(1, 3)))


def test_a_fall_below_a_fiftieth_ends_the_run_before_coins_outgrow_their_integers() -> None:
    case = ordinary(1, spec=INVERSE, prior=CALM)
    case.fair[10:] = 19_000  # of 1,000,000
    finished = simulate(prepare_world(case.world), case.fair, case.params, throw=False)
    assert finished.status == Status.OUT_OF_RANGE
