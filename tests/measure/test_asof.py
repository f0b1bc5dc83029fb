"""Is a row there from the moment on which it was known, and never before?"""

from __future__ import annotations

import polars as pl
import pytest

from deleverage.data.backfill.ledger import FETCHED
from deleverage.errors import MissingDataError, exit_code
from deleverage.measure.asof import AsOf, Frames, Remembered
from tests.measure.bars import DAY, FIRST, candles, caps, macro

BARS = candles([(1, 2, 1, 2), (2, 3, 2, 3), (3, 4, 3, 4)])


def days(rows: pl.DataFrame) -> list[int]:
    return [(t - FIRST) // DAY for t in rows["time_ns"].to_list()]


@pytest.mark.parametrize(("at_ns", "known"), [(-1, []), (DAY - 1, []), (DAY, [0]), (3 * DAY, [0, 1, 2])])
def test_a_bar_is_known_when_it_has_ended(at_ns: int, known: list[int]) -> None:
    assert days(AsOf(Frames({"candles": BARS}), FIRST + at_ns).table("candles")) == known


def test_what_was_collected_live_is_known_when_it_was_received_and_what_was_fetched_at_its_end() -> None:
    late = FIRST + 5 * DAY
    live = candles([(1, 2, 1, 2)], received_ns=late)
    assert AsOf(Frames({"candles": live}), late - 1).table("candles").is_empty()
    assert AsOf(Frames({"candles": live}), late).table("candles").height == 1
    fetched = candles([(1, 2, 1, 2)], received_ns=late, source=FETCHED + "by hand")
    assert AsOf(Frames({"candles": fetched}), FIRST + DAY).table("candles").height == 1


def test_capitalisations_and_sessions_are_known_at_the_end_of_their_date() -> None:
    source = Frames({"market_caps": caps([(20_000, "BTC", 1.0)]), "macro": macro([20_000], [2.0])})
    for name in ("market_caps", "macro"):
        assert AsOf(source, FIRST + DAY - 1).table(name).is_empty()
        assert AsOf(source, FIRST + DAY).table(name).height == 1


def test_rows_are_cut_by_time_and_by_value() -> None:
    both = pl.concat([BARS, candles([(9, 9, 9, 9)], coin="ETH")])
    asof = AsOf(Frames({"candles": both}), FIRST + 9 * DAY)
    assert days(asof.table("candles", start_ns=FIRST + DAY, end_ns=FIRST + DAY, coin="BTC")) == [1]
    assert asof.table("candles", coin="ETH").height == 1
    assert asof.table("trades").is_empty()


def test_remembered_tables_are_the_same() -> None:
    both = pl.concat([BARS, candles([(9, 9, 9, 9)], coin="ETH")])
    frames = Frames({"candles": both})
    remembered = Remembered(frames)
    for at in (FIRST, FIRST + 2 * DAY, FIRST + 9 * DAY, FIRST + DAY):
        for coin in ("BTC", "ETH", "SOL"):
            one, other = (
                AsOf(source, at).table("candles", start_ns=FIRST + DAY, end_ns=FIRST + 2 * DAY, coin=coin)
                for source in (remembered, frames)
            )
            assert one.equals(other)


def test_having_none_is_an_error_with_table_stretch_and_command() -> None:
    asof = AsOf(Frames({}), FIRST + 2 * DAY)
    with pytest.raises(MissingDataError) as caught:
        asof.need("candles", "bars of ETH", start_ns=FIRST, end_ns=FIRST + 9 * DAY, coin="ETH", kind="perp")
    error = caught.value
    assert AsOf(Frames({}), FIRST).missing("liquidations", "events").command == (
        "deleverage collect binance bybit okx --symbols BTC --lake DIR, for what comes from now on; the "
        "past: deleverage import FILE --lake DIR"
    )
    assert "no bars of ETH from 2024-10-04T00:00:00Z to 2024-10-06T00:00:00Z (table candles)" in str(error)
    assert exit_code(error) == 3
    command = asof.missing("candles", "x", start_ns=FIRST, coin="ETH", kind="perp").command
    assert command.startswith("deleverage backfill binance ETHUSDT --what klines")
    assert "--from 2024-10-04 --to 2024-10-05" in command
