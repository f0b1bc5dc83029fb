"""Does each venue's score put the right position first, with the same bits in both forms?"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deleverage.venues.adl import ranks
from deleverage.venues.rules import AdlRank
from reference import ranks as twin

money = st.integers(min_value=1, max_value=10**15)
signed = st.integers(min_value=-(10**15), max_value=10**15)


def plain(function: Any) -> Any:
    """The same source, run by the interpreter."""
    return getattr(function, "py_func", function)


@pytest.fixture(scope="module")
def examples(test_data: Path) -> list[dict[str, Any]]:
    file = test_data.parent / "vectors" / "venue_vectors.json"
    if not file.is_file():
        pytest.skip(f"no worked examples in {file}")
    return [row for row in json.loads(file.read_text(encoding="utf-8")) if row["kind"] == "adl_rank"]


def test_orders_of_the_worked_examples(examples: list[dict[str, Any]]) -> None:
    assert examples
    for example in examples:
        rows = [
            dict(zip(example["inputs"]["fields"], row, strict=True))
            for row in example["inputs"]["candidates"]
        ]
        if example["venue"].startswith("BitMEX"):
            score = {
                row["id"]: ranks.profit_times_leverage(
                    row["mark_value"], row["bankrupt_value"], row["entry_value"]
                )
                for row in rows
            }
        else:
            score = {
                row["id"]: ranks.price_ratio_times_leverage(
                    row.get("side", 1) > 0, row["mark"], row["entry"], row["notional"], row["account_value"]
                )
                for row in rows
            }
        assert sorted(score, key=lambda name: (-score[name], name)) == example["expected"]["order"]


def test_formulas_by_hand() -> None:
    assert ranks.profit_times_margin_ratio(50, 100, 15, 150) == 0.05
    assert ranks.leveraged_return(50, 1000, 1050, 150) == pytest.approx(0.35)
    assert ranks.profit_ratio_over_margin_ratio(50, 100, 15, 150) == pytest.approx(0.05)
    assert ranks.profit_ratio_over_margin_ratio(-50, 100, 15, 150) == pytest.approx(-5.0)
    assert ranks.price_ratio_times_leverage(True, 110, 100, 50_000, 10_000) == pytest.approx(5.5)
    assert ranks.price_ratio_times_leverage(False, 80, 100, 50_000, 10_000) == pytest.approx(6.25)
    assert ranks.profit_times_leverage(-0.9, -1.1, -1.0) == pytest.approx(0.45)
    assert ranks.profit_times_leverage(-1.02, -1.1, -1.0) == pytest.approx(-0.02 / 12.75)
    assert [ranks.random_start(place, 2, 4) for place in range(4)] == [2.0, 1.0, 4.0, 3.0]


def test_printed_hyperliquid_index_would_put_the_losing_short_first() -> None:
    entry_of_winner, entry_of_loser, mark = 100, 60, 80
    printed = {entry: mark / entry * 5 for entry in (entry_of_winner, entry_of_loser)}
    assert printed[entry_of_loser] > printed[entry_of_winner]
    ours = {entry: ranks.price_ratio_times_leverage(False, mark, entry, 5, 1) for entry in printed}
    assert ours[entry_of_winner] > ours[entry_of_loser]


@given(profit=signed, entry=money, margin=money, equity=signed, collateral=money, long=st.booleans())
def test_compiled_and_interpreted_scores_are_the_same_bits(
    profit: int, entry: int, margin: int, equity: int, collateral: int, long: bool
) -> None:
    notional = max(1, entry + profit if long else entry - profit)
    for rank in AdlRank:
        row = (int(rank), long, profit, entry, notional, collateral, margin, margin, equity, 3, 5, 9)
        assert ranks.adl_rank_score(*row) == plain(ranks.adl_rank_score)(*row)


@given(profit=money, entry=money, margin=money, equity=money, collateral=money)
def test_scores_are_those_of_the_readable_twin_to_float_precision(
    profit: int, entry: int, margin: int, equity: int, collateral: int
) -> None:
    p, v, n, e, m, c = map(Fraction, (profit, entry, entry + profit, equity, margin, collateral))
    exact = {
        AdlRank.PROFIT_TIMES_MARGIN_RATIO: twin.profit_times_margin_ratio(p, c, m / e),
        AdlRank.LEVERAGED_RETURN: twin.leveraged_return(p, v, e / n),
        AdlRank.PROFIT_RATIO_OVER_MARGIN_RATIO: twin.profit_ratio_over_margin_ratio(p / m, e / m),
        AdlRank.PRICE_RATIO_TIMES_LEVERAGE: twin.price_ratio_times_leverage(1, n, v, n, e),
        AdlRank.PROFIT_TIMES_LEVERAGE: twin.profit_times_leverage(n, v - c, v),
    }
    for rank, score in exact.items():
        points = ranks.adl_rank_score(
            int(rank), True, profit, entry, entry + profit, collateral, margin, margin, equity, 0, 0, 1
        )
        assert points == pytest.approx(float(score), rel=1e-12)
        assert points > 0


@given(profit=money, entry=money, loss=st.integers(min_value=-(10**15), max_value=0))
def test_no_equity_no_place_in_the_queue(profit: int, entry: int, loss: int) -> None:
    for rank in (r for r in AdlRank if r not in (AdlRank.RANDOM_START, AdlRank.PROFIT_TIMES_LEVERAGE)):
        row = (int(rank), True, profit, entry, entry + profit, entry, entry, entry, loss, 0, 0, 1)
        assert ranks.adl_rank_score(*row) == 0.0


@given(entry=money, profit=money, collateral=money)
def test_bitmex_score_of_an_isolated_position_is_its_leveraged_return(
    entry: int, profit: int, collateral: int
) -> None:
    equity = collateral + profit
    row = (True, profit, entry, entry + profit, collateral, collateral, 1, equity, 0, 0, 1)
    bitmex = ranks.adl_rank_score(int(AdlRank.PROFIT_TIMES_LEVERAGE), *row)
    assert bitmex == pytest.approx(ranks.adl_rank_score(int(AdlRank.LEVERAGED_RETURN), *row), rel=1e-9)


@given(count=st.integers(min_value=1, max_value=40), data=st.data())
def test_random_start_visits_everyone_once_from_the_drawn_one_on(count: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(min_value=0, max_value=count - 1))
    scores = [ranks.random_start(place, start, count) for place in range(count)]
    order = sorted(range(count), key=lambda place: -scores[place])
    assert order == [(start + i) % count for i in range(count)]
    assert min(scores) > 0
