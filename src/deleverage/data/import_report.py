"""What did an import do: rows by table, what was wrong with the data, what was left out?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from deleverage.data.importers.base import Defect


@dataclass
class Noted:
    """One kind of defect, over all files of an import."""

    defect: Defect
    files: list[str] = field(default_factory=list)
    rows: int = 0
    example: str = ""


@dataclass
class ImportReport:
    """What an import did.

    Parameters
    ----------
    added, rows : by table, rows added and rows there now.
    noted : by the defect's name, with the files that have it; each is there once.
    skipped : file and reason.
    imported : files that were read.
    known : files whose bytes were imported before; not read again.
    """

    added: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    noted: dict[str, Noted] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    imported: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)

    @property
    def defects(self) -> list[tuple[str, str]]:
        """(what is wrong, what was done) of every kind, in order."""
        return [(one.defect.defect, one.defect.handled) for one in self.noted.values()]

    def note(self, file: str, defect: Defect) -> None:
        """One more file with that defect; '' where only several files together show it."""
        one = self.noted.setdefault(defect.name, Noted(defect))
        if file and file not in one.files[-1:]:
            one.files.append(file)
        one.rows += defect.rows
        one.example = one.example or defect.example

    def to_json(self) -> dict[str, Any]:
        """Plain values; a defect of several files names the first and says how many there are."""
        return {
            "tables": {
                name: {"added": self.added.get(name, 0), "rows": count} for name, count in self.rows.items()
            },
            "files": len(self.imported),
            "known": len(self.known),
            "defects": [
                {
                    "name": name,
                    "defect": one.defect.defect,
                    "handled": one.defect.handled,
                    "file": one.files[0] if one.files else "",
                    "files": len(one.files),
                    "rows": one.rows,
                    "example": one.example,
                }
                for name, one in self.noted.items()
            ],
            "skipped": [{"file": file, "reason": reason} for file, reason in self.skipped],
        }
