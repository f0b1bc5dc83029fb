"""What is live in one Delta table, and how does that change in one step?

A commit is refused when anything else was committed since the state that it was made from: then the caller
looks again, and nothing that it had checked has become untrue meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deleverage.data.lake.place import Place, sync
from deleverage.errors import DataError
from deleverage.schema import Table

if TYPE_CHECKING:
    import polars as pl
    from deltalake import DeltaTable, Schema

LOCKS = ".locks"
_TYPES = {"Int64": "long", "Float64": "double", "String": "string", "Boolean": "boolean", "Binary": "binary"}
# Each commit lists the folder of the log: with delta-rs' own 30 days of it, a table that is written once a
# second costs twice as much after an hour and never stops to (decision 0019).
REMOVED_HOURS = 3
"""So long a replaced file is known to the log, and so long collectors leave it for readers."""
_PROPERTIES = {
    "delta.logRetentionDuration": "interval 10 minutes",
    "delta.deletedFileRetentionDuration": f"interval {REMOVED_HOURS} hours",
}
_CHECKPOINT_EVERY = 100  # commits
_LOOKS = 6
_LONGEST_TURN_S = 10.0
_TURN_PAUSE_S = 0.002


class Conflict(Exception):
    """Somebody else committed first: refresh, check again, and try again."""


@dataclass(frozen=True)
class DataFile:
    """One live Parquet file: its name inside the table, rows, span [ns UTC], bytes, and its one venue or
    ''.
    """

    path: str
    rows: int
    bytes: int
    first_ns: int | None
    last_ns: int | None
    venue: str = ""
    written_ms: int = 0
    stats: str = ""

    def overlaps(self, start_ns: int | None, end_ns: int | None) -> bool:
        """Whether it may hold a row of that time; a file without statistics may."""
        before = end_ns is not None and self.first_ns is not None and self.first_ns > end_ns
        after = start_ns is not None and self.last_ns is not None and self.last_ns < start_ns
        return not (before or after)


@dataclass
class DeltaLog:
    """The log of one table inside a lake; `refresh` before use."""

    place: Place
    table: Table
    by_venue: bool = False
    version: int = -1
    files: dict[str, DataFile] = field(default_factory=dict)
    _delta: DeltaTable | None = None

    @property
    def uri(self) -> str:
        """Path or URL of the table."""
        return self.place.at(self.table.name)

    def refresh(self) -> bool:
        """See what is live now; False where the table does not exist yet."""
        from deltalake.exceptions import DeltaError, TableNotFoundError

        if self.place.folder is not None and not (Path(self.uri) / "_delta_log").is_dir():
            self._delta, self.version, self.files = None, -1, {}
            return False
        for look in range(_LOOKS):
            try:
                self._look()
                return True
            except TableNotFoundError:
                return False
            except (DeltaError, OSError, ValueError) as error:
                # What it needed may have been cleaned up since it was named: look from the start.
                self._delta, known = None, self._delta is not None
                if not known and (look == _LOOKS - 1 or "not found" not in str(error).lower()):
                    raise self._unreadable(error) from error
                time.sleep(_TURN_PAUSE_S * look)
        raise self._unreadable(OSError("its entries go faster than they can be read"))

    def _look(self) -> None:
        from deltalake import DeltaTable

        if self._delta is None:
            self._delta = DeltaTable(self.uri, storage_options=dict(self.place.options))
        else:
            self._delta.update_incremental()
        version = self._delta.version()
        if version != self.version:
            self.files = self._listed()
            self.version = version

    def create(self) -> None:
        """Make the table where there is none; another writer may do the same at the same time."""
        from deltalake import DeltaTable

        # Whoever lost the race opens what is there; what else is wrong is said below.
        with contextlib.suppress(Exception):
            DeltaTable.create(
                self.uri,
                self._schema(),
                mode="ignore",
                partition_by=["venue"] if self.by_venue else None,
                name=self.table.name,
                description=self.table.meaning,
                configuration=_PROPERTIES,
                storage_options=dict(self.place.options),
            )
        if not self.refresh():
            raise DataError(
                f"expected to make the table '{self.table.name}' in '{self.place.uri}', found that it "
                "cannot be made",
                hint="check that the folder or the store can be written",
                table=self.table.name,
            )
        if self.place.folder is not None:
            first = Path(self.uri) / "_delta_log" / f"{0:020}.json"
            if first.exists():
                for path in (first, first.parent, first.parent.parent, self.place.folder):
                    sync(path)

    def sequence(self, app: str) -> int | None:
        """Last sequence number that ``app`` committed, as of the last refresh, or of one that it makes."""
        from deltalake.exceptions import DeltaError

        for look in range(_LOOKS):
            try:
                return self._delta.transaction_version(app) if self._delta is not None else None
            except DeltaError as error:  # it reads entries only now, and they may have been cleaned up
                if look == _LOOKS - 1:
                    raise self._unreadable(error) from error
                self._delta = None
                self.refresh()
        return None

    def commit(
        self,
        add: Sequence[DataFile] = (),
        remove: Iterable[DataFile] = (),
        *,
        app: str = "",
        sequence: int | None = None,
        changes_data: bool = True,
        note: str = "",
    ) -> None:
        """Make files live and others not, in one step, on top of exactly the state of the last refresh.

        Parameters
        ----------
        add, remove : files that are there already; files that are live.
        app, sequence : the transaction that this is, for `sequence`.
        changes_data : False where the same rows are only kept in other files.

        Raises
        ------
        Conflict
            the table has changed since.
        DataError
            it has not, and the commit could not be written all the same: a full disk, a store that refuses.
        """
        from deltalake import CommitProperties, PostCommitHookProperties, Transaction
        from deltalake.exceptions import DeltaError
        from deltalake.transaction import AddAction, RemoveAction

        assert self._delta is not None
        now_ms, removed = time.time_ns() // 1_000_000, list(remove)
        actions: list[Any] = [
            AddAction(f.path, f.bytes, self._partition(f), now_ms, changes_data, f.stats) for f in add
        ]
        actions += [RemoveAction(f.path, changes_data, now_ms, f.bytes, self._partition(f)) for f in removed]
        properties = CommitProperties(
            custom_metadata={"deleverage": note} if note else None,
            max_commit_retries=0,
            app_transactions=[Transaction(app, sequence)] if sequence is not None else None,
        )
        try:
            self._delta.create_write_transaction(
                actions,
                "append",
                self._schema(),
                partition_by=["venue"] if self.by_venue else None,
                commit_properties=properties,
                post_commithook_properties=PostCommitHookProperties(
                    create_checkpoint=False, cleanup_expired_logs=False
                ),
            )
        except (DeltaError, OSError) as error:  # also where what it should follow was cleaned up meanwhile
            before, self._delta = self.version, None
            self.refresh()
            if self.version == before:  # nobody was faster: trying again would fail again
                raise DataError(
                    f"expected to commit to the table '{self.table.name}' in '{self.place.uri}', "
                    f"found: {error}",
                    hint="check the free space and that the folder or the store can be written; nothing of "
                    "this commit is live, and the same command can be repeated",
                    table=self.table.name,
                ) from error
            raise Conflict(str(error)) from error
        made = self.version + 1
        self._log_to_disk(made)
        self._tidy(made)
        if add and not removed:
            with contextlib.suppress(DeltaError):
                self._delta.update_incremental()
                if self._delta.version() == made:  # only ours is new: no need to list
                    self.files |= {f.path: replace(f, written_ms=now_ms) for f in add}
                    self.version = made
                    return
        self._age_from_now(removed)
        self.refresh()

    @contextlib.contextmanager
    def turn(self) -> Iterator[bool]:
        """Let one writer of a local table at a time commit, so that few try again; whether it is ours.

        No commit depends on it: who waits too long, or lies in an object store, goes on and may
        have to repeat.
        """
        if self.place.folder is None:
            yield False
            return
        import fcntl  # POSIX only

        folder = self.place.folder / LOCKS
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / self.table.name).open("a") as stream:
            left_s, ours = _LONGEST_TURN_S, False
            while left_s > 0 and not ours:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    ours = True
                except OSError:
                    time.sleep(_TURN_PAUSE_S)
                    left_s -= _TURN_PAUSE_S
            yield ours

    @property
    def delta(self) -> DeltaTable:
        """The open table."""
        assert self._delta is not None
        return self._delta

    def _schema(self) -> Schema:
        from deltalake import Field, Schema
        from deltalake.schema import PrimitiveType

        return Schema(
            [Field(c.name, PrimitiveType(_TYPES[c.dtype]), nullable=True) for c in self.table.columns]
        )

    def _partition(self, file: DataFile) -> dict[str, str | None]:
        return {"venue": file.venue} if self.by_venue else {}

    def _listed(self) -> dict[str, DataFile]:
        import polars as pl

        assert self._delta is not None
        found: dict[str, DataFile] = {}
        rows: pl.DataFrame = pl.DataFrame(self._delta.get_add_actions(flatten=False))
        for row in rows.iter_rows(named=True):
            low, high = row.get("min") or {}, row.get("max") or {}
            found[row["path"]] = DataFile(
                row["path"],
                row["num_records"] or 0,
                row["size_bytes"],
                low.get("time_ns"),
                high.get("time_ns"),
                (row.get("partition") or {}).get("venue") or "",
                row["modification_time"],
            )
        return found

    def _age_from_now(self, removed: Iterable[DataFile]) -> None:
        """The log forgets that a file was removed; from then on its time of change says how long ago."""
        if self.place.folder is not None:
            for file in removed:
                with contextlib.suppress(OSError):
                    os.utime(Path(self.uri) / file.path)

    def _tidy(self, version: int) -> None:
        """Now and then sum the log up in a checkpoint, and clean up what lies far behind it.

        What a checkpoint stands for goes some commits later: a reader that was led to the one before it has
        it open by then. The checkpoint is on disk before. A failure leaves the log longer, and the next one
        tries again.
        """
        turn = version % _CHECKPOINT_EVERY
        assert self._delta is not None
        with contextlib.suppress(Exception):  # what was committed is committed
            if turn == 0:
                self._delta.update_incremental()
                self._take_up_properties()
                self._delta.create_checkpoint()
                self._checkpoints_to_disk()
            if turn == _CHECKPOINT_EVERY // 2:
                self._delta.update_incremental()
                self._checkpoints_to_disk()  # another process may have made the last one, and been killed
                self._delta.cleanup_metadata()

    def _take_up_properties(self) -> None:
        """Let a table that was made by an earlier version have ours."""
        assert self._delta is not None
        if all(self._delta.metadata().configuration.get(k) == v for k, v in _PROPERTIES.items()):
            return
        before = self._delta.version()
        self._delta.alter.set_table_properties(_PROPERTIES)
        self._delta.update_incremental()
        for later in range(before + 1, self._delta.version() + 1):
            self._log_to_disk(later)

    def _checkpoints_to_disk(self) -> None:
        if self.place.folder is not None:
            log = Path(self.uri) / "_delta_log"
            for path in [*log.glob("*.checkpoint*"), log / "_last_checkpoint", log]:
                sync(path)

    def _log_to_disk(self, version: int) -> None:
        if self.place.folder is None:
            return
        log = Path(self.uri) / "_delta_log"
        path = log / f"{version:020}.json"
        for one in (path, log):
            if one.exists():
                sync(one)

    def _unreadable(self, error: Exception) -> DataError:
        said = str(error).strip().partition("\n")[0]  # below it, delta-rs prints where it was
        return DataError(
            f"expected a readable table '{self.table.name}' in '{self.place.uri}', found: {said}",
            hint="check address and rights; a damaged log comes back from a copy, or by a new import",
            table=self.table.name,
        )


def statistics(frame: pl.DataFrame, table: Table) -> str:
    """Delta's statistics of a file: rows, span of the key's columns, nulls."""
    import polars as pl

    spans = [
        c.name
        for c in table.columns
        if c.dtype in ("Int64", "String") and c.name in ("time_ns", "received_ns", *table.key)
    ]
    low = frame.select(pl.col(name).min() for name in spans).row(0, named=True)
    high = frame.select(pl.col(name).max() for name in spans).row(0, named=True)
    nulls = frame.select(pl.col(name).null_count() for name in spans).row(0, named=True)
    return json.dumps(
        {
            "numRecords": frame.height,
            "minValues": {name: value for name, value in low.items() if value is not None},
            "maxValues": {name: value for name, value in high.items() if value is not None},
            "nullCount": nulls,
        }
    )
