"""How often does our 90 % interval hold the true mechanical share of a market made by somebody else's rules?

An *outside* generator, written without the engine, makes markets whose mechanical share is known by
construction: it runs the same news and the same noise with and without forced selling, and its hidden figures
are searched until the share of the drop that goes away is 0, 25, 50 or 75 %. An estimator sees what anybody
could have seen before the event (price, open interest, displayed depth, volume, minute candles) and answers
with an interval.

The generator differs from the engine on purpose: a price in plain numbers, one linear book with a hidden
multiple whose impact decays by a power of time, positions by a mix of round leverages, entries from a random
walk, a trigger at a mean of five prices, sales spread over seconds, no limits, no fund, no ADL, no makers, no
stops, no spot.

    python -m verify.known_truth --out DIR/known_truth.json

Nothing of the outcome reaches the estimator; what comes out is reported as it is, above 90 % or below.
Coverage over a fixed set of truths need not be 90 % even for an honest interval: one that knows only priors
is nearly the same for every truth, and a prior with 5 to 60 % of open interest near its liquidation has no
room for a share of 0.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from deleverage.engine.news import NewsSpec, fair_path
from deleverage.engine.setup import (
    BookSpec,
    FundSpec,
    MarketSpec,
    PartiesSpec,
    RulesSpec,
    build_world,
    switched,
)
from deleverage.engine.simulate import Prepared, prepare_world, simulate
from deleverage.engine.state import NEVER_CLOSE, Params
from deleverage.positions.population import PopulationPrior
from deleverage.units import Floats
from deleverage.venues.rules import MarginTier, TierTable

MINUTE_S = 60
STEPS = 900
TRUE_SHARES = (0.0, 0.25, 0.5, 0.75)
LEVEL = 0.90
Interval = tuple[float, float, float]


# --- what anybody could have seen --------------------------------------------------------------------------


@dataclass(frozen=True)
class Observed:
    """One market before the event; nothing here is of the event or after it.

    Coins unless said otherwise; ``minute_closes`` are prices [USD/coin] of the hour before.
    """

    start_price: float
    open_interest_coins: float
    depth_bid_coins: float  # displayed within 1 % of mid
    depth_ask_coins: float
    spot_bid_coins: float
    spot_ask_coins: float
    volume_24h_coins: float
    minute_closes: tuple[float, ...]

    @property
    def volatility_annual(self) -> float:
        """Of the minute candles [share per √year]."""
        returns = np.diff(np.log(np.array(self.minute_closes)))
        return float(returns.std(ddof=1) * math.sqrt(365.25 * 24 * 60))


Estimator = Callable[[Observed, Sequence[int]], Interval]
"""From what was seen and some seeds to (low, middle, high) of the mechanical share."""


# --- the outside generator: no import of the engine below this line until the estimator -------------------


@dataclass(frozen=True)
class Hidden:
    """What the generator knows and the estimator does not.

    Parameters
    ----------
    shock : log fall of the news. jumps : its pieces, as shares that sum to 1. times_s : when each lands.
    hidden_multiple : book ÷ displayed book.
    decay_s, decay_power : impact after t seconds is (1 + t/decay_s)^−power.
    levered : share of open interest that is levered at all; what the search turns.
    spread_s : seconds over which a forced position is sold.
    """

    shock: float
    jumps: tuple[float, ...]
    times_s: tuple[int, ...]
    hidden_multiple: float
    decay_s: float
    decay_power: float
    levered: float
    spread_s: int
    noise: float


@dataclass(frozen=True)
class Draw:
    """One market of the generator with its true share."""

    seed: int
    target: float
    truth: float
    drop_on: float
    drop_off: float
    observed: Observed
    hidden: Hidden


def _positions(rng: np.random.Generator, count: int, price: float) -> tuple[Floats, Floats]:
    """Trigger prices and weights (sum 1) of levered longs: round leverages, log-normal sizes."""
    leverage = rng.choice(
        [3.0, 5.0, 10.0, 20.0, 25.0, 50.0], size=count, p=rng.dirichlet([4.0, 5.0, 6.0, 4.0, 2.0, 1.0])
    )
    entry = price * np.exp(0.03 * rng.standard_normal(count) * np.sqrt(rng.random(count)))
    trigger = entry * (1.0 - 1.0 / leverage + 0.005 + 0.02 * rng.random(count) / leverage)
    weight = np.exp(1.5 * rng.standard_normal(count))
    alive = trigger < price * 0.999
    return trigger[alive], weight[alive] / weight[alive].sum()


def _play(hidden: Hidden, observed: Observed, seed: int, forced: bool) -> float:
    """Fall of the last price from the start to its trough [share], with or without ``forced`` sales."""
    rng = np.random.default_rng([seed, 11])
    trigger, weight = _positions(np.random.default_rng([seed, 12]), 1_500, observed.start_price)
    order = np.argsort(-trigger)
    trigger, weight = trigger[order], weight[order]
    coins = weight * hidden.levered * observed.open_interest_coins
    below = np.concatenate([[0.0], np.cumsum(coins)])
    density = hidden.hidden_multiple * observed.depth_bid_coins / 0.01
    log_news = np.cumsum(hidden.noise * rng.standard_normal(STEPS))
    for share, time in zip(hidden.jumps, hidden.times_s, strict=True):
        log_news[time:] -= share * hidden.shock
    # Impact fades by a power of time, so the whole history of sales is kept: no state of one number would do.
    age = np.arange(STEPS)
    kernel = (1.0 + age / hidden.decay_s) ** -hidden.decay_power
    sold = np.zeros(STEPS + hidden.spread_s)
    log_price = np.zeros(STEPS)
    reached = 0
    for t in range(STEPS):
        impact = float((sold[: t + 1][::-1] * kernel[: t + 1]).sum()) / density
        log_price[t] = log_news[t] - impact
        if forced:
            mark = observed.start_price * math.exp(float(log_price[max(0, t - 4) : t + 1].mean()))
            now = int(np.searchsorted(-trigger, -mark, side="right"))
            if now > reached:
                sold[t + 1 : t + 1 + hidden.spread_s] += (below[now] - below[reached]) / hidden.spread_s
                reached = now
    return float(-math.expm1(float(log_price.min())))


def _share(hidden: Hidden, observed: Observed, seed: int) -> tuple[float, float, float]:
    """(true share, drop with, drop without forced selling)."""
    with_it = _play(hidden, observed, seed, True)
    without = _play(hidden, observed, seed, False)
    return 1.0 - without / with_it, with_it, without


def _draw_hidden(rng: np.random.Generator, volatility: float) -> Hidden:
    pieces = int(rng.integers(1, 5))
    return Hidden(
        shock=float(np.exp(rng.uniform(math.log(0.012), math.log(0.06)))),
        jumps=tuple(float(x) for x in rng.dirichlet(np.full(pieces, 2.0))),
        times_s=tuple(int(x) for x in np.sort(rng.integers(20, 300, pieces))),
        hidden_multiple=float(np.exp(rng.normal(math.log(1.4), 0.45))),
        decay_s=float(np.exp(rng.uniform(math.log(10.0), math.log(200.0)))),
        decay_power=float(rng.uniform(0.3, 0.8)),
        levered=0.0,
        spread_s=int(rng.integers(1, 20)),
        noise=volatility / math.sqrt(365.25 * 86_400),
    )


def _draw_observed(rng: np.random.Generator) -> tuple[Observed, float]:
    """A market like a large perpetual: open interest of some tens of books, a calm hour before."""
    price = float(np.exp(rng.uniform(math.log(50.0), math.log(50_000.0))))
    interest = float(np.exp(rng.uniform(math.log(5e8), math.log(1e10)))) / price
    depth = interest / float(np.exp(rng.uniform(math.log(25.0), math.log(120.0))))
    volatility = float(rng.uniform(0.35, 1.2))
    walk = np.cumsum(rng.standard_normal(60)) * volatility / math.sqrt(365.25 * 24 * 60)
    closes = price * np.exp(walk - walk[-1])
    seen = Observed(
        start_price=price,
        open_interest_coins=interest,
        depth_bid_coins=depth,
        depth_ask_coins=depth * float(rng.uniform(0.8, 1.25)),
        spot_bid_coins=depth * float(rng.uniform(0.15, 0.5)),
        spot_ask_coins=depth * float(rng.uniform(0.15, 0.5)),
        volume_24h_coins=interest * float(rng.uniform(1.0, 4.0)),
        minute_closes=tuple(float(x) for x in closes),
    )
    return seen, volatility


def generate(seed: int, target: float) -> Draw:
    """A market whose true share is within one point of ``target``: the levered share is searched for it.

    The share jumps where a cascade begins to run: a market that skips the target is drawn again.
    """
    rng = np.random.default_rng([seed, 10])
    for attempt in range(200):
        path_seed = 1_000 * seed + attempt
        observed, volatility = _draw_observed(rng)
        hidden = _draw_hidden(rng, volatility)
        low, high = 0.0, 1.0
        for _ in range(0 if target == 0.0 else 18):
            middle = 0.5 * (low + high)
            share, _, _ = _share(replace(hidden, levered=middle), observed, path_seed)
            low, high = (middle, high) if share < target else (low, middle)
            if abs(share - target) < 0.003:
                break
        hidden = replace(hidden, levered=0.0 if target == 0.0 else 0.5 * (low + high))
        share, with_it, without = _share(hidden, observed, path_seed)
        if abs(share - target) <= 0.01 and with_it < 0.6:
            return Draw(seed, target, share, with_it, without, observed, hidden)
    raise RuntimeError(f"no market with a share of {target} found for seed {seed}")


# --- our estimator: the engine with stated priors ----------------------------------------------------------

_TIERS = TierTable(
    "GENERIC",
    (
        MarginTier(1_000_000, Fraction(1, 200), 100),
        MarginTier(10_000_000, Fraction(1, 100), 50),
        MarginTier(100_000_000, Fraction(1, 40), 20),
        MarginTier(10_000_000_000, Fraction(1, 10), 5),
    ),
    "generic: no venue's",
)
ACCOUNTS = 2_500
POINTS = 16


@dataclass(frozen=True)
class PriorPoint:
    """One draw of what was not observed."""

    shock: float
    fuel: float
    fuel_shape: float
    hidden_depth: float
    half_life_s: float


def _prior_points(count: int, rng: np.random.Generator) -> list[PriorPoint]:
    """A Latin hypercube over the priors: each margin is covered evenly. None is tuned to the generator."""
    u = (np.argsort(rng.random((5, count)), axis=1) + rng.random((5, count))) / count

    def log_between(row: int, low: float, high: float) -> Floats:
        values: Floats = np.exp(math.log(low) + u[row] * math.log(high / low))
        return values

    shock, fuel = log_between(0, 0.012, 0.06), log_between(1, 0.05, 0.60)
    shape, hidden = 0.8 + 0.8 * u[2], log_between(3, 1.0, 2.5)
    half_life = log_between(4, 60.0, 600.0)
    return [PriorPoint(*map(float, row)) for row in zip(shock, fuel, shape, hidden, half_life, strict=True)]


def _world(observed: Observed, point: PriorPoint, seed: int) -> Prepared:
    price = observed.start_price
    # Powers of ten: a millionth of the price or so, and ten to a hundred million lots of open interest.
    tick = Fraction(10) ** (math.floor(math.log10(price)) - 5)
    lot = Fraction(10) ** (math.floor(math.log10(observed.open_interest_coins)) - 7)
    spec = MarketSpec(
        name="SEEN", tick_usd=tick, lot_coins=lot, start_price=price, start_index=price,
        open_interest_coins=observed.open_interest_coins,
        depth_bid_coins=observed.depth_bid_coins, depth_ask_coins=observed.depth_ask_coins, depth_range=0.01,
        half_spread_bps=0.1,
        spot_bid_coins=observed.spot_bid_coins, spot_ask_coins=observed.spot_ask_coins, spot_range=0.01,
        volatility_annual=observed.volatility_annual, volume_24h_coins=observed.volume_24h_coins,
        news_beta=1.0, last_funding_rate=1e-4, fund="fund", tiers=_TIERS,
    )  # fmt: skip
    interest_usd = price * observed.open_interest_coins
    # Named accounts in proportion to the market: nobody's capital was observed.
    parties = PartiesSpec(
        makers=3, maker_capital_usd=0.02 * interest_usd, maker_limit_usd=0.03 * interest_usd,
        arbitrage_capital_usd=0.1 * interest_usd, arbitrage_short_share=0.15,
        arbitrage_capacity_usd_per_s=2e-4 * interest_usd,
        profit_capital_usd=0.1 * interest_usd,
        dip_capital_usd=0.02 * interest_usd, dip_rate_usd_per_s=2e-5 * interest_usd, dip_threshold=0.02,
        newcomer_capital_usd=0.5 * interest_usd,
    )  # fmt: skip
    holders = PopulationPrior(
        accounts=ACCOUNTS, fuel=point.fuel, short_fuel=0.3, fuel_shape=point.fuel_shape, isolated_share=0.5,
        multi_market_share=0.0, mixed_side_share=0.0, size_tail=1.2, largest_share=0.02, entry_offset=0.0,
        entry_sd=0.03, stop_share=0.0, stop_distance=0.04,
    )  # fmt: skip
    book = BookSpec(hidden_depth=point.hidden_depth, resilience_half_life_s=point.half_life_s)
    world = build_world(
        [spec], book, parties, [FundSpec("fund", 0.02 * interest_usd)], RulesSpec(), holders, steps=STEPS,
        start_s=0, rng=np.random.default_rng([seed, 21]),
    )  # fmt: skip
    return prepare_world(world)


def _off(params: Params) -> Params:
    """The generator's "without": forced positions are never closed, and nothing reacts to the cascade."""
    return switched(params, liquidations=NEVER_CLOSE, adl=0, news_withdrawal=0, cascade_withdrawal=0, stops=0)


