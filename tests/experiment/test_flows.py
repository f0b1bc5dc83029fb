"""Who paid whom: gains of all parties add up to nothing, and every loss reaches somebody."""

from __future__ import annotations

import pytest

from deleverage.engine.setup import switched
from deleverage.engine.simulate import Run, prepare_world, simulate
from deleverage.experiment.flows import gains, party_names, who_paid_whom
from deleverage.experiment.world import news_of, world_of
from deleverage.units import UUSD_PER_USD
from tests.experiment.small import ACCOUNTS, pair


@pytest.fixture(scope="module")
def fall() -> Run:
    scenario = pair(news__shock=0.05, insurance__house__usd=1e5).fixed()
    world = world_of(scenario, 0, 0, ACCOUNTS)
    return simulate(prepare_world(world), news_of(scenario, world, 0, 0), switched(world.params))


def test_gains_of_all_parties_add_up_to_exactly_zero(fall: Run) -> None:
    totals = gains(fall)
    assert sum(totals.values()) == 0
    assert totals["liquidated longs"] < 0
    assert totals["spot market"] != 0
    assert all(type(value) is int for value in totals.values())


def test_every_account_has_a_party_and_holders_are_told_by_their_fate(fall: Run) -> None:
    names = party_names(fall)
    assert len(names) == len(fall.world.uid)
    counted = {name: names.count(name) for name in set(names)}
    assert counted["liquidated longs"] == int(fall.setting.closed[:ACCOUNTS].sum()) - counted.get(
        "liquidated shorts", 0
    )
    assert counted["market makers"] == 2
    assert counted["insurance fund"] == counted["exit vehicle (longs)"] == 1
    assert counted["stopped out"] > 0


def test_in_a_rise_it_is_the_shorts_who_are_liquidated_and_pay() -> None:
    scenario = pair(news__shock=-0.08, population__short_fuel=0.6).fixed()
    world = world_of(scenario, 0, 0, ACCOUNTS)
    rise = simulate(prepare_world(world), news_of(scenario, world, 0, 0), switched(world.params))
    assert "liquidated shorts" in party_names(rise)
    assert gains(rise)["liquidated shorts"] < 0
    assert sum(gains(rise).values()) == 0


def test_what_a_party_pays_is_what_it_lost_and_what_one_receives_is_what_it_won(fall: Run) -> None:
    totals = gains(fall)
    flows = who_paid_whom(fall)
    assert all(flow.usd >= 1.0 for flow in flows)
    for name, value in totals.items():
        usd = value / UUSD_PER_USD
        paid = sum(flow.usd for flow in flows if flow.payer == name)
        received = sum(flow.usd for flow in flows if flow.receiver == name)
        # Flows below a dollar are left out: a few dollars are missing at most.
        assert received - paid == pytest.approx(usd, abs=len(totals))


def test_no_party_pays_itself_and_none_both_pays_and_receives(fall: Run) -> None:
    flows = who_paid_whom(fall)
    assert {flow.payer for flow in flows}.isdisjoint({flow.receiver for flow in flows})
