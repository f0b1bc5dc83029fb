"""Small measures and bars for tests of claims: a level by day, two vendors, one that is never known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from deleverage.claims.check import CheckedFile, check
from deleverage.measure.asof import DAY_NS, AsOf, Frames, Tables
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose, time_ns
from deleverage.measure.prices import need_daily, source_of
from tests.data.rows import candle, rows

FIRST = time_ns("2025-11-01")
CLOSES = (100.0, 90.0, 80.0, 70.0, 75.0, 60.0, 50.0, 55.0, 52.0, 51.0)
"""Of 1 to 10 November 2025."""


def bars(closes: Sequence[float] = CLOSES) -> Frames:
    """Daily bars of BTC, the low at the close."""
    return Frames({"candles": frame(closes)})


def frame(closes: Sequence[float] = CLOSES) -> pl.DataFrame:
    """The same as a table."""
    days = (
        candle(
            FIRST + k * DAY_NS, kind="spot", interval_s=86_400, open=close, high=close, low=close, close=close
        )
        for k, close in enumerate(closes)
    )
    return rows("candles", *days)


def _level(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    days = need_daily(asof, parameters["coin"])
    last = int(days["time_ns"][-1])
    whose = Whose("binance spot", source_of("BTC", "binance", "spot"), int(days["time_ns"][0]), last + DAY_NS)
    found = Found("level", asof, parameters)
    close = float(days["close"][-1])
    found.reading("close", "BTC", close, "USD", whose)
    found.reading("change", "BTC", close / float(days["close"][0]) - 1, "share", whose)
    found.reading("day", "BTC", last / DAY_NS, "date", whose)
    found.reading("unsure", "BTC", close, "USD", whose, low=close - 5, high=close + 5, interval="made up")
    found.reading("nothing", "BTC", None, "USD", whose, note="nobody looked")
    for subject in ("here", "there"):
        found.reading("both", subject, close, "USD", whose)
    return found.measured()


def _counts(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    found = Found("counts", asof, parameters)
    for subject, value in (("A", 19.1e9), ("B", 9.9e9)):
        found.reading("published", subject, value, "USD", Whose(subject, "print"))
    return found.measured()


def _absent(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    raise asof.missing("depth", "depth of BTC", start_ns=FIRST, coin="BTC").error()


_COIN = (Parameter("coin", "coin", "BTC", "the coin"),)
MEASURES: dict[str, Measure] = {
    "level": Measure(
        "level", "What is it?", _COIN, _level,
        {"close": "", "change": "", "day": "", "unsure": "", "nothing": "", "both": ""},
    ),
    "counts": Measure("counts", "Who counted?", (), _counts, {"published": ""}),
    "absent": Measure("absent", "Is it there?", _COIN, _absent, {"depth": ""}),
}  # fmt: skip

HEAD = 'title = "A test"\nsource = "nobody"\nas_of = 2025-11-06\n\n'
CLOSE = """[[claim]]
id = "close"
text = "It stood at 60."
kind = "measured"
measure = "level"
reading = "close"
stated = 60
unit = "USD"
tolerance = 1
"""


def write(folder: Path, text: str, *, head: str = HEAD) -> Path:
    """A file of claims."""
    path = folder / "claims.toml"
    path.write_text(head + text, encoding="utf-8")
    return path


def checked(
    folder: Path, text: str, *, head: str = HEAD, source: Tables | None = None, **given: Any
) -> CheckedFile:
    """The claims of the text, judged by the small measures."""
    return check(write(folder, text, head=head), source or bars(), measures=MEASURES, **given)


VENDOR_HEAD = """[[claim]]
id = "night"
text = "19.2 bn."
kind = "measured"
by_whose_count = "A"
one_vendor = true
measure = "counts"
reading = "published"
subject = "A"
stated = 19.2e9
unit = "USD"
tolerance = 5e8
"""
