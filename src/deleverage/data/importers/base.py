"""What does every importer take and give, and how does it refuse a file?"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from deleverage.data.importers.layout import Layout
from deleverage.errors import DeleverageError

if TYPE_CHECKING:
    import polars as pl

ROW = "_row"
"""Column with the number of the line or row in the file, for messages; never stored."""


@dataclass(frozen=True)
class SourceFile:
    """A file to import, or one member of a zip archive.

    Parameters
    ----------
    path : where it lies.
    label : its name in the lake, the path inside the data folder with '/'; a member follows after '!'.
    member : name inside the archive, '' for a plain file.
    """

    path: Path
    label: str
    member: str = ""

    @property
    def name(self) -> str:
        """The file's own name, of the member where it is one."""
        return PurePosixPath(self.member).name if self.member else self.path.name

    @property
    def folders(self) -> str:
        """What stands before the name in the label, in lower case."""
        return self.label.lower()[: max(self.label.rfind("/"), self.label.rfind("!"), 0)]


@dataclass(frozen=True)
class Defect:
    """Something wrong with data that the importer dealt with.

    Parameters
    ----------
    name : the kind of defect, for programs: 'funding-in-percent'; one kind is reported once an import.
    defect, handled : what is wrong and what was done, without figures.
    rows : how many rows have it, where that can be counted.
    example : the first place, or the figure that shows it.
    """

    name: str
    defect: str
    handled: str
    rows: int = 0
    example: str = ""


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
    name, version : recorded with every file in the lake; raise the version when rows change.
    holds : what the family is, for messages.
    columns : names that a file of the family must have.
    file_names : what such files are called; one of that name without those columns is refused, not skipped.
    recognise : whether a layout is the family's; by content, and of one family only.
    load : content to frames; raises a DeleverageError where the content is not usable.
    """

    name: str
    version: int
    holds: str
    columns: tuple[str, ...]
    file_names: re.Pattern[str]
    recognise: Callable[[Layout], bool]
    load: Callable[[SourceFile], Loaded]


NO_NAME = re.compile(r"(?!)")
"""For families whose files have no name of their own."""


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


def place_of(source: SourceFile, number: object) -> str:
    """The word for a place in that file: a line of a text, a row of a table."""
    word = "row" if source.name.endswith((".parquet", ".feather", ".xlsx", ".json")) else "line"
    return f"{word} {number}"


def has_columns(layout: Layout, kind: str, columns: tuple[str, ...]) -> bool:
    """Whether a file of that kind has every one of those columns."""
    return layout.kind == kind and set(columns) <= set(layout.names)


def only_columns(layout: Layout, kind: str, columns: tuple[str, ...]) -> bool:
    """Whether a file of that kind has exactly those columns."""
    return layout.kind == kind and set(columns) == set(layout.names)
