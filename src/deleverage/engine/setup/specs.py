"""What does somebody say to set up a market? Figures that people know: USD, coins, shares, seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from deleverage.positions.population import PopulationPrior
from deleverage.venues.rules import Mark, MarkRule, TierTable, Waterfall


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
