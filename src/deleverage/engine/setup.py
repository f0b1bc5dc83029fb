"""From figures that people know (USD, coins, shares, seconds) to the arrays that kernels take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from deleverage.engine.state import (
    ARBITRAGEUR,
    ARBITRAGEURS_MAX,
    ASSETS_MAX,
    DIP_BUYER,
    EXIT_LONG,
    EXIT_SHORT,
    FUND,
    FUNDS_MAX,
    HOLDER,
    LATENCY_MAX,
    MAKER,
    NEWCOMER,
    PARTIES_MAX,
    PROFIT_TAKER,
    VENUES_MAX,
    WINDOW_MAX,
    Assets,
    Markets,
    Params,
    Parties,
    Venues,
    copied,
    new,
)
from deleverage.errors import InputError, UnitError
from deleverage.positions.population import CROSS, LotMoney, PopulationPrior, draw_holders
from deleverage.units import PPB, PPM, UUSD_PER_USD, Floats, Int64s, tick_lot_uusd, to_int, uusd
from deleverage.venues.margin import NEVER_TICKS, Tiers, slice_tiers, tiers_record
from deleverage.venues.rules import Mark, MarkRule, TierTable, Waterfall

SECONDS_PER_YEAR = 31_557_600
_DAY_S = 86_400
EMA_S = 150.0
"""Time constant of the moving average in `MarkRule.MEDIAN_WITH_EMA` [s] (Hyperliquid documents)."""


@dataclass(frozen=True)
class MarketSpec:
    """One perpetual and its spot market as they stood at the start.

    Parameters
    ----------
    tick_usd, lot_coins : smallest price step [USD/coin] and size step [coins], exact.
    start_price, start_index : perpetual and index [USD/coin].
    open_interest_coins : one side counted [coins].
    depth_bid_coins, depth_ask_coins : displayed within ±``depth_range`` of mid [coins].
    spot_bid_coins, spot_ask_coins : the same of the venue's spot market, within ±``spot_range``; 0 if it
        has none, and its index and hedges then use other venues'.
    volatility_annual : before the night [share per √year].
    volume_24h_coins : sets the latent depth through the square-root law [coins].
    news_beta : fall of this market's news per unit of shock.
    last_funding_rate : last settled rate [share per interval].
    fund : name of the insurance fund behind it.
    venue, coin : where it trades, and what; markets of one coin must have one tick and one lot. Empty: the
        only venue, and a coin of its own.
    contract_usd : of an inverse market, the value of one contract [USD], which is the lot of its sizes;
        ``lot_coins`` is then that of its spot, and caps of ``tiers`` are coins. 0: linear, settled in USD.
    """

    name: str
    tick_usd: Fraction
    lot_coins: Fraction
    start_price: float
    start_index: float
    open_interest_coins: float
    depth_bid_coins: float
    depth_ask_coins: float
    depth_range: float
    half_spread_bps: float
    spot_bid_coins: float
    spot_ask_coins: float
    spot_range: float
    volatility_annual: float
    volume_24h_coins: float
    news_beta: float
    last_funding_rate: float
    fund: str
    tiers: TierTable
    venue: str = ""
    coin: str = ""
    contract_usd: Fraction = Fraction(0)

    @property
    def coins_per_lot(self) -> Fraction:
        """Coins in one lot: exact for a linear market, at the start's price for an inverse one."""
        if self.contract_usd == 0:
            return self.lot_coins
        return self.contract_usd / Fraction(self.start_price)


@dataclass(frozen=True)
class BookSpec:
    """How books take and give back quantity. See `engine/book.py` and `engine/makers.py`."""

    hidden_depth: float = 1.7
    latent_y: float = 1.0
    latent_reveal_s: float = 900.0
    latent_reference: float = 0.01
    resilience_half_life_s: float = 200.0
    spot_breadth: float = 5.0
    spot_resilience_half_life_s: float = 600.0
    volatility_elasticity: float = 0.15
    inventory_elasticity: float = 1.0
    down_s: float = 10.0
    up_s: float = 600.0
    volatility_half_life_s: float = 30.0
    floor: float = 0.02


