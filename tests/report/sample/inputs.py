"""Where the figures of a made-up scenario come from."""

from __future__ import annotations

import polars as pl


def figures() -> pl.DataFrame:
    rows = [
        (
            "markets.BTC.start_price",
            "116,836.7",
            "USD/coin",
            "observed",
            "binance_perp_btcusdt_1m_20251010_window, open of 20:49",
        ),
        (
            "markets.BTC.open_interest",
            "128,739",
            "coins",
            "observed",
            "coinglass_2025/20251010, pairs snapshot of 20:05",
        ),
        (
            "markets.BTC.depth_bid_1pct",
            "202,989,593",
            "USD",
            "observed",
            "coinglass_2025/20251114, order book of 20:00",
        ),
        (
            "markets.ETH.start_price",
            "4,000.59",
            "USD/coin",
            "assumed",
            "value of 20:05; no minute data for ETH",
        ),
        (
            "markets.BTC.tiers",
            "Binance, 2025-10-09",
            "",
            "observed",
            "leverage_tiers/binance_leverage_tiers_2025-10-09.json",
        ),
        ("funds.btc_eth_bnb", "1.23e9", "USD", "observed", "third party, event_moments_2025-10-10.json"),
        ("news.shock", "uniform 1.6 % to 3.5 %", "share", "assumed", "net fall and low of 20:50–21:05"),
        (
            "population.fuel_13pct",
            "log-uniform 5 % to 60 %",
            "share",
            "assumed",
            "leverage mixes and wallets on Hyperliquid",
        ),
        ("book.hidden_depth", "uniform 1.4 to 3.0", "x", "assumed", "signed flow of the night before 21:12"),
        ("book.latent_tau", "log-uniform 5 min to 60 min", "s", "assumed", "no observation"),
        ("makers.withdrawal_vol", "8.1", "1", "fitted", "other episodes, not this night"),
        ("run.step", "1", "s", "set by user", "--set run.step=1"),
    ]
    return pl.DataFrame(rows, schema=["key", "value", "unit", "mark", "source"], orient="row")
