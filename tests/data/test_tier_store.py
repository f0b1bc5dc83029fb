"""Tier files: recognised or refused with their place, kept whole or not at all, found again by day."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from deleverage.data import Lake
from deleverage.data.importers.tier_rows import Tier
from deleverage.data.tier_store import import_tiers, rules_folder, snapshots, stored_tiers
from deleverage.errors import InputError, RulesError, SchemaError, UnitError
from tests.data import tiny

DAY = date(2025, 10, 9)
NAME = "tiers_2025-10-09.json"


def plain(number: int, floor: float, cap: float, rate: float, leverage: float, **info: str) -> dict[str, Any]:
    """A tier of ccxt, with the names under ``info`` that the venue has."""
    return {
        "tier": number,
        "minNotional": floor,
        "maxNotional": cap,
        "maintenanceMarginRate": rate,
        "maxLeverage": leverage,
        "info": info,
    }


def bybit_tier(
    number: int, floor: float, cap: float, rate: float, leverage: float, off: str
) -> dict[str, Any]:
    own = {
        "riskLimitValue": str(cap),
        "maintenanceMargin": str(rate),
        "isLowestRisk": "0",
        "mmDeduction": off,
    }
    return plain(number, floor, cap, rate, leverage, **own)


BYBIT = {
    "BTC/USDT:USDT": [
        bybit_tier(1, 0.0, 2_000_000.0, 0.005, 100.0, ""),
        bybit_tier(2, 2_000_000.0, 4_000_000.0, 0.01, 33.33, "10000"),
    ]
}
ANYBODY = {
    "BTC/USDT:USDT": [plain(1, 0.0, 100_000.0, 0.01, 50.0), plain(2, 100_000.0, 200_000.0, 0.02, 25.0)]
}
META: dict[str, Any] = {
    "universe": [
        {"name": "BTC", "szDecimals": 5, "maxLeverage": 40, "marginTableId": 56},
        {"name": "ATOM", "szDecimals": 2, "maxLeverage": 15, "marginTableId": 15},
        {"name": "OLD", "szDecimals": 2, "maxLeverage": 3, "marginTableId": 3, "isDelisted": True},
    ],
    "marginTables": [
        [
            56,
            {
                "description": "tiered 40x",
                "marginTiers": [
                    {"lowerBound": "0.0", "maxLeverage": 40},
                    {"lowerBound": "150000000.0", "maxLeverage": 20},
                ],
            },
        ]
    ],
}


def put(folder: Path, content: object, name: str = NAME) -> Path:
    return tiny.put(folder / "files" / name, json.dumps(content))


def exact(tier: Tier) -> tuple[object, ...]:
    return (tier.floor, tier.cap, tier.rate, tier.max_leverage, tier.deduction)


def test_binance_file_is_kept_with_its_date_and_checksum(tmp_path: Path) -> None:
    file = tiny.tiers(tmp_path)
    done = import_tiers(file, tmp_path / "rules")
    assert (done.venue, done.format, done.at) == ("binance", "ccxt", "2025-10-09T00:00:00Z")
    assert (done.contracts, done.tiers, done.added) == (1, 2, 2)
    assert [defect.defect for defect in done.defects] == ["ETH/BTC:BTC: notional is not in dollars"]
    (one,) = snapshots(tmp_path / "rules")
    assert (one.venue, one.contracts, one.tiers, one.sha256) == ("binance", 1, 2, done.sha256)
    found = stored_tiers(tmp_path / "rules", "binance", DAY)["BTCUSDT"]
    assert [exact(tier) for tier in found.tiers] == [
        (0, 300_000, Fraction(4, 1000), 150, 0),
        (300_000, 800_000, Fraction(5, 1000), 100, 300),
    ]


def test_bybit_is_recognised_and_a_leverage_between_whole_numbers_is_kept(tmp_path: Path) -> None:
    done = import_tiers(put(tmp_path, BYBIT), tmp_path / "rules")
    assert done.venue == "bybit"
    found = stored_tiers(tmp_path / "rules", "bybit", DAY)["BTCUSDT"]
    assert exact(found.tiers[1]) == (2_000_000, 4_000_000, Fraction(1, 100), Fraction("33.33"), 10_000)


def test_hyperliquid_rates_are_half_the_initial_ones_exactly_and_the_last_tier_has_no_end(
    tmp_path: Path,
) -> None:
    done = import_tiers(put(tmp_path, [META, [{}, {}, {}]]), tmp_path / "rules")
    assert (done.venue, done.format, done.contracts) == ("hyperliquid", "hyperliquid", 2)
    assert done.defects[0].defect == "1 contracts are delisted (OLD)"
    found = stored_tiers(tmp_path / "rules", "hyperliquid", DAY)
    assert [exact(tier) for tier in found["BTC"].tiers] == [
        (0, 150_000_000, Fraction(1, 80), 40, 0),
        (150_000_000, None, Fraction(1, 40), 20, 1_875_000),
    ]
    assert [exact(tier) for tier in found["ATOM"].tiers] == [(0, None, Fraction(1, 30), 15, 0)]


def test_meta_without_the_state_of_the_markets_is_read_too(tmp_path: Path) -> None:
    assert import_tiers(put(tmp_path, META), tmp_path / "rules").contracts == 2


def test_venue_and_day_may_be_told_where_the_file_does_not(tmp_path: Path) -> None:
    file = put(tmp_path, ANYBODY, "x.json")
    done = import_tiers(file, tmp_path / "rules", venue="gate", day=date(2026, 1, 2))
    assert (done.venue, done.at) == ("gate", "2026-01-02T00:00:00Z")
    assert "BTC_USDT" in stored_tiers(tmp_path / "rules", "gate", date(2026, 1, 2))


def test_newest_tiers_that_are_not_later_than_the_day_hold_contract_by_contract(tmp_path: Path) -> None:
    store = tmp_path / "rules"
    import_tiers(put(tmp_path, BYBIT), store)
    wider = json.loads(json.dumps(BYBIT).replace("4000000.0", "5000000.0"))
    import_tiers(put(tmp_path, {**wider}, "later.json"), store, day=date(2025, 11, 1))
    other = {"ETH/USDT:USDT": BYBIT["BTC/USDT:USDT"]}
    import_tiers(put(tmp_path, other, "other.json"), store, day=date(2025, 12, 1))

    def cap(day: date, symbol: str = "BTCUSDT") -> Fraction | None:
        found = stored_tiers(store, "bybit", day)
        return found[symbol].tiers[-1].cap if symbol in found else None

    assert cap(date(2025, 10, 8)) is None
    assert cap(DAY) == cap(date(2025, 10, 31)) == 4_000_000
    assert cap(date(2025, 11, 1)) == cap(date(2026, 1, 1)) == cap(date.max) == 5_000_000
    assert cap(date(2025, 11, 30), "ETHUSDT") is None and cap(date(2025, 12, 1), "ETHUSDT") == 4_000_000
    assert [one.source for one in snapshots(store)] == [
        "files/other.json",
        "files/later.json",
        f"files/{NAME}",
    ]


def test_the_same_file_again_adds_nothing_and_other_bytes_of_that_name_are_told_apart(tmp_path: Path) -> None:
    store = tmp_path / "rules"
    import_tiers(put(tmp_path, BYBIT), store)
    before = tiny.commits(store)
    assert import_tiers(put(tmp_path, BYBIT), store).added == 0
    assert tiny.commits(store) == before
    done = import_tiers(put(tmp_path, ANYBODY), store, venue="gate")
    assert done.file.startswith(f"files/{NAME}#")


@pytest.mark.parametrize("more", [False, True], ids=["another cap", "one tier more"])
def test_other_tiers_for_a_moment_that_is_stored_are_refused_and_nothing_changes(
    tmp_path: Path, more: bool
) -> None:
    store = tmp_path / "rules"
    import_tiers(put(tmp_path, BYBIT), store)
    before = tiny.commits(store)
    tiers = list(BYBIT["BTC/USDT:USDT"])
    if more:
        tiers.append(bybit_tier(3, 4_000_000.0, 9_000_000.0, 0.02, 10.0, "50000"))
    else:
        tiers[1] = tiers[1] | {"maxNotional": 5_000_000.0}
    with pytest.raises(RulesError, match=r"BTCUSDT.*stored for bybit at 2025-10-09"):
        import_tiers(put(tmp_path, {"BTC/USDT:USDT": tiers}, "b.json"), store, day=DAY)
    assert tiny.commits(store) == before


def changed(position: int, **changes: object) -> Callable[[], object]:
    def make() -> object:
        tiers = [dict(row) for row in BYBIT["BTC/USDT:USDT"]]
        tiers[position - 1] |= changes
        return {"BTC/USDT:USDT": tiers}

    return make


def meta(**changes: object) -> Callable[[], object]:
    return lambda: [META | changes, []]


def coin(**changes: object) -> Callable[[], object]:
    return meta(universe=[META["universe"][0] | changes])


def table(*tiers: dict[str, object]) -> Callable[[], object]:
    return meta(marginTables=[[56, {"marginTiers": list(tiers)}]], universe=META["universe"][:1])


T40 = {"lowerBound": "0.0", "maxLeverage": 40}

REFUSED: dict[str, tuple[Callable[[], object], type[InputError], tuple[str, ...]]] = {
    "rates in percent": (changed(1, maintenanceMarginRate=0.5e1), UnitError, ("tier 1", "0.004 for 0.4 %")),
    "a rate that does not rise": (
        changed(2, maintenanceMarginRate=0.005),
        RulesError,
        ("tier 2", "rate above"),
    ),
    "a gap between tiers": (changed(2, minNotional=3e6), RulesError, ("tier 2", "minNotional", "2000000")),
    "a cap below its floor": (changed(2, maxNotional=1e6), RulesError, ("tier 2", "maxNotional")),
    "a cap in cents": (changed(2, maxNotional=4000000.55), RulesError, ("tier 2", "whole units")),
    "a leverage that rises": (changed(2, maxLeverage=101.0), RulesError, ("tier 2", "maxLeverage")),
    "a leverage beyond 1 ÷ rate": (
        changed(1, maxLeverage=201.0),
        RulesError,
        ("tier 1", "at most 200", "1 ÷ the maintenance rate"),
    ),
    "a deduction that breaks the margin": (
        changed(
            2,
            info={
                "riskLimitValue": "1",
                "maintenanceMargin": "1",
                "isLowestRisk": "0",
                "mmDeduction": "9999",
            },
        ),
        RulesError,
        ("tier 2", "'mmDeduction'", "a deduction of 10000", "9999"),
    ),
    "a number that is none": (changed(1, maxNotional="much"), SchemaError, ("maxNotional", "'much'")),
    "a truth value": (changed(1, maxNotional=True), SchemaError, ("maxNotional", "True")),
    "a tier that is missing": (changed(2, tier=3), RulesError, ("expected tier 2, found 3",)),
    "a market by another name": (lambda: {"BTCUSDT": BYBIT["BTC/USDT:USDT"]}, SchemaError, ("BASE/QUOTE",)),
    "a tier that is a list": (
        lambda: {"BTC/USDT:USDT": [BYBIT["BTC/USDT:USDT"][0], [1]]},
        SchemaError,
        ("tier 2", "an object"),
    ),
    "tiers in coins only": (
        lambda: {"BTC/USD:BTC": BYBIT["BTC/USDT:USDT"]},
        SchemaError,
        ("in dollars", "found BTC only"),
    ),
    "a table that is not there": (
        coin(marginTableId=77),
        SchemaError,
        ("'BTC'", "marginTableId", "[56]", "77"),
    ),
    "a leverage that is not its table's": (coin(maxLeverage=50), RulesError, ("'BTC'", "expected 40", "50")),
    "a coin without a name": (meta(universe=[{"maxLeverage": 3}]), SchemaError, ("contract 1", "name")),
    "a coin twice": (meta(universe=META["universe"][:1] * 2), SchemaError, ("every contract once",)),
    "a universe that is no list": (meta(universe={}), SchemaError, ("universe", "a list")),
    "no coin that is listed": (meta(universe=META["universe"][2:]), SchemaError, ("none",)),
    "a table without tiers": (table(), SchemaError, ("margin table 56", "0 tiers")),
    "bounds that fall": (
        table(T40, {"lowerBound": "-5", "maxLeverage": 20}),
        RulesError,
        ("'BTC', tier 1", "lowerBound"),
    ),
    "a leverage that rises with size": (
        table(T40, {"lowerBound": "9", "maxLeverage": 45}),
        RulesError,
        ("'BTC', tier 2",),
    ),
    "a document of another kind": (
        lambda: {"source": "x", "columns": ["floor"], "tiers": {}},
        SchemaError,
        ("fetch_leverage_tiers", "metaAndAssetCtxs", "['source', 'columns', 'tiers']"),
    ),
    "an empty object": (dict, SchemaError, ("fetch_leverage_tiers",)),
    "a bare number": (lambda: 7, SchemaError, ("fetch_leverage_tiers",)),
    "tiers of nobody": (lambda: ANYBODY, InputError, ("--venue", "without the names of one venue")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_unusable_file_is_refused_with_its_place_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    make, kind, words = REFUSED[name]
    with pytest.raises(kind) as caught:
        import_tiers(put(tmp_path, make()), tmp_path / "rules")
    said = str(caught.value)
    assert all(word in said for word in (NAME, *words)), said
    assert not (tmp_path / "rules").exists()


@pytest.mark.parametrize("text", ["", "{", '{"a": NaN}', "\x00\x01"])
def test_file_that_is_no_json_is_bad_input(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="parses as JSON"):
        import_tiers(tiny.put(tmp_path / "f" / NAME, text), tmp_path / "rules")


def test_what_the_caller_says_may_not_contradict_the_file(tmp_path: Path) -> None:
    store = tmp_path / "rules"
    with pytest.raises(InputError, match="expected tiers of bybit, found tiers of hyperliquid"):
        import_tiers(put(tmp_path, META), store, venue="bybit")
    with pytest.raises(InputError, match="expected tiers of gate, found tiers of bybit"):
        import_tiers(put(tmp_path, BYBIT), store, venue="gate")
    with pytest.raises(InputError, match=r"expected a venue of \['binance', 'bybit', 'gate'\].*found 'okx'"):
        import_tiers(put(tmp_path, ANYBODY), store, venue="okx")
    for name in ("undated.json", "of_2025-13-40.json"):
        with pytest.raises(InputError, match=r"expected a date in the file's name.*\n.*--at"):
            import_tiers(put(tmp_path, BYBIT, name), store)
    with pytest.raises(InputError, match="expected a file of margin tiers"):
        import_tiers(tmp_path / "nowhere.json", store)


def test_nothing_is_stored_where_there_is_no_store(tmp_path: Path) -> None:
    assert snapshots(tmp_path / "rules") == [] and stored_tiers(tmp_path / "rules", "bybit", DAY) == {}


def test_store_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELEVERAGE_RULES_DIR", str(tmp_path / "mine"))
    assert rules_folder() == tmp_path / "mine"
    monkeypatch.delenv("DELEVERAGE_RULES_DIR")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert rules_folder() == tmp_path / "data" / "deleverage" / "rules"
    monkeypatch.setenv("XDG_DATA_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert rules_folder() == tmp_path / ".local" / "share" / "deleverage" / "rules"


def test_store_is_a_lake_like_any_other(tmp_path: Path) -> None:
    import_tiers(put(tmp_path, BYBIT), tmp_path / "rules")
    rows = Lake.open(tmp_path / "rules").read("tiers").to_dicts()
    assert [(row["symbol"], row["tier"], row["rate_num"], row["rate_den"]) for row in rows] == [
        ("BTCUSDT", 1, 1, 200),
        ("BTCUSDT", 2, 1, 100),
    ]


def test_full_files_of_the_data_folder(test_data: Path, tmp_path: Path) -> None:
    folder = test_data / "leverage_tiers"
    store = tmp_path / "rules"
    counts = {"2025-10-09": (603, 5_415), "2025-10-16": (611, 5_473), "2025-11-20": (637, 5_637)}
    for day, expected in counts.items():
        done = import_tiers(folder / f"binance_leverage_tiers_{day}.json", store)
        assert (done.contracts, done.tiers) == expected
    done = import_tiers(folder / "hyperliquid_meta.json", store, day=date(2026, 3, 1))
    assert (done.contracts, done.tiers) == (190, 230)
    assert len(stored_tiers(store, "binance", DAY)) == 603
