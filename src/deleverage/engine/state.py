"""What the engine holds: parameters that stay, state that changes, and what it records.

Money at a venue is counted in its settlement asset: 10⁻⁶ USD, or a unit of the coin that is worth no more at
the start (`setup.coin_units`). Names say uusd for both; what is recorded for readers is USD.

Per account: plain arrays of ``N`` rows in any order (``uid`` names the accounts; rows may be permuted). Per
market
and for the whole run: records, whose fields are scalars or short arrays of fixed length, passed to kernels as
one pointer.
No object per account; no exception from a kernel.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple, TypeAlias, TypeVar, cast, get_type_hints

import numpy as np
import numpy.typing as npt

from deleverage.jit import Record
from deleverage.units import Bools, Floats, Int64s
from deleverage.venues.margin import MARKETS_MAX, Tiers

PARTIES_MAX = 80
ARBITRAGEURS_MAX = 16
VENUES_MAX = 8
FUNDS_MAX = 8
ASSETS_MAX = 8
WINDOW_MAX = 320
LATENCY_MAX = 64

HOLDER, MAKER, ARBITRAGEUR, PROFIT_TAKER, DIP_BUYER, NEWCOMER, FUND, EXIT_LONG, EXIT_SHORT = range(9)
"""Roles of an account. From `FUND` on an account is never liquidated, nor are the newcomers: they stand
for a crowd of fresh accounts without leverage, of which one margin account would say nothing."""

ROLE_NAMES = (
    "holders", "market makers", "arbitrageurs", "profit takers", "dip buyers", "newcomers", "insurance fund",
    "exit vehicle (longs)", "exit vehicle (shorts)",
)  # fmt: skip

LIQUIDATE, SELL_EVENLY, NEVER_CLOSE = range(3)
"""What happens to an account whose health is below zero: the mechanism, and its two ways of being off."""

LONG, SHORT = 0, 1

MINUTE_S = 60

# Field types of the records below: annotation for readers and checkers, length for the dtype.
Ints: TypeAlias = Annotated[Int64s, (MARKETS_MAX,)]
Reals: TypeAlias = Annotated[Floats, (MARKETS_MAX,)]
SideInts: TypeAlias = Annotated[Int64s, (2, MARKETS_MAX)]
PairReals: TypeAlias = Annotated[Floats, (MARKETS_MAX, MARKETS_MAX)]
VenueInts: TypeAlias = Annotated[Int64s, (VENUES_MAX,)]
AssetInts: TypeAlias = Annotated[Int64s, (ASSETS_MAX,)]
AssetReals: TypeAlias = Annotated[Floats, (ASSETS_MAX,)]


class Markets(Record):
    """Parameters of the markets; floats are per lot and per unit of log price."""

    count: int
    venue_of: Ints  # markets of one venue stand together
    coin_of: Ints  # markets of one coin have one tick and one lot
    spot_of: Ints  # market whose spot book hedges trade in
    index_weight: PairReals  # [k, j] weight of the spot book of market j in the index of market k
    same_count: Ints  # markets of the same coin, this one included, in order
    same: Annotated[Int64s, (MARKETS_MAX, VENUES_MAX)]
    peer_weight: PairReals  # [k, j] weight of the mid of market j in the mark of market k
    tick_lot_uusd: Ints  # money of one tick times one lot; of an inverse market, of one lot of its spot
    inverse_unit: Ints  # money that one inverse lot is worth at a price of one tick; 0: linear
    contract_uusd: Ints  # value of one inverse lot, whatever the price; 0: linear
    coin_unit: Ints  # money in one lot of spot, where the coin is the money; 0: linear
    fund_of: Ints  # number of the insurance fund
    start_fair_ticks: Ints
    basis: Reals  # perpetual's anchor ÷ index at the start
    bid_density: Reals  # lots per unit of log price, hidden ones included
    ask_density: Reals
    displayed_bid: Reals  # the displayed part of it: what a snapshot would show
    displayed_ask: Reals
    latent_slope: Reals  # lots per (unit of log price)², all of it revealed
    half_spread: Reals  # share of price
    spot_bid_density: Reals
    spot_ask_density: Reals
    sigma: Reals  # volatility per √step before the night
    beta: Reals  # typical move relative to the first market: scales the safe radius only
    funding_ppb: Ints  # last settled rate
    arbitrage_cap_lots: Ints  # taken per step by all arbitrageurs
    arbitrage_limit_lots: Ints  # largest short of one arbitrageur
    maker_limit_lots: Ints  # inventory limit of one maker
    inventory_ppm: Ints  # largest inventory of the fund behind it, as a multiple of its equity
    fund_unwind: Reals  # share of that inventory sold per step
    dip_lots: (
        Reals  # lots per step and per unit of displacement beyond the threshold, all dip buyers together
    )


class Venues(Record):
    """The rules of every venue. The seven policies are the numbers of `venues/rules.py`."""

    count: int
    first: VenueInts  # its markets are first … end − 1
    end: VenueInts
    row_first: VenueInts  # its accounts are those of `Setting.rows` from here to row_end − 1
    row_end: VenueInts
    trigger: VenueInts
    order_limit: VenueInts
    slice: VenueInts
    takeover: VenueInts
    adl_trigger: VenueInts
    adl_rank: VenueInts
    adl_price: VenueInts
    slice_ppm: VenueInts
    slice_above_uusd: VenueInts
    slice_minimum_uusd: VenueInts
    slice_maximum_uusd: VenueInts
    cooldown_s: VenueInts
    backstop_ppm: VenueInts
    vault_loss_ppm: VenueInts
    fund_drop_ppm: VenueInts
    fund_drop_uusd: VenueInts
    price_bound_ppm: VenueInts
    rest_to_fund: VenueInts
    adjustment_ppm: VenueInts
    spread_ppm: VenueInts
    mark_rule: VenueInts
    mark_window: VenueInts
    index_median: VenueInts  # 1: the index is the weighted median of its sources, else their mean
    funding_interval_s: VenueInts
    interest_ppb: VenueInts
    clamp_ppb: VenueInts
    cap_ppb: VenueInts
    fee_num: VenueInts
    fee_den: VenueInts
    halt_from: VenueInts  # step of the outage, and the first step after it
    halt_until: VenueInts
    exchange_limit_uusd: VenueInts  # a balance of −limit or less is covered out of collateral


class Assets(Record):
    """Collateral that is not the settlement asset: pledged in lots, priced in uusd a lot.

    What a lot can be redeemed for follows the index of a market, or is a number of dollars. The venue's own
    book of the asset stands around that value; `own_weight` says how much of the price that margin sees is
    that book: 1 is the own book alone, 0 the redemption value (`venues.rules.CollateralPrice`).
    """

    count: int
    venue_of: AssetInts
    market: AssetInts  # whose index the redemption value follows; −1: none, it is worth the same dollars
    start_uusd: AssetInts  # redemption value of a lot at the start
    start_index: AssetInts  # index of that market at the start [ticks]
    haircut_num: AssetInts
    haircut_den: AssetInts
    charge_num: AssetInts  # taken off what the venue sells of it
    charge_den: AssetInts
    own_weight: AssetReals
    bid_density: AssetReals  # lots per unit of log price in the own book
    resilience: AssetReals  # share of the own book's displacement that decays per step
    flight_lots: AssetReals  # sold per step by outside holders, per unit of fall of the venue's first market
    beta: AssetReals  # typical move relative to the first market: scales the safe radius only


class Params(Record):
    """Parameters that all markets share, and the switches of the mechanisms."""

    steps: int
    start_s: int  # seconds since a moment at which every venue paid funding
    ema_decay: float  # per step, of the moving average in `MarkRule.MEDIAN_WITH_EMA`
    draw: int  # tells runs apart where a venue draws lots (`AdlRank.RANDOM_START`)
    resilience: float  # share of the displacement that decays per step
    spot_resilience: float
    latent_reveal: float  # share of the gap to full revelation that closes per step
    latent_reference: float  # displacement at which half of the latent depth is being revealed
    volatility_weight: float  # weight of the newest squared return
    elasticity: float
    inventory_elasticity: float
    depth_floor: float
    down: float  # share of the gap closed per step when depth falls
    up: float
    maker_depth_share: float
    arbitrage_threshold: float
    arbitrage_latency: int
    hedge_latency: int
    dip_threshold: float
    dip_leverage: int
    exit_steps: int
    max_rounds: int
    recount_every: int  # steps between full recounts; the deltas are asserted at every step
    # switches
    liquidations: int  # LIQUIDATE | SELL_EVENLY | NEVER_CLOSE
    adl: int
    news_withdrawal: int
    cascade_withdrawal: int
    stops: int
    outage: int
    collateral: int  # 0: collateral counts at its redemption value whatever the venue's rule
    socialise: int
    trigger_last: int  # 1: margin is checked at the last price instead of mark
    no_limit: int  # 1: liquidation orders have no price limit
    double_impact: int  # 1: every fill moves the price twice (a known mistake, to show its size)
    brute: int  # 1: sweep every account instead of using the sorted triggers
    check: int  # 1: recount everything and compare with a sweep at every step


class Parties(Record):
    """Rows of the named accounts, each group in order of uid."""

    named_count: int
    named: Annotated[Int64s, (PARTIES_MAX,)]  # makers ... newcomer
    named_weight_ppm: Annotated[Int64s, (PARTIES_MAX,)]  # share of passive fills that each takes
    maker_count: int
    makers: Annotated[Int64s, (PARTIES_MAX,)]
    arbitrageur_count: int
    arbitrageurs: Annotated[Int64s, (ARBITRAGEURS_MAX,)]
    dip_count: int
    dip_buyers: Annotated[Int64s, (PARTIES_MAX,)]
    newcomer: VenueInts
    venue_makers: VenueInts  # how many each venue has
    fund_count: int
    funds: Annotated[Int64s, (FUNDS_MAX,)]  # by fund number
    exit_long: VenueInts
    exit_short: VenueInts


class Live(Record):
    """What changes in a run, apart from the accounts."""

    step: int
    spot_lots: Annotated[Int64s, (ARBITRAGEURS_MAX, MARKETS_MAX)]
    spot_cash: Annotated[Int64s, (ARBITRAGEURS_MAX,)]
    pool_lots: Ints  # the spot market on the other side
    pool_cash: int
    exit_assigned: SideInts  # lots that the exit vehicles sell evenly
    exit_carry: SideInts
    u: Reals  # displacement of the perpetual from its anchor
    spot_u: Reals  # displacement of spot from fair value
    spot_level: Reals  # e^(−spot_u)
    index_level: Reals  # index ÷ fair value
    bid_share: Reals  # depth relative to the start, after withdrawal
    ask_share: Reals
    revealed: Reals  # share of latent depth revealed
    price_variance: Reals  # of the perpetual's returns
    news_variance: Reals
    last_mid: Reals  # mid one step ago
    last_fair: Ints
    dead_makers: VenueInts
    sort_again: VenueInts  # 1: wallets of many changed; the venue's lists are to be built anew
    mid: Ints  # ticks
    index: Ints
    mark: Ints
    unit: Ints  # money that one lot long is worth at the mark
    previous_mark: Ints  # at the end of the last step
    ema_sum: Reals  # of (mid − index), and its weights
    ema_weight: Reals
    fund_high: Annotated[Int64s, (FUNDS_MAX,)]  # highest equity so far, once a minute
    cross_lots: Annotated[Int64s, (ARBITRAGEURS_MAX, MARKETS_MAX)]  # held against another venue, not spot
    cross_now: Annotated[Int64s, (ARBITRAGEURS_MAX, MARKETS_MAX)]  # of these, ordered in this step
    basis_ring: Annotated[Int64s, (MARKETS_MAX, WINDOW_MAX)]
    basis_sum: Ints
    premium_sum: Ints  # ppb, since the last funding
    premium_count: VenueInts
    funding_ppb: Ints
    u_ring: Annotated[Floats, (MARKETS_MAX, LATENCY_MAX)]
    gap_ring: Annotated[Int64s, (ARBITRAGEURS_MAX, MARKETS_MAX, LATENCY_MAX)]  # unhedged lots
    hedge_lots: Annotated[Int64s, (ARBITRAGEURS_MAX,)]  # orders of this step
    stop_count: int
    forced_lots: Ints  # walked the book in this step, by liquidations
    other_lots: Ints  # and by everybody's own orders, net
    forced_flow: Reals  # their averages over the memory of the volatility, lots per step
    other_flow: Reals
    asset_u: AssetReals  # displacement of the asset's own book from its redemption value
    asset_price: AssetInts  # that margin sees [uusd a lot]
    asset_pool: AssetInts  # lots of everybody outside; what accounts pledge is the other side
    asset_cash: AssetInts


class Tally(Record):
    """Sums over a run: what it is judged by. Money at mark unless said otherwise."""

    start_mid: Ints
    trough: Ints
    trough_step: Ints
    end_mid: Ints
    forced: SideInts  # lots of that side closed by liquidation = book + takeover + adl
    forced_uusd: SideInts
    opened: SideInts
    voluntary: SideInts
    deleveraged: SideInts  # winners' lots closed by ADL
    book: Ints  # of the forced lots, filled in the book
    takeover: Ints
    adl: Ints
    book_uusd: Ints
    takeover_uusd: Ints
    adl_uusd: Ints
    interest_before: Ints  # open interest, lots
    interest_after: Ints
    stops: Ints  # accounts whose stop traded
    accounts_forced: Ints
    spot_sold: Ints  # lots, net, by arbitrageurs
    moved_lots: Ints  # left one account without reaching another: always 0
    moved_uusd: VenueInts  # the same of money, venue by venue: money never leaves one
    moved_assets: AssetInts
    exchanged_lots: AssetInts  # collateral sold by venues to cover balances
    exchanged_uusd: AssetInts  # what it fetched
    seized_lots: AssetInts  # taken by funds instead
    asset_lowest_uusd: AssetInts  # lowest price of a lot that margin saw
    asset_lowest_ppm: AssetInts  # and the lowest as a part of the redemption value
    fund_before: Annotated[Int64s, (FUNDS_MAX,)]
    fund_after: Annotated[Int64s, (FUNDS_MAX,)]
    first_liquidation_step: VenueInts  # −1: none
    first_adl_step: VenueInts
    deficit_uusd: Ints  # losses beyond bankruptcy prices
    socialised_uusd: int
    fees_uusd: int
    forfeited_uusd: int  # margin left after a liquidation that the venue keeps
    checks: int
    residual_uusd: int
    interest_imbalance: int
    rounds: int
    sweeps: int
    makers_liquidated: int
    bankrupt_wallets: int
    funding_payments: int
    fired_liquidations: int
    fired_adl: int
    fired_news: int
    fired_cascade: int
    fired_stops: int
    fired_outage: int
    fired_collateral: int


class Bar(Record):
    """One minute of one market; prices in ticks."""

    open: int
    high: int
    low: int
    close: int
    mark: int
    index: int
    liquidated: Annotated[Int64s, (2,)]  # lots by side
    liquidated_uusd: Annotated[Int64s, (2,)]
    book: int
    takeover: int
    adl: int
    stops: int
    open_interest: int
    fund_uusd: int
    bid_share: float
    ask_share: float
    spread: float


class Found(Record):
    """How far the search for liquidatable accounts has come. See `engine/finder.py`."""

    single_first: Annotated[Int64s, (MARKETS_MAX, 2)]  # where the lists begin, by market and side
    single_end: Annotated[Int64s, (MARKETS_MAX, 2)]  # and end
    single_next: Annotated[Int64s, (MARKETS_MAX, 2)]  # first not yet reached
    stop_end: Annotated[Int64s, (MARKETS_MAX, 2)]
    stop_next: Annotated[Int64s, (MARKETS_MAX, 2)]
    many_first: Annotated[Int64s, (VENUES_MAX, 4)]  # by venue and kind: long, short, mixed, with collateral
    many_end: Annotated[Int64s, (VENUES_MAX, 4)]
    many_next: Annotated[Int64s, (VENUES_MAX, 4)]
    reference: Ints  # marks of the radii
    lowest: Ints  # extremes of the mark since then
    highest: Ints
    adl_step: Annotated[Int64s, (MARKETS_MAX, 2)]  # second of the ranking, by market and liquidated side
    adl_length: Annotated[Int64s, (MARKETS_MAX, 2)]  # candidates left in its heap
    nearest_low: Ints  # nearest bounds of the watch list
    nearest_high: Ints
    asset_reference: AssetInts  # the same for prices of collateral, which only hurt when they fall
    asset_lowest: AssetInts
    nearest_asset: AssetInts
    watch_count: int


_DTYPES: dict[type[Record], np.dtype[np.void]] = {}

Bars: TypeAlias = npt.NDArray[np.void]
R = TypeVar("R", bound=Record)


def dtype_of(record: type[Record]) -> np.dtype[np.void]:
    """Memory layout of a record class, from its annotations."""
    if record not in _DTYPES:
        fields: list[tuple[str, type, tuple[int, ...]]] = []
        for name, hint in get_type_hints(record, include_extras=True).items():
            if hint is int or hint is float:
                fields.append((name, np.int64 if hint is int else np.float64, ()))
            elif hasattr(hint, "__metadata__"):
                kind = np.float64 if "float64" in str(hint.__origin__) else np.int64
                fields.append((name, kind, hint.__metadata__[0]))
        _DTYPES[record] = np.dtype(fields, align=True)
    return _DTYPES[record]


def new(record: type[R]) -> R:
    """A record of zeros."""
    return cast(R, np.zeros(1, dtype=dtype_of(record)).view(np.recarray)[0])


def copied(record: R) -> R:
    """An independent copy of a record."""
    array = np.zeros(1, dtype=record.dtype).view(np.recarray)
    array[0] = record
    return cast(R, array[0])


def new_bars(minutes: int, markets: int) -> Bars:
    """Bars of a run, [minutes, markets]."""
    return np.zeros((minutes, markets), dtype=dtype_of(Bar)).view(np.recarray)


class Setting(NamedTuple):
    """Everything that a phase of the step may look at or change."""

    markets: Markets
    venues: Venues
    assets: Assets
    params: Params
    tiers: Tiers
    parties: Parties
    live: Live
    tally: Tally
    uid: Int64s  # [N] names; ties are broken by them
    role: Int64s  # [N]
    venue: Int64s  # [N]
    rows: Int64s  # [N] rows by venue, so that a venue's accounts are found without looking at all
    wallet: Int64s  # [N] money of its venue
    size: Int64s  # [N, K] lots, long > 0
    cost: Int64s  # [N, K] money, signed cost of the open size (< 0 for an inverse long)
    pledged: Int64s  # [N, A] lots of collateral
    pledgers: Int64s  # rows that pledge any at the start, by uid
    closed: Bools  # [N] liquidated, or left alone for good
    in_round: Bools  # [N] being liquidated in this round
    ordered: Int64s  # [N] step of the last liquidation order that left something open, far past if none
    waits: Bools  # [N] no further order in the step of its last one
    stop_list: Int64s  # [N] rows whose stops fired in the last step
    bars: Bars  # [minutes, K]


class Finder(NamedTuple):
    """Who could be liquidatable next, without looking at everybody."""

    found: Found
    single_rows: Int64s  # rows of accounts in one market, by market, side and trigger
    single_trigger: Int64s
    stop_rows: Int64s
    stop_trigger: Int64s
    many_rows: Int64s  # rows of accounts in several markets, by kind and radius
    many_radius: Floats
    watched: Bools  # [N] in the watch list
    watch: Int64s  # [N] rows that changed, or whose radius was used up
    box: Int64s  # [N, 2, K] marks at which a watched account must be looked at again
    asset_box: Int64s  # [N, A] prices of collateral at which it must be
    adl_rows: Int64s  # [2K, M] candidates for deleveraging of this second, by market and liquidated side
    adl_score: Floats  # [2K, M]
    adl_heap: Int64s  # [2K, M] numbers of candidates, the first in rank on top
