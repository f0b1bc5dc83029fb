"""Every family of files that can be imported. A new one is a file beside this and a line here."""

from __future__ import annotations

from deleverage.data.importers import (
    adl_totals,
    binance_candles,
    coinglass_depth,
    coinglass_interest,
    coinglass_pairs,
    hyperliquid_meta,
    leverage_tiers,
    multi_venue,
    settled_funding,
    spot_hourly,
)
from deleverage.data.importers.base import Importer

# In order of trust: where two files speak of the same row, the earlier family is read first and stays.
IMPORTERS: tuple[Importer, ...] = (
    binance_candles.KLINES,
    binance_candles.MINUTES,
    spot_hourly.SPOT_HOURLY,
    multi_venue.CANDLES,
    multi_venue.FUNDING,
    settled_funding.SETTLED_FUNDING,
    coinglass_interest.INTEREST,
    coinglass_pairs.PAIRS,
    coinglass_depth.DEPTH,
    coinglass_depth.AGGREGATED,
    leverage_tiers.TIERS,
    hyperliquid_meta.META,
    adl_totals.ADL_NET,
    adl_totals.ADL_BY_COIN,
)
