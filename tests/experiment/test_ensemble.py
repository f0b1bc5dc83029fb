"""One draw: skipped subsets equal those that run, random numbers are common, no leverage forces nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from deleverage.engine.setup import switched
from deleverage.engine.simulate import Prepared, Run, prepare_world, simulate
from deleverage.engine.state import HOLDER, NEVER_CLOSE, SELL_EVENLY, Params
from deleverage.experiment import ensemble
from deleverage.experiment.answer import MECHANISMS
from deleverage.experiment.draws import Draw, draw_priors
from deleverage.experiment.ensemble import ALL, DrawResult, Subsets, Task, compute, fired
from deleverage.experiment.scenario import Scenario
from deleverage.experiment.shapley import shapley_values
from deleverage.experiment.world import news_of, with_depth, world_of
from deleverage.units import UUSD_PER_USD, Floats, Int64s
from tests.experiment.small import ACCOUNTS, answer_of, pair, with_everything

LIQUIDATIONS, ADL, NEWS, CASCADE, STOPS, COLLATERAL, OUTAGE = (1 << i for i in range(len(MECHANISMS)))


def task(scenario: Scenario, draw: Draw, **changes: object) -> Task:
    plain = Task(
        scenario=scenario,
        draw=draw,
        seed=0,
        accounts=ACCOUNTS,
        check=False,
        never_closed=False,
        placebo=False,
        depths=(),
        shocks=(),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def prepared_draw(scenario: Scenario, number: int = 0) -> tuple[Prepared, Int64s]:
    """A draw of the ensemble at its first second, with its news."""
    draw = draw_priors(scenario, 0, 8, 8)[number]
    fixed = scenario.at(draw.values)
    world = world_of(fixed, 0, draw.number, ACCOUNTS)
    return prepare_world(world), news_of(fixed, world, 0, draw.number)


def subsets_of(scenario: Scenario, number: int, off: int) -> Subsets:
    prepared, path = prepared_draw(scenario, number)
    return Subsets(prepared, path, prepared.world.params, off, None)


# --- exact dummies -----------------------------------------------------------------------------------

POOR_FUND = {"insurance__house__usd": 1e5}
CASES: dict[str, tuple[Scenario, int]] = {
    "deleveraging fires": (pair(**POOR_FUND), ADL),
    "deleveraging never fires": (pair(insurance__house__usd=1e9, insurance__house__inventory_multiple=10), 0),
    "nobody has a stop": (pair(population__stop_share=0.0), 0),
    "nobody is near liquidation": (pair(population__fuel=0.0, population__short_fuel=0.0), 0),
    "makers never leave": (pair(withdrawal__volatility_elasticity=0, withdrawal__inventory_elasticity=0), 0),
    "no news": (pair(news__shock=0.0), 0),
    "collateral reprices and the venue goes out": (with_everything(**POOR_FUND), COLLATERAL | OUTAGE),
    "collateral by redemption, no outage": (
        with_everything(collateral__USDE__price="redemption", venues__binance__halt_for_s=0),
        0,
    ),
}


def assert_skipping_changes_nothing(
    scenario: Scenario, number: int, off: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    skipping = subsets_of(scenario, number, off)
    with_skip = skipping.values()
    with monkeypatch.context() as patch:
        patch.setattr(Subsets, "_equal_to", lambda self, subset: None)
        running = subsets_of(scenario, number, off)
        without_skip = running.values()
    assert len(running.own) == ALL + 1
    assert np.array_equal(with_skip, without_skip), f"draw {number}: {skipping.own}"
    for subset in range(ALL + 1):
        same = skipping.run(subset).bars == running.run(subset).bars
        assert same.all(), f"draw {number}, subset {subset}: the same drop by another path"


OFF = pytest.mark.parametrize("off", [SELL_EVENLY, NEVER_CLOSE], ids=["sold evenly", "never closed"])


@OFF
@pytest.mark.parametrize("case", CASES)
def test_skipped_subsets_equal_those_that_run_bit_by_bit(
    case: str, off: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario, must_fire = CASES[case]
    for number in range(1):
        assert fired(subsets_of(scenario, number, off).run(ALL)) & must_fire == must_fire
        assert_skipping_changes_nothing(scenario, number, off, monkeypatch)


def fund_under_water() -> tuple[Prepared, Int64s]:
    """A fund that starts a million dollars below zero: its loss is shared though nobody was ever ranked."""
    scenario = pair(population__fuel=0.0, population__short_fuel=0.0)
    prepared, path = prepared_draw(scenario)
    wallet = prepared.world.wallet.copy()
    wallet[prepared.world.parties.funds[0]] = -1_000_000 * UUSD_PER_USD
    return prepare_world(replace(prepared.world, wallet=wallet)), path


@OFF
def test_a_shared_loss_counts_as_deleveraging_and_is_no_dummy(
    off: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, path = fund_under_water()
    skipping = Subsets(prepared, path, prepared.world.params, off, None)
    whole = skipping.run(ALL)
    assert whole.tally.socialised_uusd > 0
    assert whole.tally.first_adl_step[0] < 0
    assert fired(whole) & ADL
    skipping.values()  # all subsets, before skipping is taken away from both
    monkeypatch.setattr(Subsets, "_equal_to", lambda self, subset: None)
    running = Subsets(prepared, path, prepared.world.params, off, None)
    for subset in (ALL, ALL ^ ADL, ADL, 0):
        assert (skipping.run(subset).bars == running.run(subset).bars).all(), subset


def test_the_cases_cover_runs_with_and_without_every_mechanism() -> None:
    masks = [
        fired(subsets_of(scenario, n, SELL_EVENLY).run(ALL))
        for scenario, _ in CASES.values()
        for n in range(3)
    ]
    for bit in (LIQUIDATIONS, ADL, NEWS, CASCADE, STOPS, COLLATERAL, OUTAGE):
        assert any(mask & bit for mask in masks)
    for bit in (LIQUIDATIONS, ADL, CASCADE, STOPS, COLLATERAL, OUTAGE):
        assert not all(mask & bit for mask in masks)


def test_a_mechanism_that_never_fired_gets_exactly_nothing() -> None:
    scenario, _ = CASES["deleveraging never fires"]
    subsets = subsets_of(scenario, 0, SELL_EVENLY)
    phi = shapley_values(subsets.values().T)
    assert not fired(subsets.run(ALL)) & ADL
    assert (phi[:, MECHANISMS.index("adl")] == 0.0).all()
    assert (phi[:, MECHANISMS.index("liquidations")] != 0.0).all()
    # At most those of the four others that can matter: three of the seven never do here.
    assert len(subsets.own) <= 16


def test_a_value_depends_on_no_other_subset_having_run_before() -> None:
    prepared, path = prepared_draw(pair(**POOR_FUND))
    first = Subsets(prepared, path, prepared.world.params, SELL_EVENLY, None)
    first.values()
    again = simulate(prepared, path, switched(prepared.world.params, recount_every=600))
    assert (again.bars == first.run(ALL).bars).all()


# --- common random numbers ---------------------------------------------------------------------------


@pytest.fixture
def simulated_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Prepared, Int64s]]]:
    """What every simulation of a draw was given."""
    given: list[tuple[Prepared, Int64s]] = []

    def recording(prepared: Prepared, path: Int64s, params: Params) -> Run:
        given.append((prepared, path.copy()))
        return simulate(prepared, path, params)

    monkeypatch.setattr(ensemble, "simulate", recording)
    yield given


def test_every_run_of_a_draw_sees_the_same_news(simulated_runs: list[tuple[Prepared, Int64s]]) -> None:
    scenario = pair()
    draw = draw_priors(scenario, 0, 4, 4)[1]
    compute(task(scenario, draw, never_closed=True, placebo=True, depths=(0.5, 1.0, 2.0)))
    assert len(simulated_runs) > 20
    assert all(np.array_equal(path, simulated_runs[0][1]) for _, path in simulated_runs)


def test_every_subset_of_a_draw_has_the_same_accounts(simulated_runs: list[tuple[Prepared, Int64s]]) -> None:
    scenario = pair()
    compute(task(scenario, draw_priors(scenario, 0, 4, 4)[1]))
    first = simulated_runs[0][0].world
    fresh = world_of(scenario.at(draw_priors(scenario, 0, 4, 4)[1].values), 0, 1, ACCOUNTS)
    for prepared, _ in simulated_runs:
        assert prepared.world is first
    for name in ("wallet", "size", "cost", "stop_ticks", "role", "uid"):
        assert np.array_equal(getattr(first, name), getattr(fresh, name)), name


NOT_OF_THE_POPULATION = [
    {"news__shock": 0.03},
    {"book__hidden_depth": 1.2},
    {"market__ALPHA__depth_bid_coins": 900.0},
    {"withdrawal__floor": 0.5},
    {"makers__capital_usd": 5e6},
    {"insurance__house__usd": 5e5},
    {"market__BETA__volatility_annual": 0.7},
]


@pytest.mark.parametrize("change", NOT_OF_THE_POPULATION, ids=lambda c: next(iter(c)))
def test_another_figure_leaves_the_accounts_and_the_other_priors_as_they_were(
    change: dict[str, float],
) -> None:
    changed = pair(**change)
    path = next(iter(change)).replace("__", ".")
    for draw, other in zip(draw_priors(pair(), 0, 4, 4), draw_priors(changed, 0, 4, 4), strict=True):
        assert {key: value for key, value in draw.values.items() if key != path} == other.values
        one = world_of(pair().at(draw.values), 0, draw.number, ACCOUNTS)
        two = world_of(changed.at(other.values), 0, other.number, ACCOUNTS)
        holders = one.role == HOLDER
        for name in ("wallet", "size", "cost", "stop_ticks", "owner"):
            assert np.array_equal(getattr(one, name)[holders], getattr(two, name)[holders]), name


def test_the_population_does_change_with_its_own_figures_and_from_draw_to_draw() -> None:
    def wallets(number: int = 0, **change: float) -> Int64s:
        return world_of(pair(**change).fixed(), 0, number, ACCOUNTS).wallet[:ACCOUNTS]

    assert not np.array_equal(wallets(), wallets(number=1))
    assert not np.array_equal(wallets(), wallets(population__fuel=0.5))
    assert not np.array_equal(wallets(), wallets(population__size_tail=1.5))


@pytest.mark.parametrize(
    "change", [{"population__fuel": 0.5}, {"insurance__house__usd": 1e5}, {"book__hidden_depth": 1.2}]
)
def test_the_news_does_not_depend_on_who_trades(change: dict[str, float]) -> None:
    def news(scenario: Scenario, accounts: int = ACCOUNTS) -> Int64s:
        fixed = scenario.fixed()
        return news_of(fixed, world_of(fixed, 0, 3, accounts), 0, 3)

    assert np.array_equal(news(pair()), news(pair(**change)))
    assert np.array_equal(news(pair()), news(pair(), 2 * ACCOUNTS))
    assert not np.array_equal(news(pair()), news(pair(news__shock=0.05)))


def test_depth_changes_the_book_and_nothing_else() -> None:
    prepared, _ = prepared_draw(pair())
    half = with_depth(prepared, 0.5)
    k = len(prepared.world.names)
    for name in prepared.world.markets.dtype.names or ():
        one, two = prepared.world.markets[name], half.world.markets[name]
        halved = name in ("bid_density", "ask_density", "displayed_bid", "displayed_ask", "latent_slope")
        assert np.array_equal(two, one * 0.5 if halved else one), name
        assert not halved or (one[:k] > 0).all()
    assert half.world.wallet is prepared.world.wallet


def test_the_curve_at_the_shock_of_the_draw_is_the_draw() -> None:
    scenario = pair()
    draw = draw_priors(scenario, 0, 4, 4)[1]
    shock = draw.values["news.shock"]
    result = compute(task(scenario, draw, shocks=(shock, 2 * shock)))
    mechanical = LIQUIDATIONS | ADL | CASCADE
    expected = result.values[[ALL, ALL ^ mechanical, mechanical, 0]]
    assert np.array_equal(result.by_shock[shock], expected)
    assert (result.by_shock[2 * shock][3] > 1.5 * expected[3]).all()  # news alone falls with the shock


# --- the priors --------------------------------------------------------------------------------------


def test_every_prior_has_one_point_in_every_stratum() -> None:
    scenario = Scenario.load("oct-10-binance")
    points = {draw.point: draw.values for draw in draw_priors(scenario, 5, 64, 16)}
    assert len(points) == 16
    assert len(scenario.priors()) > 10
    for path, figure in scenario.priors():
        edges = [figure.quantile(i / 16) for i in range(17)]
        drawn = sorted(values[path] for values in points.values())
        assert all(low <= value <= high for low, value, high in zip(edges, drawn, edges[1:], strict=False)), (
            path
        )


def test_seeds_of_a_point_share_its_values_and_every_point_has_as_many() -> None:
    drawn = draw_priors(pair(), 0, 12, 4)
    assert [draw.point for draw in drawn] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert all(draw.values == drawn[3 * draw.point].values for draw in drawn)
    assert len({draw.values["news.shock"] for draw in drawn}) == 4


def test_priors_are_not_drawn_alike() -> None:
    drawn = draw_priors(Scenario.load("oct-10-binance"), 0, 64, 64)
    shock = np.argsort([draw.values["news.shock"] for draw in drawn])
    fuel = np.argsort([draw.values["population.fuel"] for draw in drawn])
    assert abs(np.corrcoef(np.argsort(shock), np.argsort(fuel))[0, 1]) < 0.5


# --- no leverage, and a quiet evening ------------------------------------------------------------------


def test_without_leverage_liquidations_and_deleveraging_are_exactly_nothing() -> None:
    answer = answer_of(pair(population__max_leverage=1, news__shock=0.08))
    for market in ("ALPHA", "BETA"):
        share = answer.summary["mechanical_share"][market]
        assert share["mean"] == 0.0
        assert share["se"] == 0.0
        for name in ("liquidations", "adl", "cascade_withdrawal"):
            assert share["shapley"][name]["mean"] == 0.0
            assert share["shapley"][name]["first_in"] == share["shapley"][name]["last_in"] == 0.0
        assert share["news"]["mean"] > 0.5
    assert answer.summary["liquidations"]["total_usd"]["p95"] == 0.0
    assert answer.summary["adl"]["runs_reached"] == 0
    # The same evening with leverage is not without them: the zero above is not for want of a shock.
    levered = answer_of(pair(news__shock=0.08)).summary["mechanical_share"]["ALPHA"]["shapley"]
    assert levered["liquidations"]["mean"] > 0.05


def test_the_placebo_is_the_run_without_leverage() -> None:
    scenario = pair()
    draw = draw_priors(scenario, 0, 4, 4)[2]

    def values(result: DrawResult) -> tuple[Floats, Floats | None]:
        return result.values, result.placebo

    plain, placebo = values(compute(task(scenario, draw, placebo=True)))
    unlevered, _ = values(compute(task(pair(population__max_leverage=1), draw)))
    assert placebo is not None
    assert np.array_equal(placebo, unlevered)
    assert not np.array_equal(plain, unlevered)
    assert (placebo[LIQUIDATIONS] == placebo[0]).all()


def test_nobody_in_the_placebo_owes_more_than_he_has(simulated_runs: list[tuple[Prepared, Int64s]]) -> None:
    scenario = pair()
    compute(task(scenario, draw_priors(scenario, 0, 4, 4)[2], placebo=True))

    def above(prepared: Prepared, leverage: float) -> int:
        """Holders whose notional is more than ``leverage`` times their equity."""
        world, k = prepared.world, len(prepared.world.names)
        worth = prepared.setting.live.mark[:k] * world.markets.tick_lot_uusd[:k]
        equity = world.wallet + (world.size * worth - world.cost).sum(axis=1)
        notional = (np.abs(world.size) * worth).sum(axis=1)
        return int((notional > leverage * equity)[world.role == HOLDER].sum())

    assert above(simulated_runs[0][0], 5.0) > ACCOUNTS / 20
    assert above(simulated_runs[-1][0], 1.0) == 0


def test_a_quiet_evening_forces_next_to_nothing() -> None:
    scenario = Scenario.load("quiet").with_settings({"end": "2025-10-10T21:09:00Z"})
    answer = answer_of(scenario, seeds=6, accounts=2000)
    assert answer.summary["adl"]["usd"]["p95"] == 0.0
    assert answer.summary["deficit_usd"]["p95"] == 0.0
    for market in scenario.markets:
        share = answer.summary["mechanical_share"][market]
        drop = answer.summary["price"][market]["drop"]["p50"]
        # In price, not as a share: a share of a small drop is noise.
        assert abs(share["mean"]) * drop < 0.005, market
        before = answer.summary["open_interest"][market]["before_coins"]
        assert answer.summary["open_interest"][market]["after_coins"]["p50"] > 0.9 * before
