"""From what a market looks like to its kernel parameters: books, coins, indices, money of the venue."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from deleverage.engine.setup.scales import above, below, per_step, whole
from deleverage.engine.setup.specs import (
    BookSpec,
    FundSpec,
    MarketSpec,
    PartiesSpec,
    VenueSpec,
)
from deleverage.engine.state import (
    Markets,
    new,
)
from deleverage.errors import InputError
from deleverage.units import PPB, PPM, UUSD_PER_USD, tick_lot_uusd, to_int, uusd

SECONDS_PER_YEAR = 31_557_600
_DAY_S = 86_400


@dataclass(frozen=True)
class Money:
    """In what a venue settles: USD, or a coin; ``units`` whole units of money make one of it."""

    units: int = UUSD_PER_USD
    price_usd: float = 0.0  # of the coin at the start; 0: USD

    def of(self, usd: float) -> int:
        """An amount in USD, at the start's price."""
        if self.price_usd == 0.0:
            return uusd(usd)
        return to_int(usd, Fraction(self.price_usd) / self.units, "amount in USD")


def money_of(specs: list[MarketSpec]) -> Money:
    """What one venue counts in, from its markets: of a coin, the smallest power of ten of which one unit is
    worth at most 10⁻⁶ USD.

    Raises
    ------
    InputError
        linear and inverse markets at one venue, or inverse markets of two coins: their money is not one.
    """
    coins = {spec.coin or spec.name if spec.contract_usd != 0 else "" for spec in specs}
    if len(coins) > 1:
        inverse = [spec.name for spec in specs if spec.contract_usd != 0]
        linear = [spec.name for spec in specs if spec.contract_usd == 0]
        found = f"{linear} in USD and {inverse} in the coin" if linear else f"{inverse} in {sorted(coins)}"
        raise InputError(
            f"venue '{specs[0].venue}': expected markets that settle in one asset, found {found}",
            hint="make a venue of its own for every settlement asset",
        )
    if "" in coins:
        return Money()
    price, units = specs[0].start_price, 1
    while units < price * UUSD_PER_USD:
        units *= 10
    return Money(units, price)


def build_markets(
    specs: list[MarketSpec], book: BookSpec, parties: PartiesSpec, funds: list[FundSpec]
) -> Markets:
    """Kernel parameters of every market of one venue. `join_venues` adds what several venues share.

    Raises
    ------
    InputError
        a market names a fund that is not there, or a figure that must be positive is not.
    """
    fund_names = [fund.name for fund in funds]
    for spec in specs:
        if spec.fund not in fund_names:
            raise InputError(f"market {spec.name}: expected a fund among {fund_names}, found '{spec.fund}'")
        for name in (
            "start_price", "start_index", "open_interest_coins", "depth_bid_coins", "depth_ask_coins",
            "volatility_annual",
        ):  # fmt: skip
            if not getattr(spec, name) > 0:
                raise InputError(f"market {spec.name}: {name} must be > 0, found {getattr(spec, name)}")
        if not (spec.spot_bid_coins > 0) == (spec.spot_ask_coins > 0):
            raise InputError(
                f"market {spec.name}: expected spot on both sides or on neither, found "
                f"{spec.spot_bid_coins} and {spec.spot_ask_coins} coins"
            )
    markets = new(Markets)
    markets.count = len(specs)
    for k, spec in enumerate(specs):
        fill_market(markets, k, spec, book, parties, funds[fund_names.index(spec.fund)])
        markets.fund_of[k] = fund_names.index(spec.fund)
        markets.coin_of[k] = markets.spot_of[k] = markets.same[k, 0] = k
        markets.same_count[k] = 1
        markets.index_weight[k, k] = 1.0
    return markets


def fill_market(
    markets: Markets, k: int, spec: MarketSpec, book: BookSpec, parties: PartiesSpec, fund: FundSpec
) -> None:
    """Write the parameters of market ``k`` that concern it alone."""
    spot_lot = float(spec.lot_coins)
    lot = float(spec.coins_per_lot)
    usd_per_lot = spec.start_price * lot
    sigma_day = spec.volatility_annual * math.sqrt(_DAY_S / SECONDS_PER_YEAR)
    markets.tick_lot_uusd[k] = tick_lot_uusd(spec.tick_usd, spec.lot_coins, spec.name)
    markets.start_fair_ticks[k] = to_int(spec.start_index, spec.tick_usd, "index")
    markets.basis[k] = spec.start_price / spec.start_index
    markets.displayed_bid[k] = below(spec.depth_bid_coins, lot, spec.depth_range)
    markets.displayed_ask[k] = above(spec.depth_ask_coins, lot, spec.depth_range)
    markets.bid_density[k] = book.hidden_depth * markets.displayed_bid[k]
    markets.ask_density[k] = book.hidden_depth * markets.displayed_ask[k]
    # The square-root law I = Y σ √(Q/V) is a book of slope 2V/(Yσ)²; an infinite Y means no latent depth.
    if math.isfinite(book.latent_y):
        markets.latent_slope[k] = 2.0 * spec.volume_24h_coins / lot / (book.latent_y * sigma_day) ** 2
    markets.half_spread[k] = spec.half_spread_bps / 1e4
    markets.spot_bid_density[k] = book.spot_breadth * below(spec.spot_bid_coins, spot_lot, spec.spot_range)
    markets.spot_ask_density[k] = book.spot_breadth * above(spec.spot_ask_coins, spot_lot, spec.spot_range)
    markets.sigma[k] = spec.volatility_annual / math.sqrt(SECONDS_PER_YEAR)
    markets.beta[k] = max(0.2, spec.news_beta)
    markets.funding_ppb[k] = round(spec.last_funding_rate * PPB)
    markets.arbitrage_cap_lots[k] = int(parties.arbitrage_capacity_usd_per_s / usd_per_lot)
    shorts = parties.arbitrage_short_share * spec.open_interest_coins / lot
    markets.arbitrage_limit_lots[k] = int(1.5 * shorts / max(parties.arbitrageurs, 1))
    markets.inventory_ppm[k] = round(fund.inventory_multiple * PPM)
    markets.fund_unwind[k] = per_step(fund.unwind_half_life_s)
    markets.maker_limit_lots[k] = int(parties.maker_limit_usd / usd_per_lot)
    markets.dip_lots[k] = parties.dip_rate_usd_per_s / usd_per_lot * 100.0


