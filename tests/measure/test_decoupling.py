"""Are gap and correlation counted on gold's sessions, and kept apart?"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from deleverage.errors import InputError, MissingDataError
from deleverage.measure.asof import Frames
from deleverage.measure.decoupling.correlation import fisher_interval
from deleverage.measure.decoupling.measure import MEASURE
from deleverage.measure.drawdown.bootstrap import stream
from deleverage.measure.measure import Measured
from deleverage.report.figures.measures.decoupling import draw
from tests.measure.bars import DAY, FIRST, candles, macro
from tests.measure.read import value
from tests.measure.truncated import no_look_ahead

# Friday 2024-10-04 to Tuesday 2024-10-08
CLOSES = [100.0, 50.0, 60.0, 110.0, 99.0]


def small(days: int = 5, **given: object) -> Measured:
    tables = {
        "candles": candles([(c, c + 10, c - 9, c) for c in CLOSES]),
        "macro": macro([20_000, 20_003, 20_004], [2000.0, 2100.0, 2200.0]),
    }
    return MEASURE.at(Frames(tables), FIRST + days * DAY, {"since": FIRST, **given})


def long(days: int = 400, rho: float = 0.0) -> dict[str, pl.DataFrame]:
    """A year of days; gold moves on weekdays, by what the coin's move since its last session says."""
    draw_ = stream("decoupling", f"{rho:g}")
    moves = 0.03 * draw_.standard_normal(days)
    coin = 100 * np.exp(np.cumsum(moves))
    sessions = [k for k in range(days) if (k + 4) % 7 < 5]  # the first day is a Friday
    own = draw_.standard_normal(len(sessions))
    steps = np.diff(np.log(coin[sessions]), prepend=np.log(coin[0]))
    gold = 2000 * np.exp(np.cumsum(0.3 * (rho * steps + np.sqrt(1 - rho * rho) * 0.03 * own)))
    bars = [(float(c), float(c) * 1.01, float(c) * 0.99, float(c)) for c in coin]
    return {"candles": candles(bars), "macro": macro([20_000 + k for k in sessions], gold.tolist())}


def test_gap_and_returns_by_hand() -> None:
    found = small()
    assert value(found, "return_coin") == pytest.approx(-0.01)
    assert value(found, "return_against") == pytest.approx(0.10)
    assert value(found, "gap") == pytest.approx(-0.11)
    row = found.reading("gap") or {}
    assert (row["low"], row["high"]) == pytest.approx((-0.20, -0.01)) and row["subject"] == "BTC and GC=F"
    assert value(small(base="high"), "return_coin") == pytest.approx(99 / 110 - 1)


def test_a_weekend_belongs_to_the_return_to_monday() -> None:
    monday = small(days=4)
    assert value(monday, "gap") == pytest.approx(0.10 - 0.05)
    sunday = small(days=3, since=FIRST)  # the coin fell by 40 %, gold had no session
    assert value(sunday, "gap") == pytest.approx(0.0) and value(sunday, "return_coin") == 0.0
    counted = small(since=FIRST + 2 * DAY)
    assert value(counted, "gap_day") == 20_000
    assert "2024-10-06 is no session" in (counted.reading("gap") or {})["note"]


def test_too_few_sessions_are_null_with_a_reason() -> None:
    found = small()
    for name in ("correlation", "correlation_since", "correlation_before", "difference", "breaks"):
        row = found.reading(name)
        assert row is not None and row["value"] is None and row["note"], name


def test_correlation_and_its_interval_are_those_of_the_pairs() -> None:
    tables = long(rho=0.8)
    found = MEASURE.at(Frames(tables), FIRST + 400 * DAY, {"since": FIRST + 300 * DAY})
    row = found.reading("correlation") or {}
    assert row["value"] == pytest.approx(0.8, abs=0.15) and row["low"] < row["value"] < row["high"]
    assert fisher_interval(row["value"], 64)[0] >= row["low"] - 1e-9  # type: ignore[index]
    before, since = value(found, "correlation_before"), value(found, "correlation_since")
    assert before is not None and since is not None
    assert value(found, "difference") == pytest.approx(since - before)
    assert 0.0 < (value(found, "difference_p") or 0.0) <= 1.0
    assert value(found, "breaks") == 0.0


def test_a_break_has_its_date() -> None:
    tables = long(rho=0.9)
    other = long(rho=-0.9)
    # the first 200 days move together, then against each other
    first = tables["macro"].filter(pl.col("time_ns") < FIRST + 200 * DAY)
    coin = np.concatenate([tables["candles"]["close"].to_numpy()[:200], np.zeros(200)])
    rest = other["candles"]["close"].to_numpy()[199:]
    coin[200:] = coin[199] * rest[1:] / rest[0]
    gold = other["macro"].filter(pl.col("time_ns") >= FIRST + 200 * DAY)
    scale = float(first["close"][-1]) / float(gold["close"][0])
    joined = pl.concat([first, gold.with_columns(pl.col("close") * scale)])
    bars = [(float(c), float(c), float(c), float(c)) for c in coin]
    found = MEASURE.at(
        Frames({"candles": candles(bars), "macro": joined}), FIRST + 400 * DAY, {"since": FIRST + 300 * DAY}
    )
    assert value(found, "breaks") == 1.0
    assert value(found, "break_1") == pytest.approx(20_200, abs=15)


def test_missing_data_is_an_error_with_table_and_range() -> None:
    bars = {"candles": candles([(1, 1, 1, 1)] * 5)}
    with pytest.raises(MissingDataError, match=r"daily bars of GC=F \(table macro\)|daily bars of GC=F"):
        MEASURE.at(Frames(bars), FIRST + 5 * DAY, {})
    with pytest.raises(MissingDataError, match="session of GC=F"):
        small(since=FIRST - DAY)
    with pytest.raises(MissingDataError, match="daily bars of GLD"):
        small(against="GLD")
    with pytest.raises(InputError, match="expected a day before"):
        small(since=FIRST + 5 * DAY)


def test_no_look_ahead() -> None:
    given = {"since": FIRST + 100 * DAY}
    assert no_look_ahead(MEASURE, long(300), FIRST + 101 * DAY, FIRST + 310 * DAY, given) == 20


def test_the_figure_is_drawn_with_and_without_a_correlation() -> None:
    found = MEASURE.at(Frames(long()), FIRST + 400 * DAY, {"since": FIRST + 300 * DAY})
    drawing = draw(found)
    assert "gold since 31 Jul 2025" in drawing.title and "Fisher" in drawing.band
    assert "not observed" in draw(small()).wide
    assert "points" in draw(small()).title
