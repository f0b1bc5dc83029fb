"""Which function answers which kind of worked example? Adapter files register themselves here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Answer: TypeAlias = Callable[[Mapping[str, Any]], dict[str, Any]]

ANSWERS: dict[tuple[str, str], Answer] = {}
"""By (venue, kind), as an example names them. What it returns has the keys of the example's ``expected``."""


def answers(venue: str, kind: str) -> Callable[[Answer], Answer]:
    """Register a function for one kind of example of one venue; several venues may share a function."""

    def register(function: Answer) -> Answer:
        ANSWERS[venue, kind] = function
        return function

    return register
