"""The venue's own worked examples (USD-M): our functions give its answers, within each print's tolerance.

The functions count in whole units; here the unit of money is 10⁻⁹ USD, finer than any print.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from deleverage.units import PPB, mul_rate_up
from deleverage.venues.margin import (
    Tiers,
    liquidation_price,
    maintenance_margin,
    tier_of,
    tiers_record,
)
from deleverage.venues.mark import funding_rate_ppb, median_mark
from deleverage.venues.rules import MarginTier, TierTable
from tests.conftest import ROOT

Example = dict[str, Any]
UNIT = Fraction(1, 10**9)
# Not in step 1: several legs of one market, other collateral than USD.
LEFT_OUT = {"auto_exchange", "collateral_value"}


def vectors() -> list[Example]:
    """The examples of the venue, empty where the file is not there."""
    data = Path(os.environ.get("DELEVERAGE_TEST_DATA", ROOT.parent / "shared" / "data"))
    file = data.parent / "vectors" / "venue_vectors.json"
    if not file.is_file():
        return []
    venues = ("Binance USD-M", "Binance linear", "Binance/Gate linear")
    return [example for example in json.loads(file.read_text()) if example["venue"] in venues]


ALL = vectors()


def exact(value: float | int | str) -> Fraction:
    """The decimal that was printed."""
    return Fraction(str(value))


def units(usd: float | int | Fraction) -> int:
    """Whole units of money."""
    count = (usd if isinstance(usd, Fraction) else exact(usd)) / UNIT
    return round(count)


def table(floors: list[float], rates: list[float]) -> TierTable:
    """Tiers of a printed table; the last one has no end."""
    caps = [*(int(floor) for floor in floors[1:]), 10**12]
    return TierTable(
        "print", tuple(MarginTier(c, exact(r), 1) for c, r in zip(caps, rates, strict=True)), "print"
    )


def one_tier(rate: float, deduction: float) -> Tiers:
    """A record with the rate and maintenance amount of the print, whatever the notional."""
    tiers = tiers_record([TierTable("print", (MarginTier(10**12, exact(rate), 1),), "print")])
    tiers.deduction_uusd[0, 0] = units(deduction)
    return tiers


def maintenance_amount(inputs: Example) -> dict[str, Fraction]:
    amounts = table(inputs["floors"], inputs["mmr"]).deductions_usd
    answers = {f"cum_{k}": amount for k, amount in enumerate(amounts, start=1)}
    if "notional" in inputs:
        tiers = tiers_record([table(inputs["floors"], inputs["mmr"])])
        k = tier_of(int(inputs["notional"]) * 10**6, 0, tiers)
        answers |= {"maintenance_amount": amounts[k], "mmr": exact(inputs["mmr"][k])}
    return answers


def maintenance_tier_lookup(inputs: Example) -> dict[str, Fraction]:
    answers = maintenance_amount(inputs)
    return {"cum": answers["maintenance_amount"], "mmr": answers["mmr"]}


def maintenance_margin_of(inputs: Example) -> dict[str, Fraction]:
    owed = maintenance_margin(units(inputs["notional"]), 0, one_tier(inputs["mmr"], inputs["cum"]))
    return {"maintenance_margin": owed * UNIT}


def liquidation(inputs: Example) -> dict[str, Fraction]:
    position = inputs.get("position", inputs)
    price, lots = exact(position["ep"]), exact(position["q"]) * 1000
    wallet = (
        price * exact(position["q"]) / inputs["leverage"]
        if isinstance(inputs["wallet_balance"], str)
        else exact(inputs["wallet_balance"])
    )
    for other in inputs.get("others", []):
        # What the account's other market leaves: its unrealised profit less its margin.
        value = exact(other["q"]) * exact(other["mark"])
        wallet += other["side"] * exact(other["q"]) * (exact(other["mark"]) - exact(other["ep"]))
        wallet -= value * exact(other["mmr"]) - exact(other["cum"])
    tick = Fraction(1, 10**6)
    unit = int(tick / 1000 / UNIT)
    size = int(position["side"] * lots)
    tiers = one_tier(position["mmr"], position["cum"])
    at = liquidation_price(units(wallet), size, round(size * price / tick) * unit, unit, 0, tiers)
    return {"liquidation_price": at * tick}


def funding_rate(inputs: Example) -> dict[str, Fraction]:
    premium, interest = (int(exact(inputs[name]) * PPB) for name in ("premium", "interest"))
    return {"rate": Fraction(funding_rate_ppb(premium, interest, 500_000, inputs["N"]), PPB)}


def mark_price(inputs: Example) -> dict[str, Fraction]:
    tick, window = Fraction(1, 100), 30
    index, contract, basis = (round(exact(inputs[n]) / tick) for n in ("index", "contract", "basis_mean"))
    hours, interval = inputs["hours_to_funding"] * 3600, inputs["interval_h"] * 3600
    rate = int(exact(inputs["last_funding"]) * PPB)

    def median(basis_sum: int, last: int) -> Fraction:
        return median_mark(index, basis_sum, window, last, rate, hours, interval) * tick

    return {
        "mark": median(basis * window, contract),
        "p1": median(index * window, 0),  # between nothing and twice the index
        "p2": median(basis * window, 0),  # between nothing and the higher p1
    }


def funding(inputs: Example) -> dict[str, Fraction]:
    settlements = inputs.get("settlements") or [[inputs["mark"], inputs["rate"]]]
    received = 0
    for mark, rate in settlements:
        value = -units(exact(inputs["size"]) * exact(mark))  # the account is short
        ppb = int(exact(rate) * PPB)
        received -= mul_rate_up(value, ppb, PPB) if ppb >= 0 else mul_rate_up(-value, -ppb, PPB)
    return {"received": received * UNIT}


RUNNERS: dict[str, Callable[[Example], dict[str, Fraction]]] = {
    "maintenance_amount": maintenance_amount,
    "maintenance_tier_lookup": maintenance_tier_lookup,
    "maintenance_margin": maintenance_margin_of,
    "liquidation_price": liquidation,
    "funding_rate": funding_rate,
    "mark_price": mark_price,
    "funding": funding,
}


@pytest.mark.skipif(not ALL, reason="no worked examples beside the market data (DELEVERAGE_TEST_DATA)")
def test_every_kind_of_example_is_run_or_left_out_by_name() -> None:
    assert {example["kind"] for example in ALL} == set(RUNNERS) | LEFT_OUT


@pytest.mark.skipif(not ALL, reason="no worked examples beside the market data (DELEVERAGE_TEST_DATA)")
@pytest.mark.parametrize(
    "example",
    [e for e in ALL if e["kind"] in RUNNERS and e["inputs"].get("mode") != "cross-hedge"],
    ids=lambda example: str(example["id"]),
)
def test_worked_example_gives_the_venues_answer(example: Example) -> None:
    answers = RUNNERS[example["kind"]](example["inputs"])
    tolerance = example["tolerance"]
    for name, printed in example["expected"].items():
        allowed = exact(tolerance["abs"]) + abs(exact(printed)) * exact(tolerance["rel"])
        # One unit of ours, and one tick: prices and margins are whole numbers of them.
        assert abs(answers[name] - exact(printed)) <= allowed + Fraction(1, 10**6), name
