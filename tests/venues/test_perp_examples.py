"""Worked examples of the perpetual venues: those of the file, and further ones with the same meaning.

The functions are given inputs only, so that none of them can know which example it answers.
"""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deleverage.errors import InputError
from deleverage.venues.examples import binance, bitmex, bybit, fine, gate, hyperliquid, okx
from deleverage.venues.examples.given import Given, candidates
from deleverage.venues.examples.registry import ANSWERS
from deleverage.venues.linear import Leg
from deleverage.venues.linear import liquidation_price as in_fractions
from tests.conftest import ROOT

OURS = ("Binance", "Bybit", "OKX", "Gate", "BitMEX", "BTCMEX", "Hyperliquid")
ADAPTERS = (binance, bitmex, bybit, gate, hyperliquid, okx)


def exact(value: Any) -> Fraction:
    return Fraction(str(value))


def of_the_file() -> list[dict[str, Any]]:
    data = Path(os.environ.get("DELEVERAGE_TEST_DATA", ROOT.parent / "shared" / "data"))
    file = data.parent / "vectors" / "venue_vectors.json"
    found = json.loads(file.read_text()) if file.is_file() else []
    return [example for example in found if example["venue"].startswith(OURS)]


def agrees(expected: Any, found: Any, tolerance: Fraction) -> bool:
    if isinstance(expected, bool | str | list) or expected is None:
        return type(found) is type(expected) and bool(found == expected)
    return found is not None and abs(Fraction(found) - exact(expected)) <= tolerance


FILE = of_the_file()


@pytest.mark.skipif(not FILE, reason="no worked examples beside the market data (DELEVERAGE_TEST_DATA)")
def test_every_example_of_our_venues_in_the_file_agrees() -> None:
    wrong = []
    for example in FILE:
        answer = ANSWERS[example["venue"], example["kind"]](example["inputs"])
        allowed = exact(example["tolerance"]["abs"])
        for key, expected in example["expected"].items():
            slack = allowed
            if isinstance(expected, int | float) and not isinstance(expected, bool):
                slack += abs(exact(expected)) * exact(example["tolerance"]["rel"])
            if not agrees(expected, answer.get(key), slack):
                wrong.append((example["id"], key, expected, answer.get(key)))
    assert not wrong
    assert len(FILE) >= 110


