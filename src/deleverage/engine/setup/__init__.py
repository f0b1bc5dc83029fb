"""From figures that people know (USD, coins, shares, seconds) to the arrays that kernels take."""

from deleverage.engine.setup.collateral import build_assets, pledge
from deleverage.engine.setup.markets import (
    SECONDS_PER_YEAR,
    Money,
    build_markets,
    fill_market,
    join_venues,
    money_of,
    order_funds,
    settle,
)
from deleverage.engine.setup.parties import find_parties
from deleverage.engine.setup.scales import above, below, gap_per_step, per_step, whole
from deleverage.engine.setup.specs import (
    AssetSpec,
    BookSpec,
    FundSpec,
    MarketSpec,
    PartiesSpec,
    RulesSpec,
    VenueSpec,
)
from deleverage.engine.setup.venues import build_params, build_venues
from deleverage.engine.setup.world import (
    Contracts,
    MarketWorld,
    build_contracts,
    build_world,
    permuted,
    switched,
)

__all__ = [
    "Contracts",
    "build_contracts",
    "AssetSpec",
    "BookSpec",
    "FundSpec",
    "MarketSpec",
    "MarketWorld",
    "Money",
    "PartiesSpec",
    "RulesSpec",
    "SECONDS_PER_YEAR",
    "VenueSpec",
    "above",
    "below",
    "build_assets",
    "build_markets",
    "build_params",
    "build_venues",
    "build_world",
    "fill_market",
    "find_parties",
    "gap_per_step",
    "join_venues",
    "money_of",
    "order_funds",
    "per_step",
    "permuted",
    "pledge",
    "settle",
    "switched",
    "whole",
]
