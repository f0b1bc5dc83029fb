"""Acceptance 3: takeover, deleveraging, socialised loss are reached; the ledger is the integer zero."""

from __future__ import annotations

import numpy as np
import pytest

from deleverage.engine.setup import switched
from deleverage.engine.simulate import Run, prepare_world, simulate
from deleverage.engine.state import FUND
from deleverage.experiment.answer import Answer
from deleverage.experiment.draws import draw_priors
from deleverage.experiment.flows import gains
from deleverage.experiment.scenario import Scenario
from deleverage.experiment.world import news_of, world_of
from tests.experiment.small import answer_of

ACCOUNTS = 1200
SEEDS = 4

POOR = {
    "end": "2025-10-10T21:04:00Z",
    "news.shock": 0.05,
    "population.fuel": 0.6,
    # Small funds that take over a hundred times what they have: price falls on and they go under.
    "insurance.btc-eth-bnb.usd": 2e6,
    "insurance.btc-eth-bnb.inventory_multiple": 100,
    "insurance.others.usd": 2e5,
    "insurance.others.inventory_multiple": 100,
    "makers.capital_usd": 2e6,
}


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return Scenario.load("oct-10-binance").with_settings(POOR)


@pytest.fixture(scope="module")
def answer(scenario: Scenario) -> Answer:
    return answer_of(scenario, seeds=SEEDS, accounts=ACCOUNTS)


@pytest.fixture(scope="module")
def runs(scenario: Scenario) -> list[Run]:
    """The factual run of every draw, with its accounts at the end."""
    found = []
    for draw in draw_priors(scenario, 0, SEEDS, scenario.run.points):
        fixed = scenario.at(draw.values)
        world = world_of(fixed, 0, draw.number, ACCOUNTS)
        params = switched(world.params, check=1)
        found.append(simulate(prepare_world(world), news_of(fixed, world, 0, draw.number), params))
    return found


def test_every_stage_of_the_waterfall_is_reached(answer: Answer, runs: list[Run]) -> None:
    for stage in ("book_usd", "takeover_usd", "adl_usd"):
        assert answer.summary["filled_by"][stage]["p50"] > 0, stage
    assert answer.summary["socialised_usd"]["p50"] > 0
    assert answer.summary["adl"]["runs_reached"] >= SEEDS / 2
    assert answer.summary["makers_liquidated"]["p95"] > 0
    reached = [(r.tally.takeover.sum(), r.tally.adl.sum(), r.tally.socialised_uusd) for r in runs]
    assert any(all(stages) for stages in reached)  # and all of them in one and the same run


def test_the_ledger_of_the_ensemble_is_the_integer_zero(answer: Answer) -> None:
    ledger = answer.summary["ledger"]
    assert (ledger["residual"], ledger["open_interest_imbalance"]) == (0, 0)
    assert type(ledger["residual"]) is type(ledger["open_interest_imbalance"]) is int


def test_the_ledger_is_the_integer_zero_at_every_step(runs: list[Run]) -> None:
    for run in runs:
        assert run.tally.checks == 900 + 1
        assert (run.tally.residual_uusd, run.tally.interest_imbalance) == (0, 0)
        assert run.tally.sweeps > 0  # and the search found whom a sweep over everybody finds


def test_each_contract_is_closed_once_to_the_lot(runs: list[Run]) -> None:
    for run in runs:
        t, k = run.tally, len(run.world.names)
        forced = t.forced[:, :k]
        assert (forced.sum(axis=0) == t.book[:k] + t.takeover[:k] + t.adl[:k]).all()
        change = t.interest_after[:k] - t.interest_before[:k]
        for side in range(2):
            closed = forced[side] + t.deleveraged[side, :k] + t.voluntary[side, :k]
            assert (change == t.opened[side, :k] - closed).all()
        assert (
            t.deleveraged[:, :k].sum(axis=0) == t.adl[:k]
        ).all()  # each forced lot has one winner on its side
        assert forced.sum() > 0
        assert (t.interest_after[:k] == np.maximum(run.setting.size, 0).sum(axis=0)).all()
        assert (run.setting.size.sum(axis=0) == 0).all()


def test_money_only_moves(runs: list[Run]) -> None:
    for run in runs:
        assert sum(gains(run).values()) == 0
        assert (run.tally.residual_uusd, run.tally.interest_imbalance) == (0, 0)
        assert not run.tally.moved_uusd.any()


def test_a_shared_loss_leaves_no_fund_below_zero(runs: list[Run]) -> None:
    assert any(run.tally.socialised_uusd > 0 for run in runs)
    for run in runs:
        funds = int((run.world.role == FUND).sum())
        assert funds == 2
        # What rounding leaves stays with the fund: less than a millionth of a dollar an account.
        assert (run.tally.fund_after[:funds] > -len(run.world.uid)).all()


def test_without_sharing_the_same_funds_end_below_zero(scenario: Scenario, runs: list[Run]) -> None:
    number = int(np.argmax([run.tally.socialised_uusd for run in runs]))
    draw = draw_priors(scenario, 0, SEEDS, scenario.run.points)[number]
    fixed = scenario.at(draw.values)
    world = world_of(fixed, 0, draw.number, ACCOUNTS)
    path = news_of(fixed, world, 0, draw.number)
    off = simulate(prepare_world(world), path, switched(world.params, socialise=0))
    assert off.tally.socialised_uusd == 0
    assert off.tally.fund_after[:2].min() < -1_000_000
    assert (off.tally.residual_uusd, off.tally.interest_imbalance) == (0, 0)