# What the file does not hold: other sides, spellings, optional inputs that are missing or there.
FURTHER: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    (
        "Binance USD-M", "liquidation_price",
        {
            "mode": "cross", "wallet_balance": 1535443.01,
            "position": {"symbol": "ETHUSDT", "side": 1, "q": 3683.979, "ep": 1456.84, "mmr": 0.1,
             "cum": 135365.0},
            "others": [{"symbol": "BTCUSDT", "side": 1, "q": 109.488, "ep": 32481.98, "mark": 31967.27,
                        "mmr": 0.025, "cum": 16300.0}],
        },
        {"liquidation_price": 1153.26},
    ),
    # As totals: the venue's TMM and UPNL of the same account.
    (
        "Binance USD-M", "liquidation_price",
        {
            "mode": "cross", "wallet_balance": 1535443.01, "upnl_ex_1": -56354.57, "mm_ex_1": 71200.81144,
            "position": {"side": "long", "q": 3683.979, "ep": 1456.84, "mmr": 0.1, "cum": 135365.0},
        },
        {"liquidation_price": 1153.26},
    ),
    (
        "Binance USD-M", "liquidation_price",
        {"mode": "isolated", "wallet_balance": 1535443.01, "others": [],
         "position": {"side": 1, "q": 109.488, "ep": 32481.98, "mmr": 0.025, "cum": 16300.0}},
        {"liquidation_price": 18778.73},
    ),
    # 2,000 backs a short of 0.1 at 100,000 in the first tier: 120,000 ÷ 1.004
    (
        "Binance USD-M", "liquidation_price",
        {"mode": "isolated", "symbol": "BTCUSDT", "side": "short", "q": 0.1, "ep": 100000, "leverage": 5},
        {"liquidation_price": 119521.91, "bankruptcy_price": 120000},
    ),
    (
        "Binance USD-M", "liquidation_price",
        {"mode": "isolated", "side": -1, "q": 1, "ep": 100, "wallet_balance": 50,
         "floors": [0, 120, 500], "mmr": [0.01, 0.02, 0.5]},
        # (150 + 1.2) ÷ 1.02: in the second tier at the price, in the first at entry
        {"liquidation_price": 148.2353},
    ),
    # Both legs and a one-way leg; LP = (10,000 − 100,000 + 52,000 − 0.5·50,000) ÷ (3.5·0.004 − 1.5)
    (
        "Binance USD-M", "liquidation_price",
        {"mode": "cross-hedge", "wallet_balance": 10000, "qL": 2, "epL": 50000, "mmrL": 0.004, "cumL": 0,
         "qS": 1, "epS": 52000, "mmrS": 0.004, "qB": 0.5, "epB": 50000, "mmrB": 0.004, "sideB": 1},
        {"liquidation_price": 42395.6931},
    ),
    ("Binance USD-M", "maintenance_margin", {"symbol": "BTCUSDT", "notional": 50000000},
     {"maintenance_margin": 868000}),
    ("Binance USD-M", "maintenance_tier_lookup",
     {"notional": 50000, "floors": [0, 50000, 250000], "mmr": [0.004, 0.005, 0.01]}, {"mmr": 0.005,
      "cum": 50}),
    ("Binance USD-M", "funding_rate", {"premium": 0.001, "interest": 0.0001, "N": 4, "at": "2025-09-17"},
     {"rate": 0.0005}),
    ("Binance USD-M", "funding_rate", {"premium": -0.002, "N": 8}, {"rate": -0.0015}),
    ("Binance USD-M", "mark_price",
     {"index": 100000, "last_funding": -0.00012345678, "hours_to_funding": 2, "interval_h": 8,
      "basis_samples": [-10, 10, 30], "contract": 100100}, {"p1": 99996.9135805, "p2": 100010,
       "mark": 100010}),
    ("Binance linear", "funding", {"size": 10, "mark": 2, "rate": 0.0001, "side": "long"},
     {"received": -0.002}),
    ("Binance USD-M", "collateral_value", {"asset": "BTC", "market_value": 1000}, {"margin_value": 950}),
    ("Binance USD-M", "auto_exchange", {"deficit": -1000, "collateral_ratio": 0.8}, {"sold": 1250}),
    # 20x at 50,000 with 0.5 %
    ("Binance COIN-M", "liquidation_price", {"side": -1, "q_usd": 50000, "ep": 50000, "leverage": 20,
     "mmr": 0.005},
     {"liquidation_price": 52368.42}),
    ("Bybit linear", "liquidation_price",
     {"side": -1, "q": 2, "ep": 10000, "leverage": 10, "mmr": 0.01, "extra_margin": 500},
     {"liquidation_price": 11150, "bankruptcy_price": 11250}),
    ("Bybit linear", "liquidation_price", {"side": -1, "ep": 10000, "q": 2, "lp0": 10900, "added": 1000},
     {"liquidation_price": 11400}),
    ("Bybit linear", "bankruptcy_price",
     {"side": -1, "ep": 500, "q": 100, "mark": 520, "position_margin": 1000, "wallet": 100},
     {"bankruptcy_price": 511, "adl_price": 511}),
    ("Bybit inverse", "bankruptcy_price", {"side": -1, "ep": 7890.08, "leverage": 50, "tick": 0.5},
     {"bankruptcy_price": 8051.1020, "bankruptcy_price_tick": 8051.0}),
    # 60,000 ÷ (1.2 + 0.12 − 0.006) and, in 2026, 60,000 × 1.005 ÷ 1.32
    ("Bybit inverse", "liquidation_price", {"side": 1, "q_usd": 60000, "ep": 50000, "leverage": 10,
     "mmr": 0.005},
     {"liquidation_price": 45662.1}),
    ("Bybit inverse", "liquidation_price",
     {"side": 1, "q_usd": 60000, "ep": 50000, "leverage": 10, "mmr": 0.005, "taker": 0.00055},
     {"liquidation_price": 45681.82}),
    ("Bybit inverse", "liquidation_price",
     {"side": 1, "q_usd": 60000, "ep": 50000, "leverage": 10, "mmr": 0.005, "at": "2026-06-01"},
     {"liquidation_price": 45681.82}),
    ("Bybit inverse", "liquidation_price",
     {"side": 1, "q_usd": 10000, "ep": 8000, "balance_btc": 0.6, "order_margin": 0.1, "mmr": 0.005,
      "taker": 0.00075, "tick": 0.5}, {"liquidation_price": 5739.5}),
    ("Bybit", "adl_trigger", {"high_8h": 1000000, "balance": 400000}, {"triggered": False, "drawdown": 0.6}),
    ("Bybit", "adl_trigger", {"fund": 10, "position_margin": 5, "upnl": -15}, {"triggered": True}),
    ("Bybit linear", "adl_rank",
     {"candidates": [["A", 110, 100, 10, 1], ["B", 110, 100, 20, 1], ["C", 90, 100, 50, -1]],
      "fields": ["id", "mark", "entry", "leverage", "side"]}, {"order": ["C", "B", "A"]}),
    ("OKX", "liquidation_price", {"side": -1, "leverage": 5, "ep": 8, "q": 1, "mmr": 0.01, "taker": 0.0006},
     {"liquidation_price": 9.499307}),
    ("OKX", "adl_trigger", {"fund": 280000, "ref_8h": 400000}, {"triggered": False, "threshold": 280000}),
    ("OKX", "adl_trigger", {"fund": 69, "peak_8h": 100}, {"triggered": True, "threshold": 70}),
    ("OKX", "partial_liquidation", {"swaps": 1500, "tier1_cap": 2000}, {"close": 1500}),
    ("OKX", "adl_rank", {"candidates": [["A", 0.5, 2], ["B", 0.5, 1], ["C", -0.1, 3]],
                         "fields": ["id", "pnl_ratio", "margin_ratio"]}, {"order": ["B", "A", "C"]}),
    ("Gate", "funding", {"size": 10, "mark": 2, "rate": 0.0001, "side": "short"}, {"received": 0.002}),
    ("BitMEX inverse", "position_value", {"contracts": -100, "mark": 98000, "ep": 100000},
     {"mark_value": 102041, "unrealised": 2041}),
    ("BTCMEX (BitMEX-like)", "insurance_fund", {"side": -1, "bust": 3000, "fill": 3060}, {"fund_delta": -60}),
    ("Hyperliquid", "liquidation_price",
     {"coin": "BTC", "side": "short", "entry_px": 68595, "size": 0.00069, "margin": 23.64871,
      "max_leverage": 50},
     {"liquidation_price": 101849.99}),
    ("Hyperliquid", "liquidation_price", {"coin": "BTC", "entry_px": 100, "szi": -1, "leverage": 10},
     {"liquidation_price": 108.6420}),
    # In the second tier at the price: (160 + 1.875) ÷ 1.025
    ("Hyperliquid", "liquidation_price",
     {"coin": "X", "tiers": [[0, 40], [150, 20]], "side": -1, "entry_px": 100, "size": 1, "margin": 60},
     {"liquidation_price": 157.9268}),
    # Cross: worth 100, of which another position owes 10; (90 − 200) ÷ (2·0.01 − 2)
    ("Hyperliquid", "liquidation_price",
     {"account_value": 100, "mark_px": 100, "side": 1, "size": 2, "max_leverage": 50,
      "other_maintenance_margin": 10},
     {"liquidation_price": 55.5556}),
    ("Hyperliquid", "maintenance_margin", {"coin": "BTC", "notional": 225000000},
     {"deduction": 1875000, "maintenance_margin": 3750000}),
    ("Hyperliquid", "maintenance_margin_rate", {"marginTableId": 40}, {"mmr": 0.0125}),
    ("Hyperliquid", "maintenance_margin_rate", {"coin": "BTC", "at": "2025-01-01"}, {"mmr": 0.01}),
    ("Hyperliquid", "funding_rate", {"premium": 0.5, "interest_8h": 0.0001}, {"hourly_rate": 0.04}),
    ("Hyperliquid", "funding_rate", {"premium": -0.002, "interest_8h": 0.0001}, {"hourly_rate": -0.0001875}),
    ("Hyperliquid", "funding", {"size": 10, "oracle": 2, "rate": 0.0001, "side": "long"},
     {"received": -0.002}),
    ("Hyperliquid", "mark_price",
     {"oracle": 100, "ema": 1, "bid": 98, "ask": 102, "last": 103,
      "externals": {"Binance": 105, "OKX": 100, "Bybit": 100, "Gate": 99, "MEXC": 101}},
     {"mark": 101}),
    ("Hyperliquid", "mark_price", {"oracle": 100, "ema": -1, "book_median": 103, "book_ema": 102},
     {"mark": 102}),
    ("Hyperliquid", "adl_rank",
     {"candidates": [["A", 90, 100, 50000, 10000, "short"], ["B", 90, 80, 60000, 10000, "short"]],
      "fields": ["id", "mark", "entry", "notional", "account_value", "side"]}, {"order": ["A", "B"]}),
]  # fmt: skip


