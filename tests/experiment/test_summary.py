"""Is every printed figure the one that its name says? Made again from tables, tallies and runs by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from deleverage.engine.setup import switched
from deleverage.engine.simulate import prepare_world, simulate
from deleverage.engine.state import NEVER_CLOSE
from deleverage.experiment import ensemble
from deleverage.experiment.answer import MECHANICAL, MECHANISMS
from deleverage.experiment.ensemble import ALL, MECHANICAL_BITS, Task, compute, drops, switches
from deleverage.experiment.run import make_tasks, run
from deleverage.experiment.scenario import Scenario
from deleverage.experiment.world import news_of, with_depth, world_of

SEEDS, ACCOUNTS = 4, 900


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return Scenario.load("double-trouble")


@pytest.fixture(scope="module")
def answer(scenario: Scenario) -> Any:
    return run(scenario, seeds=SEEDS, accounts=ACCOUNTS)


@pytest.fixture(scope="module")
def results(scenario: Scenario) -> list[ensemble.DrawResult]:
    return [compute(task) for task in make_tasks(scenario, 0, SEEDS, ACCOUNTS, False)]


def middle(values: Any) -> float:
    return float(np.median(np.asarray(values, dtype=float)))


def test_sums_of_the_summary_are_those_of_the_draws(answer: Any) -> None:
    draws = (
        answer.tables["draws"].group_by("seed").agg(pl.all().exclude("market", "point").sum()).sort("seed")
    )
    summary = answer.summary
    forced = draws["liquidated_long_usd"] + draws["liquidated_short_usd"]
    assert middle(forced) > 0
    assert summary["liquidations"]["total_usd"]["p50"] == pytest.approx(middle(forced))
    assert summary["liquidations"]["long_usd"]["p50"] == pytest.approx(middle(draws["liquidated_long_usd"]))
    for name in ("book_usd", "takeover_usd", "adl_usd"):
        assert summary["filled_by"][name]["p50"] == pytest.approx(middle(draws[name]))
    assert summary["deficit_usd"]["p95"] == pytest.approx(float(np.quantile(draws["deficit_usd"], 0.95)))


def test_the_peak_minute_is_one_minute(answer: Any) -> None:
    factual = answer.tables["minutes"].filter(pl.col("variant") == "factual")
    both = pl.col("liquidated_long_usd") + pl.col("liquidated_short_usd")
    by_minute = factual.group_by("seed", "time_ns").agg(both.sum().alias("usd"))
    peaks = by_minute.group_by("seed").agg(pl.col("usd").max())["usd"]
    assert answer.summary["liquidations"]["peak_minute_usd"]["p50"] == pytest.approx(middle(peaks))
    assert middle(peaks) < answer.summary["liquidations"]["total_usd"]["p50"]


def test_the_fund_moves_by_what_its_equity_did(answer: Any, results: list[ensemble.DrawResult]) -> None:
    fund = answer.summary["insurance_fund"]["house"]
    change = [(r.factual.tally["fund_after"][0] - r.factual.tally["fund_before"][0]) / 1e6 for r in results]
    assert fund["change_usd"]["p50"] == pytest.approx(middle(change))
    assert fund["after_usd"]["p50"] != fund["before_usd"]


def test_adl_comes_after_the_first_liquidation_not_after_the_start(
    answer: Any, results: list[ensemble.DrawResult]
) -> None:
    reached = [r.factual.tally for r in results if int(r.factual.tally["first_adl_step"][0]) >= 0]
    assert reached
    waits = [int(t["first_adl_step"][0]) - int(t["first_liquidation_step"][0]) for t in reached]
    assert all(int(t["first_liquidation_step"][0]) > 0 for t in reached)
    assert answer.summary["adl"]["first_after_s"]["p50"] == pytest.approx(middle(waits))
    assert answer.summary["adl"]["runs_reached"] == len(reached)


def test_first_and_last_in_of_the_mechanical_switch_all_of_them_together(answer: Any) -> None:
    bits = sum(1 << MECHANISMS.index(name) for name in MECHANICAL)
    for market in answer.summary["markets"]:
        v = answer.tables["values"].filter(pl.col("market") == market)

        def mean(subset: int, v: pl.DataFrame = v) -> float:
            return float(v.filter(pl.col("subset") == subset)["drop"].to_numpy().mean())

        share = answer.summary["mechanical_share"][market]
        assert share["first_in"] == pytest.approx((mean(bits) - mean(0)) / mean(ALL))
        assert share["last_in"] == pytest.approx((mean(ALL) - mean(ALL ^ bits)) / mean(ALL))
        assert answer.summary["counterfactual"][market]["drop"]["p50"] == pytest.approx(
            float(v.filter(pl.col("subset") == ALL ^ 1)["drop"].median() or 0.0)
        )


def test_never_closed_is_run_with_positions_that_stay(scenario: Scenario) -> None:
    task = next(t for t in make_tasks(scenario, 0, SEEDS, ACCOUNTS, False) if t.never_closed)
    result = compute(task)
    drawn = scenario.at(task.draw.values)
    world = world_of(drawn, 0, task.draw.number, ACCOUNTS)
    path = news_of(drawn, world, 0, task.draw.number)
    off = switches(ALL ^ MECHANICAL_BITS, NEVER_CLOSE)
    by_hand = simulate(prepare_world(world), path, switched(world.params, **off))
    assert result.never_closed is not None
    assert result.never_closed[1].tolist() == drops(by_hand).tolist()
    assert result.never_closed[0].tolist() == result.values[ALL].tolist()


def test_a_multiple_of_the_depth_is_that_multiple(scenario: Scenario) -> None:
    task = next(t for t in make_tasks(scenario, 0, SEEDS, ACCOUNTS, False) if t.depths)
    drawn = scenario.at(task.draw.values)
    prepared = prepare_world(world_of(drawn, 0, task.draw.number, ACCOUNTS))
    half = with_depth(prepared, 0.5)
    assert (half.world.markets.bid_density == 0.5 * prepared.world.markets.bid_density).all()
    path = news_of(drawn, prepared.world, 0, task.draw.number)
    result = compute(task)
    assert result.by_depth[0.5].tolist() == drops(simulate(half, path, half.world.params)).tolist()
    assert result.by_depth[1.0].tolist() == result.values[ALL].tolist()
    assert result.by_depth[0.5].tolist() != result.by_depth[2.0].tolist()


def test_the_curve_gives_every_draw_the_shock_that_it_names(results: list[ensemble.DrawResult]) -> None:
    some = [r.by_shock for r in results if r.by_shock]
    assert some
    for by_shock in some:
        falls = [by_shock[shock][3].mean() for shock in sorted(by_shock)]
        assert falls[-1] > falls[0] + 0.01


def _built(scenario: Scenario) -> list[bytes]:
    """Everything that a run depends on: parameters of markets and rules, accounts, and the news' path."""
    world = world_of(scenario, 0, 0, 200)
    arrays = [world.wallet, world.size, world.cost, world.stop_ticks, world.spot_lots, world.weight_ppm]
    arrays += [world.owner, world.mode]
    path = news_of(scenario, world, 0, 0)
    records = [np.array(record).tobytes() for record in (world.markets, world.params, world.venues)]
    return [*records, path.tobytes(), *(array.tobytes() for array in arrays)]