@dataclass(frozen=True)
class PartiesSpec:
    """Named accounts and what they may do; shares of passive fills are of 1, newcomers take the rest."""

    makers: int = 3
    maker_depth_share: float = 0.6
    maker_capital_usd: float = 3e8
    maker_fill_share: float = 0.45
    maker_limit_usd: float = 4e8
    arbitrageurs: int = 2
    arbitrage_capital_usd: float = 1e9
    arbitrage_fill_share: float = 0.2
    arbitrage_short_share: float = 0.1
    arbitrage_latency_s: int = 3
    arbitrage_capacity_usd_per_s: float = 1e6
    arbitrage_threshold_bps: float = 5.0
    hedge_latency_s: int = 2
    profit_takers: int = 2
    profit_short_share: float = 0.1
    profit_fill_share: float = 0.15
    profit_capital_usd: float = 1e9
    dip_buyers: int = 2
    dip_capital_usd: float = 5e8
    dip_threshold: float = 0.01
    dip_rate_usd_per_s: float = 2e5
    dip_leverage: int = 2
    newcomer_capital_usd: float = 5e9


@dataclass(frozen=True)
class FundSpec:
    """An insurance fund: balance [USD], and how it carries what it takes over."""

    name: str
    usd: float
    inventory_multiple: float = 1.0
    unwind_half_life_s: float = 600.0


@dataclass(frozen=True)
class VenueSpec:
    """One of several venues: its accounts, and its rules beyond the tiers.

    Parameters
    ----------
    funding_cap : largest |rate| of one payment [share].
    index_median : the index is the weighted median of its sources, else their mean without outliers.
    index_weights : weight of each venue's spot market in the index; empty is the own one alone.
    peer_weights : weight of each other venue's mid in the mark (`MarkRule.MEDIAN_WITH_EMA`).
    halt_from_s, halt_until_s : an outage [s from the start]; equal is none.
    """

    name: str
    parties: PartiesSpec
    population: PopulationPrior
    waterfall: Waterfall = field(default_factory=Waterfall)
    mark: Mark = field(default_factory=lambda: Mark(MarkRule.MEDIAN, 30))
    funding_interval_h: int = 8
    interest: float = 1e-4
    funding_clamp: float = 5e-4
    funding_cap: float = 0.1
    liquidation_fee: float = 0.0125
    index_median: bool = False
    index_weights: Mapping[str, float] = field(default_factory=dict)
    peer_weights: Mapping[str, float] = field(default_factory=dict)
    halt_from_s: int = 0
    halt_until_s: int = 0
    exchange_limit_usd: float = 0.0


@dataclass(frozen=True)
class AssetSpec:
    """Collateral at one venue that is not the settlement asset. See `engine/collateral.py`.

    Parameters
    ----------
    lot_coins : smallest step in which it is pledged and sold [coins], exact.
    start_price : what it can be redeemed for at the start [USD/coin].
    follows : market of the venue whose index moves that value; empty: it is worth the same dollars.
    haircut : share of the price that does not count as margin.
    charge : share of what the venue sells of it that the venue keeps.
    own_weight : weight of the venue's own book in the price that margin sees, the rest is the redemption
        value: 1 own book, 0 redemption.
    depth_coins, depth_range : bids in the own book within that share below the price, hidden ones included.
    half_life_s : of a displacement of that book.
    flight_usd_per_s : sold by holders outside per second once the venue's first market is 10 % down, and in
        proportion.
    account_share : share of cross accounts of holders that pledge it.
    margin_share : share of such an account's margin that is pledged in it.
    """

    name: str
    venue: str
    lot_coins: Fraction
    start_price: float
    follows: str
    haircut: float
    charge: float
    own_weight: float
    depth_coins: float
    depth_range: float
    half_life_s: float
    flight_usd_per_s: float
    account_share: float
    margin_share: float


