"""Worked examples of Binance, reckoned by hand from its formulas, which stand with them.

A row is (venue, kind, inputs, expected). Numbers are exact (`F`), as an example prints them, or texts.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

F = Fraction
Row = tuple[str, str, dict[str, Any], dict[str, Any]]

USDM, COINM = "Binance USD-M", "Binance COIN-M"
FAQ = {"symbol": "BTCUSDT", "side": 1, "q": 109.488, "ep": 32481.98, "mmr": 0.025, "cum": 16300}
ETH = {"symbol": "ETHUSDT", "side": 1, "q": 3683.979, "ep": 1456.84, "mmr": 0.1, "cum": 135365}
SHORT = {"symbol": "SOLUSDT", "side": "short", "q": 100, "ep": 200, "mark": 150, "mmr": 0.01, "cum": 75}
BTC_FLOORS = [0, 50_000, 250_000, 1_000_000]
BTC_RATES = [0.004, 0.005, 0.01, 0.025]  # D = 0, 50, 1,300, 16,300

BINANCE: list[Row] = [
    # (WB + cum − q·EP) / (q·r − q): the venue prints 18,778.73, and 1,153.26 for the cross one below
    (
        USDM,
        "liquidation_price",
        {"mode": "isolated", "wallet_balance": 1535443.01, "position": FAQ, "others": []},
        {
            "liquidation_price": (F("1535443.01") + 16300 - F("109.488") * F("32481.98"))
            / (F("109.488") * F("-0.975"))
        },
    ),
    # TMM₁ = 109.488·31,967.27·0.025 − 16,300, UPNL₁ = 109.488·(31,967.27 − 32,481.98)
    (
        USDM,
        "liquidation_price",
        {
            "mode": "cross",
            "wallet_balance": 1535443.01,
            "position": ETH,
            "others": [{**FAQ, "mark": 31967.27}],
        },
        {
            "liquidation_price": (
                F("1535443.01")
                - (F("109.488") * F("31967.27") * F("0.025") - 16300)
                + F("109.488") * (F("31967.27") - F("32481.98"))
                + 135365
                - F("3683.979") * F("1456.84")
            )
            / (F("3683.979") * F("-0.9"))
        },
    ),
    # a short with a short beside it: W = 5,000 + 100·(200 − 150) − (15,000·0.01 − 75) = 9,925
    (
        USDM,
        "liquidation_price",
        {
            "mode": "cross",
            "wallet_balance": "5000",
            "position": {"side": -1, "q": "0.5", "ep": "60000", "mmr": "0.005", "cum": "50"},
            "others": [SHORT],
        },
        {"liquidation_price": F(9925 + 50 + 30000) / (F("0.5") * F("1.005"))},
    ),
    # the totals of the other markets in place of them
    (
        USDM,
        "liquidation_price",
        {
            "mode": "cross",
            "wallet_balance": 1000,
            "side": 1,
            "q": 1,
            "ep": 5000,
            "mmr": 0.01,
            "tmm1": 40,
            "upnl1": -60,
        },
        {"liquidation_price": F(1000 - 40 - 60 - 5000) / (F("0.01") - 1)},
    ),
    # more margin than it is worth: the formula's price is below 0
    (
        USDM,
        "liquidation_price",
        {"mode": "isolated", "side": "long", "q": 2, "ep": 100, "wallet_balance": 500, "mmr": 0.004},
        {"liquidation_price": F(500 - 200) / (F("0.008") - 2), "bankruptcy_price": F(500 - 200, -2)},
    ),
    # no margin at all: a long at once, at E/(1 − r)
    (
        USDM,
        "liquidation_price",
        {"mode": "isolated", "side": 1, "q": 3, "ep": 50, "wallet_balance": 0, "mmr": 0.02, "cum": 0},
        {"liquidation_price": F(50) / F("0.98"), "bankruptcy_price": 50},
    ),
    # other leverage, no deduction given
    (
        USDM,
        "liquidation_price",
        {"mode": "isolated", "side": -1, "leverage": 125, "q": 0.001, "ep": 65432.1, "mmr": 0.004},
        {"liquidation_price": F("65432.1") * (1 + F(1, 125)) / F("1.004")},
    ),
    # of whatever size
    (
        USDM,
        "liquidation_price",
        {
            "side": 1,
            "leverage": 10,
            "q": 1e9,
            "ep": 1e-7,
            "wallet_balance": "q*ep/leverage",
            "mmr": 0.05,
            "cum": 1,
        },
        {"liquidation_price": F(10 + 1 - 100) / (10**9 * F("-0.95"))},
    ),
    # hedge mode, net short: (10,000 + 300 − 1·50,000 + 3·48,000) / (0.004 + 3·0.005 − 1 + 3)
    (
        USDM,
        "liquidation_price",
        {
            "mode": "cross-hedge",
            "wallet_balance": 10000,
            "qL": 1,
            "epL": 50000,
            "mmrL": 0.004,
            "cumL": 0,
            "qS": 3,
            "epS": 48000,
            "mmrS": 0.005,
            "cumS": 300,
        },
        {"liquidation_price": F(10000 + 300 - 50000 + 144000) / F("2.019")},
    ),
    # hedge mode with another market; only the long leg is there
    (
        USDM,
        "liquidation_price",
        {
            "mode": "cross-hedge",
            "wallet_balance": 4000,
            "qL": 2,
            "epL": 10000,
            "mmrL": 0.01,
            "cumL": 0,
            "qS": 0,
            "others": [SHORT],
        },
        {"liquidation_price": F(4000 + 5000 - 75 - 20000) / (F("0.02") - 2)},
    ),
    # one-way and both hedge legs of one market, the venue's longest form
    (
        USDM,
        "liquidation_price",
        {
            "mode": "cross-hedge",
            "wallet_balance": 9000,
            "qB": 1,
            "epB": 10000,
            "mmrB": 0.01,
            "cumB": 5,
            "sideB": -1,
            "qL": 2,
            "epL": 9000,
            "mmrL": 0.02,
            "cumL": 7,
            "qS": 4,
            "epS": 11000,
            "mmrS": 0.03,
            "cumS": 9,
        },
        {"liquidation_price": F(9000 + 5 + 7 + 9 + 10000 - 18000 + 44000) / F("3.17")},
    ),
    # the tier at the liquidation price counts: a long of 300,000 ends in the tier below 250,000
    (
        USDM,
        "liquidation_price",
        {
            "side": 1,
            "q": 10,
            "ep": 30000,
            "leverage": 5,
            "floors": BTC_FLOORS,
            "mmr": BTC_RATES,
        },
        {"liquidation_price": F(60000 + 50 - 300000) / F("-9.95")},
    ),
    (
        "Binance USD-M",
        "maintenance_amount",
        {"floors": [0, 1000, 5000], "mmr": ["0.01", "0.02", "0.05"]},
        {"cum_1": 0, "cum_2": 10, "cum_3": 160},
    ),
    (
        USDM,
        "maintenance_amount",
        {"notional": 1_000_000, "floors": BTC_FLOORS, "mmr": BTC_RATES},
        {"maintenance_amount": 16300, "mmr": F("0.025"), "cum": 16300},
    ),
    (
        USDM,
        "maintenance_amount",
        {"notional": "249999.99", "floors": BTC_FLOORS, "mmr": BTC_RATES},
        {"maintenance_amount": 50, "mmr": F("0.005")},
    ),
    (
        USDM,
        "maintenance_amount",
        {"floor": 250000, "mmr_prev": 0.005, "mmr": 0.01, "cum_prev": 50},
        {"cum": 1300},
    ),
    # ETHUSDT of 2025-10-09 from the program's own rule set
    (
        USDM,
        "maintenance_amount",
        {"symbol": "ETHUSDT", "date": "2025-10-10", "notional": 9_000_000},
        {"cum": 12000, "mmr": F("0.01")},
    ),
    (
        USDM,
        "maintenance_tier_lookup",
        {"notional": 50_000, "floors": BTC_FLOORS, "mmr": BTC_RATES},
        {"mmr": F("0.005"), "cum": 50},
    ),
    (
        USDM,
        "maintenance_tier_lookup",
        {"notional": 0, "floors": BTC_FLOORS, "mmr": BTC_RATES},
        {"mmr": F("0.004"), "cum": 0},
    ),
    (
        USDM,
        "maintenance_tier_lookup",
        {"notional": 10**12, "floors": BTC_FLOORS, "mmr": BTC_RATES},
        {"mmr": F("0.025"), "cum": 16300},
    ),
    (
        USDM,
        "maintenance_tier_lookup",
        {"notional": 999, "floors": [0], "mmr": [0.5]},
        {"mmr": F("0.5"), "cum": 0},
    ),
    (
        USDM,
        "maintenance_margin",
        {"notional": 123456.789, "mmr": 0.005, "cum": 50},
        {"maintenance_margin": F("567.283945")},
    ),
    (
        USDM,
        "maintenance_margin",
        {"notional": "1e9", "mmr": "0.5", "cum": "421482000"},
        {"maintenance_margin": 78518000},
    ),
    (
        USDM,
        "maintenance_margin",
        {"symbol": "BTCUSDT", "notional": 5_000_000, "at": "2025-10-10"},
        {"maintenance_margin": 38000},
    ),
    (
        USDM,
        "maintenance_margin",
        {"symbol": "SOLUSDT", "q": -2000, "mark": 150.5},
        {"maintenance_margin": F("1881.5")},
    ),
    # sold = deficit ÷ (1 − h)
    (USDM, "auto_exchange", {"deficit": 12345.67, "haircut": 0.05}, {"sold": F("12345.67") / F("0.95")}),
    (USDM, "auto_exchange", {"deficit": "10000", "collateral_ratio": "0.9"}, {"sold": F(100000, 9)}),
    (USDM, "auto_exchange", {"deficit": -7000, "haircut": 0}, {"sold": 7000}),
    (USDM, "auto_exchange", {"deficit": 0, "haircut": 0.025}, {"sold": 0}),
    (
        USDM,
        "collateral_value",
        {"asset": "BTC", "market_value": 20000, "collateral_ratio": 0.95},
        {"margin_value": 19000},
    ),
    (
        USDM,
        "collateral_value",
        {"asset": "SOL", "balance": 12.5, "price": 160, "haircut": 0.1},
        {"margin_value": 1800},
    ),
    (
        USDM,
        "collateral_value",
        {"asset": "USDC", "market_value": "1234.5678", "collateral_ratio": "0.9999"},
        {"margin_value": F("1234.44434322")},
    ),
    # a debt counts in full
    (
        USDM,
        "collateral_value",
        {"asset": "BNB", "market_value": -100, "collateral_ratio": 0.95},
        {"margin_value": -100},
    ),
    # F = [P + clamp(I − P, ±0.05 %)] ÷ (8/N)
    (USDM, "funding_rate", {"premium": -0.002, "interest": 0.0001, "N": 8}, {"rate": F("-0.0015")}),
    (USDM, "funding_rate", {"premium": 0.0003, "interest": 0.0001, "N": 1}, {"rate": F("0.0000125")}),
    (USDM, "funding_rate", {"premium": "0.000712345678", "N": 4}, {"rate": F("0.000212345678") / 2}),
    # before 2025-09-18 it was not divided by the interval
    (
        USDM,
        "funding_rate",
        {"premium": 0.001, "interest": 0.0001, "N": 4, "date": "2025-09-01"},
        {"rate": F("0.0005")},
    ),
    (USDM, "funding_rate", {"premium": 0.05, "interest": 0.0001, "N": 8, "cap": 0.02}, {"rate": F("0.02")}),
    # P1 = 101,234.56·(1 − 0.00012345·3/8), P2 = 101,234.56 + 17.3
    (
        USDM,
        "mark_price",
        {
            "index": 101234.56,
            "last_funding": -0.00012345,
            "hours_to_funding": 3,
            "interval_h": 8,
            "basis_mean": 17.3,
            "contract": 101240.1,
        },
        {
            "p1": F("101234.56") * (1 - F("0.00012345") * F(3, 8)),
            "p2": F("101251.86"),
            "mark": F("101240.1"),
        },
    ),
    (
        USDM,
        "mark_price",
        {
            "index": 2.5,
            "last_funding": 0.003,
            "hours_to_funding": 1,
            "interval_h": 4,
            "basis_samples": [0.01, -0.02, 0.004],
            "contract": 2.6,
        },
        {"p1": F("2.501875"), "p2": F("2.498"), "mark": F("2.501875")},
    ),
    (
        USDM,
        "mark_price",
        {"index": 100, "basis_mean": 0, "contract": 99},
        {"p1": 100, "p2": 100, "mark": 100},
    ),
    # money to a short = size·mark·rate, to a long minus that
    (
        "Binance linear",
        "funding",
        {"size": 10, "mark": 2.0, "rate": 0.0001, "side": "long"},
        {"received": F("-0.002")},
    ),
    (
        "Binance linear",
        "funding",
        {"size": -4, "mark": 25000.5, "rate": -0.00375, "side": "short"},
        {"received": F("-375.0075")},
    ),
    (
        "Binance linear",
        "funding",
        {"size": "1.5", "settlements": [["100", "0.0001"], ["110", "-0.0003"], ["90", 0]], "side": 1},
        {"received": F("-0.015") + F("0.0495")},
    ),
    (
        "Binance/Gate linear",
        "funding",
        {"size": 30, "mark": 2.77, "rate": 0.000123456789, "side": "long"},
        {"received": -30 * F("2.77") * F("0.000123456789")},
    ),
    (
        "Binance/Gate linear",
        "funding",
        {"size": 0, "mark": 2.77, "rate": 0.0001, "side": "short"},
        {"received": 0},
    ),
    (
        "Binance/Gate linear",
        "funding",
        {"size": 1e6, "mark": 117000, "rate": -0.02, "side": "sell"},
        {"received": -2_340_000_000},
    ),
    # COIN-M: each next floor in coins
    (COINM, "maintenance_amount", {"floor": 5, "mmr": 0.005, "mmr_prev": 0.004}, {"cum": F("0.005")}),
    (
        COINM,
        "maintenance_amount",
        {"floor": 100, "mmr": 0.1, "mmr_prev": 0.05, "cum_prev": 1.81},
        {"cum": F("6.81")},
    ),
    (
        COINM,
        "maintenance_amount",
        {"position_btc": 12, "floors": [0, 5, 10], "mmr": [0.004, 0.005, 0.01]},
        {"cum": F("0.055"), "mmr": F("0.01"), "maintenance_margin": F("0.065")},
    ),
    (
        COINM,
        "maintenance_amount",
        {"position_btc": 150, "cum5": 1.81, "floors": [100, 200], "mmr": [0.05, 0.1, 0.125]},
        {"cum": F("6.81"), "mmr": F("0.1"), "cum_6": F("6.81"), "cum_7": F("11.81")},
    ),
]
