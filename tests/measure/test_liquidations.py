"""Does the table say what was published, what stands behind it, and nothing that nobody observed?"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from deleverage.errors import InputError
from deleverage.measure.throttled.liquidations import Liquidations, measure_liquidations
from deleverage.schema import LIQUIDATION_ESTIMATES, LIQUIDATION_TOTALS
from tests.measure.events import HOUR, NOON, SECOND, SUMMER, liquidations, open_interest, table, trades


def measured(events: pl.DataFrame, start: int = NOON, hours: float = 1.0, **more: Any) -> Liquidations:
    end = start + round(hours * HOUR)
    return measure_liquidations(events, **{"start_ns": start, "end_ns": end, "stretch_ns": HOUR, **more})


def row(frame: pl.DataFrame, side: str = "both", coin: str = "BTC", venue: str = "binance") -> dict[str, Any]:
    found = frame.filter((pl.col("side") == side) & (pl.col("coin") == coin) & (pl.col("venue") == venue))
    assert found.height == 1, found
    return found.row(0, named=True)


def busy(seconds: float = 3600.0, seed: int = 1, every: float = 3.0) -> np.ndarray:
    """Moments [s] at which a throttled feed showed something: never less than a second apart."""
    rng = np.random.default_rng(seed)
    at = np.cumsum(1.0 + rng.exponential(every - 1.0, int(seconds)))
    return at[at < seconds]


def test_a_full_feed_is_counted_as_it_is() -> None:
    events = liquidations(
        [1.0, 1.0, 2.5], start_ns=SUMMER, venue="bybit", feed="allLiquidation", side=["long", "long", "short"]
    )
    found = row(measured(events, SUMMER).whole, venue="bybit")
    assert (found["publishes"], found["shown"], found["count_low"], found["count_high"]) == ("all", 3, 3, 3)
    assert found["usd"] == found["usd_high"] == pytest.approx(30_000.0)
    assert row(measured(events, SUMMER).whole, "short", venue="bybit")["count"] == 1
    assert found["bursts_from"] == ""


def test_a_throttled_feed_has_more_behind_it_than_it_shows() -> None:
    found = measured(liquidations(busy()))
    both, long = row(found.whole), row(found.whole, "long")
    assert both["publishes"] == "throttled" and both["rule"] == "first"
    assert both["shown"] <= both["count_low"] < both["count"] < both["count_high"]
    assert both["shown_usd"] <= both["usd_low"] < both["usd_high"]
    assert both["shown_coins"] <= both["coins_low"] < both["coins_high"]
    assert long["shown"] == both["shown"] and both["bursts_from"] == "prior"
    assert 0.2 < both["occupied_share"] < 0.5  # a second of every three


def test_a_feed_that_nobody_described_has_a_lower_end_only() -> None:
    found = row(measured(liquidations([1.0, 5.0], venue="nowhere", feed="hearsay")).whole, venue="nowhere")
    assert found["publishes"] == "unknown" and found["count_low"] == 2
    assert found["count"] is None and found["usd_high"] is None and found["upper_from"] == ""


def test_nothing_observed_is_no_row() -> None:
    found = measured(liquidations([1.0]), NOON + 5 * HOUR)
    assert found.whole.is_empty() and found.stretches.is_empty()
    assert found.whole.columns == list(LIQUIDATION_ESTIMATES.names)


def test_stretches_without_an_event_are_left_out_not_zero() -> None:
    found = measured(liquidations([10.0, 2 * 3600.0 + 10.0]), hours=3.0)
    assert found.stretches.filter(side="both")["time_ns"].to_list() == [NOON, NOON + 2 * HOUR]
    assert row(found.whole)["shown"] == 2


def test_the_value_of_a_stretch_does_not_change_when_later_data_arrive() -> None:
    slow = liquidations(busy(1200.0), start_ns=SUMMER)
    teacher = liquidations(
        np.repeat(busy(1800.0, 2), 3), start_ns=SUMMER - HOUR, venue="bybit", feed="allLiquidation"
    )
    later = liquidations(busy(600.0, 3, 1.5), start_ns=SUMMER + HOUR, coins=5.0)
    flood = liquidations(
        np.repeat(busy(600.0, 4), 9), start_ns=SUMMER + HOUR, venue="bybit", feed="allLiquidation"
    )
    everything = pl.concat([slow, teacher, later, flood])
    cut = everything.filter(pl.col("time_ns") < SUMMER + HOUR)
    with_later = measured(everything, SUMMER, 2.0).stretches.filter(pl.col("end_ns") <= SUMMER + HOUR)
    without = measured(cut, SUMMER, 1.0).stretches
    assert with_later.equals(without)
    as_of = measured(everything, SUMMER, 2.0, known_ns=SUMMER + HOUR).stretches
    assert as_of.equals(without)
    assert row(without)["bursts_from"] == "full feeds"


def test_what_was_received_later_was_not_known() -> None:
    events = liquidations([10.0, 20.0, 30.0], received_s=[10.1, 7200.0, 30.1])
    assert row(measured(events, known_ns=NOON + HOUR).whole)["shown"] == 2
    assert row(measured(events).whole)["shown"] == 3


def test_full_feeds_of_the_lake_teach_the_size_of_bursts() -> None:
    slow = liquidations(busy(), start_ns=SUMMER)
    at = np.sort(np.random.default_rng(2).random(6_000)) * 6 * 3600.0
    single, triple = (
        liquidations(np.repeat(at, times), start_ns=SUMMER - 5 * HOUR, venue="bybit", feed="allLiquidation")
        for times in (1, 3)
    )
    small, large = (row(measured(pl.concat([slow, teacher]), SUMMER).whole) for teacher in (single, triple))
    assert small["bursts_from"] == large["bursts_from"] == "full feeds"
    assert 2.3 < large["count"] / small["count"] < 3.6
    alone = row(measured(slow, SUMMER).whole)
    assert small["count_high"] / small["count_low"] < alone["count_high"] / alone["count_low"]


def test_a_venue_or_coin_asked_for_is_the_same_as_among_all() -> None:
    events = pl.concat(
        [liquidations(busy()), liquidations(busy(seed=5), coin="ETH", coins=1.0, price=3000.0)]
    )
    everything = measured(events).whole
    assert row(measured(events, symbol="eth").whole, coin="ETH") == row(everything, coin="ETH")
    assert row(measured(events, venue="Binance", symbol="ETHUSDT").whole, coin="ETH") == row(
        everything, coin="ETH"
    )
    assert set(measured(events, symbol="ETH").whole["coin"]) == {"ETH", "all"}


def test_coins_of_a_venue_add_up_in_usd_and_not_in_coins() -> None:
    events = pl.concat(
        [liquidations(busy()), liquidations(busy(seed=5), coin="ETH", coins=1.0, price=3000.0)]
    )
    whole = measured(events).whole
    every, btc, eth = (row(whole, coin=coin) for coin in ("all", "BTC", "ETH"))
    assert every["shown"] == btc["shown"] + eth["shown"] and every["shown_coins"] is None is every["coins"]
    assert max(btc["usd_low"], eth["usd_low"]) < every["usd_low"]
    # one ignorance of bursts for all: ends nearly add up, they do not average out
    assert every["count_high"] > 0.9 * (btc["count_high"] + eth["count_high"])


def test_trades_bound_from_above() -> None:
    events = liquidations(busy())
    free = row(measured(events).whole, "long")
    tape = trades([(k, "sell", 0.01) for k in range(0, 3600, 2)] + [(5, "sell", free["shown_coins"] * 1.2)])
    most = 18.0 + free["shown_coins"] * 1.2
    bound = row(measured(events, trades=tape).whole, "long")
    assert most < free["coins_high"]
    assert bound["coins_high"] == pytest.approx(most) and bound["upper_from"] == "trades"
    assert bound["coins"] <= bound["coins_high"]


def test_a_tape_with_holes_bounds_nothing() -> None:
    found = row(measured(liquidations(busy()), trades=trades([(3, "sell", 0.1)])).whole, "long")
    assert found["upper_from"] == "feed"


def test_full_windows_have_no_upper_end_until_open_interest_gives_one() -> None:
    spring = 1_777_636_800 * SECOND  # 2026-05-01 12:00: Binance says it shows the largest
    rng = np.random.default_rng(3)
    full = liquidations(np.arange(0.5, 3600.0), start_ns=spring, coins=np.exp(rng.standard_normal(3600)))
    alone = row(measured(full, spring).whole)
    assert alone["rule"] == "largest" and alone["occupied_share"] == 1.0
    assert alone["count_low"] == alone["shown"] == 3600
    assert alone["count_high"] is None and alone["usd"] is None and alone["upper_from"] == ""
    shown = alone["shown_coins"]
    # thirty hours of a full feed: four tenths of every fall were forced
    teachers, interest, level = [], [], 5e6
    for hour in range(30):
        start = spring - (30 - hour) * HOUR
        fall = shown * float(np.exp(rng.uniform(-1.0, 1.5)))
        interest.append((-(30 - hour) * 3600.0, level))
        level -= fall
        size = 0.4 * fall / 20 * float(np.exp(0.1 * rng.standard_normal()))
        teachers.append(
            liquidations(
                np.arange(20) * 100.0 + 1.0, start_ns=start, venue="bybit", feed="allLiquidation", coins=size
            )
        )
    interest.append((0.0, level))
    theirs = open_interest(interest, start_ns=spring, venue="bybit")
    ours = open_interest([(0.0, 4e6), (3600.0, 4e6 - 4.0 * shown)], start_ns=spring)
    found = measured(
        pl.concat([full, *teachers]), spring - 30 * HOUR, 31.0, open_interest=pl.concat([theirs, ours])
    )
    last = row(found.stretches.filter(pl.col("time_ns") == spring))
    assert last["upper_from"] == "open interest" and last["oi_fall_coins"] == pytest.approx(4.0 * shown)
    assert shown < 1.6 * shown * 0.8 < last["coins"] < 1.6 * shown * 1.25
    assert last["coins_high"] > last["coins"] and last["coins_low"] == pytest.approx(shown)
    assert last["count_high"] is None  # coins are bounded, their number is not


def test_a_vendors_sum_is_shown_as_what_it_is() -> None:
    totals = table(
        LIQUIDATION_TOTALS,
        [
            {
                "time_ns": NOON + k * HOUR, "venue": "all", "coin": "BTC", "interval_s": 3600, "side": side,
                "usd": 1e6, "publisher": "vendor", "source": "by hand",
            }
            for k in range(2)
            for side in ("long", "short")
        ],
    )  # fmt: skip
    found = measured(liquidations([1.0]), hours=2.0, totals=totals).whole
    vendor = row(found, "long", venue="all")
    assert (vendor["publishes"], vendor["shown_usd"], vendor["shown"]) == ("inherited", 2e6, None)
    assert vendor["usd"] is None and vendor["usd_high"] is None


@pytest.mark.parametrize(("end", "stretch"), [(NOON, HOUR), (NOON + HOUR, 0), (NOON + HOUR, -1)])
def test_no_time_is_refused(end: int, stretch: int) -> None:
    with pytest.raises(InputError, match="end after the start"):
        measure_liquidations(liquidations([1.0]), start_ns=NOON, end_ns=end, stretch_ns=stretch)


def test_too_many_stretches_are_refused() -> None:
    with pytest.raises(InputError, match="at most 20,000 stretches"):
        measure_liquidations(liquidations([1.0]), start_ns=NOON, end_ns=NOON + HOUR, stretch_ns=SECOND // 100)


def test_the_same_seed_gives_the_same_draws_and_another_others() -> None:
    events = liquidations(busy())
    one, same, other = (measured(events, seed=seed).whole for seed in (1, 1, 2))
    assert one.equals(same) and not one.equals(other)
