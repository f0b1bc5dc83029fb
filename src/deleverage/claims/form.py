"""What does a file of claims hold? Its form, strict: a key that is not here is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr
from pydantic_core import PydanticCustomError

from deleverage.claims.verdict import Comparison, Stated

UNITS: dict[str, str] = {
    "share": "a part of one: −30 % is -0.30",
    "USD": "dollars: $1.1 tn is 1.1e12",
    "USD/coin": "dollars for one coin",
    "coins": "coins of the market",
    "days": "days",
    "date": "a day like 2025-02-27",
    "points": "points of an index",
    "x": "times, as of leverage",
    "count": "a number of things",
    "bp": "hundredths of a percent",
    "USD/day": "dollars a day",
    "1/s": "a second",
    "share per $1 bn": "a part of one for each billion",
    "share per $m": "a part of one for each million",
    "share per sqrt(year)": "volatility of a year",
}
"""Units that a stated figure may have."""

SCAN_DAYS = 45


class Kind(StrEnum):
    """What sort of sentence it is."""

    MEASURED = "measured"
    ARITHMETIC = "arithmetic"
    MECHANISM = "mechanism"
    FUTURE = "future"
    INTENTION = "intention"


def _printed(value: str) -> str:
    if any((ord(sign) < 32 and sign not in "\r\n\t") or 127 <= ord(sign) < 160 for sign in value):
        raise PydanticCustomError("claims", "{expected}", {"expected": "a text without control characters"})
    return " ".join(value.split())


def _text(value: str) -> str:
    if not value:
        raise PydanticCustomError("claims", "{expected}", {"expected": "a text that is not empty"})
    return value


Printed = Annotated[StrictStr, AfterValidator(_printed)]
"""A text as it is shown: in one line, whatever its lines were in the file."""
Text = Annotated[Printed, AfterValidator(_text)]
Number = StrictInt | StrictFloat
LARGEST = 10**18
"""No figure of a market is larger; what is does not fit a number of the machine."""
Amount = Annotated[Number, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
Value = Annotated[Number, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)] | date
Moment = datetime | date


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Reading(_Strict):
    """Where a measured value stands."""

    measure: Text
    reading: Text
    parameters: dict[str, Any] = Field(default_factory=dict)
    subject: Text | None = None
    at: Moment | None = None
    """As of when, where it is not the moment of the claim."""
    means: Printed = ""
    """What it is, in words."""

    def name(self) -> str:
        """Words for it."""
        return self.means or f"{self.measure}: {self.reading}"


class Figure(Reading):
    """A measured value and what was stated of it."""

    stated: Value
    unit: Text
    tolerance: Amount
    rounding: Amount = 0.0
    comparison: Comparison = Comparison.EQUAL
    interval: Literal["error", "range"] = "error"
    """Whether the reading's interval is doubt, which is judged, or other hours, which are shown."""
    scan: Annotated[StrictInt, Field(ge=0, le=366)] = SCAN_DAYS
    """Days before and after in which a date is looked for on which it would have been true."""

    def as_stated(self) -> Stated:
        """For the rules of `verdict`."""
        return Stated(
            number_of(self.stated),
            self.comparison,
            float(self.tolerance),
            float(self.rounding),
            is_date=self.unit == "date",
        )


class Arithmetic(_Strict):
    """A figure made of other claims' stated figures."""

    operation: Literal["ratio", "product", "sum", "difference"]
    of: Annotated[list[Text], Field(min_length=2, max_length=2)]


class Outcome(_Strict):
    """What is looked up afterwards: was the price lower within the horizon?"""

    horizon: Annotated[StrictInt, Field(gt=0)]
    """Days that are looked at."""
    floor: Annotated[Number, Field(gt=0, le=1)]
    """Share of the day's close below which no low may lie."""


class Claim(_Strict):
    """One sentence. What a kind needs is checked in `read`."""

    id: Text
    text: Text
    kind: Kind
    by_whose_count: Text = "not said"
    source: Text | None = None
    date: Moment | None = None
    figure: list[Figure] = Field(default_factory=list)
    also: list[Reading] = Field(default_factory=list)
    rival: list[Reading] = Field(default_factory=list)
    """The same thing by other counts; for figures that one vendor published."""
    one_vendor: bool = False
    arithmetic: Arithmetic | None = None
    stated: Value | None = None
    unit: Text | None = None
    tolerance: Amount | None = None
    rounding: Amount = 0.0
    outcome: Outcome | None = None
    note: Printed = ""


class ClaimsFile(_Strict):
    """All of it."""

    title: Text
    source: Text
    as_of: Moment
    about: Printed = ""
    claim: Annotated[list[Claim], Field(min_length=1)]

    def at_of(self, claim: Claim) -> int:
        """The moment [ns UTC] as of which a claim is judged."""
        return end_ns(claim.date or self.as_of)


def end_ns(when: datetime | date) -> int:
    """A moment as it is, a day at its end (the next midnight) [ns UTC]."""
    if not isinstance(when, datetime):
        when = datetime(when.year, when.month, when.day, tzinfo=UTC) + timedelta(days=1)
    moment = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    past = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (past.days * 86_400 + past.seconds) * 1_000_000_000 + past.microseconds * 1_000


def number_of(value: float | date) -> float:
    """A stated value as a number; a day as days since 1970-01-01."""
    if isinstance(value, date):
        return float((date(value.year, value.month, value.day) - date(1970, 1, 1)).days)
    return float(value)
