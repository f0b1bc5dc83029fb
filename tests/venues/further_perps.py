"""Worked examples of Hyperliquid and BitMEX, reckoned by hand from their formulas, which stand with them.

A row is (venue, kind, inputs, expected), as in `further_binance`.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

F = Fraction
Row = tuple[str, str, dict[str, Any], dict[str, Any]]

FIELDS = ["id", "mark", "entry", "notional", "account_value"]
EMA = (10 * 3 * math.exp(-5 / 150) + 40 * 5) / (3 * math.exp(-5 / 150) + 5)
HYPERLIQUID: list[Row] = [
    # LP = px − s·(margin − px·size·l)/size/(1 − l·s)
    (
        "Hyperliquid",
        "liquidation_price",
        {
            "coin": "BTC",
            "side": 1,
            "entry_px": 117000,
            "size": 0.5,
            "margin": 1462.5,
            "leverage": 40,
            "max_leverage": 40,
        },
        {"liquidation_price": 117000 - (F("1462.5") - F("731.25")) / F("0.5") / F("0.9875")},
    ),
    (
        "Hyperliquid",
        "liquidation_price",
        {
            "coin": "BTC",
            "side": -1,
            "entry_px": "117000",
            "size": "0.5",
            "leverage": "20",
            "max_leverage": "40",
        },
        {"liquidation_price": 117000 + (F("2925") - F("731.25")) / F("0.5") / F("1.0125")},
    ),
    # cross: what the account has, less the margin of all it holds
    (
        "Hyperliquid",
        "liquidation_price",
        {
            "coin": "ETH",
            "side": 1,
            "mark": 4000,
            "size": 10,
            "account_value": 5000,
            "max_leverage": 25,
            "other_maintenance_margin": 600,
        },
        {"liquidation_price": 4000 - F(5000 - 600 - 800) / 10 / F("0.98")},
    ),
    (
        "Hyperliquid",
        "liquidation_price",
        {"coin": "SOL", "side": 1, "entry_px": 200, "size": 1, "margin": 300, "max_leverage": 20},
        {"liquidation_price": 200 - F(295) / F("0.975")},
    ),  # below 0: no price ends it
    # tiers at the liquidation value: 1,000 BTC from 200,000, whose value there is above 150 m
    (
        "Hyperliquid",
        "liquidation_price",
        {
            "coin": "BTC",
            "side": 1,
            "entry_px": 200000,
            "size": 1000,
            "margin": 10000000,
            "tiers": [[0, 40], [150000000, 20]],
        },
        {"liquidation_price": F(10**7 + 1875000 - 2 * 10**8, 1000) / F("-0.975")},
    ),
    (
        "Hyperliquid",
        "maintenance_margin",
        {"coin": "ETH", "tiers": [[0, 25], [100000000, 15]], "notional": 100000000},
        {"deduction": 0, "maintenance_margin": 2000000},
    ),
    (
        "Hyperliquid",
        "maintenance_margin",
        {"coin": "ETH", "tiers": [["0", "25"], ["1e8", "15"]], "notional": "130000000"},
        {
            "deduction": 10**8 * (F(1, 30) - F(1, 50)),
            "maintenance_margin": F(130 * 10**6, 30) - 10**8 * (F(1, 30) - F(1, 50)),
        },
    ),
    (
        "Hyperliquid",
        "maintenance_margin",
        {"coin": "X", "tiers": [[0, 50], [1000, 20], [5000, 3]], "notional": 9000},
        {"deduction": 15 + 5000 * (F(1, 6) - F(1, 40)), "maintenance_margin": 10 + 100 + F(4000, 6)},
    ),
    (
        "Hyperliquid",
        "maintenance_margin",
        {"coin": "BTC", "size": -3, "mark": 100000, "max_leverage": 40},
        {"maintenance_margin": 3750},
    ),
    ("Hyperliquid", "maintenance_margin_rate", {"max_leverage": 3}, {"mmr": F(1, 6)}),
    ("Hyperliquid", "maintenance_margin_rate", {"marginTableId": 20}, {"mmr": F("0.025")}),
    (
        "Hyperliquid",
        "maintenance_margin_rate",
        {"marginTableId": 56, "tiers": [[0, 40], [150000000, 20]]},
        {"mmr_0": F("0.0125"), "mmr_1": F("0.025")},
    ),
    # [P + clamp(0.01 % − P, ±0.05 %)] ÷ 8, at most 4 %
    (
        "Hyperliquid",
        "funding_rate",
        {"premium": -0.0012, "interest_8h": 0.0001},
        {"hourly_rate": F("-0.0007") / 8},
    ),
    ("Hyperliquid", "funding_rate", {"premium": 0.5, "interest_8h": 0.0001}, {"hourly_rate": F("0.04")}),
    ("Hyperliquid", "funding_rate", {"premium": -0.9}, {"hourly_rate": F("-0.04")}),
    ("Hyperliquid", "funding_rate", {"premium": 0.000601}, {"hourly": F("0.000101") / 8}),
    (
        "Hyperliquid",
        "funding_rate",
        {"oracle": 100, "impact_bid": 100.2, "impact_ask": 100.3},
        {"hourly_rate": F("0.0015") / 8},
    ),
    ("Hyperliquid", "mark_price", {"samples": [[10, 3], [40, 5]]}, {"ema": F(EMA)}),
    ("Hyperliquid", "mark_price", {"samples": [["-7.5", "1"]]}, {"ema": F("-7.5")}),
    (
        "Hyperliquid",
        "mark_price",
        {"oracle": 10000, "ema": -15, "book_median": 9990, "external_median": 9980},
        {"mark": 9985},
    ),
    (
        "Hyperliquid",
        "mark_price",
        {
            "oracle": 10000,
            "ema": 5,
            "bid": 10001,
            "ask": 10003,
            "last": 10002.5,
            "externals": {"Binance": 10010, "OKX": 10000, "Bybit": 10004, "Gate": 9000, "MEXC": 9000},
        },
        {"mark": 10004},
    ),  # weighted: 9,000 has 2 of 9, 10,000 4, 10,004 6
    (
        "Hyperliquid",
        "mark_price",
        {"oracle": 10000, "ema": 20, "book_median": 10010, "external_median_above": 10030},
        {"mark": 10020},
    ),
    (
        "Hyperliquid",
        "adl_rank",
        {
            "fields": [*FIELDS, "side"],
            "candidates": [
                ["A", 90, 100, 5000, 1000, "short"],
                ["B", 90, 120, 5000, 1000, -1],
                ["C", 90, 60, 5000, 1000, "long"],
            ],
        },
        {"order": ["C", "B", "A"]},
    ),  # 7.5, 6.67, 5.56
    (
        "Hyperliquid",
        "adl_rank",
        {"fields": FIELDS, "candidates": [[2, 110, 100, 10, 10], [1, 110, 100, 10, 10]]},
        {"order": [1, 2]},
    ),
    (
        "Hyperliquid",
        "adl_rank",
        {
            "candidates": [
                {"id": "x", "mark": 10, "entry": 20, "size": -3, "account_value": 60},
                {"id": "y", "mark": 10, "entry": 12, "size": -30, "account_value": 60},
            ]
        },
        {"order": ["y", "x"]},
    ),  # 2·0.5 and 1.2·5
]

BITMEX: list[Row] = [
    # pct 0.05·19 (B above) of a long of 100 contracts, and losers behind: pct ÷ lev
    (
        "BitMEX inverse",
        "adl_rank",
        {
            "fields": ["id", "mark_value", "bankrupt_value", "entry_value"],
            "candidates": [
                ["A", 1.1, 0.9, 1.0],
                ["B", 1.05, 1.0, 1.0],
                ["C", 0.98, 0.9, 1.0],
                ["D", 0.98, 0.97, 1.0],
            ],
        },
        {"order": ["B", "A", "D", "C"]},
    ),  # 1.05, 0.55, −0.0002, −0.0016
    (
        "BitMEX inverse",
        "adl_rank",
        {
            "fields": ["id", "entry_value", "mark_value", "bankrupt_value"],
            "candidates": [["late", "-1", "-0.99", "-1.5"], ["early", "-2", "-1", "-2.5"]],
        },
        {"order": ["early", "late"]},
    ),
    (
        "BitMEX inverse",
        "adl_rank",
        {"candidates": [{"id": "l", "mark_value": -0.95, "bankrupt_value": -1, "entry_value": -1}]},
        {"order": ["l"]},
    ),
    (
        "BitMEX inverse",
        "maintenance_margin",
        {"cost_xbt": -5000000, "initMarginReq": 0.02, "maintMarginReq": 0.01, "commission": 0.00075},
        {"posInit": 100000, "posComm": 3750, "posMargin": 103750, "posMaint": 53750},
    ),
    (
        "BitMEX inverse",
        "maintenance_margin",
        {"cost_xbt": 1, "initMarginReq": 0.01, "maintMarginReq": 0.005, "commission": 0},
        {"posInit": 0, "posMaint": 0},
    ),
    (
        "BitMEX inverse",
        "maintenance_margin",
        {"cost_xbt": "20000000000", "maintMarginReq": "0.005", "taker": "0.0005"},
        {"posMaint": 110000000},
    ),
    (
        "BitMEX inverse",
        "position_value",
        {"contracts": -1000, "mark": 98500, "cost_xbt": 1020408},
        {"mark_value": 1015228, "unrealised": -5180},
    ),
    (
        "BitMEX inverse",
        "position_value",
        {"contracts": 1000, "side": "short", "mark": 125000, "ep": 100000},
        {"mark_value": 800000, "cost": 1000000, "unrealised": -200000},
    ),
    ("BitMEX inverse", "position_value", {"contracts": "1", "mark": "3"}, {"mark_value": -33333333}),
    (
        "BTCMEX (BitMEX-like)",
        "insurance_fund",
        {"side": -1, "liq": 2900, "bust": 3000, "fill": 3010},
        {"fund_delta": -10},
    ),
    (
        "BTCMEX (BitMEX-like)",
        "insurance_fund",
        {"side": 1, "bust": 3000, "fill": 2950, "size": 4},
        {"fund_delta": -200},
    ),
    (
        "BTCMEX (BitMEX-like)",
        "insurance_fund",
        {"side": "short", "bust": "3000.5", "fill": "2999.25"},
        {"fund_delta": F("1.25")},
    ),
]
