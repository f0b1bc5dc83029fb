"""Acceptance 7: the book at the start holds exactly the imported depth, and another range rescales it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from deleverage.data import FigureQuery, Lake
from deleverage.engine.book import absorbed
from deleverage.engine.setup import MarketWorld
from deleverage.engine.simulate import prepare_world
from deleverage.experiment.draws import Draw
from deleverage.experiment.ensemble import Task, compute
from deleverage.experiment.scenario import Scenario
from deleverage.experiment.world import world_of
from deleverage.units import Floats

COINS = ("BTC", "ETH", "SOL")
ACCOUNTS = 400

BELOW = math.log(0.98) / math.log(0.99)
"""What ±2 % holds more than ±1 % below the price, in a book that is flat in log price: 2.0101."""
ABOVE = math.log(1.02) / math.log(1.01)
"""The same above: 1.9901."""


def world(scenario: Scenario, **settings: float) -> MarketWorld:
    changes = {key.replace("__", "."): value for key, value in settings.items()}
    return world_of(scenario.with_settings(changes).fixed(), 0, 0, ACCOUNTS)


@pytest.fixture(scope="module")
def seen(lake: Lake) -> Scenario:
    return Scenario.load("oct-10-binance").with_lake(lake)


@pytest.mark.parametrize("kind", ["perp", "spot"])
@pytest.mark.parametrize("coin", COINS)
def test_the_book_integrates_to_the_imported_depth(coin: str, kind: str, seen: Scenario, lake: Lake) -> None:
    w = world(seen, book__spot_breadth=1.0)
    k, lot = COINS.index(coin), w.lot_coins[COINS.index(coin)]
    bids, asks = (
        (w.markets.displayed_bid[k], w.markets.displayed_ask[k])
        if kind == "perp"
        else (w.markets.spot_bid_density[k], w.markets.spot_ask_density[k])
    )
    where: dict[str, str | float | int] = {"venue": "binance", "kind": kind, "coin": coin, "range_bps": 100}
    for column, distance in (("bid_coins", -math.log(0.99)), ("ask_coins", -math.log(1.01))):
        # Displacement is a fall of log price: > 0 walks down the bids, < 0 up the offers.
        coins = abs(absorbed(distance, bids, asks, 0.0)) * lot
        imported = lake.figure(FigureQuery("depth", "2025-10-10T20:00:00Z", column, where)).value
        assert coins == pytest.approx(imported, rel=1e-12), column


@pytest.mark.parametrize(
    ("coin", "bids", "asks"),
    [("BTC", 1747.991, 1603.485), ("ETH", 19275.305, 19967.589), ("SOL", 171164.72, 217399.17)],
)
def test_those_are_the_figures_of_the_night(coin: str, bids: float, asks: float, seen: Scenario) -> None:
    k, w = COINS.index(coin), world(seen)
    assert w.markets.displayed_bid[k] * w.lot_coins[k] * -math.log(0.99) == pytest.approx(bids, abs=1e-3)
    assert w.markets.displayed_ask[k] * w.lot_coins[k] * math.log(1.01) == pytest.approx(asks, abs=1e-3)


def test_hidden_coins_stand_behind_the_displayed_ones_and_are_not_displayed(seen: Scenario) -> None:
    one, two = world(seen, book__hidden_depth=1.0), world(seen, book__hidden_depth=1.7)
    assert np.array_equal(one.markets.displayed_bid, two.markets.displayed_bid)
    assert np.array_equal(one.markets.bid_density, one.markets.displayed_bid)
    assert np.allclose(two.markets.bid_density, 1.7 * two.markets.displayed_bid, rtol=1e-12)


def test_a_range_of_two_percent_halves_the_density_of_that_market_and_of_no_other(seen: Scenario) -> None:
    one, two = world(seen), world(seen, market__BTC__depth_range=0.02)
    for name, factor in (("displayed_bid", BELOW), ("bid_density", BELOW), ("displayed_ask", ABOVE)):
        assert one.markets[name][0] / two.markets[name][0] == pytest.approx(factor, rel=1e-12), name
        assert np.array_equal(one.markets[name][1:], two.markets[name][1:]), name
    for name in ("wallet", "size", "cost"):
        assert np.array_equal(getattr(one, name), getattr(two, name))


def branching(scenario: Scenario, **settings: float) -> Floats:
    """n(x) of BTC on the grid of the map, in one draw; the run itself is cut short."""
    changes: dict[str, object] = {key.replace("__", "."): value for key, value in settings.items()}
    fixed = scenario.with_settings({"end": "2025-10-10T20:51:00Z"} | changes).fixed()
    task = Task(
        scenario=fixed,
        draw=Draw(0, 0, {}),
        seed=0,
        accounts=ACCOUNTS,
        check=False,
        never_closed=False,
        placebo=False,
        depths=(),
        shocks=(),
    )
    n: Floats = compute(task).map.n[0]
    return n


def test_a_range_of_two_percent_on_every_book_doubles_n_everywhere(seen: Scenario) -> None:
    one = branching(seen)
    two = branching(seen, market__BTC__depth_range=0.02, market__BTC__spot_range=0.02)
    assert (one > 0).sum() > 50
    assert np.allclose(two, BELOW * one, rtol=1e-12)


def test_n_is_of_the_consolidated_book_so_spot_keeps_its_part_where_only_the_perpetual_is_redeclared(
    seen: Scenario,
) -> None:
    w = world(seen)
    perp, spot = w.markets.bid_density[0], w.markets.spot_bid_density[0]
    factor = (perp + spot) / (perp / BELOW + spot)
    assert 1.2 < factor < 1.9
    assert np.allclose(branching(seen, market__BTC__depth_range=0.02), factor * branching(seen), rtol=1e-12)


def test_the_lake_and_the_embedded_scenario_give_the_same_market(seen: Scenario) -> None:
    one, two = world(seen), world(Scenario.load("oct-10-binance"))
    for name in one.markets.dtype.names or ():
        assert np.allclose(one.markets[name], two.markets[name], rtol=1e-6), name
    assert prepare_world(one).deposits[0] > 0
