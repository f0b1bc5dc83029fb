"""From a scenario without priors to a market that the engine can run."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

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
    build_contracts,
    build_world,
    money_of,
)
from deleverage.engine.simulate import Prepared
from deleverage.engine.state import copied
from deleverage.errors import InputError, RulesError
from deleverage.positions.population import PopulationPrior
from deleverage.units import Int64s
from deleverage.venues.catalogue import rules_at
from deleverage.venues.rules import CollateralPrice, Contract, Grade, VenueRules, one_of

if TYPE_CHECKING:
    from deleverage.experiment.scenario import Scenario

POPULATION_STREAM, NEWS_STREAM, COLLATERAL_STREAM = 1, 2, 3
"""Every subject has a stream of its own: a change of one leaves the other's draws as they were."""


def venue_rules(scenario: Scenario, venue: str | None = None) -> VenueRules:
    """Rule set of a venue (the scenario's own, unless named) on the scenario's date.

    Raises
    ------
    RulesError
        the venue is not known or only the calculator knows it, or no rule set is so old.
    """
    rules = _rules_on(venue or scenario.venue, scenario.rules_date)
    if rules.grade is not Grade.ENGINE:
        raise RulesError(
            f"expected a venue whose whole waterfall is known, found '{rules.venue}', which is for the "
            "calculator only",
            hint="deleverage rules list shows the grade of every venue",
            venue=rules.venue,
        )
    return rules


@lru_cache(maxsize=64)
def _rules_on(venue: str, day: date) -> VenueRules:
    """Rules do not change within a program, and a run asks for them some hundred times a draw."""
    return rules_at(venue, day)


