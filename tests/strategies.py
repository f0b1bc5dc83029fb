"""Small nasty markets for hypothesis: thin books, high leverage, poor funds and makers, and news that moves.

What shapes a market (how many markets and holders, how long, which switches, how the news goes) is drawn by
hypothesis, so that a failure shrinks to a small one; the many figures inside come from a stream that one
drawn number seeds. Every world is made by `build_world`, as the program makes its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter

from deleverage.engine.news import NewsSpec, fair_path
from deleverage.engine.setup import (
    AssetSpec,
    BookSpec,
    FundSpec,
    MarketSpec,
    MarketWorld,
    PartiesSpec,
    RulesSpec,
    VenueSpec,
    build_world,
    permuted,
    switched,
)
from deleverage.engine.state import Params
from deleverage.errors import InputError
from deleverage.positions.population import PopulationPrior
from deleverage.units import UUSD_PER_USD, Int64s
from deleverage.venues.rules import (
    AdlPrice,
    AdlRank,
    AdlTrigger,
    MarginTier,
    Mark,
    MarkRule,
    OrderLimit,
    Slice,
    Takeover,
    TierTable,
    Trigger,
    Waterfall,
)

SWITCHES = (
    "adl", "news_withdrawal", "cascade_withdrawal", "stops", "socialise", "trigger_last", "no_limit",
    "double_impact",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One drawn market: the world, the tier tables it was made of, and the news path, int64 [steps, K]."""

    world: MarketWorld
    tables: list[TierTable]
    fair: Int64s
    seed: int

    @property
    def params(self) -> Params:
        """Parameters and switches of the world."""
        return self.world.params

    def with_params(self, **switches: float) -> Case:
        """The same market with other parameters."""
        return replace(self, world=replace(self.world, params=switched(self.params, **switches)))

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        printer.text(repr(self))  # hypothesis would print every array

    def __repr__(self) -> str:
        shape = self.world.size.shape
        on = {name: int(self.params[name]) for name in ("liquidations", *SWITCHES)}
        return f"Case(seed={self.seed}, accounts×markets={shape}, steps={int(self.params.steps)}, {on})"


def tier_table(name: str, notional_usd: float, rng: np.random.Generator) -> TierTable:
    """Two to five tiers with caps around a notional, so that positions change tier as the price moves."""
    count = int(rng.integers(2, 6))
    base = max(1, int(notional_usd * rng.uniform(0.2, 1.0)))
    caps = [base * 2**i + i for i in range(count)]
    rates = np.sort(rng.choice(np.arange(2, 40), size=count, replace=False)) * 5
    odd = rng.random() < 0.2
    tiers = tuple(
        # 1/30 and its like: a rate that no power of ten divides.
        MarginTier(cap, Fraction(int(rate), 990 if odd else 1000), 10)
        for cap, rate in zip(caps, rates, strict=True)
    )
    return TierTable(name, tiers, "drawn")


def market_spec(
    k: int, holders: int, worth_usd: float, funds: list[FundSpec], rng: np.random.Generator
) -> MarketSpec:
    """A market of a few to many lots per holder, with an open interest of about ``worth_usd``."""
    tick = Fraction(1, int(rng.choice([1, 10, 100])))
    price = float(tick) * float(rng.choice([60, 900, 12_000, 150_000])) * rng.uniform(0.8, 1.2)
    lots = holders * int(rng.choice([5, 40, 700, 30_000])) + int(rng.integers(0, 7))
    digits = round(math.log10(worth_usd / lots / price))
    # A tick times a lot is at least one uusd.
    lot = max(Fraction(10) ** digits, Fraction(1, UUSD_PER_USD) / tick)
    coins = lots * float(lot)
    share = float(rng.choice([0.004, 0.01, 0.05, 0.3]))  # of open interest that stands within 1 %
    notional = 2.0 * coins * price / holders
    return MarketSpec(
        name=f"M{k}",
        tick_usd=tick,
        lot_coins=lot,
        start_price=price * (1.0 + rng.choice([0.0, 0.003, -0.004])),
        start_index=price,
        open_interest_coins=coins,
        depth_bid_coins=coins * share * rng.uniform(0.6, 1.4),
        depth_ask_coins=coins * share * rng.uniform(0.6, 1.4),
        depth_range=0.01,
        half_spread_bps=float(rng.choice([0.0, 0.5, 20.0])),
        spot_bid_coins=coins * share * rng.uniform(0.2, 1.0),
        spot_ask_coins=coins * share * rng.uniform(0.2, 1.0),
        spot_range=0.01,
        volatility_annual=float(rng.choice([0.3, 0.8, 3.0])),
        volume_24h_coins=coins * float(rng.choice([0.001, 0.1])),
        news_beta=float(rng.choice([0.1, 1.0, 1.6])),
        last_funding_rate=float(rng.choice([0.0, 1e-4, -2e-3, 5e-2])),
        fund=funds[int(rng.integers(0, len(funds)))].name,
        tiers=tier_table(f"M{k}", notional, rng),
    )


