"""How is a file of claims read? With errors that name file, line, key and what to do."""

from __future__ import annotations

import difflib
from bisect import bisect_right
from collections.abc import Mapping
from datetime import date
from importlib import resources
from math import inf, isfinite
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from deleverage.claims.form import UNITS, Claim, ClaimsFile, Figure, Kind, Reading, end_ns, number_of
from deleverage.claims.units import bounds_of, unit_of
from deleverage.data.lake.times import iso
from deleverage.errors import InputError, ScenarioError
from deleverage.experiment.scenario.text import key_lines, parse
from deleverage.measure.measure import Measure

Place = tuple[str | int, ...]
_LAST_YEAR = 9999

_KINDS = {
    "float_type": "a number", "int_type": "a whole number", "string_type": "a text in quotes",
    "bool_type": "true or false", "list_type": "a list in brackets", "dict_type": "a table",
    "model_type": "a table", "date_type": "a day such as 2025-11-16", "datetime_type": "a moment",
    "finite_number": "a finite number", "too_short": "at least one entry",
}  # fmt: skip
_FIGURE_KEYS = frozenset(Figure.model_fields)
_SHARED = frozenset({"stated", "unit", "tolerance", "rounding"})
"""Keys that an arithmetic claim has of its own."""
_SEE = "`deleverage claims --show nov-2025` prints a complete file."


def embedded_names() -> list[str]:
    """Names of the claims that ship with the program."""
    folder = resources.files("deleverage.claims")
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def find_text(name_or_path: str | Path) -> tuple[str, str]:
    """Text of a file of claims, by embedded name or path, and its name for messages.

    Raises
    ------
    InputError
        no such name, or a file that cannot be read.
    """
    given = str(name_or_path)
    if not isinstance(name_or_path, Path) and not given.endswith(".toml") and "/" not in given:
        names = embedded_names()
        if given not in names:
            near = difflib.get_close_matches(given, names, n=1)
            raise InputError(
                f"expected the name of embedded claims or the path of a TOML file, found {given!r}",
                hint=(f"Did you mean '{near[0]}'? " if near else "") + f"Embedded: {', '.join(names)}.",
                file=given,
            )
        text = (resources.files("deleverage.claims") / f"{given}.toml").read_text(encoding="utf-8")
        return text, f"{given}.toml"
    try:
        return Path(given).read_text(encoding="utf-8-sig"), given  # editors may put a byte-order mark first
    except FileNotFoundError:
        found, hint = "no such file", f"Embedded: {', '.join(embedded_names())}."
    except IsADirectoryError:
        found, hint = "a folder", "Give the TOML file itself."
    except UnicodeDecodeError as error:
        found, hint = f"bytes that are not UTF-8 (at byte {error.start})", "Save the file as UTF-8."
    except OSError as error:
        found, hint = (error.strerror or "an unreadable file").lower(), "Check its permissions."
    raise InputError(f"{given}: expected a readable TOML file, found {found}", hint=hint, file=given)