@pytest.mark.parametrize(("venue", "kind", "inputs", "expected"), FURTHER)
def test_further_examples_of_the_same_kinds_agree(
    venue: str, kind: str, inputs: dict[str, Any], expected: dict[str, Any]
) -> None:
    answer = ANSWERS[venue, kind](inputs)
    for key, value in expected.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        slack = (
            Fraction(6, 1000) + abs(exact(value)) / 10**7 if number and abs(value) > 1 else Fraction(1, 10**7)
        )
        assert agrees(value, answer[key], slack), (key, answer[key])


@given(
    st.sampled_from((1, -1)),
    st.integers(1, 10**6),
    st.integers(1, 10**7),
    st.integers(0, 10**8),
    st.integers(1, 400),
    st.integers(0, 100),
)
def test_the_kernel_in_a_fine_unit_gives_the_fraction_to_twelve_digits(
    side: int, lots: int, cents: int, wallet: int, rate: int, deduction: int
) -> None:
    leg = Leg(side, Fraction(lots, 1000), Fraction(cents, 100), Fraction(rate, 1000), Fraction(deduction))
    price = in_fractions(Fraction(wallet), [leg])
    found = fine.liquidation_price(Fraction(wallet), leg)
    largest = max(Fraction(wallet), leg.size * leg.entry, Fraction(deduction)) / leg.size
    assert abs(found - price) <= largest / 10**15


