"""How are rows repaired that an older parser read wrongly?

Stored messages are read again, in the order in which they came; those that another parser has read (an
importer of files) are left alone. The rows of a message are those with its venue, source and receive time.
What the newest parser no longer gives is removed, what it gives otherwise is replaced, what is new is added;
each table changes in one commit, and last the messages say which parser has read them. Killed in between, it
is simply done again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from deleverage.data.lake.append import LiveTable, busy
from deleverage.data.lake.keys import conflicts_of
from deleverage.data.lake.parts import conformed, read_files
from deleverage.data.parsers import Reader, Stored, reader_of
from deleverage.errors import MissingDataError, SourceChanged
from deleverage.schema import LAKE_TABLES, empty

if TYPE_CHECKING:
    import polars as pl

    from deleverage.data.lake.store import Lake

_AT_ONCE = 100_000  # messages whose rows are compared and committed together
_TRIES = 20
_APART_NS = 60_000_000_000  # a sum and its last part are of one moment
# Books are made of many messages, and gaps of none: they have no rows of one message.
_NOT_OF_ONE_MESSAGE = frozenset({"payloads", "books", "gaps"})


class Reparsed(NamedTuple):
    """What became of one table's rows."""

    table: str
    added: int
    changed: int
    removed: int
    unchanged: int


class Reparse(NamedTuple):
    """What `reparse` did: messages read again, how many of them not readable, the parser, rows by table, and
    how many messages of other parsers were left alone.
    """

    payloads: int
    failed: int
    parser: str
    tables: list[Reparsed]
    left_alone: int


def reparse(
    lake: Lake,
    venue: str,
    *,
    stream: str | None,
    start_ns: int | None,
    end_ns: int | None,
    again: bool,
    dry_run: bool,
) -> Reparse:
    """Read messages received between two times [ns UTC] again; see `Lake.reparse`."""
    counts: dict[str, Counter[str]] = {}
    payloads = failed = 0
    parser = ""
    reader = reader_of(venue)
    stored = _stored(lake, venue, end_ns)
    own = _own(reader, stored)
    left_alone = stored.filter(~own & _asked(stream, start_ns)).height
    for batch in _batches(reader, stored.filter(own), _asked(stream, start_ns), again):
        payloads += len(batch.messages)
        failed += sum(bool(message["error"]) for message in batch.messages)
        parser = batch.parser
        for name in LAKE_TABLES:
            if name in _NOT_OF_ONE_MESSAGE:
                continue
            found = _replace(lake, name, batch, dry_run)
            counts.setdefault(name, Counter()).update(found)
        if not dry_run:
            _mark(lake, batch)
    if not payloads:
        if lake.read("payloads", where={"venue": venue}, columns=["time_ns"]).is_empty():
            raise MissingDataError(
                f"the lake holds no raw messages of '{venue}'",
                hint="`deleverage collect` keeps them; rows of files are imported again instead",
                venue=venue,
            )
        parser = parser or "the newest parser"
    tables = [
        Reparsed(name, found["added"], found["changed"], found["removed"], found["unchanged"])
        for name, found in counts.items()
        if sum(found.values())
    ]
    return Reparse(payloads, failed, parser, tables, left_alone)


class _Batch(NamedTuple):
    """Messages that were read again: their rows in `payloads` as they are to be, and what they gave by
    table.
    """

    parser: str
    source: str
    messages: list[dict[str, Any]]
    rows: dict[str, list[tuple[Any, ...]]]


def _stored(lake: Lake, venue: str, end_ns: int | None) -> pl.DataFrame:
    """Messages of a venue in the order in which they came: from the beginning, since a parser remembers; what
    is before the asked time is read and not counted.
    """
    import polars as pl

    stored = lake.scan("payloads").filter(pl.col("venue") == venue)
    if end_ns is not None:
        stored = stored.filter(pl.col("received_ns") <= end_ns)
    return stored.sort("received_ns", "connection", "sequence").collect()


def _asked(stream: str | None, start_ns: int | None) -> pl.Expr:
    """Which messages are to be read again."""
    import polars as pl

    chosen = pl.lit(True)
    if start_ns is not None:
        chosen &= pl.col("received_ns") >= start_ns
    if stream is not None:
        chosen &= pl.col("stream") == stream
    return chosen


def _own(reader: Reader, stored: pl.DataFrame) -> pl.Expr:
    """Which messages a parser of the reader's name has read: it does not understand those of others."""
    import polars as pl

    names = pl.col("parser").str.split("/").list.first()
    if stored.is_empty():
        return names.is_not_null()
    # Only what a reader gives says its name; a message of the venue's own parser is the likeliest to be its.
    likely = stored.filter(names == pl.col("venue")).head(1)
    first = (likely if likely.height else stored).row(0, named=True)
    read = next(iter(reader(iter([_message(first)]))))
    return names == read.parser.partition("/")[0]


def _message(row: dict[str, Any]) -> Stored:
    return Stored(row["venue"], row["received_ns"], row["connection"], _plain(row))


