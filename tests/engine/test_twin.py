"""The kernels and the readable twin are one market: every account, every price, at every second."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings

import reference.book
import reference.fills
import reference.liquidation
from deleverage.engine.state import FUND
from deleverage.venues.rules import MarkRule
from reference.engine import Twin
from reference.market import Account, Margin, Market
from tests.engine.both import run_both
from tests.strategies import POLICIES, Case, build_case, cases, venue_cases

DRAWS = 600
# How many of the draws must reach a situation, at least: a check that never meets it says nothing.
REACHED = {
    "isolated": 50,
    "cross over several markets": 50,
    "mixed sides": 20,
    "tier changed on the way": 50,
    "partial fill": 50,
    "takeover": 50,
    "adl": 50,
    "socialised loss": 10,
    "maker liquidated": 20,
    "stops": 50,
    "funding payment": 50,
    "slow exit": 20,
    "never closed": 20,
    "shorts liquidated": 50,
    "bankrupt wallet": 5,
    "spot hedged": 50,
    "trigger_last with liquidations": 10,
    "no_limit with liquidations": 10,
    "double_impact with liquidations": 10,
}


def fixed_case(seed: int) -> Case:
    """A market that does not depend on hypothesis: for looking at one thing again."""
    random = Random(seed)
    return build_case(
        seed=seed,
        markets=random.choice([1, 2, 3]),
        holders=random.randint(6, 40),
        steps=random.randint(20, 60),
        size=random.choice([0.05, 0.15, 0.3, -0.1, -0.3]),
        turns=random.random() < 0.5,
        switches={"liquidations": 0},
    )


def test_kernel_and_twin_agree_on_every_account_at_every_second() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=DRAWS, derandomize=True, database=None)
    @given(cases(longest=100))
    def agree(case: Case) -> None:
        problem, reached = run_both(case)
        assert not problem, f"{problem} in {case}"
        seen.update(reached)
        seen["markets"] += 1

    agree()
    print(dict(seen))
    assert seen["markets"] >= 500
    assert {name: seen[name] for name, least in REACHED.items() if seen[name] < least} == {}


def test_kernel_and_twin_agree_on_several_venues_and_every_policy() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=DRAWS, derandomize=True, database=None)
    @given(venue_cases())
    def agree(case: Case) -> None:
        problem, reached = run_both(case)
        assert not problem, f"{problem} in {case}"
        seen.update(reached)

    agree()
    print(dict(seen))
    wanted = [f"{name} {int(value)}" for name, kind in POLICIES.items() if name != "mark" for value in kind]
    wanted += [f"mark_rule {int(value)}" for value in MarkRule]
    wanted += ["sliced", "margin kept by the venue", "between venues", "outage", "socialised loss"]
    wanted += [f"collateral {what}" for what in ("repriced", "sold", "sold of an open account", "seized")]
    wanted += [
        f"inverse {what}"
        for what in (
            "liquidated", "long liquidated", "takeover", "adl", "deficit", "stops", "spot hedged",
            "several markets",
        )
    ]  # fmt: skip
    wanted += ["linear and inverse"]
    assert {name: seen[name] for name in wanted if seen[name] < 10} == {}


def rounds_margin_down(patch: pytest.MonkeyPatch) -> None:
    def of(self: Margin, notional: int) -> int:
        _, numerator, denominator, deduction = self.tiers[self.tier(notional)]
        return notional * numerator // denominator - deduction if notional else 0

    patch.setattr(Margin, "of", of)


def rounds_sellers_up(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reference.fills, "floor", math.ceil)


def rounds_fees_and_limits_down(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reference.liquidation, "up", lambda numerator, denominator: numerator // denominator)


def takes_the_end_price_for_the_average(patch: pytest.MonkeyPatch) -> None:
    def average(u0: float, lots: float, bid: float, ask: float, latent: float) -> float:
        end = reference.book.displacement(
            reference.book.absorbed(u0, bid, ask, latent) + lots, bid, ask, latent
        )
        return reference.book.exp_neg(end)

    patch.setattr(reference.fills, "average_price", average)


def another_order_of_multiplication(patch: pytest.MonkeyPatch) -> None:
    def anchor(self: Twin, market: Market, fair: int) -> float:
        return float(fair) * market.basis * reference.book.exp_neg(market.spot_u)

    patch.setattr(Twin, "anchor", anchor)


def ranks_the_smallest_winner_first(patch: pytest.MonkeyPatch) -> None:
    rank = Twin.rank_adl
    patch.setattr(Twin, "rank_adl", lambda self, market, side: rank(self, market, side)[::-1])


def spares_the_fund(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Twin, "acceptable", lambda *_: 0)


def keeps_a_dead_makers_quotes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Twin, "presence", lambda *_: 1.0)


def ignores_health_of_named_accounts(patch: pytest.MonkeyPatch) -> None:
    health = Twin.is_liquidatable

    def only_holders(self: Twin, account: Account) -> bool:
        return not 0 < account.role < FUND and health(self, account)

    patch.setattr(Twin, "is_liquidatable", only_holders)


@pytest.mark.parametrize(
    "mistake",
    [
        rounds_margin_down,
        rounds_sellers_up,
        rounds_fees_and_limits_down,
        takes_the_end_price_for_the_average,
        another_order_of_multiplication,
        ranks_the_smallest_winner_first,
        spares_the_fund,
        keeps_a_dead_makers_quotes,
        ignores_health_of_named_accounts,
    ],
    ids=lambda mistake: mistake.__name__,
)
def test_one_planted_mistake_in_the_twin_is_noticed(
    mistake: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not any(run_both(fixed_case(seed))[0] for seed in range(5))
    mistake(monkeypatch)
    assert any(run_both(fixed_case(seed))[0] for seed in range(80))
