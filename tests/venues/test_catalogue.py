"""Which rules hold where and when: venues are files, imported tiers extend and override those packaged."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from deleverage import venues as room
from deleverage.data.tier_store import import_tiers, stored_tiers
from deleverage.errors import RulesError
from deleverage.venues import catalogue
from deleverage.venues.rules import Grade, MarginTier, TierTable
from tests.data import tiny

NIGHT = date(2025, 10, 10)
PACKAGED = catalogue.rules_at("binance", NIGHT)

VENUE = '''
"""Two products, two versions of the first."""
from dataclasses import replace
from datetime import date

from deleverage.venues.binance import VERSIONS as BINANCE

ONE = replace(BINANCE[0], venue="invented", product="A", valid_from=date(2025, 1, 1))
VERSIONS = (
    replace(ONE, valid_from=date(2026, 1, 1)),
    replace(ONE, product="B", valid_from=date(2025, 6, 1)),
    ONE,
)
'''
LENDER = '''
"""A lending market."""
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Lending:
    venue: str
    valid_from: date
    close_factor: float


LENDING_VERSIONS = (Lending("lender", date(2025, 1, 1), 0.5),)
'''


@pytest.fixture
def invented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two more files in the folder of venues, and one that is none."""
    tiny.put(tmp_path / "more" / "invented.py", VENUE)
    tiny.put(tmp_path / "more" / "lender.py", LENDER)
    tiny.put(tmp_path / "more" / "helper.py", "OLD_VERSIONS = ()\n")
    tiny.put(tmp_path / "more" / "folder" / "__init__.py", "VERSIONS = ()\n")
    monkeypatch.setattr(room, "__path__", [*room.__path__, str(tmp_path / "more")])
    yield
    for name in ("invented", "lender"):
        sys.modules.pop(f"deleverage.venues.{name}", None)
        if hasattr(room, name):
            delattr(room, name)


def tiers_of(tmp_path: Path, day: date, cap: float = 900_000.0) -> Path:
    """A store with BTCUSDT otherwise than the package has it, and a contract that it does not have."""
    rows = [tiny.tier(1, 0.0, cap, 0.01, 50.0, 0.0)]
    file = tiny.put(
        tmp_path / "files" / f"{day}.json", json.dumps({"BTC/USDT:USDT": rows, "XYZ/USDT:USDT": rows})
    )
    import_tiers(file, tmp_path / "rules", day=day)
    return tmp_path / "rules"


def test_a_file_with_versions_is_a_venue_and_no_other(invented: None) -> None:
    found = catalogue.venues()
    assert {"binance", "invented", "lender"} <= set(found)
    assert not {"rules", "margin", "mark", "helper", "folder", "catalogue"} & set(found)
    assert list(found) == sorted(found)


def test_every_packaged_version_is_whole(invented: None) -> None:
    for venue in catalogue.venues():
        if not catalogue.trades_contracts(venue):
            continue
        for rules in catalogue.versions(venue):
            assert rules.sources
            assert rules.tiers or rules.grade is Grade.CALCULATOR
            assert catalogue.rules_at(venue, rules.valid_from, product=rules.product) == rules
            assert rules.venue == venue  # the name of its file


def test_versions_of_each_product_follow_each_other(invented: None) -> None:
    assert catalogue.products("invented") == ("A", "B")
    first = catalogue.rules_at("invented", NIGHT)
    assert (first.product, first.valid_from) == ("A", date(2025, 1, 1))
    assert catalogue.rules_at("invented", date.max).valid_from == date(2026, 1, 1)
    assert catalogue.rules_at("invented", NIGHT, product="B").valid_from == date(2025, 6, 1)
    with pytest.raises(RulesError, match="expected a date from 2025-06-01 on"):
        catalogue.rules_at("invented", date(2025, 5, 31), product="B")
    with pytest.raises(RulesError, match=r"expected a product of \['A', 'B'\], found 'C'"):
        catalogue.rules_at("invented", NIGHT, product="C")
    order = [(r.product, r.valid_from.year) for r in catalogue.all_versions() if r.venue == "invented"]
    assert order == [("A", 2026), ("A", 2025), ("B", 2025)]
    assert [catalogue.until(r) for r in catalogue.versions("invented")] == [None, None, date(2026, 1, 1)]


def test_lending_market_is_a_venue_without_contracts(invented: None) -> None:
    assert not catalogue.trades_contracts("lender") and catalogue.trades_contracts("invented")
    assert catalogue.lending_at("lender", NIGHT).close_factor == 0.5
    with pytest.raises(RulesError, match="found 'lender', which lends"):
        catalogue.rules_at("lender", NIGHT)


