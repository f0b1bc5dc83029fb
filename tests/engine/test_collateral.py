"""Collateral in other assets: what it counts for, when it is sold, and the loop through its own book."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from deleverage.engine.ledger import collateral_value, deliver, equity, margin_owed
from deleverage.engine.setup import AssetSpec, RulesSpec
from deleverage.engine.simulate import Run, prepare_world, simulate
from deleverage.engine.state import FUND, HOLDER
from deleverage.errors import InputError, LedgerError, Status
from deleverage.positions.population import CROSS
from deleverage.venues.rules import AdlTrigger, Takeover, Waterfall
from tests.engine.both import Stepper
from tests.engine.ordinary import INVERSE, PRIOR, ordinary
from tests.engine.test_properties import deeper, with_bystanders

USD = 1_000_000
USDE = AssetSpec(
    name="USDE", venue="venue", lot_coins=Fraction(1), start_price=1.0, follows="", haircut=0.1,
    charge=0.025, own_weight=1.0, depth_coins=1e6, depth_range=0.01, half_life_s=1e9, flight_usd_per_s=0.0,
    account_share=0.5, margin_share=0.8,
)  # fmt: skip
CALM = replace(PRIOR, fuel=0.0, short_fuel=0.0, stop_share=0.0, isolated_share=0.0)


def one_long(pledged: int, wallet_usd: int, spec: AssetSpec = USDE, **rules: object) -> tuple[Stepper, int]:
    """A calm market with one more account: long 1 coin at 100,000 USD, with some of the asset pledged."""
    own = RulesSpec(trigger_last=True, **rules)  # type: ignore[arg-type]
    case = ordinary(1, shock=0.0, prior=CALM, rules=own, collateral=[replace(spec, account_share=0.0)])
    case.fair[:] = int(case.world.markets.start_fair_ticks[0])
    world = with_bystanders(case.world, [wallet_usd * USD, 10**6 * USD])
    size, cost, lots = world.size.copy(), world.cost.copy(), world.pledged.copy()
    size[-2:, 0] = (1_000, -1_000)
    cost[-2:, 0] = (100_000 * USD, -100_000 * USD)
    lots[-2, 0] = pledged
    markets = deeper(world.markets, 1e15)  # everybody trades at the price itself
    markets.half_spread[:] = 0.0
    kernel = Stepper(replace(case, world=replace(world, markets=markets, size=size, cost=cost, pledged=lots)))
    kernel.fair[:] = case.fair
    return kernel, world.uid.shape[0] - 2


def step(kernel: Stepper) -> Status:
    return kernel.step(kernel.fair[kernel.second].copy())


def test_a_pledged_asset_counts_after_its_haircut_and_its_own_book_ends_the_position() -> None:
    # 10,000 USDE less 10 % count as 9,000 USD; with −3,000 in the wallet equity is 6,000 on 100,000 of
    # notional, whose margin is 0.4 %, 400 USD. Health is 0 when 9,000·p − 3,000 = 400: p = 0.3778.
    kernel, row = one_long(10_000, -3_000)
    s = kernel.setting
    assert collateral_value(s, row) == 9_000 * USD
    assert equity(s, row) == 6_000 * USD
    assert margin_owed(s, row) == 400 * USD
    assert step(kernel) == Status.OK
    # The limit is 0, so the venue covers the balance at once: 3,000/0.975 = 3,076.9, 3,077 are sold.
    assert s.pledged[row, 0] == 10_000 - 3_077
    assert int(s.tally.exchanged_lots[0]) == 3_077
    assert not s.closed[row]


def test_below_the_limit_nothing_is_sold_and_the_price_of_its_own_book_decides() -> None:
    thin = replace(USDE, depth_coins=1e4)
    kernel, row = one_long(10_000, -3_000, thin, exchange_limit_usd=10_000.0, liquidation_fee=0.0)
    s = kernel.setting
    assert step(kernel) == Status.OK
    assert s.pledged[row, 0] == 10_000
    s.live.asset_u[0] = (
        0.97  # e^−0.97 = 0.37908: 9,000 · 0.37908 − 3,000 = 411.7 USD, 11.7 more than the margin
    )
    assert step(kernel) == Status.OK
    assert int(s.live.asset_price[0]) == 379_083
    assert not s.closed[row]
    s.live.asset_u[0] = 0.975  # 0.37719: 394.7 USD
    assert step(kernel) == Status.OK
    assert s.closed[row]
    # Sold at 100,000, so the balance is −3,000 as before. It is covered out of collateral at its own book:
    # 3,000/0.975/0.37719 = 8,157.6 lots. What the walk through that book fetched less, the fund pays, and
    # takes collateral for it at the price of margin.
    assert s.wallet[row] == 0
    assert (
        10_000 - int(s.pledged[row, 0]) - int(s.tally.seized_lots[0])
        == int(s.tally.exchanged_lots[0])
        == 8_158
    )
    assert 1 <= s.tally.seized_lots[0] <= 100
    assert s.tally.residual_uusd == 0


@pytest.mark.parametrize(("weight", "closed"), [(1.0, True), (0.5, False), (0.0, False)])
def test_the_price_rule_of_the_venue_decides_who_survives_a_depeg(weight: float, closed: bool) -> None:
    kernel, row = one_long(10_000, -3_000, replace(USDE, own_weight=weight), exchange_limit_usd=10_000.0)
    kernel.setting.live.asset_u[0] = 1.2  # own book at 0.30
    assert step(kernel) == Status.OK
    assert bool(kernel.setting.closed[row]) == closed
    assert bool(kernel.setting.tally.fired_collateral) == (weight > 0)


def test_switched_off_it_counts_at_what_it_can_be_redeemed_for() -> None:
    kernel, row = one_long(10_000, -3_000, exchange_limit_usd=10_000.0)
    kernel.setting.params.collateral = 0
    kernel.setting.live.asset_u[0] = 1.2
    assert step(kernel) == Status.OK
    assert not kernel.setting.closed[row]
    assert kernel.setting.live.asset_price[0] == USD
    kernel.setting.params.collateral = 1  # the record is shared between worlds of this process


def test_a_backstop_takes_the_collateral_with_the_rest_of_the_margin() -> None:
    vault = Waterfall(
        takeover=Takeover.VAULT, adl_trigger=AdlTrigger.EQUITY_NEGATIVE, backstop_share=Fraction(2, 3),
        vault_loss_share=Fraction(1, 2),
    )  # fmt: skip
    rules: dict[str, Any] = {"exchange_limit_usd": 10_000.0, "waterfall": vault}
    kernel, row = one_long(10_000, -3_000, liquidation_fee=0.0, **rules)
    s = kernel.setting
    s.live.asset_u[0] = 1.0  # 9,000 · 0.36788 − 3,000 = 310.9 USD: below the margin of 400, above 2/3 of it
    assert step(kernel) == Status.OK
    assert s.closed[row] and s.pledged[row, 0] > 0  # sold into the book, the rest stays its own
    kernel, row = one_long(10_000, -3_000, liquidation_fee=0.0, **rules)
    s = kernel.setting
    s.live.asset_u[0] = 1.03  # 213.1 USD: below 266.7
    assert step(kernel) == Status.OK
    assert s.closed[row] and s.pledged[row, 0] == 0
    fund = s.parties.funds[0]
    assert s.pledged[fund, 0] == s.tally.seized_lots[0] == 10_000 - s.tally.exchanged_lots[0]


def test_the_clearance_fee_is_paid_out_of_collateral_too() -> None:
    # 390 USD of margin on 100,000 of notional: below the 400 owed. The fee of 1.25 % takes all of it,
    # whether it lies in the wallet or in an asset without haircut.
    plain = replace(USDE, haircut=0.0, charge=0.0, depth_coins=1e12)
    for pledged, wallet in ((0, 390), (200, 190), (390, 0)):
        kernel, row = one_long(pledged, wallet, plain, exchange_limit_usd=10_000.0)
        assert step(kernel) == Status.OK
        s = kernel.setting
        assert s.closed[row]
        assert int(s.wallet[row]) + int(s.pledged[row, 0]) * USD == pytest.approx(0, abs=2 * USD)
        assert int(s.tally.fees_uusd) == pytest.approx(390 * USD, abs=2 * USD)


def loop(price_weight: float, **switches: float) -> Run:
    """A fall of 6 % with half of the cross accounts in an asset whose own book is thin."""
    spec = replace(USDE, own_weight=price_weight, depth_coins=2e5, flight_usd_per_s=5e4, half_life_s=600.0)
    case = ordinary(2, shock=0.06, prior=replace(PRIOR, isolated_share=0.0), collateral=[spec])
    case = case.with_params(**switches)
    return simulate(prepare_world(case.world), case.fair, case.params)


def test_pledging_changes_nobodys_equity_at_the_start_and_only_cross_holders_pledge() -> None:
    plain = ordinary(2)
    with_asset = ordinary(2, collateral=[USDE])
    s = prepare_world(with_asset.world).setting
    before = prepare_world(plain.world).setting
    rows = range(with_asset.world.uid.shape[0])
    assert [int(equity(s, row)) for row in rows] == [int(equity(before, row)) for row in rows]
    pledging = (with_asset.world.pledged > 0).any(axis=1)
    assert 50 < pledging.sum() < 600
    assert (with_asset.world.role[pledging] == HOLDER).all()
    assert (with_asset.world.mode[pledging] == CROSS).all()


def test_repricing_liquidates_more_than_redemption_and_is_the_only_difference() -> None:
    on, off = loop(1.0), loop(1.0, collateral=0)
    assert on.tally.fired_collateral and not loop(0.0).tally.fired_collateral
    assert on.tally.asset_lowest_ppm[0] < 900_000
    assert off.tally.asset_lowest_ppm[0] == 1_000_000
    assert on.tally.forced[0, 0] > 1.02 * off.tally.forced[0, 0]
    # What never matters changes no bit: by redemption, the switch is not consulted.
    same, other = loop(0.0), loop(0.0, collateral=0)
    assert (same.bars == other.bars).all()


def test_a_lot_of_collateral_from_nowhere_is_found() -> None:
    case = ordinary(2, shock=0.0, collateral=[USDE])
    prepared = prepare_world(case.world)
    prepared.setting.live.asset_pool[0] += 1
    with pytest.raises(LedgerError, match="not conserved"):
        simulate(prepared, case.fair, case.params)
    kernel = Stepper(case)
    deliver(kernel.setting, 0, 0, 1)
    assert kernel.step(case.fair[0]) == Status.NOT_CONSERVED


def test_funds_keep_what_they_seize_and_every_lot_has_an_owner() -> None:
    run = loop(1.0, check=1)
    s = run.setting
    assert run.tally.seized_lots[0] > 0
    assert int(s.pledged[s.role == FUND].sum()) == run.tally.seized_lots[0]
    assert int(s.pledged.sum()) == -int(s.live.asset_pool[0])
    left = int(run.world.pledged.sum()) - int(s.pledged.sum())
    assert left == run.tally.exchanged_lots[0]
    assert int(s.live.asset_cash[0]) == -run.tally.exchanged_uusd[0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"venue": "elsewhere"}, "expected a venue among"),
        ({"follows": "ETH"}, "to follow"),
        ({"haircut": 1.0}, "haircut must be between"),
        ({"own_weight": 1.5}, "own_weight must be between"),
        ({"depth_coins": 0.0}, "depth_coins must be > 0"),
        ({"lot_coins": Fraction(1, 10**6)}, "too coarse"),
    ],
)
def test_collateral_that_cannot_be_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        ordinary(1, collateral=[replace(USDE, **change)])  # type: ignore[arg-type]


def test_a_venue_that_settles_in_its_coin_takes_no_other_margin() -> None:
    with pytest.raises(InputError, match="whose margin is its coin"):
        ordinary(1, spec=INVERSE, collateral=[USDE])


def test_shares_of_accounts_above_one_are_refused() -> None:
    other = replace(USDE, name="WBETH", account_share=0.6)
    with pytest.raises(InputError, match="account_share"):
        ordinary(1, collateral=[USDE, other])


def test_an_owner_of_collateral_is_found_without_looking_at_everybody() -> None:
    # check = 1 compares the search with a sweep over all accounts in every round.
    assert loop(1.0, check=1).status == Status.OK
    assert (loop(1.0, brute=1).bars == loop(1.0).bars).all()
