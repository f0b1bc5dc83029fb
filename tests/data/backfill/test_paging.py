"""Pages put together: nothing skipped, nothing twice, whatever a page's size, order or end is."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deleverage.data.backfill.paging import Page, Row, backwards, by_number, by_time
from deleverage.data.backfill.patience import Patience
from deleverage.errors import SourceChanged, SourceUnavailable


class World:
    """A source with rows: gives pages cut off at either end, shuffled, with rows twice, and sometimes
    fails."""

    def __init__(self, times: list[int], size: int, seed: int, *, newest: bool) -> None:
        self.rows = [{"number": 100 + n, "time": time} for n, time in enumerate(sorted(times))]
        self.size, self.dice, self.newest = size, random.Random(seed), newest
        self.patience = Patience(attempts=99, first_s=0.0, cap_s=0.0)

    def give(self, rows: list[Row]) -> Page:
        def once(_attempt: int) -> Page:
            if self.dice.random() < 0.2:
                raise SourceUnavailable("down")
            page = rows[-self.size :] if self.newest else rows[: self.size]
            full = len(page) >= self.size
            if page and self.dice.random() < 0.5:
                page = [*page, self.dice.choice(page)]
            return Page(self.dice.sample(page, len(page)), full)

        return self.patience.ask(once)

    def between(self, low: int, high: int) -> Page:
        return self.give([row for row in self.rows if low <= row["time"] < high])

    def around(self, low: int, high: int) -> Page:
        """A source that takes its edges for included, and adds a row before: rows outside must be dropped."""
        return self.give([row for row in self.rows if low - 1 <= row["time"] <= high])

    def since(self, number: int) -> Page:
        page = [row for row in self.rows if row["number"] >= number]
        return self.give(page[: self.size])

    def below(self, number: int) -> Page:
        return self.give([row for row in self.rows if row["number"] < number][-self.size :])

    def before(self, time: int) -> Page:
        return self.give([row for row in self.rows if row["time"] < time][-self.size :])

    def truth(self, low: int, high: int) -> list[Row]:
        return [row for row in self.rows if low <= row["time"] < high]


times = st.lists(st.integers(0, 300), max_size=60)


@given(
    times,
    st.integers(1, 400),
    st.integers(0, 10**6),
    st.booleans(),
    st.integers(0, 100),
    st.integers(0, 250),
    st.booleans(),
    st.integers(1, 20),
)
def test_by_time_gives_every_row_once_with_any_page_size(
    moments: list[int], window: int, seed: int, newest: bool, low: int, length: int, around: bool, extra: int
) -> None:
    # As many rows of one moment as there may be, and one more: else a page of one moment would be full.
    least = max((moments.count(one) for one in moments), default=0)
    size = 3 * least + extra
    world = World(moments, size, seed, newest=newest)
    fetch = world.around if around else world.between
    found = by_time(fetch, low, low + length, window=window, least=1, key=("number",))
    assert found == world.truth(low, low + length)


@given(times, st.integers(1, 20), st.integers(0, 10**6), st.integers(0, 100), st.integers(1, 250))
def test_by_number_gives_every_row_once_with_any_page_size(
    moments: list[int], size: int, seed: int, low: int, length: int
) -> None:
    world = World(moments, size, seed, newest=False)
    wanted = world.truth(low, low + length)
    if wanted:
        found, holes = by_number(world.since, wanted[0]["number"], low + length)
        assert (found, holes) == (wanted, [])


@given(times, st.integers(1, 20), st.integers(0, 10**6), st.integers(0, 100), st.integers(1, 250))
def test_backwards_gives_every_row_once_with_any_page_size(
    moments: list[int], size: int, seed: int, low: int, length: int
) -> None:
    world = World(moments, size, seed, newest=True)
    found, reached = backwards(world.before, world.below, low, low + length)
    assert found == world.truth(low, low + length)
    assert reached == any(moment < low for moment in moments)


@given(times, st.sets(st.integers(0, 59), max_size=8), st.integers(1, 9), st.integers(0, 10**6))
def test_missing_numbers_are_named(moments: list[int], lost: set[int], size: int, seed: int) -> None:
    world = World(moments, size, seed, newest=False)
    whole = world.rows
    world.rows = [row for row in whole if row["number"] - 100 not in lost]
    if not world.rows:
        return
    found, holes = by_number(world.since, world.rows[0]["number"], 10**9)
    gone = sum(after["number"] - before["number"] - 1 for before, after in holes)
    assert found == world.rows and gone == found[-1]["number"] - found[0]["number"] + 1 - len(found)


def test_more_rows_of_one_moment_than_a_page_holds_are_no_silent_loss() -> None:
    with pytest.raises(SourceChanged, match="fewer rows than one answer holds"):
        by_time(lambda low, high: Page([{"time": 5}] * 3, True), 0, 10, window=10, least=1, what="BTCUSDT")


def test_two_rows_of_one_time_that_differ_are_refused() -> None:
    page = Page([{"time": 5, "close": 1.0}, {"time": 5, "close": 2.0}], False)
    with pytest.raises(SourceChanged, match=r"found two that differ in \['close'\]"):
        by_time(lambda low, high: page, 0, 10, window=10, least=1)


def test_source_that_ignores_the_number_does_not_loop() -> None:
    page = Page([{"number": 1, "time": 1}], True)
    with pytest.raises(SourceChanged, match="only earlier ones"):
        by_number(lambda number: page, 1, 100)
    with pytest.raises(SourceChanged, match="below 1"):
        backwards(lambda time: page, lambda number: page, 0, 100)


@given(st.integers(1, 12), st.floats(0.01, 5), st.floats(0.01, 60))
def test_pauses_grow_up_to_the_cap(attempt: int, first: float, cap: float) -> None:
    patience = Patience(first_s=first, cap_s=cap)
    whole = min(cap, first * 2 ** (attempt - 1))
    assert 0.75 * whole <= patience.pause_s(attempt) <= whole


def test_pause_that_a_source_names_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from deleverage.errors import RateLimited

    waited: list[float] = []
    patience = Patience(attempts=3, first_s=0.001, cap_s=0.001)
    monkeypatch.setattr(patience, "wait", waited.append)

    def limited(attempt: int) -> str:
        if attempt < 3:
            raise RateLimited("fewer", retry_after_s=7.0 if attempt == 1 else None)
        return "here"

    assert patience.ask(limited) == "here"
    assert waited[0] == 7.0 and waited[1] <= 0.001