def share_at(observed: Observed, point: PriorPoint, seeds: Sequence[int]) -> float:
    """Mechanical share at one prior point: 1 − mean v(∅) ÷ mean v(N) over the seeds."""
    on = off = 0.0
    for seed in seeds:
        prepared = _world(observed, point, seed)
        world = prepared.world
        path = fair_path(
            NewsSpec(point.shock, 20.0, 300.0, 0.0), world.markets.start_fair_ticks[:1].copy(),
            world.markets.sigma[:1].copy(), world.markets.beta[:1].copy(), STEPS,
            np.random.default_rng([seed, 22]),
        )  # fmt: skip
        # Withdrawal in reaction to the news is not mechanical; the generator has none.
        for params in (switched(world.params, news_withdrawal=0, stops=0), _off(world.params)):
            tally = simulate(prepared, path, params).tally
            fall = 1.0 - float(tally.trough[0]) / float(tally.start_mid[0])
            if params.liquidations == NEVER_CLOSE:
                off += fall
            else:
                on += fall
    return 1.0 - off / on if on > 0.0 else 0.0


def estimate(observed: Observed, seeds: Sequence[int]) -> Interval:
    """Low, middle and high of the mechanical share: 5, 50 and 95 % over prior points, averaged over seeds.

    The band is the prior's, since before the event nothing more is known; only what was observed narrows it.
    """
    points = _prior_points(POINTS, np.random.default_rng([seeds[0], 20]))
    shares = np.array(
        [share_at(observed, point, [s + 100 * i for s in seeds]) for i, point in enumerate(points)]
    )
    low, middle, high = np.quantile(shares, [(1.0 - LEVEL) / 2.0, 0.5, (1.0 + LEVEL) / 2.0])
    return float(low), float(middle), float(high)


