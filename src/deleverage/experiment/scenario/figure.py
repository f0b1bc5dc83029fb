"""What is one figure: a value or a prior, with unit, mark (observed, assumed, fitted) and source."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError, core_schema

from deleverage.errors import InputError

Unit = Literal["USD", "coins", "USD/coin", "share", "ratio", "x", "bp", "s", "hours", "count", "USD/s"]
Mark = Literal["observed", "assumed", "fitted", "set by user"]

_LIMITS: dict[str, tuple[float, float]] = {
    "share": (0.0, 1.0),
    "bp": (0.0, 10_000.0),
}
"""Closed bounds of a unit where the field declares none; every other unit is bounded by 0 from below."""


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A time with a zone; kept in UTC."""


class Strict(BaseModel):
    """Base of all parts of a scenario: frozen, no unknown key, no silent conversion, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class LakeQuery(Strict):
    """Where in the lake the figure is observed: the row of ``table`` that ``where`` selects at ``at``.

    ``max_age_s`` above 0 accepts the newest row at most so old [s]; ``scale`` multiplies the column to reach
    the unit of the figure.
    """

    table: str
    where: dict[str, str | int | float] = Field(default_factory=dict)
    at: Moment
    max_age_s: float = Field(default=0.0, ge=0.0)
    column: str
    scale: float = 1.0


class Figure(Strict):
    """One number of a scenario: either a ``value``, or a ``prior`` between ``low`` and ``high``."""

    value: float | None = None
    prior: Literal["uniform", "loguniform"] | None = None
    low: float | None = None
    high: float | None = None
    unit: Unit
    mark: Mark
    source: str = Field(min_length=1)
    at: Moment | None = None
    lake: LakeQuery | None = None
    sha256: str | None = None
    """Checksum of the imported file that the lake took the value from."""

    @model_validator(mode="after")
    def _value_or_prior(self) -> Figure:
        if (self.value is None) == (self.prior is None):
            found = "neither" if self.value is None else "both"
            raise wrong(
                "either 'value' or 'prior'",
                found,
                'Write { value = 5, ... } or { prior = "uniform", low = 1, high = 9, ... }.',
            )
        if self.value is not None:
            if self.low is not None or self.high is not None:
                raise wrong(
                    "no 'low' or 'high' beside 'value'", "both", "Remove them, or replace 'value' by 'prior'."
                )
            return self
        if self.low is None or self.high is None:
            raise wrong("'low' and 'high' of the prior", "one or none of them", "Give both bounds.")
        if not self.low < self.high:
            raise wrong(
                "low < high",
                f"low = {self.low:g}, high = {self.high:g}",
                "Exchange the bounds, or write a single 'value'.",
            )
        if self.prior == "loguniform" and self.low <= 0:
            raise wrong(
                "low > 0 in a loguniform prior", f"low = {self.low:g}", "Raise 'low', or use \"uniform\"."
            )
        return self

    @property
    def is_prior(self) -> bool:
        """True while the figure is a distribution, not a number."""
        return self.prior is not None

    @property
    def number(self) -> float:
        """The value [unit].

        Raises
        ------
        InputError
            the figure is still a prior: draw it first.
        """
        if self.value is None:
            raise InputError(
                f"expected a number, found the prior {self.text}",
                hint="Draw the priors first: scenario.at(...) or scenario.fixed(...).",
            )
        return self.value

    @property
    def whole(self) -> int:
        """The value as an integer, for counts."""
        return round(self.number)

    @property
    def text(self) -> str:
        """Value, or the prior in words, without the unit."""
        if self.value is not None:
            return repr(self.value)
        return f"{self.prior} {self.low!r} to {self.high!r}"

    def quantile(self, u: float) -> float:
        """The number below which a share ``u`` of the prior lies; the value itself where there is none.

        Parameters
        ----------
        u : share in [0, 1].
        """
        if self.value is not None:
            return self.value
        assert self.low is not None and self.high is not None  # validated
        if self.prior == "loguniform":
            drawn = self.low * math.exp(u * math.log(self.high / self.low))
        else:
            drawn = self.low + u * (self.high - self.low)
        return min(max(drawn, self.low), self.high)


@dataclass(frozen=True)
class Needs:
    """What a field asks of its figure: the unit, and bounds for a value or for both ends of a prior.

    ``above`` is an open lower bound; ``low`` and ``high`` are closed ones.
    """

    unit: Unit
    meaning: str
    above: float | None = None
    low: float | None = None
    high: float | None = None
    whole: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        """Check after the figure itself is valid."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    @property
    def expected(self) -> str:
        """The demand in words."""
        low, high = self._bounds()
        kind = "a whole number" if self.whole else "a number"
        if self.above is not None:
            span = f" above {self.above:g}" + (f" and up to {high:g}" if high is not None else "")
        elif low is not None and high is not None:
            span = f" from {low:g} to {high:g}"
        else:
            span = f" of at least {low:g}" if low is not None else ""
        return f"{kind}{span} [{self.unit}]"

    def _bounds(self) -> tuple[float | None, float | None]:
        low, high = _LIMITS.get(self.unit, (0.0, None))
        return (self.low if self.low is not None else low), (self.high if self.high is not None else high)

    def check(self, figure: Figure) -> Figure:
        """Return the figure, or say which demand it does not meet."""
        if figure.unit != self.unit:
            raise wrong(
                f'unit "{self.unit}"',
                f'"{figure.unit}"',
                f"Convert the figure: it is {self.meaning} [{self.unit}].",
                key="unit",
            )
        low, high = self._bounds()
        for key in ("value", "low", "high"):
            number = getattr(figure, key)
            if number is None:
                continue
            off = (
                (self.above is not None and number <= self.above)
                or (self.above is None and low is not None and number < low)
                or (high is not None and number > high)
                or (self.whole and number != int(number))
            )
            if off:
                hint = f"It is {self.meaning}."
                if self.unit == "share" and number > 1:
                    hint += f" A share of {number:g} % is written {number / 100:g}."
                raise wrong(self.expected, f"{number:g}", hint, key=key)
        return figure


def wrong(expected: str, found: str, hint: str, *, key: str = "") -> PydanticCustomError:
    """A complaint that `problems` turns into one message with file, line and key."""
    return PydanticCustomError(
        "scenario",
        "expected {expected}, found {found}",
        {"expected": expected, "found": found, "hint": hint, "key": key},
    )
