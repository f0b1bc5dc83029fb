"""Do answers hold beyond the shared examples: other sides, sizes, positions, spellings, missing parts?

Every example passes through the text of a file, as a user's own would.
"""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from deleverage.venues.examples.file import examples_of
from deleverage.venues.examples.run import run_example
from tests.venues import further_binance, further_bybit, further_onchain, further_perps
from tests.venues.further_binance import Row

ROWS: list[Row] = [
    *further_binance.BINANCE,
    *further_bybit.BYBIT,
    *further_bybit.OKX_GATE,
    *further_perps.HYPERLIQUID,
    *further_perps.BITMEX,
    *further_onchain.ROWS,
]
EACH_AT_LEAST = 3


def printed(value: Any) -> Any:
    """A fraction as the decimal that a file would hold, to more digits than the tolerance asks."""
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else float(value)
    return value


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[1]}".replace(" ", "_"))
def test_further_example_has_the_answer_reckoned_by_hand(row: Row) -> None:
    venue, kind, inputs, expected = row
    text = json.dumps(
        [
            {
                "id": "further",
                "venue": venue,
                "kind": kind,
                "inputs": inputs,
                "expected": {key: printed(value) for key, value in expected.items()},
                "tolerance": {"abs": 1e-12, "rel": 1e-13},
            }
        ]
    )
    (example,) = examples_of(text, "further")
    result = run_example(example)
    assert result.passed, (result.why, result.checks)


def test_each_kind_of_each_venue_of_the_shared_file_has_some(test_data: Path) -> None:
    file = test_data.parent / "vectors" / "venue_vectors.json"
    if not file.is_file():
        pytest.skip(f"no worked examples in {file}")
    shared = {(row["venue"], row["kind"]) for row in json.loads(file.read_text(encoding="utf-8"))}
    counted = Counter((venue, kind) for venue, kind, _, _ in ROWS)
    assert {pair: counted[pair] for pair in shared if counted[pair] < EACH_AT_LEAST} == {}


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({"wallet_balance": "margin", "margin": "wallet_balance"}, "recursion"),
        ({"wallet_balance": "wallet_balance"}, "expected a number or a product of inputs"),
        ({"wallet_balance": "q*nothing"}, "expected a number or a product of inputs"),
        ({"wallet_balance": True}, "expected a number for 'wallet_balance'"),
        ({"wallet_balance": [1]}, "expected a number for 'wallet_balance'"),
        ({"wallet_balance": 1, "side": 0}, "expected a side of 1, -1, long or short"),
        ({"wallet_balance": 1, "q": 0}, "expected positions whose margin or profit moves"),
        ({"wallet_balance": 1, "mmr": 1.5}, "expected a share from 0 to below 1"),
        ({}, "expected input 'leverage'"),
    ],
)
def test_inputs_that_make_no_sense_have_failed_with_the_reason(inputs: dict[str, Any], why: str) -> None:
    row = {"side": 1, "q": 1, "ep": 10, "mmr": 0.01, **inputs}
    text = json.dumps(
        [
            {
                "id": "odd",
                "venue": "Binance USD-M",
                "kind": "liquidation_price",
                "inputs": row,
                "expected": {"liquidation_price": 1},
                "tolerance": {"abs": 1e9},
            }
        ]
    )
    result = run_example(examples_of(text, "odd")[0])
    assert not result.passed and why in result.why
