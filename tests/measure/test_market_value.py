"""Is value erased that of stated supplies, and unknown where the lake does not know it?"""

from __future__ import annotations

import polars as pl
import pytest

from deleverage.errors import InputError, MissingDataError, exit_code
from deleverage.measure.asof import Frames
from deleverage.measure.market_value.measure import MEASURE
from deleverage.measure.market_value.supplies import SUPPLIES
from deleverage.measure.measure import Measured
from deleverage.report.figures.measures.market_value import draw
from tests.measure.bars import DAY, FIRST, candles, caps, walk
from tests.measure.read import value
from tests.measure.truncated import no_look_ahead

BTC = [(100.0, 130.0, 95.0, 120.0), (120.0, 125.0, 100.0, 110.0), (110.0, 112.0, 88.0, 90.0)]
ETH = [(10.0, 12.0, 9.0, 11.0), (11.0, 12.0, 9.0, 10.0), (10.0, 11.0, 9.0, 10.0)]
N_BTC, N_ETH = SUPPLIES["BTC"].coins, SUPPLIES["ETH"].coins
LOST_BTC, LOST_ETH = 30 * N_BTC, 1 * N_ETH
BOTH = ("BTC", "ETH")


def tables(*more: tuple[int, str, float]) -> dict[str, pl.DataFrame]:
    return {"candles": pl.concat([candles(BTC), candles(ETH, coin="ETH")]), "market_caps": caps(more)}


def at(*more: tuple[int, str, float], days: int = 3, **given: object) -> Measured:
    return MEASURE.at(Frames(tables(*more)), FIRST + days * DAY, {"basket": BOTH, **given})


def test_every_coin_and_the_basket_by_hand() -> None:
    found = at()
    assert value(found, "erased_BTC") == pytest.approx(LOST_BTC)
    assert value(found, "erased_ETH") == pytest.approx(LOST_ETH)
    assert value(found, "erased_basket") == pytest.approx(LOST_BTC + LOST_ETH)
    before = 120 * N_BTC + 11 * N_ETH
    assert value(found, "basket_before") == pytest.approx(before)
    assert value(found, "erased_basket_share") == pytest.approx((LOST_BTC + LOST_ETH) / before)
    assert value(found, "erased_per_day") == pytest.approx((LOST_BTC + LOST_ETH) / 2)
    row = found.reading("erased_ETH") or {}
    assert (
        row["low"] == pytest.approx(LOST_ETH * (1 - SUPPLIES["ETH"].within)) and "120.7 m ETH" in row["note"]
    )


def test_the_first_day_is_that_of_the_high_or_the_one_given_at_the_price_given() -> None:
    assert value(at(price="high"), "erased_BTC") == pytest.approx((130 - 90) * N_BTC)
    assert value(at(since=FIRST + DAY), "erased_BTC") == pytest.approx(20 * N_BTC)
    assert value(at(since=FIRST + DAY, price="low"), "erased_BTC") == pytest.approx(10 * N_BTC)
    risen = at(basket="ETH", since=FIRST + DAY, price="low")
    assert value(risen, "erased_ETH") == pytest.approx(-N_ETH)  # a gain is below zero
    row = risen.reading("erased_ETH") or {}
    assert row["low"] < row["value"] < row["high"]


def test_the_whole_market_is_null_where_its_capitalisation_is_not_known() -> None:
    found = at((19_990, "total", 5e9))
    row = found.reading("erased_total") or {}
    assert row["value"] is None and "it ends 2024-09-24" in row["note"]
    missing = {one.table: one for one in found.missing}["market_caps"]
    assert missing.start_ns == FIRST and "backfill coingecko" in missing.command
    known = at((20_000, "total", 5e9), (20_002, "total", 4e9), (20_000, "BTC", 3e9), (20_002, "BTC", 2.5e9))
    assert value(known, "erased_total") == pytest.approx(1e9)
    assert value(known, "erased_onchain_cap") == pytest.approx(0.5e9)
    assert not known.missing


def test_a_stated_total_says_what_the_rest_would_have_had_to_lose() -> None:
    total = 2 * (100 * N_BTC + 10 * N_ETH)  # the basket, at the opening of that date, is half of it
    found = at((20_000, "total", total), stated_usd=1e10)
    assert value(found, "basket_share") == pytest.approx(0.5)
    lost, before = LOST_BTC + LOST_ETH, 120 * N_BTC + 11 * N_ETH
    assert value(found, "erased_total_if_alike") == pytest.approx(2 * lost)
    assert value(found, "stated_per_day") == pytest.approx(5e9)
    assert value(found, "rest_needed") == pytest.approx(1e10 - lost)
    assert value(found, "market_fall_needed") == pytest.approx(-(1e10 - lost) / before)
    unknown = at(stated_usd=1e10)
    assert value(unknown, "market_fall_needed") is None and value(unknown, "erased_total_if_alike") is None


def test_a_coin_without_bars_makes_the_basket_unknown_and_is_told() -> None:
    found = at(basket="BTC,SOL")
    assert value(found, "erased_SOL") is None and value(found, "erased_basket") is None
    assert value(found, "erased_BTC") == pytest.approx(LOST_BTC)
    assert any("SOL" in missing.what for missing in found.missing)
    with pytest.raises(MissingDataError) as caught:
        at(basket="SOL,BTC")  # nobody says which day is the last
    assert exit_code(caught.value) == 3


def test_what_has_no_sense_is_refused() -> None:
    with pytest.raises(InputError, match="expected coins with a stated supply, found PEPE"):
        at(basket="BTC,PEPE")
    with pytest.raises(InputError, match="expected a day before"):
        at(since=FIRST + 3 * DAY)


def test_on_the_first_day_nothing_is_spread_over_no_days() -> None:
    found = at(days=1)
    assert value(found, "erased_basket") == 0.0 and value(found, "erased_per_day") is None


def test_every_supply_says_by_whom_and_of_when() -> None:
    for coin, supply in SUPPLIES.items():
        assert supply.coins > 1e6 and 0 < supply.within < 0.1 and supply.source and supply.of, coin


def test_no_look_ahead() -> None:
    made = {
        "candles": pl.concat([candles(walk(80)), candles(walk(78, 2), coin="ETH")]),
        "market_caps": caps([(20_000 + k, coin, 1e9 + k) for k in range(50) for coin in ("total", "BTC")]),
    }
    given = {"basket": BOTH, "stated_usd": 1e9}
    assert no_look_ahead(MEASURE, made, FIRST, FIRST + 85 * DAY, given) >= 15


def test_the_figure_is_drawn_with_and_without_a_sum() -> None:
    drawing = draw(at())
    assert "2 coins lost" in drawing.title and "not observed here" in drawing.band
    assert "not observed" in draw(at(basket="BTC,SOL")).wide
    for svg in (drawing.wide, drawing.narrow):
        assert "Worth together, USD" in svg
