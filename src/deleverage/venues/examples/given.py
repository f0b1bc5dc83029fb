"""How are the inputs of a worked example read? Exact decimals, several spellings, errors for gaps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

from deleverage.errors import InputError

SIDES = {"long": 1, "buy": 1, "short": -1, "sell": -1}

SIZE = ("q", "size", "qty", "amount", "szi")
ENTRY = ("ep", "entry", "entry_px", "entry_price", "price")
MARK = ("mark", "mark_px", "mark_price")
RATE = ("mmr", "rate", "mm_rate", "maintenance_margin_rate")
DEDUCTION = ("cum", "mm_deduction", "deduction", "maintenance_amount")
LEVERAGE = ("leverage", "lev")
WALLET = ("wallet_balance", "wallet", "balance")
TAKER = ("taker", "taker_fee", "fee", "commission")


class Given:
    """Inputs of one example.

    Numbers are the decimals as they stand in the file. A text is read as a number, or as a product and
    quotient of other inputs ("q*ep/leverage").
    """

    def __init__(self, inputs: Mapping[str, Any]) -> None:
        self.inputs = inputs

    def name(self, *names: str) -> str | None:
        """The first of the names that is there with a value, None when none is."""
        return next((name for name in names if self.inputs.get(name) is not None), None)

    def has(self, *names: str) -> bool:
        """True when one of the names is there with a value."""
        return self.name(*names) is not None

    def raw(self, *names: str) -> Any:
        """The value under the first of the names that is there.

        Raises
        ------
        InputError
            none is.
        """
        found = self.name(*names)
        if found is None:
            raise InputError(
                f"worked example: expected input '{names[0]}', found only {sorted(self.inputs)}",
                hint=f"also read as: {', '.join(names[1:])}" if len(names) > 1 else "",
                input=names[0],
            )
        return self.inputs[found]

    def number(self, *names: str, default: Fraction | int | None = None) -> Fraction:
        """A number, or the default where it is not there.

        Raises
        ------
        InputError
            it is not there and has no default, or is no number.
        """
        if default is not None and not self.has(*names):
            return Fraction(default)
        return self.read(self.raw(*names), names[0])

    def optional(self, *names: str) -> Fraction | None:
        """A number, or None where it is not there."""
        return self.number(*names) if self.has(*names) else None

    def read(self, value: Any, name: str) -> Fraction:
        """Exact value of a number, a printed number, or a product of other inputs.

        Raises
        ------
        InputError
            it is none of them.
        """
        if isinstance(value, Fraction):
            return value
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise InputError(f"worked example: expected a number for '{name}', found {value!r}", input=name)
        try:
            return Fraction(str(value).strip())
        except ValueError:
            return self._product(str(value), name)

    def _product(self, text: str, name: str) -> Fraction:
        product, operator = Fraction(1), "*"
        for part in re.split(r"([*/])", text.replace(" ", "")):
            if part in ("*", "/"):
                operator = part
                continue
            if part == name or (not self.has(part) and not re.fullmatch(r"[\d.]+", part)):
                raise InputError(
                    f"worked example: expected a number or a product of inputs for '{name}', found {text!r}",
                    input=name,
                )
            factor = self.number(part) if self.has(part) else Fraction(part)
            product = product * factor if operator == "*" else product / factor
        return product

    def side(self, *names: str, default: int | None = None) -> int:
        """Side as +1 or −1, from a number, or a word such as "short".

        Raises
        ------
        InputError
            it is neither, or missing without default.
        """
        names = names or ("side",)
        if default is not None and not self.has(*names):
            return default
        return side_of(self.raw(*names))

    def whole(self, *names: str, unit: int = 1, default: Fraction | int | None = None) -> int:
        """A figure as a whole number of ``1/unit``.

        Raises
        ------
        InputError
            it is not there, no number, or has more digits.
        """
        return whole(self.number(*names, default=default), names[0], unit)

    def numbers(self, *names: str) -> list[Fraction]:
        """A list of numbers."""
        return [self.read(value, names[0]) for value in self.raw(*names)]

    def rows(self, *names: str) -> list[list[Fraction]]:
        """A list of lists of numbers."""
        return [[self.read(value, names[0]) for value in row] for row in self.raw(*names)]

    def parts(self, *names: str) -> list[Given]:
        """A list of nested inputs; empty where it is not there."""
        if not self.has(*names):
            return []
        return [Given(part) for part in self.raw(*names)]

    def part(self, *names: str) -> Given:
        """Nested inputs, or these themselves where there is no such part."""
        return Given({**self.inputs, **self.raw(*names)}) if self.has(*names) else self

    def day(self) -> date | None:
        """Day for which rules are asked ("at" or "date"), None where it is not said."""
        found = self.name("at", "date", "day")
        return date.fromisoformat(str(self.inputs[found])[:10]) if found else None


def whole(value: Fraction, name: str, unit: int = 1) -> int:
    """A figure as a whole number of ``1/unit``.

    Raises
    ------
    InputError
        it has more digits.
    """
    exact = value * unit
    if exact.denominator != 1:
        of = f" of 1/{unit}" if unit > 1 else ""
        raise InputError(f"worked example: expected a whole number{of} for '{name}', found {float(value):g}")
    return exact.numerator


def side_of(value: Any) -> int:
    """+1 for a long, −1 for a short.

    Raises
    ------
    InputError
        it says neither.
    """
    if isinstance(value, str) and value.strip().lower() in SIDES:
        return SIDES[value.strip().lower()]
    if not isinstance(value, bool) and str(value).strip() in ("1", "-1", "+1"):
        return int(str(value))
    raise InputError(
        f"worked example: expected a side of 1, -1, long or short, found {value!r}", input="side"
    )


def candidates(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of an example that ranks accounts, as mappings by the names in ``fields``.

    Raises
    ------
    InputError
        a row that has not as many values as there are fields.
    """
    given = Given(inputs)
    rows: Sequence[Any] = given.raw("candidates")
    if rows and isinstance(rows[0], Mapping):
        return [dict(row) for row in rows]
    fields: Sequence[str] = given.raw("fields")
    for row in rows:
        if len(row) != len(fields):
            raise InputError(
                f"worked example: expected {len(fields)} values {list(fields)}, found {list(row)}"
            )
    return [dict(zip(fields, row, strict=True)) for row in rows]
