"""No measure looks ahead: its value as of a date does not feel what became known later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deleverage.experiment.measures import ALL, OF_RUNS
from deleverage.measure.asof import AsOf, Frames
from deleverage.measure.measure import Measured
from tests.measure.world import DAY, DAYS, FIRST, tables
from verify.look_ahead import PEEKING, peeks

WORLD = tables()
DATES = sorted((FIRST + np.random.default_rng(7).integers(400 * DAY, DAYS * DAY, 3)).tolist())
OF_THE_LAKE = [name for name in ALL if name not in OF_RUNS]


@pytest.mark.parametrize("name", OF_THE_LAKE)
def test_later_rows_change_nothing(name: str) -> None:
    found, computed = peeks(WORLD, [ALL[name]], DATES)
    assert not found
    assert computed[name] == len(DATES) or name in ("reconcile",)


def test_a_measure_that_peeks_one_day_is_caught() -> None:
    found, _ = peeks(WORLD, [PEEKING], DATES)
    assert {peek.at_ns for peek in found} == set(DATES)


@pytest.mark.parametrize("name", [name for name in OF_THE_LAKE if name != "reconcile"])
def test_any_measure_that_reads_a_day_ahead_is_caught(name: str) -> None:
    def ahead(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
        found = ALL[name].compute(AsOf(asof._source, asof.at_ns + DAY), parameters)
        return replace(found, at_ns=asof.at_ns)

    found, _ = peeks(WORLD, [replace(ALL[name], compute=ahead)], DATES[-1:])
    assert "truncated" in {peek.lake for peek in found}  # nonsense prices move no event in time


@pytest.mark.parametrize("name", OF_THE_LAKE)
def test_a_measure_of_nothing_says_what_is_missing(name: str) -> None:
    from deleverage.errors import MissingDataError

    with pytest.raises(MissingDataError) as caught:
        ALL[name].at(Frames({}), DATES[0])
    assert caught.value.context["table"] and "deleverage " in caught.value.hint
