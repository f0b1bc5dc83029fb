"""Which figures a scenario holds: one class per section of the TOML, each field with its unit and meaning."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from deleverage.experiment.scenario.figure import Figure, Needs, Strict, wrong

Positive = Annotated[int, Field(ge=1)]


class RunSize(Strict):
    """How large the ensemble is. Plain integers, no figures of the market."""

    seeds: Positive
    points: Positive
    """Points drawn from the priors; each gets ``seeds / points`` replicates."""
    accounts: Positive
    tipping_depths: Annotated[tuple[float, ...], Field(strict=False, min_length=1)]
    """Multiples of the scenario's depth at which the factual ensemble is run again."""
    tipping_seeds: Positive

    @model_validator(mode="after")
    def _sizes(self) -> RunSize:
        depths = self.tipping_depths
        if any(depth <= 0 for depth in depths) or any(a >= b for a, b in pairwise(depths)):
            raise wrong(
                "depths above 0 that increase",
                str(list(depths)),
                "Sort them, e.g. [0.5, 1.0, 2.0].",
                key="tipping_depths",
            )
        return self


class Market(Strict):
    """One market at the start: contract, prices, open interest, books, volatility."""

    venue: str | None = None
    """A key of [venues]; absent: the scenario's venue."""
    coin: str | None = None
    """What is traded; absent: the market's own name. Markets of one coin share its news."""
    symbol: Annotated[str, Field(min_length=1)]
    fund: Annotated[str, Field(min_length=1)]
    tick_usd: Annotated[Figure, Needs("USD", "the smallest step of the price", above=0)]
    lot_coins: Annotated[Figure, Needs("coins", "the smallest step of a size", above=0)]
    contract_usd: (
        Annotated[
            Figure,
            Needs("USD", "the value of one inverse contract (lot_coins is that of its spot)", above=0),
        ]
        | None
    ) = None
    start_price: Annotated[Figure, Needs("USD/coin", "the perpetual's mid at the start", above=0)]
    start_index: Annotated[Figure, Needs("USD/coin", "the index at the start", above=0)]
    open_interest_coins: Annotated[Figure, Needs("coins", "open contracts, one side counted", above=0)]
    last_funding_rate: Annotated[
        Figure,
        Needs("share", "the last settled funding rate per 8 h, > 0 when longs pay", low=-0.05, high=0.05),
    ]
    depth_bid_coins: Annotated[Figure, Needs("coins", "displayed bids within depth_range of mid", above=0)]
    depth_ask_coins: Annotated[Figure, Needs("coins", "displayed offers within depth_range of mid", above=0)]
    depth_range: Annotated[
        Figure, Needs("share", "the distance from mid within which depth is summed", above=0, high=0.99)
    ]
    half_spread_bps: Annotated[Figure, Needs("bp", "half the quoted spread")]
    spot_bid_coins: Annotated[
        Figure, Needs("coins", "displayed spot bids within spot_range of mid; 0 where the venue has no spot")
    ]
    spot_ask_coins: Annotated[
        Figure,
        Needs("coins", "displayed spot offers within spot_range of mid; 0 where the venue has no spot"),
    ]
    spot_range: Annotated[
        Figure, Needs("share", "the distance from mid within which spot depth is summed", above=0, high=0.99)
    ]
    volatility_annual: Annotated[
        Figure, Needs("share", "realised volatility before the start, per year", high=20)
    ]
    volume_24h_coins: Annotated[Figure, Needs("coins", "traded in the 24 h before the start", above=0)]
    news_beta: Annotated[
        Figure, Needs("ratio", "the fall of this market's news per unit of news.shock", low=-10)
    ]


class Venue(Strict):
    """One of several venues: what its index is made of, and whether it goes out."""

    index: dict[str, Annotated[float, Field(ge=0)]]
    """Weight of each venue's spot market in the index."""
    index_rule: Literal["mean", "median"]
    peers: dict[str, Annotated[float, Field(ge=0)]]
    """Weight of each other venue's perpetual in the mark, where the venue's rule asks for them."""
    depth_multiple: Annotated[
        Figure, Needs("x", "what stands in its books per coin that the scenario states", above=0)
    ]
    halt_from_s: Annotated[Figure, Needs("s", "when the venue goes out, from the start of the run", high=1e7)]
    halt_for_s: Annotated[Figure, Needs("s", "how long the venue is out; 0 is not at all", high=1e7)]


