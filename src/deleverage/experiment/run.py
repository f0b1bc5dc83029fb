"""run: the main job. A scenario goes in, an answer comes out.

Draws from the priors, every draw with every subset of mechanisms, common random numbers throughout; then
shares with
their errors, bands and curves, and the comparison with what was observed and published. No datum of the
outcome enters.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

import deleverage
from deleverage import schema
from deleverage.errors import InputError
from deleverage.experiment import compare, tables
from deleverage.experiment.answer import MECHANISMS, Answer
from deleverage.experiment.draws import draw_priors
from deleverage.experiment.ensemble import ALL, LIQUIDATIONS, DrawResult, Task, compute
from deleverage.experiment.executor import run_tasks
from deleverage.experiment.shapley import SMALLEST_DROP
from deleverage.jit import kernels_cached
from deleverage.units import PPM, UUSD_PER_USD, Floats

if TYPE_CHECKING:
    from deleverage.experiment.compare import CandleLake
    from deleverage.experiment.scenario import Scenario

Progress = Callable[[int, int, str], None]

PLACEBO_POINTS = 8
"""Prior points whose first draw is run again without leverage."""
CURVE_POINTS = 8
"""Prior points whose first draw is run again at other news shocks."""
BOOTSTRAPS = 2000


def run(
    scenario: Scenario | str,
    *,
    seeds: int | None = None,
    accounts: int | None = None,
    seed: int = 0,
    executor: str = "threads",
    workers: int | None = None,
    lake: CandleLake | None = None,
    candles: pl.DataFrame | None = None,
    check: bool = False,
    progress: Progress | None = None,
) -> Answer:
    """Build the market of a scenario, run it with and without each mechanism, and say what was forced.

    Parameters
    ----------
    scenario : what to run, or the name or TOML path of it; with `Scenario.with_lake` already applied if
        its state is to come from a lake.
    seeds, accounts : sizes of the ensemble and of the population, instead of the scenario's.
    seed : first seed; the same seed gives the same tables, byte for byte, whatever the executor.
    executor, workers : where the draws are computed.
    lake, candles : real bars to set the ensemble against; they influence no simulated figure.
    check : recount the ledger and compare the search with a full sweep at every step.
    progress : called with (draws done, draws, what).

    Raises
    ------
    InputError
        fewer than 2 seeds or 1 account, or an unknown executor.
    RunError, LedgerError
        a run could not finish, or did not conserve money and contracts.
    """
    begun = time.perf_counter()
    if isinstance(scenario, str):
        from deleverage.experiment.scenario import Scenario

        scenario = Scenario.load(scenario)
    scenario_seeds = scenario.run.seeds if seeds is None else seeds
    holders = scenario.run.accounts if accounts is None else accounts
    if scenario_seeds < 2:
        raise InputError(
            f"expected at least 2 seeds, found {scenario_seeds}", hint="an interval needs several draws"
        )
    least = 8 * len(scenario.markets)
    if holders < least:
        raise InputError(
            f"expected at least {least} accounts, found {holders}", hint="every market needs both sides"
        )
    tasks = make_tasks(scenario, seed, scenario_seeds, holders, check)
    results: list[DrawResult | None] = [None] * len(tasks)
    if progress:
        progress(
            0, len(tasks), "preparing" if kernels_cached() else "compiling the kernels, once: some minutes"
        )
    for done, (number, result) in enumerate(run_tasks(compute, tasks, executor, workers), start=1):
        results[number] = result
        if progress:
            progress(done, len(tasks), f"draw {done} of {len(tasks)}")
    finished = [result for result in results if result is not None]
    if candles is None:
        candles = compare.read_candles(scenario, lake) if lake is not None else schema.empty(schema.CANDLES)
    return make_answer(scenario, finished, seed, holders, candles, begun)


def make_tasks(scenario: Scenario, seed: int, seeds: int, accounts: int, check: bool) -> list[Task]:
    """One task a draw; the first of every prior point also answers what "never closed" would mean."""
    drawn = draw_priors(scenario, seed, seeds, scenario.run.points)
    tasks = []
    shocks = curve_shocks(scenario)
    seen: set[int] = set()
    for draw in drawn:
        first = draw.point not in seen
        seen.add(draw.point)
        depths = (
            tuple(sorted({*scenario.run.tipping_depths, 1.0}))
            if draw.number < scenario.run.tipping_seeds
            else ()
        )
        # The tipping ensemble runs over all prior points, not over the first of them.
        if len(drawn) > scenario.run.tipping_seeds:
            stride = len(drawn) // scenario.run.tipping_seeds
            chosen = draw.number % stride == 0 and draw.number // stride < scenario.run.tipping_seeds
            depths = tuple(sorted({*scenario.run.tipping_depths, 1.0})) if chosen else ()
        tasks.append(
            Task(
                scenario=scenario,
                draw=draw,
                seed=seed,
                accounts=accounts,
                check=check,
                never_closed=first,
                placebo=first and len(seen) <= PLACEBO_POINTS,
                depths=depths,
                shocks=shocks if first and len(seen) <= CURVE_POINTS else (),
            )
        )
    return tasks


def curve_shocks(scenario: Scenario) -> tuple[float, ...]:
    """News shocks [share] of the curve: the prior's ends and middle, half and twice as much; maybe none."""
    figure = scenario.figure("news.shock")
    low, high = figure.quantile(0.0), figure.quantile(1.0)
    if high <= 0.0:
        return ()
    middle = 0.5 * (low + high)
    return tuple(
        sorted({round(x, 6) for x in (0.5 * low, low, middle, high, min(0.5, 2.0 * high)) if x > 0.0})
    )


