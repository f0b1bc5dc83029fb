"""Does a measure look ahead? Compare it with what truncated tables give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from deleverage.data.known import known_from
from deleverage.errors import MissingDataError
from deleverage.measure.asof import Frames
from deleverage.measure.measure import Measure, Measured


def answer(
    measure: Measure, tables: Mapping[str, pl.DataFrame], at_ns: int, given: Mapping[str, Any]
) -> tuple[str, Measured | None]:
    """What it says of the tables at a moment, or the error in words."""
    try:
        return "", measure.at(Frames(tables), at_ns, given)
    except MissingDataError as error:
        return str(error), None


def no_look_ahead(
    measure: Measure,
    tables: Mapping[str, pl.DataFrame],
    first_ns: int,
    last_ns: int,
    given: Mapping[str, Any],
    count: int = 20,
) -> int:
    """Hold the answers from full and from truncated tables to be equal; how many were answers."""
    draw = np.random.Generator(np.random.PCG64(5))
    answered = 0
    for at_ns in draw.integers(first_ns, last_ns, count):
        at = int(at_ns)
        known = {name: frame.filter(known_from(name) <= at) for name, frame in tables.items()}
        full, cut = answer(measure, tables, at, given), answer(measure, known, at, given)
        assert full[0] == cut[0]
        if full[1] is not None and cut[1] is not None:
            assert full[1].readings.equals(cut[1].readings)
            assert full[1].series.equals(cut[1].series)
            values = full[1].readings["value"].drop_nulls()
            assert not values.is_nan().any()
            answered += 1
    return answered
