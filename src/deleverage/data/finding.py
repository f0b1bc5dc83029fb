"""Which files are given to an import, and what are they called in the lake?"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from deleverage.data.importers.base import SourceFile
from deleverage.data.importers.content import is_zip, members, refuse_packed
from deleverage.data.lock import LOCK
from deleverage.errors import InputError

LISTING = "MANIFEST.json"
"""The data folder's own list of files with their sha256."""
_SNAPSHOT = re.compile(r"\d{8}")


def found_files(paths: list[Path], lake_folder: Path) -> Iterator[tuple[SourceFile, bool]]:
    """Every file once, with whether it was given by itself; folders in order of their names, archives
    unpacked.

    Raises
    ------
    InputError
        nothing is there, something cannot be read, or a link leads out of the folder.
    """
    seen: set[Path] = set()
    inside = lake_folder.resolve()
    for path in paths:
        if not path.exists():
            raise InputError(
                f"expected a file or folder, found nothing at '{printable(str(path))}'", hint="check the path"
            )
        real = path.resolve()
        entries = [real] if real.is_file() else _below(real)
        for entry in entries:
            member = entry.resolve()
            hidden = real.is_dir() and any(part.startswith(".") for part in entry.relative_to(real).parts)
            if hidden or member in seen or member.is_relative_to(inside) or member.name in (LISTING, LOCK):
                continue
            if real.is_dir() and not member.is_relative_to(real):
                raise InputError(
                    f"{printable(entry.relative_to(real).as_posix())}: expected a file inside the folder, "
                    "found a link that leads out of it",
                    hint="copy the file into the folder, or give it by itself",
                    file=entry.relative_to(real).as_posix(),
                )
            if not member.is_file():
                continue
            seen.add(member)
            yield from _unpacked(SourceFile(member, _label(member, real)), real.is_file())


def _below(folder: Path) -> list[Path]:
    """Files and links in a folder and those below it, in order; a folder that cannot be read is refused."""

    def refuse(error: OSError) -> NoReturn:
        raise unreadable(str(error.filename or folder), error)

    entries = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        entries += [Path(parent, name) for name in (*folders, *names)]
    return sorted(entry for entry in entries if entry.is_file() or entry.is_symlink())


def printable(name: str) -> str:
    """A name with what a terminal would obey, and what is no text, as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


def unreadable(name: str, error: OSError) -> InputError:
    """The refusal of a file or folder that the system does not let us read."""
    return InputError(
        f"{printable(name)}: expected a file or folder that can be read, found '{error.strerror or error}'",
        hint="give yourself the right to read it, or leave it out of what is imported",
        file=name,
    )


def _unpacked(source: SourceFile, named: bool) -> Iterator[tuple[SourceFile, bool]]:
    try:
        packed = is_zip(source)
    except OSError as error:
        raise unreadable(source.label, error) from error
    if not packed:
        yield source, named
        return
    inside = members(source)
    if not inside:
        raise InputError(
            f"{source.label}: expected files in the archive, found none",
            hint="get the file again",
            file=source.label,
        )
    for name in inside:
        member = SourceFile(source.path, f"{source.label}!{printable(name)}", name)
        refuse_packed(member)
        yield member, named


def _label(member: Path, given: Path) -> str:
    """The path inside the data folder, with '/'.

    The data folder is the one with the list of files; else the parent of the snapshot's; else what was given.
    """
    root = data_folder(member)
    if root is None:
        root = given if given.is_dir() else given.parent.parent
        for parent in member.parents:
            if _SNAPSHOT.fullmatch(parent.name):
                root = parent.parent if parent.parent == given else parent.parent.parent
                break
    return printable(member.relative_to(root).as_posix())


def data_folder(member: Path) -> Path | None:
    """The folder above that lists its files."""
    for parent in member.parents:
        if (parent / LISTING).is_file():
            return parent
    return None


def listing_of(folder: Path | None) -> dict[str, str]:
    """sha256 by file, as the folder lists them; empty where it lists none."""
    if folder is None:
        return {}
    key = (folder, (folder / LISTING).stat().st_mtime_ns)
    if key not in _LISTINGS:
        _LISTINGS.clear()
        _LISTINGS[key] = _read_listing(folder / LISTING)
    return _LISTINGS[key]


_LISTINGS: dict[tuple[Path, int], dict[str, str]] = {}


def _read_listing(path: Path) -> dict[str, str]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {str(entry["file"]): str(entry["sha256"]) for entry in entries}
    except (ValueError, KeyError, TypeError):
        return {}  # a list of another program: it says nothing about our files