def interval(values: Floats | list[float]) -> dict[str, float]:
    """5, 50 and 95 % points over draws."""
    low, mid, high = np.quantile(np.asarray(values, dtype=np.float64), (0.05, 0.5, 0.95))
    return {"p05": float(low), "p50": float(mid), "p95": float(high)}


def interval_or_none(values: list[float]) -> dict[str, float] | None:
    """`interval` of the draws that have the quantity; None when none has."""
    return interval(values) if values else None


def make_answer(
    scenario: Scenario,
    results: list[DrawResult],
    seed: int,
    accounts: int,
    candles: pl.DataFrame,
    begun: float,
) -> Answer:
    """Summary and tables from finished draws, in the order of their numbers."""
    v = tables.subset_values(results)
    point = np.array([r.draw.point for r in results], dtype=np.int64)
    attributions = {m: tables.Attribution(v[:, k], point) for k, m in enumerate(scenario.markets)}
    draws = tables.draws(scenario, results)
    minutes = tables.minutes(scenario, results)
    summary: dict[str, Any] = {
        "scenario": scenario.name,
        "title": scenario.title,
        "seeds": len(results),
        "seed": seed,
        "accounts": accounts,
        "steps": scenario.steps,
        "markets": list(scenario.markets),
        "traded": {m: {"venue": scenario.venue_of(m), "coin": scenario.coin_of(m)} for m in scenario.markets},
        "start": scenario.start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "end": scenario.end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "runs": sum(r.runs for r in results),
        "price": {m: _price(draws, m) for m in scenario.markets},
        "counterfactual": {
            m: {"drop": interval(v[:, k, ALL ^ LIQUIDATIONS])} for k, m in enumerate(scenario.markets)
        },
        "news": {m: {"drop": interval(v[:, k, 0])} for k, m in enumerate(scenario.markets)},
        "mechanical_share": {
            m: _mechanical(results, attributions[m], k, scenario.absent_mechanisms)
            for k, m in enumerate(scenario.markets)
        },
        **_liquidations(scenario, results, minutes),
        "open_interest": {m: _open_interest(draws, m) for m in scenario.markets},
        "tipping": {m: _tipping(results, k) for k, m in enumerate(scenario.markets)},
        "ledger": {
            "residual": int(sum(abs(int(r.factual.tally["residual_uusd"])) for r in results)),
            "open_interest_imbalance": int(sum(int(r.factual.tally["interest_imbalance"]) for r in results)),
            "checks": sum(r.checks for r in results),
        },
    }
    summary["observed"] = compare.observed(
        scenario, candles, {m: summary["price"][m]["drop"] for m in scenario.markets}
    )
    for market, seen in summary["observed"].items():
        if seen is not None:
            seen["closes_inside"] = compare.closes_inside(scenario, candles, minutes, market)
    rows = compare.published(scenario, summary)
    summary["published"] = rows
    summary["provenance"] = provenance(scenario, seed, len(results), accounts, plain=not candles.height)
    summary["wall_s"] = round(time.perf_counter() - begun, 2)
    return Answer(
        summary=summary,
        tables={
            "minutes": minutes,
            "draws": draws,
            "values": tables.values(scenario, results),
            "shares": tables.shares(scenario, attributions),
            "share_by_shock": tables.share_by_shock(scenario, results),
            "tipping": tables.tipping(scenario, results),
            "map": tables.liquidation_map(scenario, results),
            "ledger_flow": tables.ledger_flow(results),
            "figures": scenario.figures(),
            "published": compare.published_table(rows),
            "candles": candles,
        },
    )


