"""What happens when files are imported: each is recognised, read, checked, and all become live at once.

A file that is not usable refuses the whole import and nothing is written. A file that nothing knows is listed
with the reason. What is wrong with a usable file is repaired in a stated way and reported as a defect.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deleverage.data.importers import IMPORTERS
from deleverage.data.importers.base import Importer, Loaded, SourceFile, refusal
from deleverage.data.importers.layout import Layout, layout_of
from deleverage.data.lake import Lake, Writer, sha256_of
from deleverage.data.lock import LOCK
from deleverage.data.prices import Witnesses
from deleverage.errors import DeleverageError, InputError, SchemaError, SourceChanged

if TYPE_CHECKING:
    import polars as pl

Progress = Callable[[int, int, str], None]
LISTING = "MANIFEST.json"  # the data folder's own list of files with their sha256
_BATCH_ROWS = 150_000  # rows of one table that are held before they go to disk
_SNAPSHOT = re.compile(r"\d{8}")


@dataclass
class ImportReport:
    """What an import did.

    Parameters
    ----------
    added, rows : by table, rows added and rows there now.
    defects : (defect, handled) to the files that have it, in order.
    skipped : file and reason.
    """

    added: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    defects: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    imported: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain values; a defect of several files names the first and says how many there are."""
        return {
            "tables": {name: {"added": self.added.get(name, 0), "rows": n} for name, n in self.rows.items()},
            "files": len(self.imported),
            "defects": [
                {"file": files[0], "files": len(files), "defect": defect, "handled": handled}
                for (defect, handled), files in self.defects.items()
            ],
            "skipped": [{"file": file, "reason": reason} for file, reason in self.skipped],
        }

    def note(self, file: str, defect: str, handled: str) -> None:
        """One more file with that defect."""
        self.defects.setdefault((defect, handled), []).append(file)


def import_paths(
    paths: Sequence[Path], lake_folder: Path, *, progress: Progress | None = None
) -> ImportReport:
    """Import files and folders into the lake at ``lake_folder``, which is made where there is none.

    Parameters
    ----------
    paths : files, and folders that are searched; a file that is given by itself must be usable.
    progress : called with (files done, files to import, label).

    Raises
    ------
    InputError
        nothing was given or found, or a file is not usable; nothing was written.
    SourceChanged
        a file no longer opens as what it is; nothing was written.
    """
    files = list(_found([Path(path) for path in paths], Path(lake_folder)))
    if not files:
        raise InputError(
            f"expected files to import, found none in {[str(path) for path in paths]}",
            hint="give the folder or the files of the data set",
        )
    report = ImportReport()
    known = _recognised(files, report)
    lake = Lake(lake_folder)
    with lake.write() as writer:
        job = _Job(writer, report, Witnesses())
        for number, (importer, source, named) in enumerate(known):
            if progress is not None:
                progress(number, len(known), source.label)
            job.take(importer, source, named=named)
        job.flush()
        if lake.exists():
            job.witnesses.recall(lake)
        job.witnesses.agree()
    report.rows = {row.table: row.rows for row in lake.status()}
    if progress is not None:
        progress(len(known), len(known), "")
    return report


def _recognised(
    files: list[tuple[SourceFile, bool]], report: ImportReport
) -> list[tuple[Importer, SourceFile, bool]]:
    """Files with their importers, in the importers' order; the others are noted as skipped."""
    known: list[tuple[Importer, SourceFile, bool]] = []
    for source, named in files:
        importer = _importer(source, named)
        if importer is None:
            report.skipped.append((source.label, _unknown(layout_of(source.path))))
        else:
            known.append((importer, source, named))
    return sorted(known, key=lambda entry: (IMPORTERS.index(entry[0]), entry[1].label))


@dataclass
class _Job:
    """One import: rows wait in ``waiting`` until a table has a batch, then go to disk unseen."""

    writer: Writer
    report: ImportReport
    witnesses: Witnesses
    waiting: dict[str, list[pl.DataFrame]] = field(default_factory=dict)

    def take(self, importer: Importer, source: SourceFile, *, named: bool) -> None:
        sha256 = sha256_of(source.path)
        source = self._relabelled(source, sha256)
        with _plain_errors(source):
            loaded = importer.load(source)
        if loaded.skipped:
            _skip(self.report, source, loaded, named)
            return
        self._listed(source, sha256)
        for defect in loaded.defects:
            self.report.note(source.label, defect.defect, defect.handled)
        rows: dict[str, int] = {}
        for table, frame in loaded.frames:
            rows[table] = rows.get(table, 0) + frame.height
            self.witnesses.hear(table, frame)
            self.waiting.setdefault(table, []).append(frame)
            if sum(f.height for f in self.waiting[table]) >= _BATCH_ROWS:
                self._to_disk(table)
        self.report.imported.append(source.label)
        self.writer.record(
            {
                "path": source.label,
                "sha256": sha256,
                "bytes": source.path.stat().st_size,
                "importer": importer.name,
                "version": importer.version,
                "rows": rows,
            }
        )

    def flush(self) -> None:
        for table in list(self.waiting):
            self._to_disk(table)

    def _to_disk(self, table: str) -> None:
        import polars as pl

        frames = self.waiting.pop(table)
        done = self.writer.append(table, pl.concat([frame.select(frames[0].columns) for frame in frames]))
        self.report.added[table] = self.report.added.get(table, 0) + done.rows
        if done.conflicts:
            what = f"{done.conflicts} rows of '{table}' have the key of an earlier row and other values"
            for file in done.files:
                self.report.note(file, f"{what}, the first is {done.example}", "the earlier rows stay")

    def _relabelled(self, source: SourceFile, sha256: str) -> SourceFile:
        """A path imported before with other bytes gets the mark of these, so that a row has one file."""
        before = {entry["sha256"] for entry in self.writer.live["sources"] if entry["path"] == source.label}
        if before and sha256 not in before:
            return SourceFile(source.path, f"{source.label}#{sha256[:8]}")
        return source

    def _listed(self, source: SourceFile, sha256: str) -> None:
        listed = _listing(_data_folder(source.path)).get(source.label)
        if listed is not None and listed != sha256:
            self.report.note(
                source.label, f"its bytes are not those that {LISTING} lists (sha256)", "imported as it is"
            )


