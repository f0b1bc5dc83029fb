"""Does any measure look ahead? The value as of a date must not feel what became known later.

    python -m verify.look_ahead --lake DIR [--dates 200] [--seed 1]

For random dates every measure is computed three times: from the whole lake, from a lake that ends at the
date, and from one in which everything that became known later is nonsense. The three must be the same to the
bit. To show that the test can fail, a measure that peeks one day ahead is run through it, too: it must be
caught.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from deleverage.data.known import known_from
from deleverage.errors import DataError
from deleverage.measure.asof import DAY_NS, AsOf, Frames
from deleverage.measure.measure import Found, Measure, Measured, Whose
from deleverage.schema import LAKE_TABLES

_KEPT = ("payloads", "books", "best_quotes")
"""Tables that no measure reads, left out for memory."""


@dataclass(frozen=True)
class Peek:
    """A measure whose value as of a date was changed by what came later."""

    measure: str
    at_ns: int
    lake: str
    what: str


def truncated(tables: Mapping[str, pl.DataFrame], at_ns: int) -> dict[str, pl.DataFrame]:
    """The tables without what was not known at ``at_ns`` [ns UTC]."""
    return {name: frame.filter(known_from(name) <= at_ns) for name, frame in tables.items()}


def poisoned(tables: Mapping[str, pl.DataFrame], at_ns: int) -> dict[str, pl.DataFrame]:
    """The tables with every number that was not known at ``at_ns`` replaced by nonsense."""
    made = {}
    for name, frame in tables.items():
        key = LAKE_TABLES[name].key
        floats = [c for c, t in frame.schema.items() if t == pl.Float64 and c not in key]
        late = known_from(name) > at_ns
        made[name] = frame.with_columns(
            pl.when(late).then(pl.col(c) * 977.0 + 1e6).otherwise(pl.col(c)).alias(c) for c in floats
        )
    return made


def peeks(
    tables: Mapping[str, pl.DataFrame], measures: Iterable[Measure], dates: Sequence[int]
) -> tuple[list[Peek], dict[str, int]]:
    """Where the three values differ, and how many dates each measure could be computed for."""
    found: list[Peek] = []
    computed: dict[str, int] = {}
    whole = Frames(tables)
    for measure in measures:
        computed.setdefault(measure.name, 0)
    for at_ns in dates:
        others = {"truncated": Frames(truncated(tables, at_ns)), "poisoned": Frames(poisoned(tables, at_ns))}
        for measure in measures:
            value = _value(measure, whole, at_ns)
            computed[measure.name] += isinstance(value, Measured)
            for lake, source in others.items():
                what = _difference(value, _value(measure, source, at_ns))
                if what:
                    found.append(Peek(measure.name, at_ns, lake, what))
    return found, computed


def _peeking(asof: AsOf, parameters: Mapping[str, object]) -> Measured:
    ahead = AsOf(asof._source, asof.at_ns + DAY_NS)
    bars = ahead.need("candles", "bars", coin="BTC").sort("time_ns")
    found = Found("peeking", asof, parameters)
    found.reading("last", "BTC", bars["close"][-1], "USD/coin", Whose("a test", "candles"))
    return found.measured()


PEEKING = Measure("peeking", "What will it cost tomorrow?", (), _peeking)
"""A measure that looks one day ahead: the check must catch it."""


def _value(measure: Measure, source: Frames, at_ns: int) -> Measured | str:
    try:
        return measure.at(source, at_ns)
    except DataError as error:
        return error.message


def _difference(one: Measured | str, other: Measured | str) -> str:
    if isinstance(one, str) or isinstance(other, str):
        return "" if one == other else f"{one} / {other}" if isinstance(one, str) else "one has no value"
    if not one.readings.equals(other.readings):
        both = one.readings.join(other.readings, on=["name", "subject"], how="full", suffix="_other")
        odd = both.filter(~pl.col("value").eq_missing(pl.col("value_other")))
        return f"readings: {odd.select('name', 'subject', 'value', 'value_other').rows()[:3]}"
    return "" if one.series.equals(other.series) else "series"


def main() -> int:
    """Read, compare, print."""
    from deleverage.data.lake import Lake
    from deleverage.experiment.measures import ALL, OF_RUNS

    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--lake", required=True)
    options.add_argument("--dates", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", nargs="*", default=[])
    said = options.parse_args()
    lake = Lake.open(said.lake)
    tables = {name: lake.read(name) for name in LAKE_TABLES if name not in _KEPT}
    measures = [
        one for name, one in ALL.items() if name not in OF_RUNS and (not said.only or name in said.only)
    ]
    days = tables["candles"]["time_ns"].to_numpy()
    stream = np.random.Generator(np.random.PCG64([said.seed, 0x10A6]))
    dates = stream.integers(days.min() + 400 * DAY_NS, days.max(), said.dates)
    # depth and lists of contracts are the shortest: every second date lies where there are any
    short = pl.concat([tables[name]["time_ns"] for name in ("depth", "snapshots")]).to_numpy()
    if short.size:
        dates[1::2] = stream.integers(np.quantile(short, 0.01), short.max() + 7 * DAY_NS, dates[1::2].size)
    dates.sort()
    dates = dates.tolist()
    wrong: list[Peek] = []
    computed: dict[str, int] = {}
    for k, at_ns in enumerate(dates):
        more, seen = peeks(tables, measures, [at_ns])
        wrong += more
        for name, count in seen.items():
            computed[name] = computed.get(name, 0) + count
        print(f"\r{k + 1} of {len(dates)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    caught = len({peek.at_ns for peek in peeks(tables, [PEEKING], dates[:: max(1, len(dates) // 10)])[0]})
    for name, count in computed.items():
        bad = sum(peek.measure == name for peek in wrong)
        print(f"{name:20} {count:4} of {len(dates)} dates had a value   {bad} differ")
    for peek in wrong[:20]:
        print(f"PEEKS: {peek.measure} at {peek.at_ns} ({peek.lake}): {peek.what}")
    print(f"the planted peek was caught at {caught} dates")
    return 1 if wrong or not caught else 0


if __name__ == "__main__":
    sys.exit(main())
