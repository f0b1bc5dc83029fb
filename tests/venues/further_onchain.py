"""Worked examples of on-chain venues that were reckoned by hand from their formulas.

A row is (venue, kind, inputs, expected), as in `further_binance`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

F = Fraction
Row = tuple[str, str, dict[str, Any], dict[str, Any]]

DYDX, DRIFT = "dYdX v4", "Drift v2"
BOTH = {"BTC": [0.1, 50000], "ETH": [-1, 3000]}  # margin at 10 %: 500 + 300
LONG, SHORT = {"BTC": [0.1, 50000]}, {"BTC": [-0.1, 50000]}


def bust(usdc: float | str, positions: dict[str, Any], close: list[Any], quote: int) -> Row:
    inputs = {"usdc": usdc, "positions": positions, "close": close, "mmr": 0.1}
    return DYDX, "bankruptcy_price", inputs, {"bankruptcy_quote_quantums": quote}


def fillable(
    usdc: float | str, positions: dict[str, Any], perp: str, price: F | int | str, **more: Any
) -> Row:
    inputs = {"usdc": usdc, "positions": positions, "perp": perp, "mmr": 0.1}
    inputs |= {"bankruptcy_adjustment": 1, "spread_to_mmr": 1.5} | more
    return DYDX, "fillable_price", inputs, {"fillable_price": F(price)}


DYDX_ROWS: list[Row] = [
    # −ΔN − floor(C·|ΔM|/M): a short of $5,000 with C = 100
    bust(5100, SHORT, ["BTC", 0.1], -5_100_000_000),
    # half of a long beside a short, C = 200, −100, 7 and −7 quantums: 200·250/800 = 62.5
    bust(-1800, BOTH, ["BTC", -0.05], 2_437_500_000),
    bust(-2100, BOTH, ["BTC", -0.05], 2_531_250_000),
    bust("-1999.999993", BOTH, ["BTC", "-0.05"], 2_499_999_998),
    bust("-2000.000007", BOTH, ["BTC", "-0.05"], 2_500_000_003),
    bust(-1800, BOTH, ["ETH", 1], -3_075_000_000),
    # (N − A·S·M)/q, A = clamp(B·(1 − C/M), 0, 1)
    fillable(-4600, LONG, "BTC", 48500),  # A = 0.2
    fillable(5400, SHORT, "BTC", 51500),
    fillable(-5100, LONG, "BTC", 42500),  # C < 0: A = 1
    fillable(-4000, LONG, "BTC", 50000),  # C > M: A = 0
    fillable(-1800, BOTH, "ETH", "3337.5"),  # A = 0.75
    fillable("-4600", LONG, "BTC", 46000, bankruptcy_adjustment=2, spread_to_mmr="2"),
    # a rate for each market, one that says nothing of adjustment and spread: 1 and 1.5
    (
        DYDX,
        "fillable_price",
        {"usdc": -1900, "positions": BOTH, "perp": "BTC", "mmr": {"BTC": 0.04, "ETH": 0.1}},
        {"fillable_price": (5000 - F(4, 5) * F(3, 2) * 200) * 10},
    ),
    (
        DYDX,
        "insurance_fund_delta",
        {"side": 1, "size": 0.1, "usdc": -5000, "fill_price": 50500, "max_liquidation_fee": 0.005},
        {"delta_usdc": F("25.25")},
    ),
    (
        DYDX,
        "insurance_fund_delta",
        {"side": 1, "size": 0.1, "usdc": -5000, "fill_price": 49000, "max_liquidation_fee": 0.005},
        {"delta_usdc": -100},
    ),
    (
        DYDX,
        "insurance_fund_delta",
        {
            "side": "short",
            "size": "0.1",
            "usdc": "5100",
            "fill_price": "50500",
            "max_liquidation_fee": "0.005",
        },
        {"delta_usdc": F("25.25")},
    ),
    (
        DYDX,
        "insurance_fund_delta",
        {"side": -1, "size": 0.1, "usdc": 5100, "fill_price": 50500},
        {"delta_usdc": 50},
    ),
    (
        DYDX,
        "insurance_fund_delta",
        {"side": -1, "size": 0.1, "usdc": 4000, "fill_price": 50000},
        {"delta_usdc": -1000},
    ),
    # base + (1 − base)·(OI − lower)/(upper − lower), down
    (
        DYDX,
        "initial_margin_rate",
        {"base_ppm": 50000, "lower": 4e13, "upper": 1e14, "open_notional": 5.5e13},
        {"imf_ppm": 287500},
    ),
    (
        DYDX,
        "initial_margin_rate",
        {"base_ppm": 200000, "lower": 0, "upper": 3, "open_notional": 1},
        {"imf_ppm": 466666},
    ),
    (
        DYDX,
        "initial_margin_rate",
        {"base_ppm": 20000, "lower": 0, "upper": 0, "open_notional": 10**18},
        {"imf_ppm": 20000},
    ),
    (
        DYDX,
        "initial_margin_rate",
        {"base_ppm": "100000", "lower": "7", "upper": "9", "open_notional": "7"},
        {"imf_ppm": 100000},
    ),
    (
        DYDX,
        "initial_margin",
        {"base_ppm": 20000, "notional_quantums": 1, "lower": 0, "upper": 0, "open_notional": 0},
        {"im_quantums": 1},
    ),
    (DYDX, "initial_margin", {"base_ppm": 50000, "notional_quantums": -1000001}, {"im_quantums": 50001}),
    (
        DYDX,
        "initial_margin",
        {"base_ppm": 50000, "notional_quantums": 10**13, "lower": 40, "upper": 100, "open_notional": 55},
        {"im_quantums": 2_875 * 10**9},
    ),
    (
        DYDX,
        "funding_clamp",
        {"clamp_ppm": 6000000, "im_ppm": 20000, "maint_fraction_ppm": 600000},
        {"max_ppm": 48000},
    ),
    (DYDX, "funding_clamp", {"im_ppm": 33333, "maint_fraction_ppm": 500000}, {"max_ppm": 100002}),
    (
        DYDX,
        "funding_clamp",
        {"clamp_ppm": "6000000", "im_ppm": "50000", "maint_fraction_ppm": "1000000"},
        {"max_ppm": 0},
    ),
    (
        DYDX,
        "funding",
        {"atomic_resolution": -12, "exponent": 0, "price": 1000, "rate_8h_ppm": -1001999, "dt_s": 28800},
        {"index_delta": -1001},
    ),
    (
        DYDX,
        "funding",
        {"atomic_resolution": -8, "exponent": -2, "price": 500000, "rate_8h_ppm": 100, "dt_s": 3600},
        {"index_delta": 625},
    ),
    (
        DYDX,
        "funding",
        {"atomic_resolution": -5, "exponent": 0, "price": 2, "rate_8h_ppm": 3, "dt_s": 14400},
        {"index_delta": 30},
    ),
    (DYDX, "funding", {"index_now": -5, "index_pos": 7, "size_quantums": -10}, {"settlement_ppm": -120}),
    (
        DYDX,
        "funding",
        {"index_now": "50", "index_pos": "20", "size_quantums": "100"},
        {"settlement_ppm": -3000},
    ),
    (DYDX, "funding", {"index_now": 9, "index_pos": 9, "size_quantums": 10**15}, {"settlement_ppm": 0}),
]

DRIFT_ROWS: list[Row] = [
    # 10 ÷ (100·0.09 − 100·0.01)
    (
        DRIFT,
        "partial_liquidation_size",
        {
            "shortage_usd": 10,
            "margin_ratio": 0.1,
            "liq_fee": 0.01,
            "if_fee": 0.01,
            "oracle": 100,
            "quote_oracle": 1.0,
        },
        {"base_1e9": 1_250_000_000},
    ),
    (
        DRIFT,
        "partial_liquidation_size",
        {"shortage_usd": "3", "margin_ratio": "0.05", "liq_fee": "0.02", "oracle": "7"},
        {"base_1e9": 14_285_714_285},
    ),
    (
        DRIFT,
        "partial_liquidation_size",
        {
            "shortage_usd": 10,
            "margin_ratio": 0.1,
            "liq_fee": 0,
            "if_fee": 0,
            "oracle": 100,
            "quote_oracle": 0.99,
        },
        {"base_1e9": 1_010_101_010},
    ),
    (
        DRIFT,
        "partial_liquidation_size",
        {"shortage_usd": 10, "margin_ratio": 0.1, "liq_fee": 0.01, "oracle": 100, "position": -0.5},
        {"base_1e9": 500_000_000},
    ),
    # min(max, 0.95·(0.05 − 0.01 − 10/1,000))
    (
        DRIFT,
        "insurance_fund_fee",
        {"shortage_usd": 10, "base": 10, "px": 100, "margin_ratio": 0.05, "liq_fee": 0.01, "max_fee": 0.05},
        {"fee_1e6": 28500},
    ),
    (
        DRIFT,
        "insurance_fund_fee",
        {"shortage_usd": 10, "base": -10, "px": 100, "margin_ratio": 0.05, "liq_fee": 0.01, "max_fee": 0.02},
        {"fee_1e6": 20000},
    ),
    (
        DRIFT,
        "insurance_fund_fee",
        {
            "shortage_usd": 0,
            "base": 10,
            "px": "100",
            "margin_ratio": "0.05",
            "liq_fee": "0.05",
            "max_fee": "0.05",
        },
        {"fee_1e6": 0},
    ),
    # ceil(loss·10⁹ ÷ holders)·1,000 in 10⁻⁶ quote a coin
    (DRIFT, "socialised_loss", {"loss_usd": 1, "long": 2, "short": -1}, {"delta_1e9": 333_334_000}),
    (DRIFT, "socialised_loss", {"loss_usd": -100, "long": 10, "short": 0}, {"delta_1e9": 10_000_000_000}),
    (
        DRIFT,
        "socialised_loss",
        {"loss": 1, "deposits": 3, "cum_interest": 1.2},
        {"delta_1e10": 4_000_000_000},
    ),
    (
        DRIFT,
        "socialised_loss",
        {"loss": "7", "deposits": "1000", "cum_interest": "1.0000000001"},
        {"delta_1e10": 70_000_001},
    ),
    # 10 ÷ (100·(1.2 − 0.8·1.01)), with the fund's 100·0.01·1.2, in another token's decimals
    (
        DRIFT,
        "spot_liquidation_size",
        {
            "shortage_usd": 10,
            "asset_weight": 0.8,
            "asset_mult": 1.01,
            "liab_weight": 1.2,
            "liab_mult": 1.0,
            "px": 100,
            "if_fee": 0.0,
        },
        {"liability_1e9": 255_102_040},
    ),
    (
        DRIFT,
        "spot_liquidation_size",
        {"shortage_usd": 10, "asset_weight": 0.8, "liab_weight": 1.2, "px": 100, "if_fee": 0.01},
        {"liability_1e9": 257_731_958},
    ),
    (
        DRIFT,
        "spot_liquidation_size",
        {"shortage_usd": 10, "asset_weight": 0.8, "liab_weight": 1.2, "px": 100, "liab_decimals": 6},
        {"liability_1e6": 250_000},
    ),
    # up for a borrow that is repaid, down for an asset that is taken
    (
        DRIFT,
        "spot_liquidation_size",
        {"asset_usd": 33, "asset_mult": 1.05, "liab_mult": 0.99, "liab_px": 100},
        {"liability_1e9": 311_142_858},
    ),
    (
        DRIFT,
        "spot_liquidation_size",
        {"liab": 2.5, "liab_px": 40, "asset_mult": 1.1, "liab_mult": 1},
        {"asset_1e6": 110_000_000},
    ),
    (
        DRIFT,
        "spot_liquidation_size",
        {"liab": "1", "liab_px": "1", "asset_mult": "1", "liab_mult": "0.9"},
        {"asset_1e6": 1_111_111},
    ),
]

V33 = "Aave v3.3+"
AAVE_ROWS: list[Row] = [
    (
        V33,
        "close_factor",
        {"hf": 0.96, "collateral_usd": 100000, "debt_usd": 50000},
        {"close_factor": F(1, 2)},
    ),
    (V33, "close_factor", {"hf": 0.95, "collateral_usd": 100000, "debt_usd": 50000}, {"close_factor": 1}),
    (
        V33,
        "close_factor",
        {"hf": "0.9500001", "collateral_usd": "2000", "debt_usd": "2000"},
        {"close_factor": F(1, 2)},
    ),
    (V33, "close_factor", {"hf": 0.99, "collateral_usd": 1999.99, "debt_usd": 50000}, {"close_factor": 1}),
    (
        V33,
        "close_factor",
        {"hf": 0.99, "collateral_usd": 50000, "debt_usd": 1500, "threshold": 1000},
        {"close_factor": F(1, 2)},
    ),
    (V33, "close_factor", {"hf": 1, "collateral_usd": 100, "debt_usd": 50}, {"close_factor": 0}),
    (
        "Aave v3",
        "health_factor",
        {"collateral_usd": [10000, 5000], "liq_threshold": [0.8, 0.75], "debt_usd": 9000},
        {"hf": F(11750, 9000)},
    ),
    (
        "Aave v3",
        "health_factor",
        {"collaterals": [[10000, 0.8], ["5000", "0.75"]], "debt_usd": [4000, 5000]},
        {"hf": F(11750, 9000)},
    ),
    (
        "Aave v3",
        "health_factor",
        {"collateral_usd": "1000", "liq_threshold": "0.5", "debt_usd": "500"},
        {"hf": 1},
    ),
    ("Aave v3", "health_factor", {"collateral_usd": 0, "liq_threshold": 0.8, "debt_usd": 1}, {"hf": 0}),
    (
        "Aave",
        "liquidation_bonus",
        {"debt_eth": 10, "close_factor": 1, "bonus": 0.1},
        {"repaid": 10, "seized_bonus": 1},
    ),
    (
        "Aave",
        "liquidation_bonus",
        {"debt_usd": "1000", "close_factor": "0.5", "bonus": "0.075"},
        {"repaid": 500, "seized_bonus": F("37.5"), "seized": F("537.5")},
    ),
    (
        "Aave",
        "liquidation_bonus",
        {"debt_eth": 0.3, "close_factor": 0.5, "bonus": 0},
        {"repaid": F("0.15"), "seized_bonus": 0},
    ),
    # not enough collateral: all of it, and what it pays for
    (
        "Aave",
        "liquidation_bonus",
        {"debt_eth": 100, "close_factor": 1, "bonus": 0.05, "collateral_eth": 50},
        {"seized": 50, "repaid": F(5000, 105), "seized_bonus": 50 - F(5000, 105)},
    ),
]

ROWS = DYDX_ROWS + DRIFT_ROWS + AAVE_ROWS
