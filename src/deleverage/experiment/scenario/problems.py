"""What is wrong with a scenario: one message with file, line, key and what to do."""

from __future__ import annotations

import difflib
import types
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from deleverage.errors import ScenarioError
from deleverage.experiment.scenario.figure import Needs
from deleverage.experiment.scenario.text import Path, line_of

_KINDS = {
    "float_type": "a number",
    "int_type": "a whole number",
    "string_type": "a text in quotes",
    "bool_type": "true or false",
    "datetime_type": "a time such as 2025-10-10T20:49:00Z",
    "timezone_aware": "a time with its zone, such as 2025-10-10T20:49:00Z",
    "date_type": "a date such as 2025-10-09",
    "tuple_type": "a list in brackets",
    "list_type": "a list in brackets",
    "model_type": "a table",
    "dict_type": "a table",
    "finite_number": "a finite number",
    "string_too_short": "a text that is not empty",
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where."""

    line: int | None
    key: str
    expected: str
    found: str
    hint: str
    means: str | None = None
    """The key that an unknown one was probably meant to be."""

    def text(self, file: str) -> str:
        """``file, line 12, market.BTC.depth: expected ..., found ...``."""
        place = ", ".join(part for part in (file, f"line {self.line}" if self.line else "", self.key) if part)
        return f"{place}: expected {self.expected}, found {self.found}"


def scenario_error(
    error: ValidationError, model: type[BaseModel], text: str | None, file: str
) -> ScenarioError:
    """One error for all that the validation found; the first by line leads, ``context['problems']`` has all.

    Parameters
    ----------
    text : the TOML, to find lines; None when the values do not come from a file.
    """
    problems = sorted(
        (_problem(details, model, text) for details in error.errors(include_url=False)),
        key=lambda problem: (problem.line or 0, problem.key),
    )
    misspelt = {problem.means for problem in problems}
    return as_error([problem for problem in problems if problem.key not in misspelt], file)


def as_error(problems: list[Problem], file: str) -> ScenarioError:
    """The error that carries these problems."""
    first = problems[0]
    more = (
        f"\n  {len(problems) - 1} more: "
        + "; ".join(
            f"{'line ' + str(problem.line) + ', ' if problem.line else ''}{problem.key}"
            for problem in problems[1:6]
        )
        if len(problems) > 1
        else ""
    )
    return ScenarioError(
        first.text(file) + more,
        hint=first.hint,
        file=file,
        line=first.line,
        key=first.key,
        expected=first.expected,
        found=first.found,
        problems=[{**asdict(problem), "text": problem.text(file)} for problem in problems],
    )


def _problem(details: ErrorDetails, model: type[BaseModel], text: str | None) -> Problem:
    path: Path = tuple(part for part in details["loc"] if part != "[key]")
    context: dict[str, Any] = details.get("ctx") or {}
    kind = details["type"]
    if kind == "scenario":
        if context["key"]:
            parts = str(context["key"]).split(".")
            path = (*path, *(int(part) if part.isdigit() else part for part in parts))
        expected, found, hint = context["expected"], context["found"], context["hint"]
    elif kind == "extra_forbidden":
        expected, found, hint = _unknown(path, model)
    elif kind == "missing":
        expected, found, hint = _missing(path, model)
    elif kind in ("literal_error", "enum"):
        expected, found = f"one of {context.get('expected', '')}", shown(details["input"])
        hint = "Use one of these."
    else:
        expected = _KINDS.get(kind) or details["msg"].removeprefix("Input should be ").removeprefix(
            "a valid "
        )
        found, hint = shown(details["input"]), _meaning(path, model)
    line = line_of(text, path) if text is not None else None
    means = dotted((*path[:-1], near)) if kind == "extra_forbidden" and (near := _near(path, model)) else None
    return Problem(line, dotted(path), expected, found, hint, means)


def dotted(path: Path) -> str:
    """``('market', 'BTC')`` as ``market.BTC``."""
    return ".".join(str(part) for part in path)


def shown(value: object) -> str:
    """A short form of a value for messages."""
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 60 else text[:57] + "..."


_LISTED = 30
"""Names that a hint lists one by one; a longer list is shown by its sections."""


def did_you_mean(name: str, names: list[str]) -> str:
    """A hint that names the nearest of ``names``, or all of them."""
    near = nearest(name, names)
    if near:
        return f"Did you mean '{near}'?"
    if len(names) <= _LISTED:
        return f"Known here: {', '.join(names)}."
    roots = list(dict.fromkeys(name.split(".")[0] for name in names))
    return f"Known here: {', '.join(roots)}, and what `deleverage scenario show NAME` lists below them."


def nearest(name: str, names: list[str]) -> str | None:
    """The one of ``names`` that ``name`` was probably meant to be."""
    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=0.5)), None)


def _near(path: Path, model: type[BaseModel]) -> str | None:
    parent = model_at(model, path[:-1])
    return nearest(str(path[-1]), list(parent.model_fields)) if parent else None


def _unknown(path: Path, model: type[BaseModel]) -> tuple[str, str, str]:
    parent = model_at(model, path[:-1])
    names = list(parent.model_fields) if parent else []
    where = dotted(path[:-1]) or "the top level"
    return f"a key that {where} knows", f"'{path[-1]}'", did_you_mean(str(path[-1]), names)


def _missing(path: Path, model: type[BaseModel]) -> tuple[str, str, str]:
    needs = needs_at(model, path)
    if needs:
        example = f'{path[-1]} = {{ value = ..., unit = "{needs.unit}", mark = "assumed", source = "..." }}'
        return needs.expected, "nothing", f"Add `{example}`: {needs.meaning}."
    return (
        f"the key '{path[-1]}'",
        "nothing",
        "Add it; `deleverage scenario show quiet` prints a complete example.",
    )


def _meaning(path: Path, model: type[BaseModel]) -> str:
    for length in range(len(path), 0, -1):
        if needs := needs_at(model, path[:length]):
            return f"It is {needs.meaning}: {needs.expected}."
    return ""


def model_at(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """The class that describes the table at ``path``."""
    current: Any = model
    for part in path:
        current = _step(current, part)
    current = _bare(current)
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _step(annotation: Any, part: str | int) -> Any:
    """The type of ``part`` inside a value of type ``annotation``; None where it has no parts."""
    annotation = _bare(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return field.annotation if field else None
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is dict:
        return arguments[1]
    return arguments[0] if origin in (list, tuple) else None


def _bare(annotation: Any) -> Any:
    """Without ``Annotated`` and without ``| None``."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return _bare(next(option for option in get_args(annotation) if option is not type(None)))
    return annotation


def needs_at(model: type[BaseModel], path: Path) -> Needs | None:
    """What is asked of the figure at ``path``; None where no figure stands."""
    parent = model_at(model, path[:-1]) if path else None
    field = parent.model_fields.get(str(path[-1])) if parent else None
    if field is None:
        return None
    candidates: list[Any] = list(field.metadata)
    if get_origin(field.annotation) in (Union, types.UnionType):
        for option in get_args(field.annotation):
            candidates += getattr(option, "__metadata__", ())
    return next((item for item in candidates if isinstance(item, Needs)), None)
