"""What the market consists of: accounts, contracts with their books, rules, and what is added up on the way.

Counted in integers: prices in ticks, sizes in lots (long > 0), money in uusd = 10⁻⁶ USD. Python's
integers have no bounds and its ``//`` rounds down, so products and rates are written as they are meant.
At a venue of inverse contracts money is units of the coin; sums for readers (``Sums``, ``Minute``) are uusd.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from math import floor
from typing import Any, TypeVar

from deleverage.engine.setup import MarketWorld
from deleverage.venues.rules import TierTable

HOLDER, MAKER, ARBITRAGEUR, PROFIT_TAKER, DIP_BUYER, NEWCOMER, FUND, EXIT_LONG, EXIT_SHORT = range(9)
LIQUIDATE, SELL_EVENLY, NEVER_CLOSE = range(3)
LONG, SHORT = 0, 1
UUSD_PER_USD = 1_000_000
NEVER_TICKS = 1 << 60  # the price at which an inverse lot is worth nothing


def up(numerator: int, denominator: int) -> int:
    """The quotient rounded up."""
    return -(-numerator // denominator)


@dataclass
class Account:
    """Somebody who can hold contracts. ``size[k]`` and the signed ``cost[k]`` of it are per market."""

    uid: int
    role: int
    wallet: int
    size: list[int]
    cost: list[int]
    fill_share_ppm: int  # of what the book takes, if it is a named counterparty
    stop_ticks: int  # 0: none
    venue: int
    pledged: list[int]  # lots of collateral, by asset
    waits: bool = False  # no further order in the second of its last one
    ordered: int = -1  # second of the last order that left something open
    closed: bool = False  # liquidated, or left alone for good
    in_round: bool = False

    @property
    def has_position(self) -> bool:
        """True when it holds contracts of any market."""
        return any(self.size)


@dataclass
class Arbitrageur:
    """What an arbitrageur owns outside the perpetuals."""

    account: Account
    spot_lots: list[int]
    spot_cash: int = 0
    seen_gaps: list[list[int]] = field(default_factory=list)  # unhedged lots of the last steps, by market
    cross_lots: list[int] = field(default_factory=list)  # held against another venue, by market
    cross_now: list[int] = field(default_factory=list)  # of these, ordered in this second


class Margin:
    """Maintenance margin of one contract: each tier's rate applies to its own slice of the notional."""

    def __init__(self, table: TierTable, units: int = UUSD_PER_USD) -> None:
        self.tiers: list[tuple[int, int, int, int]] = []  # cap, rate as a pair, amount to take off
        deduction = Fraction(0)
        floor, rate_below = 0, table.tiers[0].rate
        for tier in table.tiers:
            deduction += floor * (tier.rate - rate_below) * units
            pair = (tier.rate.numerator, tier.rate.denominator)
            self.tiers.append((tier.cap_usd * units, *pair, round(deduction)))
            floor, rate_below = tier.cap_usd, tier.rate

    def tier(self, notional: int) -> int:
        """Number of the tier of a notional [uusd]."""
        for number, (cap, _, _, _) in enumerate(self.tiers):
            if notional <= cap:
                return number
        return len(self.tiers) - 1

    def of(self, notional: int) -> int:
        """Margin owed on a notional [uusd], rounded up."""
        _, numerator, denominator, deduction = self.tiers[self.tier(notional)]
        return up(notional * numerator, denominator) - deduction if notional else 0


@dataclass(frozen=True)
class Venue:
    """The rules of one venue. See `deleverage.engine.state.Venues` and `deleverage.venues.rules`."""

    first: int
    end: int
    trigger: int
    order_limit: int
    slice: int
    takeover: int
    adl_trigger: int
    adl_rank: int
    adl_price: int
    slice_ppm: int
    slice_above_uusd: int
    slice_minimum_uusd: int
    slice_maximum_uusd: int
    cooldown_s: int
    backstop_ppm: int
    vault_loss_ppm: int
    fund_drop_ppm: int
    fund_drop_uusd: int
    price_bound_ppm: int
    rest_to_fund: int
    adjustment_ppm: int
    spread_ppm: int
    mark_rule: int
    mark_window: int
    index_median: int
    funding_interval_s: int
    interest_ppb: int
    clamp_ppb: int
    cap_ppb: int
    fee_num: int
    fee_den: int
    halt_from: int
    halt_until: int
    exchange_limit_uusd: int


@dataclass
class Asset:
    """Collateral that is not the settlement asset. See `deleverage.engine.state.Assets`."""

    venue_of: int
    market: int
    start_uusd: int
    start_index: int
    haircut_num: int
    haircut_den: int
    charge_num: int
    charge_den: int
    own_weight: float
    bid_density: float
    resilience: float
    flight_lots: float
    u: float = field(default=0.0, init=False)
    price: int = field(default=0, init=False)
    pool: int = field(default=0, init=False)  # lots outside, against what is pledged
    cash: int = field(default=0, init=False)


