"""Every family of files that can be imported. A new one is a file beside this and a line here."""

from __future__ import annotations

from deleverage.data.importers import (
    adl_totals,
    binance_candles,
    binance_rest,
    coinglass_depth,
    coinglass_interest,
    coinglass_liquidations,
    coinglass_ohlc,
    coinglass_pairs,
    compact_tiers,
    daily_bars,
    forced_orders,
    freqtrade,
    hyperliquid_meta,
    leverage_tiers,
    multi_venue,
    raw_stream,
    settled_funding,
    spot_hourly,
)
from deleverage.data.importers.aave import AAVE
from deleverage.data.importers.adl_accounts import ACCOUNTS
from deleverage.data.importers.adl_derived import DERIVED
from deleverage.data.importers.base import Importer
from deleverage.data.importers.binance_archive import ARCHIVE
from deleverage.data.importers.coinglass_funds import FUNDS
from deleverage.data.importers.coinglass_lists import LISTS
from deleverage.data.importers.coinglass_other import OTHER
from deleverage.data.importers.coinglass_series import SERIES
from deleverage.data.importers.daily_series import DAILY
from deleverage.data.importers.farside import FARSIDE
from deleverage.data.importers.fear_greed import FEAR_GREED
from deleverage.data.importers.hyperliquid_launch import LAUNCH
from deleverage.data.importers.hyperliquid_whales import WHALES
from deleverage.data.importers.multi_venue_other import OTHERS
from deleverage.data.importers.night_volumes import NIGHT
from deleverage.data.importers.okx import OKX

# In order of trust: where two files speak of the same row, the earlier family is read first and stays.
IMPORTERS: tuple[Importer, ...] = (
    binance_candles.KLINES,
    binance_candles.MINUTES,
    binance_rest.BARS,
    spot_hourly.SPOT_HOURLY,
    multi_venue.CANDLES,
    freqtrade.FEATHER,
    freqtrade.JSON,
    daily_bars.PLAIN,
    multi_venue.FUNDING,
    settled_funding.SETTLED_FUNDING,
    binance_rest.FUNDING,
    *ARCHIVE,
    forced_orders.LOG,
    forced_orders.SNAPSHOT,
    raw_stream.STREAM,
    coinglass_interest.INTEREST,
    coinglass_pairs.PAIRS,
    coinglass_depth.DEPTH,
    coinglass_depth.AGGREGATED,
    coinglass_liquidations.HISTORY,
    coinglass_liquidations.LIST,
    coinglass_ohlc.BARS,
    coinglass_ohlc.PRICES,
    *SERIES,
    *LISTS,
    *FUNDS,
    *OTHER,
    *OTHERS,
    *OKX,
    leverage_tiers.TIERS,
    compact_tiers.COMPACT,
    hyperliquid_meta.META,
    adl_totals.ADL_NET,
    adl_totals.ADL_BY_COIN,
    *ACCOUNTS,
    *DERIVED,
    *WHALES,
    *LAUNCH,
    *AAVE,
    FARSIDE,
    *FEAR_GREED,
    daily_bars.YAHOO,
    *DAILY,
    *NIGHT,
)