def _skip(report: ImportReport, source: SourceFile, loaded: Loaded, named: bool) -> None:
    if named:
        raise InputError(f"{source.label}: {loaded.skipped}", hint="nothing was imported", file=source.label)
    report.skipped.append((source.label, loaded.skipped))


def _importer(source: SourceFile, named: bool) -> Importer | None:
    """The importer that recognises the content; a file called like a family without its layout is refused."""
    for importer in IMPORTERS:
        if importer.recognise(source.path):
            return importer
    layout = layout_of(source.path)
    for importer in IMPORTERS:
        if importer.file_names.fullmatch(source.path.name):
            raise _near_miss(source, importer, layout)
    if named:
        raise refusal(
            SchemaError,
            source,
            expected=f"one of {[importer.holds for importer in IMPORTERS]}",
            found=_unknown(layout),
            todo="give a file in one of these layouts",
        )
    return None


def _near_miss(source: SourceFile, importer: Importer, layout: Layout) -> DeleverageError:
    if layout.kind == "broken":
        return refusal(
            SourceChanged,
            source,
            expected=importer.holds,
            found="a file that does not open: empty or cut off",
            todo="get the file again",
        )
    missing = [name for name in importer.columns if name not in layout.names]
    return refusal(
        SchemaError,
        source,
        place="line 1" if layout.kind == "csv" else "",
        column=missing[0] if missing else "",
        expected=f"{importer.holds} with the columns {list(importer.columns)}",
        found=f"{list(layout.names)}" + (f", without {missing}" if missing else ", in another layout"),
        todo="give the file with all its columns",
    )


def _unknown(layout: Layout) -> str:
    if layout.kind == "document":
        return "a text, not data"
    if layout.kind == "broken":
        return "it does not open: empty or cut off"
    if not layout.names:
        return "no importer knows this layout"
    shown = ", ".join(layout.names[:6]) + (", ..." if len(layout.names) > 6 else "")
    return f"no importer knows this layout ({layout.kind}: {shown})"


@contextmanager
def _plain_errors(source: SourceFile) -> Iterator[None]:
    """What a reader says of a file that does not parse becomes one of our errors, with the file's name."""
    import polars as pl

    try:
        yield
    except (pl.exceptions.PolarsError, json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
        raise refusal(
            SourceChanged,
            source,
            expected="a file that parses",
            found=f"{type(error).__name__}: {error}",
            todo="get the file again: it looks cut off or changed",
        ) from error


def _found(paths: list[Path], lake_folder: Path) -> Iterator[tuple[SourceFile, bool]]:
    """Every file once, with whether it was given by itself; folders in order of their names."""
    seen: set[Path] = set()
    inside = lake_folder.resolve()
    for path in paths:
        if not path.exists():
            raise InputError(f"expected a file or folder, found nothing at '{path}'", hint="check the path")
        real = path.resolve()
        members = [real] if real.is_file() else sorted(p for p in real.rglob("*") if p.is_file())
        for member in members:
            if member in seen or member.is_relative_to(inside) or member.name in (LISTING, LOCK):
                continue
            if real.is_dir() and any(part.startswith(".") for part in member.relative_to(real).parts):
                continue
            seen.add(member)
            yield SourceFile(member, _label(member, real)), real.is_file()


def _label(member: Path, given: Path) -> str:
    """The path inside the data folder, with '/'.

    The data folder is the one with the list of files; else the parent of the snapshot's; else what was given.
    """
    root = _data_folder(member)
    if root is None:
        root = given if given.is_dir() else given.parent.parent
        for parent in member.parents:
            if _SNAPSHOT.fullmatch(parent.name):
                root = parent.parent if parent.parent == given else parent.parent.parent
                break
    return member.relative_to(root).as_posix()


def _data_folder(member: Path) -> Path | None:
    for parent in member.parents:
        if (parent / LISTING).is_file():
            return parent
    return None


def _listing(folder: Path | None) -> dict[str, str]:
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