def stream(seed: int, draw: int, subject: int) -> np.random.Generator:
    """Random numbers of one subject in one draw."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, draw, subject])))


def market_specs(scenario: Scenario) -> list[MarketSpec]:
    """Markets of the scenario, venue by venue, with the tiers of each venue."""
    specs = []
    for name in scenario.markets:
        m = scenario.market[name]
        venue = scenario.venue_of(name)
        rules = venue_rules(scenario, venue)
        part = scenario.venues.get(venue)
        depth = part.depth_multiple.number if part else 1.0
        _settles(name, rules, m.contract_usd is not None)
        specs.append(
            MarketSpec(
                name=name,
                tick_usd=Fraction(str(m.tick_usd.number)),
                lot_coins=Fraction(str(m.lot_coins.number)),
                start_price=m.start_price.number,
                start_index=m.start_index.number,
                open_interest_coins=m.open_interest_coins.number,
                depth_bid_coins=m.depth_bid_coins.number * depth,
                depth_ask_coins=m.depth_ask_coins.number * depth,
                depth_range=m.depth_range.number,
                half_spread_bps=m.half_spread_bps.number,
                spot_bid_coins=m.spot_bid_coins.number * depth,
                spot_ask_coins=m.spot_ask_coins.number * depth,
                spot_range=m.spot_range.number,
                volatility_annual=m.volatility_annual.number,
                volume_24h_coins=m.volume_24h_coins.number,
                news_beta=m.news_beta.number,
                last_funding_rate=m.last_funding_rate.number,
                fund=m.fund,
                tiers=rules.tier_table(m.symbol),
                venue=venue,
                coin=scenario.coin_of(name),
                contract_usd=Fraction(str(m.contract_usd.number)) if m.contract_usd else Fraction(0),
            )
        )
    for venue in dict.fromkeys(spec.venue for spec in specs):
        money_of([spec for spec in specs if spec.venue == venue])  # refuses what has no one money
    return specs


def _settles(market: str, rules: VenueRules, has_contract: bool) -> None:
    """Refuse an inverse market at a linear venue and the reverse.

    Raises
    ------
    InputError
        contract_usd is given where the venue's contracts are linear, or not where they are inverse.
    """
    is_inverse = rules.contract is Contract.INVERSE
    if has_contract and not is_inverse:
        raise InputError(
            f"{market}: expected no contract_usd, since '{rules.venue}' trades linear contracts, found one",
            hint="remove it, or trade the market at a venue of inverse contracts, like bybit_inverse",
        )
    if is_inverse and not has_contract:
        raise InputError(
            f"{market}: expected contract_usd, since '{rules.venue}' trades inverse contracts, found none",
            hint='add contract_usd = { value = 1.0, unit = "USD", ... }',
        )


def _scaled(parties: PartiesSpec, share: float) -> PartiesSpec:
    """The part of one venue in the capital and limits of all named parties; their number is the same."""
    return replace(
        parties,
        maker_capital_usd=parties.maker_capital_usd * share,
        maker_limit_usd=parties.maker_limit_usd * share,
        arbitrage_capital_usd=parties.arbitrage_capital_usd * share,
        arbitrage_capacity_usd_per_s=parties.arbitrage_capacity_usd_per_s * share,
        profit_capital_usd=parties.profit_capital_usd * share,
        dip_capital_usd=parties.dip_capital_usd * share,
        dip_rate_usd_per_s=parties.dip_rate_usd_per_s * share,
        newcomer_capital_usd=parties.newcomer_capital_usd * share,
    )


def venue_specs(scenario: Scenario, accounts: int, max_leverage: float = 0.0) -> list[VenueSpec] | None:
    """The venues of the scenario in the order of its markets; None for one without a section of its own.

    Accounts, and the capital and limits of the named parties, are divided by open interest in USD.
    """
    names = list(dict.fromkeys(scenario.venue_of(name) for name in scenario.markets))
    if len(names) == 1 and names[0] not in scenario.venues:
        return None
    worth = dict.fromkeys(names, 0.0)
    for name in scenario.markets:
        m = scenario.market[name]
        worth[scenario.venue_of(name)] += m.open_interest_coins.number * m.start_price.number
    total = sum(worth.values())
    whole = parties_spec(scenario)
    specs = []
    for name in names:
        share = worth[name] / total
        rules, part = venue_rules(scenario, name), scenario.venues[name]
        begins = round(part.halt_from_s.number)
        specs.append(
            VenueSpec(
                name=name,
                parties=_scaled(whole, share),
                population=population_prior(scenario, max(50, round(accounts * share)), max_leverage),
                waterfall=rules.waterfall,
                mark=rules.mark,
                funding_interval_h=rules.funding.interval_h,
                interest=float(rules.funding.interest),
                funding_clamp=float(rules.funding.clamp),
                funding_cap=float(rules.funding.cap),
                liquidation_fee=(
                    scenario.fees.liquidation_fee.number
                    if name == scenario.venue
                    else float(rules.fees.liquidation)
                ),
                index_median=part.index_rule == "median",
                index_weights=part.index,
                peer_weights=part.peers,
                halt_from_s=begins,
                halt_until_s=begins + round(part.halt_for_s.number),
                exchange_limit_usd=_exchange_limit(rules),
            )
        )
    return specs


def _exchange_limit(rules: VenueRules) -> float:
    """Balance below zero that a venue covers out of collateral [USD]; any, where its rules name none."""
    return float(rules.exchange.limit_usd) if rules.exchange else 0.0


OWN_BOOK_WEIGHT = {CollateralPrice.OWN_BOOK: 1.0, CollateralPrice.REDEMPTION: 0.0}
"""Weight of a venue's own book in the price that margin sees; in an index it is the scenario's figure."""

PRICE_RULES = {
    "own-book": CollateralPrice.OWN_BOOK,
    "index": CollateralPrice.INDEX,
    "redemption": CollateralPrice.REDEMPTION,
}


def asset_specs(scenario: Scenario) -> list[AssetSpec]:
    """Collateral of the scenario in the order of its names; haircut, price rule and charge are the venue's.

    Raises
    ------
    RulesError
        the venue's collateral schedule of the day does not have the asset.
    """
    specs = []
    for name, c in sorted(scenario.pledged.items()):
        venue = c.venue or scenario.venue
        rules = venue_rules(scenario, venue)
        schedule = {entry.asset: entry for entry in rules.collateral}
        if c.asset not in schedule:
            raise RulesError(
                f"collateral.{name}: expected an asset that {venue} took as margin on {scenario.rules_date}, "
                f"{one_of(schedule, c.asset, 'assets')}, found '{c.asset}'",
                hint=f"deleverage rules show {venue} --at {scenario.rules_date} lists its collateral",
                venue=venue,
            )
        rule = schedule[c.asset].price if c.price == "venue" else PRICE_RULES[c.price]
        specs.append(
            AssetSpec(
                name=name,
                venue=venue,
                lot_coins=Fraction(str(c.lot_coins.number)),
                start_price=c.start_price.number,
                follows=c.follows or "",
                haircut=float(schedule[c.asset].haircut),
                charge=float(rules.exchange.haircut) if rules.exchange else 0.0,
                own_weight=OWN_BOOK_WEIGHT.get(rule, c.index_weight.number),
                depth_coins=c.depth_coins.number,
                depth_range=c.depth_range.number,
                half_life_s=c.half_life_s.number,
                flight_usd_per_s=c.flight_usd_per_s.number,
                account_share=c.account_share.number,
                margin_share=c.margin_share.number,
            )
        )
    return specs


def book_spec(scenario: Scenario) -> BookSpec:
    """How books take and give back quantity."""
    b, w = scenario.book, scenario.withdrawal
    return BookSpec(
        hidden_depth=b.hidden_depth.number,
        latent_y=b.latent_y.number,
        latent_reveal_s=b.latent_reveal_s.number,
        resilience_half_life_s=b.resilience_half_life_s.number,
        spot_breadth=b.spot_breadth.number,
        spot_resilience_half_life_s=b.spot_resilience_half_life_s.number,
        volatility_elasticity=w.volatility_elasticity.number,
        inventory_elasticity=w.inventory_elasticity.number,
        down_s=w.down_s.number,
        up_s=w.up_s.number,
        volatility_half_life_s=w.volatility_half_life_s.number,
        floor=w.floor.number,
    )


def parties_spec(scenario: Scenario) -> PartiesSpec:
    """The named accounts."""
    makers, arbs, takers = scenario.makers, scenario.arbitrage, scenario.profit_takers
    dips = scenario.dip_buyers
    return PartiesSpec(
        makers=makers.count.whole,
        maker_depth_share=makers.depth_share.number,
        maker_capital_usd=makers.capital_usd.number,
        maker_fill_share=makers.fill_share.number,
        maker_limit_usd=makers.inventory_limit_usd.number,
        arbitrageurs=arbs.count.whole,
        arbitrage_capital_usd=arbs.capital_usd.number,
        arbitrage_fill_share=arbs.fill_share.number,
        arbitrage_short_share=arbs.start_short_share.number,
        arbitrage_latency_s=max(1, round(arbs.latency_s.number)),
        arbitrage_capacity_usd_per_s=arbs.capacity_usd_per_s.number,
        arbitrage_threshold_bps=arbs.threshold_bps.number,
        hedge_latency_s=max(1, round(arbs.hedge_latency_s.number)),
        profit_takers=takers.count.whole,
        profit_short_share=takers.start_short_share.number,
        profit_fill_share=takers.fill_share.number,
        profit_capital_usd=takers.capital_usd.number,
        dip_buyers=dips.count.whole,
        dip_capital_usd=dips.capital_usd.number,
        dip_threshold=dips.threshold.number,
        dip_rate_usd_per_s=dips.rate_usd_per_s.number,
        dip_leverage=max(1, round(dips.max_leverage.number)),
        newcomer_capital_usd=scenario.newcomers.capital_usd.number,
    )


def fund_specs(scenario: Scenario) -> list[FundSpec]:
    """Insurance funds in the order of their names."""
    return [
        FundSpec(name, fund.usd.number, fund.inventory_multiple.number, fund.unwind_half_life_s.number)
        for name, fund in sorted(scenario.insurance.items())
    ]


def rules_spec(scenario: Scenario) -> RulesSpec:
    """Rules of the venue beyond the tiers: the scenario's switches, the venue's funding formula."""
    rules = venue_rules(scenario)
    switches = scenario.venue_rules
    return RulesSpec(
        waterfall=rules.waterfall,
        mark_window_s=switches.mark_window_s,
        funding_interval_h=switches.funding_interval_h,
        interest=float(rules.funding.interest),
        funding_clamp=float(rules.funding.clamp),
        liquidation_fee=scenario.fees.liquidation_fee.number,
        exchange_limit_usd=_exchange_limit(rules),
        exit_hours=scenario.exit.hours.number,
        socialise=switches.socialise,
        trigger_last=switches.trigger == "last",
        no_limit=switches.order_limit == "none",
        double_impact=switches.impact == "double",
    )


def population_prior(scenario: Scenario, accounts: int, max_leverage: float = 0.0) -> PopulationPrior:
    """What the holders are drawn from; ``max_leverage`` above 0 overrides the scenario's cap."""
    p = scenario.population
    cap = p.max_leverage.number if p.max_leverage is not None else 0.0
    return PopulationPrior(
        accounts=accounts,
        fuel=p.fuel.number,
        short_fuel=p.short_fuel.number,
        fuel_shape=p.fuel_shape.number,
        isolated_share=p.isolated_share.number,
        multi_market_share=p.multi_market_share.number,
        mixed_side_share=p.mixed_side_share.number,
        size_tail=p.size_tail.number,
        largest_share=p.largest_share.number,
        entry_offset=p.entry_offset.number,
        entry_sd=p.entry_sd.number,
        stop_share=p.stop_share.number,
        stop_distance=p.stop_distance.number,
        max_leverage=max_leverage or cap,
    )


