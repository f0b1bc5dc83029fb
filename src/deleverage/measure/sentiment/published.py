"""What did the published indices say, side by side, and when did they last say so?"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from deleverage.data.lake.times import iso
from deleverage.measure.asof import DAY_NS, AsOf
from deleverage.measure.measure import Found, Whose

_YEAR = 365
_STALE_NS = 7 * DAY_NS
_FRESH_NS = 2 * DAY_NS
_SHOWN = 730


def published(found: Found, asof: AsOf, publisher: str, level: float | None) -> pl.DataFrame:
    """Readings and series of every publisher; gives back the rows of the one asked for: time_ns, value.

    An index stands on its date from 00:00 UTC and is computed of the days before.
    """
    rows = asof.table("sentiment").sort("publisher", "time_ns")
    for (name,), own in sorted(rows.group_by("publisher"), key=lambda item: str(item[0])):
        _last(found, asof, str(name), own.sort("time_ns"))
    index = rows.filter(pl.col("publisher") == publisher).sort("time_ns")
    if index.is_empty():
        found.lacks(asof.missing("sentiment", f"Fear & Greed of {publisher}"))
        whose = Whose(publisher, f"sentiment: {publisher}")
        for reading in ("published", "days_at_or_below", "last_equal_day", "last_lower_day", "lowest"):
            unit = {"days_at_or_below": "days"}.get(reading, "date" if reading.endswith("day") else "points")
            note = "the lake has nothing of this publisher at that time"
            found.reading(reading, publisher, None, unit, whose, note=note)
        return index
    for difference in _differences(rows, publisher):
        _difference(found, asof, publisher, *difference)
    _history(found, publisher, index, level)
    return index


def present_run(values: list[float], level: float) -> int:
    """Place at which the last run of values at or below the level begins; the length where there is none."""
    start = len(values)
    while start > 0 and values[start - 1] <= level:
        start -= 1
    return start


def _last(found: Found, asof: AsOf, publisher: str, own: pl.DataFrame) -> None:
    row = own.row(-1, named=True)
    stamp, value = int(row["time_ns"]), float(row["value"])
    whose = Whose(
        f"{publisher}, its own index", f"sentiment: {publisher}", stamp, min(stamp + DAY_NS, asof.at_ns)
    )
    said = iso(stamp)[:10] + (f", “{row['class']}”" if row["class"] else "")
    age = asof.at_ns - stamp
    if age > _STALE_NS:
        note = f"last value {value:g} of {said}: too old to stand for this moment"
        found.reading("published", publisher, None, "points", whose, note=note)
    else:
        note = said + (f"; {age // DAY_NS} days old" if age > _FRESH_NS else "")
        found.reading("published", publisher, value, "points", whose, note=note)
    shown = own.filter(pl.col("time_ns") > asof.at_ns - _SHOWN * DAY_NS)
    found.series("published", publisher, "points", shown.select("time_ns", "value"))


def _differences(rows: pl.DataFrame, publisher: str) -> Iterator[tuple[str, pl.DataFrame]]:
    own = rows.filter(pl.col("publisher") == publisher).select("time_ns", own="value")
    for other in sorted(set(rows["publisher"]) - {publisher}):
        one = rows.filter(pl.col("publisher") == other).select("time_ns", other="value")
        yield other, own.join(one, on="time_ns", how="inner").sort("time_ns")


def _difference(found: Found, asof: AsOf, publisher: str, other: str, both: pl.DataFrame) -> None:
    subject = f"{publisher} less {other}"
    whose = Whose(f"{publisher}; {other}", "sentiment")
    if both.is_empty():
        for name in ("difference", "difference_mean"):
            found.reading(name, subject, None, "points", whose, note="no day has both")
        return
    last = both.row(-1, named=True)
    day = int(last["time_ns"])
    that = whose.over(day, day + DAY_NS)
    gap, said = last["own"] - last["other"], iso(day)[:10]
    if asof.at_ns - day > _STALE_NS:
        gap, said = None, f"{gap:+g} on {said}, the last day that both have: too old to stand for this moment"
    found.reading("difference", subject, gap, "points", that, note=said)
    year = both.filter(pl.col("time_ns") > day - _YEAR * DAY_NS)
    sizes = (year["own"] - year["other"]).abs().cast(pl.Float64)
    equal = int((sizes == 0).sum())
    mean = sum(sizes.to_list()) / year.height
    over = whose.over(int(year["time_ns"][0]), day + DAY_NS)
    note = f"{year.height} days, equal on {equal}, at most {sizes.to_numpy().max():g} apart"
    found.reading("difference_mean", subject, mean, "points", over, note=note)


def _history(found: Found, publisher: str, index: pl.DataFrame, level: float | None) -> None:
    times, values = index["time_ns"].to_list(), [float(value) for value in index["value"]]
    looked_for = values[-1] if level is None else level
    named = f"level {looked_for:g}" + (", its last value" if level is None else "")
    last = times[-1]
    whose = Whose(f"{publisher}, its own index", f"sentiment: {publisher}", times[0], last + DAY_NS)

    year = [v for t, v in zip(times, values, strict=True) if t > last - _YEAR * DAY_NS]
    over = whose.over(last - (_YEAR - 1) * DAY_NS, last + DAY_NS)
    count = sum(value <= looked_for for value in year)
    note = f"{named}; of {len(year)} days observed to {iso(last)[:10]}"
    found.reading("days_at_or_below", publisher, float(count), "days", over, note=note)
    lowest_year = f"the {_YEAR} days to {iso(last)[:10]}"
    found.reading("lowest_year", publisher, min(year), "points", over, note=lowest_year)

    start = present_run(values, looked_for)
    equal = next((k for k in range(start - 1, -1, -1) if values[k] == looked_for), None)
    run = (
        f"before the run of {len(values) - start} days at or below it"
        if start < len(values)
        else "the last one"
    )
    _day(found, "last_equal_day", publisher, times, equal, whose, f"{named}; {run}")
    end = len(values) - 1 if level is None else len(values)
    lower = next((k for k in range(end - 1, -1, -1) if values[k] < looked_for), None)
    at = "" if lower is None else f", {values[lower]:g} then"
    _day(found, "last_lower_day", publisher, times, lower, whose, f"{named}{at}")

    least = min(values)
    first = values.index(least)
    since = f"since {iso(times[0])[:10]}, when the data begin; first on {iso(times[first])[:10]}"
    found.reading("lowest", publisher, least, "points", whose, note=since)
    _day(found, "lowest_day", publisher, times, first, whose, f"{least:g}, the first of its days")


def _day(
    found: Found, name: str, publisher: str, times: list[int], place: int | None, whose: Whose, note: str
) -> None:
    if place is None:
        found.reading(name, publisher, None, "date", whose, note=f"no earlier day in the data; {note}")
    else:
        found.reading(name, publisher, times[place] / DAY_NS, "date", whose, note=note)