def inverted(spec: MarketSpec, holders: int, rng: np.random.Generator) -> MarketSpec:
    """The same market as inverse contracts of about a lot's value; caps of its tiers are coins."""
    digits = round(math.log10(float(spec.lot_coins) * spec.start_price))
    return replace(
        spec,
        contract_usd=Fraction(10) ** min(max(digits, -3), 5),
        tiers=tier_table(spec.name, 2.0 * spec.open_interest_coins / holders, rng),
    )


POLICIES: dict[str, type[IntEnum]] = {
    "trigger": Trigger, "order_limit": OrderLimit, "slice": Slice, "takeover": Takeover,
    "adl_trigger": AdlTrigger, "adl_rank": AdlRank, "adl_price": AdlPrice, "mark": MarkRule,
}  # fmt: skip
"""The policies that are drawn, each with its members."""


def at_venues(
    specs: list[MarketSpec], venues: int, rng: np.random.Generator, inverse: Sequence[bool], holders: int
) -> tuple[list[MarketSpec], list[FundSpec]]:
    """The same coins at every venue, each with its own depth, basis and fund; some venues without spot.

    An inverse venue has as many contracts, all on one coin, in which it settles.
    """
    placed, funds = [], []
    for v in range(venues):
        funds.append(FundSpec(f"fund {v}", 0.0))
        spot = v == 0 or inverse[0] or rng.random() < 0.6
        settled = specs[int(rng.integers(0, len(specs)))] if inverse[v] else None
        for number, own in enumerate(specs):
            spec = inverted(settled, holders, rng) if settled else own
            share = rng.uniform(0.2, 1.5)
            placed.append(
                replace(
                    spec, name=f"{spec.name}.{number} at {v}", coin=spec.name, venue=f"V{v}",
                    fund=f"fund {v}",
                    start_price=spec.start_price * (1.0 + rng.choice([0.0, 0.002])),
                    open_interest_coins=spec.open_interest_coins * share,
                    depth_bid_coins=spec.depth_bid_coins * share,
                    depth_ask_coins=spec.depth_ask_coins * share,
                    spot_bid_coins=spec.spot_bid_coins * spot, spot_ask_coins=spec.spot_ask_coins * spot,
                )
            )  # fmt: skip
    return placed, funds


