"""What does every importer take and give, and how does it refuse a file?"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deleverage.data.importers.layout import Layout
from deleverage.errors import DeleverageError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class SourceFile:
    """A file to import: where it lies, and its label in the lake (path inside the data folder, with '/')."""

    path: Path
    label: str


@dataclass(frozen=True)
class Defect:
    """Something wrong with a file that the importer dealt with: what, and how."""

    defect: str
    handled: str


@dataclass
class Loaded:
    """What one file gave: frames by table, defects met; or the reason why it gives nothing."""

    frames: list[tuple[str, pl.DataFrame]] = field(default_factory=list)
    defects: list[Defect] = field(default_factory=list)
    skipped: str = ""


@dataclass(frozen=True)
class Importer:
    """One family of files.

    Parameters
    ----------
    name, version : recorded with every file in the lake's manifest; raise the version when rows change.
    holds : what the family is, for messages.
    columns : names that a file of the family must have.
    file_names : what such files are called; one of that name without those columns is refused, not skipped.
    recognise : whether the content has the family's layout.
    load : content to frames; raises a DeleverageError where the content is not usable.
    """

    name: str
    version: int
    holds: str
    columns: tuple[str, ...]
    file_names: re.Pattern[str]
    recognise: Callable[[Path], bool]
    load: Callable[[SourceFile], Loaded]


def refusal(
    kind: type[DeleverageError],
    source: SourceFile,
    *,
    expected: str,
    found: str,
    todo: str,
    place: str = "",
    column: str = "",
) -> DeleverageError:
    """The one message of a refused file: where, what was expected, what was found, what to do."""
    where = ", ".join(part for part in (source.label, place, f"field '{column}'" if column else "") if part)
    return kind(
        f"{where}: expected {expected}, found {found}",
        hint=todo,
        file=source.label,
        place=place,
        field=column,
    )


def has_columns(layout: Layout, kind: str, columns: tuple[str, ...]) -> bool:
    """Whether a file of that kind has every one of those columns."""
    return layout.kind == kind and set(columns) <= set(layout.names)
