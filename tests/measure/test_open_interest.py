"""Do open interest and trades bound what they can, and nothing else?"""

from __future__ import annotations

import numpy as np
import pytest

from deleverage.measure.throttled.open_interest import Fall, falls, learn_forced, taker_coins
from tests.measure.events import HOUR, NOON, open_interest, trades


def test_a_fall_needs_both_ends() -> None:
    rows = open_interest([(0, 100.0), (1800, 98.0), (3600, 90.0)])
    assert falls(rows, "binance", "BTC", NOON, NOON + HOUR) == Fall(100.0, 10.0)
    assert falls(rows, "binance", "BTC", NOON - HOUR, NOON) is None  # nothing before
    assert falls(rows, "binance", "BTC", NOON + 3 * HOUR, NOON + 4 * HOUR) is None  # too old
    assert falls(rows, "okx", "BTC", NOON, NOON + HOUR) is None


def test_one_row_is_no_change() -> None:
    assert falls(open_interest([(0, 100.0)]), "binance", "BTC", NOON, NOON + HOUR) is None


def test_the_forced_share_is_learnt_and_stays_within_what_was_seen() -> None:
    rng = np.random.default_rng(1)
    pairs = []
    for _ in range(60):
        fall = Fall(1000.0, 1000.0 * float(np.exp(rng.uniform(-6.0, -3.0))))
        pairs.append((fall, 0.3 * fall.coins * float(np.exp(0.4 * rng.standard_normal()))))
    found = learn_forced(pairs)
    assert found is not None
    ends = found.forced(Fall(5000.0, 50.0))
    assert ends is not None
    low, middle, high = ends
    assert middle == pytest.approx(15.0, rel=0.2)
    assert high / low == pytest.approx(np.exp(2 * 1.645 * 0.4), rel=0.25)
    assert found.forced(Fall(1000.0, 300.0)) is None  # six times the largest fall seen
    assert found.forced(Fall(1000.0, -5.0)) is None


def test_few_pairs_say_nothing() -> None:
    assert learn_forced([(Fall(100.0, 1.0 + k), 0.5) for k in range(19)]) is None
    assert learn_forced([(Fall(100.0, 1.0), 0.5)] * 40) is None  # one fall, seen forty times


def test_takers_bound_each_side() -> None:
    rows = trades([(0, "sell", 2.0), (10, "buy", 3.0), (20, "sell", 1.0), (4000, "sell", 50.0)])
    assert taker_coins(rows, "binance", "BTC", NOON, NOON + HOUR) == (3.0, 3.0)
    assert taker_coins(rows, "okx", "BTC", NOON, NOON + HOUR) is None