def venue_spec(
    v: int,
    policies: dict[str, int] | None,
    parties: PartiesSpec,
    prior: PopulationPrior,
    rules: RulesSpec,
    typical_usd: float,
    steps: int,
    rng: np.random.Generator,
) -> VenueSpec:
    """A venue with given or drawn policies, and figures in which each of them matters."""
    drawn = {name: int(rng.integers(0, len(kind))) for name, kind in POLICIES.items()}
    chosen = drawn if policies is None else drawn | policies
    members = {name: kind(chosen[name]) for name, kind in POLICIES.items() if name != "mark"}
    halts = rng.random() < 0.3
    begins = int(rng.integers(1, steps))
    return VenueSpec(
        f"V{v}",
        parties,
        prior,
        Waterfall(
            **members,  # type: ignore[arg-type]
            slice_share=Fraction(int(rng.choice([1, 2, 5])), 10),
            slice_above_usd=int(typical_usd * rng.choice([0.0, 0.5])),
            slice_minimum_usd=int(typical_usd * rng.choice([0.001, 0.1])),
            slice_maximum_usd=int(typical_usd * rng.choice([0.0, 1.0])),
            cooldown_s=int(rng.choice([0, 3, 30])),
            backstop_share=Fraction(2, 3),
            vault_loss_share=Fraction(int(rng.choice([0, 1, 5, 10])), 10),
            fund_drop_share=Fraction(int(rng.choice([0, 3])), 10),
            fund_drop_usd=int(typical_usd * rng.choice([0.0, 0.1])),
            price_bound=Fraction(int(rng.choice([0, 1, 5])), 100),
            rest_to_fund=bool(rng.random() < 0.5),
            spread_to_maintenance=Fraction(3, 2),
        ),
        Mark(MarkRule(chosen["mark"]), rules.mark_window_s),
        funding_interval_h=int(rng.choice([1, 4, 8])),
        funding_cap=float(rng.choice([0.0, 0.01])),
        exchange_limit_usd=typical_usd * float(rng.choice([0.0, 0.05])),
        liquidation_fee=rules.liquidation_fee,
        index_median=bool(rng.random() < 0.5),
        index_weights={"V0": 3.0, "V1": 2.0, "V2": 1.0} if v > 0 or rng.random() < 0.3 else {},
        peer_weights={"V0": 3.0, "V1": 2.0, "V2": 1.0},
        halt_from_s=begins if halts else 0,
        halt_until_s=begins + int(rng.integers(1, 20)) if halts else 0,
    )


def asset_specs(
    specs: list[MarketSpec], venues: int, worth_usd: float, rng: np.random.Generator
) -> list[AssetSpec]:
    """None to three collateral assets: dollars and coins, in deep and thin books, by every price rule."""
    drawn = []
    for a in range(int(rng.choice([0, 1, 2, 3]))):
        venue = f"V{int(rng.integers(0, venues))}"
        own = [spec for spec in specs if venues == 1 or spec.venue == venue]
        if any(spec.contract_usd != 0 for spec in own):
            continue  # its margin is its coin
        follows = own[int(rng.integers(0, len(own)))] if rng.random() < 0.5 else None
        price = follows.start_index * rng.uniform(0.9, 1.2) if follows else 1.0
        coins = worth_usd / price
        drawn.append(
            AssetSpec(
                name=f"A{a}",
                venue=venue,
                lot_coins=Fraction(0.01 / price).limit_denominator(10**9),
                start_price=price,
                follows=follows.name if follows else "",
                haircut=float(rng.choice([0.0, 0.05, 1 / 3])),
                charge=float(rng.choice([0.0, 0.025])),
                own_weight=float(rng.choice([0.0, 0.5, 1.0, 1.0])),
                depth_coins=coins * float(rng.choice([0.0002, 0.01, 1.0])),
                depth_range=0.01,
                half_life_s=float(rng.choice([10.0, 600.0])),
                flight_usd_per_s=worth_usd * float(rng.choice([0.0, 1e-5, 1e-3])),
                account_share=0.3,
                margin_share=float(rng.choice([0.3, 0.9, 1.0])),
            )
        )
    return drawn


