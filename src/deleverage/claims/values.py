"""What did a measure say of one reading, as of one moment? With what it lacked, in place of a value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deleverage.claims.form import Reading, end_ns
from deleverage.data.lake.times import iso
from deleverage.data.obtain import command_for
from deleverage.errors import MissingDataError
from deleverage.measure.asof import DAY_NS, Missing, Tables
from deleverage.measure.measure import Measure, Measured, time_ns


@dataclass(frozen=True)
class Value:
    """A reading of a measure.

    value, low, high : in ``unit``; value None where it was not observed, and ``note`` or ``lacks`` say why.
    interval : what the ends are. by : by whose count. lacks, command : what
    the lake lacks, and what fetches it.
    """

    name: str
    measure: str
    reading: str
    subject: str
    at_ns: int
    value: float | None
    low: float | None = None
    high: float | None = None
    interval: str = ""
    unit: str = ""
    by: str = ""
    data: str = ""
    from_ns: int | None = None
    to_ns: int | None = None
    note: str = ""
    lacks: str = ""
    command: str = ""


class Subjects(Exception):
    """A reading was asked for without its subject, and there are several."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


class Measuring:
    """Measures of one lake, each computed once for the same parameters and moment."""

    def __init__(
        self,
        source: Tables,
        measures: Mapping[str, Measure],
        given: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """``given``: parameters by measure that come from the caller and not from the file."""
        self._source = source
        self._measures = measures
        self._given = given or {}
        self._kept: dict[tuple[str, str, int], Measured | MissingDataError] = {}

    def value(self, reading: Reading, at_ns: int) -> Value:
        """The reading as of ``at_ns`` [ns UTC], or as of its own moment where it has one.

        Raises
        ------
        Subjects
            it has several subjects, and none was asked for.
        """
        at = end_ns(reading.at) if reading.at is not None else at_ns
        empty = Value(
            reading.name(), reading.measure, reading.reading, reading.subject or "", min(at, at_ns), None
        )
        if late := _too_late(reading, at, at_ns):
            return _with(empty, lacks=late)
        found = self._measured(reading, at)
        if isinstance(found, MissingDataError):
            return _with(empty, lacks=found.message, command=found.hint)
        if old := _too_old(reading, found, at):
            return _with(empty, lacks=str(old), command=old.command)
        rows = [row for row in found.readings.iter_rows(named=True) if row["name"] == reading.reading]
        subjects = [row["subject"] for row in rows]
        if reading.subject is not None:
            rows = [row for row in rows if row["subject"] == reading.subject]
        if not rows:
            note = f"no such subject; there are {', '.join(subjects)}" if subjects else "no such reading here"
            lacks, command = _lacking(found, "")
            return _with(empty, note=note, lacks=lacks or note, command=command)
        if len(rows) > 1:
            raise Subjects(subjects)
        row = rows[0]
        if row["to_ns"] is not None and row["to_ns"] > at:
            return _with(empty, lacks=_not_over(row["to_ns"], at))
        lacks, command = ("", "") if row["value"] is not None else _lacking(found, row["note"])
        return Value(
            reading.name(), reading.measure, reading.reading, row["subject"], at,
            row["value"], row["low"], row["high"], row["interval"], row["unit"], row["by"], row["data"],
            row["from_ns"], row["to_ns"], row["note"], lacks, command,
        )  # fmt: skip

    def _measured(self, reading: Reading, at_ns: int) -> Measured | MissingDataError:
        parameters = {**reading.parameters, **self._given.get(reading.measure, {})}
        key = (reading.measure, json.dumps(parameters, sort_keys=True, default=str), at_ns)
        if key not in self._kept:
            measure = self._measures[reading.measure]
            try:
                self._kept[key] = measure.at(self._source, at_ns, parameters)
            except MissingDataError as error:
                self._kept[key] = error
        return self._kept[key]


_NEWEST = ("candles", "flows", "sentiment", "macro", "open_interest", "liquidation_totals", "market_caps")
"""Tables by which a lake's newest day is found."""


def newest_ns(source: Tables) -> int | None:
    """Time [ns UTC] of the newest row of the tables that claims are about; None in an empty lake."""
    found = []
    for name in _NEWEST:
        times = source.read(name, columns=["time_ns"])["time_ns"]
        newest = times.max()
        if isinstance(newest, int):
            found.append(newest)
    return max(found) if found else None


def span_text(value: Value) -> str:
    """The stretch that was used: '2025-10-06 to 2025-11-17'; '' where there is none."""
    if value.from_ns is None or value.to_ns is None:
        return ""
    start, end = iso(value.from_ns)[:10], iso(value.to_ns)[:10]
    return start if start == end else f"{start} to {end}"


_CURRENT_DAYS = {"change": 0, "drawdown": 0, "market_value": 0, "decoupling": 5}
"""Measures that say how it stood at the moment, and how many days the newest bar may be behind the last
closed one: for sessions of gold a long weekend."""


def _too_late(reading: Reading, at_ns: int, asked_ns: int) -> str:
    """Why a reading cannot be known at the moment that is asked for; '' where it can."""
    if at_ns > asked_ns:
        return _not_over(at_ns, asked_ns)
    end = reading.parameters.get("to")
    if end is not None and time_ns(end) > asked_ns:
        return _not_over(time_ns(end), asked_ns)
    return ""


def _not_over(end_ns: int, at_ns: int) -> str:
    return f"it is about the time to {iso(end_ns)}, which was not over at {iso(at_ns)}"


def _too_old(reading: Reading, found: Measured, at_ns: int) -> Missing | None:
    """What is missing where the newest bar is too old to say how it stood at the moment."""
    ends = found.readings["to_ns"].max()
    days = _CURRENT_DAYS.get(reading.measure)
    if days is None or not isinstance(ends, int) or at_ns - ends < (1 + days) * DAY_NS:
        return None
    coin, kind = str(found.parameters.get("coin", "BTC")), str(found.parameters.get("kind", "spot"))
    command = command_for("candles", coin=coin, kind=kind, start_ns=ends, end_ns=at_ns)
    return Missing("candles", f"daily bars for {reading.measure} of {coin}", ends, at_ns, command)


def _lacking(found: Measured, note: str) -> tuple[str, str]:
    """What a null reading lacks, by its own note where it has one, and the command where that is clear."""
    named = [missing for missing in found.missing if str(missing) in note]
    known = named or (list(found.missing) if len(found.missing) == 1 else [])
    if known and not named:  # a note that names no table is no way to mend it
        told = f"{note}: {known[0]}" if note else str(known[0])
        return told, known[0].command
    if not note and found.missing:
        return "; ".join(dict.fromkeys(map(str, found.missing))), found.missing[0].command
    return note, known[0].command if known else ""


def _with(value: Value, **changes: Any) -> Value:
    from dataclasses import replace

    return replace(value, **changes)