def _price(draws: pl.DataFrame, market: str) -> dict[str, Any]:
    rows = draws.filter(pl.col("market") == market)
    names = ("start", "trough", "end", "drop", "recovered_share", "trough_after_s")
    return {name: interval(rows[name].to_numpy()) for name in names}


def _open_interest(draws: pl.DataFrame, market: str) -> dict[str, Any]:
    rows = draws.filter(pl.col("market") == market)
    return {
        "before_coins": float(rows["open_interest_before_coins"][0]),
        "after_coins": interval(rows["open_interest_after_coins"].to_numpy()),
    }


def _mechanical(
    results: list[DrawResult], a: tables.Attribution, k: int, absent: tuple[str, ...]
) -> dict[str, Any]:
    total = a.share("mechanical")
    band = a.band("mechanical")
    news = a.share("news")
    return {
        "mean": total.mean,
        "se": total.se,
        "prior_band": list(band) if band else None,
        "first_in": a.first_in("mechanical"),
        "last_in": a.last_in("mechanical"),
        "placebo": _placebo([r for r in results if r.placebo is not None], k),
        "never_closed": _other_meaning([r for r in results if r.never_closed is not None], k),
        "news": {"mean": news.mean, "se": news.se},
        "shapley": {
            name: {
                "present": name not in absent,
                "mean": a.share(name).mean,
                "se": a.share(name).se,
                "first_in": a.first_in(name),
                "last_in": a.last_in(name),
                "prior_band": list(a.band(name) or ()) or None,
            }
            for name in MECHANISMS
        },
    }


def _placebo(results: list[DrawResult], k: int) -> float | None:
    if not results:
        return None
    v = np.array([r.placebo[:, k] for r in results if r.placebo is not None])
    return tables.Attribution(v, np.arange(len(v))).share("mechanical").mean


def _other_meaning(results: list[DrawResult], k: int) -> dict[str, Any]:
    """Mechanical share (as one player) when "off" means never closed, over one draw a prior point."""
    v = np.array([r.never_closed[:, k] for r in results if r.never_closed is not None])
    if not len(v):
        return {"mean": None, "se": None}
    share = tables.one_player(v, np.zeros(len(v), dtype=np.int64))
    return {"mean": share.mean, "se": share.se}