def _batches(reader: Reader, everything: pl.DataFrame, chosen: pl.Expr, again: bool) -> Iterator[_Batch]:
    times = everything.filter(chosen)["received_ns"].unique()
    # Rows are found by receive time: a message of another stream at the very same time belongs to it.
    asked = everything["received_ns"].is_in(times.implode()).to_list()
    messages: list[dict[str, Any]] = []
    rows: dict[str, list[tuple[Any, ...]]] = {}
    parser = ""
    records = everything.iter_rows(named=True)
    inputs = (_message(row) for row in everything.iter_rows(named=True))
    last = 0
    for record, read, wanted in zip(records, reader(inputs), asked, strict=True):
        if len(messages) >= _AT_ONCE and record["received_ns"] != last:
            yield _Batch(parser, str(messages[0]["source"]), messages, rows)
            messages, rows = [], {}
        last = record["received_ns"]
        if not wanted or (record["parser"] == read.parser and not again):
            continue
        parser = read.parser
        given = sum(len(part) for _, part in read.rows)
        messages.append(
            record
            | {"parser": read.parser, "rows": None if read.error else given, "error": read.error or None}
        )
        for table, part in read.rows:
            rows.setdefault(table, []).extend(part)
    if messages:
        yield _Batch(parser, str(messages[0]["source"]), messages, rows)


def _plain(row: dict[str, Any]) -> bytes:
    payload: bytes = row["payload"]
    if row["encoding"] == "plain":
        return payload
    if row["encoding"] != "zstd":
        raise SourceChanged(
            f"expected the encoding 'plain' or 'zstd' of a stored message, found '{row['encoding']}'",
            hint="another version of the program wrote it",
        )
    try:
        import zstandard
    except ModuleNotFoundError:
        raise MissingDataError(
            "expected the package zstandard to open stored messages, found none",
            hint="pip install zstandard",
        ) from None
    return bytes(zstandard.ZstdDecompressor().decompress(payload))


def _replace(lake: Lake, name: str, batch: _Batch, dry_run: bool) -> Counter[str]:
    """Put the rows of a batch in place of the older ones in one table; how many of each kind."""
    import polars as pl

    live = lake.table(name)
    table, key = live.table, list(live.table.key)
    fresh = pl.DataFrame(batch.rows.get(name, []), schema=dict(empty(table).schema), orient="row")
    fresh = conformed(fresh, table, "").unique(subset=key, keep="first", maintain_order=True)
    origin = [column for column in ("venue", "source", "received_ns") if column in table.names]
    messages = pl.DataFrame(
        [[message[column] for column in origin] for message in batch.messages],
        schema={column: dict(fresh.schema)[column] for column in origin},
        orient="row",
    ).unique()
    for _ in range(_TRIES):
        with live.lock:
            if not live.log.refresh():
                if fresh.is_empty():
                    return Counter()
                live.log.create()
            files = dict(live.log.files)
        present = _of_messages(lake, live, messages)
        together = fresh.join(present.select(key), on=key, how="semi")
        changed = together.join(conflicts_of(together, present, table).select(key), on=key, how="semi")
        removed = present.join(fresh.select(key), on=key, how="anti")
        novel = fresh.join(present.select(key), on=key, how="anti")
        if novel.height:
            novel = live.keys.novel(novel, files.values()).rows
        if novel.height and name == "trades":
            novel = _not_fetched(lake, novel)
        counts = Counter(
            added=novel.height,
            changed=changed.height,
            removed=removed.height,
            unchanged=together.height - changed.height,
        )
        if dry_run or not (novel.height or changed.height or removed.height):
            return counts
        dropped = pl.concat([changed.select(key), removed.select(key)])
        if _rewritten(live, files, dropped, pl.concat([changed, novel])):
            return counts
    raise busy(table, lake.place)


def _not_fetched(lake: Lake, trades: pl.DataFrame) -> pl.DataFrame:
    """Trades but those that a backfill has brought under their number and another time.

    OKX's stream sends as one, under the number of the last, what its interface gives trade by trade: where a
    gap was filled before its unreadable message was read, the sum is there already, in parts.
    """
    import polars as pl

    times = trades["time_ns"]
    there = (
        lake.scan("trades")
        .filter(
            pl.col("time_ns").is_between(times.min() - _APART_NS, times.max() + _APART_NS),  # type: ignore[operator]
            pl.col("source").str.starts_with("backfill/"),
        )
        .select("venue", "symbol", "trade_id")
    )
    return trades.join(there.collect(), on=["venue", "symbol", "trade_id"], how="anti")


def _of_messages(lake: Lake, live: LiveTable, messages: pl.DataFrame) -> pl.DataFrame:
    """The rows that came from messages, by the venue, source and receive time of each."""
    import polars as pl

    times = messages["received_ns"]
    rows = lake.scan(live.table.name).filter(
        pl.col("received_ns").is_between(times.min(), times.max())
        & pl.col("received_ns").is_in(times.unique().implode())
    )
    return rows.join(messages.lazy(), on=messages.columns, how="semi").collect()


def _rewritten(live: LiveTable, files: dict[str, Any], dropped: pl.DataFrame, added: pl.DataFrame) -> bool:
    """Drop rows by key and add others in one commit; False where somebody else wrote meanwhile."""
    import polars as pl

    key = list(live.table.key)
    affected = []
    kept = [added]
    if dropped.height:
        for file in files.values():
            rows = read_files(live.place, live.table, [file])
            rest = rows.join(dropped, on=key, how="anti")
            if rest.height < rows.height:
                affected.append(file)
                kept.append(rest)
    staged = live.stage(pl.concat(kept), "reparse")
    return live.swap(
        [one.file for one in staged],
        affected,
        changes_data=True,
        still_right=lambda: all(path in files for path in live.log.files),
        note="reparse",
    )


def _mark(lake: Lake, batch: _Batch) -> None:
    """Let the messages say which parser has read them."""
    import polars as pl

    live = lake.table("payloads")
    marked = pl.DataFrame(batch.messages, schema=dict(empty(live.table).schema))
    for _ in range(_TRIES):
        with live.lock:
            live.log.refresh()
            files = dict(live.log.files)
        if _rewritten(live, files, marked.select(live.table.key), marked):
            return
    raise busy(live.table, lake.place)