@dataclass(frozen=True)
class RulesSpec:
    """Rules of the only venue that the run needs beyond the tiers, and switches of the whole run."""

    mark_window_s: int = 30
    funding_interval_h: int = 8
    interest: float = 1e-4
    funding_clamp: float = 5e-4
    liquidation_fee: float = 0.0125
    exchange_limit_usd: float = 0.0
    waterfall: Waterfall = field(default_factory=Waterfall)
    exit_hours: float = 6.0
    socialise: bool = True
    trigger_last: bool = False
    no_limit: bool = False
    double_impact: bool = False


@dataclass(frozen=True)
class MarketWorld:
    """Everything that a run starts from, in the units of kernels; seeds differ in accounts and news.

    Arrays are [N] or [N, K]; rows may stand in any order, ``uid`` names the accounts.
    """

    names: tuple[str, ...]
    venue_names: tuple[str, ...]
    fund_names: tuple[str, ...]
    asset_names: tuple[str, ...]
    tick_usd: Floats
    lot_coins: Floats  # of an inverse market at the start's price
    asset_lot_coins: Floats
    markets: Markets
    venues: Venues
    assets: Assets
    params: Params
    tiers: Tiers
    parties: Parties
    uid: Int64s = field(repr=False)
    owner: Int64s = field(repr=False)  # several isolated positions may belong to one owner
    role: Int64s = field(repr=False)
    venue: Int64s = field(repr=False)
    mode: Int64s = field(repr=False)
    weight_ppm: Int64s = field(repr=False)  # share of passive fills
    stop_ticks: Int64s = field(repr=False)
    wallet: Int64s = field(repr=False)
    size: Int64s = field(repr=False)
    cost: Int64s = field(repr=False)
    pledged: Int64s = field(repr=False)  # [N, A] lots of collateral
    spot_lots: Int64s = field(repr=False)  # [arbitrageurs, K]


def per_step(half_life_s: float) -> float:
    """Share that decays in one second for a half-life; 0 for an infinite one."""
    return 0.0 if math.isinf(half_life_s) else 1.0 - 0.5 ** (1.0 / half_life_s)


def gap_per_step(time_s: float) -> float:
    """Share of a gap that closes in one second for a time constant."""
    return 0.0 if math.isinf(time_s) else 1.0 - math.exp(-1.0 / time_s)


def below(coins: float, lot: float, reach: float) -> float:
    """Lots per unit of log price of a flat book that holds ``coins`` within a price move of ``reach``."""
    return coins / lot / -math.log1p(-reach)


def above(coins: float, lot: float, reach: float) -> float:
    """The same above the price, where a move of ``reach`` is a smaller step of log price."""
    return coins / lot / math.log1p(reach)


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


def _ints(values: list[int]) -> Int64s:
    return np.array(values, dtype=np.int64)


def _floats(values: list[float]) -> Floats:
    return np.array(values, dtype=np.float64)


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


def whole(value: Fraction, what: str) -> int:
    """A positive number of units that must be whole and fit into an integer.

    Raises
    ------
    UnitError
        it is not, or does not.
    """
    if value.denominator != 1 or not 0 < value < NEVER_TICKS:
        raise UnitError(f"{what} must be a whole number between 1 and 2⁶⁰, found {float(value)}")
    return int(value)


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