# --- the verdict -------------------------------------------------------------------------------------------


def wilson(hits: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share by Wilson's score."""
    share = hits / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2)) / (1 + z * z / trials)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Row:
    """Coverage at one true share, or over all."""

    true_share: float | None
    draws: int
    covered: int
    coverage: float
    coverage_low: float
    coverage_high: float
    mean_width: float
    mean_middle: float
    above: int  # truths above the interval
    below: int


def _row(name: float | None, answers: list[tuple[float, Interval]]) -> Row:
    inside = sum(low <= truth <= high for truth, (low, _, high) in answers)
    lower, upper = wilson(inside, len(answers))
    return Row(
        true_share=name, draws=len(answers), covered=inside, coverage=inside / len(answers),
        coverage_low=lower, coverage_high=upper,
        mean_width=float(np.mean([high - low for _, (low, _, high) in answers])),
        mean_middle=float(np.mean([middle for _, (_, middle, _) in answers])),
        above=sum(truth > high for truth, (_, _, high) in answers),
        below=sum(truth < low for truth, (low, _, _) in answers),
    )  # fmt: skip


def examine(
    draws_per_share: int, *, first_seed: int = 0, estimator: Estimator = estimate
) -> tuple[list[Row], list[dict[str, object]]]:
    """Coverage by true share and over all (the last row), and every draw with its answer."""
    answers: list[tuple[float, Interval]] = []
    rows: list[Row] = []
    details: list[dict[str, object]] = []
    for target in TRUE_SHARES:
        here: list[tuple[float, Interval]] = []
        for number in range(draws_per_share):
            seed = first_seed + 1_000 * TRUE_SHARES.index(target) + number
            draw = generate(seed, target)
            interval = estimator(draw.observed, (seed, seed + 50))
            here.append((draw.truth, interval))
            details.append(
                {
                    "seed": seed, "target": target, "truth": draw.truth, "interval": list(interval),
                    "drop_on": draw.drop_on, "drop_off": draw.drop_off, "hidden": asdict(draw.hidden),
                }
            )  # fmt: skip
        rows.append(_row(target, here))
        answers += here
    return [*rows, _row(None, answers)], details


