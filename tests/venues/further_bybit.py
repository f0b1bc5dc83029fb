"""Worked examples of Bybit, OKX and Gate, reckoned by hand from their formulas, which stand with them.

A row is (venue, kind, inputs, expected), as in `further_binance`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

F = Fraction
Row = tuple[str, str, dict[str, Any], dict[str, Any]]

SHORT = {"symbol": "SOLUSDT", "side": "short", "q": 100, "ep": 200, "mark": 150, "mmr": 0.01, "cum": 75}

BYBIT: list[Row] = [
    (
        "Bybit linear",
        "liquidation_price",
        {
            "mode": "isolated",
            "side": -1,
            "leverage": 20,
            "ep": 40000,
            "q": 0.25,
            "mmr": 0.005,
            "extra_margin": 100,
            "mm_deduction": 0,
        },
        {"liquidation_price": 40000 + F(500 - 50, 1) * 4 + 400},
    ),
    (
        "Bybit linear",
        "liquidation_price",
        {"side": 1, "leverage": 50, "ep": 100, "q": 30000, "mmr": 0.01, "mm_deduction": 10000},
        {"liquidation_price": 100 - F(60000 - 20000, 30000)},
    ),
    (
        "Bybit linear",
        "liquidation_price",
        {"side": "sell", "ep": 10000, "q": 2, "lp0": 10500, "added": 1000},
        {"liquidation_price": 11000},
    ),
    (
        "Bybit linear",
        "liquidation_price",
        {"side": 1, "leverage": "100", "ep": "117000.5", "q": "0.1", "mmr": "0.005"},
        {"liquidation_price": F("117000.5") * F("0.995"), "bankruptcy_price": F("117000.5") * F("0.99")},
    ),
    # cross: the wallet behind the position's own margin, less the maintenance margin
    (
        "Bybit linear",
        "liquidation_price",
        {
            "mode": "cross",
            "side": 1,
            "ep": 500,
            "q": 100,
            "position_margin": 1000,
            "wallet": 100,
            "mmr": 0.005,
        },
        {"liquidation_price": 500 - F(1000 + 100 - 250, 100), "bankruptcy_price": 489},
    ),
    (
        "Bybit linear",
        "bankruptcy_price",
        {"side": -1, "ep": 10000, "leverage": 50, "q": 1},
        {"bankruptcy_price": 10200},
    ),
    ("Bybit linear", "bankruptcy_price", {"side": 1, "ep": 0.00012, "leverage": 1}, {"bankruptcy_price": 0}),
    (
        "Bybit linear",
        "bankruptcy_price",
        {"side": -1, "ep": 500, "q": 100, "mark": 530, "position_margin": 1000, "wallet": 100},
        {"bankruptcy_price": 511, "adl_price": 511},
    ),  # 3.6 % from mark
    (
        "Bybit linear",
        "bankruptcy_price",
        {"side": 1, "ep": 20000, "leverage": 10, "q": 2, "extra_margin": 300},
        {"bankruptcy_price": 17850},
    ),
    (
        "Bybit inverse",
        "average_entry",
        {"fills": [[1000, 5000], [2000, 8000], [500, 10000]]},
        {"avg_entry": 7000, "value_btc": F("0.5")},
    ),
    ("Bybit inverse", "average_entry", {"fills": [["100", "12345.5"]]}, {"avg_entry": F("12345.5")}),
    ("Bybit inverse", "average_entry", {"fills": [[1, 3], [1, 6]]}, {"avg_entry": 4, "value_btc": F(1, 2)}),
    (
        "Bybit inverse",
        "bankruptcy_price",
        {"side": -1, "ep": 7890.08, "leverage": 50, "tick": 0.5},
        {"bankruptcy_price": F("7890.08") * 50 / 49, "bankruptcy_price_tick": 8051},
    ),
    ("Bybit inverse", "bankruptcy_price", {"side": 1, "ep": 8000, "leverage": 1}, {"bankruptcy_price": 4000}),
    (
        "Bybit inverse",
        "bankruptcy_price",
        {"side": -1, "q_usd": 10000, "ep": 8000, "balance_btc": 0.5, "order_margin": 0.1, "taker": 0.00075},
        {"bankruptcy_price": F("9992.5") / (F("1.25") - F("0.4"))},
    ),
    (
        "Bybit inverse",
        "initial_margin",
        {"q_usd": 5000, "price": 25000, "leverage": 4},
        {"initial_margin_btc": F("0.05")},
    ),
    (
        "Bybit inverse",
        "initial_margin",
        {"q_usd": "12000", "price": "8000", "leverage": "1"},
        {"initial_margin_btc": F("1.5")},
    ),
    (
        "Bybit inverse",
        "initial_margin",
        {"q_usd": -300, "ep": 100000, "leverage": 100},
        {"initial_margin_btc": F("0.00003")},
    ),
    # 2024: Q ÷ [PV + s·(IM − MM)] of a long
    (
        "Bybit inverse",
        "liquidation_price",
        {"side": 1, "q_usd": 60000, "ep": 50000, "leverage": 10, "mmr": 0.005},
        {
            "position_value": F("1.2"),
            "initial_margin": F("0.12"),
            "liquidation_price": 60000 / (F("1.2") + F("0.114")),
        },
    ),
    # 2026: Q·(1 − r) ÷ [Q/EP − Q/EP/L − X/(1 − taker) − D] of a short
    (
        "Bybit inverse",
        "liquidation_price",
        {
            "side": -1,
            "q_usd": 60000,
            "ep": 50000,
            "leverage": 10,
            "mmr": 0.005,
            "extra_margin": 0.01,
            "taker": 0.0006,
            "deduction": 0.001,
            "text": "2026",
        },
        {"liquidation_price": 60000 * F("0.995") / (F("1.08") - F("0.01") / F("0.9994") - F("0.001"))},
    ),
    (
        "Bybit inverse",
        "liquidation_price",
        {
            "side": 1,
            "q_usd": 60000,
            "ep": 50000,
            "leverage": 10,
            "mmr": 0.005,
            "extra_margin": 0,
            "taker": 0.0006,
            "date": "2026-07-01",
        },
        {"liquidation_price": 60000 * F("1.005") / F("1.32")},
    ),
    # legacy cross short, without the printed bankruptcy price: 9,992.5 ÷ (1.25 − 0.5)
    (
        "Bybit inverse",
        "liquidation_price",
        {
            "side": -1,
            "q_usd": 10000,
            "ep": 8000,
            "balance_btc": 0.5,
            "mmr": 0.005,
            "taker": 0.00075,
            "tick": 0.5,
        },
        {
            "liquidation_price_unrounded": 10000
            / (F("1.25") - F("0.5") + F("0.00625") + F("7.5") / (F("9992.5") / F("0.75"))),
            "liquidation_price": 13213,
        },
    ),
    (
        "Bybit",
        "adl_trigger",
        {"high_8h": 1000000, "balance": 1},
        {"triggered": False, "drawdown": F("0.999999")},
    ),
    ("Bybit", "adl_trigger", {"high_8h": "500000", "balance": "-20000"}, {"triggered": True}),
    ("Bybit", "adl_trigger", {"fund": 100, "position_margin": 50, "upnl": -149}, {"triggered": False}),
    ("Bybit", "adl_trigger", {"fund": 100, "position_margin": 50, "upnl": -150}, {"triggered": True}),
]

OKX_GATE: list[Row] = [
    (venue, "liquidation_price", inputs, expected)
    for venue in ("OKX", "Gate")
    for inputs, expected in (
        (
            {
                "mode": "isolated",
                "side": 1,
                "leverage": 100,
                "ep": 117000,
                "q": 0.3,
                "margin": "q*ep/leverage",
                "mmr": 0.004,
                "taker": 0.0005,
            },
            {"liquidation_price": 117000 * F("0.99") / F("0.9955")},
        ),
        (
            {"side": "short", "leverage": 7, "ep": 10, "q": 5, "mmr": 0.01, "taker": 0.0006},
            {"liquidation_price": 10 * (1 + F(1, 7)) / F("1.0106")},
        ),
        (
            {
                "mode": "cross",
                "side": -1,
                "ep": 2000,
                "q": 2,
                "wallet_balance": 900,
                "mmr": 0.02,
                "taker": 0.0005,
                "others": [SHORT],
            },
            {"liquidation_price": (2000 + F(900 + 5000 - 75, 2)) / F("1.0205")},
        ),
        (
            {"mode": "isolated", "side": 1, "ep": 50, "q": 1, "margin": 0, "mmr": 0.01},
            {"liquidation_price": 50 / F("0.99")},
        ),
    )
] + [
    ("OKX", "adl_trigger", {"fund": 280000, "ref_8h": 400000}, {"threshold": 280000, "triggered": False}),
    ("OKX", "adl_trigger", {"fund": 49000, "ref_8h": 100000}, {"threshold": 50000, "triggered": True}),
    ("OKX", "adl_trigger", {"fund": 0, "ref_8h": 30000}, {"threshold": 0, "triggered": True}),
    ("OKX", "adl_trigger", {"fund": 69000, "peak_8h": 100000}, {"threshold": 70000, "triggered": True}),
    ("OKX", "partial_liquidation", {"swaps": 2000, "tier1_cap": 2000}, {"close": 2000}),
    ("OKX", "partial_liquidation", {"swaps": 3000, "tier1_cap": 2000, "tier": 2}, {"close": 3000}),
    ("OKX", "partial_liquidation", {"swaps": "3000", "tier1_cap": "2000", "tier": 3}, {"close": 1000}),
]
