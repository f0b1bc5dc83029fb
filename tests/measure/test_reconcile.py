"""The night of 10 October: counts stand beside each other with what each counts, none is added to another."""

from __future__ import annotations

from typing import Any

import pytest

from deleverage.errors import InputError, MissingDataError
from deleverage.measure.asof import Frames
from deleverage.measure.reconcile.measure import MEASURE
from deleverage.measure.reconcile.night_counts import COUNTS, published
from tests.measure.market_rows import DAY, HOUR, assert_no_look_ahead, at, table

NIGHT, NOW = at("2025-10-10"), at("2025-10-20")


def _adl(usd: float = 2.1e9) -> Any:
    row = {"time_ns": NIGHT + 21 * HOUR, "venue": "hyperliquid", "coin": "BTC", "end_ns": NIGHT + 22 * HOUR,
           "coins": 1.0, "usd": usd, "fills": 7, "source": "made/adl.csv"}  # fmt: skip
    return table("adl_totals", [row])


def _totals(start: int, publisher: str = "coinglass", usd: float = 1e8) -> list[dict[str, Any]]:
    return [
        {"time_ns": start + bar * 4 * HOUR, "venue": "binance", "coin": "BTC", "interval_s": 14_400,
         "side": "long", "usd": usd, "publisher": publisher, "source": "made/l.parquet"}
        for bar in range(6)
    ]  # fmt: skip


def _interest() -> Any:
    return table("open_interest", [
        {"time_ns": NIGHT + hour * HOUR, "venue": venue, "coin": "BTC", "scope": "all", "coins": coins,
         "usd": coins * price, "price": price, "source": "made/oi.parquet"}
        for venue in ("a", "b") for hour, coins, price in ((20, 10.0, 100.0), (24, 8.0, 90.0))
    ])  # fmt: skip


def test_every_count_has_a_printed_figure_with_a_source_and_says_what_it_counts() -> None:
    found = MEASURE.at(Frames({}), NOW)
    for count in COUNTS:
        row = found.reading("published", count.subject)
        assert row is not None and row["value"] > 1e9 and row["data"] and row["by"] == count.who
        assert count.counted in row["note"] and "ADL: " in row["note"] and "feed: " in row["note"]
        why = found.reading("ratio", count.subject)
        assert why is not None and why["value"] is None and count.why in why["note"]


def test_what_readers_add_is_the_sum_of_its_parts_and_said_to_count_twice() -> None:
    found = MEASURE.at(Frames({}), NOW)
    both, chain, adl = (found.reading("published", f"hyperliquid {k}") for k in ("both", "chain", "adl"))
    assert both and chain and adl
    assert both["value"] == pytest.approx(chain["value"] + adl["value"])
    assert "twice" in next(count.why for count in COUNTS if count.subject == "hyperliquid both")


def test_the_lake_is_set_beside_the_same_quantity_alone() -> None:
    totals = table("liquidation_totals", [*_totals(NIGHT), *_totals(NIGHT, "other"), *_totals(NIGHT + DAY)])
    found = MEASURE.at(Frames({"adl_totals": _adl(), "liquidation_totals": totals}), NOW)
    held = found.reading("in_lake", "hyperliquid adl")
    assert held is not None and held["value"] == 2.1e9
    ratio = found.reading("ratio", "hyperliquid adl")
    assert ratio is not None and ratio["value"] == pytest.approx(2.1e9 / published()["adl-total"].value)
    # six bars of one publisher, of that day alone
    binance = found.reading("in_lake", "coinglass binance")
    assert binance is not None and binance["value"] == pytest.approx(6e8)
    everything = found.reading("in_lake", "coinglass 24h")
    assert everything is not None and everything["value"] is None


def test_open_interest_is_closed_in_contracts_at_the_price_before() -> None:
    found = MEASURE.at(Frames({"open_interest": _interest()}), NOW)
    row, usd = (found.reading(name, "all") for name in ("open_interest_closed", "open_interest_fall"))
    assert row is not None and row["value"] == pytest.approx(2 * 2.0 * 100.0)
    assert usd is not None and usd["value"] == pytest.approx(2 * (1000.0 - 720.0))


def test_what_the_lake_lacks_is_null_and_named() -> None:
    found = MEASURE.at(Frames({}), NOW)
    assert {one.table for one in found.missing} == {
        "adl_totals", "liquidation_totals", "liquidations", "open_interest"
    }  # fmt: skip
    assert found.readings["value"].is_nan().sum() == 0


def test_before_the_night_was_counted_nothing_is_said() -> None:
    with pytest.raises(MissingDataError) as caught:
        MEASURE.at(Frames({"adl_totals": _adl()}), NIGHT + DAY)
    assert caught.value.context["table"] == "liquidation_totals"


def test_another_night_is_refused() -> None:
    with pytest.raises(InputError, match="2025-10-10"):
        MEASURE.at(Frames({}), NOW, {"night": "2024-08-05"})


def test_nothing_later_is_looked_at() -> None:
    frames = {"adl_totals": _adl(), "open_interest": _interest()}
    assert_no_look_ahead(MEASURE, frames, NIGHT + DAY, NIGHT + 20 * DAY)


def test_what_stands_on_the_screen_of_all_measures_are_readings_with_figures() -> None:
    assert set(MEASURE.headline) <= set(MEASURE.readings)
    assert "published" in MEASURE.headline and "ratio" not in MEASURE.headline