def test_every_figure_of_a_scenario_reaches_the_engine(scenario: Scenario) -> None:
    # So few accounts must hold more than a small cap allows: give the cap room to bind for some of them.
    plain = scenario.fixed().at({"population.largest_share": 0.1})
    before = _built(plain)
    idle = []
    for path, figure in plain.figure_items():
        step = 0.5 if figure.unit in ("share", "ratio") else 0.7
        number = figure.number * step if figure.number else 0.01
        if path.endswith((".count", "tick_usd", "lot_coins")):
            number = figure.number + 1 if path.endswith(".count") else figure.number / 10
        elif path.endswith("latency_s") or path.endswith("max_leverage"):
            number = figure.number + 1
        if _built(plain.at({path: number})) == before:
            idle.append(path)
    assert idle == []


def test_every_switch_of_the_venue_reaches_the_engine(scenario: Scenario) -> None:
    plain = scenario.fixed()
    before = _built(plain)
    for setting in (
        {"venue_rules.mark_window_s": 10},
        {"venue_rules.trigger": "last"},
        {"venue_rules.order_limit": "none"},
        {"venue_rules.impact": "double"},
        {"venue_rules.socialise": False},
        {"venue_rules.funding_interval_h": 4},
    ):
        assert _built(plain.with_settings(setting)) != before, setting


def test_a_task_without_extras_computes_no_extras(scenario: Scenario) -> None:
    plain = make_tasks(scenario, 0, SEEDS, ACCOUNTS, False)[0]
    bare = Task(scenario, plain.draw, 0, ACCOUNTS, False, False, False, ())
    result = compute(bare)
    assert (result.never_closed, result.placebo, result.by_depth, result.by_shock) == (None, None, {}, {})