@pytest.mark.parametrize(
    ("venue", "kind", "inputs", "says"),
    [
        ("Binance USD-M", "liquidation_price", {"side": 1, "q": 1}, "expected input 'ep', found only"),
        ("Binance USD-M", "liquidation_price", {"side": "up", "q": 1, "ep": 1, "mmr": 0.1, "wallet": 1},
         "expected a side of 1, -1, long or short, found 'up'"),
        ("Binance USD-M", "liquidation_price", {"side": 1, "q": "much", "ep": 1, "mmr": 0.1},
         "expected a number or a product of inputs for 'q', found 'much'"),
        ("Binance USD-M", "maintenance_amount", {"notional": 1}, "expected tiers"),
        ("Binance USD-M", "auto_exchange", {"deficit": 1, "haircut": 1}, "haircut: expected a share from 0"),
        ("Binance USD-M", "collateral_value", {"market_value": True, "asset": "BTC"}, "expected a number"),
        ("Hyperliquid", "mark_price", {"oracle": 1, "ema": 0, "book_median": 3, "external_median_below": 9},
         "leaves the mark open"),
        ("BitMEX inverse", "adl_rank", {"candidates": [["A", 1]], "fields": ["id", "mark_value", "x"]},
         "expected 3 values"),
    ],
)  # fmt: skip
def test_inputs_that_say_too_little_or_nonsense_are_refused_with_what_is_missing(
    venue: str, kind: str, inputs: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        ANSWERS[venue, kind](inputs)


def test_numbers_are_the_printed_decimals_and_products_of_inputs() -> None:
    given = Given({"q": 0.1, "ep": "30", "leverage": 3, "wallet": "q*ep/leverage", "rate": "1e-3"})
    assert given.number("wallet") == 1
    assert given.number("q") == Fraction(1, 10)
    assert given.number("rate") == Fraction(1, 1000)
    assert given.number("missing", default=7) == 7
    assert given.optional("missing") is None
    assert candidates({"candidates": [{"id": "A"}]}) == [{"id": "A"}]


def test_every_adapter_file_registers_something() -> None:
    registered = {function.__module__ for function in ANSWERS.values()}
    assert {adapter.__name__ for adapter in ADAPTERS} - {gate.__name__} <= registered
    assert ANSWERS["Gate", "liquidation_price"] is ANSWERS["OKX", "liquidation_price"]
