"""What happens when files are imported: each is recognised, read, checked, and all become live at once.

A file that is not usable refuses the whole import and nothing is written. A file that nothing knows is listed
with the reason. What is wrong with a usable file is repaired in a stated way and reported as a defect, once.
A file whose bytes were imported before is not read again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from deleverage.data.agreement import Venues
from deleverage.data.coverage import Coverage
from deleverage.data.finding import LISTING, data_folder, found_files, listing_of, unreadable
from deleverage.data.import_report import ImportReport
from deleverage.data.importers import IMPORTERS
from deleverage.data.importers.base import ROW, Defect, Importer, Loaded, SourceFile, place_of, refusal
from deleverage.data.importers.layout import layout_of
from deleverage.data.importers.licences import restriction
from deleverage.data.lake import Appended, Lake, Writer, sha256_of
from deleverage.data.mapping import mapped_importer
from deleverage.data.plausible import plausible
from deleverage.data.prices import Witnesses
from deleverage.data.recognition import importer_of, unknown
from deleverage.errors import InputError, SchemaError, SourceChanged
from deleverage.schema import LAKE_TABLES

if TYPE_CHECKING:
    import polars as pl

Progress = Callable[[int, int, str], None]
_FEW_REASONS = 5
_BATCH_ROWS = 1_000_000  # rows of one table that are held before they go to disk
__all__ = ["ImportReport", "Progress", "import_paths"]


@dataclass(frozen=True)
class _Known:
    """A file with its importer and its bytes' sha256."""

    importer: Importer
    source: SourceFile
    named: bool
    sha256: str


