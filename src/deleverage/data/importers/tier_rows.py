"""What does every reader of margin tiers check, and how do tiers become rows of the lake?

A tier is told exactly, in fractions: Hyperliquid's rates are 1/(2·leverage), which no decimal holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from deleverage.data.importers.base import SourceFile, refusal
from deleverage.data.importers.content import read
from deleverage.errors import DeleverageError, RulesError, SchemaError, SourceChanged, UnitError

if TYPE_CHECKING:
    import polars as pl

DOLLARS = frozenset({"USDT", "USDC", "USD", "BUSD", "FDUSD"})
"""What a notional in dollars is settled in."""
UNDATED = "margin tiers, and the name does not say of which date, like 2025-10-09"
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_TODO = "get the file again; tiers must join up and increase"


@dataclass(frozen=True)
class Tier:
    """One notional bracket [settlement units]; a ``cap`` of None has no end."""

    number: int
    floor: Fraction
    cap: Fraction | None
    rate: Fraction
    max_leverage: Fraction
    deduction: Fraction


@dataclass(frozen=True)
class Listed:
    """The tiers of one contract: the venue's own name for it, and what a notional is counted in."""

    symbol: str
    unit: str
    tiers: tuple[Tier, ...]

    @property
    def in_dollars(self) -> bool:
        """True where caps are dollars."""
        return self.unit in DOLLARS


@dataclass(frozen=True)
class TierNames:
    """What the file calls the fields, for messages."""

    number: str = "tier"
    floor: str = "minNotional"
    cap: str = "maxNotional"
    rate: str = "maintenanceMarginRate"
    leverage: str = "maxLeverage"
    deduction: str = "cum"


def read_json(source: SourceFile, kind: type[DeleverageError] = SourceChanged) -> Any:
    """The document with every number as an exact fraction.

    Raises
    ------
    DeleverageError
        of that kind: it is no JSON, or holds NaN or an infinity.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"a number that is {constant}")

    try:
        text = read(source).decode("utf-8-sig")
        return json.loads(text, parse_float=Fraction, parse_int=Fraction, parse_constant=refuse)
    except (ValueError, OSError) as error:
        raise refusal(
            kind,
            source,
            expected="a file that parses as JSON",
            found=f"{type(error).__name__}: {error}",
            todo="get the file again: it looks cut off or changed",
        ) from error


def moment_in_name(name: str) -> datetime | None:
    """00:00 UTC of the date in a file's name; None where there is none."""
    date = _DATE.search(name)
    if date is None:
        return None
    try:
        return datetime(int(date[1]), int(date[2]), int(date[3]), tzinfo=UTC)
    except ValueError:
        return None


def number(source: SourceFile, place: str, column: str, value: object) -> Fraction:
    """A number, or a text that is one, exactly."""
    try:
        if isinstance(value, str | Fraction) and not isinstance(value, bool):
            return Fraction(value)
    except (ValueError, ZeroDivisionError):
        pass
    shown = f"{float(value):g}" if isinstance(value, Fraction) else repr(value)
    raise refusal(
        SchemaError, source, place=place, column=column, expected="a number", found=shown, todo=_TODO
    )


def checked(
    source: SourceFile,
    place: str,
    tier: Tier,
    before: Tier | None,
    *,
    printed: Fraction | None,
    names: TierNames = TierNames(),
) -> Tier:
    """The tier with its deduction, once it follows the one before it.

    cum_k = cum_{k−1} + floor_k·(rate_k − rate_{k−1}) keeps the margin continuous; where the file prints a
    figure of its own, that must be this one. A leverage above 1 ÷ rate would open below maintenance.

    Raises
    ------
    UnitError
        a rate that is not a share.
    RulesError
        tiers that do not join up or increase, or a deduction that is not the printed one.
    """
    if not 0 < tier.rate < 1:
        raise refusal(
            UnitError,
            source,
            place=place,
            column=names.rate,
            expected="a share between 0 and 1",
            found=f"{float(tier.rate):g}",
            todo="give rates as shares: 0.004 for 0.4 %",
        )
    due = before.deduction + tier.floor * (tier.rate - before.rate) if before else Fraction(0)
    number_due = before.number + 1 if before else 1
    floor_due = before.cap if before else Fraction(0)
    wants = (
        (names.number, tier.number == number_due, f"tier {number_due}", tier.number),
        (
            names.floor,
            tier.floor == floor_due,
            f"a floor of {_plain(floor_due)}, the cap of the tier before",
            tier.floor,
        ),
        (
            names.cap,
            tier.cap is None or (tier.cap >= tier.floor and tier.cap > 0),
            f"a cap above {_plain(tier.floor)}",
            tier.cap,
        ),
        (names.cap, tier.cap is None or tier.cap.denominator == 1, "a cap in whole units", tier.cap),
        (
            names.rate,
            before is None or tier.rate > before.rate,
            f"a rate above {_plain(before.rate if before else None)}, that of the tier before",
            tier.rate,
        ),
        (
            names.leverage,
            1 <= tier.max_leverage and (before is None or tier.max_leverage <= before.max_leverage),
            "a leverage of at least 1, not above the tier before",
            tier.max_leverage,
        ),
        (
            names.leverage,
            tier.max_leverage * tier.rate <= 1,
            f"a leverage of at most {_plain(1 / tier.rate)}, 1 ÷ the maintenance rate",
            tier.max_leverage,
        ),
        (
            names.deduction,
            printed is None or abs(printed - due) <= Fraction(1, 10**6) * max(Fraction(1), abs(due)),
            f"a deduction of {_plain(due)}",
            printed,
        ),
    )
    for column, holds, expected, found in wants:
        if not holds:
            shown = _plain(found) if isinstance(found, Fraction) else str(found)
            raise refusal(
                RulesError, source, place=place, column=column, expected=expected, found=shown, todo=_TODO
            )
    return Tier(tier.number, tier.floor, tier.cap, tier.rate, tier.max_leverage, due)


def _plain(value: Fraction | None) -> str:
    if value is None:
        return "no end"
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.10g}"


def empty_tiers(listed: Sequence[Listed]) -> list[str]:
    """Tiers that hold for no notional, since cap and floor are the same."""
    return [
        f"{one.symbol} tier {tier.number}" for one in listed for tier in one.tiers if tier.cap == tier.floor
    ]


def frame(listed: Sequence[Listed], venue: str, moment: datetime, label: str) -> pl.DataFrame:
    """Rows of the table `tiers`, as of a moment; every contract must be in dollars."""
    import polars as pl

    rows = [
        (
            int(moment.timestamp()) * 1_000_000_000,
            venue,
            one.symbol,
            tier.number,
            float(tier.floor),
            None if tier.cap is None else float(tier.cap),
            round(tier.rate * 10**6),
            tier.rate.numerator,
            tier.rate.denominator,
            float(tier.max_leverage),
            float(tier.deduction),
            label,
        )
        for one in listed
        for tier in one.tiers
    ]
    return pl.DataFrame(
        rows,
        orient="row",
        schema={
            "time_ns": pl.Int64,
            "venue": pl.String,
            "symbol": pl.String,
            "tier": pl.Int64,
            "floor_usd": pl.Float64,
            "cap_usd": pl.Float64,
            "rate_ppm": pl.Int64,
            "rate_num": pl.Int64,
            "rate_den": pl.Int64,
            "max_leverage": pl.Float64,
            "deduction_usd": pl.Float64,
            "source": pl.String,
        },
    )