def news(world: MarketWorld, size: float, turns: bool, rng: np.random.Generator) -> Int64s:
    """A shock of a size (> 0 down) with noise, a jump in half of the cases, and back if it ``turns``."""
    steps, k = int(world.params.steps), world.size.shape[1]
    start = world.markets.start_fair_ticks[:k].copy()
    sigma = world.markets.sigma[:k] * float(rng.choice([0.5, 5.0]))
    begins = float(rng.integers(0, max(1, steps // 3)))
    ends = begins + float(rng.integers(1, steps + 1))
    path = fair_path(
        NewsSpec(size, begins, ends, 0.5), start, sigma, world.markets.beta[:k].copy(), steps, rng
    )
    factor = np.ones((steps, 1))
    if turns:
        at = int(rng.integers(steps // 4, steps))
        factor[at:] /= 1.0 - min(size, 0.6) * rng.uniform(0.5, 1.5)
    if rng.random() < 0.5:
        factor[int(rng.integers(0, steps)) :] *= 1.0 + rng.uniform(-0.2, 0.2)
    return np.maximum(np.rint(path * factor), 1.0).astype(np.int64)


def build_case(
    *,
    seed: int,
    markets: int,
    holders: int,
    steps: int,
    size: float,
    turns: bool,
    switches: dict[str, int],
    venues: int = 1,
    policies: dict[str, int] | None = None,
    inverse: Sequence[bool] = (False, False, False),
    max_leverage: float = 0.0,
    **named: float,
) -> Case:
    """The market of a few choices and a seed; ``named`` overrides figures of `PartiesSpec`.

    ``policies`` of the first venue (the only one follows Binance without), the others' are drawn.
    ``inverse`` says which venues settle in a coin.
    """
    rng = np.random.default_rng(seed)
    fund_count = int(rng.integers(1, 3))
    funds = [FundSpec(f"fund {f}", 0.0) for f in range(fund_count)]
    size_usd = float(rng.choice([1e5, 1e7, 1e9]))
    specs = [market_spec(k, holders, size_usd * rng.uniform(0.3, 2.0), funds, rng) for k in range(markets)]
    if venues > 1 or any(inverse):
        specs, funds = at_venues(specs, venues, rng, inverse, holders)
    worth = sum(spec.open_interest_coins * spec.start_price for spec in specs)
    funds = [
        FundSpec(
            fund.name,
            usd=worth * float(rng.choice([0.0, 0.001, 0.02, 0.5])),
            inventory_multiple=float(rng.choice([0.4, 1.0, 3.0])),
            unwind_half_life_s=float(rng.choice([10.0, 1800.0, float("inf")])),
        )
        for fund in funds
    ]
    book = BookSpec(
        hidden_depth=1.0,
        latent_y=float(rng.choice([1.0, float("inf")])),
        latent_reveal_s=float(rng.choice([5.0, 100.0])),
        latent_reference=float(rng.choice([0.01, 0.1])),
        resilience_half_life_s=float(rng.choice([5.0, 200.0, float("inf")])),
        spot_resilience_half_life_s=float(rng.choice([20.0, 600.0])),
        volatility_elasticity=float(rng.choice([0.05, 0.5])),
        inventory_elasticity=float(rng.choice([0.0, 1.0, 4.0])),
        down_s=3.0,
        up_s=30.0,
        volatility_half_life_s=8.0,
        floor=float(rng.choice([0.02, 0.3])),
    )
    rich = float(rng.choice([0.0005, 0.02, 5.0]))
    parties = PartiesSpec(
        makers=int(rng.integers(0, 4)),
        maker_depth_share=float(rng.choice([0.0, 0.6, 0.9])),
        maker_capital_usd=worth * rich,
        maker_fill_share=float(rng.choice([0.2, 0.7])),
        maker_limit_usd=worth * float(rng.choice([0.0, 0.05, 1.0])),
        arbitrageurs=int(rng.integers(0, 3)),
        arbitrage_capital_usd=worth * float(rng.choice([0.004, 1.0])),
        arbitrage_fill_share=0.1,
        arbitrage_short_share=float(rng.choice([0.0, 0.1, 0.3])),
        arbitrage_latency_s=int(rng.integers(1, 5)),
        arbitrage_capacity_usd_per_s=worth * float(rng.choice([0.0005, 0.02])),
        arbitrage_threshold_bps=5.0,
        hedge_latency_s=int(rng.integers(1, 5)),
        profit_takers=int(rng.integers(0, 3)),
        profit_short_share=float(rng.choice([0.0, 0.15])),
        profit_fill_share=0.1,
        profit_capital_usd=worth * float(rng.choice([0.01, 1.0])),
        dip_buyers=int(rng.integers(0, 3)),
        dip_capital_usd=worth * float(rng.choice([0.005, 0.3])),
        dip_threshold=0.01,
        dip_rate_usd_per_s=worth * 0.0005,
        dip_leverage=int(rng.integers(1, 9)),
        newcomer_capital_usd=worth * float(rng.choice([0.01, 10.0, 10.0, 10.0])),
    )
    parties = replace(parties, **named)  # type: ignore[arg-type]
    interval_h = int(rng.choice([1, 4, 8]))
    paying = rng.random() < 0.4
    rules = RulesSpec(
        mark_window_s=int(rng.choice([1, 7, 30])),
        funding_interval_h=interval_h,
        liquidation_fee=float(rng.choice([0.0, 0.0125])),
        exit_hours=float(rng.choice([0.002, 0.02])),
    )
    fuel = float(rng.choice([0.2, 0.6, 0.95]))
    prior = PopulationPrior(
        accounts=holders,
        fuel=fuel,
        short_fuel=float(rng.choice([0.0, fuel])),
        fuel_shape=float(rng.choice([0.8, 2.0])),
        isolated_share=0.4,
        multi_market_share=0.5,
        mixed_side_share=0.5,
        size_tail=float(rng.choice([1.1, 3.0])),
        largest_share=0.4,
        entry_offset=float(rng.choice([0.0, -0.03, 0.02])),
        entry_sd=float(rng.choice([0.0, 0.05])),
        stop_share=float(rng.choice([0.0, 0.6])),
        stop_distance=0.03,
        max_leverage=max_leverage,
    )
    start_s = interval_h * 3600 - int(rng.integers(1, steps + 1)) if paying else 60
    several = None
    if venues > 1 or policies is not None:
        fewer = replace(prior, accounts=max(6, holders // venues))
        several = [
            venue_spec(v, policies if v == 0 else None, parties, fewer, rules, worth / holders, steps, rng)
            for v in range(venues)
        ]
    own = np.random.default_rng(seed + 2)  # what came later draws from a stream of its own
    assets = asset_specs(specs, venues, worth, own) if several else []
    world = build_world(
        specs,
        book,
        parties,
        funds,
        rules,
        prior,
        steps=steps,
        start_s=start_s,
        rng=np.random.default_rng(seed + 1),
        venues=several,
        collateral=assets,
        collateral_rng=own,
        draw=seed % 1_000,
    )
    world = replace(world, params=switched(world.params, max_rounds=200, **switches))
    if rng.random() < 0.5:
        world = permuted(world, rng.permutation(world.uid.shape[0]))
    return Case(world, [spec.tiers for spec in specs], news(world, size, turns, rng), seed)


@st.composite
def cases(draw: st.DrawFn, longest: int = 150) -> Case:
    """Markets with all mechanisms, most of them on."""
    switches = {name: draw(st.sampled_from((1, 1, 1, 0))) for name in SWITCHES[:5]}
    switches |= {name: draw(st.sampled_from((0, 0, 0, 0, 0, 1))) for name in SWITCHES[5:]}
    switches["liquidations"] = draw(st.sampled_from((0, 0, 0, 0, 1, 2)))
    try:
        return build_case(
            seed=draw(st.integers(0, 2**32 - 2)),
            markets=draw(st.integers(1, 3)),
            holders=draw(st.integers(6, 40)),
            steps=draw(st.integers(20, 50) | st.integers(50, longest)),
            size=draw(st.sampled_from((0.0, 0.05, 0.15, 0.3, -0.1, -0.3))),
            turns=draw(st.booleans()),
            switches=switches,
        )
    except InputError as error:  # no draw should be refused: that would hide markets from the tests
        raise AssertionError(f"a drawn market was refused: {error}") from error


INVERSE = [(False, False, False)] * 2 + [(True, False, False), (False, True, True), (True, True, False)]
"""Which of up to three venues settle in a coin: none in two of five draws."""


@st.composite
def venue_cases(draw: st.DrawFn, longest: int = 80) -> Case:
    """One to three venues, the first with policies that hypothesis chooses, the others' drawn."""
    policies = {name: draw(st.integers(0, len(kind) - 1)) for name, kind in POLICIES.items()}
    switches = {name: draw(st.sampled_from((1, 1, 1, 1, 0))) for name in ("adl", "socialise", "stops")}
    switches["liquidations"] = draw(st.sampled_from((0, 0, 0, 0, 0, 1, 2)))
    switches["outage"] = draw(st.sampled_from((1, 1, 1, 0)))
    switches["collateral"] = draw(st.sampled_from((1, 1, 1, 0)))
    return build_case(
        seed=draw(st.integers(0, 2**32 - 2)),
        markets=draw(st.integers(1, 2)),
        holders=draw(st.integers(12, 45)),
        steps=draw(st.integers(20, longest)),
        size=draw(st.sampled_from((0.05, 0.15, 0.3, -0.1, -0.3))),
        turns=draw(st.booleans()),
        switches=switches,
        venues=draw(st.integers(1, 3)),
        policies=policies,
        inverse=draw(st.sampled_from(INVERSE)),
    )