def build_venues(venues: list[VenueSpec], markets: Markets, moneys: list[Money]) -> Venues:
    """Kernel parameters of every venue.

    Raises
    ------
    InputError
        more venues than a record holds, or a mark window out of bounds.
    """
    if not 1 <= len(venues) <= VENUES_MAX:
        raise InputError(f"expected 1 to {VENUES_MAX} venues, found {len(venues)}")
    record = new(Venues)
    record.count = len(venues)
    for v, spec in enumerate(venues):
        if not 1 <= spec.mark.window_s <= WINDOW_MAX:
            raise InputError(
                f"the mark window must be between 1 and {WINDOW_MAX} s, found {spec.mark.window_s}"
            )
        own = [k for k in range(markets.count) if markets.venue_of[k] == v]
        fee = Fraction(spec.liquidation_fee).limit_denominator(PPM)
        rule = spec.waterfall
        figures = {
            "first": own[0], "end": own[-1] + 1,
            "trigger": rule.trigger, "order_limit": rule.order_limit, "slice": rule.slice,
            "takeover": rule.takeover, "adl_trigger": rule.adl_trigger, "adl_rank": rule.adl_rank,
            "adl_price": rule.adl_price,
            "slice_ppm": round(rule.slice_share * PPM),
            "slice_above_uusd": uusd(rule.slice_above_usd),
            "slice_minimum_uusd": uusd(rule.slice_minimum_usd),
            "slice_maximum_uusd": uusd(rule.slice_maximum_usd),
            "cooldown_s": rule.cooldown_s,
            "backstop_ppm": round(rule.backstop_share * PPM),
            "vault_loss_ppm": round(rule.vault_loss_share * PPM),
            "fund_drop_ppm": round(rule.fund_drop_share * PPM),
            "fund_drop_uusd": moneys[v].of(rule.fund_drop_usd),
            "price_bound_ppm": round(rule.price_bound * PPM),
            "rest_to_fund": rule.rest_to_fund,
            "adjustment_ppm": round(rule.bankruptcy_adjustment * PPM),
            "spread_ppm": round(rule.spread_to_maintenance * PPM),
            "mark_rule": spec.mark.rule, "mark_window": spec.mark.window_s,
            "index_median": spec.index_median,
            "funding_interval_s": spec.funding_interval_h * 3600,
            "interest_ppb": round(spec.interest * PPB), "clamp_ppb": round(spec.funding_clamp * PPB),
            "cap_ppb": round((spec.funding_cap or 0.1) * PPB),
            "fee_num": fee.numerator, "fee_den": fee.denominator,
            "halt_from": spec.halt_from_s, "halt_until": spec.halt_until_s,
            "exchange_limit_uusd": uusd(spec.exchange_limit_usd),
        }  # fmt: skip
        for name, value in figures.items():
            record[name][v] = int(value)
    return record


def build_assets(specs: list[AssetSpec], markets: list[MarketSpec], venues: list[str]) -> Assets:
    """Kernel parameters of the collateral, in the order of ``specs``.

    Raises
    ------
    InputError
        more assets than a record holds, a venue or market that is not there, or a figure out of bounds.
    """
    if len(specs) > ASSETS_MAX:
        raise InputError(f"expected at most {ASSETS_MAX} collateral assets, found {len(specs)}")
    names = [market.name for market in markets]
    record = new(Assets)
    record.count = len(specs)
    for a, spec in enumerate(specs):
        if spec.venue not in venues:
            raise InputError(f"collateral {spec.name}: expected a venue among {venues}, found '{spec.venue}'")
        own = [m.name for m in markets if m.venue == spec.venue or len(venues) == 1]
        if any(m.contract_usd != 0 for m in markets if m.name in own):
            raise InputError(
                f"collateral {spec.name}: expected a venue that settles in USD, found '{spec.venue}', whose "
                "margin is its coin",
                hint="pledge the asset at a linear venue",
            )
        if spec.follows and spec.follows not in own:
            raise InputError(
                f"collateral {spec.name}: expected a market of {spec.venue} to follow, {own}, "
                f"found '{spec.follows}'"
            )
        for name in ("start_price", "depth_coins", "depth_range", "half_life_s"):
            if not getattr(spec, name) > 0:
                raise InputError(f"collateral {spec.name}: {name} must be > 0, found {getattr(spec, name)}")
        for name, top in (("haircut", 0.999), ("charge", 0.5), ("own_weight", 1.0)):
            if not 0 <= getattr(spec, name) <= top:
                raise InputError(
                    f"collateral {spec.name}: {name} must be between 0 and {top}, found {getattr(spec, name)}"
                )
        lot = float(spec.lot_coins)
        haircut = Fraction(spec.haircut).limit_denominator(PPM)
        charge = Fraction(spec.charge).limit_denominator(PPM)
        k = names.index(spec.follows) if spec.follows else -1
        record.venue_of[a] = venues.index(spec.venue)
        record.market[a] = k
        record.start_uusd[a] = uusd(spec.start_price * lot)
        record.start_index[a] = to_int(markets[k].start_index, markets[k].tick_usd, "index") if k >= 0 else 1
        record.haircut_num[a], record.haircut_den[a] = haircut.numerator, haircut.denominator
        record.charge_num[a], record.charge_den[a] = charge.numerator, charge.denominator
        record.own_weight[a] = spec.own_weight
        record.bid_density[a] = below(spec.depth_coins, lot, spec.depth_range)
        record.resilience[a] = per_step(spec.half_life_s)
        record.flight_lots[a] = 10.0 * spec.flight_usd_per_s / (spec.start_price * lot)
        record.beta[a] = max(0.2, markets[k].news_beta) if k >= 0 else 0.2
        if record.start_uusd[a] < 1000:
            raise InputError(
                f"collateral {spec.name}: a lot of {lot:g} coins is worth {record.start_uusd[a]} uusd; "
                "prices would be too coarse below 1,000",
                hint="choose a larger lot_coins",
            )
    return record