def seconds_since_funding(scenario: Scenario) -> int:
    """Seconds from 00:00 UTC, at which every venue pays, to the start."""
    return int(scenario.start_ns // 1_000_000_000 % 86_400)


def world_of(
    scenario: Scenario, seed: int, draw: int, accounts: int, *, max_leverage: float = 0.0
) -> MarketWorld:
    """The market of one draw; ``scenario`` has no priors left.

    The population comes from a stream of its own: the same draw has the same accounts, whatever else differs.
    """
    return build_world(
        market_specs(scenario),
        book_spec(scenario),
        parties_spec(scenario),
        fund_specs(scenario),
        rules_spec(scenario),
        population_prior(scenario, accounts, max_leverage),
        steps=scenario.steps,
        start_s=seconds_since_funding(scenario),
        rng=stream(seed, draw, POPULATION_STREAM),
        venues=venue_specs(scenario, accounts, max_leverage),
        collateral=asset_specs(scenario),
        collateral_rng=stream(seed, draw, COLLATERAL_STREAM),
        draw=draw,
    )


def check_setup(scenario: Scenario) -> None:
    """Put the markets of a scenario together without accounts, at the middle and both ends of every prior.

    Raises
    ------
    InputError
        what `world_of` would refuse of a draw: figures that no market can have, or that do not go together.
    """
    priors = scenario.priors()
    for quantile in (0.5, 0.0, 1.0):
        at = scenario.at({path: figure.quantile(quantile) for path, figure in priors})
        build_contracts(
            market_specs(at), book_spec(at), parties_spec(at), fund_specs(at), rules_spec(at),
            population_prior(at, 1000), steps=at.steps, start_s=seconds_since_funding(at),
            venues=venue_specs(at, 1000), collateral=asset_specs(at),
        )  # fmt: skip


def news_of(scenario: Scenario, world: MarketWorld, seed: int, draw: int) -> Int64s:
    """Fair value of every market and second [ticks], int64 [steps, K], of one draw.

    A coin has one fair value; where its venues stand at other prices at the start, they keep the ratio.
    """
    n = scenario.news
    spec = NewsSpec(n.shock.number, n.starts_s.number, n.ends_s.number, n.correlation.number)
    k = len(world.names)
    coin_of = world.markets.coin_of[:k]
    first = [int(np.argmax(coin_of == coin)) for coin in range(int(coin_of.max()) + 1)]
    beta = np.array([scenario.market[world.names[at]].news_beta.number for at in first])
    start = world.markets.start_fair_ticks[:k].astype(np.float64)
    path = fair_path(
        spec,
        world.markets.start_fair_ticks[first],
        world.markets.sigma[first],
        beta,
        scenario.steps,
        stream(seed, draw, NEWS_STREAM),
    )
    ratio = start / start[first][coin_of]
    of_coin = path[:, coin_of]
    if (ratio == 1.0).all():
        return of_coin
    moved: Int64s = np.maximum(np.rint(of_coin * ratio), 1.0).astype(np.int64)
    return moved


def with_depth(prepared: Prepared, multiple: float) -> Prepared:
    """The same accounts before a perpetual book of another depth (displayed and latent alike)."""
    markets = copied(prepared.world.markets)
    for name in ("bid_density", "ask_density", "displayed_bid", "displayed_ask", "latent_slope"):
        markets[name] = prepared.world.markets[name] * multiple
    return replace(prepared, world=replace(prepared.world, markets=markets))
