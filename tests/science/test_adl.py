"""ADL-1, ADL-2 and the metrics: do we get the printed figures, and which of them are wrong?

Source: Chitra, "Autodeleveraging: impossibilities and optimization" (arXiv 2512.01112, third version): toy of
five accounts, running example of five positions with their bankruptcy and liquidation prices.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deleverage.venues.adl import Winner, compare, metrics
from deleverage.venues.adl.allocate import fill_queue, fill_water
from deleverage.venues.margin import bankruptcy_price, liquidation_price, tiers_record
from deleverage.venues.rules import MarginTier, TierTable

F = Fraction


# --- ADL-1: five accounts ----------------------------------------------------------------------------


EQUITY = (10, 5, 1, -3, -12)
CASH = (F(2), F(1), F(1, 2), F(0), F(0))
ENDOWMENT = (F(8), F(4), F(1, 2))
UNIT = 10**6


def toy() -> list[Winner]:
    """The three winners as shorts of one coin from 100 + w, at a mark of 100."""
    return [
        Winner(number, "short", 1, entry=100 + w, mark=100, equity=e, collateral=c)
        for number, (e, c, w) in enumerate(zip(EQUITY, CASH, ENDOWMENT, strict=False), start=1)
    ]


def test_toy_is_the_printed_one() -> None:
    assert all(c + w == e for c, w, e in zip(CASH, ENDOWMENT, EQUITY, strict=False))
    deficit = sum(-e for e in EQUITY if e < 0)
    assert deficit == 15
    assert F(1, 2) * deficit == F(15, 2)
    assert metrics.severity(F(15, 2), deficit) == F(1, 2)


def test_adl_1_queue() -> None:
    w = [int(x * UNIT) for x in ENDOWMENT]
    assert fill_queue(7_500_000, [1, 0, 2], w) == [3_500_000, 4_000_000, 0]
    left = [e * UNIT - x for e, x in zip(EQUITY, fill_queue(7_500_000, [1, 0, 2], w), strict=False)]
    assert left == [6_500_000, 1_000_000, 1_000_000]


def test_adl_1_pro_rata() -> None:
    outcome = compare(toy(), "7.5", names=["pro-rata"], deficit=15, largest_loss=12).outcomes["pro-rata"]
    assert outcome.seized == (4_800_000, 2_400_000, 300_000)
    assert [e * UNIT - x for e, x in zip(EQUITY, outcome.seized, strict=False)] == [
        5_200_000,
        2_600_000,
        700_000,
    ]
    assert outcome.largest_share == F(6, 10)
    assert (outcome.ptsr, outcome.pmr) == (F(32, 150), F(32, 120))


def test_adl_1_capped_water_filling() -> None:
    winners = [
        Winner(w.id, w.side, w.size, w.entry, w.mark, w.equity, collateral=w.collateral, cap=cap)
        for w, cap in zip(toy(), (F(1, 2), F(1), F(1)), strict=True)
    ]
    outcome = compare(winners, "7.5", names=["capped-pro-rata"]).outcomes["capped-pro-rata"]
    assert outcome.seized == (4_000_000, 3_111_111, 388_889)
    shares = [F(x, w * UNIT) for x, w in zip(outcome.seized, ENDOWMENT, strict=True)]
    assert [round(float(h), 4) for h in shares] == [0.5, 0.7778, 0.7778]
    exact = fill_water(75 * 9, [80 * 9, 40 * 9, 5 * 9], [40 * 9, 40 * 9, 5 * 9])
    assert exact == [40 * 9, 40 * 7, 5 * 7]  # h = ½, 7/9, 7/9


def test_cash_is_never_touched() -> None:
    for outcome in compare(toy(), "12.5", deficit=15).outcomes.values():
        assert outcome.seized == (8_000_000, 4_000_000, 500_000)
    beyond = compare(toy(), 13, deficit=15).outcomes["pro-rata"]
    assert (beyond.taken, beyond.uncovered) == (12_500_000, 500_000)


# --- ADL-2: five positions through the engine's own kernels --------------------------------------------


TICK = 10**9  # ticks per USD; one lot of one tick is one unit of money
POSITIONS = {
    "A": (1, F(2), 1),
    "B": (1, F(2, 3), 1),
    "C": (4, F(8, 3), -1),
    "D": (1, F(2, 19), 1),
    "E": (1, F(10, 99), -1),
}
FLAT = TierTable("TOY", (MarginTier(10**6, F(1, 10), 10),), "maintenance of 10 % at any size")


def bankrupt(size: int, cash: Fraction, side: int, price: Fraction) -> float:
    """Bankruptcy price of a position that was opened at ``price``."""
    lots = side * size
    cost = int(lots * price * TICK)
    return float(F(bankruptcy_price(int(cash * TICK), lots, cost, 1), TICK))


def test_adl_2_bankruptcy_prices() -> None:
    found = [bankrupt(q, c, side, F(1)) for q, c, side in POSITIONS.values()]
    assert found == pytest.approx([0, 0.3333, 1.6667, 0.8947, 1.1010], abs=5e-5)
    assert found == pytest.approx([0, 1 / 3, 5 / 3, 17 / 19, 109 / 99], abs=2e-9)


def test_adl_2_liquidation_prices() -> None:
    found = {}
    for name, (q, c, side) in POSITIONS.items():
        ticks = liquidation_price(int(c * TICK), side * q, side * q * TICK, 1, 0, tiers_record([FLAT]))
        found[name] = max(0.0, float(F(ticks, TICK)))
    # The kernel gives the first tick that is liquidatable; the printed figure is where health is zero.
    assert list(found.values()) == pytest.approx([0, 10 / 27, 50 / 33, 170 / 171, 1090 / 1089], abs=3e-9)
    printed = [0, 0.3704, 1.5152, 0.9942, 1.0010]
    assert list(found.values()) == pytest.approx(printed, abs=1e-4)


def test_adl_2_shortfall_of_e_and_how_the_paper_rebases() -> None:
    q, c, side = POSITIONS["E"]
    at_current_price = bankrupt(q, c, side, F(105, 100))
    assert at_current_price == pytest.approx(1.1510, abs=5e-5)
    assert 1.55 - at_current_price == pytest.approx(0.399, abs=5e-4)
    # The price moved from 1 to 1.05 against this short, and the printed figure forgets the loss so far: it is
    # bankrupt at 1.1010, and the same execution leaves 0.05 more.
    truly = bankrupt(q, c, side, F(1))
    assert (1.55 - truly) - (1.55 - at_current_price) == pytest.approx(0.05, abs=1e-8)


def test_adl_2_shortfall_of_d() -> None:
    q, c, side = POSITIONS["D"]
    assert (bankrupt(q, c, side, F(98, 100)) - 0.78) * 0.4 == pytest.approx(0.0379, abs=5e-5)


def test_the_five_positions_are_no_market() -> None:
    longs = sum(q for q, _, side in POSITIONS.values() if side > 0)
    shorts = sum(q for q, _, side in POSITIONS.values() if side < 0)
    assert (longs, shorts) == (3, 5)


# --- the identity of PTSR --------------------------------------------------------------------------------


profits = st.lists(st.integers(0, 1000), min_size=1, max_size=6)


@given(profits, st.integers(1, 2000), st.integers(0, 2000))
def test_identity_of_ptsr_holds_exactly_under_its_conditions(w: list[int], budget: int, more: int) -> None:
    assume(sum(w) > 0)
    deficit = budget + more
    expected = metrics.ptsr_identity(w, budget, deficit)
    assume(expected is not None)
    assert metrics.ptsr_gap(w, budget, deficit) == expected
    # And so it comes out of the policies themselves, in units so fine that pro-rata is whole.
    fine = [x * sum(w) for x in w]
    order = sorted(range(len(w)), key=lambda i: -w[i])
    queue = fill_queue(budget * sum(w), order, fine)
    shared = fill_water(budget * sum(w), fine, fine)
    gap = _gap(fine, shared, deficit * sum(w)) - _gap(fine, queue, deficit * sum(w))
    assert gap == expected


def _gap(w: list[int], seized: list[int], deficit: int) -> Fraction:
    value = metrics.ptsr(w, seized, deficit)
    assert value is not None
    return value


@given(profits, st.integers(1, 1000), st.integers(0, 2000))
def test_difference_of_ptsr_is_exact_wherever_the_largest_can_pay_alone(
    w: list[int], budget: int, more: int
) -> None:
    assume(budget <= max(w))
    fine = [x * sum(w) for x in w]
    order = sorted(range(len(w)), key=lambda i: -w[i])
    deficit = (budget + more) * sum(w)
    queue = fill_queue(budget * sum(w), order, fine)
    shared = fill_water(budget * sum(w), fine, fine)
    assert _gap(fine, shared, deficit) - _gap(fine, queue, deficit) == metrics.ptsr_gap(
        w, budget, budget + more
    )


def test_printed_conditions_of_the_identity_do_not_suffice() -> None:
    # Queue in order of endowment, B = 15/2 ≤ w₍₁₎ = 8: both printed conditions hold, and yet the queue leaves
    # the second winner with 4, more than pro-rata's 3.2. The sign turns.
    w, budget, deficit = ENDOWMENT, F(15, 2), 15
    assert metrics.ptsr_identity(w, budget, deficit) is None
    assert metrics.ptsr_gap(w, budget, deficit) == F(32, 150) - F(40, 150)
    assert F(1, 2) * (1 - 8 / F(25, 2)) == F(18, 100)


def test_with_what_is_left_below_the_identity_is_larger_by_one_over_one_minus_theta() -> None:
    w, budget, deficit = (100, 20, 10), 30, 60
    shared = [F(budget * x, sum(w)) for x in w]
    queue = (30, 0, 0)
    theta = metrics.severity(budget, deficit)
    after = [metrics.ptsr(w, x, deficit, covered=budget) for x in (shared, queue)]
    assert after[0] is not None
    assert after[1] is not None
    assert after[0] - after[1] == theta * (1 - F(100, 130)) / (1 - theta)
    assert metrics.ptsr(w, queue, 30, covered=30) is None


# --- other metrics -----------------------------------------------------------------------------------------


def test_needed_budget_counts_every_gap_as_a_cost() -> None:
    assert metrics.needed_budget([(100, 103, 2), (100, F(99), -4)]) == 10
    assert metrics.needed_budget([]) == 0


def test_regret_adds_money_and_unfairness() -> None:
    assert metrics.overshoot(8, 10) == -2
    assert metrics.regret(8, 10, F(3, 10), F(1, 10)) == 4


# --- (e): a policy is a transfer ---------------------------------------------------------------------------


Ledger = dict[int | str, Fraction]


def equities(cash: Ledger, coins: Ledger, mark: int) -> Ledger:
    return {who: cash[who] + coins[who] * mark for who in cash}


def test_e_a_policy_is_a_transfer_and_says_nothing_about_the_price() -> None:
    # Cash-flow accounts: three shorts, and the long (0) that is under water, closed at 103 with mark at 100.
    mark, execution, lot = 100, 103, F(1, 100)
    winners = toy()
    start_cash: Ledger = {w.id: F(w.equity) + mark for w in winners}
    start_coins: Ledger = {w.id: F(-1) for w in winners}
    start_cash[0], start_coins[0] = F(-303), F(3)  # equity −3 at mark
    outcomes = compare(winners, 3, execution=execution, lot=lot, deficit=3).outcomes
    later = []
    for name in ("contract-pro-rata", "min-max"):
        cash, coins = dict(start_cash), dict(start_coins)
        for winner, lots in zip(winners, outcomes[name].lots, strict=True):
            for who, sign in ((winner.id, 1), (0, -1)):
                coins[who] += sign * lots * lot
                cash[who] -= sign * lots * lot * execution
        # The sum of equities is the same number at every price, whoever was chosen …
        for price in (40, 100, 103, 250):
            before = sum(equities(start_cash, start_coins, price).values())
            assert sum(equities(cash, coins, price).values()) == before, (name, price)
        # … at mark each winner is poorer by what the policy says it gave, and the loser is whole …
        now, then = equities(cash, coins, mark), equities(start_cash, start_coins, mark)
        assert [(then[w.id] - now[w.id]) * UNIT for w in winners] == list(outcomes[name].seized)
        assert now[0] == 0
        later.append(equities(cash, coins, 110))
    # … but who can bear the next move depends on the policy, so that its forced orders, and the price, would
    # too. A counterfactual that holds the path of prices fixed can say who paid whom, and nothing else.
    assert later[0] != later[1]
    assert sum(later[0].values()) == sum(later[1].values())