def pledge(
    specs: list[AssetSpec], assets: Assets, columns: dict[str, Int64s], rng: np.random.Generator
) -> Int64s:
    """Give some holders part of their margin in other assets; lots pledged, int64 [N, A].

    What an asset counts as margin at the start is taken off the wallet, so nobody's equity changes. Only
    cross accounts pledge, each at most one asset.
    """
    n = columns["role"].shape[0]
    pledged = np.zeros((n, len(specs)), dtype=np.int64)
    drawn = rng.random(n)
    before = {name: 0.0 for name in {spec.venue for spec in specs}}
    for a, spec in enumerate(specs):
        low, before[spec.venue] = before[spec.venue], before[spec.venue] + spec.account_share
        if before[spec.venue] > 1.0 + 1e-9:
            raise InputError(
                f"collateral of {spec.venue}: account_share of its assets must be 1 at most in sum, found "
                f"{before[spec.venue]:g}"
            )
        chosen = (
            (columns["role"] == HOLDER) & (columns["mode"] == CROSS)
            & (columns["venue"] == assets.venue_of[a]) & (columns["wallet"] > 0)
            & (drawn >= low) & (drawn < before[spec.venue])
        )  # fmt: skip
        num, den = int(assets.haircut_num[a]), int(assets.haircut_den[a])
        price = int(assets.start_uusd[a])
        for row in np.flatnonzero(chosen):
            part = int(int(columns["wallet"][row]) * spec.margin_share)
            lots = part * den // ((den - num) * price)
            pledged[row, a] = lots
            columns["wallet"][row] -= lots * price * (den - num) // den
    return pledged


def build_params(
    book: BookSpec,
    parties: PartiesSpec,
    rules: RulesSpec,
    *,
    steps: int,
    start_s: int,
    max_rounds: int = 2000,
    draw: int = 0,
) -> Params:
    """Kernel parameters that all markets share, with every mechanism on."""
    for name, value in (
        ("the latency of arbitrage", parties.arbitrage_latency_s),
        ("the latency of hedges", parties.hedge_latency_s),
    ):
        if not 1 <= value <= LATENCY_MAX:
            raise InputError(f"{name} must be between 1 and {LATENCY_MAX} s, found {value}")
    params = new(Params)
    params.steps = steps
    params.start_s = start_s
    params.ema_decay = math.exp(-1.0 / EMA_S)
    params.draw = draw
    params.resilience = per_step(book.resilience_half_life_s)
    params.spot_resilience = per_step(book.spot_resilience_half_life_s)
    params.latent_reveal = gap_per_step(book.latent_reveal_s)
    params.latent_reference = book.latent_reference
    params.volatility_weight = per_step(book.volatility_half_life_s)
    params.elasticity = book.volatility_elasticity
    params.inventory_elasticity = book.inventory_elasticity
    params.depth_floor = book.floor
    params.down = gap_per_step(book.down_s)
    params.up = gap_per_step(book.up_s)
    params.maker_depth_share = parties.maker_depth_share
    params.arbitrage_threshold = parties.arbitrage_threshold_bps / 1e4
    params.arbitrage_latency = parties.arbitrage_latency_s
    params.hedge_latency = parties.hedge_latency_s
    params.dip_threshold = parties.dip_threshold
    params.dip_leverage = parties.dip_leverage
    params.exit_steps = max(1, round(rules.exit_hours * 3600))
    params.max_rounds = max_rounds
    params.recount_every = 60
    params.adl = 1
    params.news_withdrawal = 1
    params.cascade_withdrawal = 1
    params.stops = 1
    params.outage = 1
    params.collateral = 1
    params.socialise = int(rules.socialise)
    params.trigger_last = int(rules.trigger_last)
    params.no_limit = int(rules.no_limit)
    params.double_impact = int(rules.double_impact)
    return params