def _liquidations(scenario: Scenario, results: list[DrawResult], minutes: pl.DataFrame) -> dict[str, Any]:
    usd = UUSD_PER_USD
    count = len(scenario.markets)
    tallies = [r.factual.tally for r in results]

    def over(name: str) -> Floats:
        return np.array([t[name][..., :count].sum() / usd for t in tallies])

    long = np.array([t["forced_uusd"][0, :count].sum() / usd for t in tallies])
    short = np.array([t["forced_uusd"][1, :count].sum() / usd for t in tallies])
    peak = (
        minutes.filter(pl.col("variant") == "factual")
        .group_by("seed", "time_ns", maintain_order=True)
        .agg((pl.col("liquidated_long_usd") + pl.col("liquidated_short_usd")).sum().alias("usd"))
        .group_by("seed", maintain_order=True)
        .agg(pl.col("usd").max())["usd"]
    )
    # From the first liquidation of a venue to its first ADL: the shortest of a run's venues.
    waits = [
        [
            float(adl - first)
            for first, adl in zip(t["first_liquidation_step"], t["first_adl_step"], strict=True)
            if adl > 0 and first > 0
        ]
        for t in tallies
    ]
    after = [min(wait) for wait in waits if wait]
    funds = results[0].fund_names
    return {
        "liquidations": {
            "total_usd": interval(long + short),
            "long_usd": interval(long),
            "short_usd": interval(short),
            "accounts": interval([float(r.owners_liquidated) for r in results]),
            "peak_minute_usd": interval(peak.to_numpy()),
        },
        "filled_by": {
            "book_usd": interval(over("book_uusd")),
            "takeover_usd": interval(over("takeover_uusd")),
            "adl_usd": interval(over("adl_uusd")),
        },
        "insurance_fund": {
            name: {
                "before_usd": interval([float(t["fund_before"][f]) / usd for t in tallies])["p50"],
                "after_usd": interval([float(t["fund_after"][f]) / usd for t in tallies]),
                "change_usd": interval(
                    [float(t["fund_after"][f] - t["fund_before"][f]) / usd for t in tallies]
                ),
                "markets": [m for m in scenario.markets if scenario.market[m].fund == name],
            }
            for f, name in enumerate(funds)
        },
        "adl": {
            "usd": interval(over("adl_uusd")),
            "first_after_s": interval_or_none(after),
            "runs_reached": len(after),
        },
        "venues": _venues(scenario, tallies),
        "collateral": _collateral(scenario, results),
        "deficit_usd": interval(over("deficit_uusd")),
        "socialised_usd": interval([float(t["socialised_uusd"]) / usd for t in tallies]),
        "makers_liquidated": interval([float(t["makers_liquidated"]) for t in tallies]),
    }


def _venues(scenario: Scenario, tallies: list[dict[str, Any]]) -> dict[str, Any]:
    """Liquidations and ADL venue by venue. ADL is the other side of counted liquidations, not an addition."""
    names = list(dict.fromkeys(scenario.venue_of(m) for m in scenario.markets))
    found: dict[str, Any] = {}
    for v, name in enumerate(names):
        here = [k for k, m in enumerate(scenario.markets) if scenario.venue_of(m) == name]
        long, short = (
            np.array([t["forced_uusd"][side, here].sum() / UUSD_PER_USD for t in tallies])
            for side in range(2)
        )
        adl = np.array([t["adl_uusd"][here].sum() / UUSD_PER_USD for t in tallies])
        reached = [t for t in tallies if t["first_adl_step"][v] > 0]
        total = long + short
        found[name] = {
            "markets": [scenario.markets[k] for k in here],
            "liquidations": {
                "total_usd": interval(total),
                "long_usd": interval(long),
                "short_usd": interval(short),
            },
            "adl": {
                "usd": interval(adl),
                "share_of_liquidations": interval_or_none(list(adl[total > 0] / total[total > 0])),
                "first_after_s": interval_or_none(
                    [float(t["first_adl_step"][v] - t["first_liquidation_step"][v]) for t in reached]
                ),
                "runs_reached": len(reached),
                "share_by_market": {
                    scenario.markets[k]: interval_or_none(
                        [
                            float(t["adl_uusd"][k]) / float(t["adl_uusd"][here].sum())
                            for t in tallies
                            if t["adl_uusd"][here].sum() > 0
                        ]
                    )
                    for k in here
                },
            },
        }
    return found