class Source:
    """A text with its name: says on which line a key stands."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self._lines = key_lines(text)
        self._claims = sorted(
            line for place, line in self._lines.items() if place[:1] == ("claim",) and _numbered(place, 2)
        )
        self._nested: dict[tuple[str, int, int], Place] = {}
        counts: dict[tuple[str, int], int] = {}
        for place, line in sorted(self._lines.items(), key=lambda item: item[1]):
            if place[0] == "claim" and _numbered(place, 3):
                owner = bisect_right(self._claims, line) - 1
                name = str(place[1])
                number = counts.get((name, owner), 0)
                counts[name, owner] = number + 1
                self._nested[name, owner, number] = place

    def line(self, place: Place) -> int:
        """Line (from 1) of the deepest part of the place that stands in the text."""
        match place:
            case ("claim", int() as owner, str() as name, int() as number, *rest):
                # a claim of one figure has its keys itself
                head = self._nested.get((name, owner, number), ("claim", owner))
                place = (*head, *rest)
            case _:
                pass
        for length in range(len(place), 0, -1):
            if place[:length] in self._lines:
                return self._lines[place[:length]]
        return 1

    def error(self, place: Place, key: str, expected: str, found: str, hint: str) -> InputError:
        """The error that is told of a key."""
        line = self.line(place)
        return InputError(
            f"{self.file}, line {line}, {key}: expected {expected}, found {found}",
            hint=hint,
            file=self.file,
            line=line,
            key=key,
            expected=expected,
            found=found,
        )


def _numbered(place: Place, length: int) -> bool:
    """True for the header of an entry of an array of tables, whose place ends with its number."""
    return len(place) == length and isinstance(place[-1], int)


def read_claims(
    text: str, file: str, measures: Mapping[str, Measure], *, today: date | None = None
) -> tuple[ClaimsFile, Source]:
    """A file of claims, checked against the measures that there are.

    Parameters
    ----------
    today : no claim may be dated later; None where there is no clock.

    Raises
    ------
    InputError
        it is not usable; context: file, line, key, expected, found.
    """
    try:
        content = parse(text, file)
    except ScenarioError as error:
        raise InputError(error.message, hint=f"Correct that line; {_SEE}", **error.context) from None
    source = Source(text, file)
    try:
        read = ClaimsFile.model_validate(_with_figures(content))
    except ValidationError as error:
        raise _of_form(error, content, source) from None
    ids: dict[str, int] = {}
    for number, claim in enumerate(read.claim):
        place: Place = ("claim", number)
        if claim.id in ids:
            raise source.error(
                (*place, "id"),
                f"{claim.id}.id",
                "an id that no other claim has",
                f"'{claim.id}' a second time (first on line {source.line(('claim', ids[claim.id], 'id'))})",
                "Give each claim an id of its own.",
            )
        ids[claim.id] = number
        _check_date(read, claim, place, source, today)
        _check_kind(claim, place, source)
        for k, figure in enumerate(claim.figure):
            _check_reading(claim, figure, (*place, "figure", k), source, measures)
        for name in ("also", "rival"):
            for k, reading in enumerate(getattr(claim, name)):
                _check_reading(claim, reading, (*place, name, k), source, measures)
    for number, claim in enumerate(read.claim):
        for other in claim.arithmetic.of if claim.arithmetic else ():
            if other not in ids or _stated_alone(read.claim[ids[other]]) is None or other == claim.id:
                raise source.error(
                    ("claim", number, "arithmetic"),
                    f"{claim.id}.arithmetic.of",
                    "ids of other claims with one stated figure",
                    f"'{other}'",
                    f"Ids here: {', '.join(ids)}.",
                )
    return read, source


def _stated_alone(claim: Claim) -> float | None:
    if claim.arithmetic is not None:
        return None
    return number_of(claim.figure[0].stated) if len(claim.figure) == 1 else None


def _with_figures(content: dict[str, Any]) -> dict[str, Any]:
    """A claim of one figure may have its keys itself."""
    claims = content.get("claim")
    if not isinstance(claims, list):
        return content
    made = []
    for claim in claims:
        if isinstance(claim, dict) and "measure" in claim and "figure" not in claim:
            own = {key: value for key, value in claim.items() if key in _FIGURE_KEYS}
            claim = {key: value for key, value in claim.items() if key not in _FIGURE_KEYS} | {
                "figure": [own]
            }
        made.append(claim)
    return content | {"claim": made}


def _check_date(read: ClaimsFile, claim: Claim, place: Place, source: Source, today: date | None) -> None:
    moments: list[tuple[Place, str, Any]] = [
        ((*place, "date") if claim.date else ("as_of",), f"{claim.id}.date", claim.date or read.as_of)
    ]
    for name in ("figure", "also", "rival"):
        for k, reading in enumerate(getattr(claim, name)):
            if reading.at is not None:
                moments.append(((*place, name, k, "at"), f"{claim.id}.at", reading.at))
    for where, key, moment in moments:
        if moment.year == _LAST_YEAR:  # its end is no date
            raise source.error(where, key, f"a year before {_LAST_YEAR}", str(moment), "Correct the date.")
    last = read.at_of(claim)
    for where, key, moment in moments:
        if today is not None and end_ns(moment) > end_ns(today):
            raise source.error(
                where, key, f"a date that is not later than today, {today.isoformat()}", str(moment),
                "A claim is judged as of the day it was made; what it says of the future is its kind.",
            )  # fmt: skip
        if end_ns(moment) > last:
            raise source.error(
                where, key, f"a moment that is not later than the claim's, {iso(last)}", str(moment),
                "A claim is judged by what was known when it was made.",
            )  # fmt: skip


def _check_kind(claim: Claim, place: Place, source: Source) -> None:
    def wrong(key: str, expected: str, found: str, hint: str) -> InputError:
        return source.error((*place, key), f"{claim.id}.{key}", expected, found, hint)

    match claim.kind:
        case Kind.MEASURED | Kind.MECHANISM:
            if not claim.figure:
                raise wrong("measure", f"a measure, since its kind is '{claim.kind.value}'", "nothing",
                            "Add measure, reading, stated, unit and tolerance; or another kind.")  # fmt: skip
            for key in sorted(_SHARED | {"arithmetic"}):
                if key != "rounding" and getattr(claim, key) is not None:
                    raise wrong(key, "it in the figure only", f"it beside the figures: {getattr(claim, key)}",
                                "Move it below [[claim.figure]].")  # fmt: skip
        case Kind.ARITHMETIC:
            for key in ("arithmetic", "stated", "unit", "tolerance"):
                if getattr(claim, key) is None:
                    raise wrong(key, f"the key '{key}', since its kind is 'arithmetic'", "nothing",
                                'Like arithmetic = { operation = "ratio", of = ["a", "b"] }.')  # fmt: skip
            if claim.figure:
                raise wrong("measure", "no measure, since its kind is 'arithmetic'", claim.figure[0].measure,
                            "What is measured beside it goes below [[claim.also]].")  # fmt: skip
            _check_unit(str(claim.unit), (*place, "unit"), f"{claim.id}.unit", source)
            if isinstance(claim.stated, date) != (claim.unit == "date"):
                raise wrong("stated", "a day where its unit is 'date', else a number", str(claim.stated),
                            "A unit of 'date' goes with a day, every other with a number.")  # fmt: skip
            _check_tolerance(claim.tolerance or 0, claim.rounding, (*place, "tolerance"), claim, source)
        case _:
            if claim.figure or claim.stated is not None:
                raise wrong("stated", f"no figure, since its kind is '{claim.kind.value}'", "one",
                            "It cannot be checked; what bears on it goes below [[claim.also]].")  # fmt: skip
    if claim.one_vendor and len(claim.figure) != 1:
        raise wrong("one_vendor", "one figure, that of the vendor", f"{len(claim.figure)}",
                    "Make each vendor's figure a claim.")  # fmt: skip
    if claim.rival and not claim.one_vendor:
        raise wrong("rival", "rivals only where one_vendor = true", f"{len(claim.rival)}",
                    "Add one_vendor = true, or make them [[claim.also]].")  # fmt: skip


def _check_reading(
    claim: Claim, reading: Reading, place: Place, source: Source, measures: Mapping[str, Measure]
) -> None:
    measure = measures.get(reading.measure)
    if measure is None:
        raise source.error(
            (*place, "measure"), f"{claim.id}.measure", "a measure of this program", f"'{reading.measure}'",
            _near(reading.measure, list(measures)),
        )  # fmt: skip
    names = list(measure.readings)
    if names and not any(
        reading.reading == name or (name.endswith("*") and reading.reading.startswith(name[:-1]))
        for name in names
    ):
        raise source.error(
            (*place, "reading"), f"{claim.id}.reading", f"a reading of {measure.name}",
            f"'{reading.reading}'",
            _near(reading.reading, names),
        )  # fmt: skip
    try:
        measure.settle(reading.parameters)
    except InputError as error:
        where: Place = (*place, "parameters", str(error.context.get("parameter", "")))
        raise InputError(
            f"{source.file}, line {source.line(where)}, {claim.id}.parameters: {error.message}",
            hint=error.hint, file=source.file, line=source.line(where), key=f"{claim.id}.parameters",
        ) from None  # fmt: skip
    if isinstance(reading, Figure):
        _check_figure(claim, reading, place, source)


def _check_figure(claim: Claim, figure: Figure, place: Place, source: Source) -> None:
    key = f"{claim.id}.unit"
    _check_unit(figure.unit, (*place, "unit"), key, source)
    check_unit(claim, figure, unit_of(figure.measure, figure.reading), place, source)
    if (figure.unit == "date") != isinstance(figure.stated, date):
        raise source.error(
            (*place, "stated"), f"{claim.id}.stated",
            "a day like 2025-02-27" if figure.unit == "date" else "a number", str(figure.stated),
            "A unit of 'date' goes with a day, every other with a number.",
        )  # fmt: skip
    least, most = bounds_of(figure.measure, figure.reading)
    if figure.unit == "share" and not least <= number_of(figure.stated) <= most:
        raise source.error(
            (*place, "stated"), f"{claim.id}.stated",
            f"a share from {least:g}" + (f" to {most:g}" if most < inf else " on"), str(figure.stated),
            "A share is a part of one: −30 % is -0.30.",
        )  # fmt: skip
    _check_tolerance(figure.tolerance, figure.rounding, (*place, "tolerance"), claim, source)


def check_unit(claim: Claim, figure: Figure, unit: str | None, place: Place, source: Source) -> None:
    """Refuse a figure whose unit is not that of its reading; None where that is not known yet."""
    if unit is not None and unit != figure.unit:
        raise source.error(
            (*place, "unit"),
            f"{claim.id}.unit",
            f"'{unit}', the unit of {figure.measure}: {figure.reading}",
            f"'{figure.unit}'",
            f"State the figure in '{unit}'" + (f" ({UNITS[unit]})." if unit in UNITS else "."),
        )


def _check_unit(unit: str, place: Place, key: str, source: Source) -> None:
    if unit not in UNITS:
        raise source.error(place, key, f"one of {', '.join(UNITS)}", f"'{unit}'", _near(unit, list(UNITS)))


def _check_tolerance(tolerance: float, rounding: float, place: Place, claim: Claim, source: Source) -> None:
    if tolerance < rounding:
        raise source.error(
            place, f"{claim.id}.tolerance", f"at least the rounding, {rounding}", f"{tolerance}",
            "The rounding is half a unit of the last printed digit; the tolerance is what passes beyond it.",
        )  # fmt: skip


def _near(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return (f"Did you mean '{near[0]}'? " if near else "") + f"There are: {', '.join(names)}."


def _of_form(error: ValidationError, content: dict[str, Any], source: Source) -> InputError:
    """One error for all that the form found: the first by line leads."""
    problems = [_problem(details, content) for details in error.errors(include_url=False)]
    found = list({problem[0]: problem for problem in reversed(problems)}.values())  # a union is told once
    found.sort(key=lambda problem: source.line(problem[0]))
    # a missing key that stands there misspelt is told as the misspelt one
    misspelt = {hint for _, _, _, _, hint in found if hint.startswith("Did you mean")}
    first = next(
        (
            one
            for one in found
            if one[2] != "nothing" or not any(f"'{one[0][-1]}'" in hint for hint in misspelt)
        ),
        found[0],
    )
    place, expected, shown, key, hint = first
    made = source.error(place, key, expected, shown, hint)
    if len(found) > 1:
        rest = [one for one in found if one is not first]
        more = "; ".join(f"line {source.line(one[0])}, {one[3]}" for one in rest[:5])
        made = InputError(f"{made.message}\n  {len(rest)} more: {more}", hint=made.hint, **made.context)
    return made


def _problem(details: ErrorDetails, content: dict[str, Any]) -> tuple[Place, str, str, str, str]:
    """Place, what was expected, what was found, key, hint."""
    # pydantic names the member of a union in its place; it is no key
    place: Place = tuple(
        part
        for part in details["loc"]
        if isinstance(part, int) or (part.isidentifier() and part not in _MEMBERS)
    )
    if len(place) > 1 and place[-1] == "date" and place[-2] in _UNIONS:
        place = place[:-1]
    kind, context = details["type"], details.get("ctx") or {}
    own = place[4:] if place[2:4] == ("figure", 0) and _is_flat(place, content) else place[2:]
    key = ".".join(str(part) for part in (_id_of(place, content), *own) if part != "")
    if place[:1] != ("claim",) or len(place) < 2:
        key = ".".join(str(part) for part in place)
    if kind == "extra_forbidden":
        model = _model(place)
        return (
            place,
            f"a key that {'a claim' if place[0] == 'claim' else 'the file'} knows",
            f"'{place[-1]}'",
            key,
            (_near(str(place[-1]), [*model, *(_FIGURE_KEYS - set(model) if model is _CLAIM_KEYS else ())])),
        )
    if kind == "missing":
        return place, f"the key '{place[-1]}'", "nothing", key, f"Add it; {_SEE}"
    expected = str(context.get("expected", "")) or _KINDS.get(kind, "")
    if place and place[-1] in _UNIONS:
        given = details["input"]
        endless = isinstance(given, float) and not isfinite(given)
        expected = "a finite number" if endless else _UNIONS[str(place[-1])]
    if kind in ("literal_error", "enum"):
        expected = f"one of {expected}"
    if not expected:
        expected = details["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    return place, expected, _shown(details["input"]), key, _SEE.capitalize() if not _SEE[0] == "`" else _SEE


_MEMBERS = frozenset({"int", "float", "datetime", "nullable"})
_DAY_OR_MOMENT = "a day such as 2025-11-16, or a moment"
_UNIONS = {
    "stated": "a number, or a day such as 2025-11-16", "as_of": _DAY_OR_MOMENT, "date": _DAY_OR_MOMENT,
    "at": _DAY_OR_MOMENT,
}  # fmt: skip
"""Keys of several forms, and what is expected there."""
_CLAIM_KEYS = list(Claim.model_fields)


def _model(place: Place) -> list[str]:
    if place[:1] != ("claim",):
        return list(ClaimsFile.model_fields)
    if len(place) > 3 and place[2] == "figure":
        return list(Figure.model_fields)
    if len(place) > 3 and place[2] in ("also", "rival"):
        return list(Reading.model_fields)
    return _CLAIM_KEYS


def _is_flat(place: Place, content: dict[str, Any]) -> bool:
    """True for a claim whose one figure has no table of its own."""
    try:
        return "figure" not in content["claim"][place[1]]
    except (KeyError, IndexError, TypeError):
        return False


def _id_of(place: Place, content: dict[str, Any]) -> str:
    try:
        return str(content["claim"][place[1]]["id"])
    except (KeyError, IndexError, TypeError):
        return f"claim {place[1]}" if len(place) > 1 else "claim"


def _shown(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
