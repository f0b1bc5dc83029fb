"""Liquidation counts: a day is one list, publishers stay apart, and a day without a list is not zero."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from deleverage.errors import InputError, MissingDataError
from deleverage.measure.asof import Frames
from deleverage.measure.liquidation_counts import MEASURE
from tests.measure.market_rows import DAY, HOUR, assert_no_look_ahead, at, contracts, table

START, NOW = at("2025-10-12"), at("2025-10-22")


def _lists(longs: list[float | None], short: float = 100e6) -> pl.DataFrame:
    """One list a day at 16:00 UTC; None for a day without."""
    rows: list[dict[str, Any]] = []
    for day, long in enumerate(longs):
        if long is not None:
            rows += contracts(START + day * DAY + 16 * HOUR, "BTC", 100.0, [1e9] * 5, long, short)
    return table("snapshots", rows)


def _bars(days: int, usd: float, *, publisher: str = "coinglass", venue: str = "binance") -> pl.DataFrame:
    return table(
        "liquidation_totals",
        [
            {"time_ns": START + bar * 4 * HOUR, "venue": venue, "coin": "BTC", "interval_s": 14_400,
             "side": side, "usd": usd, "publisher": publisher, "source": "made/liq.parquet"}
            for bar in range(days * 6) for side in ("long", "short")
        ],
    )  # fmt: skip


def _value(found: Any, name: str, subject: str = "coinglass") -> Any:
    row = found.reading(name, subject)
    assert row is not None
    return row["value"]


def test_days_are_counted_among_those_observed() -> None:
    # with shorts of 100 m: 300, 600, -, 1,200, 400, 500
    frames = {"snapshots": _lists([200e6, 500e6, None, 1100e6, 300e6, 400e6])}
    found = MEASURE.at(Frames(frames), NOW, {"from": START})
    assert _value(found, "days_observed") == 5
    assert _value(found, "days_above") == 2  # 500 m itself is not above
    assert _value(found, "days_above_twice") == 1
    # × 1.5: 450, 900, 1,800, 600, 750
    assert _value(found, "days_above_with_others") == 4
    assert _value(found, "median_day") == 500e6
    assert _value(found, "largest_day") == 1200e6
    assert _value(found, "largest_day_date") == (START + 3 * DAY) / DAY
    assert _value(found, "long_share") == pytest.approx(2500 / 3000)
    assert _value(found, "share_of_open_interest") == pytest.approx(500e6 / 5e9)
    assert _value(found, "total") == 3000e6
    share = found.reading("share_of_days_above", "coinglass")
    assert share is not None
    # Wilson, z = 1.645, k = 2, n = 5: (k + z²/2 ± z √(k(n−k)/n + z²/4)) / (n + z²) = (3.353 ± 2.253) / 7.706
    assert (share["low"], share["high"]) == (pytest.approx(0.1427, abs=1e-3), pytest.approx(0.7275, abs=1e-3))
    assert "10-13, 10-15" in found.reading("days_above", "coinglass")["note"]  # type: ignore[index]


def test_the_last_list_of_a_day_stands_for_it() -> None:
    early = table("snapshots", contracts(START + 9 * HOUR, "BTC", 100.0, [1e9] * 5, 900e6, 0.0))
    found = MEASURE.at(Frames({"snapshots": pl.concat([_lists([200e6]), early])}), NOW, {"from": START})
    assert _value(found, "days_observed") == 1 and _value(found, "largest_day") == 300e6


def test_publishers_stand_apart_and_only_the_one_asked_for_is_counted() -> None:
    frames = {"snapshots": _lists([200e6] * 5), "liquidation_totals": _bars(4, 1e6)}
    found = MEASURE.at(Frames(frames), NOW, {"from": START})
    assert _value(found, "total", "coinglass binance") == 4 * 12 * 1e6
    assert found.reading("days_observed", "coinglass binance") is None
    found = MEASURE.at(Frames(frames), NOW, {"from": START, "publisher": "every"})
    assert _value(found, "days_observed", "coinglass binance") == 4
    assert _value(found, "days_observed", "coinglass") == 5
    assert _value(found, "share_of_open_interest", "coinglass binance") is None


def test_a_day_with_a_bar_missing_is_not_observed() -> None:
    bars = _bars(4, 1e6).filter(pl.col("time_ns") != START + DAY)
    found = MEASURE.at(Frames({"liquidation_totals": bars}), NOW, {"from": START, "publisher": "every"})
    assert _value(found, "days_observed", "coinglass binance") == 3


def test_a_list_without_liquidations_is_no_quiet_day() -> None:
    blind = _lists([200e6, 200e6]).with_columns(
        long_liquidations_usd_24h=pl.when(pl.col("time_ns") < START + DAY).then("long_liquidations_usd_24h")
    )
    found = MEASURE.at(Frames({"snapshots": blind}), NOW, {"from": START})
    assert _value(found, "days_observed") == 1
    assert found.readings["value"].is_nan().sum() == 0


def test_adl_is_another_quantity_and_single_events_carry_their_feed() -> None:
    adl = table("adl_totals", [
        {"time_ns": START, "venue": "hyperliquid", "coin": "BTC", "end_ns": START + HOUR, "coins": 1.0,
         "usd": 5e6, "fills": 3, "source": "made/adl.csv"}
    ])  # fmt: skip
    events = table("liquidations", [
        {"time_ns": START + k * 60_000_000_000, "venue": "binance", "kind": "perp", "coin": "BTC",
         "symbol": "BTCUSDT", "event_id": str(k), "side": "long", "coins": 1.0, "price": 100.0, "usd": 100.0,
         "usd_at": "fill", "feed": "forceOrder", "source": "made/e.csv"}
        for k in range(30)
    ])  # fmt: skip
    frames = {"snapshots": _lists([200e6]), "adl_totals": adl, "liquidations": events}
    found = MEASURE.at(Frames(frames), NOW, {"from": START})
    assert _value(found, "total", "hyperliquid adl") == 5e6
    assert "not to be added" in found.reading("total", "hyperliquid adl")["note"]  # type: ignore[index]
    row = found.reading("total", "binance forceOrder")
    assert row is not None and row["value"] == 3000.0 and "throttled" in row["by"] and row["high"] is None
    found = MEASURE.at(Frames(frames), NOW, {"from": START, "publisher": "binance forceOrder"})
    row = found.reading("total", "binance forceOrder")
    assert row is not None and row["low"] >= 3000.0 and row["interval"]


def test_what_is_not_there_is_an_error_with_table_range_and_command() -> None:
    with pytest.raises(MissingDataError) as caught:
        MEASURE.at(Frames({}), NOW, {"from": START})
    assert caught.value.context["table"] == "snapshots"
    assert (caught.value.context["start_ns"], caught.value.context["end_ns"]) == (START, NOW)
    assert "deleverage import" in str(caught.value.context["command"])
    with pytest.raises(
        MissingDataError, match=r"\(the newest of that table are of 2025-10-12\) from 2025-12-01"
    ):
        MEASURE.at(Frames({"snapshots": _lists([1.0])}), at("2025-12-31"), {"from": at("2025-12-01")})
    with pytest.raises(MissingDataError, match=r"'nobody' \(there are coinglass\)"):
        MEASURE.at(Frames({"snapshots": _lists([1.0])}), NOW, {"from": START, "publisher": "nobody"})


@pytest.mark.parametrize("given", [{"threshold_usd": 0}, {"from": NOW}, {"threshold_usd": "many"}])
def test_wrong_parameters_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        MEASURE.at(Frames({"snapshots": _lists([1.0])}), NOW, given)


def test_nothing_later_is_looked_at() -> None:
    frames = {
        "snapshots": _lists([float(k * 37 % 11) * 1e8 for k in range(60)]),
        "liquidation_totals": _bars(60, 3e6),
    }
    assert_no_look_ahead(MEASURE, frames, START + DAY, START + 70 * DAY, {"publisher": "every"})