def sentence(total: Row) -> str:
    """What the figures say, in one sentence."""
    if total.coverage_low <= LEVEL <= total.coverage_high:
        verdict = "which does not contradict 90 %"
    elif total.coverage < LEVEL:
        verdict = "which is less than it says"
    else:
        verdict = "which is more than it says: the interval is wider than it need be"
    band = f"95 % interval {total.coverage_low:.0%} to {total.coverage_high:.0%}"
    return (
        f"The 90 % interval held the true share in {total.covered} of {total.draws} markets of an outside "
        f"generator ({total.coverage:.0%}, {band}), {verdict}; it was too high {total.below} times and too "
        f"low {total.above} times, and {100 * total.mean_width:.0f} points wide on average."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, write the verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--draws", type=int, default=12, help="markets per true share (default 12, so 48 in all)"
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    chosen = parser.parse_args(arguments)
    rows, details = examine(chosen.draws)
    print("true share  draws  covered  95 % interval   width  middle  truth above  below")
    for row in rows:
        name = "all" if row.true_share is None else f"{row.true_share:.0%}"
        print(
            f"{name:>10}  {row.draws:5d}  {row.coverage:7.0%}  "
            f"{row.coverage_low:5.0%} to {row.coverage_high:4.0%}  "
            f"{row.mean_width:6.2f}  {row.mean_middle:6.2f}  {row.above:11d}  {row.below:5d}"
        )
    print(sentence(rows[-1]))
    verdict = {
        "level": LEVEL, "prior_points": POINTS, "accounts": ACCOUNTS, "steps": STEPS,
        "rows": [asdict(row) for row in rows], "sentence": sentence(rows[-1]), "draws": details,
    }  # fmt: skip
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(verdict, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