class Book(Strict):
    """How the books behave: what stands behind the displayed coins, and how fast a hole closes."""

    hidden_depth: Annotated[Figure, Needs("x", "coins that really stand behind one displayed coin", above=0)]
    latent_y: Annotated[Figure, Needs("ratio", "the prefactor Y of the square-root law", above=0)]
    latent_reveal_s: Annotated[Figure, Needs("s", "the time in which latent orders come forward", above=0)]
    resilience_half_life_s: Annotated[Figure, Needs("s", "the half life of consumed depth", above=0)]
    spot_breadth: Annotated[
        Figure, Needs("x", "coins on all spot venues of the index per coin on the first", above=0)
    ]
    spot_resilience_half_life_s: Annotated[
        Figure, Needs("s", "the half life of consumed spot depth", above=0)
    ]


class Withdrawal(Strict):
    """How makers take displayed depth away, fast, and bring it back, slowly."""

    volatility_elasticity: Annotated[Figure, Needs("ratio", "e in depth = 1 / (1 + e (sigma / sigma0 - 1))")]
    inventory_elasticity: Annotated[
        Figure, Needs("ratio", "loss of depth as the makers' inventory nears its limit")
    ]
    down_s: Annotated[Figure, Needs("s", "the time constant of withdrawal", above=0)]
    up_s: Annotated[Figure, Needs("s", "the time constant of refill", above=0)]
    volatility_half_life_s: Annotated[Figure, Needs("s", "the half life of the lagged volatility", above=0)]
    floor: Annotated[Figure, Needs("share", "the share of displayed depth that never leaves", above=0)]


class News(Strict):
    """The outside cause: a fall of the fundamental price between two moments."""

    shock: Annotated[
        Figure, Needs("share", "the fall that the news alone causes, > 0 down", low=-0.5, high=0.5)
    ]
    starts_s: Annotated[Figure, Needs("s", "when the news begins, from the start of the run")]
    ends_s: Annotated[Figure, Needs("s", "when the news is fully known, from the start of the run", above=0)]
    correlation: Annotated[Figure, Needs("share", "the correlation of noise between markets")]


class Population(Strict):
    """Who holds the open interest, and how far each is from the end of the position."""

    fuel: Annotated[Figure, Needs("share", "the share of long open interest that a fall of 13 % liquidates")]
    fuel_shape: Annotated[Figure, Needs("ratio", "the Weibull shape of the liquidation distance", above=0)]
    short_fuel: Annotated[
        Figure, Needs("share", "the share of short open interest that a rise of 13 % liquidates")
    ]
    isolated_share: Annotated[Figure, Needs("share", "the share of accounts with isolated margin")]
    multi_market_share: Annotated[Figure, Needs("share", "the share of cross accounts with several markets")]
    mixed_side_share: Annotated[
        Figure, Needs("share", "the share of those that are long one and short another")
    ]
    size_tail: Annotated[Figure, Needs("ratio", "the Pareto exponent of position sizes", above=0)]
    largest_share: Annotated[
        Figure, Needs("share", "the largest share of open interest in one account", above=0)
    ]
    entry_offset: Annotated[
        Figure,
        Needs("share", "the mean entry price above the start price, as a share of it", low=-0.5, high=0.5),
    ]
    entry_sd: Annotated[Figure, Needs("share", "the spread of entry prices, as a share of the start price")]
    stop_share: Annotated[Figure, Needs("share", "the share of accounts in one market with a voluntary stop")]
    stop_distance: Annotated[
        Figure, Needs("share", "the median distance of stops from the start price", above=0)
    ]
    max_leverage: (
        Annotated[Figure, Needs("x", "the cap on everyone's leverage; absent for none", low=1)] | None
    ) = None


class Makers(Strict):
    """Market makers: named accounts that quote a share of the displayed depth and can be liquidated."""

    count: Annotated[Figure, Needs("count", "the number of market makers", low=2, whole=True)]
    depth_share: Annotated[Figure, Needs("share", "their share of the displayed depth")]
    capital_usd: Annotated[Figure, Needs("USD", "capital of each", above=0)]
    fill_share: Annotated[Figure, Needs("share", "their share of what the book fills")]
    inventory_limit_usd: Annotated[Figure, Needs("USD", "the largest inventory of each", above=0)]


class Arbitrage(Strict):
    """Traders that close the gap of perpetual and index; some start short the perpetual."""

    count: Annotated[Figure, Needs("count", "the number of arbitrageurs", whole=True)]
    capital_usd: Annotated[Figure, Needs("USD", "capital of each", above=0)]
    fill_share: Annotated[Figure, Needs("share", "their share of what the book fills")]
    start_short_share: Annotated[Figure, Needs("share", "the share of open interest that they start short")]
    latency_s: Annotated[Figure, Needs("s", "the delay before they see a gap")]
    capacity_usd_per_s: Annotated[Figure, Needs("USD/s", "the most that they trade, all together")]
    threshold_bps: Annotated[Figure, Needs("bp", "the gap from which they act")]
    hedge_latency_s: Annotated[Figure, Needs("s", "the delay of the other leg after a fill or an ADL")]