def _named_groups(parties: PartiesSpec) -> list[tuple[int, int, float, float]]:
    """(role, how many, capital of each [USD], share of passive fills of all) of the named accounts."""
    return [
        (MAKER, parties.makers, parties.maker_capital_usd, parties.maker_fill_share),
        (ARBITRAGEUR, parties.arbitrageurs, parties.arbitrage_capital_usd, parties.arbitrage_fill_share),
        (PROFIT_TAKER, parties.profit_takers, parties.profit_capital_usd, parties.profit_fill_share),
        (DIP_BUYER, parties.dip_buyers, parties.dip_capital_usd, 0.0),
        (NEWCOMER, 1, parties.newcomer_capital_usd, 0.0),
    ]


def build_world(
    specs: list[MarketSpec],
    book: BookSpec,
    parties: PartiesSpec,
    funds: list[FundSpec],
    rules: RulesSpec,
    population: PopulationPrior,
    *,
    steps: int,
    start_s: int,
    rng: np.random.Generator,
    venues: list[VenueSpec] | None = None,
    collateral: list[AssetSpec] | None = None,
    collateral_rng: np.random.Generator | None = None,
    draw: int = 0,
) -> MarketWorld:
    """Markets with their accounts: holders drawn from the prior, then named accounts, funds and vehicles.

    Arbitrageurs start short the perpetual and long spot, profit takers start short; the holders' shorts are
    the rest, so that every contract has two sides.

    Parameters
    ----------
    parties, population : of the only venue; with ``venues`` each has its own, and ``parties`` gives what all
        share (thresholds, latencies, leverage of dip buyers, share of depth of makers).
    venues : several venues in the order of ``specs``, which stand venue by venue.
    collateral, collateral_rng : assets that holders pledge besides the settlement asset, and the stream that
        says who does.
    draw : number of the draw, where a venue draws lots.
    """
    several = venues or [
        VenueSpec(
            specs[0].venue or "venue", parties, population, rules.waterfall,
            Mark(MarkRule.MEDIAN, rules.mark_window_s), rules.funding_interval_h, rules.interest,
            rules.funding_clamp, liquidation_fee=rules.liquidation_fee,
            exchange_limit_usd=rules.exchange_limit_usd,
        )
    ]  # fmt: skip
    markets = build_markets(specs, book, parties, funds)
    fund_names = [fund.name for fund in funds]
    if len(several) > 1:
        by_name = {venue.name: venue for venue in several}
        for k, spec in enumerate(specs):
            if spec.venue not in by_name:
                raise InputError(
                    f"market {spec.name}: expected a venue among {sorted(by_name)}, found '{spec.venue}'"
                )
            fund = funds[fund_names.index(spec.fund)]
            fill_market(markets, k, spec, book, by_name[spec.venue].parties, fund)
    join_venues(markets, specs, several)
    funds = order_funds(markets, funds)
    moneys = settle(markets, specs, len(several))
    rules_of = build_venues(several, markets, moneys)
    tiers = tiers_record(
        [spec.tiers for spec in specs], [moneys[v].units for v in markets.venue_of[: len(specs)]]
    )
    params = build_params(book, parties, rules, steps=steps, start_s=start_s, draw=draw)
    k_count = len(specs)
    blocks = [
        _venue_block(v, spec, specs, markets, tiers, rules_of, funds, moneys[v], rng)
        for v, spec in enumerate(several)
    ]
    columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    offsets = np.cumsum([0] + [block["role"].shape[0] for block in blocks])
    owner = np.concatenate([block["owner"] + offset for block, offset in zip(blocks, offsets, strict=False)])
    spot_lots = columns["spot_lots"][columns["role"] == ARBITRAGEUR]
    del columns["owner"], columns["spot_lots"]
    pledges = collateral or []
    assets = build_assets(pledges, specs, [venue.name for venue in several])
    pledged = pledge(pledges, assets, columns, collateral_rng or rng)
    n = columns["role"].shape[0]
    return MarketWorld(
        names=tuple(s.name for s in specs),
        venue_names=tuple(s.name for s in several),
        fund_names=tuple(f.name for f in funds),
        asset_names=tuple(a.name for a in pledges),
        tick_usd=_floats([float(s.tick_usd) for s in specs]),
        lot_coins=_floats([float(s.coins_per_lot) for s in specs]),
        asset_lot_coins=_floats([float(a.lot_coins) for a in pledges]),
        markets=markets,
        venues=rules_of,
        assets=assets,
        params=params,
        tiers=tiers,
        parties=find_parties(np.arange(n), columns["role"], columns["weight_ppm"], columns["venue"]),
        uid=np.arange(n),
        owner=owner,
        pledged=pledged,
        spot_lots=spot_lots.reshape(-1, k_count),
        **columns,
    )


