"""What is a measure: a question, its parameters, and figures as of a moment?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from deleverage.errors import InputError
from deleverage.measure.asof import AsOf, Missing
from deleverage.schema import READINGS, SERIES, conform, empty

_LAST_NS = 2**63 - 1
_MOST_DAYS = 36_525
"""A century; no market is older."""
_KINDS = ("coin", "venue", "text", "number", "days", "time", "choice", "list")

_MOST_DAYS = 36_525
"""A century: more overflows what counts nanoseconds, and no market is older."""
_EARLIEST_NS = -2_208_988_800 * 1_000_000_000  # 1900-01-01
_LATEST_NS = 7_258_118_400 * 1_000_000_000  # 2200-01-01


@dataclass(frozen=True)
class Parameter:
    """One parameter of a measure.

    kind : 'coin' (upper case), 'venue' (lower case), 'text', 'number', 'days' (> 0, up to a century), 'time'
    (ns UTC; given as a day or a moment, 1900 to 2199), 'choice' (one of ``choices``) or 'list' (of texts;
    given with commas).
    default : its value where none is given, of the same kind; None where the measure decides.
    """

    name: str
    kind: str
    default: Any
    meaning: str
    unit: str = ""
    choices: tuple[str, ...] = ()

    def settle(self, measure: str, given: Any) -> Any:
        """The value that was given, as one of its kind.

        Raises
        ------
        InputError
            it is of another kind or out of range.
        """
        try:
            return self._read(given)
        except (ValueError, TypeError) as error:
            raise InputError(
                f"measure {measure}, parameter {self.name}: expected {self.expects()}, found {given!r}",
                hint=self.meaning,
                parameter=self.name,
            ) from error

    def expects(self) -> str:
        """What is expected, in words."""
        return {
            "coin": "a coin like BTC",
            "venue": "a venue like binance",
            "text": "a text",
            "number": f"a number{f' [{self.unit}]' if self.unit else ''}",
            "days": f"a number of days > 0 and at most {_MOST_DAYS:,}",
            "time": "a day or a moment of 1900 to 2199, like 2025-10-10 or 2025-10-10T21:15",
            "choice": f"one of {', '.join(self.choices)}",
            "list": "a list of texts, or texts with commas",
        }[self.kind]

    def _read(self, given: Any) -> Any:
        match self.kind:
            case "coin" | "venue" | "text" | "choice":
                if not isinstance(given, str) or not given.strip():
                    raise ValueError("no text")
                text = given.strip()
                text = text.upper() if self.kind == "coin" else text.lower() if self.kind == "venue" else text
                if self.kind == "choice" and text not in self.choices:
                    raise ValueError("no choice")
                return text
            case "number" | "days":
                if isinstance(given, bool):
                    raise ValueError("no number")
                number = float(given)
                if not math.isfinite(number) or (self.kind == "days" and not 0 < number <= _MOST_DAYS):
                    raise ValueError("out of range")
                return number
            case "time":
                moment = time_ns(given)
                if not _EARLIEST_NS <= moment < _LATEST_NS:
                    raise ValueError("out of range")
                return moment
            case _:
                texts = given.split(",") if isinstance(given, str) else list(given)
                found = tuple(str(text).strip() for text in texts)
                if not found or not all(found):
                    raise ValueError("an empty text")
                return found


@dataclass(frozen=True)
class Measured:
    """What a measure found.

    readings, series : tables of these names. missing : parts that the lake could not give; their readings are
    null and say so. series may hold more than one series; they are what the figure is drawn from.
    """

    measure: str
    at_ns: int
    parameters: Mapping[str, Any]
    readings: pl.DataFrame
    series: pl.DataFrame
    missing: tuple[Missing, ...] = ()

    def reading(self, name: str, subject: str | None = None) -> dict[str, Any] | None:
        """The one reading of that name (and subject), None where there is none."""
        rows = self.readings.filter(pl.col("name") == name)
        if subject is not None:
            rows = rows.filter(pl.col("subject") == subject)
        return rows.row(0, named=True) if rows.height else None


@dataclass(frozen=True)
class Measure:
    """A question to the lake.

    name : how it is called; question : what it answers, one sentence; parameters : in order; compute : from
    the tables as of a moment and the settled parameters to what was found. ``compute`` raises
    MissingDataError when nothing of it can be answered; where a part can, it gives that and says what is
    missing. readings : names of its readings and what each is, for the help and for claims; a trailing ``*``
    stands for the rest of the name. headline : the few readings that stand on the screen of all measures.
    """

    name: str
    question: str
    parameters: tuple[Parameter, ...]
    compute: Callable[[AsOf, Mapping[str, Any]], Measured]
    readings: Mapping[str, str] = field(default_factory=dict)
    headline: tuple[str, ...] = ()

    def settle(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters with their defaults.

        Raises
        ------
        InputError
            a name that it does not have, or a value of another kind.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                names = ", ".join(known) or "none"
                raise InputError(
                    f"measure {self.name}: expected parameters of {names}, found '{name}'",
                    hint=f"`deleverage measure {self.name} --help` says what each is",
                    parameter=name,
                )
        return {
            name: parameter.settle(self.name, given[name]) if name in given else parameter.default
            for name, parameter in known.items()
        }

    def at(self, source: Any, at_ns: int, given: Mapping[str, Any] | None = None) -> Measured:
        """Its figures as they were at ``at_ns`` [ns UTC], from a lake or frames.

        Raises
        ------
        InputError
            a parameter is wrong, or the moment is before 1900 or after 2199.
        MissingDataError
            nothing of it can be answered from this lake.
        """
        if not _EARLIEST_NS <= at_ns < _LATEST_NS:
            raise InputError(
                f"measure {self.name}: expected a moment of 1900 to 2199, found {at_ns} ns after 1970",
                hint="give a day or a moment like 2025-10-10T21:15",
                parameter="at",
            )
        return self.compute(AsOf(source, at_ns), self.settle(given or {}))


@dataclass(frozen=True)
class Whose:
    """Where a reading comes from.

    by : by whose count, 'binance spot, UTC days'; data : tables and series of the lake; from_ns, to_ns : the
    stretch that was used [ns UTC], None where it is none.
    """

    by: str
    data: str
    from_ns: int | None = None
    to_ns: int | None = None

    def over(self, from_ns: int | None, to_ns: int | None) -> Whose:
        """The same over another stretch."""
        return Whose(self.by, self.data, from_ns, to_ns)


class Found:
    """Readings and series while they are gathered."""

    def __init__(self, measure: str, asof: AsOf, parameters: Mapping[str, Any]) -> None:
        self.measure = measure
        self.asof = asof
        self.parameters = parameters
        self._readings: list[dict[str, Any]] = []
        self._series: list[pl.DataFrame] = []
        self._missing: list[Missing] = []

    def reading(
        self,
        name: str,
        subject: str,
        value: float | None,
        unit: str,
        whose: Whose,
        *,
        low: float | None = None,
        high: float | None = None,
        interval: str = "",
        note: str = "",
    ) -> None:
        """Add a figure; NaN is no value and becomes null."""
        self._readings.append(
            {
                "measure": self.measure, "name": name, "subject": subject,
                "value": _value(value), "low": _value(low), "high": _value(high), "interval": interval,
                "unit": unit, "from_ns": whose.from_ns, "to_ns": whose.to_ns, "by": whose.by,
                "data": whose.data, "note": note,
            }
        )  # fmt: skip

    def series(self, name: str, subject: str, unit: str, frame: pl.DataFrame) -> None:
        """Add a series: a frame with time_ns and value, and low and high where it has a band."""
        columns = {"low": pl.lit(None, pl.Float64), "high": pl.lit(None, pl.Float64)}
        self._series.append(
            frame.select(
                pl.lit(self.measure).alias("measure"),
                pl.lit(name).alias("name"),
                pl.lit(subject).alias("subject"),
                pl.col("time_ns").cast(pl.Int64),
                pl.col("value").cast(pl.Float64).fill_nan(None),
                *(
                    (pl.col(end).cast(pl.Float64).fill_nan(None) if end in frame.columns else other).alias(
                        end
                    )
                    for end, other in columns.items()
                ),
                pl.lit(unit).alias("unit"),
            )
        )

    def lacks(self, missing: Missing) -> None:
        """Note a part that could not be given."""
        self._missing.append(missing)

    def measured(self) -> Measured:
        """All of it, as tables."""
        schema = {column.name: getattr(pl, column.dtype) for column in READINGS.columns}
        readings = pl.DataFrame(self._readings, schema=schema)
        series = pl.concat([empty(SERIES), *self._series])
        return Measured(
            self.measure,
            self.asof.at_ns,
            dict(self.parameters),
            conform(readings, READINGS),
            conform(series, SERIES),
            tuple(self._missing),
        )


def time_ns(given: Any) -> int:
    """A day or a moment in nanoseconds UTC; integers are taken as such.

    Raises
    ------
    ValueError
        it is neither.
    """
    if isinstance(given, bool):
        raise ValueError("no time")
    if isinstance(given, int):
        if abs(given) > _LAST_NS:
            raise ValueError("out of range")
        return given
    if isinstance(given, str):
        given = datetime.fromisoformat(given.replace("Z", "+00:00"))
    if isinstance(given, date) and not isinstance(given, datetime):
        given = datetime(given.year, given.month, given.day, tzinfo=UTC)
    if not isinstance(given, datetime):
        raise ValueError("no time")
    moment = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    past = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (past.days * 86_400 + past.seconds) * 1_000_000_000 + past.microseconds * 1_000


def _value(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