def settle(markets: Markets, specs: list[MarketSpec], venues: int) -> list[Money]:
    """Write what a lot of an inverse market is worth; returns the money of every venue."""
    moneys = []
    for v in range(venues):
        own = [k for k in range(len(specs)) if markets.venue_of[k] == v]
        moneys.append(money_of([specs[k] for k in own]))
        for k in own:
            spec, units = specs[k], moneys[v].units
            if spec.contract_usd == 0:
                continue
            name = f"market {spec.name}: the number of units of money"
            markets.inverse_unit[k] = whole(
                spec.contract_usd / spec.tick_usd * units, f"{name} in a lot at one tick"
            )
            markets.contract_uusd[k] = whole(spec.contract_usd * UUSD_PER_USD, f"{name} (USD) in a lot")
            markets.coin_unit[k] = whole(spec.lot_coins * units, f"{name} in a lot of spot")
    return moneys


def join_venues(markets: Markets, specs: list[MarketSpec], venues: list[VenueSpec]) -> None:
    """Write which market trades which coin where, what its index is made of, and where hedges go.

    Raises
    ------
    InputError
        two markets of a coin differ in tick or lot, a venue's markets do not stand together, or no spot
        market feeds an index.
    """
    names = [venue.name for venue in venues]
    coins: list[str] = []
    for k, spec in enumerate(specs):
        coin = spec.coin or spec.name
        if coin not in coins:
            coins.append(coin)
        markets.coin_of[k] = coins.index(coin)
        markets.venue_of[k] = names.index(spec.venue) if len(venues) > 1 else 0
        first = next(other for other in specs if (other.coin or other.name) == coin)
        if (first.tick_usd, first.lot_coins) != (spec.tick_usd, spec.lot_coins):
            raise InputError(
                f"market {spec.name}: expected tick and lot of {first.name}, the same coin: "
                f"{float(first.tick_usd)} USD and {float(first.lot_coins)} coins"
            )
    order = [int(v) for v in markets.venue_of[: len(specs)]]
    if order != sorted(order) or set(order) != set(range(len(venues))):
        raise InputError(f"expected the markets of {names} venue by venue, found {[s.name for s in specs]}")
    for k, spec in enumerate(specs):
        same = [j for j in range(len(specs)) if markets.coin_of[j] == markets.coin_of[k]]
        spot = [j for j in same if markets.spot_bid_density[j] > 0]
        venue = venues[order[k]]
        wanted = venue.index_weights or {venue.name: 1.0}
        sources = {j: wanted.get(names[order[j]], 0.0) for j in spot}
        total = sum(sources.values())
        if total <= 0:
            raise InputError(
                f"market {spec.name}: expected a spot market among its index sources {sorted(wanted)}, "
                "found none"
            )
        markets.same_count[k] = len(same)
        markets.same[k, : len(same)] = same
        for j in range(len(specs)):
            markets.index_weight[k, j] = sources.get(j, 0.0) / total
            peer = j in same and j != k
            markets.peer_weight[k, j] = venue.peer_weights.get(names[order[j]], 0.0) if peer else 0.0
        deepest = max(spot, key=lambda j: markets.spot_bid_density[j])
        markets.spot_of[k] = k if k in spot else deepest


def order_funds(markets: Markets, funds: list[FundSpec]) -> list[FundSpec]:
    """The funds venue by venue, as their accounts will stand; renumbers ``markets.fund_of``.

    Raises
    ------
    InputError
        a fund stands behind markets of two venues.
    """
    home: list[int] = []
    for f, fund in enumerate(funds):
        behind = {int(markets.venue_of[k]) for k in range(markets.count) if markets.fund_of[k] == f}
        if len(behind) > 1:
            raise InputError(
                f"expected the insurance fund '{fund.name}' behind one venue, found {len(behind)}"
            )
        home.append(min(behind, default=0))
    order = sorted(range(len(funds)), key=lambda f: (home[f], f))
    for k in range(markets.count):
        markets.fund_of[k] = order.index(int(markets.fund_of[k]))
    return [funds[f] for f in order]