def test_unknown_venue_is_refused_with_a_name_that_is_like_it() -> None:
    with pytest.raises(RulesError, match=r"found 'binanc'\n.*'binance'"):
        catalogue.rules_at("binanc", NIGHT)
    with pytest.raises(RulesError, match="rules list"):
        catalogue.rules_at("zzz", NIGHT)


def test_imported_tiers_are_asked_for_and_never_a_matter_of_what_lies_on_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELEVERAGE_RULES_DIR", str(tiers_of(tmp_path, date(2025, 10, 1))))
    assert catalogue.rules_at("binance", NIGHT) == PACKAGED


def test_newer_tiers_replace_and_add_from_their_day_on(tmp_path: Path) -> None:
    store = tiers_of(tmp_path, date(2025, 10, 9))
    before = catalogue.rules_at("binance", date(2025, 10, 8), imported=store)
    assert before == PACKAGED
    found = catalogue.catalogued("binance", NIGHT, imported=store)
    assert set(found.imported) == {"BTCUSDT", "XYZUSDT"}
    assert found.rules.tiers["BTCUSDT"].tiers[0].cap_usd == 900_000
    assert found.rules.tiers["ETHUSDT"] == PACKAGED.tiers["ETHUSDT"]
    assert "files/2025-10-09.json" in found.rules.tiers["XYZUSDT"].source


def test_tiers_older_than_the_rule_set_only_add_contracts(tmp_path: Path) -> None:
    store = tiers_of(tmp_path, PACKAGED.valid_from - timedelta(days=1))
    found = catalogue.catalogued("binance", NIGHT, imported=store)
    assert set(found.imported) == {"XYZUSDT"}
    assert found.rules.tiers["BTCUSDT"] == PACKAGED.tiers["BTCUSDT"]


def test_day_of_a_packaged_table_counts_where_it_is_told(tmp_path: Path, invented: None) -> None:
    table = TierTable("BTCUSDT", (MarginTier(10, Fraction(1, 100), 50),), "test", date(2025, 10, 9))
    rules = replace(PACKAGED, tiers={"BTCUSDT": table})
    stored = stored_tiers(tiers_of(tmp_path, date(2025, 10, 9)), "binance", NIGHT)["BTCUSDT"]
    assert not catalogue._is_newer(rules, "BTCUSDT", stored)
    later = replace(rules, tiers={"BTCUSDT": replace(table, as_of=date(2025, 10, 10))})
    assert catalogue._is_newer(later, "BTCUSDT", stored)


def test_packaged_tiers_of_the_night_are_those_of_the_full_file(test_data: Path, tmp_path: Path) -> None:
    import_tiers(test_data / "leverage_tiers" / "binance_leverage_tiers_2025-10-09.json", tmp_path / "rules")
    rules = catalogue.rules_at("binance", NIGHT, imported=tmp_path / "rules")
    assert len(rules.tiers) == 603
    for symbol, table in PACKAGED.tiers.items():
        assert rules.tiers[symbol].tiers == table.tiers


def test_tier_without_a_notional_is_left_out_and_the_deductions_stay(test_data: Path, tmp_path: Path) -> None:
    file = test_data / "leverage_tiers" / "binance_leverage_tiers_2025-11-20.json"
    import_tiers(file, tmp_path / "rules")
    table = catalogue.rules_at("binance", date.max, imported=tmp_path / "rules").tiers["DEXEUSDT"]
    assert [tier.cap_usd for tier in table.tiers].count(500_000) == 1
    printed = [Fraction(row["info"]["cum"]) for row in json.loads(file.read_text())["DEXE/USDT:USDT"]]
    assert list(table.deductions_usd) == [*printed[:6], *printed[7:]]


def test_tier_without_an_end_has_the_largest_cap_that_integers_hold(tmp_path: Path, invented: None) -> None:
    meta = {"universe": [{"name": "X", "maxLeverage": 3, "marginTableId": 3}], "marginTables": []}
    import_tiers(tiny.put(tmp_path / "f" / "m.json", json.dumps(meta)), tmp_path / "r", day=NIGHT)
    stored = stored_tiers(tmp_path / "r", "hyperliquid", NIGHT)["X"]
    table = catalogue.tier_table("X", stored)
    assert (table.tiers[0].cap_usd, table.tiers[0].rate) == (catalogue.NO_END_USD, Fraction(1, 6))


def test_contract_that_is_not_there_is_refused_with_names_that_are_like_it() -> None:
    catalogue.known_symbol(PACKAGED, "BTCUSDT")
    with pytest.raises(RulesError, match=r"expected one of \[.*'BTCUSDT'.*found 'BTCUSD'") as caught:
        catalogue.known_symbol(PACKAGED, "BTCUSD")
    assert "rules import" in caught.value.hint
