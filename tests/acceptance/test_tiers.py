"""Every market and tier of Binance on the day before the crash: deductions, continuity, liquidation prices.

The 604 markets hold 5,425 tiers. One of them (ETH/BTC) is settled in BTC: its tiers are in BTC, and money
here is counted in 10⁻⁶ of whatever a market is settled in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from pathlib import Path
from typing import Any

import pytest

from deleverage.data.importers.base import SourceFile
from deleverage.data.importers.leverage_tiers import listed
from deleverage.data.importers.tier_rows import read_json
from deleverage.units import MAX_LOTS, MAX_UUSD
from deleverage.venues.margin import (
    NEVER_TICKS,
    Tiers,
    health_single,
    liquidation_price,
    maintenance_margin,
    tiers_record,
)
from deleverage.venues.rules import MarginTier, TierTable
from reference import margin as twin

FILE = "leverage_tiers/binance_leverage_tiers_2025-10-09.json"
MARKETS, TIERS = 604, 5_425
UUSD = 10**6


@dataclass(frozen=True)
class Market:
    """A market with its table and record, and the deductions that the venue printed."""

    name: str
    table: TierTable
    record: Tiers
    printed: list[Fraction]


@pytest.fixture(scope="module")
def file(test_data: Path) -> Path:
    if not (test_data / FILE).is_file():
        pytest.skip(f"no {FILE} in {test_data}: set DELEVERAGE_TEST_DATA to the folder that holds it")
    return test_data / FILE


@pytest.fixture(scope="module")
def markets(file: Path) -> list[Market]:
    """The file by plain reading: nothing here comes from the importer."""
    content: dict[str, Any] = json.loads(file.read_text(), parse_float=Fraction, parse_int=Fraction)
    found = []
    for name, tiers in content.items():
        rows = [
            MarginTier(int(t["maxNotional"]), t["maintenanceMarginRate"], int(t["maxLeverage"]))
            for t in tiers
        ]
        table = TierTable(name, tuple(rows), FILE)
        found.append(Market(name, table, tiers_record([table]), [Fraction(t["info"]["cum"]) for t in tiers]))
    assert len(found) == MARKETS
    assert sum(len(market.table.tiers) for market in found) == TIERS
    return found


def test_recursion_gives_every_deduction_that_the_venue_printed(markets: list[Market]) -> None:
    for market in markets:
        assert list(market.table.deductions_usd) == market.printed, market.name
        assert twin.cums(market.table) == market.printed, market.name


def test_importer_reads_the_same_tiers_and_deductions(file: Path, markets: list[Market]) -> None:
    source = SourceFile(file, FILE)
    everything = listed(source, read_json(source), "binance")
    assert len(everything) == MARKETS
    for one, market in zip(everything, markets, strict=True):
        assert [tier.deduction for tier in one.tiers] == market.printed
        for tier, plain in zip(one.tiers, market.table.tiers, strict=True):
            assert tier.cap == plain.cap_usd and tier.rate == plain.rate
            assert tier.max_leverage == plain.max_leverage


def test_margin_is_continuous_and_increasing_across_every_tier_edge(markets: list[Market]) -> None:
    edges = 0
    for market in markets:
        tiers, cums = market.table.tiers, twin.cums(market.table)
        for k in range(len(tiers) - 1):
            cap = Fraction(tiers[k].cap_usd)
            # Exactly: both tiers' formulas meet at the edge, and both rise.
            assert cap * tiers[k].rate - cums[k] == cap * tiers[k + 1].rate - cums[k + 1], market.name
            assert twin.margin(cap, market.table) == twin.margin_by_slices(cap, market.table)
            # In integers: one uusd more of notional never owes less, nor more than itself.
            edge = tiers[k].cap_usd * UUSD
            steps = [edge - UUSD, edge - 1, edge, edge + 1, edge + UUSD]
            owed = [maintenance_margin(notional, 0, market.record) for notional in steps]
            assert owed[2] == cap * tiers[k].rate * UUSD - cums[k] * UUSD, market.name
            for (low, less), (high, more) in pairwise(zip(steps, owed, strict=True)):
                assert 0 <= more - less <= high - low, market.name
            assert owed[0] < owed[2] < owed[4], market.name
            edges += 1
    assert edges == TIERS - MARKETS


def sizes(table: TierTable, entry: int) -> Iterator[tuple[int, int]]:
    """(tier, lots) at three sizes per tier: its first lot, its middle, and its last one."""
    low = 0
    for k, tier in enumerate(table.tiers):
        # BTCST's last tier ends at 2⁶³: as "no end".
        high = min(tier.cap_usd * UUSD, 10 * low if low else MAX_UUSD, MAX_LOTS * entry)
        first, last = low // entry + 1, high // entry
        assert first < (first + last) // 2 < last
        yield from ((k, first), (k, (first + last) // 2), (k, last))
        low = tier.cap_usd * UUSD


def test_health_changes_sign_at_the_liquidation_price_and_is_zero_there_in_fractions(
    markets: list[Market],
) -> None:
    """Every market, three sizes per tier, long and short, opened at the largest leverage of the tier.

    One tick times one lot is one uusd. With rates in ppm and caps in whole units the kernel rounds once, so
    its price is exactly the last (first) tick below (above) the root of the fractions.
    """
    tried = positive = crossed = 0
    for market in markets:
        whole = market.table.tiers[-1].cap_usd > 10**5
        entry = 1_000_003 if whole else 10_007
        for k, lots in sizes(market.table, entry):
            value = lots * entry
            wallet = value // market.table.tiers[k].max_leverage
            for side in (1, -1):
                tried += 1
                size, cost = side * lots, side * value
                at = liquidation_price(wallet, size, cost, 1, 0, market.record)
                leg = twin.Leg("M", Fraction(size), Fraction(cost, UUSD))
                books = {"M": market.table}
                lower, upper, ever = twin.liquidation_prices(Fraction(wallet, UUSD), [leg], "M", {}, books)
                root = lower if side > 0 else upper
                assert ever
                if root is None:
                    assert side > 0 and at <= 0  # paid in full: no price above 0
                    continue
                positive += 1
                assert twin.health(Fraction(wallet, UUSD), [leg], {"M": root}, books) == 0
                assert at == (ceil(root * UUSD) - 1 if side > 0 else floor(root * UUSD) + 1), market.name
                inwards = at + side
                assert 0 <= at < NEVER_TICKS
                assert (
                    health_single(wallet, size, cost, at, 1, 0, market.record)
                    < 0
                    <= health_single(wallet, size, cost, inwards, 1, 0, market.record)
                ), market.name
                crossed += twin.tier_number(lots * root, market.table) != k
    assert tried == 2 * 3 * TIERS
    # Only longs that are paid in full (leverage 1) have no price above 0.
    paid = sum(3 for market in markets for tier in market.table.tiers if tier.max_leverage == 1)
    assert positive == tried - paid
    assert crossed > 5_000  # with another tier at the liquidation price than at the entry