@dataclass
class Market:
    """One perpetual, its book and its spot. See `deleverage.engine.state.Markets` for the parameters."""

    # what stays
    venue_of: int
    coin_of: int
    spot_of: int
    tick_lot_uusd: int  # of an inverse market, of its spot
    inverse_unit: int  # 0: linear
    contract_uusd: int
    coin_unit: int
    fund_of: int
    start_fair_ticks: int
    basis: float
    bid_density: float
    ask_density: float
    latent_slope: float
    half_spread: float
    spot_bid_density: float
    spot_ask_density: float
    sigma: float
    arbitrage_cap_lots: int
    arbitrage_limit_lots: int
    maker_limit_lots: int
    inventory_ppm: int
    fund_unwind: float
    dip_lots: float
    funding_ppb: int  # last settled rate; changes at funding
    # what changes
    number: int = field(default=0, init=False)
    venue: Venue = field(init=False)
    index_weight: list[float] = field(init=False)
    peer_weight: list[float] = field(init=False)
    margin: Margin = field(init=False)
    u: float = field(default=0.0, init=False)
    spot_u: float = field(default=0.0, init=False)
    bid_share: float = field(default=1.0, init=False)
    ask_share: float = field(default=1.0, init=False)
    revealed: float = field(default=0.0, init=False)
    price_variance: float = field(init=False)
    news_variance: float = field(init=False)
    forced_lots: int = field(default=0, init=False)  # walked the book in this second: by liquidations
    other_lots: int = field(default=0, init=False)  # and by everybody's own orders, net
    forced_flow: float = field(default=0.0, init=False)  # their averages [lots per second]
    other_flow: float = field(default=0.0, init=False)
    last_mid: float = field(init=False)
    last_fair: int = field(init=False)
    index: int = field(default=0, init=False)
    mid: int = field(default=0, init=False)
    mark: int = field(default=0, init=False)
    previous_mark: int = field(default=0, init=False)
    ema_sum: float = field(init=False)
    ema_weight: float = field(default=1.0, init=False)
    basis_window: list[int] = field(init=False)  # mid − index, once a second
    premium_sum: int = field(default=0, init=False)
    seen_u: list[float] = field(init=False)
    pool_lots: int = field(default=0, init=False)  # the other side of spot
    exit_assigned: list[int] = field(default_factory=lambda: [0, 0], init=False)
    exit_carry: list[int] = field(default_factory=lambda: [0, 0], init=False)

    @property
    def is_inverse(self) -> bool:
        """True when it is settled in the coin: a lot is worth dollars, and a long owes coins."""
        return self.inverse_unit > 0

    def money(self, price: int) -> int:
        """Money of one lot at a price [ticks]: price·v, or minus the coins of a contract, rounded up."""
        if not self.is_inverse:
            return price * self.tick_lot_uusd
        return 0 if price >= NEVER_TICKS else -up(self.inverse_unit, max(price, 1))

    def notional(self, lots: int) -> int:
        """|lots| at the mark, in money."""
        return abs(lots * self.money(self.mark))

    def usd(self, lots: int) -> int:
        """|lots| at the mark [uusd]."""
        return abs(lots) * (self.contract_uusd if self.is_inverse else self.money(self.mark))

    def in_usd(self, amount: int) -> int:
        """An amount of money at the mark [uusd]."""
        if not self.is_inverse:
            return amount
        return floor(float(amount) * (float(self.contract_uusd) / float(self.notional(1))) + 0.5)

    def price_of(self, coins: int, *, at_least: bool) -> int:
        """Highest price [ticks] at which a lot is worth ``coins`` or more; or lowest, of that or less.

        ⌈k/m⌉ ≥ c ⇔ (c − 1)·m < k;  ⌈k/m⌉ ≤ c ⇔ c·m ≥ k.
        """
        if at_least:
            return (self.inverse_unit - 1) // (coins - 1) if coins > 1 else NEVER_TICKS
        return up(self.inverse_unit, coins) if coins > 0 else NEVER_TICKS


@dataclass(frozen=True)
class Rules:
    """What all markets share. See `deleverage.engine.state.Params` for the meanings."""

    steps: int
    start_s: int
    ema_decay: float
    draw: int
    resilience: float
    spot_resilience: float
    latent_reveal: float
    latent_reference: float
    volatility_weight: float
    elasticity: float
    inventory_elasticity: float
    depth_floor: float
    down: float
    up: float
    maker_depth_share: float
    arbitrage_threshold: float
    arbitrage_latency: int
    hedge_latency: int
    dip_threshold: float
    dip_leverage: int
    exit_steps: int
    max_rounds: int
    liquidations: int
    adl: int
    news_withdrawal: int
    cascade_withdrawal: int
    stops: int
    outage: int
    collateral: int
    socialise: int
    trigger_last: int
    no_limit: int
    double_impact: int