def _venue_block(
    v: int,
    venue: VenueSpec,
    specs: list[MarketSpec],
    markets: Markets,
    tiers: Tiers,
    rules_of: Venues,
    funds: list[FundSpec],
    money: Money,
    rng: np.random.Generator,
) -> dict[str, Int64s]:
    """The accounts of one venue, column by column; ``size``, ``cost`` and ``spot_lots`` over all markets."""
    first, end, k_count = int(rules_of.first[v]), int(rules_of.end[v]), len(specs)
    here = slice(first, end)
    own = specs[here]
    parties, population = venue.parties, venue.population
    unit = LotMoney(markets.tick_lot_uusd[here].copy(), markets.inverse_unit[here].copy())
    mark = np.rint(markets.start_fair_ticks[here] * markets.basis[here]).astype(np.int64)
    oi = _ints([to_int(s.open_interest_coins, s.coins_per_lot, "open interest") for s in own])
    arb_each = _shares(oi, parties.arbitrage_short_share, parties.arbitrageurs)
    take_each = _shares(oi, parties.profit_short_share, parties.profit_takers)
    short = oi - arb_each * parties.arbitrageurs - take_each * parties.profit_takers
    beta = markets.beta[here].copy()
    holders = draw_holders(population, oi, short, mark, unit, beta, slice_tiers(tiers, first, end), rng)
    groups = _named_groups(parties)
    elsewhere = {int(f) for k, f in enumerate(markets.fund_of[:k_count]) if not first <= k < end}
    used = {int(f) for f in markets.fund_of[here]}
    # A fund behind no market stands at the first venue.
    behind = [f for f in range(len(funds)) if f in used or (v == 0 and f not in elsewhere)]
    n_holders = population.accounts
    n = n_holders + sum(count for _, count, _, _ in groups) + len(behind) + 2
    role, weight, wallet, stop = (np.zeros(n, dtype=np.int64) for _ in range(4))
    mode = np.full(n, CROSS, dtype=np.int64)
    size, cost, spot = (np.zeros((n, k_count), dtype=np.int64) for _ in range(3))
    wallet[:n_holders] = holders.wallet
    size[:n_holders, here], cost[:n_holders, here] = holders.size, holders.cost
    stop[:n_holders], mode[:n_holders] = holders.stop_ticks, holders.mode
    row = n_holders
    for kind, count, capital, fill in groups:
        for _ in range(count):
            role[row] = kind
            wallet[row] = money.of(capital)
            weight[row] = int(fill / count * PPM)
            if kind in (ARBITRAGEUR, PROFIT_TAKER):
                size[row, here] = -(arb_each if kind == ARBITRAGEUR else take_each)
                cost[row, here] = size[row, here] * unit.at(mark)
            if kind == ARBITRAGEUR and money.price_usd == 0.0:
                spot[row, here] = arb_each
            elif kind == ARBITRAGEUR:
                wallet[row] = cost[row, here].sum()  # as many coins as the short owes, so it needs no spot
            row += 1
    for f in behind:
        role[row] = FUND
        wallet[row] = money.of(funds[f].usd)
        row += 1
    role[row], role[row + 1] = EXIT_LONG, EXIT_SHORT
    return {
        "role": role, "venue": np.full(n, v, dtype=np.int64), "mode": mode, "weight_ppm": weight,
        "stop_ticks": stop, "wallet": wallet, "size": size, "cost": cost, "spot_lots": spot,
        "owner": np.concatenate([holders.owner, np.arange(n_holders, n)]),
    }  # fmt: skip


