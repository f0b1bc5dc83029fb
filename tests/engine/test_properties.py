"""What holds in every market, whatever is drawn: the laws of the ledger, of the search and of scale (INV)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deleverage.engine.ledger import equity
from deleverage.engine.setup import MarketWorld, permuted, switched
from deleverage.engine.simulate import Run, prepare_world, simulate
from deleverage.engine.state import Markets, copied
from deleverage.errors import Status
from deleverage.units import Int64s
from deleverage.venues.margin import Tiers
from reference.engine import Twin
from reference.ledger import DELEVERAGED, FORCED
from reference.market import Account, Market
from tests.engine.both import Stepper, move_mark
from tests.strategies import Case, build_case, cases, venue_cases

PER_ACCOUNT = ("wallet", "size", "cost", "closed")


def run(case: Case, **switches: float) -> Run:
    """One run with its path; a price out of range is a result, any other failure an error."""
    finished = simulate(
        prepare_world(case.world),
        case.fair,
        switched(case.params, **switches),
        record_path=True,
        throw=False,
    )
    assert finished.status in (Status.OK, Status.OUT_OF_RANGE), (finished.status, case)
    return finished


def by_uid(finished: Run, name: str) -> Int64s:
    """A column of the accounts at the end, in order of uid."""
    column: Int64s = getattr(finished.setting, name)[np.argsort(finished.world.uid)]
    return column


def assert_same(one: Run, other: Run) -> None:
    """Two runs ended alike to the last bit, whatever the order of their rows."""
    assert one.status == other.status
    assert np.asarray(one.tally).tobytes() == np.asarray(other.tally).tobytes()
    assert one.bars.tobytes() == other.bars.tobytes()
    assert one.path.tobytes() == other.path.tobytes()
    for name in PER_ACCOUNT:
        assert (by_uid(one, name) == by_uid(other, name)).all(), name


# --- the ledger ------------------------------------------------------------------------------------------


@settings(max_examples=1_000)
@given(cases(longest=80) | venue_cases())
def test_any_market_conserves_money_and_contracts_in_every_second_and_closes_each_contract_once(
    case: Case,
) -> None:
    # With check=1 the kernels recount everybody at every second and compare the search with a sweep at
    # every round.
    finished = run(case, check=1)
    k_count = case.world.size.shape[1]
    tally, s = finished.tally, finished.setting
    assert tally.residual_uusd == 0
    assert tally.interest_imbalance == 0
    assert (s.size.sum(axis=0) == 0).all()
    if finished.status != Status.OK:
        return
    assert tally.checks == int(case.params.steps) + 1
    assert tally.sweeps >= int(case.params.steps)
    before, after = (
        sum(wallet.tolist()) - sum(cost.ravel().tolist())
        for wallet, cost in ((case.world.wallet, case.world.cost), (s.wallet, s.cost))
    )
    # Spot, and those outside who buy what venues sell of pledged collateral.
    spot = int(s.live.pool_cash) + int(s.live.spot_cash.sum()) + int(s.live.asset_cash.sum())
    assert after + spot == before
    assert (s.pledged.sum(axis=0) + s.live.asset_pool[: s.pledged.shape[1]] == 0).all()
    forced = tally.forced.sum(axis=0)
    assert (forced == tally.book + tally.takeover + tally.adl).all()
    closed = tally.forced + tally.deleveraged + tally.voluntary
    for side in range(2):
        assert (tally.interest_after - tally.interest_before == tally.opened[side] - closed[side]).all()
    # ADL is the other side of a counted liquidation, not an addition.
    assert (tally.deleveraged.sum(axis=0) == tally.adl).all()
    assert (tally.interest_after[:k_count] == np.maximum(s.size, 0).sum(axis=0)).all()
    # A liquidated newcomer still takes what nobody else does, and is closed out of that too.
    if case.params.liquidations == 0 and not s.closed[s.parties.newcomer[0]]:
        assert (tally.forced[:, :k_count].T == finished.bars["liquidated"].sum(axis=0)).all()


@settings(max_examples=300)
@given(cases(longest=80) | venue_cases())
def test_sorted_search_and_sweep_over_everybody_give_the_same_run_bit_for_bit(case: Case) -> None:
    assert_same(run(case, brute=0), run(case, brute=1))


@settings(max_examples=300)
@given(cases(longest=80) | venue_cases(), st.integers(0, 2**32 - 1))
def test_permuted_rows_give_the_same_run_bit_for_bit(case: Case, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(case.world.uid.shape[0])
    assert_same(run(case), run(replace(case, world=permuted(case.world, order))))


@settings(max_examples=50)
@given(cases(longest=80) | venue_cases())
def test_two_threads_at_once_give_the_bytes_of_one(case: Case) -> None:
    prepared = prepare_world(case.world)

    def again(_: int) -> Run:
        return simulate(prepared, case.fair, case.params, record_path=True, throw=False)

    alone = again(0)
    with ThreadPoolExecutor(2) as pool:
        for together in pool.map(again, range(4)):
            assert_same(alone, together)


@settings(max_examples=100)
@given(cases(longest=60), st.integers(0, 2**32 - 1))
def test_equity_of_everybody_has_the_same_sum_at_any_mark(case: Case, seed: int) -> None:
    s = run(case).setting
    start = case.world
    deposits = sum(start.wallet.tolist()) - sum(start.cost.ravel().tolist())
    spot = int(s.live.pool_cash) + int(s.live.spot_cash.sum())
    for factor in np.random.default_rng(seed).uniform(0.0, 3.0, size=3):
        for k in range(start.size.shape[1]):
            move_mark(s, k, int(s.markets.start_fair_ticks[k] * factor))
        assert sum(int(equity(s, row)) for row in range(s.wallet.shape[0])) + spot == deposits


def with_bystanders(world: MarketWorld, wallets: Sequence[int]) -> MarketWorld:
    """The world and holders who hold nothing."""
    n, extra = world.uid.shape[0], len(wallets)
    new, none = np.arange(n, n + extra), np.zeros(extra, dtype=np.int64)
    no_lots = np.zeros((extra, world.size.shape[1]), dtype=np.int64)
    return replace(
        world,
        uid=np.concatenate([world.uid, new]),
        owner=np.concatenate([world.owner, new]),
        role=np.concatenate([world.role, none]),
        venue=np.concatenate([world.venue, none]),
        mode=np.concatenate([world.mode, none]),
        weight_ppm=np.concatenate([world.weight_ppm, none]),
        stop_ticks=np.concatenate([world.stop_ticks, none]),
        wallet=np.concatenate([world.wallet, np.array(wallets, dtype=np.int64)]),
        size=np.vstack([world.size, no_lots]),
        cost=np.vstack([world.cost, no_lots]),
        pledged=np.vstack([world.pledged, np.zeros((extra, world.pledged.shape[1]), dtype=np.int64)]),
    )


@settings(max_examples=200)
@given(cases(longest=60), st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=3))
def test_account_without_position_keeps_its_wallet_to_the_uusd(case: Case, wallets: list[int]) -> None:
    finished = run(replace(case, world=with_bystanders(case.world, wallets)))
    rows = slice(-len(wallets), None)
    assert finished.setting.wallet[rows].tolist() == wallets
    assert not finished.setting.size[rows].any()
    assert not finished.setting.closed[rows].any()
    # And the others are as they would be without them.
    assert finished.path.tobytes() == run(case).path.tobytes()


# --- auto-deleveraging -----------------------------------------------------------------------------------


class WatchedTwin(Twin):
    """Remembers the limits of each round and every trade of an auto-deleveraging."""

    def __init__(self, case: Case) -> None:
        self.limits: dict[tuple[int, int], int | None] = {}
        self.closing: tuple[Account, int] | None = None
        self.counted = 0
        super().__init__(case.world, case.tables)

    def bankruptcy_limit(self, account: Account, market: Market) -> int:
        price = super().bankruptcy_limit(account, market)
        self.limits[account.uid, market.number] = price
        return price

    def trade(self, account: Account, market: Market, lots: int, unit_uusd: int, reason: int) -> None:
        k = market.number
        size, wallet, cost = account.size[k], account.wallet, account.cost[k]
        super().trade(account, market, lots, unit_uusd, reason)
        if reason == FORCED:
            self.closing = (account, unit_uusd)
        if reason == DELEVERAGED:
            assert self.closing is not None
            loser, price = self.closing
            limit = self.limits[loser.uid, k]
            assert limit is not None
            assert price == unit_uusd == limit * market.tick_lot_uusd
            assert size * lots < 0
            assert abs(lots) <= abs(size)
            assert account.wallet >= wallet  # a realised profit, never a loss, and no fee
            assert account.wallet - account.cost[k] == wallet - cost - lots * unit_uusd
            self.counted += 1


def test_deleveraged_winner_is_closed_at_the_bankruptcy_price_within_its_position_without_loss() -> None:
    counted = 0

    @settings(max_examples=120)
    @given(cases(longest=50))
    def watch(case: Case) -> None:
        nonlocal counted
        twin = WatchedTwin(case)
        for fair in case.fair:
            if twin.step(fair.tolist()).is_failure:
                break
        counted += twin.counted

    watch()
    assert counted >= 100


# --- limits in which the answer is known -----------------------------------------------------------------


def rich(usd: float) -> dict[str, float]:
    """Named accounts that nothing in a small market can ruin."""
    return dict.fromkeys(
        (
            "maker_capital_usd", "arbitrage_capital_usd", "profit_capital_usd", "newcomer_capital_usd",
            "dip_capital_usd",
        ),
        usd,
    )  # fmt: skip


def test_without_leverage_nobody_is_liquidated_or_deleveraged() -> None:
    looked_at = 0

    @settings(max_examples=150)
    @given(st.integers(0, 2**31), st.integers(1, 3), st.integers(6, 40), st.sampled_from((0.0, 0.1, 0.3)))
    def unlevered(seed: int, markets: int, holders: int, size: float) -> None:
        nonlocal looked_at
        case = build_case(
            seed=seed, markets=markets, holders=holders, steps=40, size=size, turns=False, switches={},
            max_leverage=1.0, dip_buyers=0, **cast(dict[str, Any], rich(1e11)),
        )  # fmt: skip
        finished = run(case, check=1)
        # Leverage 1 survives any fall; a short of leverage 1 survives a rise, but not a doubling.
        if (finished.path < 1.5 * finished.tally.start_mid[:markets]).all():
            looked_at += 1
            assert finished.tally.fired_liquidations == 0
            assert not finished.tally.forced.any()
            assert not finished.tally.adl.any()

    unlevered()
    assert looked_at >= 100


def deeper(markets: Markets, factor: float) -> Markets:
    """The same markets with books deeper by a factor."""
    deep = copied(markets)
    for name in (
        "bid_density", "ask_density", "displayed_bid", "displayed_ask", "latent_slope",
        "spot_bid_density", "spot_ask_density",
    ):  # fmt: skip
        deep[name] *= factor
    return deep


def test_infinitely_deep_book_makes_the_mid_follow_the_news_to_the_tick() -> None:
    liquidated = 0

    @settings(max_examples=200)
    @given(cases(longest=60))
    def follow(case: Case) -> None:
        nonlocal liquidated
        markets = deeper(case.world.markets, 1e15)
        markets.arbitrage_cap_lots[:] = 0
        world = replace(case.world, markets=markets)
        finished = run(replace(case, world=world), no_limit=0)
        assert finished.status == Status.OK
        exact = case.fair * markets.basis[: case.fair.shape[1]]
        near_a_half = np.abs(exact - np.floor(exact) - 0.5) < 1e-6
        assert ((finished.path == np.rint(exact)) | near_a_half).all()
        liquidated += bool(finished.tally.accounts_forced.any())

    follow()
    assert liquidated >= 50


def scaled(case: Case, c: int) -> Case:
    """The same market in c times the coins: positions, books, limits, capital and tiers."""
    world = case.world
    markets = copied(world.markets)
    for name in (
        "bid_density", "ask_density", "displayed_bid", "displayed_ask", "latent_slope", "spot_bid_density",
        "spot_ask_density", "arbitrage_cap_lots", "arbitrage_limit_lots", "maker_limit_lots", "dip_lots",
    ):  # fmt: skip
        markets[name] *= c
    tiers: Tiers = copied(world.tiers)
    tiers.cap_uusd[:] *= c
    tiers.deduction_uusd[:] *= c
    return replace(
        case,
        world=replace(
            world,
            markets=markets,
            tiers=tiers,
            wallet=world.wallet * c,
            size=world.size * c,
            cost=world.cost * c,
            spot_lots=world.spot_lots * c,
        ),
    )


ONLY_HOLDERS = {
    "makers": 0,
    "arbitrageurs": 0,
    "profit_takers": 0,
    "dip_buyers": 0,
    "arbitrage_short_share": 0.0,
}


@pytest.mark.parametrize("c", [2, 16])
def test_c_times_the_coins_and_depth_give_the_same_price_path_bit_for_bit(c: int) -> None:
    # Lots are only rounded where an order fills in part or a share of them is asked for; without limits,
    # named counterparties and a fund that sells its inventory there is no such place, and floats times 2,
    # 16 are exact.
    forced = 0

    @settings(max_examples=100)
    @given(st.integers(0, 2**31), st.integers(1, 3), st.sampled_from((0.05, 0.15, -0.1, -0.3)))
    def scale(seed: int, markets: int, size: float) -> None:
        nonlocal forced
        case = build_case(
            seed=seed, markets=markets, holders=30, steps=40, size=size, turns=False,
            switches={"no_limit": 1}, **cast(dict[str, Any], rich(1e10) | ONLY_HOLDERS),
        )  # fmt: skip
        small, large = run(case), run(scaled(case, c))
        assert small.status == large.status
        if small.status == Status.OK:
            assert small.path.tobytes() == large.path.tobytes()
            assert (small.tally.forced * c == large.tally.forced).all()
            assert (by_uid(small, "size") * c == by_uid(large, "size")).all()
        forced += bool(small.tally.forced.any())

    scale()
    assert forced >= 50


def test_c_times_the_coins_with_every_mechanism_moves_the_price_path_by_less_than_one_percent() -> None:
    # Whole lots are rounded, so a few lots differ, and whoever stands within them of a liquidation may
    # fall on the other side of it: no bit-for-bit law. In books that take the liquidations without a jump
    # the path stays close.
    forced = 0

    @settings(max_examples=60)
    @given(st.integers(0, 2**31), st.integers(1, 2), st.sampled_from((0.05, 0.15)))
    def scale(seed: int, markets: int, size: float) -> None:
        nonlocal forced
        case = build_case(
            seed=seed,
            markets=markets,
            holders=30,
            steps=40,
            size=size,
            turns=False,
            switches={},
            **cast(dict[str, Any], rich(1e9)),
        )
        case = scaled(replace(case, world=replace(case.world, markets=deeper(case.world.markets, 30.0))), 20)
        # Seven times it must stay within the range of integers.
        assume(np.abs(case.world.cost.astype(float)).sum(axis=1).max() < 1e16)
        small, large = run(case), run(scaled(case, 7))
        apart = np.abs(small.path - large.path)
        assert (apart <= np.maximum(1, 0.01 * large.path)).all()
        forced += bool(small.tally.forced.any())

    scale()
    assert forced >= 30


@settings(max_examples=150)
@given(venue_cases())
def test_while_a_venue_is_out_nothing_of_its_accounts_changes(case: Case) -> None:
    kernel = Stepper(case)
    s = kernel.setting
    for second, fair in enumerate(case.fair, start=1):
        out = [
            v
            for v in range(int(s.venues.count))
            if s.params.outage and s.venues.halt_from[v] <= second < s.venues.halt_until[v]
        ]
        rows = np.isin(s.venue, out)
        before = [getattr(s, name)[rows].copy() for name in ("wallet", "size", "cost", "pledged", "closed")]
        if kernel.step(fair).is_failure:
            return
        after = [getattr(s, name)[rows] for name in ("wallet", "size", "cost", "pledged", "closed")]
        assert all(np.array_equal(was, now) for was, now in zip(before, after, strict=True))