@dataclass
class Minute:
    """What is recorded of one market and minute."""

    open: int = 0
    high: int = 0
    low: int = 0
    close: int = 0
    mark: int = 0
    index: int = 0
    liquidated: list[int] = field(default_factory=lambda: [0, 0])
    liquidated_uusd: list[int] = field(default_factory=lambda: [0, 0])
    book: int = 0
    takeover: int = 0
    adl: int = 0
    stops: int = 0
    open_interest: int = 0
    fund_uusd: int = 0
    bid_share: float = 0.0
    ask_share: float = 0.0
    spread: float = 0.0


class Sums:
    """What a run is judged by. Lists are by market, pairs of lists by side of the position that closes."""

    def __init__(self, markets: int, venues: int, assets: int) -> None:
        def per_market() -> list[int]:
            return [0] * markets

        def per_side() -> list[list[int]]:
            return [per_market(), per_market()]

        self.start_mid, self.trough, self.trough_step, self.interest_before = (per_market() for _ in range(4))
        self.forced, self.forced_uusd, self.opened, self.voluntary, self.deleveraged = (
            per_side() for _ in range(5)
        )
        self.book, self.takeover, self.adl = per_market(), per_market(), per_market()
        self.book_uusd, self.takeover_uusd, self.adl_uusd = per_market(), per_market(), per_market()
        self.stops, self.accounts_forced, self.spot_sold = per_market(), per_market(), per_market()
        self.first_liquidation_step, self.first_adl_step = [-1] * venues, [-1] * venues
        self.deficit_uusd = per_market()
        self.socialised_uusd = self.fees_uusd = self.forfeited_uusd = 0
        self.rounds = self.makers_liquidated = self.bankrupt_wallets = self.funding_payments = 0
        self.fired_liquidations = self.fired_adl = self.fired_news = self.fired_cascade = self.fired_stops = 0
        self.fired_outage = self.fired_collateral = 0
        self.exchanged_lots, self.exchanged_uusd, self.seized_lots = ([0] * assets for _ in range(3))
        self.asset_lowest_ppm, self.asset_lowest_uusd = [1_000_000] * assets, [0] * assets


T = TypeVar("T")


def plain(kind: type[T], record: Any, at: int | None = None) -> T:
    """A dataclass whose fields are read from a record of the same names, as Python numbers."""
    names = [f.name for f in fields(kind) if f.init]  # type: ignore[arg-type]
    values = {name: record[name] if at is None else record[name][at] for name in names}
    return kind(**{name: value.item() for name, value in values.items()})


def money_units(world: MarketWorld, k: int) -> int:
    """Units of money in one USD, or in one coin: a contract at a price of 1 USD."""
    contract_usd = world.markets.contract_uusd[k] / UUSD_PER_USD
    if contract_usd == 0:
        return UUSD_PER_USD
    units: int = round(world.markets.inverse_unit[k] * world.tick_usd[k] / contract_usd)
    return units


def read_markets(world: MarketWorld, tables: Sequence[TierTable], rules: Rules) -> list[Market]:
    """The markets of a world, at rest."""
    markets = []
    venues = [plain(Venue, world.venues, v) for v in range(int(world.venues.count))]
    for k, table in enumerate(tables):
        market = plain(Market, world.markets, k)
        market.number = k
        market.venue = venues[market.venue_of]
        market.index_weight = world.markets.index_weight[k].tolist()
        market.peer_weight = world.markets.peer_weight[k].tolist()
        market.margin = Margin(table, money_units(world, k))
        market.price_variance = market.news_variance = market.sigma * market.sigma
        market.seen_u = [0.0] * rules.arbitrage_latency
        market.pool_lots = -int(world.spot_lots[:, k].sum())
        markets.append(market)
    return markets


def read_assets(world: MarketWorld) -> list[Asset]:
    """The collateral of a world, at rest."""
    assets = [plain(Asset, world.assets, a) for a in range(int(world.assets.count))]
    for asset, lots in zip(assets, world.pledged.sum(axis=0).tolist(), strict=True):
        asset.pool = -lots
    return assets


def read_accounts(world: MarketWorld) -> list[Account]:
    """The accounts of a world, in order of uid."""
    columns = zip(
        world.uid.tolist(), world.role.tolist(), world.wallet.tolist(), world.size.tolist(),
        world.cost.tolist(), world.weight_ppm.tolist(), world.stop_ticks.tolist(), world.venue.tolist(),
        world.pledged.tolist(),
        strict=True,
    )  # fmt: skip
    return sorted((Account(*column) for column in columns), key=lambda account: account.uid)
