"""Do policies cover the budget to the last unit, from profits only, as the readable twin says?"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import reference.adl as twin
from deleverage.errors import InputError, UnitError
from deleverage.venues.adl import Claims, Winner, claims_of, compare, policies
from deleverage.venues.adl.allocate import fill_queue, fill_water, project
from deleverage.venues.adl.contracts import lots_needed, min_max_lots, pro_rata_lots
from deleverage.venues.adl.policies import levered_pro_rata, risk_aware, risk_weight_ppb, vector
from deleverage.venues.rules import AdlRank

PPB = 10**9
small = st.integers(min_value=0, max_value=60)
large = st.integers(min_value=0, max_value=10**18)
amounts = st.one_of(small, large)


@st.composite
def rows(draw: st.DrawFn, columns: int) -> list[list[int]]:
    count = draw(st.integers(min_value=1, max_value=7))
    return [draw(st.lists(amounts, min_size=count, max_size=count)) for _ in range(columns)]


def claims(
    endowment: list[int],
    caps: list[int] | None = None,
    leverage_ppb: list[int] | None = None,
    lots: list[int] | None = None,
    gap: int = 0,
) -> Claims:
    count = len(endowment)
    return Claims(
        ids=tuple(range(count)),
        endowment=tuple(endowment),
        cap=tuple(caps or endowment),
        equity=tuple(endowment),
        leverage_ppb=tuple(leverage_ppb or [PPB] * count),
        lots=tuple(lots or [0] * count),
        gap=gap,
        scores={rank: tuple(float(w) for w in endowment) for rank in AdlRank},
    )


# --- against the twin ------------------------------------------------------------------------------


@given(table=rows(2), budget=amounts)
def test_water_filling_equals_the_twin(table: list[list[int]], budget: int) -> None:
    loads, caps = table
    assert fill_water(budget, loads, caps) == twin.water(budget, loads, caps)


@given(table=rows(2), budget=amounts)
def test_queue_equals_the_twin(table: list[list[int]], budget: int) -> None:
    scores, caps = table
    order = sorted(range(len(caps)), key=lambda i: (-scores[i], i))
    assert fill_queue(budget, order, caps) == twin.queue(budget, [float(s) for s in scores], caps)


@given(table=rows(1), budget=amounts, data=st.data())
def test_projection_equals_the_twin(table: list[list[int]], budget: int, data: st.DataObject) -> None:
    (costs,) = table
    point = data.draw(st.lists(st.integers(-15, 25), min_size=len(costs), max_size=len(costs)))
    assert project(budget, costs, point, 10) == twin.projected(
        budget, costs, [Fraction(y, 10) for y in point]
    )


@st.composite
def lot_rows(draw: st.DrawFn, count: int, most: int) -> tuple[list[int], list[int], list[int]]:
    each = st.lists(st.integers(1, 9), min_size=count, max_size=count)
    held = st.lists(st.integers(0, most), min_size=count, max_size=count)
    bases = st.lists(st.integers(1, 40), min_size=count, max_size=count)
    return draw(each), draw(held), draw(bases)


@given(lot_rows(4, 60), st.integers(0, 900))
def test_min_max_equals_the_twin(table: tuple[list[int], list[int], list[int]], budget: int) -> None:
    gaps, most, bases = table
    assert min_max_lots(budget, gaps, most, bases) == twin.least_largest_share(budget, gaps, most, bases)


@given(
    profit=st.integers(1, 10**12),
    entry=st.integers(1, 10**12),
    collateral=st.integers(1, 10**12),
    margin=st.integers(1, 10**12),
    long=st.booleans(),
)
def test_scores_of_winners_are_the_twins_to_float_precision(
    profit: int, entry: int, collateral: int, margin: int, long: bool
) -> None:
    assume(long or profit < entry)
    usd = Fraction(1, 1_000_000)
    mark = entry + profit if long else entry - profit
    winner = Winner(
        1,
        "long" if long else "short",
        size=1,
        entry=entry * usd,
        mark=mark * usd,
        equity=(collateral + profit) * usd,
        margin=margin * usd,
    )
    ours = claims_of([winner]).scores
    exact = twin.scores(
        long,
        *(Fraction(x) for x in (profit, entry, mark, collateral, collateral, margin, collateral + profit)),
    )
    ranked = [rank for rank in AdlRank if rank is not AdlRank.RANDOM_START]
    for rank, score in zip(ranked, exact, strict=True):
        assert ours[rank][0] == pytest.approx(float(score), rel=1e-12)


# --- optimal, by brute force -------------------------------------------------------------------------


@settings(max_examples=60)
@given(lot_rows(3, 4), st.integers(1, 60))
def test_no_choice_of_lots_has_a_smaller_largest_share(
    table: tuple[list[int], list[int], list[int]], budget: int
) -> None:
    gaps, most, bases = table
    lots, share = min_max_lots(budget, gaps, most, bases)
    choices = [
        (max(Fraction(k * g, b) for k, g, b in zip(choice, gaps, bases, strict=True)), choice)
        for choice in product(*(range(q + 1) for q in most))
        if sum(k * g for k, g in zip(choice, gaps, strict=True)) >= budget
    ]
    if not choices:
        assert lots == most
        return
    assert share == min(choices)[0]
    assert sum(k * g for k, g in zip(lots, gaps, strict=True)) >= budget
    assert max(Fraction(k * g, b) for k, g, b in zip(lots, gaps, bases, strict=True)) == share


def test_min_max_of_a_whole_market_is_quick_and_covers_with_less_than_a_lot_too_much() -> None:
    count, gap = 5_000, 700
    most = [(7_919 * i) % 100_003 for i in range(count)]
    bases = [10_000_000 + (104_729 * i) % 9_999_991 for i in range(count)]
    budget = sum(most) * gap // 3
    lots, share = min_max_lots(budget, [gap] * count, most, bases)
    assert sum(lots) == lots_needed(budget, gap)
    assert 0 <= sum(lots) * gap - budget < gap
    assert all(k <= q for k, q in zip(lots, most, strict=True))
    one_step = Fraction(gap, min(bases))
    # Everybody who could give more stands within one lot of the bound.
    assert all(
        Fraction(k * gap, base) > share - one_step
        for k, q, base in zip(lots, most, bases, strict=True)
        if k < q
    )


@given(table=rows(1), budget=amounts, data=st.data())
def test_no_other_point_of_the_budget_is_nearer_than_the_projection(
    table: list[list[int]], budget: int, data: st.DataObject
) -> None:
    costs = [cost % 50 for cost in table[0]]
    assume(len(costs) > 1 and min(costs) > 0 and 0 < budget < sum(costs))
    point = [
        Fraction(y, 10)
        for y in data.draw(st.lists(st.integers(-15, 25), min_size=len(costs), max_size=len(costs)))
    ]
    scale = 1_000_000  # money so fine that rounding does not matter
    seized = project(budget * scale, [c * scale for c in costs], [int(y * 10) for y in point], 10)
    x = [Fraction(s, c * scale) for s, c in zip(seized, costs, strict=True)]
    ours = sum((a - y) ** 2 for a, y in zip(x, point, strict=True))
    move = Fraction(data.draw(st.integers(1, 100)), 100)
    i, j = data.draw(st.permutations(range(len(costs))))[:2]
    other = list(x)
    step = min(move * costs[i], (1 - x[i]) * costs[i], x[j] * costs[j])
    other[i] += step / costs[i]
    other[j] -= step / costs[j]
    theirs = sum((a - y) ** 2 for a, y in zip(other, point, strict=True))
    assert theirs >= ours - Fraction(1, 1000)


# --- what every policy keeps to ------------------------------------------------------------------------


@st.composite
def markets(draw: st.DrawFn) -> tuple[list[Winner], int]:
    count = draw(st.integers(min_value=1, max_value=6))
    cents = st.integers(min_value=1, max_value=30_000)
    winners = [
        Winner(
            id=number,
            side="short",
            size=Fraction(draw(st.integers(1, 500)), 10),
            entry=Fraction(draw(cents), 100),
            mark=100,
            equity=Fraction(draw(st.integers(-1_000, 1_000_000)), 100),
            margin=draw(st.integers(0, 50)),
            cap=Fraction(draw(st.integers(0, 4)), 4),
        )
        for number in range(count)
    ]
    return winners, draw(st.integers(min_value=0, max_value=20_000))


@settings(max_examples=60)
@given(markets())
def test_every_policy_covers_the_budget_and_takes_from_profits_only(case: tuple[list[Winner], int]) -> None:
    winners, budget_usd = case
    result = compare(winners, budget_usd, execution=110, lot="0.1")
    budget = budget_usd * 1_000_000
    assert set(result.outcomes) == set(policies)
    for name, outcome in result.outcomes.items():
        bounds = result.claims.endowment if name == "pro-rata" else result.claims.cap
        assert all(0 <= x <= bound for x, bound in zip(outcome.seized, bounds, strict=True)), name
        assert outcome.taken == sum(outcome.seized)
        if outcome.policy.whole_lots:
            gap = 1_000_000
            assert [x % gap for x in outcome.seized] == [0] * len(winners)
            assert list(outcome.lots) == [x // gap for x in outcome.seized]
            assert sum(outcome.lots) == min(-(-budget // gap), sum(result.claims.most_lots))
        else:
            assert outcome.taken == min(budget, sum(bounds)), name
        assert outcome.uncovered == max(0, budget - outcome.taken)


@settings(max_examples=60)
@given(markets(), st.randoms(use_true_random=False))
def test_order_of_input_changes_nothing(case: tuple[list[Winner], int], random: Any) -> None:
    winners, budget = case
    shuffled = list(winners)
    random.shuffle(shuffled)
    first = compare(winners, budget, execution=110, lot="0.1").as_dict()
    assert compare(shuffled, budget, execution=110, lot="0.1").as_dict() == first


@given(table=rows(1), caps=st.data(), budget=amounts, more=amounts)
def test_a_larger_budget_takes_nothing_back(
    table: list[list[int]], caps: st.DataObject, budget: int, more: int
) -> None:
    (w,) = table
    shares = caps.draw(st.lists(st.integers(0, 4), min_size=len(w), max_size=len(w)))
    caps_ = [x * share // 4 for x, share in zip(w, shares, strict=True)]
    least, most = (Fraction(min(b, sum(caps_))) for b in (budget, budget + more))
    if sum(caps_):
        exact = zip(twin.water_level(least, w, caps_), twin.water_level(most, w, caps_), strict=True)
        assert all(a <= b for a, b in exact)
    # In whole units the remainders may move one unit.
    ours = zip(fill_water(budget, w, caps_), fill_water(budget + more, w, caps_), strict=True)
    assert all(a <= b + 1 for a, b in ours)
    order = range(len(w))
    queues = zip(fill_queue(budget, order, caps_), fill_queue(budget + more, order, caps_), strict=True)
    assert all(a <= b for a, b in queues)


@given(table=rows(1), budget=amounts)
def test_pro_rata_keeps_the_order_of_winners(table: list[list[int]], budget: int) -> None:
    w = sorted(table[0], reverse=True)
    left = [a - x for a, x in zip(w, fill_water(budget, w, w), strict=True)]
    assert all(a >= b - 1 for a, b in pairwise(left))


def test_caps_of_one_s_own_can_turn_the_order_of_winners_round() -> None:
    # Printed without a condition; it holds where no smaller winner has a smaller cap.
    w, caps = [10, 9], [10, 0]
    left = [a - x for a, x in zip(w, fill_water(5, w, caps), strict=True)]
    assert left == [5, 9]


@given(table=rows(1), budget=amounts, data=st.data())
def test_splitting_an_account_does_not_help_against_capped_water_filling(
    table: list[list[int]], budget: int, data: st.DataObject
) -> None:
    (w,) = table
    quarter = data.draw(st.lists(st.integers(0, 4), min_size=len(w), max_size=len(w)))
    w = [4 * x for x in w]
    caps = [x // 4 * share for x, share in zip(w, quarter, strict=True)]
    assume(sum(caps) > 0)
    budget = min(budget, sum(caps))
    part = data.draw(st.integers(0, w[0] // 4)) * 4
    split = [part, w[0] - part, *w[1:]]
    split_caps = [part // 4 * quarter[0], (w[0] - part) // 4 * quarter[0], *caps[1:]]
    whole = twin.water_level(Fraction(budget), w, caps)
    parts = twin.water_level(Fraction(budget), split, split_caps)
    assert parts[0] + parts[1] == whole[0]
    assert parts[2:] == whole[1:]
    # In whole units: within one unit an account.
    ours = fill_water(budget, split, split_caps)
    assert abs(ours[0] + ours[1] - fill_water(budget, w, caps)[0]) < 3


def test_a_queue_is_not_proof_against_splitting() -> None:
    # By size of profit: 8 pays first; as 3 + 5 behind a 6 it pays nothing.
    whole = policies["queue-leveraged-return"].takes(claims([8, 6]), 6)
    split = policies["queue-leveraged-return"].takes(claims([3, 5, 6]), 6)
    assert whole == [6, 0]
    assert split == [0, 0, 6]


def test_equal_scores_go_by_id() -> None:
    same = [Winner(name, "short", 1, 120, 100, 30) for name in ("c", "a", "b")]
    seized = compare(same, 25, names=["queue-leveraged-return"]).as_dict()["policies"]
    assert seized["queue-leveraged-return"]["seized"] == {"a": 20_000_000, "b": 5_000_000, "c": 0}


def test_random_start_goes_round() -> None:
    same = [Winner(number, "long", 1, 100, 120, 30) for number in range(3)]
    for start in range(3):
        seized = compare(same, 25, names=["queue-random-start"], start=start).outcomes
        amounts_ = list(seized["queue-random-start"].seized)
        assert amounts_[start] == 20_000_000
        assert amounts_[(start + 1) % 3] == 5_000_000


# --- risk ------------------------------------------------------------------------------------------------


def test_published_shares_of_risk_aware_weights() -> None:
    # Winners A, C, E of the paper's example at T = 2: equities and effective leverages as printed.
    equity = [1.2613, 5.6214, 0.8397]
    leverage = [1.031, 0.925, 1.548]
    wanted = {2: (0.164, 0.589, 0.246), 3: (0.155, 0.498, 0.348)}
    for power, shares in wanted.items():
        endowment = [round(e * 10**6) for e in equity]
        weights = [round(lam**power * PPB) for lam in leverage]
        budget = 100_000
        seized = fill_water(budget, [w * a for w, a in zip(endowment, weights, strict=True)], endowment)
        assert [x / budget for x in seized] == pytest.approx(shares, abs=1e-3)


def test_levered_pro_rata_covers_the_budget_where_the_printed_rule_does_not() -> None:
    endowment, leverage, budget = [800, 400, 50], [2, 5, 10], 300
    seized = levered_pro_rata(claims(endowment, leverage_ppb=[x * PPB for x in leverage]), budget)
    assert sum(seized) == budget
    weight = sum(x * w for x, w in zip(leverage, endowment, strict=True))
    once = [Fraction(budget * x * w, weight) for x, w in zip(leverage, endowment, strict=True)]
    assert all(abs(a - b) < 1 for a, b in zip(seized, once, strict=True))
    twice = [share / weight for share in once]
    assert sum(twice) < 1


@given(st.integers(0, 200), st.integers(0, 200))
def test_risk_weight_rises_with_leverage_and_is_zero_for_the_safe(a: int, b: int) -> None:
    shocks = [Fraction(-1, 2), Fraction(-1, 10), Fraction(1, 5)]
    low, high = sorted((a, b))
    assert risk_weight_ppb(low * PPB, shocks) <= risk_weight_ppb(high * PPB, shocks)
    assert risk_weight_ppb(2 * PPB, shocks) == 0
    # ρ(4) = E[(1 + 4Z)₋] with Z = −1/2: 1 in one of three.
    assert risk_weight_ppb(4 * PPB, shocks) == PPB // 3


def test_printed_proof_that_risk_aware_pro_rata_leaves_least_risk_is_wrong() -> None:
    # The loss left, Σ (w − x)·ρ, is linear: riskiest first leaves less than any spreading.
    endowment, leverage = [100, 100], [10 * PPB, 4 * PPB]
    shocks = [Fraction(-1, 2)]
    rho = [risk_weight_ppb(x, shocks) for x in leverage]
    shared = risk_aware(claims(endowment, leverage_ppb=leverage), 60, shocks)
    greedy = fill_queue(60, [0, 1], endowment)

    def left(seized: list[int]) -> int:
        return sum((w - x) * r for w, x, r in zip(endowment, seized, rho, strict=True))

    assert shared == [48, 12]
    assert left(greedy) < left(shared)


def test_who_bears_no_risk_gives_what_the_others_cannot() -> None:
    seized = risk_aware(claims([10, 30, 10], leverage_ppb=[20 * PPB, PPB, PPB]), 30)
    assert seized == [10, 15, 5]


def test_vector_step_from_nothing_takes_by_the_square_of_the_endowment() -> None:
    assert vector(claims([300, 100]), 100) == [90, 10]
    # From equal shares that cover the budget it stays: that is pro-rata.
    assert vector(claims([300, 100]), 100, start_ppb=[PPB // 4] * 2) == [75, 25]
    # A slope against the first moves its share to the second.
    moved = vector(claims([300, 100]), 100, start_ppb=[PPB // 4] * 2, gradient_ppb=[PPB // 2, 0])
    assert sum(moved) == 100
    assert moved[0] < 75


def test_lots_that_a_full_account_cannot_close_go_to_the_others() -> None:
    # The published rounding gives one left-over lot each, and would close 9 of 12 here.
    assert pro_rata_lots(12, [10, 1, 1], [3, 9, 9]) == [3, 5, 4]


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"side": "buy"}, "'long' or 'short'"),
        ({"size": 0}, "size > 0"),
        ({"mark": "nan"}, "finite"),
        ({"entry": float("inf")}, "finite"),
        ({"cap": 2}, "cap of 0 … 1"),
    ],
)
def test_a_position_that_cannot_be_is_refused(change: dict[str, Any], words: str) -> None:
    good: dict[str, Any] = {"id": 1, "side": "short", "size": 1, "entry": 110, "mark": 100, "equity": 20}
    with pytest.raises(InputError, match=words):
        compare([Winner(**{**good, **change})], 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"budget": -1}, "0 ≤ budget"),
        ({"budget": 5, "deficit": 4}, "budget ≤ deficit"),
        ({"budget": 5, "largest_loss": 6}, "largest loss"),
        ({"budget": 5, "names": ["lottery"]}, "lottery"),
        ({"budget": 5, "execution": 90}, "worse off"),
        ({"budget": 5, "lot": 0}, "lot > 0"),
        ({"budget": 5, "start": 7}, "start of 0"),
    ],
)
def test_a_comparison_that_cannot_be_is_refused(arguments: dict[str, Any], words: str) -> None:
    winner = Winner(1, "short", 1, 110, 100, 20)
    budget = arguments.pop("budget")
    with pytest.raises(InputError, match=words):
        compare([winner], budget, **arguments)


def test_ids_and_marks_that_do_not_fit_are_refused() -> None:
    one = Winner(1, "short", 1, 110, 100, 20)
    with pytest.raises(InputError, match="at least one"):
        compare([], 1)
    with pytest.raises(InputError, match="twice"):
        compare([one, one], 1)
    with pytest.raises(InputError, match="all numbers or all names"):
        compare([one, Winner("b", "short", 1, 110, 100, 20)], 1)
    with pytest.raises(InputError, match="one mark"):
        compare([one, Winner(2, "short", 1, 110, 101, 20)], 1, execution=120)
    with pytest.raises(UnitError, match="larger lot"):
        compare([one], 1, execution=Fraction(100_000_001, 1_000_000), lot="0.001")


def test_policies_that_count_lots_are_left_out_without_a_price_and_say_so() -> None:
    result = compare([Winner(1, "short", 1, 110, 100, 20)], 5)
    assert set(result.left_out) == {"contract-pro-rata", "min-max"}
    with pytest.raises(InputError, match="execution price"):
        policies["min-max"].takes(result.claims, 5)
    with pytest.raises(InputError, match="at least one shock"):
        risk_aware(result.claims, 5, [])


def test_profit_that_was_lost_elsewhere_is_not_there_to_be_taken() -> None:
    rich, poor, gone = (Winner(i, "short", 1, 110, 100, equity) for i, equity in ((1, 50), (2, 4), (3, -1)))
    assert claims_of([rich, poor, gone]).endowment == (10_000_000, 4_000_000, 0)


def test_amounts_beyond_the_bounds_of_integers_are_refused() -> None:
    with pytest.raises(UnitError, match="62 bits"):
        compare([Winner(1, "long", "1e15", 100, 110, "1e16")], 1)


def test_a_number_is_read_as_it_is_written() -> None:
    tenth = claims_of([Winner(1, "long", 0.1, 100, 103, 50)])
    assert tenth.endowment == (300_000,)
    # 0.1 as a double is a little more than a tenth; and a profit is rounded down to whole uusd.
    assert claims_of([Winner(1, "long", Fraction(1, 3), 100, 101, 50)]).endowment == (333_333,)
