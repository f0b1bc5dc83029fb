"""A lake in memory that keeps the contract: transactions with numbers, one row a key."""

from __future__ import annotations

import threading
import time
from typing import Any, NamedTuple, cast

import polars as pl

from deleverage.data.lake.append import Dedupe
from deleverage.schema import LAKE_TABLES, conform, empty


class Appended(NamedTuple):
    rows: int
    replayed: bool


class MemoryLake:
    """Keeps what is appended; ``pause_s`` makes it slow, ``fail`` makes the next appends fail after
    writing."""

    def __init__(self) -> None:
        self.frames: dict[str, pl.DataFrame] = {}
        self.numbers: dict[tuple[str, str], int] = {}
        self.writers: set[str] = set()
        self.pause_s = 0.0
        self.fail = 0
        self.fail_before = 0
        self._lock = threading.Lock()

    def append(
        self,
        table_name: str,
        frame: pl.DataFrame,
        *,
        source_id: str = "",
        app: str = "",
        sequence: int | None = None,
        dedupe: Dedupe = True,
    ) -> Appended:
        if self.pause_s:
            time.sleep(self.pause_s)
        with self._lock:
            if self.fail_before:
                self.fail_before -= 1
                raise OSError(28, "No space left on device")
            if sequence is not None and self.numbers.get((table_name, app), -1) >= sequence:
                return Appended(0, True)
            table = LAKE_TABLES[table_name]
            here = self.read(table_name)
            compared = dedupe is True or (dedupe == "shared" and len(self.writers | {app}) > 1)
            if compared:
                frame = frame.unique(subset=list(table.key), keep="first", maintain_order=True)
            frame = conform(frame, table)
            if compared:
                frame = frame.join(here, on=list(table.key), how="anti")
            self.frames[table_name] = pl.concat([here, frame])
            self.writers.add(app)
            if sequence is not None:
                self.numbers[(table_name, app)] = sequence
            if self.fail:
                self.fail -= 1
                raise OSError(5, "Input/output error")
            return Appended(frame.height, False)

    def committed(self, table_name: str, app: str) -> int | None:
        return self.numbers.get((table_name, app))

    def newest(self, table_name: str) -> int | None:
        return cast("int | None", self.read(table_name)["time_ns"].max())

    def read(
        self,
        table_name: str,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        where: dict[str, Any] | None = None,
        columns: list[str] | None = None,
    ) -> pl.DataFrame:
        frame = self.frames.get(table_name, empty(LAKE_TABLES[table_name]))
        if start_ns is not None:
            frame = frame.filter(pl.col("time_ns") >= start_ns)
        for name, value in (where or {}).items():
            frame = frame.filter(pl.col(name) == value)
        return frame.select(columns) if columns else frame

    def scan(self, table_name: str) -> pl.LazyFrame:
        return self.read(table_name).lazy()