def _shares(lots: Int64s, share: float, count: int) -> Int64s:
    """Lots of each of ``count`` accounts that together hold ``share`` of a market."""
    return np.floor(lots * share).astype(np.int64) // count if count else np.zeros_like(lots)


def find_parties(uid: Int64s, role: Int64s, weight_ppm: Int64s, venue: Int64s) -> Parties:
    """Rows of the named accounts by group, in order of uid, whatever the order of rows.

    Funds stand in the order of their names' numbers, venue by venue.

    Raises
    ------
    InputError
        more named accounts than a record holds.
    """
    by_uid = np.argsort(uid, kind="stable")

    def rows(*kinds: int) -> Int64s:
        found: Int64s = by_uid[np.isin(role[by_uid], kinds)].astype(np.int64)
        return found

    parties = new(Parties)
    named = rows(MAKER, ARBITRAGEUR, PROFIT_TAKER, DIP_BUYER, NEWCOMER)
    for what, found, most in (
        ("named accounts", named, PARTIES_MAX),
        ("arbitrageurs", rows(ARBITRAGEUR), ARBITRAGEURS_MAX),
        ("insurance funds", rows(FUND), FUNDS_MAX),
    ):
        if found.shape[0] > most:
            raise InputError(f"expected at most {most} {what}, found {found.shape[0]}")
    parties.named_count = named.shape[0]
    parties.named[: named.shape[0]] = named
    parties.named_weight_ppm[: named.shape[0]] = weight_ppm[named]
    parties.maker_count = rows(MAKER).shape[0]
    parties.makers[: parties.maker_count] = rows(MAKER)
    parties.arbitrageur_count = rows(ARBITRAGEUR).shape[0]
    parties.arbitrageurs[: parties.arbitrageur_count] = rows(ARBITRAGEUR)
    parties.dip_count = rows(DIP_BUYER).shape[0]
    parties.dip_buyers[: parties.dip_count] = rows(DIP_BUYER)
    parties.fund_count = rows(FUND).shape[0]
    parties.funds[: parties.fund_count] = rows(FUND)
    for row in rows(MAKER):
        parties.venue_makers[venue[row]] += 1
    for kind, field_name in ((NEWCOMER, "newcomer"), (EXIT_LONG, "exit_long"), (EXIT_SHORT, "exit_short")):
        for row in rows(kind):
            parties[field_name][venue[row]] = row
    return parties


def permuted(world: MarketWorld, order: Int64s) -> MarketWorld:
    """The same market with its account rows in another order; uids stay with their accounts."""
    moved = {
        name: getattr(world, name)[order].copy()
        for name in (
            "uid", "owner", "role", "venue", "mode", "weight_ppm", "stop_ticks", "wallet", "size", "cost",
            "pledged",
        )
    }  # fmt: skip
    parties = find_parties(moved["uid"], moved["role"], moved["weight_ppm"], moved["venue"])
    return replace(world, **moved, parties=parties)


def switched(params: Params, **switches: float) -> Params:
    """A copy of the parameters with other values, usually other switches."""
    changed = copied(params)
    for name, value in switches.items():
        if name not in (changed.dtype.names or ()):
            raise InputError(f"expected a parameter of the engine, found '{name}'")
        changed[name] = value
    return changed