def import_paths(
    paths: Sequence[Path],
    lake_folder: Path | str,
    *,
    mapping: Path | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import files and folders into the lake at ``lake_folder``, which is made where there is none.

    Parameters
    ----------
    paths : files, and folders that are searched; a file that is given by itself must be usable.
    mapping : a mapping file that says what the CSV or Parquet files hold; without it layouts are recognised.
    progress : called with (files done, files to import, label).

    Raises
    ------
    InputError
        nothing was given or found, or a file is not usable; nothing was written.
    SourceChanged
        a file no longer opens as what it is; nothing was written.
    """
    files = list(found_files([Path(path) for path in paths], Path(lake_folder)))
    if not files:
        raise InputError(
            f"expected files to import, found none in {[str(path) for path in paths]}",
            hint="give the folder or the files of the data set",
        )
    report = ImportReport()
    lake = Lake(lake_folder)
    one = None if mapping is None else mapped_importer(Path(mapping))
    known = _recognised(files, _imported_before(lake), report, one)
    if not known and not report.known:
        raise _nothing_usable(report)
    if known or not lake.exists():
        with lake.write() as writer:
            _import(_Job(writer, report, Venues(lake)), known, lake, progress)
    report.rows = {row.table: row.rows for row in lake.status()}
    if progress is not None:
        progress(len(known), len(known), "")
    return report


def _import(job: _Job, known: list[_Known], lake: Lake, progress: Progress | None) -> None:
    for number, one in enumerate(known):
        if progress is not None:
            progress(number, len(known), one.source.label)
        job.take(one)
    if progress is not None and known:
        progress(len(known) - 1, len(known), "writing")
    if not job.report.imported and not job.report.known:
        raise _nothing_usable(job.report)
    job.flush()
    for defect in job.coverage.defects():
        job.report.note("", defect)
    if lake.exists():
        job.witnesses.recall(lake)
    job.witnesses.agree()


def _nothing_usable(report: ImportReport) -> InputError:
    """The refusal of an import of which every file was left out, with the first reasons."""
    reasons: dict[str, str] = {}
    for file, reason in report.skipped:
        reasons.setdefault(reason, file)
    shown = "; ".join(f"{file}: {reason}" for reason, file in list(reasons.items())[:_FEW_REASONS])
    more = len(reasons) - _FEW_REASONS
    return InputError(
        f"expected a file that can be imported, found none among {len(report.skipped):,}: {shown}"
        + (f"; and {more} reasons more" if more > 0 else ""),
        hint="give the folder or the files of a data set, or a --mapping that says what they hold",
    )


def _imported_before(lake: Lake) -> set[tuple[str, str, str, int]]:
    """(path, sha256, importer, version) of every file in the lake."""
    if not lake.exists():
        return set()
    return {
        (source["path"].split("#")[0], source["sha256"], source["importer"], source["version"])
        for source in lake.sources
    }


def _recognised(
    files: list[tuple[SourceFile, bool]],
    before: set[tuple[str, str, str, int]],
    report: ImportReport,
    mapped: Importer | None,
) -> list[_Known]:
    """Files that are to be read, with their importers, in the importers' order; the others are noted."""
    versions = {importer.name: importer.version for importer in IMPORTERS}
    current = {(path, sha256) for path, sha256, name, version in before if versions.get(name) == version}
    order = {importer.name: number for number, importer in enumerate(IMPORTERS)}
    known: list[_Known] = []
    hashes: dict[Path, str] = {}
    for source, named in files:
        if source.path not in hashes:
            try:
                hashes[source.path] = sha256_of(source.path)
            except OSError as error:
                raise unreadable(source.label, error) from error
        sha256 = hashes[source.path]
        if mapped is None and (source.label, sha256) in current:
            report.known.append(source.label)
            continue
        with _plain_errors(source):
            importer = mapped or importer_of(source, named)
        if importer is None:
            _left_out(source, report)
        elif (source.label, sha256, importer.name, importer.version) in before:
            report.known.append(source.label)
        else:
            known.append(_Known(importer, source, named, sha256))
    return sorted(known, key=lambda one: (order.get(one.importer.name, -1), one.source.label))


def _left_out(source: SourceFile, report: ImportReport) -> None:
    layout = layout_of(source)
    reason = unknown(layout)
    report.skipped.append((source.label, reason))
    forbids = restriction(layout, source.label.rpartition("/")[0])
    if forbids is not None:
        report.note(source.label, forbids)
    if layout.kind in ("parquet", "feather") and not layout.names:
        report.note(
            source.label,
            Defect(
                "file-empty",
                "a file without columns and rows: the vendor had nothing",
                "skipped",
                0,
                source.name,
            ),
        )


@dataclass
class _Job:
    """One import: rows wait in ``waiting`` until a table has a batch, then go to disk unseen."""

    writer: Writer
    report: ImportReport
    venues: Venues
    witnesses: Witnesses = field(default_factory=Witnesses)
    coverage: Coverage = field(default_factory=Coverage)
    waiting: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    paths: dict[str, set[str]] = field(default_factory=dict)
    conflicts: list[tuple[str, Appended]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for entry in self.writer.live["sources"]:
            self.paths.setdefault(str(entry["path"]), set()).add(str(entry["sha256"]))

    def take(self, one: _Known) -> None:
        """Read a file and hold its rows."""
        source = self._relabelled(one.source, one.sha256)
        with _plain_errors(source):
            loaded = one.importer.load(source)
        if loaded.skipped:
            _skip(self.report, source, loaded, one.named)
            return
        self._listed(source, one.sha256)
        for defect in loaded.defects:
            self.report.note(source.label, defect)
        rows: dict[str, int] = {}
        for table, frame in loaded.frames:
            if frame.is_empty():
                continue
            plausible(table, frame, source)
            frame = self._complete(table, frame, source)
            if table == "candles":
                frame = self._venue(frame, source)
            rows[table] = rows.get(table, 0) + frame.height
            self.witnesses.hear(table, frame)
            self.coverage.hear(table, frame)
            self.waiting.setdefault(table, []).append(frame)
            if sum(f.height for f in self.waiting[table]) >= _BATCH_ROWS:
                self._to_disk(table)
        self.report.imported.append(source.label)
        self.writer.record(
            {
                "path": source.label,
                "sha256": one.sha256,
                "bytes": source.path.stat().st_size,
                "importer": one.importer.name,
                "version": one.importer.version,
                "rows": rows,
            }
        )

    def _venue(self, frame: pl.DataFrame, source: SourceFile) -> pl.DataFrame:
        """Bars without a venue under the one that they agree with."""
        frame, defects = self.venues.told(frame)
        for defect in defects:
            self.report.note(source.label, defect)
        self.venues.hear(frame)
        return frame

    def flush(self) -> None:
        """Write what waits, table by table."""
        for table in [name for name in LAKE_TABLES if name in self.waiting]:
            self._to_disk(table)
        if not self.conflicts:
            return
        counts = ", ".join(f"{table} {done.conflicts:,}" for table, done in self.conflicts)
        conflict = Defect(
            "rows-conflict",
            "rows that have the key of an earlier row and other values: revised, or told otherwise",
            "the earlier rows stay",
            sum(done.conflicts for _, done in self.conflicts),
            f"{counts}; the first: {self.conflicts[0][1].example}",
        )
        for file in dict.fromkeys(file for _, done in self.conflicts for file in done.files):
            self.report.note(file, conflict)
            conflict = replace(conflict, rows=0)

    def _complete(self, table: str, frame: pl.DataFrame, source: SourceFile) -> pl.DataFrame:
        """The table's columns in order; a key that repeats with the same values once, with others refused."""
        import polars as pl

        declared = LAKE_TABLES[table]
        own = {"source": pl.lit(source.label), "received_ns": pl.lit(None, dtype=pl.Int64)}
        frame = frame.with_columns(
            value.alias(name) for name, value in own.items() if name not in frame.columns
        )
        key = list(declared.key)
        # A key of texts in order is costly to compare; a sum of hashes tells at once that none repeats.
        hashed = frame.select(pl.struct(key).hash().alias("h"))["h"]
        if hashed.n_unique() == frame.height:
            return frame.select(declared.names)
        values = [name for name in declared.names if name not in key]
        again = frame.filter(pl.struct(key).is_duplicated())
        unlike = again.group_by(key, maintain_order=True).agg(pl.struct(values).n_unique().alias("_n"))
        if unlike.filter(pl.col("_n") > 1).height:
            first = unlike.filter(pl.col("_n") > 1).row(0, named=True)
            rows = again.filter(*(pl.col(name) == first[name] for name in key))
            place = place_of(source, rows[ROW][1]) if ROW in rows.columns else ""
            shown = ", ".join(str(first[name]) for name in key if name != "time_ns")
            raise refusal(
                SchemaError,
                source,
                place=place,
                expected=f"each row of '{table}' once ({', '.join(key)})",
                found=f"two rows of {shown} with different values",
                todo="leave the wrong one out",
            )
        once = frame.unique(key, keep="first", maintain_order=True)
        repeated = Defect(
            "rows-repeated", "rows that stand twice in one file", "kept once", frame.height - once.height
        )
        self.report.note(source.label, repeated)
        return once.select(declared.names)

    def _to_disk(self, table: str) -> None:
        import polars as pl

        waiting = pl.concat(self.waiting.pop(table), how="vertical_relaxed")
        done = self.writer.append(table, _without_silent(table, waiting))
        self.report.added[table] = self.report.added.get(table, 0) + done.rows
        if done.conflicts:
            self.conflicts.append((table, done))

    def _relabelled(self, source: SourceFile, sha256: str) -> SourceFile:
        """A path imported before with other bytes gets the mark of these, so that a row has one file."""
        before = self.paths.get(source.label)
        if before and sha256 not in before:
            return SourceFile(source.path, f"{source.label}#{sha256[:8]}", source.member)
        return source

    def _listed(self, source: SourceFile, sha256: str) -> None:
        listed = listing_of(data_folder(source.path)).get(source.label)
        if listed is not None and listed != sha256:
            changed = f"bytes that are not those that {LISTING} lists (sha256)"
            self.report.note(source.label, Defect("bytes-not-listed", changed, "imported as it is"))


def _without_silent(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` less rows that say nothing beyond an earlier row with their key: an empty value is silent.

    What says something else stays in, for the lake to compare and report.
    """
    import polars as pl

    declared = LAKE_TABLES[table]
    key = list(declared.key)
    nullable = [c.name for c in declared.columns if c.nullable and c.name not in (*key, "received_ns")]
    if not nullable:
        return frame
    numbered = frame.with_row_index("_at")
    first = numbered.unique(key, keep="first", maintain_order=True)
    if first.height == frame.height:
        return frame
    values = [c.name for c in declared.columns if c.name not in (*key, "source", "received_ns")]
    later = numbered.join(first.select("_at"), on="_at", how="anti")
    pairs = later.join(first, on=key, suffix="_first", maintain_order="left")
    same = pl.lit(True)
    for name in values:
        one, other = pl.col(name), pl.col(f"{name}_first")
        equal = one.eq_missing(other) | one.is_null() | other.is_null()
        if frame.schema[name] == pl.Float64:
            equal |= ((one - other).abs() <= 1e-9 * other.abs()).fill_null(False)
        same &= equal
    silent = pairs.filter(same).select("_at")
    return numbered.join(silent, on="_at", how="anti", maintain_order="left").drop("_at")


def _skip(report: ImportReport, source: SourceFile, loaded: Loaded, named: bool) -> None:
    if named:
        raise InputError(
            f"{source.label}: {loaded.skipped}",
            hint="put that right, or leave the file out of what is imported",
            file=source.label,
        )
    report.skipped.append((source.label, loaded.skipped))


@contextmanager
def _plain_errors(source: SourceFile) -> Iterator[None]:
    """What a reader says of a file that does not parse becomes one of our errors, with the file's name."""
    import polars as pl

    try:
        yield
    except PermissionError as error:
        raise unreadable(source.label, error) from error
    except (pl.exceptions.PolarsError, json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
        raise refusal(
            SourceChanged,
            source,
            expected="a file that parses",
            found=f"{type(error).__name__}: {error}",
            todo="get the file again: it looks cut off or changed",
        ) from error