class ProfitTakers(Strict):
    """Shorts that buy back into the fall."""

    count: Annotated[Figure, Needs("count", "the number of such shorts", whole=True)]
    start_short_share: Annotated[Figure, Needs("share", "the share of open interest that they start short")]
    fill_share: Annotated[Figure, Needs("share", "their share of what the book fills")]
    capital_usd: Annotated[Figure, Needs("USD", "capital of each", above=0)]


class DipBuyers(Strict):
    """Buyers who come in when price is far enough below its start."""

    count: Annotated[Figure, Needs("count", "the number of dip buyers", whole=True)]
    capital_usd: Annotated[Figure, Needs("USD", "capital of each", above=0)]
    threshold: Annotated[Figure, Needs("share", "the displacement from which they buy")]
    rate_usd_per_s: Annotated[Figure, Needs("USD/s", "what all buy per second and per 1 % of displacement")]
    max_leverage: Annotated[Figure, Needs("x", "their largest leverage", above=0, high=150)]


class Newcomers(Strict):
    """New accounts that take what the named counterparties cannot."""

    capital_usd: Annotated[Figure, Needs("USD", "capital of them all", above=0)]


class Insurance(Strict):
    """One insurance fund."""

    usd: Annotated[Figure, Needs("USD", "the balance at the start")]
    inventory_multiple: Annotated[
        Figure, Needs("x", "the largest taken-over notional as a multiple of the fund", high=1000)
    ]
    unwind_half_life_s: Annotated[Figure, Needs("s", "the half life of taken-over positions", above=0)]


class Collateral(Strict):
    """An asset that cross accounts pledge besides the settlement asset, and the venue's own book of it.

    Haircut, price rule and what the venue takes when it sells come from the venue's rule set.
    """

    asset: Annotated[str, Field(min_length=1)]
    """Its name in the collateral schedule of the venue."""
    venue: str | None = None
    """A key of [venues]; absent: the scenario's venue."""
    follows: str | None = None
    """Market of that venue whose index its redemption value follows; absent: it redeems for dollars."""
    price: Literal["venue", "own-book", "index", "redemption"]
    """By which price margin values it: the venue's rule on the day, or another one."""
    lot_coins: Annotated[Figure, Needs("coins", "the step in which it is pledged and sold", above=0)]
    start_price: Annotated[Figure, Needs("USD/coin", "what it can be redeemed for at the start", above=0)]
    index_weight: Annotated[
        Figure, Needs("share", "the weight of the venue's own book in an index of the asset")
    ]
    depth_coins: Annotated[
        Figure, Needs("coins", "bids in the own book within depth_range, hidden ones included", above=0)
    ]
    depth_range: Annotated[
        Figure,
        Needs("share", "the distance below the price within which these bids stand", above=0, high=0.99),
    ]
    half_life_s: Annotated[Figure, Needs("s", "the half life of a displacement of the own book", above=0)]
    flight_usd_per_s: Annotated[
        Figure, Needs("USD/s", "sold by holders outside while the venue's first market is 10 % down")
    ]
    account_share: Annotated[Figure, Needs("share", "the cross accounts that pledge it")]
    margin_share: Annotated[Figure, Needs("share", "the part of such an account's margin that it is")]


class Fees(Strict):
    """What a liquidation costs."""

    liquidation_fee: Annotated[Figure, Needs("share", "the fee on liquidated notional", high=0.1)]


class Exit(Strict):
    """What 'no liquidations' means: the coins of whoever fails are sold evenly over these hours."""

    hours: Annotated[
        Figure, Needs("hours", "the hours over which the coins of whoever fails are sold evenly", above=0)
    ]


class VenueRules(Strict):
    """Switches of the venue's machinery. Plain values, no figures; the margin tiers live with the venue."""

    mark_window_s: Positive
    trigger: Literal["mark", "last"]
    order_limit: Literal["bankruptcy", "none"]
    impact: Literal["single", "double"]
    socialise: bool
    collateral: bool = True
    """Whether holders pledge the assets of [collateral.*]; else all margin is the settlement asset."""
    funding_interval_h: Positive


class Published(Strict):
    """A figure that someone published about the episode: compared with the run, never an input of it."""

    id: Annotated[str, Field(min_length=1)]
    text: Annotated[str, Field(min_length=1)]
    quantity: str
    """Dotted path in the summary of the run, or empty where the run has no such quantity."""
    market: str
    value: float | None = None
    unit: str
    by_whose_count: str
    venue_set: str
    comparable: bool
    """True only where venues and quantity are those of the run."""
    used_to_fit: bool
    source: Annotated[str, Field(min_length=1)]
