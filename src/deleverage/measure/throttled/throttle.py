"""What does a feed that publishes at most one event in a while let through, and when was it blind?

A throttle is a detector with a dead time. For each rule the time of a stream splits into a **live** part, in
which every event would have been seen, and a **dead** part, in which none could be:

=========  =======================  =============================  =======================
rule       published                live                           dead
=========  =======================  =============================  =======================
`first`    an event, then none for  until the next event           a window after each
           one window                                              published event
`latest`   the last event of each   from that event to the end of  from the window's start
           window of a grid         its window; empty windows      to that event
`largest`  the largest of each      empty windows                  the other windows
`any`      one of each window,      empty windows                  the other windows
           nobody says which
=========  =======================  =============================  =======================
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from deleverage.errors import InputError

Times = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Rule(StrEnum):
    """Which event of a window is published."""

    FIRST = "first"
    LATEST = "latest"
    LARGEST = "largest"
    ANY = "any"


@dataclass(frozen=True)
class Throttle:
    """At most one event in a window, of one stream (a venue's symbol).

    Parameters
    ----------
    window_ns : length of the window [ns].
    rule : which event of a window is published.
    resolution_ns : shorter waiting times are not told apart [ns]: step of the time stamps, or jitter of the
        throttle where it is longer.
    phase_ns : a moment at which a window begins [ns UTC]; of no meaning for `first`.
    """

    window_ns: int
    rule: Rule = Rule.FIRST
    resolution_ns: int = 1_000_000
    phase_ns: int = 0

    def __post_init__(self) -> None:
        """Refuse windows without length."""
        if self.window_ns <= 0 or not 0 < self.resolution_ns <= self.window_ns:
            raise InputError(
                f"expected a window > 0 and a resolution in (0, window], found {self.window_ns} ns and "
                f"{self.resolution_ns} ns",
                hint="give both in nanoseconds",
            )


@dataclass(frozen=True)
class Cells:
    """A stretch of time cut into cells of one window.

    events : published events by cell and side, float64 [n, 2]; live, dead : seconds of each kind, float64
    [n]; place : for each event given, its cell, or −1 where it lies outside, int64 [events].
    """

    events: Floats
    live: Floats
    dead: Floats
    place: NDArray[np.int64]


def censor(times_ns: Times, sizes: Floats, throttle: Throttle) -> Flags:
    """Which events of a full stream a throttled feed would publish.

    times_ns : event times [ns UTC], rising; ties are in order of arrival. sizes : of the events, for
    `largest`.
    """
    shown = np.zeros(times_ns.size, dtype=np.bool_)
    if throttle.rule is Rule.FIRST:
        k = 0
        while k < times_ns.size:
            shown[k] = True
            k = int(np.searchsorted(times_ns, times_ns[k] + throttle.window_ns, side="left"))
        return shown
    window = (times_ns - throttle.phase_ns) // throttle.window_ns
    last = np.flatnonzero(np.diff(window, append=window[-1:] + 1))
    if throttle.rule is Rule.LARGEST:
        order = np.lexsort((sizes, window))
        shown[order[last]] = True
    else:
        shown[last] = True
    return shown


def cells_of(
    times_ns: Times, sides: NDArray[np.int64], throttle: Throttle, start_ns: int, end_ns: int
) -> Cells:
    """The published events of [start_ns, end_ns) by cell, with the live and the dead seconds of each.

    times_ns : published events [ns UTC], rising; those before the start tell whether it was dead. sides : 0
    long, 1 short. A grid is that of the throttle; for `first` the cells begin at ``start_ns``.
    """
    width = throttle.window_ns
    first = throttle.rule is Rule.FIRST
    phase = start_ns if first else throttle.phase_ns
    origin = phase + (start_ns - phase) // width * width
    count = max(1, -(-(end_ns - origin) // width))
    inside = (times_ns >= origin) & (times_ns < min(end_ns, origin + count * width))
    place = np.where(inside, (times_ns - origin) // width, -1)
    events = np.zeros((count, 2))
    np.add.at(events, (place[inside], sides[inside]), 1.0)
    window_s = width / 1e9
    if first:
        dead = _dead_after(times_ns, origin, count, width)
    elif throttle.rule is Rule.LATEST:
        dead = np.zeros(count)
        at = (times_ns[inside] - origin - place[inside] * width) / 1e9
        np.maximum.at(dead, place[inside], at)
        # one stamped with the very start of its window may have hidden another of that stamp
        shows = events.sum(axis=1) > 0
        dead[shows] = np.maximum(dead[shows], 0.5 * throttle.resolution_ns / 1e9)
    else:
        dead = np.where(events.sum(axis=1) > 0, window_s, 0.0)
    live = window_s - dead
    if throttle.rule in (Rule.FIRST, Rule.LATEST):
        # an event was waited for at least half a step of the clock
        least = 0.5 * throttle.resolution_ns / 1e9 * events.sum(axis=1)
        live = np.maximum(live, least)
    return Cells(events, live, dead, place)


def _dead_after(times_ns: Times, origin: int, count: int, width: int) -> Floats:
    """Seconds of each cell that lie within one window after a published event."""
    dead = np.zeros(count)
    # an event seen before the dead time of another had passed cuts that dead time short
    ends = np.minimum(times_ns + width, np.append(times_ns[1:], np.iinfo(np.int64).max))
    for begin, end in ((times_ns, ends),):
        near = (end > origin) & (begin < origin + count * width)
        low, high = np.maximum(begin[near], origin), np.minimum(end[near], origin + count * width)
        left = (low - origin) // width
        border = origin + (left + 1) * width
        np.add.at(dead, left, (np.minimum(high, border) - low) / 1e9)
        over = high > border
        np.add.at(dead, left[over] + 1, (high[over] - border[over]) / 1e9)
    return np.minimum(dead, width / 1e9)