def _collateral(scenario: Scenario, results: list[DrawResult]) -> dict[str, Any]:
    """What became of every asset that accounts pledge."""
    found: dict[str, Any] = {}
    for a, (name, asset) in enumerate(sorted(scenario.pledged.items())):

        def over(field: str, unit: float, at: int = a) -> dict[str, float]:
            return interval([float(r.factual.tally[field][at]) * unit for r in results])

        lot = float(results[0].world["asset_lot_coins"][a])
        found[name] = {
            "venue": asset.venue or scenario.venue,
            "lowest": over("asset_lowest_ppm", 1 / PPM),
            "lowest_usd": over("asset_lowest_uusd", 1 / UUSD_PER_USD / lot),
            "sold_coins": over("exchanged_lots", lot),
            "sold_usd": over("exchanged_uusd", 1 / UUSD_PER_USD),
            "seized_coins": over("seized_lots", lot),
        }
    return found


def _tipping(results: list[DrawResult], k: int) -> dict[str, Any]:
    maps = [r.map.summaries[k] for r in results]
    crosses = [m.crosses_one_at for m in maps if m.crosses_one_at is not None]
    tips = [m.tipping_distance for m in maps if m.tipping_distance is not None]
    return {
        "n_start": interval([m.n_start for m in maps]),
        "crosses_one_at": interval_or_none(crosses),
        "crosses_one_in": len(crosses),
        "tipping_distance": interval_or_none(tips),
        "tips_in": len(tips),
        "depth_halved_multiplies_drop": _halving(results, k),
    }


def _halving(results: list[DrawResult], k: int) -> dict[str, float] | None:
    """Median drop at half the depth ÷ at full depth, 90 % interval by a paired bootstrap over draws."""
    pairs = np.array(
        [(r.by_depth[0.5][k], r.by_depth[1.0][k]) for r in results if {0.5, 1.0} <= set(r.by_depth)]
    )
    if len(pairs) < 4:
        return None
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([len(pairs), k])))
    picked = pairs[rng.integers(0, len(pairs), (BOOTSTRAPS, len(pairs)))]
    medians = np.median(picked, axis=1)
    if medians[:, 1].min() < SMALLEST_DROP:
        return None  # a multiple of hardly any drop says nothing, and one of none is not a number
    low, high = np.quantile(medians[:, 0] / medians[:, 1], (0.05, 0.95))
    return {
        "p05": float(low),
        "p50": float(np.median(pairs[:, 0]) / np.median(pairs[:, 1])),
        "p95": float(high),
    }


def _command(scenario: Scenario, seed: int, seeds: int, accounts: int, plain: bool) -> str:
    """The command that makes the same tables: by name where that is all it takes, else from run.json."""
    from deleverage.experiment.scenario import Scenario

    embedded = (
        scenario.name in Scenario.names() and Scenario.load(scenario.name).sha256() == scenario.sha256()
    )
    if embedded and plain:
        return f"deleverage run {scenario.name} --seeds {seeds} --accounts {accounts} --seed {seed}"
    return "deleverage run --replay run.json"


def provenance(
    scenario: Scenario, seed: int, seeds: int, accounts: int, plain: bool = True
) -> dict[str, Any]:
    """What is needed to make the same answer again."""
    packages = {"python": platform.python_version()}
    for name in ("numba", "numpy", "polars"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "unknown"
    return {
        "program": "deleverage",
        "version": deleverage.__version__,
        "scenario_sha256": scenario.sha256(),
        "figures_sha256": scenario.figures_sha256(),
        "seed": seed,
        "seeds": seeds,
        "accounts": accounts,
        "packages": packages,
        "data": scenario.lake_files(),
        "command": _command(scenario, seed, seeds, accounts, plain),
    }
