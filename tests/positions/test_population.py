"""Holders drawn from a prior: totals to the lot, the stated fuel, and nobody liquidatable at the start."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deleverage.errors import InputError
from deleverage.positions.population import (
    CROSS,
    FUEL_AT,
    ISOLATED,
    Holders,
    LotMoney,
    PopulationPrior,
    apportion,
    draw_holders,
    liquidation_distance,
)
from deleverage.units import Floats, Int64s
from deleverage.venues.binance import rules_at
from deleverage.venues.margin import Tiers, health_single, liquidation_price, tiers_record

NIGHT = date(2025, 10, 10)
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
MARK = np.array([1_131_000, 382_000, 18_700], dtype=np.int64)  # ticks of 0.1, 0.01 and 0.01 USD
UNIT = np.array([100, 10, 10_000], dtype=np.int64)  # lots of 0.001, 0.001 and 1 coin
LOTS = np.array([90_000_000, 2_000_000_000, 9_000_000], dtype=np.int64)
PRIOR = PopulationPrior(
    accounts=3_000, fuel=0.4, short_fuel=0.25, fuel_shape=1.2, isolated_share=0.5, multi_market_share=0.3,
    mixed_side_share=0.4, size_tail=1.4, largest_share=0.05, entry_offset=-0.01, entry_sd=0.03,
    stop_share=0.3, stop_distance=0.05,
)  # fmt: skip


def tiers(markets: int) -> Tiers:
    return tiers_record([rules_at(NIGHT).tier_table(symbol) for symbol in SYMBOLS[:markets]])


def draw(prior: PopulationPrior, markets: int = 3, seed: int = 1, beta: Floats | None = None) -> Holders:
    return draw_holders(
        prior,
        LOTS[:markets],
        (LOTS[:markets] * 9) // 10,
        MARK[:markets],
        LotMoney(UNIT[:markets], np.zeros(markets, dtype=np.int64)),
        np.ones(markets) if beta is None else beta,
        tiers(markets),
        np.random.default_rng(seed),
    )


def health(holders: Holders, mark: Int64s) -> Int64s:
    """Health of everybody at a mark, from that of each position: margins add up."""
    record = tiers(mark.shape[0])
    return np.array(
        [
            wallet
            + sum(health_single(0, size[k], cost[k], mark[k], UNIT[k], k, record) for k in range(len(mark)))
            for wallet, size, cost in zip(
                holders.wallet.tolist(), holders.size.tolist(), holders.cost.tolist(), strict=True
            )
        ]
    )  # fmt: skip


@settings(max_examples=100)
@given(
    st.integers(0, 2**32), st.integers(1, 3), st.integers(12, 300), st.floats(0.0, 0.99), st.floats(1.05, 3.0)
)
def test_any_population_holds_the_stated_totals_to_the_lot_and_starts_healthy(
    seed: int, markets: int, accounts: int, fuel: float, tail: float
) -> None:
    prior = replace(PRIOR, accounts=accounts, fuel=fuel, short_fuel=fuel / 2, size_tail=tail)
    holders = draw(prior, markets, seed)
    assert (np.maximum(holders.size, 0).sum(axis=0) == LOTS[:markets]).all()
    assert (np.minimum(holders.size, 0).sum(axis=0) == -(LOTS[:markets] * 9) // 10).all()
    assert (np.abs(holders.size).sum(axis=1) > 0).all()
    assert (holders.wallet > 0).all()
    assert (health(holders, MARK[:markets]) >= 0).all()


def test_wallet_of_an_account_in_one_market_is_positive() -> None:
    holders = draw(PRIOR)
    one = (holders.size != 0).sum(axis=1) == 1
    assert (holders.wallet[one] > 0).all()


def test_open_interest_liquidated_by_a_fall_of_13_percent_is_the_fuel() -> None:
    prior = replace(PRIOR, accounts=100_000, largest_share=0.001, multi_market_share=0.0, size_tail=3.0)
    holders = draw(prior, 1)
    for side, fuel, move in ((1, prior.fuel, -FUEL_AT), (-1, prior.short_fuel, FUEL_AT)):
        mark = np.rint(MARK[:1] * (1.0 + move)).astype(np.int64)
        lost = health(holders, mark) < 0
        held = np.maximum(side * holders.size[:, 0], 0)
        share = held / held.sum()
        error = np.sqrt((share**2).sum() * fuel * (1.0 - fuel))
        assert abs((share * lost).sum() - fuel) < 4.0 * error
        assert error < 0.01  # the check means something


def test_distances_have_the_stated_fuel_at_13_percent_and_no_fuel_is_none() -> None:
    uniform = (np.arange(100_000) + 0.5) / 100_000
    for fuel in (0.05, 0.4, 0.9):
        assert (liquidation_distance(uniform, fuel, 1.7) <= FUEL_AT).mean() == pytest.approx(fuel, abs=1e-4)
    assert (liquidation_distance(uniform, 0.0, 1.7) > 0.9).all()


def test_liquidation_price_of_an_account_in_one_market_is_the_drawn_distance_to_the_tick() -> None:
    # The same draws as the population's: the distance is column 6 of the first block, the side column 1.
    prior = replace(PRIOR, accounts=500, multi_market_share=0.0)
    holders = draw(prior, 1, seed=5)
    uniform = np.random.default_rng(5).random((500, 11))
    record = tiers(1)
    for row, (u, size) in enumerate(zip(uniform[:, 6], holders.size[:, 0].tolist(), strict=True)):
        fuel = prior.fuel if size > 0 else prior.short_fuel
        distance = float(liquidation_distance(np.array([u]), fuel, prior.fuel_shape)[0])
        worst = round(int(MARK[0]) * (1.0 - distance if size > 0 else 1.0 + distance))
        trigger = liquidation_price(
            int(holders.wallet[row]), size, int(holders.cost[row, 0]), int(UNIT[0]), 0, record
        )
        assert trigger == (worst - 1 if size > 0 else worst + 1)  # healthy at `worst`, for the last time


def test_account_in_several_markets_survives_its_distance_times_beta_and_no_more() -> None:
    beta = np.array([1.0, 1.5, 2.0])
    holders = draw(replace(PRIOR, multi_market_share=1.0, mixed_side_share=0.0), beta=beta)
    several = (holders.size != 0).sum(axis=1) > 1
    assert several.sum() > 1_000
    uniform = np.random.default_rng(1).random((PRIOR.accounts, 8 + 9))
    long = (holders.size >= 0).all(axis=1) & several
    distance = liquidation_distance(uniform[:, 6], PRIOR.fuel, PRIOR.fuel_shape)
    record = tiers(3)
    for row in np.flatnonzero(long)[:300]:
        reach = np.clip(distance[row] * beta, 0.002, 0.95)
        worst = np.rint(MARK * (1.0 - reach)).astype(np.int64)

        def left(mark: Int64s, row: int = int(row)) -> int:
            size, cost = holders.size[row].tolist(), holders.cost[row].tolist()
            return int(holders.wallet[row]) + sum(
                health_single(0, size[k], cost[k], int(mark[k]), int(UNIT[k]), k, record) for k in range(3)
            )

        assert left(worst) == 0
        assert left(worst - 1) < 0


def test_accounts_of_both_sides_are_in_every_market_and_modes_and_stops_follow_the_shares() -> None:
    holders = draw(PRIOR)
    assert ((holders.size > 0).any(axis=0) & (holders.size < 0).any(axis=0)).all()
    several = (holders.size != 0).sum(axis=1) > 1
    assert several.mean() == pytest.approx(PRIOR.multi_market_share, abs=0.04)
    assert (holders.mode[several] == CROSS).all()
    assert (holders.mode[~several] == ISOLATED).mean() == pytest.approx(PRIOR.isolated_share, abs=0.04)
    mixed = np.logical_and((holders.size > 0).any(axis=1), (holders.size < 0).any(axis=1))
    assert 0 < mixed.sum() < several.sum()
    assert not mixed[~several].any()
    stops = holders.stop_ticks > 0
    assert 0 < stops.mean() < PRIOR.stop_share
    assert not (stops & several).any()


def test_stop_stands_between_the_mark_and_the_liquidation_price() -> None:
    holders = draw(PRIOR, 1)
    record = tiers(1)
    for row in np.flatnonzero(holders.stop_ticks):
        size, stop = int(holders.size[row, 0]), int(holders.stop_ticks[row])
        trigger = liquidation_price(
            int(holders.wallet[row]), size, int(holders.cost[row, 0]), int(UNIT[0]), 0, record
        )
        assert trigger <= stop <= MARK[0] if size > 0 else MARK[0] <= stop <= trigger


def test_leverage_of_one_means_wallets_of_at_least_the_notional() -> None:
    holders = draw(replace(PRIOR, max_leverage=1.0))
    notional = (np.abs(holders.size) * MARK * UNIT).sum(axis=1)
    assert (holders.wallet >= notional * (1 - 1e-12)).all()
    assert (holders.cost == holders.size * MARK * UNIT).all()


def test_owner_of_two_isolated_positions_holds_them_in_different_markets() -> None:
    holders = draw(replace(PRIOR, isolated_share=1.0, multi_market_share=0.0))
    second = np.flatnonzero(holders.owner != np.arange(PRIOR.accounts))
    assert second.shape[0] > 10
    assert (holders.mode[second] == ISOLATED).all()
    assert not ((holders.size[second] != 0) & (holders.size[second - 1] != 0)).any()


def test_same_stream_gives_the_same_holders() -> None:
    assert all((a == b).all() for a, b in zip(draw(PRIOR), draw(PRIOR), strict=True))
    assert (draw(PRIOR).wallet != draw(PRIOR, seed=2).wallet).any()


@settings(max_examples=300)
@given(st.lists(st.floats(1.0, 1e6), min_size=1, max_size=50), st.integers(0, 10**6), st.integers(1, 10**5))
def test_apportioned_lots_sum_up_with_at_least_one_and_at_most_the_largest_each(
    weights: list[float], more: int, largest: int
) -> None:
    count = len(weights)
    lots = min(count + more, count * largest)
    share = apportion(np.array(weights), lots, largest)
    assert share.sum() == lots
    assert share.min() >= 1
    assert share.max() <= largest


def test_heavier_weight_never_gets_less() -> None:
    share = apportion(np.array([1.0, 2.0, 4.0, 1000.0]), 10_000, 5_000)
    assert share.tolist() == sorted(share.tolist())
    assert share[3] == 5_000


@pytest.mark.parametrize(("lots", "largest"), [(2, 5), (16, 5)], ids=["fewer lots than accounts", "no room"])
def test_lots_that_do_not_fit_are_refused(lots: int, largest: int) -> None:
    with pytest.raises(InputError, match=f"expected between 3 and 15 lots for 3 accounts .* found {lots}"):
        apportion(np.ones(3), lots, largest)
